//! Counts to precision, recall and F1.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{Chunk, Rule, conlleval, seqeval, strict};

/// Chunks counted: in the gold column, in the predicted one, and in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Chunks that are there to be found.
    pub gold: usize,
    /// Chunks that were predicted.
    pub found: usize,
    /// Predicted chunks whose start, end and label are those of a gold chunk.
    pub correct: usize,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.gold += other.gold;
        self.found += other.found;
        self.correct += other.correct;
    }
}

/// Counts by entity type.
#[derive(Default)]
pub(crate) struct PerType(BTreeMap<String, Counts>);

impl PerType {
    pub(crate) fn of(&mut self, label: &str) -> &mut Counts {
        if !self.0.contains_key(label) {
            self.0.insert(label.to_owned(), Counts::default());
        }
        self.0.get_mut(label).expect("just put there")
    }

    fn compare(&mut self, gold: &[Chunk], predicted: &[Chunk]) {
        let known: HashSet<&Chunk> = gold.iter().collect();
        for chunk in gold {
            self.of(chunk.label).gold += 1;
        }
        for chunk in predicted {
            let counts = self.of(chunk.label);
            counts.found += 1;
            counts.correct += usize::from(known.contains(chunk));
        }
    }
}

/// Precision, recall and F1, each from 0 to 1, with the counts they come from. 0/0 is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prf {
    /// Share of the predicted chunks that are right: correct / found.
    pub precision: f64,
    /// Share of the gold chunks that were found: correct / gold.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// See [`Counts::gold`]; other programs call it the support.
    pub gold: usize,
    /// See [`Counts::found`].
    pub found: usize,
    /// See [`Counts::correct`].
    pub correct: usize,
}

impl From<Counts> for Prf {
    fn from(Counts { gold, found, correct }: Counts) -> Self {
        let precision = ratio(correct as f64, found as f64);
        let recall = ratio(correct as f64, gold as f64);
        let f1 = ratio(2.0 * precision * recall, precision + recall);
        Self { precision, recall, f1, gold, found, correct }
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// Unweighted means over entity types: a type of 50 chunks weighs as much as one of 5,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Macro {
    /// Mean of the types' precisions.
    pub precision: f64,
    /// Mean of the types' recalls.
    pub recall: f64,
    /// Mean of the types' F1 (not the F1 of the two means).
    pub f1: f64,
}

impl Macro {
    fn over(types: &BTreeMap<String, Prf>) -> Self {
        let mean = |of: fn(&Prf) -> f64| ratio(types.values().map(of).sum(), types.len() as f64);
        Self { precision: mean(|p| p.precision), recall: mean(|p| p.recall), f1: mean(|p| p.f1) }
    }
}

/// All scores of one prediction under one rule.
///
/// As JSON: `{"rule":"strict iob2","micro":{…},"macro":{…},"per_type":{"geo":{…},…},
/// "token_accuracy":…,"tokens":…,"sentences":…}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The reading of tags that the figures rest on.
    pub rule: Rule,
    /// Over all chunks alike: the figure that papers call F1.
    pub micro: Prf,
    /// Over all types alike; types that stand in neither column have no part in it.
    #[serde(rename = "macro")]
    pub macro_mean: Macro,
    /// By entity type, for every type that the gold or the predicted column has a chunk of.
    pub per_type: BTreeMap<String, Prf>,
    /// Share of tokens whose tag is right, `O` included: high for a tagger that finds nothing.
    pub token_accuracy: f64,
    /// Tokens compared.
    pub tokens: usize,
    /// Sentences compared.
    pub sentences: usize,
}

/// Takes sentences one at a time, for callers that do not hold them all.
pub struct Scorer {
    rule: Rule,
    gold: seqeval::Reader,
    predicted: seqeval::Reader,
    conlleval: conlleval::Matcher,
    per_type: PerType,
    right: usize,
    tokens: usize,
    sentences: usize,
}

impl Scorer {
    /// A scorer that has seen nothing yet.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            gold: seqeval::Reader::default(),
            predicted: seqeval::Reader::default(),
            conlleval: conlleval::Matcher::default(),
            per_type: PerType::default(),
            right: 0,
            tokens: 0,
            sentences: 0,
        }
    }

    /// Compares the two taggings of one sentence.
    ///
    /// # Panics
    ///
    /// If the sentence has another number of predicted tags than of gold ones.
    pub fn add<G: AsRef<str>, P: AsRef<str>>(&mut self, gold: &[G], predicted: &[P]) {
        assert_eq!(
            gold.len(),
            predicted.len(),
            "sentence {} has {} gold tags and {} predicted ones",
            self.sentences,
            gold.len(),
            predicted.len()
        );
        self.sentences += 1;
        self.tokens += gold.len();
        let equal = || gold.iter().zip(predicted).filter(|(g, p)| g.as_ref() == p.as_ref()).count();
        self.right += match self.rule {
            Rule::Strict(scheme) => {
                let [g, p] = [strict::chunks(scheme, gold), strict::chunks(scheme, predicted)];
                self.per_type.compare(&g, &p);
                equal()
            }
            Rule::Seqeval => {
                let [g, p] = [self.gold.sentence(gold), self.predicted.sentence(predicted)];
                self.per_type.compare(&g, &p);
                equal()
            }
            Rule::Conlleval => self.conlleval.sentence(gold, predicted, &mut self.per_type),
        };
    }

    /// The scores of all sentences added.
    pub fn finish(mut self) -> Scores {
        self.conlleval.finish(&mut self.per_type);
        let mut all = Counts::default();
        self.per_type.0.values().for_each(|counts| all += *counts);
        // conlleval can count a chunk as correct under a label that neither column has.
        let in_a_column = |(_, counts): &(String, Counts)| counts.gold + counts.found > 0;
        let per_type = self.per_type.0.into_iter().filter(in_a_column);
        let per_type: BTreeMap<String, Prf> =
            per_type.map(|(label, c)| (label, c.into())).collect();
        Scores {
            rule: self.rule,
            micro: all.into(),
            macro_mean: Macro::over(&per_type),
            per_type,
            token_accuracy: ratio(self.right as f64, self.tokens as f64),
            tokens: self.tokens,
            sentences: self.sentences,
        }
    }
}

