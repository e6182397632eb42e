//! Where the mistakes are: which types are taken for which, borders or labels, names that training
//! had shown or not, short sentences or long ones.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Counts, Fate, Judged, Mention, Pair, Prf, Rule};

/// An anatomy of the mistakes of one prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The reading of tags that all of it rests on.
    pub rule: Rule,
    /// What became of the chunks.
    pub errors: Errors,
    /// Gold types against predicted types.
    pub confusion: Confusion,
    /// Scores by what training had shown of the chunk.
    pub novelty: Novelty,
    /// Scores by the number of tokens in the sentence.
    pub by_sentence_length: Vec<Bucket>,
    /// Scores by the number of tokens in the chunk.
    pub by_entity_length: Vec<Bucket>,
}

/// Chunks by what became of them.
///
/// Each gold chunk is paired with at most one predicted chunk that overlaps it, the same span
/// first, else the largest overlap. So gold chunks = `correct + label + boundary + both + missed`
/// and predicted chunks = `correct + label + boundary + both + spurious`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    /// Right span, right label.
    pub correct: usize,
    /// Right span, wrong label.
    pub label: usize,
    /// Overlapping span, right label.
    pub boundary: usize,
    /// Overlapping span, wrong label.
    pub both: usize,
    /// Gold chunks that no predicted chunk answers.
    pub missed: usize,
    /// Predicted chunks that answer no gold chunk.
    pub spurious: usize,
}

/// How often a gold chunk of one type was answered by a predicted chunk of another, borders aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// All types of either column, in byte order.
    pub labels: Vec<String>,
    /// `counts[gold][predicted]`, indexed as `labels`, with one more row and column at the end for
    /// "none": the last column counts missed chunks, the last row spurious ones.
    pub counts: Vec<Vec<usize>>,
}

/// Scores by what training had shown of a chunk's words. A chunk, gold or predicted, belongs to
/// exactly one of the three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Novelty {
    /// The same words stood as a chunk in training, under whatever label.
    pub seen: Prf,
    /// Training had every word, but never this chunk.
    pub new: Prf,
    /// At least one word does not occur in training at all.
    pub unknown_word: Prf,
}

/// Scores of what lies between two lengths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Least number of tokens.
    pub from: usize,
    /// Greatest number of tokens; none for the last bucket.
    pub to: Option<usize>,
    /// Scores of the chunks in this bucket.
    #[serde(flatten)]
    pub prf: Prf,
}

/// Largest length of each bucket but the last, which is open.
const SENTENCE_LENGTHS: [usize; 4] = [10, 20, 30, 40];
const ENTITY_LENGTHS: [usize; 3] = [1, 2, 3];

/// Takes a prediction apart. `rule` is the one that the sentences' entities were read by.
pub fn analyse(rule: Rule, sentences: &[Judged]) -> Analysis {
    let mut errors = Errors::default();
    let mut pairs_by_label: BTreeMap<(Option<String>, Option<String>), usize> = BTreeMap::new();
    let mut novelty = [Counts::default(); 3];
    let mut by_sentence = [Counts::default(); SENTENCE_LENGTHS.len() + 1];
    let mut by_entity = [Counts::default(); ENTITY_LENGTHS.len() + 1];

    for sentence in sentences {
        let length = bucket(&SENTENCE_LENGTHS, sentence.words.len());
        for pair in sentence.pairs() {
            errors.add(pair.fate());
            let label = |mention: Option<&Mention>| mention.map(|m| m.label.clone());
            *pairs_by_label.entry((label(pair.gold), label(pair.predicted))).or_default() += 1;
            tally(&mut by_sentence, pair, |_| length);
            tally(&mut by_entity, pair, |m| bucket(&ENTITY_LENGTHS, m.end - m.start));
            tally(&mut novelty, pair, |m| m.familiarity as usize);
        }
    }
    let [seen, new, unknown_word] = novelty.map(Prf::from);
    Analysis {
        rule,
        errors,
        confusion: Confusion::from_pairs(&pairs_by_label),
        novelty: Novelty { seen, new, unknown_word },
        by_sentence_length: buckets(&SENTENCE_LENGTHS, &by_sentence),
        by_entity_length: buckets(&ENTITY_LENGTHS, &by_entity),
    }
}

