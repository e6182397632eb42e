//! A corpus as ids: vocabulary and tags of the training part, the three parts, every token as numbers.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use data::split::Split;
use data::{Corpus, Error, Numbers, Result, Scheme, TagSet, UNK, Vocab, Warning};

use crate::affixes::KnownAffixes;
use crate::config::{CharsName, Config, Extent, VocabularyFrom};
use crate::lexicon::{Lexicon, WithPos, WordCode};
use crate::vectors::{self, Pretrained};

/// Everything of a corpus that training reads.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// How words become rows.
    pub code: WordCode,
    /// The corpus's words, and behind them the word that padding is made of.
    pub lexicon: Lexicon,
    /// Tags that can be given.
    pub tags: TagSet,
    /// Tag scheme of the data, which may be another than that of `tags`.
    pub scheme: Scheme,
    /// Sentence numbers of the parts.
    pub split: Split,
    /// Numbers in the lexicon of all tokens, sentence after sentence.
    words: Numbers,
    /// The tag of each token, in the scheme of `tags`: its number among those of the corpus, and the tag id of each
    /// of these; `NO_TAG` for one that train lacks.
    gold: Numbers,
    gold_ids: Vec<u32>,
    /// First token of each sentence, and at the end the number of tokens.
    starts: Vec<usize>,
    /// Tags of the data, by their numbers there, and the number of each token's.
    tag_names: Vec<String>,
    tag_numbers: Numbers,
    /// By number in the lexicon: seen once in the training part.
    rare: Vec<bool>,
    /// Number in the lexicon of the word that padding is made of.
    pad_word: u32,
    /// Every sentence is filled up to this many tokens with the last word, tagged `O`.
    pad_to: Option<usize>,
    /// How much there is in the training part.
    extent: Extent,
    /// Pretrained vectors, if there are any; a trainer takes their table.
    pub vectors: Option<Pretrained>,
}

/// Weights that the wide part has at most: with hundreds of tags, its rows are as wide, and fewer of them do.
const MOST_WIDE_WEIGHTS: usize = 8 << 20;

/// The id of a tag that the training part lacks: no prediction equals it.
pub const NO_TAG: u32 = u32::MAX;

impl Dataset {
    /// Reads off vocabulary and tags from the training part and turns every token into ids.
    /// `allow_new_labels` turns tags of dev and test that train lacks into warnings.
    ///
    /// # Errors
    /// E007 for such tags otherwise, E009 if no sentence holds an entity, E005 for malformed tags, those
    /// of [`vectors::read`].
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
        let inside = config.inside(scheme);
        let given = corpus;
        let converted;
        let corpus = if inside == scheme {
            corpus
        } else {
            let mut other = corpus.clone();
            data::scheme::convert_corpus(&mut other, scheme, inside)?;
            converted = other;
            &converted
        };
        let tag_names = given.tags.iter().map(str::to_owned).collect();
        let [_, tag_numbers] = given.columns();
        let tags = TagSet::build(corpus, &split.train, inside)?;
        let mut warnings = Vec::new();
        for (part, sentences) in [("dev", &split.dev), ("test", &split.test)] {
            warnings.extend(tags.check(corpus, sentences, part, allow_new_labels)?);
        }

