//! From a file to a [`Corpus`]: one function, every format.

use std::borrow::Cow;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::columns::{Columns, TOKEN_NAMES, find_known, holds_many_tags, simplify};
use crate::corpus::{Corpus, Format, Source};
use crate::encoding::{Encoding, decode};
use crate::error::{Error, Result, Warning};
use crate::scheme::split_tag;
use crate::source::{read_file, unpack};
use crate::{conll, csv_reader};

/// A sentence longer than this is no sentence: the breaks between sentences are missing.
const LONGEST_SENTENCE: usize = 10_000;

/// How a file is to be read; the default finds everything out by itself and wants tags.
///
/// ```
/// use data::{Columns, ReadOptions};
/// let options = ReadOptions { columns: Columns::parse("token=1,tag=3")?, ..Default::default() };
/// let (corpus, warnings) = data::read_bytes("<example>", b"London NNP B-geo\n", &options)?;
/// assert_eq!((corpus.sentence(0).tag(0), warnings.len()), ("B-geo", 0));
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// `None`: told by the first line and the extension.
    pub format: Option<Format>,
    /// How bytes become characters.
    pub encoding: Encoding,
    /// Which column holds what.
    pub columns: Columns,
    /// Which member of a zip archive; `None`: `ner_dataset.csv`, else the first `.csv`, else the
    /// first `.conll`, `.iob2`, `.txt` and so on.
    pub member: Option<String>,
    /// Whether a file without tags is an error. Training and scoring need tags, tagging does not.
    pub require_tags: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            encoding: Encoding::Auto,
            columns: Columns::default(),
            member: None,
            require_tags: true,
        }
    }
}

impl ReadOptions {
    /// For texts to be tagged: tags are read where there are some and not missed where not.
    #[must_use]
    pub fn without_tags() -> Self {
        Self { require_tags: false, ..Self::default() }
    }

    /// The format with this name: `auto`, `csv` or `conll`.
    ///
    /// # Errors
    /// E027 for another name.
    pub fn parse_format(name: &str) -> Result<Option<Format>> {
        match name.to_ascii_lowercase().as_str() {
            "auto" => Ok(None),
            "csv" | "tsv" => Ok(Some(Format::Csv)),
            "conll" | "iob" | "iob2" | "columns" => Ok(Some(Format::Conll)),
            _ => Err(Error::new("E027", format!("no format is called {name:?}"))
                .help("the formats of tagged files are csv and conll; auto tells them apart")),
        }
    }
}

/// Reads a file: csv or CoNLL columns, plain, gzipped or in a zip archive, in any encoding.
///
/// # Errors
/// What is wrong with the file, where, and what to do: codes E001 to E004, E009 and E021 to E031 of
/// [`CODES`](crate::CODES).
pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<(Corpus, Vec<Warning>)> {
    let path = path.as_ref();
    read_bytes(&path.to_string_lossy(), read_file(path)?, options)
}

/// As [`read`], from bytes; `name` stands in messages for the file (`<stdin>`), and its extension,
/// if any, helps to tell the format.
///
/// # Errors
/// As [`read`].
pub fn read_bytes<'a>(
    name: &str,
    bytes: impl Into<Cow<'a, [u8]>>,
    options: &ReadOptions,
) -> Result<(Corpus, Vec<Warning>)> {
    let unpacked = unpack(name, bytes.into(), options.member.as_deref())?;
    let (n_bytes, sha256) = (unpacked.bytes.len() as u64, hex(&Sha256::digest(&unpacked.bytes)));
    let non_ascii = unpacked.bytes.iter().filter(|byte| !byte.is_ascii()).count() as u64;
    let decoded = decode(name, unpacked.bytes, options.encoding)?;
    let mut warnings = unpacked.warnings;
    warnings.extend(decoded.warnings);

    let text = Text { name, text: &decoded.text };
    let inner_name = unpacked.member.as_deref().unwrap_or(name);
    let format = options.format.unwrap_or_else(|| text.format(inner_name, &options.columns));
    let source = Source {
        path: name.to_string(),
        member: unpacked.member,
        format,
        encoding: decoded.encoding,
        columns: String::new(),
        bytes: n_bytes,
        non_ascii,
        sha256,
    };
    if decoded.text.trim_ascii().is_empty() {
        return Err(text.empty("the file is empty"));
    }
    if options.format.is_none() {
        check_kind(text)?;
    }
    let (corpus, more) = match format {
        Format::Csv => csv_reader::read(text, source, options)?,
        Format::Conll => conll::read(text, source, options)?,
    };
    warnings.extend(more);
    check_lengths(&corpus, options)?;
    if options.require_tags {
        check_one_tag(text, &corpus)?;
    }
    Ok((corpus, warnings))
}

/// Reads a plain text, unpacked and decoded as [`read`] would; for texts to be tagged.
///
/// # Errors
/// E001 and E021 to E025, as [`read`].
pub fn read_text(
    path: impl AsRef<Path>,
    encoding: Encoding,
) -> Result<(String, &'static str, Vec<Warning>)> {
    let path = path.as_ref();
    let name = path.to_string_lossy();
    let unpacked = unpack(&name, Cow::Owned(read_file(path)?), None)?;
    let decoded = decode(&name, unpacked.bytes, encoding)?;
    let mut warnings = unpacked.warnings;
    warnings.extend(decoded.warnings);
    Ok((decoded.text.into_owned(), decoded.encoding, warnings))
}

