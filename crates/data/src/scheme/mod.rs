//! Tag schemes: which tags may follow each other, and the spans that they stand for.
//!
//! ```text
//!                   Mary   Ann  Smith   of   Paris  Texas
//! spans             [PER 0..3)               [LOC 4..5) [LOC 5..6)
//! IOB1              I-PER  I-PER I-PER  O    I-LOC  B-LOC    B- only between neighbours of a type
//! IOB2 (BIO)        B-PER  I-PER I-PER  O    B-LOC  B-LOC    B- begins every span
//! IOBES (BIOES)     B-PER  I-PER E-PER  O    S-LOC  S-LOC    E- ends, S- is a span of one token
//! BILOU             B-PER  I-PER L-PER  O    U-LOC  U-LOC    the same under other letters
//! ```
//!
//! A tag is `O` or a letter, `-` and a type; the type is all that follows the *first* `-`, so it may
//! hold more of them. A bare letter (`B`, `I`, …) is a tag whose type is the empty string.
//!
//! Each scheme writes every set of spans in exactly one way, so [`convert`] loses nothing in either
//! direction. Tags that no set of spans has are illegal: [`validate`] counts them, [`repair`] puts
//! them right.

mod check;

pub use check::{Change, Illegal, Violations, convert_corpus, detect, repair, validate};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A way of writing spans as one tag per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `I-` everywhere, `B-` only where a span follows a neighbour of the same type.
    Iob1,
    /// `B-` on the first token of a span, `I-` on the others; also called BIO.
    Iob2,
    /// As IOB2, with `E-` on the last token and `S-` on a span's only one; also called BIOES.
    Iobes,
    /// As IOBES, with `L-` for `E-` and `U-` for `S-`.
    Bilou,
}

impl Scheme {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Iob1, Self::Iob2, Self::Iobes, Self::Bilou];

    /// Its name in options and files: `iob1`, `iob2`, `iobes` or `bilou`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iob1 => "iob1",
            Self::Iob2 => "iob2",
            Self::Iobes => "iobes",
            Self::Bilou => "bilou",
        }
    }

    /// The scheme with this name, in any case; `bio`, `bioes` and `bilou`'s aliases are known too.
    ///
    /// # Errors
    /// E027 for another name.
    pub fn parse(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "iob1" => Ok(Self::Iob1),
            "iob2" | "bio" | "iob" | "bio2" => Ok(Self::Iob2),
            "iobes" | "bioes" => Ok(Self::Iobes),
            "bilou" | "biluo" | "ioblu" => Ok(Self::Bilou),
            _ => Err(Error::new("E027", format!("no tag scheme {name:?}"))
                .help("the schemes are iob1, iob2 (bio), iobes (bioes) and bilou")),
        }
    }

    /// Letters of tags with a type, in the order in which a tag set lists them.
    #[must_use]
    pub fn letters(self) -> &'static [char] {
        match self {
            Self::Iob1 | Self::Iob2 => &['B', 'I'],
            Self::Iobes => &['B', 'I', 'E', 'S'],
            Self::Bilou => &['B', 'I', 'L', 'U'],
        }
    }

    /// Whether `next` may follow `prev` in this scheme; `None` stands for the edge of the sentence.
    ///
    /// ```
    /// use data::Scheme::{Iob2, Iobes};
    /// assert!(Iob2.allows(Some("B-org"), Some("I-org")) && !Iob2.allows(None, Some("I-org")));
    /// assert!(!Iobes.allows(Some("B-org"), None));
    /// ```
    #[must_use]
    pub fn allows(self, prev: Option<&str>, next: Option<&str>) -> bool {
        let role = |tag: Option<&'_ str>| tag.map_or(EDGE, |tag| Role::of(tag, self));
        match (role(prev), role(next)) {
            (Some(p), Some(n)) => {
                let label = |tag| split_tag(tag).map_or("", |(_, label)| label);
                let same = prev.map(label) == next.map(label);
                self.follows(p, n, same)
            }
            _ => false,
        }
    }

    /// Whether a token in role `next` may follow one in role `prev`; the edge counts as outside.
    fn follows(self, prev: Role, next: Role, same_label: bool) -> bool {
        use Role::{Begin, End, Inside};
        let continues = matches!(prev, Begin | Inside) && same_label;
        match self {
            Self::Iob1 => next != Begin || continues,
            Self::Iob2 => next != Inside || continues,
            Self::Iobes | Self::Bilou => {
                let wants_more = matches!(prev, Begin | Inside);
                let is_more = matches!(next, Inside | End);
                wants_more == is_more && (!is_more || same_label)
            }
        }
    }

    fn tag(self, role: Role, label: &str) -> String {
        let letter = match (role, self) {
            (Role::Outside, _) => return "O".to_string(),
            (Role::Begin, _) => 'B',
            (Role::Inside, _) => 'I',
            (Role::End, Self::Bilou) => 'L',
            (Role::End, _) => 'E',
            (Role::Single, Self::Bilou) => 'U',
            (Role::Single, _) => 'S',
        };
        join_tag(letter, label)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a tag says about its token, whatever the scheme calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Outside,
    Begin,
    Inside,
    End,
    Single,
}

