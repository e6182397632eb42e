//! What training has shown of a name.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{Rule, chunks};

/// What training had shown of a chunk's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Familiarity {
    /// The same words stood as a chunk in training, under whatever label.
    Seen,
    /// Training had every word, but never this chunk.
    New,
    /// At least one word does not occur in training at all.
    UnknownWord,
}

/// The words and the chunks that training has shown.
#[derive(Clone, Debug, Default)]
pub struct Familiar {
    words: HashSet<String>,
    /// The words of a chunk, joined by blanks.
    mentions: HashSet<String>,
}

impl Familiar {
    /// Remembers the training sentences, given as `(words, tags)`.
    ///
    /// # Panics
    ///
    /// If a sentence has another number of tags than of words.
    pub fn fit<'a, W, T>(
        rule: Rule,
        sentences: impl IntoIterator<Item = (&'a [W], &'a [T])>,
    ) -> Self
    where
        W: AsRef<str> + 'a,
        T: AsRef<str> + 'a,
    {
        let mut familiar = Self::default();
        sentences.into_iter().for_each(|(words, tags)| familiar.add(rule, words, tags));
        familiar
    }

    /// Remembers one more training sentence.
    ///
    /// # Panics
    ///
    /// If it has another number of tags than of words.
    pub fn add<W: AsRef<str>, T: AsRef<str>>(&mut self, rule: Rule, words: &[W], tags: &[T]) {
        assert_eq!(words.len(), tags.len(), "{} words, {} tags", words.len(), tags.len());
        for word in words.iter().map(AsRef::as_ref) {
            if !self.words.contains(word) {
                self.words.insert(word.to_owned());
            }
        }
        let mentions = chunks(rule, tags).into_iter().map(|c| joined(&words[c.start..c.end]));
        self.mentions.extend(mentions);
    }

    /// What training has shown of these words as a chunk.
    ///
    /// ```
    /// use eval::{Familiar, Familiarity, Rule};
    ///
    /// let words = ["New", "York", "Times"];
    /// let familiar = Familiar::fit(Rule::Conlleval, [(&words[..], &["B-geo", "I-geo", "O"][..])]);
    /// assert_eq!(familiar.of(&["New", "York"]), Familiarity::Seen);
    /// assert_eq!(familiar.of(&["Times"]), Familiarity::New);
    /// assert_eq!(familiar.of(&["New", "Delhi"]), Familiarity::UnknownWord);
    /// ```
    pub fn of<W: AsRef<str>>(&self, chunk: &[W]) -> Familiarity {
        if self.mentions.contains(&joined(chunk)) {
            Familiarity::Seen
        } else if chunk.iter().all(|word| self.words.contains(word.as_ref())) {
            Familiarity::New
        } else {
            Familiarity::UnknownWord
        }
    }
}

fn joined<W: AsRef<str>>(chunk: &[W]) -> String {
    chunk.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" ")
}
