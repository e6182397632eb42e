//! From bytes to text: UTF-8 as it is, anything else by name or by a guess that is reported.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::error::{Error, Result, Warning};

/// How the bytes of a file stand for characters.
///
/// Names are those of the WHATWG Encoding Standard, as browsers know them (`windows-1252`,
/// `shift_jis`, `koi8-r`, …), with three differences, all towards saying what is meant:
///
/// - `latin1`, `iso-8859-1` and their kin mean ISO-8859-1, where the bytes 0x80 to 0x9F are control
///   characters. Browsers read them as windows-1252, where most of them are quotes and dashes; who
///   wants that names `windows-1252`. A warning (W002) tells when such bytes occur.
/// - `ascii` means UTF-8, of which it is a part, not windows-1252.
/// - `utf-16` follows the byte order mark and is little-endian without one.
///
/// windows-1252 as the standard defines it decodes every byte: the five that Microsoft left
/// undefined (0x81, 0x8D, 0x8F, 0x90, 0x9D) become control characters. [`Encoding::Auto`] never
/// guesses windows-1252 for a text that has one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// By the byte order mark; else UTF-8 if the bytes are valid; else windows-1252, with a warning.
    #[default]
    Auto,
    /// ISO-8859-1: byte n is character n.
    Latin1,
    /// One of the WHATWG standard's.
    Named(&'static encoding_rs::Encoding),
}

impl Encoding {
    /// UTF-8, in which an undecodable byte is an error.
    pub const UTF_8: Self = Self::Named(UTF_8);

    /// The encoding with this name, in any case.
    ///
    /// # Errors
    /// E027 for a name that is not known.
    pub fn parse(name: &str) -> Result<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "auto" => return Ok(Self::Auto),
            "latin1" | "latin-1" | "l1" | "iso-8859-1" | "iso8859-1" | "iso_8859-1"
            | "iso88591" => {
                return Ok(Self::Latin1);
            }
            "ascii" | "us-ascii" => return Ok(Self::UTF_8),
            _ => {}
        }
        // The standard maps a few dangerous encodings to one that decodes nothing.
        match encoding_rs::Encoding::for_label_no_replacement(name.as_bytes()) {
            Some(encoding) => Ok(Self::Named(encoding)),
            None => Err(Error::new("E027", format!("no encoding is called {name:?}"))
                .help("try utf-8, windows-1252, latin1, utf-16le or another WHATWG name; or auto")),
        }
    }
}

/// A text and how it was decoded.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    pub text: Cow<'a, str>,
    pub encoding: &'static str,
    pub warnings: Vec<Warning>,
}

/// Decodes a whole file; a byte order mark is taken off. Lines that end in a bare CR, as on Macs of
/// the last century, get LF.
///
/// # Errors
/// E001 with line and column of the first byte that does not decode, E025 for binary data.
pub(crate) fn decode<'a>(
    name: &str,
    bytes: Cow<'a, [u8]>,
    encoding: Encoding,
) -> Result<Decoded<'a>> {
    let is_utf16 = |e: &&'static encoding_rs::Encoding| *e == UTF_16LE || *e == UTF_16BE;
    let mark = encoding_rs::Encoding::for_bom(&bytes).map(|(marked, _)| marked).filter(is_utf16);
    let wide = mark.is_some() || matches!(encoding, Encoding::Named(named) if is_utf16(&named));
    if !wide && bytes.contains(&0) {
        return Err(binary(name, &bytes));
    }
    let mut decoded = match (encoding, mark) {
        (Encoding::Auto, None) if bytes.starts_with(UTF_8_MARK) => utf8(name, bytes)?,
        (Encoding::Auto, None) => guess(name, bytes)?,
        (Encoding::Auto, Some(marked)) => other(name, &bytes, marked)?,
        (Encoding::Latin1, _) => latin1(name, &bytes),
        (Encoding::Named(named), _) if named == UTF_8 => utf8(name, bytes)?,
        (Encoding::Named(named), Some(marked)) if is_utf16(&named) => other(name, &bytes, marked)?,
        (Encoding::Named(named), _) => other(name, &bytes, named)?,
    };
    if wide && decoded.text.contains('\0') {
        return Err(binary(name, decoded.text.as_bytes()));
    }
    strip_mark(&mut decoded.text);
    let bytes = decoded.text.as_bytes();
    if !bytes.contains(&b'\n') && bytes.contains(&b'\r') {
        decoded.text = Cow::Owned(decoded.text.replace('\r', "\n"));
    }
    Ok(decoded)
}

const UTF_8_MARK: &[u8] = "\u{feff}".as_bytes();

