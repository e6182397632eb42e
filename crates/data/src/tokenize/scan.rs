//! The walk through a text that finds where tokens begin and end.
//!
//! A text is cut at white space, and each piece from left to right: a word with all that belongs to
//! it (hyphens, inner periods, an apostrophe), else one mark. A word is then cut once more where a
//! contraction hides in it.

use std::ops::Range;

use super::abbreviations::{begins_sentence, kind};

/// Tokens as ranges of bytes.
pub fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut scan = Scan { text, pieces: Vec::with_capacity(text.len() / 5) };
    let mut rest = 0;
    while let Some(offset) = text[rest..].find(|c: char| !c.is_whitespace()) {
        let start = rest + offset;
        let length = text[start..].find(char::is_whitespace);
        let end = length.map_or(text.len(), |length| start + length);
        scan.chunk(start, end);
        rest = end;
    }
    scan.pieces
}

struct Scan<'a> {
    text: &'a str,
    pieces: Vec<Range<usize>>,
}

impl<'a> Scan<'a> {
    /// Cuts `start..end`, which holds no white space.
    fn chunk(&mut self, start: usize, end: usize) {
        let mut at = start;
        while let Some(first) = self.char_at(at, end) {
            let stop = match self.address(at, end) {
                Some(stop) => stop,
                None if is_word(first) => self.word(at, end),
                None => self.mark(at, end, first),
            };
            if is_word(first) {
                self.push_word(at, stop)
            } else {
                self.pieces.push(at..stop)
            }
            at = stop;
        }
    }

    fn char_at(&self, at: usize, end: usize) -> Option<char> {
        self.text[at..end].chars().next()
    }

