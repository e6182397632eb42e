//! Which affixes and shapes the training part showed often enough to have a row of a table.
//!
//! The tables are hashed: affixes share rows by chance (Weinberger et al. 2009, "Feature hashing"). Among those of the
//! training part that does little harm, since the row learns from all of them. But an affix that training did not show
//! would read a row that only others have trained: what they say is noise, and new words, for which affixes are there,
//! have most of it. So all that were seen fewer than `min-count` times read one row of their own, the last. It learns
//! from those that were seen, but too seldom, what an affix is worth that nobody knows, as the word row `<unk>` does.

use std::collections::HashMap;

use data::Corpus;
use data::features::{Form, OWN};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The known ones of each table, in the order of [`OWN`].
#[derive(Clone, Debug, PartialEq)]
pub struct KnownAffixes {
    tables: Vec<Fingerprints>,
}

impl KnownAffixes {
    /// Those that the tokens of `sentences` show `min_count` times or more.
    pub fn of(corpus: &Corpus, sentences: &[u32], min_count: u64) -> Self {
        let mut seen: [HashMap<u32, u64>; OWN.len()] = Default::default();
        let counted = corpus.words.iter().zip(corpus.word_counts(sentences));
        for (word, count) in counted.filter(|(_, count)| *count > 0) {
            for (seen, hash) in seen.iter_mut().zip(Form::of(word).own) {
                *seen.entry(fingerprint(hash)).or_default() += count;
            }
        }
        let known = |seen: HashMap<u32, u64>| {
            let enough = seen.into_iter().filter(|(_, count)| *count >= min_count);
            Fingerprints::new(enough.map(|(f, _)| f).collect())
        };
        Self { tables: seen.into_iter().map(known).collect() }
    }

    /// Whether the affix of table `k` with this hash is known.
    pub fn knows(&self, k: usize, hash: u64) -> bool {
        self.tables[k].contains(fingerprint(hash))
    }
}

/// Half of a hash: in a table of 40,000, one in 100,000 unknown affixes passes for known.
fn fingerprint(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A set of numbers that are spread evenly.
#[derive(Clone, Debug, PartialEq)]
struct Fingerprints {
    /// In ascending order.
    all: Vec<u32>,
    /// (n + 1) where in `all` each of n equal parts of the numbers' range begins: about one is in each.
    starts: Vec<u32>,
}

impl Fingerprints {
    fn new(mut all: Vec<u32>) -> Self {
        all.sort_unstable();
        all.dedup();
        let parts = all.len();
        let mut starts = vec![0; parts + 1];
        for &f in &all {
            starts[part(f, parts) + 1] += 1;
        }
        for b in 0..parts {
            starts[b + 1] += starts[b];
        }
        Self { all, starts }
    }

    fn contains(&self, f: u32) -> bool {
        let parts = self.all.len();
        if parts == 0 {
            return false;
        }
        let b = part(f, parts);
        self.all[self.starts[b] as usize..self.starts[b + 1] as usize].contains(&f)
    }
}

/// Which of `parts` equal parts of the range of numbers `f` is in.
fn part(f: u32, parts: usize) -> usize {
    ((u64::from(f) * parts as u64) >> 32) as usize
}

/// A text for each table: its fingerprints in ascending order, eight hexadecimal digits each.
impl Serialize for KnownAffixes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |table: &Fingerprints| table.all.iter().map(|f| format!("{f:08x}")).collect();
        serializer.collect_seq(self.tables.iter().map(text as fn(&Fingerprints) -> String))
    }
}

impl<'de> Deserialize<'de> for KnownAffixes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        if texts.len() != OWN.len() {
            let message = format!("affixes: {} tables, not {}", texts.len(), OWN.len());
            return Err(D::Error::custom(message));
        }
        let table = |text: &String| {
            let digits = text.as_bytes().chunks(8);
            let read =
                |d| std::str::from_utf8(d).ok().and_then(|d| u32::from_str_radix(d, 16).ok());
            let all: Option<Vec<u32>> = digits.map(read).collect();
            let whole = text.len().is_multiple_of(8);
            let all =
                all.filter(|_| whole).ok_or("affixes: not hexadecimal numbers of 8 digits")?;
            Ok(Fingerprints::new(all))
        };
        let tables = texts.iter().map(table).collect::<Result<_, &str>>();
        Ok(Self { tables: tables.map_err(D::Error::custom)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn affixes_are_known_that_enough_tokens_of_the_training_part_show() {
        let corpus = Corpus::from_pairs(&[
            ("testing nesting testing", "O O O"),
            ("nesting rest", "O O"),
            ("unseen", "O"),
        ]);
        let knows = |min_count, word: &str, name: &str| {
            let known = KnownAffixes::of(&corpus, &[0, 1], min_count);
            let k = OWN.iter().position(|own| *own == name).unwrap();
            known.knows(k, Form::of(word).own[k])
        };
        assert!(knows(1, "rest", "lower") && !knows(2, "rest", "lower"));
        assert!(knows(2, "nesting", "lower"), "once in each of two sentences");
        assert!(knows(4, "resting", "suffix3"), "of testing and nesting, twice each");
        assert!(!knows(5, "resting", "suffix3"));
        assert!(!knows(1, "unseen", "lower"), "not of the training part");
        assert!(knows(1, "resting", "suffix4") && !knows(1, "wrest", "prefix2"));
    }

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        let corpus = Corpus::from_pairs(&[("Ann left Oslo", "B-a O B-b")]);
        let known = KnownAffixes::of(&corpus, &[0], 1);
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<KnownAffixes>(&text).unwrap(), known);
        let refused =
            |text: &str| serde_json::from_str::<KnownAffixes>(text).unwrap_err().to_string();
        assert!(refused(r#"["00000000"]"#).contains("1 tables, not 8"));
        for bad in ["0000000", "0000000g", "000000000", "ÄÄÄÄ"] {
            let text = format!(r#"["{bad}","","","","","","",""]"#);
            assert!(refused(&text).contains("hexadecimal"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in_and_no_more(all in prop::collection::btree_set(0..=u32::MAX, 0..50), other: u32) {
            let set = Fingerprints::new(all.iter().rev().copied().collect());
            prop_assert!(all.iter().all(|&f| set.contains(f)));
            for f in [other, 0, u32::MAX] {
                prop_assert_eq!(set.contains(f), all.contains(&f));
            }
        }
    }
}
