//! BRAT's standoff: `NAME.txt`, the text, and `NAME.ann`, an entity a line, there and back.

use std::fmt::Write;
use std::path::Path;

use data::{Corpus, Encoding, Error, Result, Warning};
use report::Entity;

use super::jsonl::{self, Line};
use super::spans::Spans;
use crate::input;

/// Writes both files, a sentence a line.
///
/// # Errors
/// E042 if one of them cannot be written.
pub fn write(corpus: &Corpus, path: &Path) -> Result<()> {
    let (text, ann) = standoff(corpus);
    write_files(&text, &ann, path)
}

/// Writes a text and its entities.
///
/// # Errors
/// E042 if one of the files cannot be written.
pub fn write_document(text: &str, entities: &[Entity], path: &Path) -> Result<()> {
    let mut ann = String::new();
    for (number, entity) in (1..).zip(entities) {
        push(&mut ann, number, 0, entity);
    }
    write_files(text, &ann, path)
}

/// The text first, so that an annotation never stands without it.
fn write_files(text: &str, ann: &str, path: &Path) -> Result<()> {
    train::files::write_atomically(&path.with_extension("txt"), text.as_bytes())?;
    train::files::write_atomically(&path.with_extension("ann"), ann.as_bytes())
}

/// Text and annotations. Offsets count characters through the whole text.
fn standoff(corpus: &Corpus) -> (String, String) {
    let (mut text, mut ann) = (String::new(), String::new());
    let (mut before, mut number) = (0, 0);
    for sentence in corpus.sentences() {
        let spans = Spans::of(sentence);
        for entity in &spans.entities {
            number += 1;
            push(&mut ann, number, before, entity);
        }
        before += spans.text.chars().count() + 1;
        text += &spans.text;
        text.push('\n');
    }
    (text, ann)
}

/// Adds an entity whose text begins `before` characters into the file. One that goes over the end of a line
/// is written in fragments, a line each, as BRAT wants it.
fn push(ann: &mut String, number: usize, before: usize, entity: &Entity) {
    let mut places = Vec::new();
    let mut start = before + entity.start;
    for line in entity.text.split('\n') {
        let n = line.chars().count();
        if n > 0 {
            places.push(format!("{start} {}", start + n));
        }
        start += n + 1;
    }
    let (name, places) = (type_name(&entity.label), places.join(";"));
    let text = entity.text.split('\n').filter(|line| !line.is_empty()).collect::<Vec<_>>();
    writeln!(ann, "T{number}\t{name} {places}\t{}", text.join(" ")).expect("a String takes all");
}

/// Reads `NAME.ann` and the text beside it. Entities are its text-bound annotations (`T…`); events, relations,
/// attributes and notes are passed over. Words and sentences are cut as [`jsonl::read`] cuts them; no sentence goes over
/// the end of a line, which is a border in BRAT.
///
/// # Errors
/// E070 for a line that cannot be read and for entities that overlap; E001 and E021 to E025 for the files.
pub fn read(path: &Path, encoding: Encoding) -> Result<(Corpus, Vec<Warning>)> {
    let (name, ann, mut warnings) = input::any_text(path, encoding)?;
    let (beside, text, more) = input::any_text(&path.with_extension("txt"), encoding)?;
    warnings.extend(more);
    let borders = borders(&text);
    let mut ents = Vec::new();
    for (number, line) in (1..).zip(ann.lines()) {
        if line.starts_with('T') {
            let bad = |what| bad(&name, number, what);
            ents.push(annotation(line, &text, &borders).map_err(bad)?);
        }
    }
    let (corpus, with_blanks) = jsonl::corpus(&beside, &Line::of(text, ents))
        .map_err(|what| Error::new("E070", what).at(&name, None, None))?;
    warnings.extend(jsonl::with_blanks(with_blanks, &name, None));
    if corpus.is_empty() {
        return Err(Error::new("E023", "no text in the file").at(&beside, None, None));
    }
    Ok((corpus, warnings))
}

/// Where in bytes each character of a text begins, and where the last ends.
fn borders(text: &str) -> Vec<usize> {
    text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect()
}

