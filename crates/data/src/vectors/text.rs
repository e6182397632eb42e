//! A word and its numbers on each line: GloVe, word2vec's text, fastText's `.vec`.

use std::io::{BufRead, Read};

use super::form::{self, Form};
use super::row::{self, Fault};
use super::rows::{Rows, counted};
use crate::encoding::line_around;
use crate::error::{Error, Result};
use crate::source::Stream;

/// Bytes. A line that goes on is no row; it may be a whole file without a line end.
pub(super) const LONGEST_LINE: u64 = 1 << 20;

/// Reads all rows, from behind the header on.
pub(super) fn read(stream: &mut Stream<'_>, form: &Form, rows: &mut Rows<'_>) -> Result<()> {
    let mut line = Vec::new();
    let mut number = form.lines;
    while !rows.is_full() {
        number += 1;
        line.clear();
        let read = stream.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let n_bytes = read.map_err(|error| stream.broken(&error).at(stream.name, number, None))?;
        if n_bytes == 0 {
            break;
        }
        let row = row::trim_end(&line);
        if n_bytes as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            let message = format!("a line of more than {}", counted(LONGEST_LINE - 1, "byte"));
            return Err(Error::new("E015", message).at(stream.name, number, None).help(form::HELP));
        }
        if !row.is_empty() && !take(row, number, rows) {
            return Err(no_row(stream.name, row, number, form));
        }
    }
    Ok(())
}

/// Keeps the row or leaves it out; `false` if the line is none.
fn take(line: &[u8], number: u64, rows: &mut Rows<'_>) -> bool {
    row::split(line, rows.dim).is_some_and(|row| {
        !rows.admit(row.word, Some(number)) || row.push_to(rows.dim, &mut rows.numbers)
    })
}

fn no_row(name: &str, line: &[u8], number: u64, form: &Form) -> Error {
    let (message, at, column) = match row::fault(line, form.dim) {
        Fault::Count(n) => {
            (format!("{}, expected {}", counted(n as u64, "number"), form.dim), 0, None)
        }
        Fault::Field(at) => {
            let end = line[at..].iter().position(|byte| matches!(byte, b' ' | b'\t'));
            let field = &line[at..end.map_or(line.len(), |length| at + length)];
            let field = line_around(field, 0); // 80 bytes of it
            let column = String::from_utf8_lossy(&line[..at]).chars().count() as u64 + 1;
            (format!("{field:?} is no finite number"), at, Some(column))
        }
    };
    let from = if form.promised.is_some() { "the header says" } else { "the first line has" };
    Error::new("E015", message)
        .at(name, number, column)
        .excerpt(line_around(line, at))
        .help(format!("{from} {} a word", counted(form.dim as u64, "number")))
}