/// A decoded file and what messages call it.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

impl<'a> Text<'a> {
    /// An error at a place of this file.
    pub fn error(
        &self,
        code: &'static str,
        message: impl Into<String>,
        line: impl Into<Option<u64>>,
    ) -> Error {
        Error::new(code, message).at(self.name, line, None)
    }

    /// E023.
    pub fn empty(&self, what: &str) -> Error {
        self.error("E023", what, None).help("give a file with one token a line")
    }

    /// The first line that is not blank.
    pub fn first_line(&self) -> &'a str {
        self.text.lines().find(|line| !line.trim_ascii().is_empty()).unwrap_or_default()
    }

    fn format(&self, name: &str, columns: &Columns) -> Format {
        let base = name.strip_suffix(".gz").unwrap_or(name);
        let extension = base.rsplit_once('.').map_or("", |(_, e)| e).to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Format::Csv,
            "conll" | "conllu" | "iob" | "iob2" | "bio" => Format::Conll,
            _ if header_delimiter(self.first_line(), columns).is_some() => Format::Csv,
            _ => Format::Conll,
        }
    }
}

/// The delimiter with which a line is a header: one of its fields then names the token column (by
/// option or by custom), and none is a tag. The delimiter with most fields wins.
pub(crate) fn header_delimiter(line: &str, columns: &Columns) -> Option<u8> {
    let is_header = |delimiter: &u8| {
        let fields = split_header(line, *delimiter);
        let named = |name: &str| fields.iter().any(|field| simplify(field) == simplify(name));
        let known = find_known(&fields, TOKEN_NAMES).is_some() || columns.names().any(named);
        fields.len() > 1 && known && fields.iter().all(|field| split_tag(field).is_none())
    };
    let candidates = [b'|', b',', b';', b'\t'].into_iter().filter(is_header);
    candidates.max_by_key(|&delimiter| split_header(line, delimiter).len())
}

/// The fields of a header line.
pub(crate) fn split_header(line: &str, delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => record.iter().map(|field| field.trim().to_string()).collect(),
        _ => Vec::new(),
    }
}

fn check_lengths(corpus: &Corpus, options: &ReadOptions) -> Result<()> {
    let Some(long) = corpus.sentences().find(|sentence| sentence.len() > LONGEST_SENTENCE) else {
        return Ok(());
    };
    let help = match corpus.source.format {
        Format::Csv if options.columns.sentence == crate::columns::Column::Auto => {
            "name the column that numbers sentences: `--columns sentence=…`"
        }
        _ => {
            "put a blank line after each sentence, or name the column that numbers sentences \
              (`--columns sentence=…`)"
        }
    };
    Err(Error::new("E004", format!("one sentence of {} tokens", grouped(long.len())))
        .at(&corpus.source.path, long.line(0), None)
        .help(help))
}

/// E033 for texts with entities, which are no rows of tokens.
fn check_kind(text: Text<'_>) -> Result<()> {
    let first = text.first_line().trim_ascii();
    let is_object = first.starts_with('{') && first.ends_with('}') && first.contains("\":");
    let (what, ending) = if is_object {
        ("JSON lines", "jsonl")
    } else if matches!(first, "{" | "[") || first.starts_with("[{\"") {
        let error = text.error("E033", "this is JSON, not rows of tokens with their tags", None);
        return Err(error.help(
            "`jq -c '.[]' FILE > FILE.jsonl` writes an object a line, and `longhand convert FILE.jsonl FILE.conll` \
             makes that a tagged file",
        ));
    } else if is_annotation(first) {
        ("a BRAT file", "ann")
    } else {
        return Ok(());
    };
    let message = format!("this is {what}, not rows of tokens with their tags");
    let stem = text.name.strip_suffix(&format!(".{ending}"));
    let help = match stem {
        Some(stem) => {
            format!("`longhand convert {} {stem}.conll` makes it a tagged file", text.name)
        }
        None => format!(
            "give it a name in .{ending}; `longhand convert FILE.{ending} FILE.conll` makes it a tagged file"
        ),
    };
    Err(text.error("E033", message, None).help(help))
}

/// `T1`, a tab, `type start end`: an entity in a file of BRAT.
fn is_annotation(line: &str) -> bool {
    let mut fields = line.split('\t');
    let id = fields.next().and_then(|id| id.strip_prefix('T'));
    let place: Vec<&str> = fields.next().map_or(Vec::new(), |place| place.split(' ').collect());
    let is_number = |text: &str| text.parse::<usize>().is_ok();
    id.is_some_and(is_number) && place.len() >= 3 && place[1..].iter().any(|n| is_number(n))
}

/// E032 where a field holds the tags of several tokens.
fn check_one_tag(text: Text<'_>, corpus: &Corpus) -> Result<()> {
    let Some(id) = corpus.tags.iter().position(holds_many_tags) else { return Ok(()) };
    let token = corpus.tag_ids.iter().position(|&tag| tag as usize == id).expect("interned");
    let n = corpus.tag_of(id as u32).split_ascii_whitespace().count();
    let message = format!("{n} tags in one field: {:?}", corpus.tag_of(id as u32));
    Err(text.error("E032", message, corpus.line_of_token(token)).help(
        "a row is one token with its tag; rows that are whole sentences are read from a csv file whose header \
         names their columns: text,labels",
    ))
}

/// 1048575 as `1,048,575`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