    /// The end of an address of the web that begins here. Marks at its end belong to the sentence.
    fn address(&self, at: usize, end: usize) -> Option<usize> {
        const SCHEMES: [&str; 4] = ["http://", "https://", "ftp://", "www."];
        let address = &self.text[at..end];
        let has_scheme = |scheme: &&str| {
            address.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
        };
        let scheme = SCHEMES.into_iter().find(has_scheme)?;
        let count = |wanted| address.bytes().filter(|&byte| byte == wanted).count();
        let (opened, mut closed) = (count(b'('), count(b')'));
        let trimmed = address.trim_end_matches(|last: char| match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '"' | '\'' | '>' | ']' | '}' => true,
            '”' | '’' | '»' => true,
            ')' if closed > opened => {
                closed -= 1;
                true
            }
            _ => false,
        });
        (trimmed.len() > scheme.len()).then_some(at + trimmed.len())
    }

    /// The end of the word that begins at `start`.
    fn word(&self, start: usize, end: usize) -> usize {
        let mut chars = self.text[start..end].char_indices();
        let (_, mut prev) = chars.next().expect("a word has a first character");
        let mut stop = start + prev.len_utf8();
        if is_cjk(prev) {
            return self.skip_extenders(stop, end);
        }
        while let Some(c) = self.char_at(stop, end) {
            let after = stop + c.len_utf8();
            let next = self.char_at(after, end);
            let goes_on = match c {
                _ if is_word(c) => !is_cjk(c),
                '.' => self.period_joins(start, stop, end, prev),
                _ => joins(prev, c, next),
            };
            if !goes_on {
                break;
            }
            (prev, stop) = (c, after);
        }
        if self.text[stop..end].starts_with('.') && self.owns_period(start, stop, end) {
            stop += 1;
        }
        stop
    }

    /// Whether the word goes on after the period at `dot`.
    fn period_joins(&self, start: usize, dot: usize, end: usize, prev: char) -> bool {
        let mut rest = self.text[dot + 1..end].chars();
        let (Some(next), after) = (rest.next(), rest.next()) else { return false };
        let word = &self.text[start..dot];
        if next == '-' {
            // U.S.-led
            return after.is_some_and(is_word) && kind(word).is_some();
        }
        if !is_word(next) || is_cjk(next) {
            return false;
        }
        // `… the end.Then …`: somebody forgot the blank. Not so in `S.p.A.` and `Amazon.com`.
        let new_word = next.is_uppercase() && after.is_some_and(char::is_lowercase);
        !(new_word && (prev.is_lowercase() || prev.is_numeric()))
    }

    /// Whether the period at `dot` belongs to the word before it and not to the sentence.
    fn owns_period(&self, start: usize, dot: usize, end: usize) -> bool {
        let word = &self.text[start..dot];
        let mut rest = self.text[dot + 1..].chars();
        let next = rest.next();
        if next == Some('.') {
            return false; // an ellipsis
        }
        if kind(word).is_some() {
            return true;
        }
        let after = self.text[dot + 1..].trim_start();
        let spaced = dot + 1 == end;
        match word {
            "No" | "no" | "Nos" | "Nr" | "nr" => after.starts_with(|c: char| c.is_ascii_digit()),
            "al" => self.pieces.last().is_some_and(|last| &self.text[last.clone()] == "et"),
            // An initial: a letter before a name. At the end of a text or before a word that begins
            // sentences (World War I. The …) the period is the sentence's.
            _ if is_capital(word) => {
                let name: &str = first_word(after);
                next == Some(',')
                    || (spaced && name.starts_with(char::is_uppercase) && !begins_sentence(name))
            }
            // f.eks. and bl.a. in Danish, z.B. in German: no sentence goes on with a small letter.
            _ if word.contains('.') => spaced && after.starts_with(char::is_lowercase),
            _ => false,
        }
    }

    /// The end of what begins with something else than a word.
    fn mark(&self, start: usize, end: usize, first: char) -> usize {
        let stop = start + first.len_utf8();
        let rest = &self.text[stop..end];
        let next_is = |test: fn(char) -> bool| rest.starts_with(test);
        match first {
            '\'' | '’' | '‘' | '`' if self.apostrophe(rest).is_some() => {
                stop + self.apostrophe(rest).unwrap_or(0)
            }
            '#' if next_is(char::is_alphabetic) => self.word(stop, end), // a hash tag
            '@' if next_is(is_word) => self.word(stop, end),             // a name in a network
            '°' if next_is(|c| matches!(c, 'C' | 'F')) && !rest[1..].starts_with(is_word) => {
                stop + 1
            }
            // Dashes, dots and rulers are one mark whatever their length; so are `` and ''.
            '.' | '-' | '*' | '=' | '~' | '#' | '+' | '<' | '>' => {
                stop + (rest.len() - rest.trim_start_matches(first).len())
            }
            '`' | '\'' if rest.starts_with(first) => stop + 1,
            _ => self.skip_extenders(stop, end),
        }
    }

    /// How much of what follows an apostrophe at the start of a token belongs to it: `'s` and its kin
    /// after a blank or a bracket, and decades (`'80s`).
    fn apostrophe(&self, rest: &str) -> Option<usize> {
        let word = rest.len() - rest.trim_start_matches(is_word).len();
        let word = &rest[..word];
        let digits = word.trim_end_matches('s');
        let is_decade = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let is_ending = SUFFIXES.iter().any(|suffix| word.eq_ignore_ascii_case(suffix));
        (is_decade || is_ending).then_some(word.len())
    }

    /// Marks that are drawn onto the character before them stay with it, as do joined pictures and
    /// the two halves of a flag.
    fn skip_extenders(&self, at: usize, end: usize) -> usize {
        const JOINER: char = '\u{200d}';
        let is_flag = |c: char| ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
        let mut stop = at;
        let mut prev = self.text[..at].chars().next_back().unwrap_or(' ');
        let mut flags = usize::from(is_flag(prev));
        for c in self.text[at..end].chars() {
            let second_half = is_flag(c) && flags == 1;
            let joined = prev == JOINER && !c.is_alphanumeric();
            if !(extends(c) || joined || second_half) {
                break;
            }
            flags += usize::from(second_half);
            stop += c.len_utf8();
            prev = c;
        }
        stop
    }

    /// Pushes a word, cut where `n't`, `'s` and the like begin, and `cannot` in two.
    fn push_word(&mut self, start: usize, end: usize) {
        let before = self.pieces.len();
        let word = &self.text[start..end];
        let mut stop = word.len();
        if !word.contains('/') {
            // Endings are found from the last to the first.
            while let Some(cut) = contraction(&word[..stop]) {
                self.pieces.push(start + cut..start + stop);
                stop = cut;
            }
        }
        if word[..stop].eq_ignore_ascii_case("cannot") {
            self.pieces.push(start + 3..start + stop);
            stop = 3;
        }
        self.pieces.push(start..start + stop);
        self.pieces[before..].reverse();
    }
}

