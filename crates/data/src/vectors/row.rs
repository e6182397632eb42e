//! One line: a word, then its numbers.
//!
//! Between fields stands a blank or a tab. Words may hold blanks (GloVe's 840B has `. . .` and
//! `at name@domain.com`), so where a line has more fields than it should the numbers are counted from
//! its end.

/// A line in two.
#[derive(Debug, PartialEq)]
pub(super) struct Row<'a> {
    pub word: &'a [u8],
    numbers: &'a [u8],
}

impl Row<'_> {
    /// Pushes the numbers; `false` if they are not `dim` finite ones.
    pub fn push_to(&self, dim: usize, rows: &mut Vec<f32>) -> bool {
        let expected = rows.len() + dim;
        for field in self.numbers.split(is_blank).filter(|field| !field.is_empty()) {
            match number(field).filter(|number| number.is_finite()) {
                Some(number) => rows.push(number),
                None => return false,
            }
        }
        rows.len() == expected
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A line without the blanks that word2vec and fastText leave at its end, and without CR LF.
pub(super) fn trim_end(line: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| is_blank(byte) || matches!(byte, b'\r' | b'\n');
    let end = line.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
    &line[..end]
}

/// Any number, also NaN or an infinite one.
fn number(field: &[u8]) -> Option<f32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Cuts a trimmed line before its last `dim` fields; `None` if it certainly has more or fewer
/// numbers. What the fields hold shows when they are pushed.
pub(super) fn split(line: &[u8], dim: usize) -> Option<Row<'_>> {
    let n_blanks = line.iter().filter(|byte| is_blank(byte)).count();
    if n_blanks != dim {
        return split_from_end(line, dim);
    }
    let at = line.iter().position(is_blank)?;
    Some(Row { word: &line[..at], numbers: &line[at + 1..] })
}

fn split_from_end(line: &[u8], dim: usize) -> Option<Row<'_>> {
    let mut start = line.len(); // of the numbers
    for _ in 0..dim {
        let end = trim_end(&line[..start]).len();
        // A word, if an empty one, and a blank must stand before the first number.
        start = line[..end].iter().rposition(is_blank)? + 1;
    }
    let word = trim_end(&line[..start]);
    let last = word.rsplit(is_blank).next().unwrap_or_default();
    // A word may end with a number only if it is one: otherwise there is a number too many.
    let too_many = last.len() < word.len() && number(last).is_some_and(f32::is_finite);
    (!too_many).then_some(Row { word, numbers: &line[start..] })
}

/// How many numbers end the first line of a file; its word may be a number too.
pub(super) fn guess_dim(line: &[u8]) -> usize {
    let fields = fields(line);
    n_trailing_numbers(&fields).min(fields.len().saturating_sub(usize::from(!starts_blank(line))))
}

fn starts_blank(line: &[u8]) -> bool {
    line.first().is_some_and(is_blank)
}

/// All fields with their places.
fn fields(line: &[u8]) -> Vec<(usize, &[u8])> {
    let place = |field: &[u8]| field.as_ptr() as usize - line.as_ptr() as usize;
    let fields = line.split(is_blank).filter(|field| !field.is_empty());
    fields.map(|field| (place(field), field)).collect()
}

fn n_trailing_numbers(fields: &[(usize, &[u8])]) -> usize {
    fields.iter().rev().take_while(|(_, field)| number(field).is_some()).count()
}

/// What is wrong with a line that is no row.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// Another count of numbers.
    Count(usize),
    /// A field, at this byte, that is no finite number.
    Field(usize),
}

