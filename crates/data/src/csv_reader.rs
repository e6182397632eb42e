//! Separated values with quotes (RFC 4180), as Kaggle ships them: a header, one token a row, the
//! sentence's name on its first row only or on every row, or blank rows between sentences.
//!
//! Rows are split as bytes by the `csv` crate, so no character of Unicode is ever taken for white
//! space or for a line end. Fields go straight into the interners; the text is read once.

mod whole;

use crate::columns::{
    Column, Columns, Layout, POS_NAMES, SENTENCE_NAMES, Sample, TAG_NAMES, TOKEN_NAMES, find_known,
    no_tags, rivals, simplify,
};
use crate::corpus::{Corpus, CorpusBuilder, Source};
use crate::error::{Error, Result, Warning};
use crate::interner::Interner;
use crate::read::{ReadOptions, Text, header_delimiter, split_header};
use crate::scheme::split_tag;

/// A guess from which room for the rows is reserved: GMB has 14.5.
const BYTES_PER_ROW: usize = 14;

pub(crate) fn read(
    text: Text<'_>,
    mut source: Source,
    options: &ReadOptions,
) -> Result<(Corpus, Vec<Warning>)> {
    let table = Table::open(text, options)?;
    let records = table.sample();
    let sample = sample_of(&records, table.headers.len());
    if let Some(layout) = whole::layout(&table, &sample, options)? {
        source.columns = layout.option(|place| table.name(Some(place)));
        return Ok((whole::read(&table, layout, source)?, Vec::new()));
    }
    let layout = table.layout(options)?;
    source.columns = layout.option(|place| table.name(Some(place)));
    let other_tags = layout.tag.filter(|_| options.columns.tag == Column::Auto).and_then(|tag| {
        rivals(text, tag, &sample.rivals(tag, None), |place| table.name(Some(place)))
    });
    let mut rows = Rows::new(&table, layout, source);
    rows.read()?;
    let (corpus, mut warnings) = rows.finish();
    warnings.extend(other_tags.filter(|_| options.require_tags));
    check_strings(text, &corpus)?;
    check_tags(&table, layout, &corpus)?;
    Ok((corpus, warnings))
}

/// How a file separates and quotes, and its header.
struct Table<'a> {
    text: Text<'a>,
    delimiter: u8,
    quoting: bool,
    headers: Vec<String>,
    has_header: bool,
}

impl<'a> Table<'a> {
    fn open(text: Text<'a>, options: &ReadOptions) -> Result<Self> {
        let first = text.first_line();
        let delimiter = header_delimiter(first, &options.columns).unwrap_or_else(|| {
            let count = |delimiter: &u8| split_header(first, *delimiter).len();
            [b'|', b'\t', b';', b','].into_iter().max_by_key(count).expect("four candidates")
        });
        // Files with tabs come from CoNLL habits as often as from spreadsheets: there a quote that
        // stands alone is a token.
        let quoting = delimiter != b'\t' || !has_lone_quote(text.text);
        let headers = split_header(first, delimiter);
        let has_header = !first_row_is_token(&headers, &options.columns);
        Ok(Self { text, delimiter, quoting, headers, has_header })
    }

