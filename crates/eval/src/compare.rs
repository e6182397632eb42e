//! Two systems on the same sentences, side by side.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Bootstrap, Counts, Errors, Fate, Judged, Prf, paired_bootstrap};

/// What two systems make of the same sentences; the first of each pair is the first system's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Number of sentences.
    pub sentences: usize,
    /// Over all entities.
    pub micro: [Prf; 2],
    /// By entity type.
    pub per_type: BTreeMap<String, [Prf; 2]>,
    /// Kinds of mistakes.
    pub errors: [Errors; 2],
    /// Whether the difference of the micro F1 is chance.
    pub bootstrap: Bootstrap,
}

/// Compares two systems. None if their sentences differ: see [`first_difference`].
pub fn compare(a: &[Judged], b: &[Judged], resamples: usize, seed: u64) -> Option<Comparison> {
    if first_difference(a, b).is_some() {
        return None;
    }
    let counts: Vec<[Counts; 2]> = a.iter().zip(b).map(|(a, b)| [a.counts(), b.counts()]).collect();
    let systems = [a, b];
    let of_types = systems.map(by_type);
    let labels = of_types.iter().flat_map(BTreeMap::keys).cloned();
    let per_type = labels.map(|label| {
        let prf = |s: &BTreeMap<String, Counts>| s.get(&label).copied().unwrap_or_default().into();
        let both = [prf(&of_types[0]), prf(&of_types[1])];
        (label, both)
    });
    let micro = |s: usize| {
        let mut sum = Counts::default();
        counts.iter().for_each(|both| sum += both[s]);
        sum.into()
    };
    Some(Comparison {
        sentences: a.len(),
        micro: [micro(0), micro(1)],
        per_type: per_type.collect(),
        errors: systems.map(|sentences| {
            let mut errors = Errors::default();
            sentences.iter().flat_map(Judged::pairs).for_each(|pair| errors.add(pair.fate()));
            errors
        }),
        bootstrap: paired_bootstrap(&counts, resamples, seed),
    })
}

/// The first place at which the words or the gold entities of two systems differ; the end of the
/// shorter one if it is the beginning of the other.
pub fn first_difference(a: &[Judged], b: &[Judged]) -> Option<usize> {
    let same = |(a, b): (&Judged, &Judged)| {
        let span = |s: &Judged| {
            s.gold.iter().map(|m| (m.start, m.end, m.label.clone())).collect::<Vec<_>>()
        };
        a.words == b.words && span(a) == span(b)
    };
    let differs = a.iter().zip(b).position(|both| !same(both));
    differs.or_else(|| (a.len() != b.len()).then_some(a.len().min(b.len())))
}

/// The `n` sentences in which the second system makes most mistakes fewer than the first; of equal ones
/// the earlier.
pub fn most_gained(a: &[Judged], b: &[Judged], n: usize, longest: usize) -> Vec<usize> {
    let mistakes = |s: &Judged| s.pairs().filter(|pair| pair.fate() != Fate::Correct).count();
    let both = a.iter().zip(b).enumerate().filter(|(_, (a, _))| a.words.len() <= longest);
    let gain =
        |(i, (a, b)): (usize, (&Judged, &Judged))| (mistakes(b) as isize - mistakes(a) as isize, i);
    let mut gains: Vec<_> = both.map(gain).filter(|(gain, _)| *gain < 0).collect();
    gains.sort_unstable();
    gains.into_iter().take(n).map(|(_, i)| i).collect()
}

fn by_type(sentences: &[Judged]) -> BTreeMap<String, Counts> {
    let mut types: BTreeMap<String, Counts> = BTreeMap::new();
    for pair in sentences.iter().flat_map(Judged::pairs) {
        if let Some(gold) = pair.gold {
            types.entry(gold.label.clone()).or_default().gold += 1;
        }
        if let Some(predicted) = pair.predicted {
            let counts = types.entry(predicted.label.clone()).or_default();
            counts.found += 1;
            counts.correct += usize::from(pair.fate() == Fate::Correct);
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judged::tests::judged;

    #[test]
    fn both_systems_are_counted_by_type_and_by_mistake() {
        let a = [judged("a b", "B-x B-y", "B-x O", 0.5), judged("c", "B-x", "B-y", 0.5)];
        let b = [judged("a b", "B-x B-y", "B-x B-y", 0.5), judged("c", "B-x", "B-y", 0.5)];
        let c = compare(&a, &b, 50, 1).unwrap();
        assert_eq!(c.micro.map(|prf| (prf.gold, prf.found, prf.correct)), [(3, 2, 1), (3, 3, 2)]);
        assert_eq!(c.per_type["y"].map(|prf| prf.correct), [0, 1]);
        assert_eq!(c.errors.map(|errors| (errors.missed, errors.label)), [(1, 1), (0, 1)]);
        assert_eq!(most_gained(&a, &b, 9, 9), [0]);
        assert!(most_gained(&b, &a, 9, 9).is_empty());
    }

    #[test]
    fn other_sentences_are_not_compared() {
        let a = [judged("a b", "B-x O", "O O", 0.5), judged("c", "O", "O", 0.5)];
        let mut b = a.clone();
        assert_eq!(first_difference(&a, &b), None);
        b[1].words[0] = "d".into();
        assert_eq!(first_difference(&a, &b), Some(1));
        assert_eq!(first_difference(&a[..1], &a), Some(1));
        b[0] = judged("a b", "B-y O", "O O", 0.5);
        assert_eq!(first_difference(&a, &b), Some(0));
        assert!(compare(&a, &b, 5, 1).is_none());
    }
}
