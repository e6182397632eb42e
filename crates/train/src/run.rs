//! A run's folder: what is written into it, when, and how it is resumed.
//!
//! ```text
//! model.safetensors   the best model so far                 after an epoch that is the best
//! config.toml         the resolved configuration            at the start
//! history.csv         one row an epoch                      after each epoch
//! metrics.jsonl       the same, one JSON object a line      after each epoch
//! checkpoint          all that a resumed run needs          after each epoch and when interrupted
//! members/1, 2, …     a folder like this one each           until the end, where `members` is not 1
//! without-dev/        a whole run, before dev is learned    first of all, with `refit`
//! unfinished/         a run that is to replace this one     with `--force`, until it is finished
//! check.json          what the data doctor found            at the end
//! predictions.jsonl.gz  every entity of dev and test        at the end
//! test.conll          token, gold, predicted                at the end
//! scores.json         scores, floors, speed, provenance     at the end; a run with it is finished
//! report.html         all of this for people                after that
//! ```
//!
//! Each file is written under a temporary name and renamed. Whose the folder is, and how a new run takes the place of an
//! old one, stands in `place`.

mod place;

use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use data::Result;

use crate::config::Config;
use crate::files::write_atomically;
use crate::model::file::{all_tensors, write};
use crate::model::{MetaOf, Model, Provenance};
use crate::summary::Summary;
use crate::trainer::{EpochRecord, Observer, Outcome, Trainer};

/// Every file that a run writes. The first says that it is finished, the last is what it is for.
pub const FILES: [&str; 10] = [
    "scores.json",
    "report.html",
    "predictions.jsonl.gz",
    "check.json",
    "checkpoint",
    "config.toml",
    "history.csv",
    "metrics.jsonl",
    "test.conll",
    "model.safetensors",
];

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The folder of the run that this one takes the place of when it is finished.
    replaces: Option<PathBuf>,
    /// What was asked for, of a folder that was claimed; others lie within one.
    claimed: Option<IfThere>,
    /// Set from [`RunFolder::begin`] on, and held where the system locks folders: two trainings do not write into one.
    lock: OnceLock<Option<File>>,
}

/// What to do with a folder that already holds a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfThere {
    /// Refuse.
    Refuse,
    /// Go on with an interrupted run.
    Resume,
    /// Write over it.
    Overwrite,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done.
    Finished,
    /// The observer stopped it; the checkpoint is written.
    Interrupted,
}

/// What is written when a run is finished.
pub struct LastFiles {
    /// What the data doctor found.
    pub check: serde_json::Value,
    /// Every entity of dev and test: [`crate::predictions::Writer`]'s bytes.
    pub predictions: Vec<u8>,
    /// Token, gold and predicted tag of the test part.
    pub test_conll: String,
    /// Scores, floors, speed, provenance.
    pub summary: Summary,
}

impl RunFolder {
    fn at(path: PathBuf) -> Self {
        Self { path, replaces: None, claimed: None, lock: OnceLock::new() }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The best model.
    pub fn model(&self) -> PathBuf {
        self.file("model.safetensors")
    }

    /// The run that `refit` learns the threshold from: one without dev's sentences.
    pub fn without_dev(&self) -> Self {
        Self::at(self.file("without-dev"))
    }

    /// Where the run is to be in the end, and what it takes the place of there.
    pub fn replaces(&self) -> Option<&Path> {
        self.replaces.as_deref()
    }

    /// Whether all is written.
    pub fn is_finished(&self) -> bool {
        self.file("scores.json").exists()
    }

    /// Whether there is something to resume.
    pub fn has_begun(&self) -> bool {
        self.checkpoint().exists() || self.members().exists()
    }

    /// The resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.file("config.toml")
    }

    fn members(&self) -> PathBuf {
        self.file("members")
    }

    fn checkpoint(&self) -> PathBuf {
        self.file("checkpoint")
    }

    /// Trains to the end of the run, or until the observer stops it.
    ///
    /// # Errors
    /// E011 if training diverged (the best model so far is kept), E012 if another training is at work there, E042 if a
    /// file cannot be written, E043 if the checkpoint does not fit.
    pub fn train(
        &self,
        trainer: &mut Trainer,
        provenance: &Provenance,
        if_there: IfThere,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        self.begin(trainer.config(), if_there)?;
        if trainer.config().members > 1 {
            return self.train_members(trainer, provenance, if_there, observer);
        }
        if if_there == IfThere::Resume {
            trainer.load_checkpoint(&self.checkpoint())?;
            observer.resumed(trainer.history());
        }
        while !trainer.is_done() {
            match trainer.epoch(observer)? {
                Outcome::Stopped => {
                    trainer.save_checkpoint(&self.checkpoint())?;
                    return Ok(Ending::Interrupted);
                }
                Outcome::Done(record) => {
                    if record.best {
                        trainer.save_model(provenance, &record, &self.model())?;
                    }
                    self.write_history(trainer.history())?;
                    trainer.save_checkpoint(&self.checkpoint())?;
                }
            }
        }
        Ok(Ending::Finished)
    }

