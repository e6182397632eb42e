//! What is known of a run while it goes on: an epoch a record, and who watches.

use serde::{Deserialize, Serialize};

/// One line of a run's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Mean training loss a position.
    pub loss: f64,
    /// Share of the training positions that got their tag right while training (dropout on).
    pub accuracy: f64,
    /// Strict scores on dev; none if there is no dev part.
    pub dev: Option<DevScores>,
    /// Learning rate at the end.
    pub learning_rate: f64,
    /// Real tokens trained on.
    pub tokens: usize,
    /// Seconds of training, without the scoring of dev.
    pub seconds: f64,
    /// Real tokens a second of training.
    pub tokens_per_second: f64,
    /// Whether this is the model to keep so far: the best on dev, or simply the last.
    pub best: bool,
}

/// What is known of the dev part after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DevScores {
    /// Strict micro precision.
    pub precision: f64,
    /// Strict micro recall.
    pub recall: f64,
    /// Strict micro F1.
    pub f1: f64,
    /// Share of tokens with the right tag.
    pub token_accuracy: f64,
    /// Share of positions with the right tag, padding counted: what the tutorial calls accuracy. Only
    /// where sentences are padded.
    pub padded_accuracy: Option<f64>,
    /// From which probability on entities were given, where `decode` gives the likely ones.
    #[serde(default = "untried_threshold")]
    pub threshold: f64,
}

/// The threshold of a model that has no dev part to find its own on: half of a low F1, since a
/// network that was trained on little is sure of little.
pub const UNTRIED_THRESHOLD: f64 = 0.3;

fn untried_threshold() -> f64 {
    UNTRIED_THRESHOLD
}

/// How far an epoch is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Batches done in it.
    pub batches: usize,
    /// Batches in it.
    pub of: usize,
    /// Real tokens done in it.
    pub tokens: usize,
    /// Mean loss a position so far in it.
    pub loss: f64,
}

/// Somebody who watches a run and may stop it.
pub trait Observer: Send {
    /// After every batch; true stops the run, to be resumed from here.
    fn batch(&mut self, progress: &Progress) -> bool;

    /// After every epoch.
    fn epoch(&mut self, record: &EpochRecord);

    /// Before one of several networks is trained, `k` of `of`.
    fn member(&mut self, _k: usize, _of: usize) {}

    /// Before a resumed run goes on: what happened so far.
    fn resumed(&mut self, _history: &[EpochRecord]) {}
}

/// How a call of [`Trainer::epoch`](super::Trainer::epoch) ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The epoch is over.
    Done(EpochRecord),
    /// The observer stopped it.
    Stopped,
}

/// Where a run is. With the weights and moments, all that a resumed run needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Epochs done.
    pub epoch: u32,
    /// Batches done in the present epoch.
    pub batch: usize,
    /// Steps of Adam done.
    pub step: u64,
    /// Loss, right positions, positions, tokens and seconds of the present epoch so far.
    pub sums: Sums,
}

/// Sums over the present epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Sums {
    pub loss: f64,
    pub right: usize,
    pub positions: usize,
    pub tokens: usize,
    pub seconds: f64,
}