fn strip_mark(text: &mut Cow<'_, str>) {
    const MARK: char = '\u{feff}';
    match text {
        Cow::Borrowed(text) => *text = text.strip_prefix(MARK).unwrap_or(text),
        Cow::Owned(text) if text.starts_with(MARK) => drop(text.drain(..MARK.len_utf8())),
        Cow::Owned(_) => {}
    }
}

fn utf8<'a>(name: &str, bytes: Cow<'a, [u8]>) -> Result<Decoded<'a>> {
    let text = to_str(bytes).map_err(|(bytes, at)| {
        let error = not_utf8(name, &bytes, at);
        let (meaning, _) = WINDOWS_1252.decode_without_bom_handling(&bytes[at..=at]);
        error.help(format!(
            "in windows-1252 it is {meaning:?}: `--encoding windows-1252` reads the file so"
        ))
    })?;
    Ok(Decoded { text, encoding: "UTF-8", warnings: Vec::new() })
}

/// The text without a copy, or the bytes back with the place of the first bad one.
fn to_str(bytes: Cow<'_, [u8]>) -> std::result::Result<Cow<'_, str>, (Cow<'_, [u8]>, usize)> {
    match bytes {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => Err((Cow::Borrowed(bytes), error.valid_up_to())),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                Err((Cow::Owned(error.into_bytes()), at))
            }
        },
    }
}

fn not_utf8(name: &str, bytes: &[u8], at: usize) -> Error {
    let (line, column) = position(&bytes[..at]);
    Error::new("E001", format!("not UTF-8: byte {:#04x}", bytes[at]))
        .at(name, line, column)
        .excerpt(line_around(bytes, at))
}

/// Line and column, from 1, of what follows these bytes. A byte that no character of UTF-8 begins
/// with counts as part of the one before.
fn position(before: &[u8]) -> (u64, u64) {
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |place| place + 1);
    let lines = before[..line_start].iter().filter(|&&byte| byte == b'\n').count();
    let characters = String::from_utf8_lossy(&before[line_start..]).chars().count();
    (lines as u64 + 1, characters as u64 + 1)
}

/// The line of the byte at `at`, at most 80 bytes to either side; bad bytes as U+FFFD.
pub(crate) fn line_around(bytes: &[u8], at: usize) -> String {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let start = bytes[..at]
        .iter()
        .rposition(is_end)
        .map_or(0, |place| place + 1)
        .max(at.saturating_sub(80));
    let rest = &bytes[at..bytes.len().min(at + 80)];
    let end = at + rest.iter().position(is_end).unwrap_or(rest.len());
    String::from_utf8_lossy(&bytes[start..end]).into_owned()
}

/// Valid UTF-8, or what looks like windows-1252; anything else is an error, not a guess.
fn guess<'a>(name: &str, bytes: Cow<'a, [u8]>) -> Result<Decoded<'a>> {
    let (bytes, at) = match to_str(bytes) {
        Ok(text) => return Ok(Decoded { text, encoding: "UTF-8", warnings: Vec::new() }),
        Err(failed) => failed,
    };
    let shape = Shape::of(&bytes);
    if shape.multibyte > shape.bad {
        return Err(not_utf8(name, &bytes, at).help(format!(
            "all {} other characters beyond ASCII are UTF-8, so the file is damaged here: mend this \
             byte, or name the encoding (`--encoding windows-1252`)",
            shape.multibyte
        )));
    }
    if shape.undefined > 0 {
        return Err(not_utf8(name, &bytes, at).help(
            "it is not windows-1252 either: name the encoding, such as `--encoding shift_jis`",
        ));
    }
    let mut decoded = other(name, &bytes, WINDOWS_1252)?;
    let (line, column) = position(&bytes[..at]);
    let (meaning, _) = WINDOWS_1252.decode_without_bom_handling(&bytes[at..=at]);
    let which = match shape.high {
        1 => "one byte".to_owned(),
        n => format!("first of {n} such bytes"),
    };
    let message = format!(
        "not UTF-8, read as windows-1252: {which} is {:#04x}, which is {meaning:?}",
        bytes[at]
    );
    decoded.warnings.push(
        Warning::new("W001", message)
            .at(name, line, column)
            .help("`--encoding windows-1252` says so without this warning"),
    );
    Ok(decoded)
}

/// What the bytes beyond ASCII look like.
#[derive(Default)]
struct Shape {
    high: usize,      // bytes beyond ASCII
    multibyte: usize, // characters beyond ASCII that are valid UTF-8
    bad: usize,       // sequences that are not
    undefined: usize, // bytes without meaning in windows-1252
}

