//! Real runs on the built-in corpus.

use data::{Corpus, ReadOptions, Scheme, Split};
use nn::Packing;
use nn::tagger::Input;
use train::lexicon::Lexicon;
use train::{Config, Dataset, EpochRecord, Observer, Trainer, trainer::Progress};

use crate::Result;

/// A run and what it reads.
pub struct Run {
    pub corpus: Corpus,
    pub trainer: Trainer,
}

/// A run of this preset with some keys set, before its first step.
pub fn start(preset: &str, keys: &[(&str, &str)]) -> Result<Run> {
    let flags: Vec<_> = keys.iter().map(|&(k, v)| (k.into(), v.into())).collect();
    let config = Config::resolve(Some(preset), None, &flags)?;
    let corpus = include_bytes!("../../../data/longhand.csv.gz");
    let (corpus, _) = data::read_bytes("<built-in>", corpus, &ReadOptions::default())?;
    let split = include_str!("../../../data/longhand.split");
    let split = Split::parse_index_file("<built-in>", split, corpus.len())?;
    let (dataset, _) = Dataset::new(&corpus, split, &config, Scheme::Iob2, false)?;
    Ok(Run { trainer: Trainer::new(config, dataset)?, corpus })
}

/// The same to its end.
pub fn trained(preset: &str, keys: &[(&str, &str)]) -> Result<Run> {
    let mut run = start(preset, keys)?;
    to_the_end(&mut run.trainer)?;
    Ok(run)
}

/// All steps that are left.
pub fn to_the_end(trainer: &mut Trainer) -> Result<()> {
    while !trainer.is_done() {
        trainer.epoch(&mut Watch { stops: false })?;
    }
    Ok(())
}

/// One step of a run.
pub fn step(trainer: &mut Trainer) -> Result<()> {
    trainer.epoch(&mut Watch { stops: true })?;
    Ok(())
}

/// Says nothing, and stops after each batch if it is to.
struct Watch {
    stops: bool,
}

impl Observer for Watch {
    fn batch(&mut self, _: &Progress) -> bool {
        self.stops
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

/// A sentence of words as the network reads it.
pub fn read(trainer: &Trainer, words: &[&str]) -> (Input, Packing) {
    let lexicon = Lexicon::new(words.iter().copied(), &trainer.dataset().code);
    let packing = Packing::new(vec![words.len()]);
    let numbers: Vec<u32> = (0..words.len() as u32).collect();
    let input = lexicon.input(&[&numbers], &packing, |_, _| false);
    (input, packing)
}

impl Run {
    /// The words of a sentence of the corpus.
    pub fn words(&self, sentence: u32) -> Vec<&str> {
        let sentence = self.corpus.sentence(sentence as usize);
        self.corpus.word_ids()[sentence.tokens()].iter().map(|&w| self.corpus.word_of(w)).collect()
    }
}
