//! How a file is written, told by its first piece.

use std::io::{Cursor, Read};

use super::VectorsFormat;
use super::row;
use super::rows::counted;
use super::text::LONGEST_LINE;
use crate::encoding::line_around;
use crate::error::{Error, Result};
use crate::source::Stream;

/// Rows of more numbers than this are no vectors of words.
const LARGEST_DIM: usize = 100_000;

/// First bytes of a model as fastText stores it: 793712314, little-endian.
const FASTTEXT_MODEL: &[u8] = &[0xba, 0x16, 0x4f, 0x2f];

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

pub(super) const HELP: &str =
    "a line is a word, then its numbers with blanks between them: the 0.418 0.24968";

pub(super) struct Form {
    pub format: VectorsFormat,
    /// Numbers a word.
    pub dim: usize,
    /// Words, as the header counts them, if there is a header.
    pub promised: Option<u64>,
    /// Lines before the first word.
    pub lines: u64,
}

/// Looks at the beginning of the file and takes off what stands before the first word.
///
/// # Errors
/// E015 where nothing looks like vectors, E023 for an empty file, E024 for a damaged one.
pub(super) fn tell(stream: &mut Stream<'_>) -> Result<Form> {
    let mut head = Vec::new();
    if let Err(error) = stream.reader.by_ref().take(LONGEST_LINE).read_to_end(&mut head) {
        let line = head.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        return Err(stream.broken(&error).at(stream.name, line, None));
    }
    if head.starts_with(BYTE_ORDER_MARK) {
        head.drain(..BYTE_ORDER_MARK.len());
    }
    let blank = head.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let blank_lines = head.drain(..blank).filter(|&byte| byte == b'\n').count() as u64;
    let (first, after) = first_line(&head);
    let mut form = tell_head(stream, first, &head[after..])
        .map_err(|error| error.at(stream.name, blank_lines + 1, None))?;
    form.lines = blank_lines;
    if form.promised.is_some() {
        head.drain(..after);
        form.lines += 1;
    }
    let rest = std::mem::replace(&mut stream.reader, Box::new(std::io::empty()));
    stream.reader = Box::new(Cursor::new(head).chain(rest));
    Ok(form)
}

/// The first line without its end, and where the next one begins.
fn first_line(head: &[u8]) -> (&[u8], usize) {
    match head.iter().position(|&byte| byte == b'\n') {
        Some(end) => (row::trim_end(&head[..end]), end + 1),
        None => (row::trim_end(head), head.len()),
    }
}

/// The form by the first line that is not empty and the piece behind it; errors lack their place.
fn tell_head(stream: &Stream<'_>, first: &[u8], rest: &[u8]) -> Result<Form> {
    if first.is_empty() {
        return Err(Error::new("E023", "the file is empty").help(HELP));
    }
    if first.starts_with(FASTTEXT_MODEL) {
        return Err(Error::new("E015", "this is a fastText model, not a file of vectors")
            .help("give the .vec file that is offered beside the model"));
    }
    let Some((promised, dim)) = header(first) else {
        return match row::guess_dim(first) {
            0 => Err(Error::new("E015", "no file of vectors: its first line has no numbers")
                .excerpt(line_around(first, 0))
                .help(HELP)),
            dim => Ok(Form { format: VectorsFormat::Glove, dim, promised: None, lines: 0 }),
        };
    };
    if dim == 0 || dim > LARGEST_DIM {
        let message = format!("the header says {} a word", counted(dim as u64, "number"));
        return Err(Error::new("E015", message).excerpt(line_around(first, 0)).help(HELP));
    }
    let format = match is_binary(stream, rest, dim) {
        true => VectorsFormat::Word2vecBinary,
        false => VectorsFormat::Word2vec,
    };
    Ok(Form { format, dim, promised: Some(promised), lines: 0 })
}

/// Two numbers and nothing else: how many words, how many numbers a word.
fn header(line: &[u8]) -> Option<(u64, usize)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut fields = line.split([' ', '\t']).filter(|field| !field.is_empty());
    let (n_words, dim) = (fields.next()?, fields.next()?);
    let is_count = |field: &str| field.bytes().all(|byte| byte.is_ascii_digit());
    if fields.next().is_some() || !is_count(n_words) || !is_count(dim) {
        return None;
    }
    Some((n_words.parse().ok()?, dim.parse().ok()?))
}

/// Whether bytes follow the header, not text. If the first line is a row, the file is text; bytes of
/// numbers hold some that no text has, all but surely. Where they do not, the name tells.
fn is_binary(stream: &Stream<'_>, rest: &[u8], dim: usize) -> bool {
    if row::split(first_line(rest).0, dim).is_some_and(|row| row.push_to(dim, &mut Vec::new())) {
        return false;
    }
    let word_end = rest.iter().position(|&byte| byte == b' ').map_or(rest.len(), |blank| blank + 1);
    let numbers = &rest[word_end..rest.len().min(word_end + 4 * dim)];
    let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    // A character may be cut at the end of the piece.
    let is_utf8 = std::str::from_utf8(numbers).map_or_else(|e| e.error_len().is_none(), |_| true);
    let name = stream.member.as_deref().unwrap_or(stream.name);
    let name = name.strip_suffix(".gz").unwrap_or(name);
    numbers.iter().any(is_control) || !is_utf8 || name.to_ascii_lowercase().ends_with(".bin")
}
