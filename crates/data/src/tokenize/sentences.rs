//! Tokens to sentences.

use std::ops::Range;

use super::Token;
use super::abbreviations::{Kind, begins_sentence, kind};

/// Where sentences begin and end, as ranges of token numbers that cover all tokens in order.
///
/// A sentence ends after `.`, `?`, `!`, an ellipsis or their East Asian kin, with the quotes and
/// brackets that close after it, if the next token does not begin with a small letter; after an
/// abbreviation only if the next word is one that begins sentences; and at every blank line.
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
    let mut found = Vec::new();
    let mut start = 0;
    let mut core = None; // last token of this sentence that is no closing mark
    let mut in_quotes = false; // by straight quotes, counted since the last blank line
    for next in 1..tokens.len() {
        let last = tokens[next - 1];
        if !closes(last.text(text)) {
            core = Some(last);
        }
        in_quotes ^= last.text(text) == "\"";
        let blank_line = is_blank_line(&text[last.end..tokens[next].start]);
        in_quotes &= !blank_line;
        let ends = core.is_some_and(|core| ends_before(core, last, tokens[next], text, in_quotes));
        if blank_line || ends {
            found.push(start..next);
            (start, core) = (next, None);
        }
    }
    if start < tokens.len() {
        found.push(start..tokens.len());
    }
    found
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
