//! A run's steps and a model's tags on a GPU, through the crate `cuda`: batches as numbers, weights there and back.

use std::sync::Mutex;

use cuda::{
    Asked, Batch, CharKind, Chars, CudaError, Description, Dropped, Head, Layer, LayerShape,
    Letters, Machine, Network, Rates, Tokens, Vectors, Weights, Which, Wide,
};
use data::{Error, Result};
use ndarray::{Array2, ArrayBase, Data, DataMut, Ix2};
use nn::Params;
use nn::crf::Allowed;
use nn::packing::Direction;
use nn::tagger::{self, Input, LayerKind, On, Place, Spec, Tagger};
use nn::wide::kept_tokens;
use tensor::random::Purpose;

use crate::batch::Shard;
use crate::device::{Answer, Device, Done, Job, Tags};
use crate::trainer::{Table, Trainer};
use data::features::WINDOW;

/// A network that is trained on a machine, and the batch that is on its way there.
pub struct Gpu {
    network: Network,
    description: Description,
    /// Where the present batch lies, and what was sent ahead to the other place.
    slot: usize,
    ahead: Option<(u32, Vec<u32>)>,
}

impl Gpu {
    /// Memory for the network of a run.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(
        machine: Box<dyn Machine>,
        trainer: &Trainer,
    ) -> std::result::Result<Self, CudaError> {
        let average = trainer.config.average > 0.0;
        let description = describe(&trainer.tagger.spec);
        let network = Network::new(machine, description.clone(), average)?;
        Ok(Self { network, description, slot: 0, ahead: None })
    }
}

impl Device for Gpu {
    fn name(&self) -> String {
        self.network.machine().name()
    }

    fn push(&mut self, trainer: &Trainer) -> Result<()> {
        let t = trainer;
        self.ahead = None;
        for (which, tagger) in
            [(Which::Weights, Some(&t.tagger)), (Which::Average, t.average.as_ref())]
        {
            if let Some(tagger) = tagger {
                let words = tagger.words.in_order();
                let mut weights = weights_of(tagger, flat(&words));
                if which == Which::Average && !tagger.spec.vectors.is_some_and(|v| v.tuned) {
                    weights.vectors = &[];
                }
                self.network.write(which, &weights).map_err(|e| error(&e))?;
            }
        }
        for which in [Which::Mean, Which::Squares] {
            let rest = if which == Which::Mean { &t.adam.m } else { &t.adam.v };
            let weights = Weights {
                words: flat(t.words.moment(which)),
                wide: t.wide.as_ref().map(|w| flat(w.moment(which))).unwrap_or_default(),
                vectors: t.vectors.as_ref().map(|v| flat(v.moment(which))).unwrap_or_default(),
                rest: rest.slices(),
            };
            self.network.write(which, &weights).map_err(|e| error(&e))?;
        }
        Ok(())
    }

    fn step(&mut self, trainer: &Trainer, job: &Job<'_>) -> Result<Done> {
        let failed = |e: CudaError| error(&e);
        let sent = self.ahead.take();
        self.slot = 1 - self.slot;
        if sent != Some((trainer.position.epoch, job.sentences.to_vec())) {
            let batch = encode(trainer, &self.description, job.sentences);
            self.network.stage(self.slot, batch).map_err(failed)?;
        }
        let noise = cuda::Noise {
            seed: trainer.config.seed,
            epoch: trainer.position.epoch,
            purpose: Purpose::Dropout as u32,
            locked: trainer.config.locked,
        };
        // The next batch is read beside the launches, not after them: a small batch's kernels are done soon.
        let Self { network, description, slot, .. } = self;
        let (launched, next) = rayon::join(
            || network.step(*slot, noise, &rates(trainer, job)),
            || job.next.map(|next| (next, encode(trainer, description, next))),
        );
        launched.map_err(failed)?;
        if let Some((sentences, batch)) = next {
            self.network.stage(1 - self.slot, batch).map_err(failed)?; // while the step runs
            self.ahead = Some((trainer.position.epoch, sentences.to_vec()));
        }
        let done = self.network.outcome().map_err(failed)?;
        Ok(Done { loss: done.loss, right: done.right, finite: done.finite })
    }

