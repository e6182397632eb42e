//! Words to ids and back. Built from the training sentences alone: what only dev or test hold is
//! unknown, as it will be in the texts that the model meets later.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::corpus::Corpus;
use crate::interner::Interner;

/// Id of every word that the vocabulary lacks.
pub const UNK: u32 = 0;

/// How id 0 is written. A text that holds this very string gets id 0 as well.
pub const UNK_WORD: &str = "<unk>";

/// Words with ids: 0 is [`UNK_WORD`], then falling frequency, equal ones in byte order.
///
/// ```
/// use data::{Corpus, Vocab};
/// let corpus = Corpus::from_pairs(&[("a b a c", "O O O O"), ("only in dev", "O O O")]);
/// let vocab = Vocab::build(&corpus, &[0], 1, false);
/// assert_eq!(vocab.words().collect::<Vec<_>>(), ["<unk>", "a", "b", "c"]);
/// assert_eq!((vocab.id("a"), vocab.id("dev"), vocab.count(1)), (1, 0, 2));
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "StoredVocab")]
pub struct Vocab {
    words: Interner,
    counts: Vec<u64>, // by id; of id 0 the training tokens whose word did not get one
    lower: bool,
    min_count: u32,
}

impl Vocab {
    /// The words of these sentences that occur at least `min_count` times in them; with `lower`,
    /// words that differ in case only are one (Unicode lower-casing).
    #[must_use]
    pub fn build(corpus: &Corpus, sentences: &[u32], min_count: u32, lower: bool) -> Self {
        let counted = corpus.words.iter().zip(corpus.word_counts(sentences));
        Self::from_counts(counted.filter(|(_, count)| *count > 0), min_count, lower)
    }

    /// As [`build`](Self::build) from counted words; a word may come several times.
    pub fn from_counts<'a>(
        counted: impl Iterator<Item = (&'a str, u64)>,
        min_count: u32,
        lower: bool,
    ) -> Self {
        let mut merged: HashMap<Cow<'a, str>, u64> = HashMap::new();
        for (word, count) in counted {
            *merged.entry(fold_case(word, lower)).or_default() += count;
        }
        let mut unknown = merged.remove(UNK_WORD).unwrap_or(0);
        let mut kept = Vec::with_capacity(merged.len());
        for (word, count) in merged {
            if count >= u64::from(min_count) { kept.push((word, count)) } else { unknown += count }
        }
        kept.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let words = std::iter::once(UNK_WORD).chain(kept.iter().map(|(word, _)| &**word)).collect();
        let counts = std::iter::once(unknown).chain(kept.iter().map(|(_, count)| *count)).collect();
        Self { words, counts, lower, min_count }
    }

    /// How many ids there are, 0 included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether every word is unknown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// The id of a word, [`UNK`] for one that is not there.
    #[must_use]
    pub fn id(&self, word: &str) -> u32 {
        self.words.get(&fold_case(word, self.lower)).unwrap_or(UNK)
    }

    /// The word with this id.
    ///
    /// # Panics
    /// When there is no such id.
    #[must_use]
    pub fn word(&self, id: u32) -> &str {
        self.words.resolve(id)
    }

    /// All words in the order of their ids.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter()
    }

    /// How often the training sentences hold the word with this id; for id 0, how many of their
    /// tokens are unknown.
    #[must_use]
    pub fn count(&self, id: u32) -> u64 {
        self.counts[id as usize]
    }

    /// Counts of all ids.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Whether words are lower-cased before they are looked up.
    #[must_use]
    pub fn lower(&self) -> bool {
        self.lower
    }

    /// How often a word had to occur to get an id.
    #[must_use]
    pub fn min_count(&self) -> u32 {
        self.min_count
    }

    /// Ids of all words of an interner, by their numbers there: looks each distinct word up once.
    #[must_use]
    pub fn table(&self, words: &Interner) -> Vec<u32> {
        words.iter().map(|word| self.id(word)).collect()
    }
}

/// The word, lower-cased (as Unicode has it) if `lower`.
pub(crate) fn fold_case(word: &str, lower: bool) -> Cow<'_, str> {
    let is_lower = word.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if lower && !is_lower { Cow::Owned(word.to_lowercase()) } else { Cow::Borrowed(word) }
}

impl Serialize for Vocab {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Vocab", 4)?;
        fields.serialize_field("lower", &self.lower)?;
        fields.serialize_field("min_count", &self.min_count)?;
        fields.serialize_field("words", &self.words.iter().collect::<Vec<_>>())?;
        fields.serialize_field("counts", &self.counts)?;
        fields.end()
    }
}

