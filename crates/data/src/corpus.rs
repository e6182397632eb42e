//! Sentences in columns: one number per token and column, every distinct string once.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::interner::Interner;

/// How the rows of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma, semicolon, tab or `|` separated values with quotes and, as a rule, a header.
    Csv,
    /// One token a line in columns, a blank line after each sentence.
    Conll,
}

/// Where a corpus (or an appended part of one) came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The file as the user named it, or a name in angle brackets such as `<stdin>`.
    pub path: String,
    /// The member that was read, if the file is a zip archive.
    pub member: Option<String>,
    /// How its rows are written.
    pub format: Format,
    /// Name of the encoding it was decoded from, such as `UTF-8` or `windows-1252`.
    pub encoding: &'static str,
    /// Which column was read as what, as `--columns` takes it; empty where nothing was read.
    pub columns: String,
    /// Size in bytes, uncompressed, before decoding.
    pub bytes: u64,
    /// How many of those bytes are beyond ASCII.
    pub non_ascii: u64,
    /// SHA-256 of those bytes, in lower-case hexadecimal.
    pub sha256: String,
}

impl Source {
    /// A source for sentences that were made in the program instead of being read.
    #[must_use]
    pub fn named(path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            path,
            member: None,
            format: Format::Conll,
            encoding: "UTF-8",
            columns: String::new(),
            bytes: 0,
            non_ascii: 0,
            sha256: String::new(),
        }
    }
}

/// A number for each token. Shared, since what trains on a corpus keeps the same numbers.
pub type Numbers = Arc<Vec<u32>>;

/// Tokens of sentences with their tags, column by column.
///
/// Sentences are numbered from 0 in file order. A token costs 16 bytes (word, part of speech, tag,
/// line); a column that the file lacks costs nothing.
///
/// ```
/// let corpus = data::Corpus::from_pairs(&[("Paris sleeps", "B-geo O"), ("Nobody", "O")]);
/// let first = corpus.sentence(0);
/// assert_eq!((corpus.len(), corpus.n_tokens(), first.len()), (2, 3, 2));
/// assert_eq!((first.word(0), first.tag(0)), ("Paris", "B-geo"));
/// ```
#[derive(Clone, Debug)]
pub struct Corpus {
    /// Distinct words, case kept, in order of first appearance.
    pub words: Interner,
    /// Distinct parts of speech.
    pub pos: Interner,
    /// Distinct tags as the file writes them.
    pub tags: Interner,
    /// Whether tokens have a part of speech.
    pub has_pos: bool,
    /// Whether tokens have a tag.
    pub has_tags: bool,
    /// Where the (first) sentences came from.
    pub source: Source,
    pub(crate) word_ids: Numbers,
    pub(crate) pos_ids: Numbers, // empty without has_pos
    pub(crate) tag_ids: Numbers, // empty without has_tags
    lines: Vec<u32>,
    starts: Vec<u32>,             // sentence i is starts[i]..starts[i + 1]
    appended: Vec<(u32, Source)>, // number of its first sentence, source
}

impl Corpus {
    /// A corpus from words and tags that are each separated by spaces; for tests and examples.
    ///
    /// # Panics
    /// When a sentence has not as many tags as words.
    #[must_use]
    pub fn from_pairs(sentences: &[(&str, &str)]) -> Self {
        let mut builder = CorpusBuilder::new(Source::named("<pairs>"), false, true);
        for (number, (words, tags)) in sentences.iter().enumerate() {
            let (words, tags): (Vec<_>, Vec<_>) =
                (words.split(' ').collect(), tags.split(' ').collect());
            assert_eq!(words.len(), tags.len(), "words and tags of sentence {number}");
            for (word, tag) in words.iter().zip(&tags) {
                builder.push_token(word, None, Some(tag), number as u32 + 1);
            }
            builder.end_sentence();
        }
        builder.finish()
    }