/// Why a trimmed line could not be split or its numbers not be read.
pub(super) fn fault(line: &[u8], dim: usize) -> Fault {
    let fields = fields(line);
    let n_numbers = guess_dim(line);
    let n_words = usize::from(!starts_blank(line));
    // With one word, and as many fields behind it as there should be, all of them were meant as
    // numbers. Else only what ends the line is taken for numbers.
    if n_numbers != dim && fields.len() != n_words + dim {
        // A line of numbers that something else ends has more of them than `guess_dim` counts.
        return match fields.split_last() {
            Some((&(at, _), before)) if n_numbers == 0 && n_trailing_numbers(before) > 0 => {
                Fault::Field(at)
            }
            _ => Fault::Count(n_numbers),
        };
    }
    let is_finite = |field: &[u8]| number(field).is_some_and(f32::is_finite);
    let bad = fields[fields.len() - dim..].iter().find(|(_, field)| !is_finite(field));
    bad.map_or(Fault::Count(n_numbers), |&(at, _)| Fault::Field(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Word and numbers, or what is wrong.
    fn read(line: &str, dim: usize) -> Result<(&str, Vec<f32>), Fault> {
        let line = trim_end(line.as_bytes());
        let mut numbers = Vec::new();
        match split(line, dim) {
            Some(row) if row.push_to(dim, &mut numbers) => {
                Ok((std::str::from_utf8(row.word).unwrap(), numbers))
            }
            _ => Err(fault(line, dim)),
        }
    }

    #[test]
    fn a_row_is_a_word_and_numbers_however_they_are_written() {
        let numbers = vec![0.5, -5.8e-5, 3.0];
        for line in [
            "the 0.5 -5.8e-05 3",
            "the 0.5 -5.8e-05 3 \r\n",
            "the\t.5\t-5.8E-5\t+3.\n",
            "the  0.5   -5.8e-05 3",
        ] {
            assert_eq!(read(line, 3), Ok(("the", numbers.clone())), "{line:?}");
        }
        assert_eq!(read("2009 0.5", 1), Ok(("2009", vec![0.5])));
        assert_eq!(read("nan 0.5", 1), Ok(("nan", vec![0.5])));
        assert_eq!(read("5\u{a0}storm 1 2", 2), Ok(("5\u{a0}storm", vec![1.0, 2.0])));
    }

    #[test]
    fn a_word_may_hold_blanks_or_be_empty() {
        assert_eq!(read(". . . 1 2", 2), Ok((". . .", vec![1.0, 2.0])));
        assert_eq!(read("at name@domain.com 1 2 ", 2), Ok(("at name@domain.com", vec![1.0, 2.0])));
        assert_eq!(read("to infinity 1 2", 2), Ok(("to infinity", vec![1.0, 2.0])));
        assert_eq!(read(" 1 2", 2), Ok(("", vec![1.0, 2.0])));
        assert_eq!(read("  1 2", 2), Ok(("", vec![1.0, 2.0])));
    }

    #[test]
    fn a_row_that_is_too_short_or_too_long_is_counted() {
        for (line, found) in [
            ("the 1", 1),
            ("the", 0),
            ("the 1 2 3", 3),
            ("the  1", 1),
            ("2009 1", 1),
            ("1", 0),
            (". . . 1", 1),
            (". . 1 2 3", 3),
            (" 1 2 3", 3),
            (" 1", 1),
            ("a b c d", 0),
        ] {
            assert_eq!(read(line, 2), Err(Fault::Count(found)), "{line:?}");
        }
    }

    #[test]
    fn a_field_that_is_no_finite_number_is_found() {
        for (line, at) in [
            ("the x 2", 4),
            ("the 1 2,5", 6),
            ("the 1 nan", 6),
            ("the inf 2", 4),
            ("the 1e39 2", 4),
            ("the 1 -", 6),
            (". . nan 2", 4),
            (" x 2", 1),
            ("the 1 2 -", 8),
            ("the 1 2 3 4 x", 12),
        ] {
            assert_eq!(read(line, 2), Err(Fault::Field(at)), "{line:?}");
        }
    }

    #[test]
    fn the_first_line_tells_how_many_numbers_a_row_has() {
        let lines = ["the 1 2 3", "2009 1 2 3", ". . 1 2 3", " 1 2 3", "Word,Tag", "a b", "7", ""];
        assert_eq!(lines.map(|line| guess_dim(line.as_bytes())), [3, 3, 3, 3, 0, 0, 0, 0]);
    }
}
