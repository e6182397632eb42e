//! word2vec's binary form: a word up to a blank, then its numbers as bytes, little-endian; behind
//! them a line feed or, in Google's own file, nothing.

use std::io::{self, BufRead, Read};

use super::rows::{Rows, counted};
use crate::encoding::line_around;
use crate::error::{Error, Result};
use crate::read::grouped;
use crate::source::Stream;

/// Bytes. What goes on without a blank is no word.
const LONGEST_WORD: u64 = 1 << 16;

/// Reads the `promised` words of the header.
pub(super) fn read(stream: &mut Stream<'_>, rows: &mut Rows<'_>, promised: u64) -> Result<()> {
    let mut word = Vec::new();
    let mut numbers = Vec::new();
    while rows.n_read < promised && !rows.is_full() {
        let number = rows.n_read + 1;
        let read = read_row(&mut stream.reader, rows.dim, &mut word, &mut numbers);
        if !read.map_err(|error| broken(stream, &error, number))? {
            return Err(cut_off(stream.name, &word, number, promised));
        }
        if rows.admit(&word, None) && !push(&numbers, &mut rows.numbers) {
            let word = line_around(&word, 0);
            let message = format!(
                "word {}, {word:?}, has a number that is not finite",
                grouped(number as usize)
            );
            return Err(Error::new("E015", message).at(stream.name, None, None).help(HELP));
        }
    }
    if !rows.is_full() {
        rows.goes_on =
            goes_on(&mut stream.reader).map_err(|error| broken(stream, &error, rows.n_read + 1))?;
    }
    Ok(())
}

const HELP: &str = "the file is damaged, or no binary file of word2vec: fetch it again";

/// A word and its bytes; `false` if the file ends before they do, or the word has no end.
fn read_row(
    reader: &mut dyn BufRead,
    dim: usize,
    word: &mut Vec<u8>,
    numbers: &mut Vec<u8>,
) -> io::Result<bool> {
    word.clear();
    numbers.clear();
    skip_line_ends(reader)?;
    reader.take(LONGEST_WORD).read_until(b' ', word)?;
    if word.pop() != Some(b' ') {
        return Ok(false);
    }
    let n_bytes = 4 * dim;
    reader.take(n_bytes as u64).read_to_end(numbers)?;
    Ok(numbers.len() == n_bytes)
}

fn skip_line_ends(reader: &mut dyn BufRead) -> io::Result<()> {
    while reader.fill_buf()?.first() == Some(&b'\n') {
        reader.consume(1);
    }
    Ok(())
}

/// Whether anything but line ends is left.
fn goes_on(reader: &mut dyn BufRead) -> io::Result<bool> {
    skip_line_ends(reader)?;
    Ok(!reader.fill_buf()?.is_empty())
}

/// Pushes the numbers; `false` if one is not finite.
fn push(bytes: &[u8], rows: &mut Vec<f32>) -> bool {
    let start = rows.len();
    let (numbers, _) = bytes.as_chunks::<4>();
    rows.extend(numbers.iter().map(|&number| f32::from_le_bytes(number)));
    rows[start..].iter().all(|number| number.is_finite())
}

fn broken(stream: &Stream<'_>, error: &io::Error, number: u64) -> Error {
    let mut error = stream.broken(error);
    error.message.push_str(&format!(", in word {}", grouped(number as usize)));
    error
}

fn cut_off(name: &str, word: &[u8], number: u64, promised: u64) -> Error {
    let place = format!("word {} of {}", grouped(number as usize), grouped(promised as usize));
    let message = match word.len() as u64 >= LONGEST_WORD - 1 {
        true => format!("{place} is longer than {}", counted(LONGEST_WORD - 1, "byte")),
        false => format!("the file ends in {place}"),
    };
    Error::new("E015", message).at(name, None, None).help(HELP)
}
