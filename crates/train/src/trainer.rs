//! The training loop: batches to shards, shards to gradients, gradients to weights.

use std::time::Instant;

use data::{Error, Result};
use ndarray::ArrayViewMut2;
use nn::embedding::RowGrads;
use nn::tagger::{Network, TableGrads, Tagger};
use nn::{Params, dropout::Noise};
use optim::rows::{SummedRows, Summer};
use optim::sum::{clip_factor, sum_tree};
use optim::{Adam, RowAdam, schedule};
use rayon::prelude::*;
use tensor::{AdamRates, scratch};

use crate::batch::{self, Hiding, Shard};
use crate::config::{ClassWeights, Config, Keep, ScheduleName};
use crate::dataset::Dataset;
use crate::device::{Device, Job};

mod history;
mod scoring;

pub use history::{
    DevScores, EpochRecord, Observer, Outcome, Position, Progress, Sums, UNTRIED_THRESHOLD,
};
pub use scoring::score;

/// A run: weights, moments, and where it is.
pub struct Trainer {
    pub(crate) config: Config,
    pub(crate) dataset: Dataset,
    pub(crate) tagger: Tagger<f32>,
    pub(crate) adam: Adam<Network<f32>>,
    pub(crate) words: Table,
    pub(crate) wide: Option<Table>,
    /// Of pretrained vectors that are trained further.
    pub(crate) vectors: Option<Table>,
    /// The average of the weights, if one is kept.
    pub(crate) average: Option<Tagger<f32>>,
    pub(crate) position: Position,
    pub(crate) history: Vec<EpochRecord>,
    /// One gradient for each group of shards, as many as a batch needed so far.
    grads: Vec<Network<f32>>,
    /// What the shards of each group left behind in the last step.
    outcomes: Vec<Vec<ShardOutcome>>,
    /// What makes the steps in place of this processor, if anything does.
    pub(crate) device: Option<Box<dyn Device + Send + Sync>>,
}

/// What belongs to a table besides its weights.
pub(crate) struct Table {
    pub(crate) adam: RowAdam<f32>,
    summer: Summer,
    /// The gradient over a whole batch.
    grads: SummedRows<f32>,
}

impl Table {
    fn new((rows, columns): (usize, usize)) -> Self {
        let adam = RowAdam::new((rows, columns));
        Self { adam, summer: Summer::new(rows), grads: SummedRows::default() }
    }

    /// Sums what the shards of a batch leave behind of this table. Σ g².
    fn sum(&mut self, shards: &[Vec<ShardOutcome>], of: Of) -> f64 {
        let shards: Vec<&RowGrads<f32>> =
            shards.iter().flatten().filter_map(|shard| of(&shard.rows)).collect();
        self.summer.sum_into(&mut self.grads, &shards);
        self.grads.squared_norm()
    }

    /// Adam for the rows of `weights`: those that the batch touched if `lazy`, otherwise all.
    fn update(&mut self, mut weights: ArrayViewMut2<'_, f32>, rates: &AdamRates<f32>, lazy: bool) {
        match lazy {
            true => self.adam.update_touched(&mut weights, &self.grads, rates),
            false => self.adam.update_all(&mut weights, &self.grads, rates),
        }
    }
}

/// Which table's rows.
type Of = fn(&TableGrads<f32>) -> Option<&RowGrads<f32>>;

/// The average of the weights takes in every so many steps.
const AVERAGE_EVERY: u64 = 16;

/// More weights than this are a slip of the pen: what they take is not memory of a machine that this is for.
const MOST_WEIGHTS: u64 = 1 << 31;

/// Shards k, k + 16, k + 32, … of a batch share a gradient, so that a large batch needs no more memory
/// than a small one. A fixed number: it is part of the order of summation.
const GROUPS: usize = 16;

/// What a shard leaves behind besides its share of the gradient.
struct ShardOutcome {
    loss: f64,
    right: usize,
    rows: TableGrads<f32>,
}

impl ShardOutcome {
    /// Gives the rows, which nobody needs any more, to the thread that computes the next shard.
    fn give_back(self) {
        let TableGrads { words, vectors, wide } = self.rows;
        let rows = [Some(words), vectors, wide].into_iter().flatten();
        rows.for_each(|grads| scratch::give(grads.rows));
    }
}

/// What a batch comes to, besides its gradient.
struct BatchOutcome {
    loss: f64,
    right: usize,
    squared_norm: f64,
}