        let (vector_words, vectors) = match vectors::read(config, given, &split.dev)? {
            Some((words, vectors, more)) => {
                warnings.extend(more);
                (Some(words), Some(vectors))
            }
            None => (None, None),
        };
        let extent = extent(corpus, &split.train, &tags);
        let code = WordCode {
            affix_rows: config.affix_rows,
            affixes: (config.affix_rows > 0)
                .then(|| KnownAffixes::of(corpus, from, u64::from(config.min_count))),
            wide_rows: match config.wide_rows {
                0 => 0,
                rows => rows.min((MOST_WIDE_WEIGHTS / tags.len()).max(1) as u32),
            },
            letters: config.chars != CharsName::None,
            alphabet: alphabet(corpus, from),
            vocab,
            vectors: vector_words,
            characters: extent.is_of_characters(),
            pos: config.pos.then(|| parts_of_speech(given, from)).transpose()?,
        };
        // The tutorial fills up with its last word; here the last is the rarest one.
        let last = code.vocab.word(code.vocab.len() as u32 - 1);
        let [word_ids, gold] = corpus.columns();
        let (lexicon, words) = match code.pos {
            None => (Lexicon::new(corpus.words.iter().chain([last]), &code), word_ids),
            Some(_) => {
                let (entries, numbers) = words_with_pos(corpus);
                let last = WithPos { word: last, pos: "" };
                (Lexicon::new(entries.into_iter().chain([last]), &code), numbers.into())
            }
        };
        let pad_word = lexicon.len() as u32 - 1;
        let rare = (0..=pad_word).map(|w| code.vocab.count(lexicon.id(w)) == 1);
        let rare = rare.enumerate().map(|(w, once)| once && lexicon.id(w as u32) != UNK).collect();
        let gold_ids =
            tags.table(&corpus.tags).into_iter().map(|id| id.unwrap_or(NO_TAG)).collect();
        let starts = (0..corpus.len())
            .map(|i| corpus.sentence(i).tokens().start)
            .chain([corpus.n_tokens()])
            .collect();
        let pad_to = config.pad.then(|| corpus.longest());
        let dataset = Self {
            code,
            lexicon,
            tags,
            scheme,
            split,
            words,
            gold,
            gold_ids,
            starts,
            tag_names,
            tag_numbers,
            rare,
            pad_word,
            pad_to,
            extent,
            vectors,
        };
        Ok((dataset, warnings))
    }

    /// Number of positions that training sees in sentence `i`: its tokens, and its padding if any.
    pub fn positions(&self, i: u32) -> usize {
        self.pad_to.unwrap_or_else(|| self.tokens(i))
    }

    /// Number of tokens of sentence `i`.
    pub fn tokens(&self, i: u32) -> usize {
        self.starts[i as usize + 1] - self.starts[i as usize]
    }

    /// Word numbers of sentence `i`, padding included.
    pub fn positions_of(&self, i: u32) -> Cow<'_, [u32]> {
        match self.pad_to {
            Some(n) if n > self.tokens(i) => {
                let mut words = self.words(i).to_vec();
                words.resize(n, self.pad_word);
                Cow::Owned(words)
            }
            _ => Cow::Borrowed(self.words(i)),
        }
    }

    /// Tag id at position `t` of sentence `i`; padding is `O`, which is 0.
    pub fn tag(&self, i: u32, t: usize) -> u32 {
        let number = |t: usize| self.gold[self.starts[i as usize] + t] as usize;
        if t < self.tokens(i) { self.gold_ids[number(t)] } else { 0 }
    }

    /// Word numbers of sentence `i`, without padding.
    pub fn words(&self, i: u32) -> &[u32] {
        &self.words[self.starts[i as usize]..self.starts[i as usize + 1]]
    }

    /// Tag ids of sentence `i`, without padding.
    pub fn gold(&self, i: u32) -> impl Iterator<Item = u32> {
        (0..self.tokens(i)).map(move |t| self.tag(i, t))
    }

    /// Tags of sentence `i` as the data has them.
    pub fn gold_tags(&self, i: u32) -> Vec<&str> {
        let tokens = self.starts[i as usize]..self.starts[i as usize + 1];
        self.tag_numbers[tokens].iter().map(|&t| &self.tag_names[t as usize][..]).collect()
    }

    /// Whether the training part holds this word exactly once.
    pub fn is_rare(&self, word: u32) -> bool {
        self.rare[word as usize]
    }

    /// Whether sentences are padded (the tutorial's way).
    pub fn pad_to(&self) -> Option<usize> {
        self.pad_to
    }

    /// Number of the word that padding is made of.
    pub fn pad_word(&self) -> u32 {
        self.pad_word
    }

    /// Positions of the training part over those of each tag times the number of tags: with these weights,
    /// all tags that training has weigh the same together. 0 for a tag that it lacks.
    pub fn balanced_weights(&self) -> Vec<f64> {
        let mut counts = vec![0usize; self.tags.len()];
        for &i in &self.split.train {
            (0..self.positions(i)).for_each(|t| counts[self.tag(i, t) as usize] += 1);
        }
        let all = counts.iter().sum::<usize>() as f64;
        let present = counts.iter().filter(|&&n| n > 0).count() as f64;
        let weight = |&n: &usize| if n == 0 { 0.0 } else { all / (present * n as f64) };
        counts.iter().map(weight).collect()
    }

    /// The parts with dev's sentences in the training part, for `refit`.
    ///
    /// # Errors
    /// E041 if there is no dev part.
    pub fn learning_dev(&self) -> Result<Split> {
        if self.split.dev.is_empty() {
            let message =
                "refit = true needs a dev part, to learn from when it has given the threshold";
            return Err(Error::new("E041", message).help("--dev FILE or --split 80,10,10"));
        }
        Ok(self.split.with_dev_in_train())
    }

    /// How much there is in the training part.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Number of tokens of these sentences.
    pub fn count_tokens(&self, sentences: &[u32]) -> usize {
        sentences.iter().map(|&i| self.tokens(i)).sum()
    }
}

/// The parts of speech that these sentences hold, in alphabetical order.
///
/// # Errors
/// E064 if the data has none.
fn parts_of_speech(corpus: &Corpus, sentences: &[u32]) -> Result<Vec<String>> {
    if !corpus.has_pos {
        let error = Error::new("E064", "pos = true, but the data has no column of parts of speech");
        return Err(error.help("name it: --columns pos=NAME; every part needs one"));
    }
    let of = |&i: &u32| {
        let sentence = corpus.sentence(i as usize);
        (0..sentence.len()).map(move |j| sentence.pos(j))
    };
    let all: BTreeSet<&str> = sentences.iter().flat_map(of).filter(|pos| !pos.is_empty()).collect();
    Ok(all.into_iter().map(str::to_owned).collect())
}