    fn reader(&self) -> csv::Reader<&'a [u8]> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .quoting(self.quoting)
            .buffer_capacity(1 << 16)
            .from_reader(self.text.text.as_bytes())
    }

    /// Up to a thousand rows of the right width, to look at when something is wrong.
    fn sample(&self) -> Vec<csv::StringRecord> {
        let records = self.reader().into_records().flatten().skip(usize::from(self.has_header));
        records.filter(|record| record.len() == self.headers.len()).take(1000).collect()
    }

    /// Where the row begins. The reader's own position stands before blank lines and before the LF
    /// of a CRLF.
    fn place(&self, record: &csv::ByteRecord) -> Place {
        let position = record.position().expect("set by the reader");
        let text = self.text.text.as_bytes();
        let mut byte = position.byte() as usize;
        let mut breaks = usize::from(byte > 0 && text[byte - 1] == b'\n');
        let mut line = position.line();
        while let Some(b'\r' | b'\n') = text.get(byte) {
            let is_break = usize::from(text[byte] == b'\n');
            breaks += is_break;
            line += is_break as u64;
            byte += 1;
        }
        Place { byte, line, after_blank: breaks > 1 }
    }

    fn line_at(&self, place: &Place) -> &'a str {
        let rest = &self.text.text[place.byte..];
        rest.lines().next().unwrap_or_default()
    }

    /// What is wrong with a row of too few or too many fields.
    fn odd_row(&self, record: &csv::ByteRecord, place: &Place) -> Error {
        let text = self.text;
        if record.iter().any(|field| field.contains(&b'\n')) {
            return open_quote(text, place.line, self.line_at(place));
        }
        let (found, expected) = (record.len(), self.headers.len());
        let line = self.line_at(place);
        let fields = if found == 1 { "field" } else { "fields" };
        let error =
            text.error("E003", format!("{found} {fields}, expected {expected}"), place.line);
        let delimiter = char::from(self.delimiter);
        if found > expected {
            let help = format!(
                "a word that holds {delimiter:?} must stand in quotes: \"1{delimiter}000\""
            );
            return error.excerpt(line).help(help);
        }
        let mark = format!("{line}\n{:>width$}", "^", width = line.chars().count() + 1);
        let missing: Vec<&str> =
            self.headers[found..].iter().map(|header| header.as_str()).collect();
        let help = if self.has_header {
            format!("missing at the mark: {}", missing.join(", "))
        } else {
            "the last field is missing at the mark".to_string()
        };
        error.excerpt(mark).help(help)
    }

    fn layout(&self, options: &ReadOptions) -> Result<Layout> {
        let columns = &options.columns;
        if !self.has_header && (columns.token == Column::Auto || columns.tag == Column::Auto) {
            let message = "no header: the first row is a token already";
            return Err(self.text.error("E002", message, 1).help(self.suggestion(columns)));
        }
        let token = self.find(&columns.token, TOKEN_NAMES, columns)?;
        let tag = self.find(&columns.tag, TAG_NAMES, columns)?;
        let Some(token) = token else { return Err(self.missing("Word", columns)) };
        if tag.is_none() && options.require_tags {
            return Err(self.missing("Tag", columns));
        }
        let pos = self.find(&columns.pos, POS_NAMES, columns)?;
        // A column that was named for something else is not what its header says.
        let free = |&pos: &usize| columns.pos != Column::Auto || (pos != token && Some(pos) != tag);
        let pos = pos.filter(free);
        let sentence = self.find(&columns.sentence, SENTENCE_NAMES, columns)?;
        Layout { token, tag, pos, sentence, n_fields: self.headers.len() }.checked(self.text)
    }

    fn find(&self, column: &Column, known: &[&str], all: &Columns) -> Result<Option<usize>> {
        match column {
            Column::Absent => Ok(None),
            Column::Auto if !self.has_header => Ok(None),
            Column::Auto => Ok(find_known(&self.headers, known)),
            Column::Number(number) if *number <= self.headers.len() => Ok(Some(number - 1)),
            Column::Number(number) => {
                let message =
                    format!("no column {number}: rows have {} fields", self.headers.len());
                Err(self.text.error("E002", message, 1).help(self.suggestion(all)))
            }
            Column::Name(name) => {
                self.by_name(name).map(Some).ok_or_else(|| self.missing(name, all))
            }
        }
    }

    /// The header with exactly this name, else one that differs in case and punctuation only.
    fn by_name(&self, name: &str) -> Option<usize> {
        let exact = self.headers.iter().position(|header| header == name);
        exact.or_else(|| self.headers.iter().position(|h| simplify(h) == simplify(name)))
    }

    /// The header that a misspelt name most likely means.
    fn by_nearest_name(&self, name: &str) -> Option<usize> {
        let distance = |h: &String| strsim::damerau_levenshtein(&simplify(h), &simplify(name));
        let nearest = (0..self.headers.len()).min_by_key(|&i| distance(&self.headers[i]))?;
        (2 * distance(&self.headers[nearest]) < name.chars().count()).then_some(nearest)
    }

    /// E002 with what was found and the option that mends it.
    fn missing(&self, name: &str, columns: &Columns) -> Error {
        let found = self.headers.join(", ");
        let message = format!("no column {name:?} (found: {found})");
        let error = self.text.error("E002", message, 1);
        if self.headers.len() == 1 && self.headers[0].contains([' ', '\t']) {
            return error.help("columns with blanks between them are read with `--format conll`");
        }
        error.help(self.suggestion(columns))
    }

    /// `--columns …` with the columns that are known and, for the others, those that look right.
    fn suggestion(&self, columns: &Columns) -> String {
        let records = self.sample();
        let sample = sample_of(&records, self.headers.len());
        let by_values = sample.tag_column();
        let guess = |column: &Column, known, fallback: Option<usize>| match column {
            Column::Name(name) => {
                self.by_name(name).or_else(|| self.by_nearest_name(name)).or(fallback)
            }
            Column::Auto if self.has_header => find_known(&self.headers, known).or(fallback),
            Column::Number(number) if *number <= self.headers.len() => Some(number - 1),
            _ => fallback,
        };
        let sentence = guess(&columns.sentence, SENTENCE_NAMES, None);
        let tag = guess(&columns.tag, TAG_NAMES, by_values);
        let free = |place: &usize| Some(*place) != tag && Some(*place) != sentence;
        let is_word = |place: &usize| !sample.counts_tokens(*place) && !sample.holds_tags(*place);
        let other = (0..self.headers.len()).filter(free).find(is_word);
        let token = guess(&columns.token, TOKEN_NAMES, other);
        let mut option = format!("--columns token={},tag={}", self.name(token), self.name(tag));
        if sentence.is_some() {
            option += &format!(",sentence={}", self.name(sentence));
        }
        option
    }

    fn name(&self, column: Option<usize>) -> String {
        match column {
            None => "…".to_string(),
            Some(place) if !self.has_header => (place + 1).to_string(),
            Some(place) => {
                let header = &self.headers[place];
                let plain = header.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
                    && header.parse::<usize>().is_err()
                    && !header.is_empty();
                if plain { header.clone() } else { format!("\"{header}\"") }
            }
        }
    }
}

