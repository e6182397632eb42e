//! From a word's text to everything the network reads of it, once for each distinct word.

use std::collections::HashMap;

use data::features::{Form, WINDOW, window};
use data::{UNK, Vocab};
use nn::Packing;
use nn::chars::Spellings;
use nn::tagger::Input;
use serde::{Deserialize, Serialize};

use crate::affixes::KnownAffixes;
use crate::vectors::VectorWords;

/// How words become rows of tables: part of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordCode {
    /// Words with a row of their own.
    pub vocab: Vocab,
    /// Rows that the affixes and shapes of a table share; 0: there are no such tables.
    pub affix_rows: u32,
    /// Affixes and shapes with a place among these rows; all others have the one row after them. A model without this
    /// gives every affix a place.
    #[serde(default)]
    pub affixes: Option<KnownAffixes>,
    /// Rows of the wide table; 0: there is none.
    pub wide_rows: u32,
    /// Whether spellings are read.
    pub letters: bool,
    /// Characters with a row of their own, from id 1.
    pub alphabet: Vec<char>,
    /// Words with a pretrained vector, if any have.
    pub vectors: Option<VectorWords>,
    /// Whether the training part's tokens were single characters, most of them (fewer than three on two tokens): then text
    /// is to be cut so.
    #[serde(default)]
    pub characters: bool,
    /// Parts of speech with a row of their own, from id 1, if they are read.
    #[serde(default)]
    pub pos: Option<Vec<String>>,
}

/// A token as it comes from outside.
pub trait Token {
    /// The word.
    fn word(&self) -> &str;

    /// Its part of speech; empty if nobody knows.
    fn pos(&self) -> &str {
        ""
    }
}

impl<T: AsRef<str>> Token for T {
    fn word(&self) -> &str {
        self.as_ref()
    }
}

/// A word with its part of speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WithPos<'a> {
    /// The word.
    pub word: &'a str,
    /// Its part of speech.
    pub pos: &'a str,
}

impl Token for WithPos<'_> {
    fn word(&self) -> &str {
        self.word
    }

    fn pos(&self) -> &str {
        self.pos
    }
}

/// Characters of a word that are read; of a longer one, the first and the last of them.
const SPELLING: usize = 32;

impl WordCode {
    /// Tables whose rows are added for a token: the words' own; with affixes, those of
    /// [`data::features::OWN`]; with parts of speech, theirs.
    pub fn tables(&self) -> Vec<(String, usize)> {
        let mut tables = vec![("table".to_owned(), self.vocab.len())];
        if self.affix_rows > 0 {
            let rows = self.affix_rows as usize + usize::from(self.affixes.is_some());
            tables.extend(data::features::OWN.iter().map(|name| ((*name).to_owned(), rows)));
        }
        tables.extend(self.pos.as_ref().map(|pos| ("pos".to_owned(), 1 + pos.len())));
        tables
    }

    /// Row of the affix of table `k` with this hash.
    fn affix_row(&self, k: usize, hash: u64) -> u32 {
        match &self.affixes {
            Some(known) if !known.knows(k, hash) => self.affix_rows,
            _ => (hash % u64::from(self.affix_rows)) as u32,
        }
    }

    fn n_tables(&self) -> usize {
        let own = if self.affix_rows > 0 { data::features::OWN.len() } else { 0 };
        1 + own + usize::from(self.pos.is_some())
    }
}

/// What the network reads of some words, numbered from 0. Where parts of speech are read, the same word with
/// another part of speech has another number.
#[derive(Clone, Debug)]
pub struct Lexicon {
    n_tables: usize,
    reads_pos: bool,
    wide_rows: u64,
    /// (words · T) rows of the tables.
    rows: Vec<u32>,
    /// Forms, if affixes or the wide part need them.
    forms: Vec<Form>,
    /// Character ids of each word, if they are read.
    spellings: Vec<Vec<u32>>,
    /// Rows of the pretrained vectors, if there are any.
    vectors: Vec<u32>,
}

