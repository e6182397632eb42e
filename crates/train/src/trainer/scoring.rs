//! What the present weights make of sentences, and how dev is scored after an epoch.

use eval::{Rule, Scorer, Scores};
use rayon::prelude::*;

use super::Trainer;
use super::history::{DevScores, UNTRIED_THRESHOLD};
use crate::config::Decode;
use crate::dataset::{Dataset, outside};
use crate::entities::{Entity, Reading, best_apart};
use crate::tagging::{self, Decoder, Padding};

/// No threshold is lower than this: what is less likely is not even looked at.
const LOWEST_THRESHOLD: f64 = 0.1;

/// Thresholds that are tried, besides the lowest.
const BETWEEN: u32 = 4;

impl Trainer {
    /// Padding of this run, if it has any.
    pub fn padding(&self) -> Option<Padding> {
        let word = self.dataset.pad_word();
        self.dataset.pad_to().map(|length| Padding { length, word })
    }

    /// Tag ids of these sentences under the present weights.
    pub fn predict(&self, sentences: &[u32]) -> Vec<Vec<u32>> {
        let words: Vec<&[u32]> = sentences.iter().map(|&i| self.dataset.words(i)).collect();
        tagging::tag(self.decoder(self.padding()), &self.dataset.lexicon, &words)
    }

    fn decoder(&self, padding: Option<Padding>) -> Decoder<'_> {
        let (tagger, tags) = (self.best_guess(), &self.dataset.tags);
        let dev = self.history.last().and_then(|record| record.dev);
        let threshold = self.threshold(dev.as_ref());
        Decoder { tagger, tags, decode: self.config.decode, threshold, padding }
    }

    /// From which probability on the model of an epoch gives the likely entities.
    pub(crate) fn threshold(&self, dev: Option<&DevScores>) -> f64 {
        match self.config.threshold {
            0.0 => dev.map_or(UNTRIED_THRESHOLD, |dev| dev.threshold),
            given => given,
        }
    }

    pub(super) fn score_dev(&self) -> Option<DevScores> {
        let dev = &self.dataset.split.dev;
        if dev.is_empty() {
            return None;
        }
        let (scores, threshold) = match self.config.decode {
            Decode::Best => (score(&self.dataset, dev, &self.predict(dev)), UNTRIED_THRESHOLD),
            Decode::Likely => self.score_likely(dev),
        };
        Some(DevScores {
            precision: scores.micro.precision,
            recall: scores.micro.recall,
            f1: scores.micro.f1,
            token_accuracy: scores.token_accuracy,
            padded_accuracy: self.padded_accuracy(),
            threshold,
        })
    }

    /// Scores of the likely entities under the threshold that suits them, and that threshold.
    ///
    /// Where probabilities are what they say, giving one more entity of probability p is worth it, in terms of F1, if p >
    /// F1 / 2 (Lipton, Elkan and Naryanaswamy 2014, "Optimal thresholding of classifiers to maximize F1 measure").
    /// They are not quite: so the best of a few thresholds from there, or from [`UNTRIED_THRESHOLD`] if that is lower, to
    /// ½ is taken; of equal ones the lowest. One that the configuration gives is not asked about.
    fn score_likely(&self, dev: &[u32]) -> (Scores, f64) {
        let words: Vec<&[u32]> = dev.iter().map(|&i| self.dataset.words(i)).collect();
        let decoder = self.decoder(self.padding());
        let lexicon = &self.dataset.lexicon;
        let given = Some(self.config.threshold).filter(|&threshold| threshold > 0.0);
        let lowest = given.unwrap_or(LOWEST_THRESHOLD);
        let candidates = tagging::likelier(decoder, lexicon, &words, lowest);
        let reading = Reading::new(&self.dataset.tags, self.tagger.spec.rules.is_some());
        let scores = |threshold: f64| {
            let tags = |(candidates, words): (&Vec<Entity>, &&[u32])| {
                reading.written(&best_apart(candidates, words.len(), threshold), words.len())
            };
            let predicted: Vec<Vec<u32>> = candidates.par_iter().zip(&words).map(tags).collect();
            score(&self.dataset, dev, &predicted)
        };
        if let Some(threshold) = given {
            return (scores(threshold), threshold);
        }
        let least = UNTRIED_THRESHOLD.min(scores(UNTRIED_THRESHOLD).micro.f1 / 2.0);
        let between = |k: u32| {
            let threshold = least + (0.5 - least) * f64::from(k) / f64::from(BETWEEN);
            // Three decimals: more would not be seen in the result.
            ((1e3 * threshold).round() / 1e3).max(LOWEST_THRESHOLD)
        };
        let tried = (0..=BETWEEN).map(between).map(|threshold| (scores(threshold), threshold));
        let better =
            |best: (Scores, f64), next: (Scores, f64)| match next.0.micro.f1 > best.0.micro.f1 {
                true => next,
                false => best,
            };
        tried.reduce(better).expect("at least one threshold")
    }

    /// Accuracy on dev with padding counted, as Keras counts it.
    fn padded_accuracy(&self) -> Option<f64> {
        let padding = self.padding()?;
        let dev = &self.dataset.split.dev;
        let full: Vec<_> = dev.iter().map(|&i| self.dataset.positions_of(i)).collect();
        let full: Vec<&[u32]> = full.iter().map(|w| &w[..]).collect();
        let predicted = tagging::tag(self.decoder(None), &self.dataset.lexicon, &full);
        let right = dev.iter().zip(&predicted).map(|(&i, tags)| {
            tags.iter().enumerate().filter(|&(t, &tag)| tag == self.dataset.tag(i, t)).count()
        });
        Some(right.sum::<usize>() as f64 / (dev.len() * padding.length) as f64)
    }
}

/// Strict scores of predicted tag ids against the gold tags, both in the scheme of the data.
pub fn score(dataset: &Dataset, sentences: &[u32], predicted: &[Vec<u32>]) -> Scores {
    let mut scorer = Scorer::new(Rule::Strict(dataset.scheme));
    for (&i, predicted) in sentences.iter().zip(predicted) {
        let predicted = outside(&dataset.tags, dataset.scheme, predicted);
        scorer.add(&dataset.gold_tags(i), &predicted);
    }
    scorer.finish()
}