/// Scores predicted tags against gold ones, sentence by sentence: `(gold, predicted)`.
///
/// ```
/// use eval::{Rule, score};
///
/// let gold = ["B-per", "I-per", "O", "B-geo"];
/// let predicted = ["B-per", "I-per", "O", "O"];
/// let scores = score(Rule::Conlleval, [(&gold[..], &predicted[..])]);
/// assert_eq!((scores.micro.precision, scores.micro.recall), (1.0, 0.5));
/// assert_eq!(scores.macro_mean.f1, 0.5);
/// assert_eq!(scores.token_accuracy, 0.75);
/// ```
///
/// # Panics
///
/// If a sentence has another number of predicted tags than of gold ones.
pub fn score<'a, G, P>(
    rule: Rule,
    sentences: impl IntoIterator<Item = (&'a [G], &'a [P])>,
) -> Scores
where
    G: AsRef<str> + 'a,
    P: AsRef<str> + 'a,
{
    let mut scorer = Scorer::new(rule);
    for (gold, predicted) in sentences {
        scorer.add(gold, predicted);
    }
    scorer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores(rule: Rule, gold: &[&str], predicted: &[&str]) -> Scores {
        score(rule, [(gold, predicted)])
    }

    #[test]
    fn nothing_to_find_and_nothing_found_is_zero_and_not_a_nan() {
        for rule in [Rule::Seqeval, Rule::Conlleval] {
            let empty = score::<&str, &str>(rule, []);
            assert_eq!(empty.micro, Prf::default());
            assert_eq!(empty.macro_mean, Macro::default());
            assert_eq!(empty.token_accuracy, 0.0);
            assert_eq!(scores(rule, &["O"], &["O"]).micro.f1, 0.0);
        }
    }

    #[test]
    fn a_type_that_only_the_prediction_has_counts_in_the_macro_mean() {
        let scores = scores(Rule::Seqeval, &["B-per", "O"], &["B-per", "B-geo"]);
        assert_eq!(scores.per_type["geo"], Counts { gold: 0, found: 1, correct: 0 }.into());
        assert_eq!(scores.macro_mean.f1, 0.5);
        assert_eq!(scores.micro.precision, 0.5);
        assert_eq!(scores.micro.recall, 1.0);
    }

    #[test]
    fn json_nests_as_scores_json_wants_it_and_is_read_back() {
        let scores = scores(Rule::Conlleval, &["B-geo", "O"], &["B-geo", "O"]);
        let json = serde_json::to_value(&scores).unwrap();
        assert_eq!(json["rule"], "conlleval");
        assert_eq!(json["micro"]["precision"], 1.0);
        assert_eq!(json["macro"]["f1"], 1.0);
        assert_eq!(json["per_type"]["geo"]["f1"], 1.0);
        assert_eq!(json["token_accuracy"], 1.0);
        assert_eq!((&json["tokens"], &json["sentences"]), (&2.into(), &1.into()));
        assert_eq!(serde_json::from_value::<Scores>(json).unwrap(), scores);
    }

    #[test]
    #[should_panic(expected = "sentence 0 has 2 gold tags and 1 predicted ones")]
    fn a_missing_tag_is_named() {
        scores(Rule::Seqeval, &["O", "O"], &["O"]);
    }

    fn bio_row(length: usize) -> impl Strategy<Value = Vec<&'static str>> {
        const TAGS: &[&str] = &["O", "B-per", "I-per", "B-geo", "I-geo"];
        proptest::collection::vec(proptest::sample::select(TAGS), length)
    }

    proptest! {
        #[test]
        fn conllevals_walk_counts_what_comparing_its_chunks_counts(
            (gold, predicted) in (0_usize..12).prop_flat_map(|n| (bio_row(n), bio_row(n)))
        ) {
            let mut compared = PerType::default();
            compared.compare(&conlleval::chunks(&gold), &conlleval::chunks(&predicted));
            let mut walked = PerType::default();
            let mut matcher = conlleval::Matcher::default();
            matcher.sentence(&gold, &predicted, &mut walked);
            matcher.finish(&mut walked);
            prop_assert_eq!(walked.0, compared.0);
        }

        #[test]
        fn a_prediction_equal_to_gold_is_all_right(gold in (0_usize..12).prop_flat_map(bio_row)) {
            for rule in ["strict", "strict iob1", "seqeval", "conlleval"] {
                let scores = scores(rule.parse().unwrap(), &gold, &gold);
                let Prf { gold, found, correct, .. } = scores.micro;
                prop_assert_eq!((gold, found), (correct, correct), "{}", rule);
            }
        }
    }
}