impl Trainer {
    /// A run at its start: initial weights from the configuration's seed. Batch and epochs of its
    /// configuration are those that `min-steps` gives for the data.
    ///
    /// # Errors
    /// E041 if a value of the configuration does not fit, or it asks for the dev part where there is none.
    pub fn new(mut config: Config, mut dataset: Dataset) -> Result<Self> {
        config.validate()?;
        config.fit_to(dataset.extent());
        if config.schedule == ScheduleName::Plateau && dataset.split.dev.is_empty() {
            let message = "schedule = \"plateau\" needs a dev part: it waits for a better F1 there";
            return Err(Error::new("E041", message).help("give one with --dev or --split"));
        }
        let mut spec = config.spec(&dataset.code, &dataset.tags)?;
        if spec.n_weights() > MOST_WEIGHTS {
            let n = spec.n_weights() as f64 / 1e9;
            let message = format!(
                "the network would have {n:.1} billion weights, with their moments {:.0} GB; {:.1} billion is the most",
                12.0 * n,
                MOST_WEIGHTS as f64 / 1e9
            );
            let help = "smaller widths and tables: embedding, encoder, wide-rows, affix-rows, char-features";
            return Err(Error::new("E041", message).help(help));
        }
        spec.tag_weights =
            (config.class_weights == ClassWeights::Balanced).then(|| dataset.balanced_weights());
        let mut tagger = match config.members {
            1 => Tagger::new(spec, config.seed),
            _ => Tagger::unfilled(spec), // each member is drawn by a trainer of its own
        };
        if let Some(vectors) = &mut dataset.vectors {
            tagger.set_vectors(std::mem::take(&mut vectors.table));
        }
        let tuned = tagger.vectors.as_ref().filter(|v| v.is_tuned());
        Ok(Self {
            adam: Adam::new(&tagger.network),
            words: Table::new(tagger.words.rows.dim()),
            wide: tagger.wide.as_ref().map(|w| Table::new(w.table.dim())),
            vectors: tuned.map(|v| Table::new(v.table().dim())),
            average: (config.average > 0.0).then(|| tagger.clone()),
            position: Position::default(),
            history: Vec::new(),
            grads: Vec::new(),
            outcomes: Vec::new(),
            device: None,
            config,
            dataset,
            tagger,
        })
    }

    /// Lets `device` make the steps. Weights and moments are its own during an epoch and come back at the end.
    pub fn train_on(&mut self, device: Box<dyn Device + Send + Sync>) {
        self.device = Some(device);
    }

    /// The weights as they are now.
    pub fn tagger(&self) -> &Tagger<f32> {
        &self.tagger
    }

    /// The weights to tag with: their average, if one is kept.
    pub fn best_guess(&self) -> &Tagger<f32> {
        self.average.as_ref().unwrap_or(&self.tagger)
    }

    /// Frees weights, moments and gradients, for a run that is over and whose best model is in its file.
    pub fn release(&mut self) {
        let nothing = Tagger::unfilled(self.tagger.spec.clone());
        (self.average, self.grads, self.outcomes) = (None, Vec::new(), Vec::new());
        self.adam = Adam::new(&nothing.network);
        for table in [Some(&mut self.words), self.wide.as_mut(), self.vectors.as_mut()] {
            table.into_iter().for_each(|table| *table = Table::new((0, 0)));
        }
        self.tagger = nothing; // zeros that nobody reads take no memory
    }

    /// The data as ids.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What happened so far, an epoch a record.
    pub fn history(&self) -> &[EpochRecord] {
        &self.history
    }

    /// Whether all epochs are done, or dev has not got better for as long as the configuration waits.
    pub fn is_done(&self) -> bool {
        let patience = self.config.patience as usize;
        self.position.epoch >= self.config.epochs
            || (patience > 0 && self.epochs_without_gain() >= patience)
    }

    /// Epochs since dev F1 was first as high as it ever was.
    fn epochs_without_gain(&self) -> usize {
        let f1: Vec<f64> = self.history.iter().filter_map(|r| Some(r.dev?.f1)).collect();
        schedule::waited(&f1)
    }

    /// Trains to the end of the present epoch.
    ///
    /// # Errors
    /// E011 if loss or gradient is not finite any more; the weights are then those before the batch.
    pub fn epoch(&mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        // On a thread of the pool, which hands work to the others sooner than one outside of it.
        rayon::scope(|_| self.epoch_in_pool(observer))
    }

