//! A run's steps on a GPU, through the crate `cuda`: its batches as numbers, its weights there and back.

use cuda::{
    Batch, CudaError, Description, Dropped, Head, Layer, LayerShape, Machine, Network, Rates,
    Tokens, Weights, Which, Wide,
};
use data::{Error, Result};
use ndarray::{ArrayBase, Data, DataMut, Ix2};
use nn::Params;
use nn::crf::Allowed;
use nn::packing::Direction;
use nn::tagger::{self, LayerKind, On, Place, Spec, Tagger};
use nn::wide::kept_tokens;
use tensor::random::Purpose;

use crate::batch::Shard;
use crate::device::{Device, Done, Job};
use crate::trainer::Trainer;
use data::features::WINDOW;

/// A network on a machine, and the batch that is on its way there.
pub struct Gpu {
    network: Network,
    /// Where the present batch lies, and what was sent ahead to the other place.
    slot: usize,
    ahead: Option<(u32, Vec<u32>)>,
}

impl Gpu {
    /// Memory for the network of a run.
    ///
    /// # Errors
    /// If a part of it has no kernel, or memory is short.
    pub fn new(
        machine: Box<dyn Machine>,
        trainer: &Trainer,
    ) -> std::result::Result<Self, CudaError> {
        let average = trainer.config.average > 0.0;
        let network = Network::new(machine, describe(&trainer.tagger.spec)?, average)?;
        Ok(Self { network, slot: 0, ahead: None })
    }

    /// Sends a batch to the place that is not in use.
    fn send(&mut self, trainer: &Trainer, sentences: &[u32]) -> Result<()> {
        let batch = encode(trainer, self.network.description(), sentences);
        self.network.stage(1 - self.slot, batch).map_err(|e| error(&e))?;
        self.ahead = Some((trainer.position.epoch, sentences.to_vec()));
        Ok(())
    }
}

impl Device for Gpu {
    fn name(&self) -> String {
        self.network.machine().name()
    }

    fn push(&mut self, trainer: &Trainer) -> Result<()> {
        let t = trainer;
        let moments =
            |which| (which, t.words.moment(which), t.wide.as_ref().map(|w| w.moment(which)));
        let mut write = |which, words, wide: Option<&[f32]>, rest| {
            let weights = Weights { words, wide: wide.unwrap_or_default(), rest };
            self.network.write(which, &weights).map_err(|e| error(&e))
        };
        for (which, tagger) in
            [(Which::Weights, Some(&t.tagger)), (Which::Average, t.average.as_ref())]
        {
            if let Some(tagger) = tagger {
                let wide = tagger.wide.as_ref().map(|w| flat(&w.table));
                write(which, flat(&tagger.words.rows), wide, tagger.network.slices())?;
            }
        }
        for (which, words, wide) in [moments(Which::Mean), moments(Which::Squares)] {
            let rest = if which == Which::Mean { &t.adam.m } else { &t.adam.v };
            write(which, words, wide, rest.slices())?;
        }
        Ok(())
    }

    fn step(&mut self, trainer: &Trainer, job: &Job<'_>) -> Result<Done> {
        let failed = |e: CudaError| error(&e);
        let sent = self.ahead.take();
        if sent != Some((trainer.position.epoch, job.sentences.to_vec())) {
            self.send(trainer, job.sentences)?;
            self.ahead = None;
        }
        self.slot = 1 - self.slot;
        let noise = cuda::Noise {
            seed: trainer.config.seed,
            epoch: trainer.position.epoch,
            purpose: Purpose::Dropout as u32,
            locked: trainer.config.locked,
        };
        self.network.step(self.slot, noise, &rates(trainer, job)).map_err(failed)?;
        if let Some(next) = job.next {
            self.send(trainer, next)?; // while the step runs
        }
        let done = self.network.outcome().map_err(failed)?;
        Ok(Done { loss: done.loss, right: done.right, finite: done.finite })
    }

    fn pull(&mut self, trainer: &mut Trainer) -> Result<()> {
        let t = trainer;
        for (which, tagger) in
            [(Which::Weights, Some(&mut t.tagger)), (Which::Average, t.average.as_mut())]
        {
            let Some(Tagger { words, wide, network, .. }) = tagger else { continue };
            let wide = wide.as_mut().map(|w| flat_mut(&mut w.table)).unwrap_or_default();
            let words = flat_mut(&mut words.rows);
            let to = Weights { words, wide, rest: network.slices_mut() };
            self.network.read(which, to).map_err(|e| error(&e))?;
        }
        for which in [Which::Mean, Which::Squares] {
            let rest = if which == Which::Mean { &mut t.adam.m } else { &mut t.adam.v };
            let wide = t.wide.as_mut().map(|w| w.moment_mut(which)).unwrap_or_default();
            let words = t.words.moment_mut(which);
            let to = Weights { words, wide, rest: rest.slices_mut() };
            self.network.read(which, to).map_err(|e| error(&e))?;
        }
        Ok(())
    }
}

