//! An entity in its text.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A labelled stretch of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// First character, counted from 0 in Unicode scalar values (as Python counts).
    pub start: usize,
    /// One past the last character.
    pub end: usize,
    /// First byte in UTF-8.
    pub byte_start: usize,
    /// One past the last byte.
    pub byte_end: usize,
    /// Entity type.
    pub label: String,
    /// What stands there.
    pub text: String,
    /// Probability of this entity, 0 to 1, where the model tells it.
    pub score: Option<f64>,
}

/// Entities from byte ranges of `text`, given from left to right with label and score.
///
/// ```
/// let text = "Zoë saw Łódź";
/// let found = report::entities(text, [(0..4, "per", None), (9..16, "geo", Some(0.9))]);
/// assert_eq!((found[1].start, found[1].end), (8, 12));
/// assert_eq!(found[1].text, "Łódź");
/// ```
///
/// # Panics
///
/// If a range is not within the text, cuts a character, or begins before the one ahead of it.
pub fn entities<L: Into<String>>(
    text: &str,
    spans: impl IntoIterator<Item = (Range<usize>, L, Option<f64>)>,
) -> Vec<Entity> {
    let (mut byte, mut character) = (0, 0);
    let mut entities = Vec::new();
    for (bytes, label, score) in spans {
        assert!(bytes.start >= byte, "{bytes:?} comes after a span that begins at {byte}");
        character += text[byte..bytes.start].chars().count();
        byte = bytes.start;
        let inside = &text[bytes.clone()];
        entities.push(Entity {
            start: character,
            end: character + inside.chars().count(),
            byte_start: bytes.start,
            byte_end: bytes.end,
            label: label.into(),
            text: inside.to_owned(),
            score,
        });
    }
    entities
}

/// A text cut at the borders of its entities; joined, the pieces are the text.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece<'a> {
    Plain(&'a str),
    Entity(&'a str, &'a Entity),
}

/// Cuts `text`; entities may come in any order.
///
/// Panics if two entities overlap or one does not lie in the text.
pub(crate) fn pieces<'a>(text: &'a str, entities: &'a [Entity]) -> Vec<Piece<'a>> {
    let mut sorted: Vec<&Entity> = entities.iter().collect();
    sorted.sort_by_key(|entity| (entity.byte_start, entity.byte_end));
    let mut pieces = Vec::new();
    let mut done = 0;
    for entity in sorted {
        let Entity { byte_start: start, byte_end: end, label, .. } = entity;
        assert!(done <= *start, "entity {label} {start}..{end} overlaps one that ends at {done}");
        pieces.push(Piece::Plain(&text[done..*start]));
        pieces.push(Piece::Entity(&text[*start..*end], entity));
        done = *end;
    }
    pieces.push(Piece::Plain(&text[done..]));
    pieces.retain(|piece| *piece != Piece::Plain(""));
    pieces
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any text with any entities that do not overlap, in any order.
    pub(crate) fn tagged_text() -> impl Strategy<Value = (String, Vec<Entity>)> {
        let text = proptest::collection::vec(character(), 0..60);
        let cuts =
            proptest::collection::vec((any::<prop::sample::Index>(), "[a-z\"<&]{1,3}"), 0..9);
        (text, cuts).prop_map(|(characters, cuts)| {
            let text: String = characters.into_iter().collect();
            let borders: Vec<usize> =
                text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect();
            let mut cuts: Vec<(usize, String)> =
                cuts.into_iter().map(|(cut, label)| (*cut.get(&borders), label)).collect();
            cuts.sort();
            let spans =
                cuts.chunks_exact(2).map(|two| (two[0].0..two[1].0, two[0].1.clone(), None));
            let mut entities = entities(&text, spans);
            entities.reverse();
            (text, entities)
        })
    }

    fn character() -> impl Strategy<Value = char> {
        prop_oneof![
            proptest::sample::select(
                &['<', '>', '&', '"', '\'', ';', '#', '\r', '\n', '\t', ' '][..]
            ),
            proptest::sample::select(
                &['\x01', '\x0c', '\x1b', '\x7f', '\u{80}', '\u{85}', '\u{a0}'][..]
            ),
            proptest::sample::select(
                &['\u{ad}', '\u{2028}', '\u{200f}', '\u{feff}', '\u{fffe}', '🜁'][..]
            ),
            "[a-z]".prop_map(|s| s.chars().next().expect("one letter")),
            any::<char>().prop_filter("HTML has no NUL", |c| *c != '\0'),
        ]
    }

    proptest! {
        #[test]
        fn joined_pieces_are_the_text((text, entities) in tagged_text()) {
            let joined: String = pieces(&text, &entities)
                .iter()
                .map(|piece| match piece { Piece::Plain(s) | Piece::Entity(s, _) => *s })
                .collect();
            prop_assert_eq!(joined, text);
        }

        #[test]
        fn character_offsets_and_byte_offsets_cut_out_the_same((text, entities) in tagged_text()) {
            for e in &entities {
                let by_characters: String = text.chars().skip(e.start).take(e.end - e.start).collect();
                prop_assert_eq!(&by_characters, &e.text);
                prop_assert_eq!(&text[e.byte_start..e.byte_end], &e.text);
            }
        }
    }

    #[test]
    #[should_panic(expected = "entity geo 2..4 overlaps one that ends at 3")]
    fn overlapping_entities_are_named() {
        let one = entities("abcdef", [(0..3, "per", None)]);
        let two = entities("abcdef", [(2..4, "geo", None)]);
        pieces("abcdef", &[one, two].concat());
    }
}