/// What a file says; becomes a [`Vocab`] once it has been checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredVocab {
    lower: bool,
    min_count: u32,
    words: Words,
    counts: Vec<u64>,
}

impl TryFrom<StoredVocab> for Vocab {
    type Error = String;

    fn try_from(stored: StoredVocab) -> std::result::Result<Self, String> {
        let StoredVocab { lower, min_count, words: Words(words), counts } = stored;
        if words.iter().next() != Some(UNK_WORD) {
            return Err(format!("vocabulary: id 0 is not {UNK_WORD:?}"));
        }
        if words.len() != counts.len() {
            return Err(format!("vocabulary: {} words, {} counts", words.len(), counts.len()));
        }
        Ok(Self { words, counts, lower, min_count })
    }
}

/// The words of a file in the order of their ids. They go from the text into the interner without being
/// strings of their own in between: opening a model waits for this.
struct Words(Interner);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_seq(Self(Interner::new()))
    }
}

impl<'de> Visitor<'de> for Words {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of words")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> std::result::Result<Self, A::Error> {
        while list.next_element_seed(OneMore(&mut self.0))?.is_some() {}
        Ok(self)
    }
}

/// The next word of [`Words`].
struct OneMore<'a>(&'a mut Interner);

impl<'de> DeserializeSeed<'de> for OneMore<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> std::result::Result<(), D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for OneMore<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a word")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> std::result::Result<(), E> {
        let place = self.0.len();
        match self.0.intern(word) as usize {
            number if number == place => Ok(()),
            number => Err(E::custom(twice("vocabulary", word, number, place))),
        }
    }
}

fn twice(what: &str, string: &str, number: usize, place: usize) -> String {
    format!("{what}: {string:?} stands at {number} and at {place}")
}

/// The strings as an interner in which each has its place as number.
pub(crate) fn distinct(strings: &[String], what: &str) -> std::result::Result<Interner, String> {
    let mut interner = Interner::new();
    for (place, string) in strings.iter().enumerate() {
        let number = interner.intern(string) as usize;
        if number != place {
            return Err(twice(what, string, number, place));
        }
    }
    Ok(interner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        Corpus::from_pairs(&[
            ("The the cat Ä ä", "O O O B-y O"),
            ("the cat <unk> É", "O O O B-a"),
            ("dev dog", "B-new I-new"),
        ])
    }

    #[test]
    fn words_come_by_falling_count_then_by_bytes() {
        let vocab = Vocab::build(&corpus(), &[0, 1], 1, false);
        assert_eq!(
            vocab.words().collect::<Vec<_>>(),
            ["<unk>", "cat", "the", "The", "Ä", "É", "ä"]
        );
        assert_eq!(vocab.counts(), [1, 2, 2, 1, 1, 1, 1]);
        assert_eq!([vocab.id("the"), vocab.id("dog"), vocab.id("<unk>")], [2, UNK, UNK]);
    }

    #[test]
    fn lower_casing_merges_words_beyond_ascii_and_applies_to_questions() {
        let vocab = Vocab::build(&corpus(), &[0, 1], 2, true);
        assert_eq!(vocab.words().collect::<Vec<_>>(), ["<unk>", "the", "cat", "ä"]);
        assert_eq!(vocab.counts(), [2, 3, 2, 2]);
        assert_eq!([vocab.id("THE"), vocab.id("Ä"), vocab.id("É")], [1, 3, UNK]);
    }

    #[test]
    fn a_table_answers_for_every_word_of_a_corpus() {
        let corpus = corpus();
        let vocab = Vocab::build(&corpus, &[0, 1], 1, false);
        let table = vocab.table(&corpus.words);
        for (number, word) in corpus.words.iter().enumerate() {
            assert_eq!(table[number], vocab.id(word));
        }
    }

    #[test]
    fn a_stored_vocabulary_comes_back_equal_and_a_damaged_one_is_refused() {
        let vocab = Vocab::build(&corpus(), &[0, 1], 1, true);
        let json = serde_json::to_string(&vocab).unwrap();
        assert_eq!(serde_json::from_str::<Vocab>(&json).unwrap(), vocab);
        let refused = |words: &str, counts: &str| {
            let json =
                format!(r#"{{"lower":false,"min_count":1,"words":{words},"counts":{counts}}}"#);
            serde_json::from_str::<Vocab>(&json).unwrap_err().to_string()
        };
        let twice = refused(r#"["<unk>","a","a"]"#, "[0,1,1]");
        assert!(twice.contains(r#""a" stands at 1 and at 2"#), "{twice}");
        assert!(refused(r#"["a"]"#, "[0]").contains("id 0"));
        assert!(refused(r#"["<unk>","a"]"#, "[0]").contains("2 words, 1 counts"));
    }
}