    fn pull(&mut self, trainer: &mut Trainer) -> Result<()> {
        let t = trainer;
        for (which, tagger) in
            [(Which::Weights, Some(&mut t.tagger)), (Which::Average, t.average.as_mut())]
        {
            let Some(Tagger { words, wide, vectors, network, .. }) = tagger else { continue };
            let trained = vectors.as_mut().and_then(nn::vectors::Vectors::trained_mut);
            let to = Weights {
                words: flat_mut(&mut words.rows),
                wide: wide.as_mut().map(|w| flat_mut(&mut w.table)).unwrap_or_default(),
                vectors: trained.map(flat_mut).unwrap_or_default(),
                rest: network.slices_mut(),
            };
            self.network.read(which, to).map_err(|e| error(&e))?;
        }
        for which in [Which::Mean, Which::Squares] {
            let rest = if which == Which::Mean { &mut t.adam.m } else { &mut t.adam.v };
            let to = Weights {
                words: flat_mut(t.words.moment_mut(which)),
                wide: t.wide.as_mut().map(|w| flat_mut(w.moment_mut(which))).unwrap_or_default(),
                vectors: t
                    .vectors
                    .as_mut()
                    .map(|v| flat_mut(v.moment_mut(which)))
                    .unwrap_or_default(),
                rest: rest.slices_mut(),
            };
            self.network.read(which, to).map_err(|e| error(&e))?;
        }
        Ok(())
    }
}

impl Table {
    fn moment(&self, which: Which) -> &Array2<f32> {
        if which == Which::Mean { &self.adam.m } else { &self.adam.v }
    }

    fn moment_mut(&mut self, which: Which) -> &mut Array2<f32> {
        if which == Which::Mean { &mut self.adam.m } else { &mut self.adam.v }
    }
}

/// Networks that tag on a machine.
pub struct GpuTags {
    network: Mutex<Network>,
    description: Description,
    n_tags: usize,
    name: String,
}

impl GpuTags {
    /// Memory for a tagger with all its members, and their weights in it.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(
        machine: Box<dyn Machine>,
        tagger: &Tagger<f32>,
    ) -> std::result::Result<Self, CudaError> {
        let name = machine.name();
        let description = describe(&tagger.spec);
        let members: Vec<&Tagger<f32>> = std::iter::once(tagger).chain(&tagger.others).collect();
        let potentials = mean_potentials(&members);
        let of = description.clone();
        let mut network = Network::to_tag(machine, of, members.len(), potentials.as_deref())?;
        for (k, member) in members.iter().enumerate() {
            // Tables of a mapped model lie in the order of its file.
            let words = member.words.in_order();
            // The mean of one wide table, once for each, is that table.
            let wide = tagger.wide.as_ref().map(|w| flat(&w.table)).unwrap_or_default();
            let weights = Weights { wide, ..weights_of(member, flat(&words)) };
            network.write_member(k, Which::Weights, &weights)?;
        }
        let n_tags = tagger.spec.tags;
        Ok(Self { network: Mutex::new(network), description, n_tags, name })
    }
}

impl Tags for GpuTags {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn tag(&self, input: &Input, tags: bool, scores: bool) -> Result<Answer> {
        let batch = Batch::new(&self.description, tokens(input, &spelled(input)));
        let given = {
            let mut network = self.network.lock().unwrap_or_else(|broken| broken.into_inner());
            network.tag(batch, Asked { tags, scores }).map_err(|e| error(&e))?
        };
        let shape = (given.scores.len() / self.n_tags, self.n_tags);
        let scores = Array2::from_shape_vec(shape, given.scores).expect("a row of scores a token");
        Ok(Answer { tags: given.tags, scores })
    }
}

/// What Viterbi adds up: the mean of the members' transitions, −∞ for what the rules forbid; nothing where each
/// token is tagged by itself.
fn mean_potentials(members: &[&Tagger<f32>]) -> Option<Vec<f32>> {
    let spec = &members[0].spec;
    let forbidden = spec.rules.as_ref().map(potentials);
    let weights = members.iter().filter_map(|m| m.network.crf.as_ref());
    let weights: Vec<Vec<f32>> = weights.map(|crf| crf.slices().concat()).collect();
    let share = 1.0 / members.len() as f32;
    let mean = weights.into_iter().reduce(|mut sum, weights| {
        sum.iter_mut().zip(weights).for_each(|(sum, w)| *sum += w);
        sum
    });
    let mean = mean.map(|sum| sum.into_iter().map(|w| w * share).collect::<Vec<_>>());
    match (mean, forbidden) {
        (Some(mean), Some(forbidden)) => {
            Some(mean.iter().zip(forbidden).map(|(w, f)| w + f).collect())
        }
        (mean, forbidden) => mean.or(forbidden),
    }
}

/// The weights of one network as slices; `words` its tables in their order.
fn weights_of<'a>(tagger: &'a Tagger<f32>, words: &'a [f32]) -> Weights<&'a [f32]> {
    Weights {
        words,
        wide: tagger.wide.as_ref().map(|w| flat(&w.table)).unwrap_or_default(),
        vectors: tagger.vectors.as_ref().map(|v| flat(v.table())).unwrap_or_default(),
        rest: tagger.network.slices(),
    }
}