const EDGE: Option<Role> = Some(Role::Outside);

impl Role {
    /// `None` for what is no tag of the scheme.
    fn of(tag: &str, scheme: Scheme) -> Option<Self> {
        let (letter, _) = split_tag(tag)?;
        if letter != 'O' && !scheme.letters().contains(&letter) {
            return None;
        }
        Some(match letter {
            'O' => Self::Outside,
            'B' => Self::Begin,
            'I' => Self::Inside,
            'E' | 'L' => Self::End,
            _ => Self::Single,
        })
    }
}

/// Letter and type of a tag of any scheme, `('O', "")` for `O`, `None` for anything else.
///
/// ```
/// use data::scheme::split_tag;
/// assert_eq!(split_tag("B-per-son"), Some(('B', "per-son")));
/// assert_eq!([split_tag("O"), split_tag("NNP"), split_tag("B-")], [Some(('O', "")), None, None]);
/// ```
#[must_use]
pub fn split_tag(tag: &str) -> Option<(char, &str)> {
    let mut rest = tag.chars();
    let letter = rest.next()?;
    let rest = rest.as_str();
    if !matches!(letter, 'O' | 'B' | 'I' | 'E' | 'S' | 'L' | 'U') {
        return None;
    }
    match rest.strip_prefix('-') {
        None if rest.is_empty() => Some((letter, "")),
        Some(label) if !label.is_empty() && letter != 'O' => Some((letter, label)),
        _ => None,
    }
}

/// The tag of this letter and type; the opposite of [`split_tag`].
#[must_use]
pub fn join_tag(letter: char, label: &str) -> String {
    if label.is_empty() { letter.to_string() } else { format!("{letter}-{label}") }
}

/// An entity: tokens `start..end` of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span<'a> {
    /// First token.
    pub start: usize,
    /// One past the last token.
    pub end: usize,
    /// Its type, such as `geo`.
    pub label: &'a str,
}

/// The spans of a sentence whose tags are legal.
///
/// # Errors
/// The place of the first token whose tag is illegal, as [`validate`] would say it.
pub fn spans<'a>(tags: &[&'a str], scheme: Scheme) -> std::result::Result<Vec<Span<'a>>, usize> {
    for (place, &tag) in tags.iter().enumerate() {
        let prev = place.checked_sub(1).map(|before| tags[before]);
        if !scheme.allows(prev, Some(tag)) {
            return Err(place);
        }
    }
    match tags.last() {
        Some(&last) if !scheme.allows(Some(last), None) => Err(tags.len() - 1),
        _ => Ok(spans_leniently(tags)),
    }
}

/// The spans of a sentence whatever its tags, read as the `conlleval` program reads IOB and with the
/// letters of all schemes: a span begins at `B`, `S`, `U`, at any entity tag after `O` or after
/// another type, and after `E`, `L`, `S`, `U`; a word that is no tag counts as a type without letter.
#[must_use]
pub fn spans_leniently<'a>(tags: &[&'a str]) -> Vec<Span<'a>> {
    let mut spans: Vec<Span<'a>> = Vec::new();
    let mut open = false; // may the last span go on?
    for (place, &tag) in tags.iter().enumerate() {
        let (letter, label) = split_tag(tag).unwrap_or(('I', tag));
        if letter == 'O' {
            open = false;
            continue;
        }
        match spans.last_mut() {
            Some(last) if open && last.label == label && !matches!(letter, 'B' | 'S' | 'U') => {
                last.end = place + 1;
            }
            _ => spans.push(Span { start: place, end: place + 1, label }),
        }
        open = matches!(letter, 'B' | 'I');
    }
    spans
}