    /// How many sentences there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no sentence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tokens all sentences have together.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.word_ids.len()
    }

    /// Sentence `number`, a view that is cheap to copy.
    ///
    /// # Panics
    /// When there is no such sentence.
    #[must_use]
    pub fn sentence(&self, number: usize) -> Sentence<'_> {
        let (start, end) = (self.starts[number] as usize, self.starts[number + 1] as usize);
        Sentence { corpus: self, number, start, end }
    }

    /// All sentences in order.
    pub fn sentences(&self) -> impl ExactSizeIterator<Item = Sentence<'_>> {
        (0..self.len()).map(|number| self.sentence(number))
    }

    /// The word with this number.
    #[must_use]
    pub fn word_of(&self, word_id: u32) -> &str {
        self.words.resolve(word_id)
    }

    /// The part of speech with this number.
    #[must_use]
    pub fn pos_of(&self, pos_id: u32) -> &str {
        self.pos.resolve(pos_id)
    }

    /// The tag with this number.
    #[must_use]
    pub fn tag_of(&self, tag_id: u32) -> &str {
        self.tags.resolve(tag_id)
    }

    /// Word numbers of all tokens, sentence after sentence.
    #[must_use]
    pub fn word_ids(&self) -> &[u32] {
        &self.word_ids
    }

    /// Tag numbers of all tokens, sentence after sentence; empty without tags.
    #[must_use]
    pub fn tag_ids(&self) -> &[u32] {
        &self.tag_ids
    }

    /// The columns of [`Corpus::word_ids`] and [`Corpus::tag_ids`], to be kept without a copy.
    #[must_use]
    pub fn columns(&self) -> [Numbers; 2] {
        [self.word_ids.clone(), self.tag_ids.clone()]
    }

    /// How many tokens of these sentences are each of the words, by number.
    #[must_use]
    pub fn word_counts(&self, sentences: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.words.len()];
        for &number in sentences {
            for &id in self.sentence(number as usize).word_ids() {
                counts[id as usize] += 1;
            }
        }
        counts
    }

    /// Tokens of the longest sentence; 0 for an empty corpus.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.sentences().map(|sentence| sentence.len()).max().unwrap_or(0)
    }

    /// Where sentence `number` came from; its lines count in that file.
    #[must_use]
    pub fn source_of(&self, number: usize) -> &Source {
        let later = self.appended.iter().rev().find(|(first, _)| *first as usize <= number);
        later.map_or(&self.source, |(_, source)| source)
    }

    /// All sources in order: the first file, then each appended one.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.source).chain(self.appended.iter().map(|(_, source)| source))
    }

    /// Puts the sentences of `other` behind these and returns their new numbers.
    ///
    /// A column survives only where both have it: half a column of tags would be read as a whole.
    pub fn append(&mut self, other: &Corpus) -> Range<u32> {
        let first_sentence = self.len() as u32;
        let first_token = self.n_tokens() as u32;
        self.has_pos &= other.has_pos;
        self.has_tags &= other.has_tags;
        append_column(
            &mut self.words,
            Arc::make_mut(&mut self.word_ids),
            &other.words,
            &other.word_ids,
        );
        if self.has_pos {
            append_column(
                &mut self.pos,
                Arc::make_mut(&mut self.pos_ids),
                &other.pos,
                &other.pos_ids,
            );
        } else {
            (self.pos, self.pos_ids) = (Interner::new(), Numbers::default());
        }
        if self.has_tags {
            append_column(
                &mut self.tags,
                Arc::make_mut(&mut self.tag_ids),
                &other.tags,
                &other.tag_ids,
            );
        } else {
            (self.tags, self.tag_ids) = (Interner::new(), Numbers::default());
        }
        self.lines.extend_from_slice(&other.lines);
        self.starts.extend(other.starts[1..].iter().map(|start| first_token + start));
        self.appended.push((first_sentence, other.source.clone()));
        let moved = other.appended.iter().map(|(first, s)| (first_sentence + first, s.clone()));
        self.appended.extend(moved);
        first_sentence..self.len() as u32
    }

    /// Line of a token, counted through the whole corpus, in its file.
    pub(crate) fn line_of_token(&self, token: usize) -> u64 {
        self.lines.get(token).copied().map_or(0, u64::from)
    }

    /// Replaces the tags of all tokens; `new_tags` yields one per token.
    ///
    /// # Panics
    /// When there is not one tag per token.
    pub fn set_tags<'a>(&mut self, new_tags: impl IntoIterator<Item = &'a str>) {
        let mut tags = Interner::new();
        let ids: Vec<u32> = new_tags.into_iter().map(|tag| tags.intern(tag)).collect();
        self.tag_ids = ids.into();
        assert_eq!(self.tag_ids.len(), self.n_tokens(), "one tag per token");
        self.tags = tags;
        self.has_tags = true;
    }

    /// Lets go of what a run does not ask for once its data is checked: the lines that messages name, and the
    /// parts of speech. Lines are 0 from then on.
    pub fn release_places(&mut self) {
        (self.has_pos, self.pos, self.pos_ids) = (false, Interner::new(), Numbers::default());
        self.lines = Vec::new();
    }

    /// Heap bytes in use, for memory reports.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let columns: [&Vec<u32>; 5] =
            [&self.word_ids, &self.pos_ids, &self.tag_ids, &self.lines, &self.starts];
        let strings = [&self.words, &self.pos, &self.tags];
        columns.iter().map(|column| 4 * column.capacity()).sum::<usize>()
            + strings.iter().map(|strings| strings.heap_bytes()).sum::<usize>()
    }
}

