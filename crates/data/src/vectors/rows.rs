//! The rows that are kept, and a count of those that are not.

use crate::error::Warning;
use crate::interner::Interner;
use crate::read::grouped;

/// What a reader of any format fills: it asks [`admit`](Self::admit) for each word and, if so, pushes
/// `dim` numbers or gives up the file.
pub(super) struct Rows<'a> {
    pub dim: usize,
    pub words: Interner,
    pub numbers: Vec<f32>,
    pub n_read: u64,
    /// Whether something follows the last word that the header promises.
    pub goes_on: bool,
    wanted: Option<&'a dyn Fn(&str) -> bool>,
    limit: u64,
    repeated: Oddity,
    no_text: Oddity,
}

/// Words that were left out for one reason: how many, and the first.
#[derive(Default)]
struct Oddity {
    count: u64,
    first: Option<(String, Option<u64>)>, // word, line
}

impl Oddity {
    fn add(&mut self, word: &[u8], line: Option<u64>) {
        self.count += 1;
        self.first.get_or_insert_with(|| (String::from_utf8_lossy(word).into_owned(), line));
    }

    fn warning(&self, code: &'static str, file: &str, why: &str) -> Option<Warning> {
        let (word, line) = self.first.as_ref()?;
        let message = format!("left out {} as {why}, first {word:?}", counted(self.count, "word"));
        Some(Warning::new(code, message).at(file, *line, None))
    }
}

impl<'a> Rows<'a> {
    pub fn new(dim: usize, wanted: Option<&'a dyn Fn(&str) -> bool>, limit: Option<usize>) -> Self {
        Self {
            dim,
            words: Interner::new(),
            numbers: Vec::new(),
            n_read: 0,
            goes_on: false,
            wanted,
            limit: limit.map_or(u64::MAX, |limit| limit as u64),
            repeated: Oddity::default(),
            no_text: Oddity::default(),
        }
    }

    /// Whether no further word is to be read.
    pub fn is_full(&self) -> bool {
        self.n_read >= self.limit
    }

    /// Counts a word; `true` if it got a row, whose numbers must follow.
    pub fn admit(&mut self, word: &[u8], line: Option<u64>) -> bool {
        self.n_read += 1;
        let Some(text) = std::str::from_utf8(word).ok().filter(|text| !text.is_empty()) else {
            self.no_text.add(word, line);
            return false;
        };
        if self.wanted.is_some_and(|wanted| !wanted(text)) {
            return false;
        }
        let row = self.words.len();
        let is_new = self.words.intern(text) as usize == row;
        if !is_new {
            self.repeated.add(word, line);
        }
        is_new
    }

    /// What the user should know when all is read.
    pub fn warnings(&self, file: &str, promised: Option<u64>) -> Vec<Warning> {
        let repeated = self.repeated.warning("W016", file, "repeated");
        let no_text = self.no_text.warning("W017", file, "empty or not UTF-8");
        let header = promised.filter(|&promised| {
            !self.is_full() && (self.goes_on || self.n_read != promised) // a limit stops before
        });
        let header = header.map(|promised| {
            let found = match self.goes_on {
                true => "but the file goes on behind them".to_string(),
                false => format!("the file has {}", grouped(self.n_read as usize)),
            };
            let message = format!("the header promises {}, {found}", counted(promised, "word"));
            Warning::new("W018", message).at(file, 1, None)
        });
        [repeated, no_text, header].into_iter().flatten().collect()
    }
}

/// `1 word`, `3,000 words`.
pub(super) fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(n as usize), if n == 1 { "" } else { "s" })
}
