//! Pretrained word vectors: a row of numbers for each word of a file.
//!
//! ```text
//! GloVe             the 0.418 0.24968 -0.41242 …
//! word2vec, .vec    400000 50                          words, numbers a word
//!                   the 0.418 0.24968 -0.41242 …
//! word2vec binary   400000 50
//!                   the ␣ 50 × 4 bytes, little-endian, then perhaps a line feed
//! ```
//!
//! The three are told apart by what a file holds. Files are plain, gzipped or in a zip archive and
//! pass by line by line, so that one of five gigabytes costs no more memory than the rows kept of it.

mod binary;
mod form;
mod row;
mod rows;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result, Warning};
use crate::interner::Interner;
use crate::source::{self, Stream};
use crate::vocab::fold_case;
use form::Form;
use rows::Rows;

/// Words with a row of numbers each.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("glove.txt");
/// std::fs::write(&path, "the 0.4 0.2\n0000 -5.8e-05 1\nparis 0.7 -1\n").unwrap();
/// let (vectors, _) = data::Vectors::read(&path, None, None)?;
/// assert_eq!((vectors.len(), vectors.dim), (3, 2));
/// assert_eq!(vectors.lookup("Paris"), Some(2)); // as "paris"
/// assert_eq!(vectors.get("1984"), Some(&[-5.8e-5, 1.0][..])); // as "0000"
/// assert_eq!(vectors.get("London"), None);
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Vectors {
    /// Numbers in a row.
    pub dim: usize,
    /// The words as the file writes them; word n has row n.
    pub words: Interner,
    /// (words, dim), row after row; every number is finite.
    pub rows: Vec<f32>,
    /// Where they came from.
    pub source: VectorsSource,
}

/// Where vectors came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VectorsSource {
    /// The file as the user named it.
    pub path: String,
    /// The member that was read, if the file is a zip archive.
    pub member: Option<String>,
    /// How the file is written.
    pub format: VectorsFormat,
    /// Words that were read, those that were not kept included.
    pub n_read: u64,
}

/// How a file of vectors is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VectorsFormat {
    /// Lines of a word and its numbers.
    Glove,
    /// As GloVe's, below a line with the number of words and of numbers a word: word2vec's text and
    /// fastText's `.vec`.
    Word2vec,
    /// Such a line, then words with their numbers as bytes.
    Word2vecBinary,
}

impl Vectors {
    /// Reads a file of vectors: the words that are `wanted` (all, if `None`) among the first `limit`
    /// of the file (all, if `None`; files mostly begin with the commonest words). The path may go on
    /// behind a zip archive to name its member: `glove.6B.zip/glove.6B.300d.txt`.
    ///
    /// To keep what [`lookup`](Self::lookup) can find for the words of a corpus, want their
    /// [`forms`](Self::forms):
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("x.vec");
    /// # std::fs::write(&path, "3 2\nthe 0.4 0.2\nparis 0.7 -1\nlondon 1 1\n").unwrap();
    /// let corpus = data::Corpus::from_pairs(&[("Paris sleeps", "B-geo O")]);
    /// let mut forms = data::Interner::new();
    /// for form in corpus.words.iter().flat_map(data::Vectors::forms) {
    ///     forms.intern(&form);
    /// }
    /// let (vectors, _) = data::Vectors::read(&path, Some(&|word| forms.get(word).is_some()), None)?;
    /// assert_eq!((vectors.len(), vectors.get("Paris")), (1, Some(&[0.7, -1.0][..])));
    /// # Ok::<(), data::Error>(())
    /// ```
    ///
    /// Warnings: W016 for words that come again (the first stays), W017 for words that are empty or
    /// not UTF-8 (left out), W018 for a header that counts otherwise, W024 for an archive of several
    /// files. Of words that are not wanted the numbers are counted and not looked at, and repeats go
    /// unnoticed.
    ///
    /// # Errors
    /// E015 with the line for another count of numbers than the header or the first line has, for
    /// what is no number, NaN or infinite, for a binary file that ends too early, and for a file that
    /// holds no vectors; E021, E022, E023 and E024 as [`read`](crate::read()).
    ///
    /// # Panics
    /// When the words kept (not their numbers) exceed 4 GiB.
    pub fn read(
        path: impl AsRef<Path>,
        wanted: Option<&dyn Fn(&str) -> bool>,
        limit: Option<usize>,
    ) -> Result<(Self, Vec<Warning>)> {
        let path = path.as_ref();
        source::stream(path, &source::VECTORS, |stream| read_stream(path, stream, wanted, limit))
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The vector of word `number`, (dim).
    ///
    /// # Panics
    /// When there is no such word.
    #[must_use]
    pub fn row(&self, number: u32) -> &[f32] {
        &self.rows[number as usize * self.dim..][..self.dim]
    }

    /// The number of the first of the word's [`forms`](Self::forms) that is there.
    #[must_use]
    pub fn lookup(&self, word: &str) -> Option<u32> {
        self.find(word).map(|(_, number)| number)
    }

    /// The vector that [`lookup`](Self::lookup) finds, (dim).
    #[must_use]
    pub fn get(&self, word: &str) -> Option<&[f32]> {
        self.lookup(word).map(|number| self.row(number))
    }

    /// What [`lookup`](Self::lookup) tries, in this order: the word itself; lower-cased (as Unicode
    /// has it); lower-cased and with each digit from 0 to 9 replaced by 0. So Lample and others
    /// (2016) did, whose vectors were trained on text with zeros for digits.
    pub fn forms(word: &str) -> impl Iterator<Item = Cow<'_, str>> {
        (0..N_FORMS).map(move |form| match form {
            EXACT => Cow::Borrowed(word),
            LOWER => fold_case(word, true),
            _ => {
                let zeroed = |c: char| if c.is_ascii_digit() { '0' } else { c };
                Cow::Owned(fold_case(word, true).chars().map(zeroed).collect())
            }
        })
    }