    fn epoch_in_pool(&mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        self.on_device(|device, trainer| device.push(trainer))?;
        let ended = self.train_batches(observer);
        self.on_device(|device, trainer| device.pull(trainer))?;
        let Some(batches) = ended? else { return Ok(Outcome::Stopped) };
        let record = self.finish_epoch(batches);
        observer.epoch(&record);
        Ok(Outcome::Done(record))
    }

    /// What `work` makes of the device; nothing to do without one.
    fn on_device(
        &mut self,
        work: impl FnOnce(&mut dyn Device, &mut Self) -> Result<()>,
    ) -> Result<()> {
        let Some(mut device) = self.device.take() else { return Ok(()) };
        let done = work(&mut *device, self);
        self.device = Some(device);
        done
    }

    /// The batches that are left of the present epoch; their number in the whole epoch, unless stopped.
    fn train_batches(&mut self, observer: &mut dyn Observer) -> Result<Option<usize>> {
        let epoch = self.position.epoch;
        let batches = self.batches();
        let of = batches.len();
        for b in self.position.batch..of {
            let sentences = &batches[b];
            let start = Instant::now();
            let (loss, right) = self.step(sentences, batches.get(b + 1), of)?;
            let sums = &mut self.position.sums;
            sums.seconds += start.elapsed().as_secs_f64();
            sums.loss += loss;
            sums.right += right;
            sums.positions += sentences.iter().map(|&i| self.dataset.positions(i)).sum::<usize>();
            sums.tokens += self.dataset.count_tokens(sentences);
            let progress = Progress {
                epoch: epoch + 1,
                batches: self.position.batch + 1,
                of,
                tokens: sums.tokens,
                loss: sums.loss / sums.positions as f64,
            };
            self.position.batch += 1;
            if observer.batch(&progress) && self.position.batch < of {
                return Ok(None);
            }
        }
        Ok(Some(of))
    }

    /// The batches of the present epoch.
    fn batches(&self) -> Vec<Vec<u32>> {
        batch::epoch(&self.dataset, &self.config, self.position.epoch)
    }

    fn finish_epoch(&mut self, batches: usize) -> EpochRecord {
        let sums = std::mem::take(&mut self.position.sums);
        self.position.epoch += 1;
        self.position.batch = 0;
        let dev = self.score_dev();
        let best_so_far = self.history.iter().filter_map(|r| r.dev).map(|d| d.f1);
        let best = match (self.config.keep, dev) {
            (Keep::Best, Some(dev)) => best_so_far.fold(-1.0, f64::max) < dev.f1,
            _ => true,
        };
        let total = u64::from(self.config.epochs) * batches as u64;
        let last = self.position.step.saturating_sub(1);
        let record = EpochRecord {
            epoch: self.position.epoch,
            loss: sums.loss / sums.positions as f64,
            accuracy: sums.right as f64 / sums.positions as f64,
            dev,
            learning_rate: self.learning_rate(last, total),
            tokens: sums.tokens,
            seconds: sums.seconds,
            tokens_per_second: sums.tokens as f64 / sums.seconds,
            best,
        };
        self.history.push(record.clone());
        record
    }

    fn learning_rate(&self, step: u64, total: u64) -> f64 {
        let factor = self.config.rate_schedule().factor(step, total);
        self.config.learning_rate * factor * 0.5f64.powi(self.plateaus() as i32)
    }

    /// How often the rate was halved: it follows from the history, so a resumed run knows it too.
    fn plateaus(&self) -> u32 {
        match self.config.schedule {
            ScheduleName::Plateau => {
                let f1 = self.history.iter().filter_map(|r| Some(r.dev?.f1));
                schedule::plateaus(f1, self.config.plateau)
            }
            _ => 0,
        }
    }

