//! Floors: what one reaches without a model. They stand beside every result.

use std::collections::{BTreeMap, HashMap};

/// The tagging of a sentence of `length` tokens in which nothing is ever found.
pub fn all_o(length: usize) -> Vec<&'static str> {
    vec!["O"; length]
}

/// Gives each word the tag that it bore most often in training.
///
/// Of two tags seen equally often the smaller one in byte order wins; a word that training did
/// not show gets the tag that is most frequent over all words.
#[derive(Clone, Debug)]
pub struct MostFrequentTag {
    by_word: HashMap<String, String>,
    overall: String,
}

impl MostFrequentTag {
    /// Counts the tags of the training sentences, given as `(words, tags)`.
    ///
    /// Without any word to count, every word will be tagged `O`.
    ///
    /// # Panics
    ///
    /// If a sentence has another number of tags than of words.
    pub fn fit<'a, W, T>(sentences: impl IntoIterator<Item = (&'a [W], &'a [T])>) -> Self
    where
        W: AsRef<str> + 'a,
        T: AsRef<str> + 'a,
    {
        Self::fit_tokens(sentences.into_iter().flat_map(|(words, tags)| {
            assert_eq!(words.len(), tags.len(), "{} words, {} tags", words.len(), tags.len());
            words.iter().map(AsRef::as_ref).zip(tags.iter().map(AsRef::as_ref))
        }))
    }

    /// As [`fit`](Self::fit), from the training tokens as `(word, tag)`: no list of them need be made.
    pub fn fit_tokens<'a>(tokens: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut by_word: HashMap<&str, TagCounts> = HashMap::new();
        let mut overall = TagCounts::new();
        for (word, tag) in tokens {
            *by_word.entry(word).or_default().entry(tag).or_default() += 1;
            *overall.entry(tag).or_default() += 1;
        }
        let by_word = by_word.into_iter().map(|(word, tags)| (word.to_owned(), most(&tags)));
        Self { by_word: by_word.collect(), overall: most(&overall) }
    }

    /// The tag of one word.
    pub fn tag(&self, word: &str) -> &str {
        self.by_word.get(word).unwrap_or(&self.overall)
    }

    /// The tags of a sentence, word by word: neighbours play no part.
    pub fn predict<W: AsRef<str>>(&self, words: &[W]) -> Vec<&str> {
        words.iter().map(|word| self.tag(word.as_ref())).collect()
    }
}

type TagCounts<'a> = BTreeMap<&'a str, usize>;

fn most(tags: &TagCounts) -> String {
    // Of equal maxima max_by_key takes the last, so the tags come in falling order.
    let most = tags.iter().rev().max_by_key(|(_, count)| **count);
    most.map_or("O", |(tag, _)| tag).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_smaller_tag_and_unknown_words_to_the_commonest() {
        let words = ["May", "May", "in", "Rome", "Rome", "in", "in"];
        let tags = ["B-tim", "B-per", "O", "B-geo", "B-geo", "O", "I-tim"];
        let floor = MostFrequentTag::fit([(&words[..], &tags[..])]);
        assert_eq!(floor.predict(&["May", "in", "Rome"]), ["B-per", "O", "B-geo"]);
        // O and B-geo both stand twice.
        assert_eq!(floor.tag("Paris"), "B-geo");
    }

    #[test]
    fn a_word_in_other_letters_is_another_word() {
        let floor = MostFrequentTag::fit([(&["may", "May"][..], &["O", "B-tim"][..])]);
        assert_eq!(floor.predict(&["May", "may", "MAY"]), ["B-tim", "O", "B-tim"]);
    }

    #[test]
    fn without_training_everything_is_outside() {
        let floor = MostFrequentTag::fit::<&str, &str>([]);
        assert_eq!(floor.predict(&["x"]), all_o(1));
    }
}
