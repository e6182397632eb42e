//! From a corpus to a trained model, and from a model to tags.
//!
//! ```text
//! corpus ── dataset ──► ids ── batch ──► shards ── trainer ──► model ── model ──► file
//!           vocabulary         packed              loop         │
//!                                                               └── tagging ──► tags, entities
//! ```
//!
//! A run is fixed by its data, its [`Config`] and the kernel level of the processor (`tensor::simd`): the
//! number of threads, an interruption and the machine's clock change no bit of the model.

pub mod affixes;
pub mod batch;
mod checkpoint;
pub mod codes;
pub mod config;
pub mod dataset;
pub mod device;
pub mod doubts;
pub mod entities;
pub mod explain;
pub mod files;
#[cfg(any(feature = "cuda", feature = "cuda-shim"))]
pub mod gpu;
pub mod lexicon;
pub mod model;
pub mod predictions;
pub mod record;
pub mod results;
pub mod run;
pub mod search;
pub mod summary;
pub mod tagging;
pub mod trainer;
pub mod vectors;

pub use config::Config;
pub use dataset::Dataset;
pub use model::{DataFile, Model, Provenance};
pub use predictions::Predictions;
pub use record::Record;
pub use run::{Ending, IfThere, LastFiles, RunFolder};
pub use summary::Summary;
pub use trainer::{EpochRecord, Observer, Outcome, Trainer};