/// The distinct pairs of word and part of speech, and the number of each token's.
fn words_with_pos(corpus: &Corpus) -> (Vec<WithPos<'_>>, Vec<u32>) {
    let (mut entries, mut known) = (Vec::new(), HashMap::new());
    let mut numbers = Vec::with_capacity(corpus.n_tokens());
    for sentence in corpus.sentences() {
        for j in 0..sentence.len() {
            let entry = WithPos { word: sentence.word(j), pos: sentence.pos(j) };
            numbers.push(*known.entry(entry).or_insert_with(|| {
                entries.push(entry);
                entries.len() as u32 - 1
            }));
        }
    }
    (entries, numbers)
}

fn extent(corpus: &Corpus, sentences: &[u32], tags: &TagSet) -> Extent {
    let letters: Vec<usize> = corpus.words.iter().map(|word| word.chars().count()).collect();
    let (sentences_of, types) =
        (sentences.iter().map(|&i| corpus.sentence(i as usize)), tags.types().len());
    let mut extent =
        Extent { sentences: sentences.len(), tokens: 0, characters: 0, entities: 0, types };
    for sentence in sentences_of {
        let words = sentence.word_ids();
        extent.tokens += words.len();
        extent.characters += words.iter().map(|&w| letters[w as usize]).sum::<usize>();
        let tags: Vec<&str> = (0..sentence.len()).map(|t| sentence.tag(t)).collect();
        extent.entities += data::scheme::spans_leniently(&tags).len();
    }
    extent
}

/// The characters that at least two distinct words of these sentences hold, in the order of their code
/// points. Those of one word only share the row of the unknown, which is so trained.
fn alphabet(corpus: &Corpus, sentences: &[u32]) -> Vec<char> {
    let words: HashSet<u32> =
        sentences.iter().flat_map(|&i| corpus.sentence(i as usize).word_ids()).copied().collect();
    let mut seen: BTreeMap<char, usize> = BTreeMap::new();
    for word in words {
        let letters: HashSet<char> = corpus.word_of(word).chars().collect();
        letters.into_iter().for_each(|c| *seen.entry(c).or_default() += 1);
    }
    seen.into_iter().filter(|&(_, words)| words > 1).map(|(c, _)| c).collect()
}

/// Tag ids of a sentence as tags in `scheme`.
pub fn outside<'a>(tags: &'a TagSet, scheme: Scheme, ids: &[u32]) -> Vec<Cow<'a, str>> {
    let names: Vec<&'a str> = ids.iter().map(|&t| tags.tag(t)).collect();
    if scheme == tags.scheme() {
        return names.into_iter().map(Cow::Borrowed).collect();
    }
    // Without rules a network may give tags that do not convert; what they mean leniently does.
    let spans = data::scheme::spans_leniently(&names);
    data::scheme::encode(&spans, names.len(), scheme).into_iter().map(Cow::Owned).collect()
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
        let config = Config::resolve(Some("repaired"), None, &flags).unwrap();
        let split = Split { train: vec![0, 1], dev: vec![2], test: vec![] };
        Dataset::new(&corpus(), split, &config, Scheme::Iob2, false).unwrap().0
    }

    fn ids(d: &Dataset, i: u32) -> Vec<u32> {
        d.positions_of(i).iter().map(|&w| d.lexicon.id(w)).collect()
    }

    #[test]
    fn words_that_only_dev_holds_are_unknown_and_words_seen_once_are_rare() {
        let d = dataset(&[]);
        let vocab = &d.code.vocab;
        assert_eq!(ids(&d, 2), [0, vocab.id("saw"), vocab.id("Ann")]);
        let [bob, saw, ann] = [0, 1, 2].map(|t| d.is_rare(d.words(2)[t]));
        assert!(saw && !ann && !bob);
        assert_eq!((d.positions(1), d.tokens(1)), (2, 2));
    }

    #[test]
    fn balanced_weights_make_every_tag_of_training_weigh_the_same() {
        // Ann saw Paris | Ann slept: B-per 2, O 2, B-geo 1; I-per and I-geo are not there.
        let d = dataset(&[]);
        let weights = d.balanced_weights();
        let weight = |tag: &str| weights[(0..5).find(|&t| d.tags.tag(t) == tag).unwrap() as usize];
        let all = ["O", "B-per", "B-geo", "I-per", "I-geo"].map(weight);
        assert_eq!(all, [5.0 / 6.0, 5.0 / 6.0, 5.0 / 3.0, 0.0, 0.0]);
        // Padding is O.
        let padded = dataset(&[("pad", "true")]).balanced_weights();
        assert_eq!(padded[0], 6.0 / 9.0);
    }

    #[test]
    fn padding_is_the_last_word_tagged_o() {
        let d = dataset(&[("pad", "true"), ("vocabulary", "all")]);
        assert_eq!((d.positions(1), d.tokens(1)), (3, 2));
        assert_eq!(ids(&d, 1)[2] as usize, d.code.vocab.len() - 1);
        assert_eq!(d.tag(1, 2), 0);
        assert_ne!(ids(&d, 2)[0], 0); // Bob is known, against all rules
    }
}