/// What may follow an apostrophe as a word of its own; `t` is in `n't` only.
const SUFFIXES: [&str; 6] = ["s", "m", "d", "re", "ve", "ll"];

/// Where in the word its contracted ending begins, if it has one.
fn contraction(word: &str) -> Option<usize> {
    let (at, apostrophe) = word.char_indices().rev().find(|&(_, c)| matches!(c, '\'' | '’'))?;
    let ending = &word[at + apostrophe.len_utf8()..];
    if SUFFIXES.iter().any(|suffix| ending.eq_ignore_ascii_case(suffix)) {
        return (at > 0).then_some(at);
    }
    // did|n't
    let is_not = ending.eq_ignore_ascii_case("t") && word[..at].ends_with(['n', 'N']) && at > 1;
    is_not.then(|| at - 1)
}

/// Whether a mark between `prev` and `next` is a part of the word; `None` is the end of the piece.
fn joins(prev: char, mark: char, next: Option<char>) -> bool {
    let both = |test: fn(char) -> bool| test(prev) && next.is_some_and(test);
    match mark {
        // A hyphen stays even at the end: oil- and gas-rich.
        '-' | '\u{2010}' | '\u{2011}' => next.is_none_or(|c| is_word(c) && !is_cjk(c)),
        '\'' | '’' => prev.is_alphanumeric() && next.is_some_and(char::is_alphabetic),
        ',' | ':' | '/' => both(|c| c.is_ascii_digit()),
        '&' => both(char::is_uppercase),
        '+' => prev.is_alphabetic() || prev == '+',
        '@' | '~' | '·' => both(is_word),
        _ => false,
    }
}

fn is_capital(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(char::is_uppercase) && chars.next().is_none()
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

/// Letters, digits and what is drawn onto them; the underscore as in names of programs.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || extends(c)
}

/// Scripts that set no blanks and are cut into single characters: Han, Hiragana, Katakana.
fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9d}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Combining marks that are no letters to Unicode, joiners, variation selectors, skin colours: what
/// never stands alone. Vowel signs of Indic scripts count as letters there and need no entry.
fn extends(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{200c}' | '\u{200d}' // soft hyphen, joiners
        | '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}' | '\u{5c4}'..='\u{5c5}' // Hebrew
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}' // Arabic
        | '\u{6df}'..='\u{6e4}' | '\u{6ea}'..='\u{6ed}' | '\u{730}'..='\u{74a}'
        | '\u{93c}' | '\u{94d}' | '\u{951}'..='\u{954}' | '\u{9bc}' | '\u{9cd}' // Indic
        | '\u{a3c}' | '\u{a4d}' | '\u{abc}' | '\u{acd}' | '\u{b3c}' | '\u{b4d}' | '\u{bcd}'
        | '\u{c3c}' | '\u{c4d}' | '\u{cbc}' | '\u{ccd}' | '\u{d3b}'..='\u{d3c}' | '\u{d4d}' | '\u{dca}'
        | '\u{e38}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{ec8}'..='\u{ece}' // Thai, Lao
        | '\u{f35}' | '\u{f37}' | '\u{f39}' | '\u{f71}'..='\u{f84}' // Tibetan
        | '\u{1037}' | '\u{1039}'..='\u{103a}' | '\u{17c9}'..='\u{17d3}' | '\u{17dd}'
        | '\u{3099}'..='\u{309a}' // Japanese voicing
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{e0020}'..='\u{e007f}'
        | '\u{1f3fb}'..='\u{1f3ff}')
}
