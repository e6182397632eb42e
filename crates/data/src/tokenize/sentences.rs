//! Tokens to sentences.

use std::ops::Range;

use super::Token;
use super::abbreviations::{Kind, begins_sentence, kind};

/// So many tokens are a sentence, whatever comes: a text without a stop must not need memory without end.
pub(super) const LONGEST: usize = 2000;

/// Where sentences begin and end, as ranges of token numbers that cover all tokens in order.
///
/// A sentence ends after `.`, `?`, `!`, an ellipsis or their East Asian kin, with the quotes and
/// brackets that close after it, if the next token does not begin with a small letter; after an
/// abbreviation only if the next word is one that begins sentences; and at every blank line. After
/// 2,000 tokens it ends in any case.
///
/// ```
/// let text = "Mr. Li lives in the U.S. He asked, \"Why?\" and left.\n\nNew York";
/// let tokens = data::tokenize(text);
/// let cut = data::sentences(&tokens, text);
/// let words = |i: usize| tokens[cut[i].clone()].iter().map(|token| token.text(text));
/// assert_eq!(cut.len(), 3);
/// assert_eq!(words(0).last(), Some("U.S."));
/// assert_eq!(words(2).collect::<Vec<_>>(), ["New", "York"]);
/// ```
#[must_use]
pub fn sentences(tokens: &[Token], text: &str) -> Vec<Range<usize>> {
    Quotes::default().cut(tokens, text)
}

/// Whether a straight quote is open: all that the sentences of a text that comes in pieces need of the
/// pieces before.
///
/// ```
/// let text = "Is it so? He left. \"No. \" said Ann. She went home ";
/// let mut quotes = data::Quotes::default();
/// let (tokens, cut, rest) = quotes.cut_begun(text);
/// assert_eq!((cut.len(), &text[rest..]), (3, "She went home "));
/// assert_eq!(tokens[cut[2].end - 1].text(text), ".");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotes {
    /// Counted since the last blank line.
    open: bool,
}

impl Quotes {
    /// The sentences of a text that goes on where the last one ended, as [`sentences`] has them.
    #[must_use]
    pub fn cut(&mut self, tokens: &[Token], text: &str) -> Vec<Range<usize>> {
        self.walk(tokens, text, |_, _| {})
    }

    /// The sentences of a text whose end is still to come: those that are over whatever comes, their
    /// tokens, and the byte where the rest begins. The rest goes before what comes next; `text` ends with
    /// white space.
    #[must_use]
    pub fn cut_begun(&mut self, text: &str) -> (Vec<Token>, Vec<Range<usize>>, usize) {
        let mut tokens = crate::tokenize(text);
        // A piece is tokenised alike from any white space on; a rest begins behind some. The last word may
        // be cut otherwise, and a period stand alone or not, once the next is there.
        let (mut rest, mut quotes) = (0, *self);
        let mut walker = *self;
        let mut sentences = walker.walk(&tokens, text, |next, open| {
            let start = tokens[next].start;
            if next + 2 < tokens.len() && text[..start].ends_with(char::is_whitespace) {
                (rest, quotes) = (next, Self { open });
            }
        });
        *self = quotes;
        let byte = if rest == 0 { 0 } else { tokens[rest].start };
        sentences.retain(|sentence| sentence.end <= rest);
        tokens.truncate(rest);
        (tokens, sentences, byte)
    }

    /// Tells `each` where a sentence begins after another, and whether a quote is open there.
    fn walk(
        &mut self,
        tokens: &[Token],
        text: &str,
        mut each: impl FnMut(usize, bool),
    ) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut start = 0;
        let mut core = None; // last token of this sentence that is no closing mark
        for next in 1..tokens.len() {
            let last = tokens[next - 1];
            if !closes(last.text(text)) {
                core = Some(last);
            }
            self.open ^= last.text(text) == "\"";
            let blank_line = is_blank_line(&text[last.end..tokens[next].start]);
            self.open &= !blank_line;
            let ends =
                core.is_some_and(|core| ends_before(core, last, tokens[next], text, self.open));
            if blank_line || ends || next - start >= LONGEST {
                found.push(start..next);
                (start, core) = (next, None);
                each(next, self.open);
            }
        }
        if start < tokens.len() {
            found.push(start..tokens.len());
        }
        found
    }
}

fn is_blank_line(gap: &str) -> bool {
    gap.bytes().filter(|&byte| byte == b'\n').count() > 1
}

/// Whether a sentence with the end `core`, then marks up to `last` that close, stops before `next`.
fn ends_before(core: Token, last: Token, next: Token, text: &str, in_quotes: bool) -> bool {
    let (end, next_word) = (core.text(text), next.text(text));
    if is_east_asian_stop(end) {
        return !closes(next_word);
    }
    // A straight quote that touches the stop closes. One that stands off on both sides, as in text
    // that is cut into tokens already, closes if one is open.
    let apart = next.start > last.end;
    if !apart || never_begins(next_word) || (next_word == "\"" && in_quotes) {
        return false;
    }
    if is_stop(end) {
        return !next_word.starts_with(char::is_lowercase);
    }
    let abbreviation = end.strip_suffix('.').and_then(kind);
    abbreviation == Some(Kind::Other) && core == last && begins_sentence(next_word)
}

fn is_stop(token: &str) -> bool {
    matches!(token, "." | "?" | "!" | "…") || (token.len() > 1 && token.bytes().all(|b| b == b'.'))
}

fn is_east_asian_stop(token: &str) -> bool {
    matches!(token, "。" | "！" | "？" | "．")
}

fn closes(token: &str) -> bool {
    matches!(token, "\"" | "'" | "''" | "”" | "’" | "»" | ")" | "]" | "}" | "」" | "』")
}

fn never_begins(token: &str) -> bool {
    matches!(
        token,
        "," | ";" | ":" | "." | "?" | "!" | "%" | ")" | "]" | "}" | "''" | "”" | "»" | "」" | "』"
    )
}