    /// One batch: forward, backward, Adam. Σ loss and number of right positions. `next` is the batch after it.
    fn step(
        &mut self,
        sentences: &[u32],
        next: Option<&Vec<u32>>,
        batches_an_epoch: usize,
    ) -> Result<(f64, usize)> {
        let step = self.position.step + 1;
        let total = u64::from(self.config.epochs) * batches_an_epoch as u64;
        let rate = self.learning_rate(self.position.step, total);
        let (settings, decay) = (self.config.adam_settings(), self.config.weight_decay);
        let rates = |scale| AdamRates {
            decay: (1.0 - rate * decay) as f32,
            ..settings.rates(step, rate, scale)
        };
        if let Some(mut device) = self.device.take() {
            let next = next.map(Vec::as_slice);
            let job = Job { sentences, next, rates: rates(1.0), average: self.average_share(step) };
            let done = device.step(self, &job);
            self.device = Some(device);
            let done = done?;
            if !done.finite {
                return Err(self.not_finite(done.loss, None));
            }
            self.position.step = step;
            return Ok((done.loss, done.right));
        }
        let BatchOutcome { loss, right, squared_norm } = self.gradient(sentences);
        if !loss.is_finite() || !squared_norm.is_finite() {
            return Err(self.not_finite(loss, Some(&self.grads[0])));
        }
        let rates = rates(clip_factor(squared_norm, self.config.clip));
        self.position.step = step;
        let lazy = self.config.lazy_rows;
        let Tagger { network, words, .. } = &mut self.tagger;
        rayon::join(
            || self.adam.update(network, &self.grads[0], &rates),
            || self.words.update(words.rows.view_mut(), &rates, lazy),
        );
        if let Some((table, layer)) = self.wide.as_mut().zip(self.tagger.wide.as_mut()) {
            table.update(layer.table.view_mut(), &rates, lazy);
        }
        let layers = self.vectors.as_mut().zip(self.tagger.vectors.as_mut());
        let layers = layers.and_then(|(table, layer)| Some((table, layer.trained_mut()?)));
        if let Some((table, weights)) = layers {
            table.update(weights.view_mut(), &rates, lazy);
        }
        self.take_into_average();
        Ok((loss, right))
    }

    /// Forward and backward of one batch. What it gives of the network is in `self.grads[0]`, what of a table in
    /// the table's `grads`.
    fn gradient(&mut self, sentences: &[u32]) -> BatchOutcome {
        let positions: usize = sentences.iter().map(|&i| self.dataset.positions(i)).sum();
        let shards = batch::deal(sentences, |i| self.dataset.positions(i));
        let groups = shards.len().min(GROUPS);
        let weight = 1.0 / positions as f32;

        let (mut grads, mut outcomes) =
            (std::mem::take(&mut self.grads), std::mem::take(&mut self.outcomes));
        while grads.len() < groups {
            grads.push(self.tagger.network.clone());
            outcomes.push(Vec::new());
        }
        let pairs = grads[..groups].par_iter_mut().zip(&mut outcomes[..groups]);
        pairs.enumerate().for_each(|(g, (grads, outcomes))| {
            outcomes.drain(..).for_each(ShardOutcome::give_back);
            grads.clear();
            let mine = shards.iter().skip(g).step_by(groups);
            outcomes.extend(mine.map(|sentences| self.shard(sentences, weight, grads)));
        });
        let done = &outcomes[..groups];
        let [words, wide, vectors] =
            [Some(&mut self.words), self.wide.as_mut(), self.vectors.as_mut()];
        let sum =
            |table: Option<&mut Table>, of: Of| table.map_or(0.0, |table| table.sum(done, of));
        let tables = || {
            let wide = || sum(wide, |rows| rows.wide.as_ref());
            rayon::join(|| sum(words, |rows| Some(&rows.words)), wide)
        };
        let (network, (words, wide)) = rayon::join(|| sum_tree(&mut grads[..groups]), tables);
        let vectors = sum(vectors, |rows| rows.vectors.as_ref());
        let outcome = BatchOutcome {
            loss: done.iter().flatten().map(|o| o.loss).sum(),
            right: done.iter().flatten().map(|o| o.right).sum(),
            squared_norm: network + words + (wide + vectors),
        };
        (self.grads, self.outcomes) = (grads, outcomes);
        outcome
    }

    /// Forward and backward over the batches of the present epoch, without a step: how many real tokens, and
    /// how many seconds that takes.
    pub fn time_gradients(&mut self) -> (usize, f64) {
        let batches = self.batches();
        let start = Instant::now();
        rayon::scope(|_| {
            for sentences in &batches {
                std::hint::black_box(self.gradient(sentences));
            }
        });
        let tokens = batches.iter().map(|b| self.dataset.count_tokens(b)).sum();
        (tokens, start.elapsed().as_secs_f64())
    }

