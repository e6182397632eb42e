//! A model file as one opens, uses and makes it from another program.

use std::path::Path;

use data::{Corpus, Error, Result, Split};
use rayon::prelude::*;
use report::Entity;
use train::tagging::Ready;
use train::trainer::{EpochRecord, Progress};
use train::{Config, Dataset, IfThere, Observer, Provenance, RunFolder, Trainer};

use crate::Document;

/// A trained tagger. Opening costs milliseconds, a sentence microseconds; it may be shared among threads.
#[derive(Clone, Debug)]
pub struct Model {
    ready: Ready,
}

impl Model {
    /// Opens a file that `longhand train` or [`Model::save`] wrote.
    ///
    /// # Errors
    /// E021 if it cannot be read, E013 if it is no model.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(train::Model::load(path.as_ref())?.into())
    }

    /// Trains on a corpus, split by the configuration's shares, and keeps what its `keep` says; with `refit`, once
    /// more on train and dev. The same corpus and configuration give the same model, bit for bit, as `longhand train`.
    ///
    /// # Errors
    /// E041 for a value of the configuration that does not fit, or `refit` without a dev part, E005 for illegal tags, E009
    /// for a corpus without entities, E011 if training diverges, E042 if there is no room for the run in the system's
    /// temporary folder.
    pub fn train(config: Config, corpus: &Corpus) -> Result<Self> {
        config.validate()?;
        let scheme = data::scheme::detect(corpus)?;
        if let Some(error) = data::scheme::validate(corpus, scheme).to_error(corpus, scheme) {
            return Err(error);
        }
        let shares = config.shares()?;
        let split = Split::by_fractions(corpus, shares, config.seed, config.keep_duplicates)?;
        let (dataset, _) = Dataset::new(corpus, split, &config, scheme, true)?;
        if !config.refit {
            return Self::train_on(config, corpus, dataset);
        }
        let split = dataset.learning_dev()?;
        let first = Config { refit: false, ..config.clone() };
        let first = Self::train_on(first, corpus, dataset)?;
        let threshold = first.ready.model().gives_from().unwrap_or(config.threshold);
        let config = Config { threshold, dev_from_train: 0.0, ..config };
        let (dataset, _) = Dataset::new(corpus, split, &config, scheme, true)?;
        Self::train_on(config, corpus, dataset)
    }

    /// One training, on these parts.
    fn train_on(config: Config, corpus: &Corpus, dataset: Dataset) -> Result<Self> {
        let made = format!("{} (seed {})", config.split, config.seed);
        let provenance = Provenance::of(corpus, &dataset, made);
        let mut trainer = Trainer::new(config, dataset)?;
        let cannot = |e| Error::new("E042", format!("cannot make a temporary folder: {e}"));
        let folder = tempfile::tempdir().map_err(cannot)?;
        let run = RunFolder::claim(folder.path(), IfThere::Overwrite)?;
        run.train(&mut trainer, &provenance, IfThere::Overwrite, &mut Nobody)?;
        Self::open(run.model())
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// E042 if it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.ready.model().save(path.as_ref())
    }

    /// The entities of a text, from left to right, with their places and probabilities. On this thread.
    pub fn tag(&self, text: &str) -> Vec<Entity> {
        self.tag_document(&Document::for_model(text, self.ready.model()))
    }

    /// The entities of each text, on all of rayon's threads. A text's entities do not depend on the others.
    pub fn tag_all<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Vec<Vec<Entity>> {
        texts.par_iter().map(|text| self.tag(text.as_ref())).collect()
    }

    /// The entities of a text that is cut already. On this thread.
    pub fn tag_document(&self, document: &Document<'_>) -> Vec<Entity> {
        let sentences: Vec<Vec<&str>> = document.words().collect();
        let tagged = self.ready.tag(&sentences, true);
        document.entities(self.ready.model(), &tagged, true)
    }

    /// The entity types that it knows.
    pub fn labels(&self) -> &[String] {
        self.ready.model().tags.types()
    }

    /// The model as `train` has it, ready to tag.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }
}

impl From<train::Model> for Model {
    fn from(model: train::Model) -> Self {
        Self { ready: Ready::new(model) }
    }
}

/// An observer that looks away.
struct Nobody;

impl Observer for Nobody {
    fn batch(&mut self, _: &Progress) -> bool {
        false
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}
