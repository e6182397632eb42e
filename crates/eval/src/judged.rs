//! Sentences with the entities that they have and those that were found: what every analysis reads.

use serde::{Deserialize, Serialize};

use crate::pairing::pair;
use crate::{Chunk, Counts, Familiar, Familiarity, Rule, chunks};

/// An entity of a sentence, gold or predicted.
///
/// As JSON a list: `[start, end, type, familiarity]`, and its probability as a fifth where it has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Mention {
    /// First token.
    pub start: usize,
    /// One past the last token.
    pub end: usize,
    /// Entity type.
    pub label: String,
    /// What training had shown of its words.
    pub familiarity: Familiarity,
    /// How likely the model holds it, from 0 to 1; none for a gold entity and for models that do
    /// not tell.
    pub probability: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Row {
    Likely(usize, usize, String, Familiarity, f64),
    Plain(usize, usize, String, Familiarity),
}

impl From<Row> for Mention {
    fn from(row: Row) -> Self {
        let (start, end, label, familiarity, probability) = match row {
            Row::Likely(start, end, label, known, p) => (start, end, label, known, Some(p)),
            Row::Plain(start, end, label, known) => (start, end, label, known, None),
        };
        Self { start, end, label, familiarity, probability }
    }
}

impl From<Mention> for Row {
    fn from(m: Mention) -> Self {
        match m.probability {
            Some(p) => Row::Likely(m.start, m.end, m.label, m.familiarity, p),
            None => Row::Plain(m.start, m.end, m.label, m.familiarity),
        }
    }
}

impl Mention {
    fn chunk(&self) -> Chunk<'_> {
        Chunk { start: self.start, end: self.end, label: &self.label }
    }
}

/// A sentence with both of its taggings, as entities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The tokens.
    pub words: Vec<String>,
    /// The entities that it has, from left to right.
    pub gold: Vec<Mention>,
    /// The entities that were found, from left to right.
    pub predicted: Vec<Mention>,
}

/// What became of an entity. See [`Judged::pairs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Right span, right label.
    Correct,
    /// Right span, wrong label.
    Label,
    /// Overlapping span, right label.
    Boundary,
    /// Overlapping span, wrong label.
    Both,
    /// A gold entity that no predicted one answers.
    Missed,
    /// A predicted entity that answers no gold one.
    Spurious,
}

/// A gold entity with its answer; one of the two is missing where nothing overlaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair<'a> {
    /// The entity that is there.
    pub gold: Option<&'a Mention>,
    /// The one that was found.
    pub predicted: Option<&'a Mention>,
}

impl Pair<'_> {
    /// What became of the two.
    pub fn fate(&self) -> Fate {
        match (self.gold, self.predicted) {
            (Some(g), Some(p)) => {
                match ((g.start, g.end) == (p.start, p.end), g.label == p.label) {
                    (true, true) => Fate::Correct,
                    (true, false) => Fate::Label,
                    (false, true) => Fate::Boundary,
                    (false, false) => Fate::Both,
                }
            }
            (Some(_), None) => Fate::Missed,
            (None, _) => Fate::Spurious,
        }
    }
}

impl Judged {
    /// Reads the entities off a sentence's tags. `probability` is asked for each predicted one.
    ///
    /// # Panics
    ///
    /// If the words, gold tags and predicted tags differ in number.
    pub fn new<W, T>(
        rule: Rule,
        familiar: &Familiar,
        words: &[W],
        gold: &[T],
        predicted: &[T],
        probability: impl Fn(Chunk<'_>) -> Option<f64>,
    ) -> Self
    where
        W: AsRef<str>,
        T: AsRef<str>,
    {
        let lengths = [words.len(), gold.len(), predicted.len()];
        assert_eq!(lengths, [words.len(); 3], "words, gold tags, predicted tags");
        let mention = |chunk: Chunk<'_>, probability| Mention {
            start: chunk.start,
            end: chunk.end,
            label: chunk.label.to_owned(),
            familiarity: familiar.of(&words[chunk.start..chunk.end]),
            probability,
        };
        let found = |c| mention(c, probability(c));
        Self {
            words: words.iter().map(|word| word.as_ref().to_owned()).collect(),
            gold: chunks(rule, gold).into_iter().map(|c| mention(c, None)).collect(),
            predicted: chunks(rule, predicted).into_iter().map(found).collect(),
        }
    }

    /// Pairs each gold entity with at most one predicted entity that overlaps it, the same span first,
    /// else the largest overlap; then those that are left over.
    pub fn pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        let gold: Vec<Chunk> = self.gold.iter().map(Mention::chunk).collect();
        let predicted: Vec<Chunk> = self.predicted.iter().map(Mention::chunk).collect();
        pair(&gold, &predicted).into_iter().map(|(g, p)| Pair {
            gold: g.map(|i| &self.gold[i]),
            predicted: p.map(|j| &self.predicted[j]),
        })
    }

    /// Entities that are there, found, and right.
    pub fn counts(&self) -> Counts {
        let correct = self.pairs().filter(|pair| pair.fate() == Fate::Correct).count();
        Counts { gold: self.gold.len(), found: self.predicted.len(), correct }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use data::scheme::Scheme;

    pub(crate) const IOB2: Rule = Rule::Strict(Scheme::Iob2);

    pub(crate) fn familiar() -> Familiar {
        let words = ["New", "York", "of", "Delhi", "Bank", "Times"];
        let tags = ["B-geo", "I-geo", "O", "B-geo", "B-org", "O"];
        Familiar::fit(IOB2, [(&words[..], &tags[..])])
    }

    /// A sentence from rows of tags with blanks between; every predicted entity has this probability.
    pub(crate) fn judged(words: &str, gold: &str, predicted: &str, probability: f64) -> Judged {
        let [words, gold, predicted] =
            [words, gold, predicted].map(|row| row.split(' ').collect::<Vec<_>>());
        Judged::new(IOB2, &familiar(), &words, &gold, &predicted, |_| Some(probability))
    }

    #[test]
    fn each_pair_has_its_fate() {
        let sentence = judged("a b c d e", "B-geo O B-org O B-per", "B-geo B-per B-per O O", 0.5);
        let fates: Vec<Fate> = sentence.pairs().map(|pair| pair.fate()).collect();
        assert_eq!(fates, [Fate::Correct, Fate::Label, Fate::Missed, Fate::Spurious]);
        assert_eq!(sentence.counts(), Counts { gold: 3, found: 3, correct: 1 });
        let sentence = judged("a b c d", "B-geo I-geo B-org I-org", "B-geo O B-per O", 0.5);
        let fates: Vec<Fate> = sentence.pairs().map(|pair| pair.fate()).collect();
        assert_eq!(fates, [Fate::Boundary, Fate::Both]);
    }

    #[test]
    fn json_is_short_and_read_back() {
        let sentence = judged("Delhi Zorn", "B-geo O", "O B-per", 0.25);
        let json = serde_json::to_string(&sentence).unwrap();
        let expected = "{\"words\":[\"Delhi\",\"Zorn\"],\"gold\":[[0,1,\"geo\",\"seen\"]],\
                        \"predicted\":[[1,2,\"per\",\"unknown_word\",0.25]]}";
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Judged>(&json).unwrap(), sentence);
    }
}