/// Counts both sides of a pair, each at its own place; equal entities have the same place.
fn tally(counts: &mut [Counts], pair: Pair, place: impl Fn(&Mention) -> usize) {
    if let Some(gold) = pair.gold {
        counts[place(gold)].gold += 1;
    }
    if let Some(predicted) = pair.predicted {
        counts[place(predicted)].found += 1;
        counts[place(predicted)].correct += usize::from(pair.fate() == Fate::Correct);
    }
}

fn bucket(ends: &[usize], length: usize) -> usize {
    ends.partition_point(|end| *end < length)
}

fn buckets(ends: &[usize], counts: &[Counts]) -> Vec<Bucket> {
    let from = std::iter::once(1).chain(ends.iter().map(|end| end + 1));
    let to = ends.iter().copied().map(Some).chain([None]);
    let edges = from.zip(to);
    edges.zip(counts).map(|((from, to), c)| Bucket { from, to, prf: (*c).into() }).collect()
}

impl Errors {
    /// One more pair with this fate.
    pub fn add(&mut self, fate: Fate) {
        *match fate {
            Fate::Correct => &mut self.correct,
            Fate::Label => &mut self.label,
            Fate::Boundary => &mut self.boundary,
            Fate::Both => &mut self.both,
            Fate::Missed => &mut self.missed,
            Fate::Spurious => &mut self.spurious,
        } += 1;
    }

    /// All but the correct ones.
    pub fn total(&self) -> usize {
        self.label + self.boundary + self.both + self.missed + self.spurious
    }
}

impl Confusion {
    fn from_pairs(pairs: &BTreeMap<(Option<String>, Option<String>), usize>) -> Self {
        let labels: BTreeSet<&String> =
            pairs.keys().flat_map(|(gold, predicted)| [gold, predicted]).flatten().collect();
        let labels: Vec<String> = labels.into_iter().cloned().collect();
        let counts = vec![vec![0; labels.len() + 1]; labels.len() + 1];
        let mut confusion = Self { labels, counts };
        for ((gold, predicted), count) in pairs {
            let [row, column] = [gold, predicted].map(|label| confusion.index(label.as_deref()));
            confusion.counts[row][column] = *count;
        }
        confusion
    }

    /// How often `gold` was answered by `predicted`; `None` stands for no chunk at all.
    ///
    /// # Panics
    ///
    /// If a label is not one of [`Confusion::labels`].
    pub fn count(&self, gold: Option<&str>, predicted: Option<&str>) -> usize {
        self.counts[self.index(gold)][self.index(predicted)]
    }

