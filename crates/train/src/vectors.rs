//! Pretrained vectors: read for a corpus, found again when tagging.
//!
//! Of a file the words that the corpus holds are kept, in any of its parts, and the commonest of the
//! file besides (`vectors-keep`): those that training did not show are the ones that texts to come
//! profit from. All kept go into the model's file, so that it needs no other.

use std::cell::Cell;
use std::path::Path;

use data::{Corpus, Coverage, Interner, Result, Vectors, Warning};
use ndarray::{Array2, s};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::config::Config;

/// The words that have a vector, part of the model: word n has row n + 1, row 0 is that of all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorWords {
    /// The file that they are from, without its folder.
    pub file: String,
    /// SHA-256 over the words kept and their numbers.
    pub sha256: String,
    /// Numbers in a vector.
    pub dim: usize,
    #[serde(serialize_with = "write_words", deserialize_with = "read_words")]
    words: Interner,
}

impl VectorWords {
    /// How many words have a vector.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The row of a word: that of the first of its forms ([`Vectors::forms`]) that is there, 0 if none is.
    pub fn row(&self, word: &str) -> u32 {
        Vectors::forms(word).find_map(|form| self.words.get(&form)).map_or(0, |n| n + 1)
    }
}

/// Vectors as they were read for a corpus.
#[derive(Clone, Debug)]
pub struct Pretrained {
    /// (words + 1, dim); row 0 is zeros.
    pub table: Array2<f32>,
    /// What of the whole corpus has a vector.
    pub coverage: Coverage,
    /// What of the entities' tokens in dev has; none if there are none.
    pub dev_entities: Option<Coverage>,
}

/// Reads the file that the configuration names, if it names one; W015 among the warnings if it covers
/// little of the corpus.
///
/// # Errors
/// E015 for a malformed file, E021 to E024 for one that cannot be read.
pub fn read(
    config: &Config,
    corpus: &Corpus,
    dev: &[u32],
) -> Result<Option<(VectorWords, Pretrained, Vec<Warning>)>> {
    if config.vectors.is_empty() {
        return Ok(None);
    }
    let mut forms = Interner::new();
    for form in corpus.words.iter().flat_map(Vectors::forms) {
        forms.intern(&form);
    }
    let seen = Cell::new(0);
    let wanted = |word: &str| {
        seen.set(seen.get() + 1);
        seen.get() <= config.vectors_keep || forms.get(word).is_some()
    };
    let path = Path::new(&config.vectors);
    let (vectors, mut warnings) = Vectors::read(path, Some(&wanted), None)?;
    let coverage = vectors.coverage(counted(corpus, 0..corpus.len(), |_| true));
    warnings.extend(coverage.warning());
    let dev = dev.iter().map(|&i| i as usize);
    let dev_entities = vectors.coverage(counted(corpus, dev, |tag| tag != "O"));
    let mut table = Array2::zeros((vectors.len() + 1, vectors.dim));
    let rows = table.slice_mut(s![1.., ..]).into_iter();
    rows.zip(&vectors.rows).for_each(|(to, &v)| *to = v);
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let sha256 = sha256(&vectors);
    let words = VectorWords { file, sha256, dim: vectors.dim, words: vectors.words };
    let dev_entities = (dev_entities.tokens > 0).then_some(dev_entities);
    Ok(Some((words, Pretrained { table, coverage, dev_entities }, warnings)))
}

/// The distinct words of these sentences, each with the number of its tokens whose tag is `wanted`.
fn counted(
    corpus: &Corpus,
    sentences: impl Iterator<Item = usize>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<(&str, u64)> {
    let mut counts = vec![0; corpus.words.len()];
    for i in sentences {
        let sentence = corpus.sentence(i);
        for (&word, tag) in sentence.word_ids().iter().zip(sentence.tags()) {
            counts[word as usize] += u64::from(wanted(tag));
        }
    }
    corpus.words.iter().zip(counts).filter(|&(_, n)| n > 0).collect()
}

fn sha256(vectors: &Vectors) -> String {
    let mut hash = Sha256::new();
    for word in vectors.words.iter() {
        hash.update(word);
        hash.update("\n");
    }
    hash.update(vectors.rows.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn write_words<S: Serializer>(words: &Interner, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_seq(words.iter())
}

fn read_words<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Interner, D::Error> {
    let strings = Vec::<String>::deserialize(from)?;
    let words: Interner = strings.iter().map(String::as_str).collect();
    if words.len() != strings.len() {
        return Err(serde::de::Error::custom("a word has two vectors"));
    }
    Ok(words)
}