impl Shape {
    fn of(bytes: &[u8]) -> Self {
        let mut shape = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            // A piece ends before an ASCII byte, so no character is cut; most are ASCII as a whole.
            let after = &rest[rest.len().min(4096)..];
            let end = after.iter().position(u8::is_ascii).unwrap_or(after.len());
            let (piece, next) = rest.split_at(rest.len() - after.len() + end);
            if !piece.is_ascii() {
                shape.add(piece);
            }
            rest = next;
        }
        shape
    }

    fn add(&mut self, piece: &[u8]) {
        for chunk in piece.utf8_chunks() {
            // A leading byte of a character of several bytes.
            self.multibyte += chunk.valid().bytes().filter(|&byte| byte >= 0xc0).count();
            self.bad += usize::from(!chunk.invalid().is_empty());
        }
        for &byte in piece {
            self.high += usize::from(byte >= 0x80);
            self.undefined += usize::from(matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d));
        }
    }
}

fn latin1<'a>(name: &str, bytes: &[u8]) -> Decoded<'a> {
    let text = encoding_rs::mem::decode_latin1(bytes).into_owned();
    let mut warnings = Vec::new();
    if let Some(at) = bytes.iter().position(|byte| (0x80..0xa0).contains(byte)) {
        let (line, _) = position(&bytes[..at]);
        let message = format!("byte {:#04x} is a control character in ISO-8859-1", bytes[at]);
        let (meaning, _) = WINDOWS_1252.decode_without_bom_handling(&bytes[at..=at]);
        warnings.push(
            Warning::new("W002", message)
                .at(name, line, None)
                .help(format!("in windows-1252 it is {meaning:?}: `--encoding windows-1252`")),
        );
    }
    Decoded { text: Cow::Owned(text), encoding: "ISO-8859-1", warnings }
}

/// Decodes strictly with any encoding of the standard.
fn other<'a>(
    name: &str,
    bytes: &[u8],
    encoding: &'static encoding_rs::Encoding,
) -> Result<Decoded<'a>> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    // Mostly ASCII as a rule: the text needs few bytes more than the file.
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 16 + 16);
    let mut read = 0;
    loop {
        let (result, n) =
            decoder.decode_to_string_without_replacement(&bytes[read..], &mut text, true);
        read += n;
        match result {
            DecoderResult::InputEmpty => break,
            DecoderResult::OutputFull => text.reserve(4 * (bytes.len() - read) + 16),
            DecoderResult::Malformed(length, after) => {
                let at = read.saturating_sub(usize::from(length) + usize::from(after));
                return Err(undecodable(name, bytes, at, &text, encoding));
            }
        }
    }
    Ok(Decoded { text: Cow::Owned(text), encoding: encoding.name(), warnings: Vec::new() })
}

fn undecodable(
    name: &str,
    bytes: &[u8],
    at: usize,
    text: &str,
    encoding: &'static encoding_rs::Encoding,
) -> Error {
    let (line, column) = position(text.as_bytes());
    let message = format!("not {}: byte {:#04x}", encoding.name(), bytes.get(at).unwrap_or(&0));
    Error::new("E001", message)
        .at(name, line, column)
        .help("name another encoding (`--encoding`), or `--encoding auto` to let it be found")
}

fn binary(name: &str, bytes: &[u8]) -> Error {
    let at = bytes.iter().position(|&byte| byte == 0).unwrap_or(0);
    let (line, column) = position(&bytes[..at]);
    let head = &bytes[..bytes.len().min(2000)];
    let zeros = |parity| head.iter().skip(parity).step_by(2).filter(|&&byte| byte == 0).count();
    let many = head.len() / 4;
    let help = if zeros(1) > many && zeros(0) == 0 {
        "every second byte is 0: `--encoding utf-16le` reads such a file"
    } else if zeros(0) > many && zeros(1) == 0 {
        "every second byte is 0: `--encoding utf-16be` reads such a file"
    } else if head.get(257..262) == Some(b"ustar") {
        "this is a tar archive: unpack it first"
    } else if head.starts_with(b"%PDF") {
        "this is a PDF: save it as text first"
    } else if head.get(8..).is_some_and(|text| text.starts_with(b"{\"__metadata__\"")) {
        "this is a model: it goes before the data, as in `longhand eval MODEL DATA`"
    } else {
        "give a text file: csv, CoNLL columns or plain text, possibly as .gz or .zip"
    };
    Error::new("E025", "binary data: a zero byte").at(name, line, column).help(help)
}
