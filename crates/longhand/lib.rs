//! Longhand as a library: train a named-entity tagger, open one, tag text.
//!
//! ```
//! use longhand::{Config, Model};
//!
//! fn main() -> longhand::Result<()> {
//!     // Any file that `longhand train` reads: the Kaggle CSV, CoNLL columns, packed or not.
//!     let corpus = longhand::read("data/longhand.csv.gz")?;
//!     let config = Config::preset("fast")?.with(&[("epochs".into(), "2".into())])?;
//!     let model = Model::train(config, &corpus)?;
//!
//!     // Entities come with their places in the text and how likely they are.
//!     for e in model.tag("Mr. Lincoln told reporters in Houston on Monday.") {
//!         println!("{} is {}: {:?} at {}..{}", e.text, e.label, e.score, e.start, e.end);
//!     }
//!     model.save(std::env::temp_dir().join("ner.safetensors")) // and Model::open
//! }
//! ```
//!
//! [`Model`] is all that a program needs which tags text. The crates behind it are here under their own names:
//! [`data`] (files, schemes, tokens), [`train`] (configuration, the loop), [`eval`] (scores), [`report`] (tables,
//! pages), and below them [`nn`], [`optim`] and [`tensor`].

mod document;
mod model;

pub use data::{Corpus, Error, Result};
pub use document::Document;
pub use model::Model;
pub use report::Entity;
pub use train::Config;

pub use {data, eval, nn, optim, report, tensor, train};

/// The tagged sentences of a file; format, columns and encoding are found out.
///
/// # Errors
/// What is wrong with the file, where, and what to do.
pub fn read(path: impl AsRef<std::path::Path>) -> Result<Corpus> {
    data::read(path, &data::ReadOptions::default()).map(|(corpus, _)| corpus)
}