/// Appends `other_ids` to `ids`, renumbered from `other`'s numbers to those of `strings`.
fn append_column(strings: &mut Interner, ids: &mut Vec<u32>, other: &Interner, other_ids: &[u32]) {
    let renumbered: Vec<u32> = other.iter().map(|string| strings.intern(string)).collect();
    ids.extend(other_ids.iter().map(|&id| renumbered[id as usize]));
}

/// One sentence of a [`Corpus`].
#[derive(Clone, Copy, Debug)]
pub struct Sentence<'a> {
    corpus: &'a Corpus,
    number: usize,
    start: usize, // first token
    end: usize,   // one past the last token
}

impl<'a> Sentence<'a> {
    /// How many tokens it has; at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Never true for a sentence that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Its number in the corpus, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Places of its tokens in the columns of the whole corpus.
    #[must_use]
    pub fn tokens(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Word `j`.
    #[must_use]
    pub fn word(&self, j: usize) -> &'a str {
        self.corpus.words.resolve(self.word_ids()[j])
    }

    /// Tag `j`.
    ///
    /// # Panics
    /// When the corpus has no tags.
    #[must_use]
    pub fn tag(&self, j: usize) -> &'a str {
        self.corpus.tags.resolve(self.tag_ids()[j])
    }

    /// Part of speech `j`.
    ///
    /// # Panics
    /// When the corpus has no parts of speech.
    #[must_use]
    pub fn pos(&self, j: usize) -> &'a str {
        self.corpus.pos.resolve(self.pos_ids()[j])
    }

    /// Line of token `j` in its file, from 1.
    #[must_use]
    pub fn line(&self, j: usize) -> u64 {
        assert!(j < self.len(), "token {j} of {}", self.len());
        self.corpus.line_of_token(self.start + j)
    }

    /// The words in order.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let words = &self.corpus.words;
        self.word_ids().iter().map(|&id| words.resolve(id))
    }

    /// The tags in order; none without tags.
    pub fn tags(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let tags = &self.corpus.tags;
        self.tag_ids().iter().map(|&id| tags.resolve(id))
    }

    /// Numbers of the words in `corpus.words`.
    #[must_use]
    pub fn word_ids(&self) -> &'a [u32] {
        &self.corpus.word_ids[self.start..self.end]
    }

    /// Numbers of the parts of speech in `corpus.pos`; empty without that column.
    #[must_use]
    pub fn pos_ids(&self) -> &'a [u32] {
        if self.corpus.has_pos { &self.corpus.pos_ids[self.start..self.end] } else { &[] }
    }

    /// Numbers of the tags in `corpus.tags`; empty without that column.
    #[must_use]
    pub fn tag_ids(&self) -> &'a [u32] {
        if self.corpus.has_tags { &self.corpus.tag_ids[self.start..self.end] } else { &[] }
    }

    /// The file it came from.
    #[must_use]
    pub fn source(&self) -> &'a Source {
        self.corpus.source_of(self.number)
    }
}

/// Builds a [`Corpus`] token by token.
#[derive(Debug)]
pub struct CorpusBuilder {
    /// All but the columns below.
    corpus: Corpus,
    word_ids: Vec<u32>,
    pos_ids: Vec<u32>,
    tag_ids: Vec<u32>,
}

impl CorpusBuilder {
    /// An empty corpus that will have the columns named.
    #[must_use]
    pub fn new(source: Source, has_pos: bool, has_tags: bool) -> Self {
        let corpus = Corpus {
            words: Interner::new(),
            pos: Interner::new(),
            tags: Interner::new(),
            has_pos,
            has_tags,
            source,
            word_ids: Numbers::default(),
            pos_ids: Numbers::default(),
            tag_ids: Numbers::default(),
            lines: Vec::new(),
            starts: vec![0],
            appended: Vec::new(),
        };
        Self { corpus, word_ids: Vec::new(), pos_ids: Vec::new(), tag_ids: Vec::new() }
    }

    /// Makes room for about this many tokens, which spares moving them while the columns grow.
    #[must_use]
    pub fn with_capacity(mut self, tokens: usize) -> Self {
        let corpus = &mut self.corpus;
        self.word_ids.reserve(tokens);
        corpus.lines.reserve(tokens);
        self.pos_ids.reserve(if corpus.has_pos { tokens } else { 0 });
        self.tag_ids.reserve(if corpus.has_tags { tokens } else { 0 });
        self
    }

    /// Adds a token to the sentence under construction. `line` counts from 1.
    ///
    /// # Panics
    /// When `pos` or `tag` is given or missing against what [`new`](Self::new) announced.
    pub fn push_token(&mut self, word: &str, pos: Option<&str>, tag: Option<&str>, line: u32) {
        let bytes = str::as_bytes;
        self.push_bytes(word.as_bytes(), pos.map(bytes), tag.map(bytes), line);
    }