/// The network of a [`Spec`] as kernels are launched for it.
pub fn describe(spec: &Spec) -> Description {
    let mut n_in = spec.n_input();
    let layers = spec.encoder.iter().enumerate().map(|(l, layer)| {
        let both = layer.kind == LayerKind::BiLstm;
        let shape = LayerShape { n_in, n_hidden: layer.n_hidden, both };
        n_in = layer.n_out();
        let dropped = |p, on| {
            [Direction::Forward, Direction::Backward]
                .map(|direction| Dropped { p, place: Place::Layer { l, direction, on }.number() })
        };
        let input = dropped(layer.dropout, On::Input);
        let recurrent = dropped(layer.recurrent_dropout, On::Recurrent);
        Layer { shape, input, recurrent, residual: spec.adds_input(l) }
    });
    Description {
        tables: spec.tables.iter().map(|(_, rows)| *rows).collect(),
        embedding: spec.embedding,
        vectors: spec.vectors.map(|v| {
            let tagger::VectorSpec { rows, columns, tuned } = v;
            Vectors { rows, columns, tuned }
        }),
        chars: spec.chars.map(|c| Chars {
            kind: match c.kind {
                tagger::CharKind::Cnn => CharKind::Cnn,
                tagger::CharKind::Lstm => CharKind::Lstm,
            },
            n_chars: c.n_chars,
            n_in: c.n_in,
            n_out: c.n_out,
        }),
        layers: layers.collect(),
        dense_dropout: Dropped { p: spec.dense_dropout, place: Place::Dense.number() },
        wide: spec.wide.map(|w| Wide { rows: w.rows, per_token: WINDOW }),
        n_tags: spec.tags,
        head: match spec.head {
            tagger::Head::Softmax => Head::Softmax,
            tagger::Head::KerasRelu => Head::KerasRelu,
            tagger::Head::Crf => Head::Crf,
        },
        tag_weights: spec.tag_weights.as_ref().map(|w| w.iter().map(|&c| c as f32).collect()),
        forbidden: spec.rules.as_ref().map(potentials),
    }
}

/// 0 for what the rules allow, −∞ for what they forbid: transitions, starts, ends.
fn potentials(rules: &Allowed) -> Vec<f32> {
    let all = [rules.transitions(), rules.start(), rules.end()].into_iter().flatten();
    all.map(|&allowed| if allowed { 0.0 } else { f32::NEG_INFINITY }).collect()
}

/// A batch of a run, all of it side by side.
fn encode(trainer: &Trainer, description: &Description, sentences: &[u32]) -> Batch {
    let mut sorted = sentences.to_vec();
    sorted.sort_by_key(|&i| std::cmp::Reverse(trainer.dataset.positions(i)));
    let (Shard { input, tags }, noise) = trainer.read(&sorted);
    let p = trainer.tagger.spec.wide.map_or(0.0, |w| w.dropout);
    let kept = kept_tokens(&noise, Place::Wide.number(), &input.packing, p);
    let lengths = spelled(&input);
    let tokens =
        Tokens { kept: kept.as_deref(), tags: &tags, numbers: &sorted, ..tokens(&input, &lengths) };
    Batch::new(description, tokens)
}

/// Number of characters of each distinct word, if they are read.
fn spelled(input: &Input) -> Vec<usize> {
    input.chars.as_ref().map_or(Vec::new(), |(spellings, _)| spellings.lengths())
}

/// What the network reads; `lengths` as [`spelled`] gives them.
fn tokens<'a>(input: &'a Input, lengths: &'a [usize]) -> Tokens<'a> {
    Tokens {
        lengths: input.packing.lengths(),
        words: &input.words,
        wide: &input.wide,
        vectors: &input.vectors,
        letters: input.chars.as_ref().map(|(spellings, word_of)| Letters {
            chars: spellings.chars(),
            lengths,
            word_of,
        }),
        ..Tokens::default()
    }
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
        true => Error::new("E059", e.to_string()).help("or --device cpu"),
        false => Error::new("E063", e.to_string()),
    }
}

fn flat<S: Data<Elem = f32>>(a: &ArrayBase<S, Ix2>) -> &[f32] {
    a.as_slice().expect("row-major")
}

fn flat_mut<S: DataMut<Elem = f32>>(a: &mut ArrayBase<S, Ix2>) -> &mut [f32] {
    a.as_slice_mut().expect("row-major")
}

#[cfg(test)]
mod tests;
