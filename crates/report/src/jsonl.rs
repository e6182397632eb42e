//! One document as one line of JSON, in the shapes that displaCy (`manual=True`) and spaCy's
//! `Doc.from_json` take.

use std::ops::Range;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::Entity;

/// What `start` and `end` count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offsets {
    /// Unicode scalar values, as Python counts.
    #[default]
    Chars,
    /// Bytes of UTF-8, as Rust and Go count.
    Bytes,
    /// UTF-16 units, as JavaScript, Java and C# count.
    Utf16,
}

struct Line<'a> {
    text: &'a str,
    ents: Vec<Ent<'a>>,
    rest: &'a [(String, Box<RawValue>)],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("text", self.text)?;
        map.serialize_entry("ents", &self.ents)?;
        self.rest.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

#[derive(Serialize)]
struct Ent<'a> {
    start: usize,
    end: usize,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

/// The line, without a line end. `start` and `end` count characters; a score has six decimals and
/// is left out where there is none.
///
/// ```
/// let text = "London calling";
/// let found = report::entities(text, [(0..6, "geo", Some(0.98))]);
/// assert_eq!(
///     report::jsonl::line(text, &found),
///     r#"{"text":"London calling","ents":[{"start":0,"end":6,"label":"geo","text":"London","score":0.98}]}"#
/// );
/// ```
pub fn line(text: &str, entities: &[Entity]) -> String {
    line_with(text, entities, Offsets::Chars, &[])
}

/// As [`line()`], with other offsets, and with more fields behind, as they are.
pub fn line_with(
    text: &str,
    entities: &[Entity],
    offsets: Offsets,
    rest: &[(String, Box<RawValue>)],
) -> String {
    let places = places(text, entities, offsets);
    let ents = entities.iter().zip(places).map(|(entity, at)| Ent {
        start: at.start,
        end: at.end,
        label: &entity.label,
        text: Some(&entity.text),
        score: entity.score.map(|score| (score * 1e6).round() / 1e6),
    });
    json(&Line { text, ents: ents.collect(), rest })
}

/// Where the entities, given from left to right, begin and end.
pub fn places(text: &str, entities: &[Entity], offsets: Offsets) -> Vec<Range<usize>> {
    let (mut byte, mut unit) = (0, 0);
    let mut utf16 = |to: usize| {
        unit += text[byte..to].chars().map(char::len_utf16).sum::<usize>();
        byte = to;
        unit
    };
    let place = |e: &Entity| match offsets {
        Offsets::Chars => e.start..e.end,
        Offsets::Bytes => e.byte_start..e.byte_end,
        Offsets::Utf16 => utf16(e.byte_start)..utf16(e.byte_end),
    };
    entities.iter().map(place).collect()
}

#[derive(Serialize)]
struct Doc<'a> {
    text: &'a str,
    ents: Vec<Ent<'a>>,
    sents: Vec<Piece>,
    tokens: Vec<Numbered>,
}

#[derive(Serialize)]
struct Piece {
    start: usize,
    end: usize,
}

#[derive(Serialize)]
struct Numbered {
    id: usize,
    start: usize,
    end: usize,
}

/// A line as `Doc.to_json` of spaCy writes it: entities, sentences and tokens by their characters.
///
/// ```
/// let text = "Rome fell.";
/// let found = report::entities(text, [(0..4, "geo", Some(0.98))]);
/// assert_eq!(
///     report::jsonl::spacy(text, &found, &[0..10], &[0..4, 5..9, 9..10]),
///     r#"{"text":"Rome fell.","ents":[{"start":0,"end":4,"label":"geo"}],"#.to_owned()
///         + r#""sents":[{"start":0,"end":10}],"tokens":[{"id":0,"start":0,"end":4},"#
///         + r#"{"id":1,"start":5,"end":9},{"id":2,"start":9,"end":10}]}"#
/// );
/// ```
pub fn spacy(
    text: &str,
    entities: &[Entity],
    sentences: &[Range<usize>],
    tokens: &[Range<usize>],
) -> String {
    let ents = entities.iter().map(|e| {
        let (start, end, label) = (e.start, e.end, &e.label[..]);
        Ent { start, end, label, text: None, score: None }
    });
    let sents = sentences.iter().map(|s| Piece { start: s.start, end: s.end });
    let tokens = tokens.iter().enumerate();
    let tokens = tokens.map(|(id, t)| Numbered { id, start: t.start, end: t.end });
    json(&Doc { text, ents: ents.collect(), sents: sents.collect(), tokens: tokens.collect() })
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("strings and numbers have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::tests::tagged_text;
    use proptest::prelude::*;

    #[test]
    fn a_score_is_short_and_a_missing_one_is_not_written() {
        let found =
            crate::entities("ab", [(0..1, "x", Some(f64::from(0.98_f32))), (1..2, "y", None)]);
        let line = line("ab", &found);
        assert!(line.contains(r#""score":0.98}"#), "{line}");
        assert_eq!(line.matches("score").count(), 1, "{line}");
    }

    #[test]
    fn offsets_count_what_they_are_told_to() {
        let text = "é𝄞 Rome, Łódź";
        let found = crate::entities(text, [(7..11, "geo", None), (13..20, "geo", None)]);
        let at = |offsets| places(text, &found, offsets);
        assert_eq!(at(Offsets::Chars), [3..7, 9..13]);
        assert_eq!(at(Offsets::Bytes), [7..11, 13..20]);
        assert_eq!(at(Offsets::Utf16), [4..8, 10..14]);
    }

    #[test]
    fn other_fields_stand_behind_as_they_are() {
        let rest = [("id".to_owned(), RawValue::from_string("1.50e3".into()).unwrap())];
        let line = line_with("a", &[], Offsets::Chars, &rest);
        assert_eq!(line, r#"{"text":"a","ents":[],"id":1.50e3}"#);
    }

    proptest! {
        #[test]
        fn any_text_stays_on_one_line_and_is_read_back((text, mut entities) in tagged_text()) {
            entities.sort_by_key(|e| e.byte_start);
            let line = line(&text, &entities);
            prop_assert!(!line.contains(['\n', '\r']));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read["text"].as_str().unwrap(), text);
            prop_assert_eq!(read["ents"].as_array().unwrap().len(), entities.len());
            for (ent, entity) in read["ents"].as_array().unwrap().iter().zip(&entities) {
                prop_assert_eq!(ent["start"].as_u64().unwrap() as usize, entity.start);
                prop_assert_eq!(ent["text"].as_str().unwrap(), &entity.text);
            }
        }
    }
}
