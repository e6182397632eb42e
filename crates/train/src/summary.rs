//! `scores.json`: what a finished run says of itself in figures. Written once, read by reports.

use std::collections::BTreeMap;

use eval::Scores;
use serde::{Deserialize, Serialize};

use crate::model::DataFile;

/// The file as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of Longhand.
    pub version: String,
    /// When the run ended, in UTC: `2026-01-31T12:00:00Z`.
    pub finished: String,
    /// Name of the preset that the configuration started from.
    pub preset: String,
    /// Seed of all random numbers.
    pub seed: u64,
    /// The data's files.
    pub data: Vec<DataFile>,
    /// How the parts were made.
    pub split: String,
    /// Sentences of each part.
    pub sentences: Sizes,
    /// Tokens of the training part.
    pub tokens: Tokens,
    /// Scores on dev, if there is such a part.
    pub dev: Option<Part>,
    /// Scores on test, if there is such a part.
    pub test: Option<Part>,
    /// What one reaches without a model, on the part that the result is quoted on.
    pub floors: Option<Floors>,
    /// Time and speed.
    pub train: Speed,
    /// What it ran on.
    pub machine: Machine,
    /// The best model.
    pub model: Weights,
}

/// Sentences of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Sizes {
    pub train: usize,
    pub dev: usize,
    pub test: usize,
}

/// Tokens of the training part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Tokens {
    pub train: usize,
}

/// Scores of one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// By the strict rule.
    pub strict: Scores,
}

/// What one reaches without a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floors {
    /// The most frequent tag of each word.
    pub most_frequent_tag: Floor,
    /// O everywhere.
    pub all_o: Floor,
}

/// Micro scores of a floor, and the F1 of each type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Floor {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub token_accuracy: f64,
    pub per_type: BTreeMap<String, f64>,
}

impl From<&Scores> for Floor {
    fn from(scores: &Scores) -> Self {
        let f1_of = |(label, prf): (&String, &eval::Prf)| (label.clone(), prf.f1);
        Self {
            precision: scores.micro.precision,
            recall: scores.micro.recall,
            f1: scores.micro.f1,
            token_accuracy: scores.token_accuracy,
            per_type: scores.per_type.iter().map(f1_of).collect(),
        }
    }
}

/// Time and speed of the training, without the scoring of dev.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Speed {
    pub seconds: f64,
    pub tokens_per_second: f64,
    pub epochs: usize,
    pub best_epoch: u32,
    pub threads: usize,
}

/// What the run was made on. Of these only the level of the kernels has a say in the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Vector instructions of the kernels; see `tensor::simd`.
    pub simd: String,
    /// Processor family.
    pub arch: String,
    /// Operating system.
    pub os: String,
    /// Cores that the system offers.
    pub cores: usize,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        Self {
            simd: tensor::simd::level().name().into(),
            arch: std::env::consts::ARCH.into(),
            os: std::env::consts::OS.into(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// Identity and size of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Weights {
    pub weights_sha256: String,
    pub parameters: usize,
    /// From which probability on entities are given; none where the best path is.
    #[serde(default)]
    pub threshold: Option<f64>,
}