    /// As [`push_token`](Self::push_token), for pieces of a text that is known to be UTF-8.
    pub(crate) fn push_bytes(
        &mut self,
        word: &[u8],
        pos: Option<&[u8]>,
        tag: Option<&[u8]>,
        line: u32,
    ) {
        let corpus = &mut self.corpus;
        assert_eq!((pos.is_some(), tag.is_some()), (corpus.has_pos, corpus.has_tags));
        self.word_ids.push(corpus.words.intern_bytes(word));
        if let Some(pos) = pos {
            self.pos_ids.push(corpus.pos.intern_bytes(pos));
        }
        if let Some(tag) = tag {
            self.tag_ids.push(corpus.tags.intern_bytes(tag));
        }
        corpus.lines.push(line);
    }

    /// Ends the sentence under construction; without a token in it nothing happens.
    pub fn end_sentence(&mut self) {
        if self.open_tokens() > 0 {
            self.corpus.starts.push(self.word_ids.len() as u32);
        }
    }

    /// Tokens of the sentence under construction.
    #[must_use]
    pub fn open_tokens(&self) -> usize {
        self.word_ids.len() - *self.corpus.starts.last().expect("starts with 0") as usize
    }

    /// Ends the last sentence, gives back unused memory, returns the corpus.
    #[must_use]
    pub fn finish(mut self) -> Corpus {
        self.end_sentence();
        let Self { mut corpus, mut word_ids, mut pos_ids, mut tag_ids } = self;
        let Corpus { lines, starts, .. } = &mut corpus;
        for column in [&mut word_ids, &mut pos_ids, &mut tag_ids, lines, starts] {
            column.shrink_to_fit();
        }
        let [word_ids, pos_ids, tag_ids] = [word_ids, pos_ids, tag_ids].map(Arc::new);
        Corpus { word_ids, pos_ids, tag_ids, ..corpus }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(words: &str, tags: &str) -> Corpus {
        Corpus::from_pairs(&[(words, tags)])
    }

    #[test]
    fn a_view_gives_words_tags_parts_of_speech_and_lines_of_its_sentence_only() {
        let mut builder = CorpusBuilder::new(Source::named("x"), true, true);
        builder.end_sentence(); // nothing to end yet
        builder.push_token("Paris", Some("NNP"), Some("B-geo"), 2);
        builder.end_sentence();
        builder.push_token("in", Some("IN"), Some("O"), 4);
        builder.push_token("Paris", Some("NNP"), Some("B-geo"), 5);
        let corpus = builder.finish();
        assert_eq!((corpus.len(), corpus.n_tokens(), corpus.longest()), (2, 3, 2));
        let second = corpus.sentence(1);
        assert_eq!(second.words().collect::<Vec<_>>(), ["in", "Paris"]);
        assert_eq!(second.tags().collect::<Vec<_>>(), ["O", "B-geo"]);
        assert_eq!((second.pos(1), second.line(1), second.number()), ("NNP", 5, 1));
        assert_eq!((second.word_ids(), second.tag_ids()), (&[1, 0][..], &[1, 0][..]));
        assert_eq!(second.tokens(), 1..3);
    }

    #[test]
    fn an_appended_corpus_keeps_its_strings_lines_and_source_under_new_numbers() {
        let mut corpus = tagged("Paris sleeps", "B-geo O");
        let mut other = tagged("sleeps Rome", "O B-geo");
        other.source.path = "other".into();
        let mut third = tagged("x", "O");
        third.source.path = "third".into();
        assert_eq!(other.append(&third), 1..2);
        assert_eq!(corpus.append(&other), 1..3);
        assert_eq!(corpus.sentence(1).words().collect::<Vec<_>>(), ["sleeps", "Rome"]);
        assert_eq!(corpus.sentence(1).tags().collect::<Vec<_>>(), ["O", "B-geo"]);
        assert_eq!(corpus.words.len(), 4);
        let paths: Vec<_> = corpus.sentences().map(|s| s.source().path.as_str()).collect();
        assert_eq!(paths, ["<pairs>", "other", "third"]);
    }

    #[test]
    fn appending_sentences_without_tags_drops_the_tags_of_all() {
        let mut corpus = tagged("Paris", "B-geo");
        let mut words_only = CorpusBuilder::new(Source::named("w"), false, false);
        words_only.push_token("Rome", None, None, 1);
        corpus.append(&words_only.finish());
        assert!(!corpus.has_tags && corpus.sentence(0).tag_ids().is_empty());
    }
}
