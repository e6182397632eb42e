//! A corpus as ids: vocabulary and tags of the training part, the three parts, every token as numbers.

use data::split::Split;
use data::{Corpus, Error, Result, Scheme, TagSet, Vocab, Warning};

use crate::config::{Config, VocabularyFrom};

/// Everything of a corpus that training reads.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Words with a row of their own.
    pub vocab: Vocab,
    /// Tags that can be given.
    pub tags: TagSet,
    /// Sentence numbers of the parts.
    pub split: Split,
    /// Ids of all tokens, sentence after sentence.
    words: Vec<u32>,
    /// Tag ids of all tokens; `NO_TAG` for one that train lacks.
    gold: Vec<u32>,
    /// First token of each sentence, and at the end the number of tokens.
    starts: Vec<usize>,
    /// By word id: seen once in the training part.
    rare: Vec<bool>,
    /// Every sentence is filled up to this many tokens with the last word, tagged `O`.
    pad_to: Option<usize>,
}

/// The id of a tag that the training part lacks: no prediction equals it.
pub const NO_TAG: u32 = u32::MAX;

/// The tutorial fills up with its last word; here the last id is that of the rarest one.
fn pad_word(vocab: &Vocab) -> u32 {
    vocab.len() as u32 - 1
}

impl Dataset {
    /// Reads off vocabulary and tags from the training part and turns every token into ids.
    /// `allow_new_labels` turns tags of dev and test that train lacks into warnings.
    ///
    /// # Errors
    /// E007 for such tags otherwise, E009 if no sentence holds an entity, E005 for malformed tags.
    pub fn new(
        corpus: &Corpus,
        mut split: Split,
        config: &Config,
        scheme: Scheme,
        allow_new_labels: bool,
    ) -> Result<(Self, Vec<Warning>)> {
        if config.dev_from_train > 0.0 {
            // As Keras: the last part of the training sentences, in the order given.
            let kept = (split.train.len() as f64 * (1.0 - config.dev_from_train)) as usize;
            split.dev = split.train.split_off(kept);
        }
        if split.train.is_empty() {
            return Err(Error::new("E029", "the training part is empty")
                .help("give it a larger share: --split 80,10,10"));
        }
        let everything: Vec<u32> = (0..corpus.len() as u32).collect();
        let from = match config.vocabulary {
            VocabularyFrom::Train => &split.train,
            VocabularyFrom::All => &everything,
        };
        let vocab = Vocab::build(corpus, from, config.min_count, config.lower);
        let tags = TagSet::build(corpus, &split.train, scheme)?;
        let mut warnings = Vec::new();
        for (part, sentences) in [("dev", &split.dev), ("test", &split.test)] {
            warnings.extend(tags.check(corpus, sentences, part, allow_new_labels)?);
        }

        let word_table = vocab.table(&corpus.words);
        let tag_table = tags.table(&corpus.tags);
        let words = corpus.word_ids().iter().map(|&w| word_table[w as usize]).collect();
        let gold =
            corpus.tag_ids().iter().map(|&t| tag_table[t as usize].unwrap_or(NO_TAG)).collect();
        let rare = vocab.counts().iter().map(|&n| n == 1).collect();
        let starts = (0..corpus.len())
            .map(|i| corpus.sentence(i).tokens().start)
            .chain([corpus.n_tokens()])
            .collect();
        let pad_to = config.pad.then(|| corpus.longest());
        Ok((Self { vocab, tags, split, words, gold, starts, rare, pad_to }, warnings))
    }

    /// Number of positions that training sees in sentence `i`: its tokens, and its padding if any.
    pub fn positions(&self, i: u32) -> usize {
        self.pad_to.unwrap_or_else(|| self.tokens(i))
    }

    /// Number of tokens of sentence `i`.
    pub fn tokens(&self, i: u32) -> usize {
        self.starts[i as usize + 1] - self.starts[i as usize]
    }

    /// Word id at position `t` of sentence `i`, padding included.
    pub fn word(&self, i: u32, t: usize) -> u32 {
        if t < self.tokens(i) {
            self.words[self.starts[i as usize] + t]
        } else {
            pad_word(&self.vocab)
        }
    }

    /// Tag id at position `t` of sentence `i`; padding is `O`, which is 0.
    pub fn tag(&self, i: u32, t: usize) -> u32 {
        if t < self.tokens(i) { self.gold[self.starts[i as usize] + t] } else { 0 }
    }

    /// Word ids of sentence `i`, without padding.
    pub fn words(&self, i: u32) -> &[u32] {
        &self.words[self.starts[i as usize]..self.starts[i as usize + 1]]
    }

    /// Tag ids of sentence `i`, without padding.
    pub fn gold(&self, i: u32) -> &[u32] {
        &self.gold[self.starts[i as usize]..self.starts[i as usize + 1]]
    }

    /// Whether the training part holds this word exactly once.
    pub fn is_rare(&self, word: u32) -> bool {
        self.rare[word as usize]
    }

    /// Whether sentences are padded (the tutorial's way).
    pub fn pad_to(&self) -> Option<usize> {
        self.pad_to
    }

    /// The word that padding is made of.
    pub fn pad_word(&self) -> u32 {
        pad_word(&self.vocab)
    }

    /// Number of tokens of these sentences.
    pub fn count_tokens(&self, sentences: &[u32]) -> usize {
        sentences.iter().map(|&i| self.tokens(i)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        Corpus::from_pairs(&[
            ("Ann saw Paris", "B-per O B-geo"),
            ("Ann slept", "B-per O"),
            ("Bob saw Ann", "B-per O B-per"),
        ])
    }

    fn dataset(set: &[(&str, &str)]) -> Dataset {
        let flags: Vec<_> = set.iter().map(|&(k, v)| (k.into(), v.into())).collect();
        let config = Config::resolve(None, None, &flags).unwrap();
        let split = Split { train: vec![0, 1], dev: vec![2], test: vec![] };
        Dataset::new(&corpus(), split, &config, Scheme::Iob2, false).unwrap().0
    }

    #[test]
    fn words_that_only_dev_holds_are_unknown_and_words_seen_once_are_rare() {
        let d = dataset(&[]);
        assert_eq!(d.words(2), [0, d.vocab.id("saw"), d.vocab.id("Ann")]);
        assert!(d.is_rare(d.vocab.id("saw")) && !d.is_rare(d.vocab.id("Ann")));
        assert!(!d.is_rare(0));
        assert_eq!((d.positions(1), d.tokens(1)), (2, 2));
    }

    #[test]
    fn padding_is_the_last_word_tagged_o() {
        let d = dataset(&[("pad", "true"), ("vocabulary", "all")]);
        assert_eq!((d.positions(1), d.tokens(1)), (3, 2));
        assert_eq!((d.word(1, 2), d.tag(1, 2)), (d.pad_word(), 0));
        assert_ne!(d.words(2)[0], 0); // Bob is known, against all rules
    }
}