/// Tags of a sentence of `n` tokens with these spans, which must be in order and apart.
///
/// # Panics
/// When spans overlap, are empty, out of order or out of the sentence.
#[must_use]
pub fn encode(spans: &[Span<'_>], n: usize, scheme: Scheme) -> Vec<String> {
    let mut tags = Vec::with_capacity(n);
    for (i, span) in spans.iter().enumerate() {
        let fits = tags.len() <= span.start && span.start < span.end && span.end <= n;
        assert!(fits, "span {span:?} after {} of {n} tokens", tags.len());
        tags.resize(span.start, "O".to_string());
        let touches = i.checked_sub(1).map(|before| spans[before]);
        let touches = touches.is_some_and(|p| p.end == span.start && p.label == span.label);
        for place in span.start..span.end {
            let (first, last) = (place == span.start, place + 1 == span.end);
            tags.push(scheme.tag(role(scheme, first, last, touches), span.label));
        }
    }
    tags.resize(n, "O".to_string());
    tags
}

fn role(scheme: Scheme, first: bool, last: bool, touches_same: bool) -> Role {
    match (scheme, first, last) {
        (Scheme::Iobes | Scheme::Bilou, true, true) => Role::Single,
        (Scheme::Iobes | Scheme::Bilou, false, true) => Role::End,
        (Scheme::Iob1, true, _) if !touches_same => Role::Inside,
        (_, true, _) => Role::Begin,
        _ => Role::Inside,
    }
}

/// The tags of a sentence in another scheme; nothing is lost.
///
/// # Errors
/// E005 when they are not legal in `from`.
pub fn convert(tags: &[&str], from: Scheme, to: Scheme) -> Result<Vec<String>> {
    let spans = spans(tags, from).map_err(|place| {
        let prev = place.checked_sub(1).map(|before| tags[before]);
        Error::new("E005", transition(prev, tags[place], from))
            .help("repair the tags first (`longhand convert FILE OUT --repair`)")
    })?;
    Ok(encode(&spans, tags.len(), to))
}

fn transition(prev: Option<&str>, tag: &str, scheme: Scheme) -> String {
    match prev {
        _ if split_tag(tag).is_none() => format!("{tag:?} is no tag"),
        _ if Role::of(tag, scheme).is_none() => format!("{tag} is no tag of {scheme}"),
        // What came before allows the tag, so it is what follows that is missing.
        _ if scheme.allows(prev, Some(tag)) => format!("sentence ends with {tag}"),
        Some(prev) => format!("{tag} after {prev}"),
        None => format!("sentence begins with {tag}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Scheme::{Bilou, Iob1, Iob2, Iobes};
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<&str> {
        text.split(' ').collect()
    }

    #[test]
    fn the_same_spans_in_all_four_schemes() {
        let written = [
            (Iob1, "I-P I-P O I-L B-L I-P O I"),
            (Iob2, "B-P I-P O B-L B-L B-P O B"),
            (Iobes, "B-P E-P O S-L S-L S-P O S"),
            (Bilou, "B-P L-P O U-L U-L U-P O U"),
        ];
        for (from, tags) in &written {
            for (to, expected) in &written {
                assert_eq!(
                    convert(&words(tags), *from, *to).unwrap(),
                    words(expected),
                    "{from} {to}"
                );
            }
        }
    }

    #[test]
    fn only_iob1_marks_neighbours_of_one_type_and_nothing_else() {
        let spans = [(0, 1, "P"), (1, 2, "P"), (2, 3, "L")];
        let spans = spans.map(|(start, end, label)| Span { start, end, label });
        assert_eq!(encode(&spans, 3, Iob1), words("I-P B-P I-L"));
    }

    #[test]
    fn a_type_is_all_that_follows_the_first_hyphen() {
        let tags = words("B-per-son I-per-son B-per I-per");
        let spans: Vec<_> = spans(&tags, Iob2).unwrap();
        assert_eq!(spans[0], Span { start: 0, end: 2, label: "per-son" });
        assert_eq!(encode(&spans, 4, Iobes), words("B-per-son E-per-son B-per E-per"));
    }

    #[test]
    fn the_first_illegal_tag_is_named_by_its_place() {
        let cases = [
            (Iob2, "O I-P", 1),
            (Iob2, "B-P I-L", 1),
            (Iob1, "B-P O", 0),
            (Iob1, "I-P B-L", 1),
            (Iobes, "B-P O", 1),
            (Iobes, "O B-P", 1),
            (Iobes, "S-P E-P", 1),
            (Iobes, "B-P U-P", 1),
            (Bilou, "B-P I-P L-L", 2),
            (Iob2, "O PER", 1),
        ];
        for (scheme, tags, place) in cases {
            assert_eq!(spans(&words(tags), scheme), Err(place), "{scheme}: {tags}");
        }
    }

    /// Gaps before spans, span lengths and types, so that any list makes spans in order.
    fn any_spans() -> impl Strategy<Value = (Vec<(usize, usize, usize)>, usize)> {
        (prop::collection::vec((0..3usize, 1..4usize, 0..3usize), 0..8), 0..3usize)
    }

    fn place<'a>(spans: &[(usize, usize, usize)], rest: usize) -> (Vec<Span<'a>>, usize) {
        let mut n = 0;
        let mut placed = Vec::new();
        for &(gap, len, label) in spans {
            placed.push(Span {
                start: n + gap,
                end: n + gap + len,
                label: ["a", "b-c", ""][label],
            });
            n += gap + len;
        }
        (placed, n + rest)
    }

    proptest! {
        #[test]
        fn spans_survive_every_scheme_and_legal_tags_are_read_the_same_by_both_readers(
            (drawn, rest) in any_spans()
        ) {
            let (expected, n) = place(&drawn, rest);
            for from in Scheme::ALL {
                let tags = encode(&expected, n, from);
                let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
                prop_assert_eq!(&spans(&tags, from), &Ok(expected.clone()));
                prop_assert_eq!(&spans_leniently(&tags), &expected);
                for to in Scheme::ALL {
                    let there = convert(&tags, from, to).unwrap();
                    let there: Vec<&str> = there.iter().map(String::as_str).collect();
                    prop_assert_eq!(convert(&there, to, from).unwrap(), tags.clone());
                }
            }
        }
    }
}