impl Lexicon {
    /// Encodes `words`.
    pub fn new(words: impl Iterator<Item = impl Token>, code: &WordCode) -> Self {
        let mut lexicon = Self {
            n_tables: code.n_tables(),
            reads_pos: code.pos.is_some(),
            wide_rows: u64::from(code.wide_rows),
            rows: Vec::new(),
            forms: Vec::new(),
            spellings: Vec::new(),
            vectors: Vec::new(),
        };
        let read = if code.letters { &code.alphabet[..] } else { &[] };
        let letters: HashMap<char, u32> = read.iter().copied().zip(1..).collect();
        let ids = code.pos.iter().flatten().map(String::as_str).zip(1..);
        let parts_of_speech: HashMap<&str, u32> = ids.collect();
        for token in words {
            let word = token.word();
            lexicon.rows.push(code.vocab.id(word));
            if code.affix_rows > 0 || code.wide_rows > 0 {
                let form = Form::of(word);
                if code.affix_rows > 0 {
                    let own = form.own.iter().enumerate();
                    lexicon.rows.extend(own.map(|(k, &hash)| code.affix_row(k, hash)));
                }
                lexicon.forms.push(form);
            }
            if code.letters {
                lexicon.spellings.push(spell(word, &letters));
            }
            lexicon.vectors.extend(code.vectors.as_ref().map(|vectors| vectors.row(word)));
            if code.pos.is_some() {
                lexicon.rows.push(parts_of_speech.get(token.pos()).copied().unwrap_or(0));
            }
        }
        lexicon
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.rows.len() / self.n_tables
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The id of a word in the vocabulary.
    pub fn id(&self, word: u32) -> u32 {
        self.rows[word as usize * self.n_tables]
    }

    /// Takes a token's part of speech away: `row` of the input's packing.
    pub fn hide_pos(&self, input: &mut Input, row: usize) {
        if self.reads_pos {
            input.words[(row + 1) * self.n_tables - 1] = 0;
        }
    }

    /// Whether parts of speech are read.
    pub fn reads_pos(&self) -> bool {
        self.reads_pos
    }

    /// What a network reads of `sentences`, given as word numbers, longest first. `hidden` says of sentence
    /// r and token t whether the word itself is to be unknown; its affixes, its letters and its pretrained vector are not.
    pub fn input(
        &self,
        sentences: &[&[u32]],
        packing: &Packing,
        mut hidden: impl FnMut(usize, usize) -> bool,
    ) -> Input {
        let n = packing.rows();
        let mut words = vec![0; n * self.n_tables];
        let mut wide = vec![0; if self.wide_rows > 0 { n * WINDOW } else { 0 }];
        let mut vectors = vec![0; if self.vectors.is_empty() { 0 } else { n }];
        for (r, sentence) in sentences.iter().enumerate() {
            for (t, &word) in sentence.iter().enumerate() {
                let row = packing.row(r, t);
                if let Some(to) = vectors.get_mut(row) {
                    *to = self.vectors[word as usize];
                }
                let to = &mut words[row * self.n_tables..][..self.n_tables];
                to.copy_from_slice(&self.rows[word as usize * self.n_tables..][..self.n_tables]);
                if hidden(r, t) {
                    to[0] = UNK;
                }
                if self.wide_rows > 0 {
                    let form = |place: usize| &self.forms[sentence[place] as usize];
                    let features = window(t, sentence.len(), form);
                    let to = wide[row * WINDOW..][..WINDOW].iter_mut();
                    to.zip(features).for_each(|(to, f)| *to = (f % self.wide_rows) as u32);
                }
            }
        }
        let chars = (!self.spellings.is_empty()).then(|| self.spellings(sentences, packing));
        Input { packing: packing.clone(), words, wide, chars, vectors }
    }

    /// The distinct words of a shard as letters, longest first, and which of them each token is.
    fn spellings(&self, sentences: &[&[u32]], packing: &Packing) -> (Spellings, Vec<u32>) {
        let mut distinct: Vec<u32> = sentences.iter().flat_map(|s| s.iter().copied()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.sort_by_key(|&w| std::cmp::Reverse(self.spellings[w as usize].len()));
        let place: HashMap<u32, u32> = distinct.iter().copied().zip(0..).collect();
        let mut chars = Vec::new();
        let mut starts = vec![0];
        for &word in &distinct {
            chars.extend_from_slice(&self.spellings[word as usize]);
            starts.push(chars.len());
        }
        let mut word_of = vec![0; packing.rows()];
        for (r, sentence) in sentences.iter().enumerate() {
            for (t, word) in sentence.iter().enumerate() {
                word_of[packing.row(r, t)] = place[word];
            }
        }
        (Spellings::new(chars, starts), word_of)
    }
}

/// Ids of a word's characters; 0 for one that training did not show, and for a word without any.
fn spell(word: &str, letters: &HashMap<char, u32>) -> Vec<u32> {
    let all: Vec<u32> = word.chars().map(|c| letters.get(&c).copied().unwrap_or(0)).collect();
    match all.len() {
        0 => vec![0],
        n if n > SPELLING => [&all[..SPELLING / 2], &all[n - SPELLING / 2..]].concat(),
        _ => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Corpus;

    fn code() -> WordCode {
        let corpus = Corpus::from_pairs(&[("a b a", "O O O")]);
        WordCode {
            characters: false,
            vocab: Vocab::build(&corpus, &[0], 1, false),
            affix_rows: 10,
            affixes: None,
            wide_rows: 20,
            letters: true,
            alphabet: vec!['a', 'b'],
            vectors: None,
            pos: None,
        }
    }

    #[test]
    fn a_part_of_speech_is_one_more_row_and_one_that_is_unknown_is_row_0() {
        let code = WordCode { pos: Some(vec!["NN".into(), "VB".into()]), ..code() };
        assert_eq!(code.tables().last().unwrap(), &("pos".to_owned(), 3));
        let token = |word, pos| WithPos { word, pos };
        let tokens = [token("a", "VB"), token("a", "NN"), token("a", "X"), token("b", "")];
        let lexicon = Lexicon::new(tokens.into_iter(), &code);
        let packing = Packing::new(vec![4]);
        let mut input = lexicon.input(&[&[0, 1, 2, 3]], &packing, |_, _| false);
        let pos = |input: &Input| (1..=4).map(|n| input.words[10 * n - 1]).collect::<Vec<_>>();
        assert_eq!(pos(&input), [2, 1, 0, 0]);
        lexicon.hide_pos(&mut input, 0);
        assert_eq!(pos(&input), [0, 1, 0, 0]);
        // Words alone have no part of speech.
        assert_eq!(Lexicon::new(["a"].into_iter(), &code).rows[9], 0);
    }

    #[test]
    fn an_affix_that_is_not_known_reads_the_row_after_all_others() {
        let corpus = Corpus::from_pairs(&[("ab cab", "O O")]);
        let known = Some(KnownAffixes::of(&corpus, &[0], 1));
        let code = WordCode { affixes: known, ..code() };
        assert_eq!(code.tables()[1], ("lower".to_owned(), 11));
        let rows = |code: &WordCode| Lexicon::new(["cab", "ab", "xyab"].into_iter(), code).rows;
        let (ruled, free) = (rows(&code), rows(&WordCode { affixes: None, ..code.clone() }));
        assert_eq!(ruled[..18], free[..18]);
        // Of xyab, training showed the shape (as that of cab), and ab as the last two letters.
        let unknown: Vec<bool> = ruled[19..].iter().map(|&row| row == 10).collect();
        assert_eq!(unknown, [true, true, true, false, true, false, true, true]);
        assert!(ruled[19..].iter().zip(&free[19..]).all(|(&a, &b)| a == b || a == 10));
    }

    #[test]
    fn a_hidden_word_keeps_its_affixes_and_its_neighbours_features() {
        let code = code();
        let lexicon = Lexicon::new(["a", "b", "cab"].into_iter(), &code);
        let packing = Packing::new(vec![2, 1]);
        let sentences: [&[u32]; 2] = [&[0, 2], &[1]];
        let seen = lexicon.input(&sentences, &packing, |_, _| false);
        let hidden = lexicon.input(&sentences, &packing, |r, t| (r, t) == (0, 0));
        assert_eq!(seen.words.len(), 3 * 9);
        assert_eq!([seen.words[0], seen.words[9], seen.words[18]], [1, 2, 0]);
        assert_eq!(hidden.words[0], 0);
        assert_eq!(seen.words[1..], hidden.words[1..]);
        assert_eq!(seen.wide, hidden.wide);
        let (spellings, word_of) = seen.chars.unwrap();
        assert_eq!(spellings.chars(), [0, 1, 2, 1, 2]); // cab, a, b
        assert_eq!(word_of, [1, 2, 0]); // rows: a b | cab
    }

    #[test]
    fn long_words_keep_their_ends() {
        let letters = HashMap::from([('a', 1), ('z', 2)]);
        let word = format!("{}{}", "a".repeat(100), "z".repeat(100));
        let ids = spell(&word, &letters);
        assert_eq!((ids.len(), ids[0], ids[SPELLING - 1]), (SPELLING, 1, 2));
        assert_eq!(spell("", &letters), [0]);
    }
}