    /// The share of the average of the weights that is kept at a step, if the weights are taken in then.
    fn average_share(&self, step: u64) -> Option<f32> {
        if self.average.is_none() || !step.is_multiple_of(AVERAGE_EVERY) && step != 1 {
            return None;
        }
        let share = self.config.average.powi(AVERAGE_EVERY as i32) as f32;
        // Young averages forget faster, or they would remember the initial weights.
        let young = step as f32 / (step as f32 + 10.0 * AVERAGE_EVERY as f32);
        Some(if step == 1 { 0.0 } else { share.min(young) })
    }

    /// a ← s a + (1 − s) w, for the share s of 16 steps (Polyak and Juditsky 1992, fading).
    fn take_into_average(&mut self) {
        let Some(kept) = self.average_share(self.position.step) else { return };
        let Some(average) = &mut self.average else { return };
        let tensors: Vec<_> = average.slices_mut().into_iter().zip(self.tagger.slices()).collect();
        for (a, w) in tensors {
            let chunks = a.par_chunks_mut(1 << 14).zip(w.par_chunks(1 << 14));
            chunks.for_each(|(a, w)| {
                // A weight that stays is its own average, to the bit.
                a.iter_mut().zip(w).for_each(|(a, &w)| *a += (1.0 - kept) * (w - *a));
            });
        }
    }

    /// `sentences`, longest first, as the present epoch reads them.
    pub(crate) fn read<'a>(&self, sentences: &'a [u32]) -> (Shard, Noise<'a>) {
        let (seed, epoch) = (self.config.seed, self.position.epoch);
        let hiding =
            Hiding { rare: self.config.unknown, any: self.config.word_dropout, seed, epoch };
        let shard = Shard::new(&self.dataset, sentences, hiding);
        (shard, Noise { seed, epoch, sentences, locked: self.config.locked })
    }

    /// Forward and backward of one shard; adds to `grads`.
    fn shard(&self, sentences: &[u32], weight: f32, grads: &mut Network<f32>) -> ShardOutcome {
        let (Shard { input, tags }, noise) = self.read(sentences);
        let packing = input.packing.clone();
        let (scores, cache) = self.tagger.forward(input, Some(&noise));
        // Each token's own best: the best path of all is not worth its time here.
        let best = self.tagger.decode(&scores, &packing, None);
        let right = best.iter().zip(&tags).filter(|(a, b)| a == b).count();
        let (loss, ds) = self.tagger.loss(scores, &tags, &packing, weight, grads);
        let rows = self.tagger.backward(cache, &ds, grads);
        scratch::give(ds);
        ShardOutcome { loss, right, rows }
    }

    fn not_finite(&self, loss: f64, grads: Option<&Network<f32>>) -> Error {
        let (epoch, batch) = (self.position.epoch + 1, self.position.batch + 1);
        let what = if loss.is_finite() { "gradient" } else { "loss" };
        let bad = |t: &&(String, ndarray::ArrayViewD<'_, f32>)| !t.1.iter().all(|v| v.is_finite());
        let tensors = grads.map_or(Vec::new(), Params::tensors);
        let first = tensors.iter().rev().find(bad); // backward meets the last layer first
        let at =
            first.map_or(String::new(), |(name, _)| format!("; first in the gradient of {name}"));
        let message = format!("{what} not finite at epoch {epoch}, batch {batch}{at}");
        let rate = self.config.learning_rate;
        let mut help = format!("try --clip 5 or a lower rate: --learning-rate {}", rate / 4.0);
        if self.config.head == crate::config::HeadName::KerasRelu {
            help =
                "a ReLU head gives 0/0 where no score is positive; use --set head=softmax".into();
        }
        Error::new("E011", message).help(help)
    }

    /// A copy of the data for another trainer, with the table of pretrained vectors back in its place.
    pub(crate) fn dataset_for_member(&self) -> Dataset {
        let mut dataset = self.dataset.clone();
        if let (Some(to), Some(from)) = (&mut dataset.vectors, &self.tagger.vectors) {
            to.table = from.table().to_owned();
        }
        dataset
    }

    /// Puts members that were trained by themselves in the place of the weights, and what happened in their
    /// training in the place of the history. What they score together on dev.
    pub(crate) fn take_members(
        &mut self,
        members: Vec<Tagger<f32>>,
        history: Vec<EpochRecord>,
    ) -> Option<DevScores> {
        self.tagger = Tagger::of_members(members);
        self.average = None;
        self.history = history;
        self.score_dev()
    }
}