/// `T1`, a tab, type and places, a tab, the words: start, end and type.
fn annotation(
    line: &str,
    text: &str,
    borders: &[usize],
) -> std::result::Result<jsonl::AnyEnt, String> {
    let shape = || format!("no annotation: {line:?}");
    let fields: Vec<&str> = line.split('\t').collect();
    let (_, place) = (fields[0], fields.get(1).ok_or_else(shape)?);
    let (label, places) = place.split_once(' ').ok_or_else(shape)?;
    let mut fragments = Vec::new();
    for fragment in places.split(';') {
        let (start, end) = fragment.split_once(' ').ok_or_else(shape)?;
        let number = |n: &str| n.parse::<usize>().map_err(|_| shape());
        fragments.push((number(start)?, number(end)?));
    }
    // What lies within the text of these characters.
    let cut = |start: usize, end: usize| {
        let byte = |character: usize| borders.get(character).copied().unwrap_or(text.len());
        text.get(byte(start)..byte(end)).unwrap_or_default()
    };
    let gap_is_blank = |two: &[(usize, usize)]| {
        let ((_, end), (start, _)) = (two[0], two[1]);
        end <= start && cut(end, start).chars().all(char::is_whitespace)
    };
    if !fragments.windows(2).all(gap_is_blank) {
        return Err(format!("an entity with words between its parts: {line:?}"));
    }
    let (start, end) = (fragments[0].0, fragments[fragments.len() - 1].1);
    if let Some(words) = fields.get(2) {
        let there = cut(start, end);
        let blanks = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
        if blanks(there) != blanks(words) {
            return Err(format!("the text has {there:?} there, not {words:?}"));
        }
    }
    Ok(jsonl::AnyEnt::Object { start, end, label: label.to_owned() })
}

fn bad(name: &str, line: u64, what: String) -> Error {
    Error::new("E070", what)
        .at(name, line, None)
        .help("a line is T1, a tab, `type start end` in characters, a tab, the words")
}

/// A type as BRAT can hold it: letters, digits, `-` and `_`, and not nothing.
fn type_name(label: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
    if label.is_empty() { "Entity".into() } else { label.chars().map(allowed).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_characters_through_all_sentences() {
        let corpus =
            Corpus::from_pairs(&[("Łódź fell", "B-geo O"), ("Zoë Lee left", "B-per I-per O")]);
        let (text, ann) = standoff(&corpus);
        assert_eq!(text, "Łódź fell\nZoë Lee left\n");
        assert_eq!(ann, "T1\tgeo 0 4\tŁódź\nT2\tper 10 17\tZoë Lee\n");
        let cut: String = text.chars().skip(10).take(7).collect();
        assert_eq!(cut, "Zoë Lee");
    }

    #[test]
    fn types_that_brat_cannot_hold_are_rewritten() {
        assert_eq!(
            [type_name("a b/c"), type_name(""), type_name("x-1")],
            ["a_b_c", "Entity", "x-1"]
        );
    }

    #[test]
    fn an_entity_over_the_end_of_a_line_is_written_in_fragments_and_read_back_whole() {
        let text = "Ann saw New\n York.";
        let entities = report::entities(text, [(0..3, "per", None), (8..17, "geo", None)]);
        let mut ann = String::new();
        entities.iter().for_each(|e| push(&mut ann, 1, 0, e));
        assert_eq!(ann, "T1\tper 0 3\tAnn\nT1\tgeo 8 11;12 17\tNew  York\n");
        let read = |line: &str| match annotation(line, text, &borders(text)) {
            Ok(jsonl::AnyEnt::Object { start, end, .. }) => Ok((start, end)),
            Ok(_) => unreachable!("an object is made"),
            Err(what) => Err(what),
        };
        assert_eq!(read("T2\tgeo 8 11;12 17\tNew York"), Ok((8, 17)));
        assert!(read("T2\tgeo 0 3;8 11\tAnn New").unwrap_err().contains("between"));
        assert!(read("T2\tgeo 0 3\tAnna").unwrap_err().contains("\"Ann\""));
        assert!(read("T2 geo").is_err() && read("T2\tgeo x 3\tAnn").is_err());
    }
}