/// Whether a quote is all there is between two tabs or line ends.
fn has_lone_quote(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| matches!(byte, b'\t' | b'\r' | b'\n'));
    text.match_indices('"').any(|(at, _)| {
        is_edge(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && is_edge(bytes.get(at + 1))
    })
}

/// Whether the first row holds a tag where tags are expected, so that it cannot be a header.
fn first_row_is_token(fields: &[String], columns: &Columns) -> bool {
    let is_tag = |field: &String| split_tag(field).is_some();
    match columns.tag {
        Column::Number(number) => fields.get(number.wrapping_sub(1)).is_some_and(is_tag),
        Column::Auto => fields.iter().any(is_tag),
        Column::Name(_) | Column::Absent => false,
    }
}

fn sample_of(records: &[csv::StringRecord], n_fields: usize) -> Sample<'_> {
    let column = |place| records.iter().map(|record| &record[place]).collect();
    Sample { columns: (0..n_fields).map(column).collect() }
}

/// The walk over all rows.
struct Rows<'a> {
    table: &'a Table<'a>,
    layout: Layout,
    builder: CorpusBuilder,
    sentence_id: Vec<u8>,
    seen_ids: Interner,
    returning: Option<(String, u64)>, // first sentence name that came back, its line
}

impl<'a> Rows<'a> {
    fn new(table: &'a Table<'a>, layout: Layout, source: Source) -> Self {
        let builder = CorpusBuilder::new(source, layout.pos.is_some(), layout.tag.is_some())
            .with_capacity(table.text.text.len() / BYTES_PER_ROW);
        Self {
            table,
            layout,
            builder,
            sentence_id: Vec::new(),
            seen_ids: Interner::new(),
            returning: None,
        }
    }

    fn read(&mut self) -> Result<()> {
        let mut reader = self.table.reader();
        let mut record = csv::ByteRecord::new();
        let mut to_skip = self.table.has_header;
        let mut n_rows = 0_usize;
        while reader.read_byte_record(&mut record).expect("memory has no read errors") {
            if to_skip {
                // The header is the first row that is not blank.
                to_skip = is_blank(&record);
                continue;
            }
            n_rows += 1;
            let place = self.table.place(&record);
            if place.after_blank {
                self.builder.end_sentence();
            }
            if record.len() == self.layout.n_fields {
                self.row(&record, &place)?;
            } else {
                self.odd_row(&record, &place)?;
            }
        }
        match n_rows {
            0 => Err(self.table.text.empty("nothing but a header")),
            _ => Ok(()),
        }
    }

    fn row(&mut self, record: &csv::ByteRecord, place: &Place) -> Result<()> {
        let layout = self.layout;
        if let Some(column) = layout.sentence {
            let id = &record[column];
            if !id.is_empty() && id != &self.sentence_id[..] {
                self.begin_sentence(id, place);
            }
        }
        let word = &record[layout.token];
        if word.is_empty() {
            return self.no_word(record, place);
        }
        let pos = layout.pos.map(|column| record[column].trim_ascii());
        let tag = layout.tag.map(|column| record[column].trim_ascii());
        self.builder.push_bytes(word, pos, tag, place.line as u32);
        Ok(())
    }