impl crate::trainer::Table {
    fn moment(&self, which: Which) -> &[f32] {
        flat(if which == Which::Mean { &self.adam.m } else { &self.adam.v })
    }

    fn moment_mut(&mut self, which: Which) -> &mut [f32] {
        flat_mut(if which == Which::Mean { &mut self.adam.m } else { &mut self.adam.v })
    }
}

/// The network of a [`Spec`] as kernels are launched for it.
///
/// # Errors
/// If a part of it has no kernel.
pub fn describe(spec: &Spec) -> std::result::Result<Description, CudaError> {
    let missing = |what: &str| Err(CudaError::NoKernel(what.into()));
    if spec.chars.is_some() {
        return missing("characters (chars = \"none\" has them)");
    }
    if spec.residual {
        return missing("residual layers");
    }
    if spec.vectors.is_some_and(|v| v.tuned) {
        return missing("vectors that are trained further");
    }
    let mut n_in = spec.embedding;
    let layers = spec.encoder.iter().enumerate().map(|(l, layer)| {
        let both = layer.kind == LayerKind::BiLstm;
        let shape = LayerShape { n_in, n_hidden: layer.n_hidden, both };
        n_in = layer.n_out();
        let dropped = |p, on| {
            [Direction::Forward, Direction::Backward]
                .map(|direction| Dropped { p, place: Place::Layer { l, direction, on }.number() })
        };
        let input = dropped(layer.dropout, On::Input);
        Layer { shape, input, recurrent: dropped(layer.recurrent_dropout, On::Recurrent) }
    });
    Ok(Description {
        tables: spec.tables.iter().map(|(_, rows)| *rows).collect(),
        embedding: spec.embedding,
        vectors: spec.vectors.map(|v| v.columns),
        layers: layers.collect(),
        dense_dropout: Dropped { p: spec.dense_dropout, place: Place::Dense.number() },
        wide: spec.wide.map(|w| Wide { rows: w.rows, per_token: WINDOW }),
        n_tags: spec.tags,
        head: match spec.head {
            tagger::Head::Softmax => Head::Softmax,
            tagger::Head::KerasRelu => Head::KerasRelu,
            tagger::Head::Crf => Head::Crf,
        },
        forbidden: spec.rules.as_ref().map(potentials),
    })
}

/// 0 for what the rules allow, −∞ for what they forbid: transitions, starts, ends.
fn potentials(rules: &Allowed) -> Vec<f32> {
    let all = [&rules.transitions, &rules.start, &rules.end].into_iter().flatten();
    all.map(|&allowed| if allowed { 0.0 } else { f32::NEG_INFINITY }).collect()
}

/// A batch of a run, all of it side by side.
fn encode(trainer: &Trainer, description: &Description, sentences: &[u32]) -> Batch {
    let mut sorted = sentences.to_vec();
    sorted.sort_by_key(|&i| std::cmp::Reverse(trainer.dataset.positions(i)));
    let (Shard { input, tags }, noise) = trainer.read(&sorted);
    let p = trainer.tagger.spec.wide.map_or(0.0, |w| w.dropout);
    let kept = kept_tokens(&noise, Place::Wide.number(), &input.packing, p);
    let vectors = trainer.tagger.vectors.as_ref().map(|table| table.forward(&input.vectors));
    let tokens = Tokens {
        lengths: input.packing.lengths(),
        words: &input.words,
        wide: &input.wide,
        kept: kept.as_deref(),
        vectors: vectors.as_ref().map_or(&[], |v| flat(v)),
        tags: &tags,
        numbers: &sorted,
    };
    Batch::new(description, tokens)
}

fn rates(trainer: &Trainer, job: &Job<'_>) -> Rates {
    let r = &job.rates;
    Rates {
        beta1: r.beta1,
        beta2: r.beta2,
        fresh1: r.fresh1,
        fresh2: r.fresh2,
        step: r.step,
        root_scale: r.root_scale,
        epsilon: r.epsilon,
        decay: r.decay,
        max_norm: trainer.config.clip as f32,
        lazy_rows: trainer.config.lazy_rows,
        average: job.average,
    }
}

/// A failure as the program shows it.
pub fn error(e: &CudaError) -> Error {
    match e.is_absence() {
        true => Error::new("E059", e.to_string()).help("or train with --device cpu"),
        false => Error::new("E063", e.to_string()),
    }
}

fn flat<S: Data<Elem = f32>>(a: &ArrayBase<S, Ix2>) -> &[f32] {
    a.as_slice().expect("row-major")
}

fn flat_mut<S: DataMut<Elem = f32>>(a: &mut ArrayBase<S, Ix2>) -> &mut [f32] {
    a.as_slice_mut().expect("row-major")
}

#[cfg(all(test, feature = "cuda-shim"))]
mod tests;
