//! One document as one line of JSON, in the shape that displaCy takes by hand (`manual=True`).

use serde::Serialize;

use crate::Entity;

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    ents: Vec<Ent<'a>>,
}

#[derive(Serialize)]
struct Ent<'a> {
    start: usize,
    end: usize,
    label: &'a str,
    text: &'a str,
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
    let ents = entities.iter().map(|entity| Ent {
        start: entity.start,
        end: entity.end,
        label: &entity.label,
        text: &entity.text,
        score: entity.score.map(|score| (score * 1e6).round() / 1e6),
    });
    let line = Line { text, ents: ents.collect() };
    serde_json::to_string(&line).expect("strings and numbers have a JSON form")
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

    proptest! {
        #[test]
        fn any_text_stays_on_one_line_and_is_read_back((text, entities) in tagged_text()) {
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