    fn begin_sentence(&mut self, id: &[u8], place: &Place) {
        self.builder.end_sentence();
        self.sentence_id.clear();
        self.sentence_id.extend_from_slice(id);
        let known = self.seen_ids.len();
        if (self.seen_ids.intern_bytes(id) as usize) < known && self.returning.is_none() {
            self.returning = Some((String::from_utf8_lossy(id).into_owned(), place.line));
        }
    }

    /// A row without a word: the blank row of a spreadsheet, or a mistake.
    fn no_word(&mut self, record: &csv::ByteRecord, place: &Place) -> Result<()> {
        let others = (0..record.len()).filter(|column| Some(*column) != self.layout.sentence);
        if others.into_iter().all(|column| record[column].trim_ascii().is_empty()) {
            self.builder.end_sentence();
            return Ok(());
        }
        Err(self
            .table
            .text
            .error("E031", "a row without a word", place.line)
            .excerpt(self.table.line_at(place))
            .help("remove the row, or write the word"))
    }

    /// A row with too few or too many fields.
    fn odd_row(&mut self, record: &csv::ByteRecord, place: &Place) -> Result<()> {
        if is_blank(record) {
            self.builder.end_sentence();
            return Ok(());
        }
        Err(self.table.odd_row(record, place))
    }

    fn finish(self) -> (Corpus, Vec<Warning>) {
        let name = self.table.text.name;
        let warning = self.returning.map(|(id, line)| {
            Warning::new("W003", format!("sentence {id:?} comes back after others"))
                .at(name, line, None)
                .help("its rows stay apart, as a sentence of their own; sort the file if that is wrong")
        });
        (self.builder.finish(), warning.into_iter().collect())
    }
}

fn is_blank(record: &csv::ByteRecord) -> bool {
    record.iter().all(|field| field.trim_ascii().is_empty())
}

/// Where a row begins.
struct Place {
    byte: usize,
    line: u64,
    after_blank: bool,
}

fn open_quote(text: Text<'_>, line: u64, excerpt: &str) -> Error {
    let excerpt: String = excerpt.chars().take(120).collect();
    text.error("E026", "a quoted field runs over the end of its line", line).excerpt(excerpt).help(
        "the word \" must be written \"\"\"\" (in quotes and doubled); is a closing quote missing?",
    )
}

/// What no string of a column may be, looked up among the distinct ones instead of in every row.
fn check_strings(text: Text<'_>, corpus: &Corpus) -> Result<()> {
    let line_of = |ids: &[u32], id: usize| {
        let token = ids.iter().position(|&other| other as usize == id).expect("it was interned");
        corpus.line_of_token(token)
    };
    let columns = [
        (&corpus.words, &corpus.word_ids),
        (&corpus.pos, &corpus.pos_ids),
        (&corpus.tags, &corpus.tag_ids),
    ];
    for (strings, ids) in columns {
        if let Some(id) = strings.iter().position(|string| string.contains('\n')) {
            let line = line_of(ids, id);
            let excerpt = text.text.lines().nth(line as usize - 1).unwrap_or_default();
            return Err(open_quote(text, line, excerpt));
        }
    }
    match corpus.tags.get("") {
        None => Ok(()),
        Some(id) => Err(text
            .error("E031", "a row without a tag", line_of(&corpus.tag_ids, id as usize))
            .help("write O where there is no entity")),
    }
}

/// E009 when most values of the tag column are no tags.
fn check_tags(table: &Table<'_>, layout: Layout, corpus: &Corpus) -> Result<()> {
    let Some(tag) = layout.tag else { return Ok(()) };
    let is_tag: Vec<bool> = corpus.tags.iter().map(|tag| split_tag(tag).is_some()).collect();
    let right = corpus.tag_ids.iter().filter(|&&id| is_tag[id as usize]).count();
    if 2 * right >= corpus.n_tokens() {
        return Ok(());
    }
    let records = table.sample();
    let headers = table.has_header.then_some(&table.headers[..]);
    let sample = sample_of(&records, table.headers.len());
    Err(no_tags(&sample, tag, headers).at(table.text.name, None, None))
}
