//! Probabilities of entities, and what is won by asking for more of it.

use serde::{Deserialize, Serialize};

use crate::{Counts, Fate, Judged, Prf};

/// What one might ask of an entity's probability.
const CUTS: [f64; 7] = [0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99];

/// The probability of each predicted entity that has one, and whether the entity is right.
pub fn probabilities(sentences: &[Judged]) -> impl Iterator<Item = (f64, bool)> {
    sentences.iter().flat_map(Judged::pairs).filter_map(|pair| {
        let probability = pair.predicted?.probability?;
        Some((probability, pair.fate() == Fate::Correct))
    })
}

/// Scores of the entities that are at least so likely.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// The least probability that is kept.
    pub least: f64,
    /// Scores of what is left.
    #[serde(flatten)]
    pub prf: Prf,
}

/// What is won and lost by keeping only entities of at least some probability. Those without one are
/// always kept.
pub fn cuts(sentences: &[Judged]) -> Vec<Cut> {
    let gold: usize = sentences.iter().map(|sentence| sentence.gold.len()).sum();
    let cut = |least: f64| {
        let mut counts = Counts { gold, ..Counts::default() };
        for pair in sentences.iter().flat_map(Judged::pairs) {
            if pair.predicted.is_some_and(|p| p.probability.is_none_or(|p| p >= least)) {
                counts.found += 1;
                counts.correct += usize::from(pair.fate() == Fate::Correct);
            }
        }
        Cut { least, prf: counts.into() }
    };
    CUTS.map(cut).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judged::tests::judged;

    #[test]
    fn entities_without_a_probability_are_kept_by_every_cut() {
        let mut sentence = judged("a", "B-x", "B-x", 0.5);
        sentence.predicted[0].probability = None;
        assert_eq!(probabilities(std::slice::from_ref(&sentence)).count(), 0);
        assert!(cuts(&[sentence]).iter().all(|cut| cut.prf.f1 == 1.0));
    }

    #[test]
    fn a_higher_cut_drops_what_is_less_likely() {
        let sentences = [judged("a b", "B-x O", "B-x B-x", 0.6), judged("a", "B-x", "B-x", 0.96)];
        let found: Vec<_> = cuts(&sentences).iter().map(|c| (c.least, c.prf.found)).collect();
        assert_eq!(found, [(0.0, 3), (0.5, 3), (0.7, 1), (0.8, 1), (0.9, 1), (0.95, 1), (0.99, 0)]);
        let at_half = cuts(&sentences)[1].prf;
        assert_eq!((at_half.gold, at_half.correct), (2, 2));
    }
}