    fn find(&self, word: &str) -> Option<(usize, u32)> {
        let mut forms = Self::forms(word).enumerate();
        forms.find_map(|(form, word)| Some((form, self.words.get(&word)?)))
    }

    /// How much of a corpus has a vector: its distinct words, each with the number of its tokens.
    #[must_use]
    pub fn coverage<'a>(&self, counted: impl IntoIterator<Item = (&'a str, u64)>) -> Coverage {
        let mut coverage = Coverage::default();
        for (word, count) in counted {
            coverage.types += 1;
            coverage.tokens += count;
            if let Some((form, _)) = self.find(word) {
                coverage.types_found += 1;
                coverage.tokens_found += count;
                coverage.types_lowered += u64::from(form == LOWER);
                coverage.tokens_lowered += if form == LOWER { count } else { 0 };
                coverage.types_zeroed += u64::from(form == ZEROED);
                coverage.tokens_zeroed += if form == ZEROED { count } else { 0 };
            }
        }
        coverage
    }
}

// Places in `Vectors::forms`.
const EXACT: usize = 0;
const LOWER: usize = 1;
const ZEROED: usize = 2;
const N_FORMS: usize = 3;

/// How much of a corpus has a vector. Its text is a line for a report:
///
/// ```
/// let coverage =
///     data::Coverage { types: 200, types_found: 143, tokens: 1000, tokens_found: 961, ..Default::default() };
/// assert_eq!(coverage.to_string(), "vectors cover 71.5 % of types, 96.1 % of tokens");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Distinct words of the corpus.
    pub types: u64,
    /// … of them with a vector, in whatever form.
    pub types_found: u64,
    /// … of these found only lower-cased.
    pub types_lowered: u64,
    /// … of these found only lower-cased and with zeros for digits.
    pub types_zeroed: u64,
    /// Tokens of the corpus.
    pub tokens: u64,
    /// … of them with a vector.
    pub tokens_found: u64,
    /// … of these found only lower-cased.
    pub tokens_lowered: u64,
    /// … of these found only lower-cased and with zeros for digits.
    pub tokens_zeroed: u64,
}

/// Vectors of the right language know more of a text's tokens than this: GloVe's 50,000 commonest
/// words know 98 % of English news.
const FEW: f64 = 0.8;

impl Coverage {
    /// Share of distinct words with a vector, from 0 to 1; 0 without words.
    #[must_use]
    pub fn of_types(&self) -> f64 {
        self.types_found as f64 / self.types.max(1) as f64
    }

    /// Share of tokens with a vector, from 0 to 1; 0 without tokens.
    #[must_use]
    pub fn of_tokens(&self) -> f64 {
        self.tokens_found as f64 / self.tokens.max(1) as f64
    }

    /// W015 if fewer than 80 % of the tokens have a vector.
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        let few = self.tokens > 0 && self.of_tokens() < FEW;
        few.then(|| {
            Warning::new("W015", self.to_string())
                .help("take vectors of the corpus's language, and all of their words")
        })
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [types, tokens] = [100.0 * self.of_types(), 100.0 * self.of_tokens()];
        write!(f, "vectors cover {types:.1} % of types, {tokens:.1} % of tokens")
    }
}

fn read_stream(
    path: &Path,
    mut stream: Stream<'_>,
    wanted: Option<&dyn Fn(&str) -> bool>,
    limit: Option<usize>,
) -> Result<(Vectors, Vec<Warning>)> {
    let form = form::tell(&mut stream)?;
    let Form { format, dim, promised, .. } = form;
    let mut rows = Rows::new(dim, wanted, limit);
    match (format, promised) {
        (VectorsFormat::Word2vecBinary, Some(n)) => binary::read(&mut stream, &mut rows, n)?,
        _ => text::read(&mut stream, &form, &mut rows)?,
    }
    if rows.n_read == 0 && !rows.is_full() {
        let error = Error::new("E023", "no vector: the file ends with its header");
        return Err(error.at(stream.name, form.lines, None).help("fetch the file again"));
    }
    let mut warnings = std::mem::take(&mut stream.warnings);
    warnings.extend(rows.warnings(stream.name, promised));
    let source = VectorsSource {
        path: path.to_string_lossy().into_owned(),
        member: stream.member,
        format,
        n_read: rows.n_read,
    };
    Ok((Vectors { dim, words: rows.words, rows: rows.numbers, source }, warnings))
}