    fn index(&self, label: Option<&str>) -> usize {
        let Some(label) = label else { return self.labels.len() };
        let place = self.labels.binary_search_by(|known| known.as_str().cmp(label));
        place.unwrap_or_else(|_| panic!("\"{label}\" is none of {:?}", self.labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judged::tests::{IOB2, familiar, judged};
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_error_has_its_place() {
        let words = "Delhi New Delhi of Bank York Zorn Times";
        let gold = "B-geo B-geo I-geo O B-org O B-per O";
        let predicted = "B-geo O B-geo O B-per B-geo O O";
        let analysis = analyse(IOB2, &[judged(words, gold, predicted, 0.5)]);

        let expected =
            Errors { correct: 1, label: 1, boundary: 1, both: 0, missed: 1, spurious: 1 };
        assert_eq!(analysis.errors, expected);
        assert_eq!(analysis.confusion.labels, ["geo", "org", "per"]);
        assert_eq!(analysis.confusion.count(Some("geo"), Some("geo")), 2);
        assert_eq!(analysis.confusion.count(Some("org"), Some("per")), 1);
        assert_eq!(analysis.confusion.count(Some("per"), None), 1);
        assert_eq!(analysis.confusion.count(None, Some("geo")), 1);

        // Seen in training: Delhi, Bank. Never a chunk: New Delhi, York alone. Unknown: Zorn.
        let Novelty { seen, new, unknown_word } = analysis.novelty;
        assert_eq!((seen.gold, seen.found, seen.correct), (2, 3, 1));
        assert_eq!((new.gold, new.found, new.correct), (1, 1, 0));
        assert_eq!((unknown_word.gold, unknown_word.found), (1, 0));

        assert_eq!(analysis.by_sentence_length[0].prf.gold, 4);
        assert_eq!(
            analysis.by_entity_length[0].prf,
            Counts { gold: 3, found: 4, correct: 1 }.into()
        );
        assert_eq!(analysis.by_entity_length[1].prf.recall, 0.0);
    }

    #[test]
    fn buckets_meet_without_gap_or_overlap() {
        let of = |length| bucket(&SENTENCE_LENGTHS, length);
        assert_eq!([1, 10, 11, 40, 41, 104].map(of), [0, 0, 1, 3, 4, 4]);
        let edges: Vec<_> = buckets(&ENTITY_LENGTHS, &[Counts::default(); 4])
            .iter()
            .map(|bucket| (bucket.from, bucket.to))
            .collect();
        assert_eq!(edges, [(1, Some(1)), (2, Some(2)), (3, Some(3)), (4, None)]);
    }

    #[test]
    fn an_analysis_survives_json() {
        let analysis = analyse(IOB2, &[judged("Bank", "B-org", "O", 0.5)]);
        let json = serde_json::to_value(&analysis).unwrap();
        assert_eq!(json["by_entity_length"][0]["recall"], 0.0);
        assert_eq!(json["confusion"]["counts"][0][1], 1);
        assert_eq!(serde_json::from_value::<Analysis>(json).unwrap(), analysis);
    }

    fn row(length: usize) -> impl Strategy<Value = Vec<&'static str>> {
        const TAGS: &[&str] = &["O", "B-per", "I-per", "B-geo", "I-geo", "B-org"];
        proptest::collection::vec(proptest::sample::select(TAGS), length)
    }

    proptest! {
        #[test]
        fn every_view_adds_up_to_the_scores(
            (gold, predicted) in (1_usize..30).prop_flat_map(|n| (row(n), row(n)))
        ) {
            let words: Vec<String> = (0..gold.len()).map(|i| format!("w{}", i % 7)).collect();
            let sentence = Judged::new(IOB2, &familiar(), &words, &gold, &predicted, |_| None);
            let analysis = analyse(IOB2, &[sentence]);
            let micro = crate::score(IOB2, [(&gold[..], &predicted[..])]).micro;

            let e = analysis.errors;
            let paired = e.correct + e.label + e.boundary + e.both;
            prop_assert_eq!((paired + e.missed, paired + e.spurious), (micro.gold, micro.found));
            prop_assert_eq!(e.correct, micro.correct);

            let confused: usize = analysis.confusion.counts.iter().flatten().sum();
            prop_assert_eq!(confused, paired + e.missed + e.spurious);

            let Novelty { seen, new, unknown_word } = analysis.novelty;
            let bucketed = |buckets: &[Bucket]| buckets.iter().map(|b| b.prf).collect::<Vec<_>>();
            for parts in [
                vec![seen, new, unknown_word],
                bucketed(&analysis.by_sentence_length),
                bucketed(&analysis.by_entity_length),
            ] {
                let sum = |of: fn(&Prf) -> usize| parts.iter().map(of).sum::<usize>();
                prop_assert_eq!(sum(|p| p.gold), micro.gold);
                prop_assert_eq!(sum(|p| p.found), micro.found);
                prop_assert_eq!(sum(|p| p.correct), micro.correct);
            }
        }
    }
}
