//! The shapes of sentences: how long they are, in which case, with how many entities.

use serde::Serialize;

use super::{Finding, counted, percent, place};
use crate::corpus::Corpus;
use crate::error::Place;

/// A sentence longer than this is mostly several whose breaks are missing.
const LONG: usize = 200;
/// Bars of the histogram at most.
const BARS: usize = 16;
/// A sentence's case is told from this many words with letters that have a case.
const CASED_WORDS: usize = 3;

/// Sentences of `from` to `to` tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// Fewest tokens.
    pub from: usize,
    /// Most tokens.
    pub to: usize,
    /// How many sentences.
    pub count: usize,
}

/// Lengths of the sentences, in tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lengths {
    /// The shortest.
    pub shortest: usize,
    /// Half of the sentences are at most this long.
    pub median: usize,
    /// Nine of ten are at most this long.
    pub p90: usize,
    /// 99 of 100 are at most this long.
    pub p99: usize,
    /// The longest.
    pub longest: usize,
    /// Where the longest begins.
    pub longest_at: Option<Place>,
    /// Bars of equal width from 1 to the longest.
    pub histogram: Vec<Bar>,
}

impl Lengths {
    /// The lengths of all sentences.
    #[must_use]
    pub(super) fn of(corpus: &Corpus) -> Self {
        let mut lengths: Vec<usize> = corpus.sentences().map(|sentence| sentence.len()).collect();
        let Some(&longest) = lengths.iter().max() else { return Self::default() };
        let longest_at = lengths.iter().position(|&n| n == longest).expect("it is one of them");
        lengths.sort_unstable();
        let rank = |percent: usize| lengths[(percent * lengths.len()).div_ceil(100) - 1];
        Self {
            shortest: lengths[0],
            median: rank(50),
            p90: rank(90),
            p99: rank(99),
            longest,
            longest_at: Some(place(corpus, longest_at, 0)),
            histogram: histogram(&lengths),
        }
    }
}

/// Bars of 1, 2, 5, 10, 20, … tokens, the narrowest of which there are not too many.
fn histogram(sorted: &[usize]) -> Vec<Bar> {
    let longest = *sorted.last().expect("a sentence");
    let widths = (0..).flat_map(|power| [1, 2, 5].map(|step| step * 10_usize.pow(power)));
    let width = widths.into_iter().find(|width| longest.div_ceil(*width) <= BARS).expect("no end");
    let mut bars: Vec<Bar> = (0..longest.div_ceil(width))
        .map(|bar| Bar { from: bar * width + 1, to: (bar + 1) * width, count: 0 })
        .collect();
    for n in sorted.iter().filter(|&&n| n > 0) {
        bars[(n - 1) / width].count += 1;
    }
    bars
}

/// How many sentences are of an odd shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Sentences of one token.
    pub one_token: usize,
    /// Sentences without an entity.
    pub without_entity: usize,
    /// Sentences in capitals.
    pub all_upper: usize,
    /// Sentences without a capital.
    pub all_lower: usize,
}

impl Shape {
    pub(super) fn of(corpus: &Corpus) -> Self {
        let cases: Vec<(bool, bool)> = corpus.words.iter().map(case).collect();
        let outside = corpus.tags.get("O");
        let mut shape = Self::default();
        for sentence in corpus.sentences() {
            shape.one_token += usize::from(sentence.len() == 1);
            let tags = sentence.tag_ids();
            shape.without_entity += usize::from(tags.iter().all(|&tag| Some(tag) == outside));
            let (mut cased, mut upper, mut lower) = (0, false, false);
            for &word in sentence.word_ids() {
                let (has_upper, has_lower) = cases[word as usize];
                cased += usize::from(has_upper || has_lower);
                (upper, lower) = (upper || has_upper, lower || has_lower);
            }
            shape.all_upper += usize::from(cased >= CASED_WORDS && !lower);
            shape.all_lower += usize::from(cased >= CASED_WORDS && !upper);
        }
        shape
    }
}

/// Whether a word has capitals, and whether it has small letters.
fn case(word: &str) -> (bool, bool) {
    (word.chars().any(char::is_uppercase), word.chars().any(char::is_lowercase))
}

pub(super) fn findings(corpus: &Corpus) -> Vec<Finding> {
    let (shape, of) = (Shape::of(corpus), corpus.len());
    let mut findings = Vec::new();
    let long: Vec<_> = corpus.sentences().filter(|sentence| sentence.len() > LONG).collect();
    if let Some(first) = long.first() {
        let message =
            format!("{} of more than {LONG} tokens", counted(long.len(), "sentence", "sentences"));
        let finding = Finding::warn("W056", long.len(), message);
        findings.push(
            finding
                .at(place(corpus, first.number(), 0))
                .help("are sentence breaks missing? long sentences are slow to train on"),
        );
    }
    // One case among both is a matter of headlines; a fifth of the corpus is a matter of its source.
    let odd = shape.all_upper + shape.all_lower;
    if 5 * odd > of && odd < of {
        let message = format!(
            "{} in capitals, {} without a capital, of {}",
            counted(shape.all_upper, "sentence", "sentences"),
            shape.all_lower,
            percent(odd, of)
        );
        findings.push(
            Finding::warn("W057", odd, message)
                .help("`--lower` makes words alike; a cased model needs text in both cases"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_ranked_and_the_longest_has_its_place() {
        let sentences: Vec<String> = (1..=100).map(|n| vec!["w"; n].join(" ")).collect();
        let tags: Vec<String> = (1..=100).map(|n| vec!["O"; n].join(" ")).collect();
        let pairs: Vec<_> = sentences.iter().zip(&tags).map(|(s, t)| (&s[..], &t[..])).collect();
        let lengths = Lengths::of(&Corpus::from_pairs(&pairs));
        let Lengths { shortest, median, p90, p99, longest, .. } = lengths;
        assert_eq!([shortest, median, p90, p99, longest], [1, 50, 90, 99, 100]);
        assert_eq!(lengths.longest_at.unwrap().line, Some(100));
        assert_eq!(lengths.histogram[0], Bar { from: 1, to: 10, count: 10 });
        assert_eq!(lengths.histogram.iter().map(|bar| bar.count).sum::<usize>(), 100);
    }

    #[test]
    fn bars_are_few_whatever_the_longest() {
        for longest in [1, 16, 17, 104, 10_000] {
            let bars = histogram(&[longest]);
            assert!(bars.len() <= BARS && bars.last().unwrap().count == 1, "{bars:?}");
        }
    }

    #[test]
    fn case_is_told_by_words_with_letters_only() {
        let corpus = Corpus::from_pairs(&[
            ("STOCKS FALL IN 3 , NEW", "O O O O O O"),
            ("he went to rome", "O O O B-geo"),
            ("OK 1 2 3", "O O O O"),
            ("He went to Rome", "O O O B-geo"),
            ("1", "O"),
        ]);
        let shape = Shape::of(&corpus);
        let expected = Shape { one_token: 1, without_entity: 3, all_upper: 1, all_lower: 1 };
        assert_eq!(shape, expected);
        assert_eq!(findings(&corpus)[0].code, "W057");
    }

    #[test]
    fn a_corpus_in_one_case_throughout_is_no_mixture() {
        let corpus = Corpus::from_pairs(&[("he went to rome", "O O O B-geo")]);
        assert_eq!(findings(&corpus), []);
    }
}
