//! One token a line, columns with a blank between, an empty line after each sentence: what
//! conlleval reads.
//!
//! A blank, tab or line end within a token would look like a border and is written `_`; so is an
//! empty token. conlleval takes a token spelled `-X-` for the end of a sentence: no way round it.

/// One sentence as `token tag` lines.
///
/// ```
/// let lines = report::conll::tagged(&["Rome", "fell"], &["B-geo", "O"]);
/// assert_eq!(lines, "Rome B-geo\nfell O\n\n");
/// ```
///
/// # Panics
///
/// If there are more or fewer tags than words.
pub fn tagged<W: AsRef<str>, T: AsRef<str>>(words: &[W], tags: &[T]) -> String {
    let columns = [column(words), column(tags)];
    lines(&columns)
}

/// One sentence as `token gold predicted` lines, which conlleval scores as they are (if the tags
/// are IOB).
///
/// # Panics
///
/// If words, gold tags and predicted tags differ in number.
pub fn compared<W, G, P>(words: &[W], gold: &[G], predicted: &[P]) -> String
where
    W: AsRef<str>,
    G: AsRef<str>,
    P: AsRef<str>,
{
    lines(&[column(words), column(gold), column(predicted)])
}

fn column<S: AsRef<str>>(fields: &[S]) -> Vec<&str> {
    fields.iter().map(AsRef::as_ref).collect()
}

fn lines(columns: &[Vec<&str>]) -> String {
    let lengths: Vec<usize> = columns.iter().map(Vec::len).collect();
    assert!(lengths.iter().all(|n| *n == lengths[0]), "columns of {lengths:?} fields");
    let mut out = String::new();
    for row in 0..lengths[0] {
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                out.push(' ');
            }
            push_field(&mut out, column[row]);
        }
        out.push('\n');
    }
    out.push('\n');
    out
}

fn push_field(out: &mut String, field: &str) {
    if field.is_empty() {
        out.push('_');
    }
    let is_border = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    out.extend(field.chars().map(|c| if is_border(c) { '_' } else { c }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_as_many_fields_as_columns() {
        let words = ["a b", "", "x\ty", "5\u{a0}storm"];
        let tags = ["O", "B-a", "I-a", "O"];
        let lines = compared(&words, &tags, &tags);
        assert_eq!(lines, "a_b O O\n_ B-a B-a\nx_y I-a I-a\n5\u{a0}storm O O\n\n");
    }

    #[test]
    fn a_sentence_without_words_is_an_empty_line() {
        assert_eq!(tagged::<&str, &str>(&[], &[]), "\n");
    }

    #[test]
    #[should_panic(expected = "columns of [2, 1] fields")]
    fn a_missing_tag_is_named() {
        tagged(&["a", "b"], &["O"]);
    }
}