    /// Trains each member by itself, with a seed of its own, and puts them together.
    fn train_members(
        &self,
        trainer: &mut Trainer,
        provenance: &Provenance,
        if_there: IfThere,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        let n = trainer.config().members;
        let (mut members, mut history) = (Vec::new(), Vec::new());
        for k in 0..n {
            let folder = Self::at(self.members().join((k + 1).to_string()));
            let seed = trainer.config().seed + k as u64;
            let config = Config { members: 1, seed, ..trainer.config().clone() };
            let mut member = Trainer::new(config, trainer.dataset_for_member())?;
            member.device = trainer.device.take();
            observer.member(k + 1, n);
            let begun = if_there == IfThere::Resume && folder.checkpoint().exists();
            let if_there = if begun { IfThere::Resume } else { IfThere::Overwrite };
            if folder.train(&mut member, provenance, if_there, observer)? == Ending::Interrupted {
                return Ok(Ending::Interrupted);
            }
            trainer.device = member.device.take();
            members.push(Model::load(&folder.model())?.tagger);
            history.extend_from_slice(member.history());
        }
        let last = history.last().expect("at least one epoch").clone();
        let dev = trainer.take_members(members, history);
        trainer.save_model(provenance, &EpochRecord { dev, ..last }, &self.model())?;
        self.write_history(trainer.history())?;
        Ok(Ending::Finished)
    }

    /// Writes the last files of a run and removes its checkpoint.
    ///
    /// # Errors
    /// E042 if a file cannot be written.
    pub fn finish(&self, last: &LastFiles) -> Result<()> {
        let text = |value: serde_json::Result<String>| value.expect("plain values") + "\n";
        let check = text(serde_json::to_string_pretty(&last.check));
        let scores = text(serde_json::to_string_pretty(&last.summary));
        write_atomically(&self.file("check.json"), check.as_bytes())?;
        write_atomically(&self.file("predictions.jsonl.gz"), &last.predictions)?;
        write_atomically(&self.file("test.conll"), last.test_conll.as_bytes())?;
        write_atomically(&self.file("scores.json"), scores.as_bytes())?;
        self.clear_progress();
        Ok(())
    }

    fn write_history(&self, history: &[EpochRecord]) -> Result<()> {
        write_atomically(&self.file("history.csv"), history_csv(history).as_bytes())?;
        let lines: Vec<String> = history
            .iter()
            .map(|r| serde_json::to_string(r).expect("plain values") + "\n")
            .collect();
        write_atomically(&self.file("metrics.jsonl"), lines.concat().as_bytes())
    }
}

fn history_csv(history: &[EpochRecord]) -> String {
    let mut csv = String::from(
        "epoch,loss,accuracy,dev_f1,dev_precision,dev_recall,dev_token_accuracy,\
         dev_padded_accuracy,learning_rate,tokens,seconds,tokens_per_second,best\n",
    );
    for r in history {
        let dev = |value: fn(&crate::trainer::DevScores) -> f64| {
            r.dev.as_ref().map_or(String::new(), |d| format!("{:.6}", value(d)))
        };
        let padded = r.dev.and_then(|d| d.padded_accuracy);
        let padded = padded.map_or(String::new(), |v| format!("{v:.6}"));
        let row = [
            r.epoch.to_string(),
            format!("{:.6}", r.loss),
            format!("{:.6}", r.accuracy),
            dev(|d| d.f1),
            dev(|d| d.precision),
            dev(|d| d.recall),
            dev(|d| d.token_accuracy),
            padded,
            format!("{:e}", r.learning_rate),
            r.tokens.to_string(),
            format!("{:.3}", r.seconds),
            format!("{:.0}", r.tokens_per_second),
            r.best.to_string(),
        ];
        writeln!(csv, "{}", row.join(",")).expect("a String takes all");
    }
    csv
}

impl Trainer {
    /// Writes the present weights as a model file; the weights are not copied for it.
    ///
    /// # Errors
    /// E042 if it cannot be written.
    pub fn save_model(
        &self,
        provenance: &Provenance,
        record: &EpochRecord,
        path: &Path,
    ) -> Result<()> {
        let provenance = made_by(provenance, record);
        let (config, weights) = (self.model_config(), all_tensors(self.best_guess()));
        let threshold = self.threshold(record.dev.as_ref());
        let meta = MetaOf::new(&config, self.dataset(), threshold, &provenance, &weights);
        let meta = serde_json::to_string(&meta).expect("plain values");
        write(path, weights, meta)
    }

    /// The configuration as a model has it.
    fn model_config(&self) -> Config {
        let mut config = Config { threads: 0, ..self.config().clone() };
        if let Some(vectors) = &self.dataset().code.vectors {
            config.vectors = vectors.file.clone(); // without its folder
        }
        config
    }

    /// The present weights as a model.
    pub fn model(&self, provenance: &Provenance, record: &EpochRecord) -> Model {
        Model {
            config: self.model_config(),
            code: self.dataset().code.clone(),
            tags: self.dataset().tags.clone(),
            scheme: self.dataset().scheme,
            pad_to: self.dataset().pad_to(),
            threshold: self.threshold(record.dev.as_ref()),
            tagger: self.best_guess().clone(),
            provenance: made_by(provenance, record),
        }
    }
}

/// Where the model of an epoch comes from.
fn made_by(provenance: &Provenance, record: &EpochRecord) -> Provenance {
    let dev_f1 = record.dev.map(|d| d.f1);
    Provenance { epoch: record.epoch, dev_f1, ..provenance.clone() }
}
