//! BRAT's standoff: `OUT.txt`, a sentence a line, and `OUT.ann`, an entity a line.

use std::fmt::Write;
use std::path::Path;

use data::{Corpus, Result};

use super::spans::Spans;

/// Writes both files; the text first, so that an annotation never stands without it.
///
/// # Errors
/// E042 if one of them cannot be written.
pub fn write(corpus: &Corpus, path: &Path) -> Result<()> {
    let (text, ann) = standoff(corpus);
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
            let (start, end) = (before + entity.start, before + entity.end);
            let name = type_name(&entity.label);
            writeln!(ann, "T{number}\t{name} {start} {end}\t{}", entity.text)
                .expect("a String takes all");
        }
        before += spans.text.chars().count() + 1;
        text += &spans.text;
        text.push('\n');
    }
    (text, ann)
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
}
