//! Columns as the CoNLL shared tasks made them: one token a line, fields with tabs or blanks between
//! them, a blank line after each sentence.
//!
//! Nothing in such a file says what its columns are, so they are told by what stands in them: tags in
//! the last column that holds nothing else, words in the first that is neither that one nor counts
//! the tokens. Lines that begin with `#` are comments unless they are tokens: such a line has as
//! many fields as the others and a tag in the right place.

use crate::columns::{
    Column, Columns, Layout, Sample, TAG_NAMES, TOKEN_NAMES, find_known, no_tags, rivals,
};
use crate::corpus::{Corpus, CorpusBuilder, Source};
use crate::error::{Error, Result, Warning};
use crate::read::{ReadOptions, Text};
use crate::scheme::split_tag;

/// Lines that are looked at to tell the columns.
const SAMPLE: usize = 2000;

pub(crate) fn read(
    text: Text<'_>,
    mut source: Source,
    options: &ReadOptions,
) -> Result<(Corpus, Vec<Warning>)> {
    let lines = sample_lines(text.text);
    if lines.is_empty() {
        return Err(text.empty("no token: nothing but comments and blank lines"));
    }
    let split = Split::of(&lines);
    let n_fields = commonest_width(&lines, split);
    let sample = sample_of(&lines, split, n_fields);
    if options.require_tags {
        check_header(text, lines[0], split, &sample)?;
    }
    let layout = find_layout(text, &sample, n_fields, options).map_err(|error| {
        let unlike = lines.len() > 2 * sample.columns[0].len();
        let found_out = options.columns == Columns::default() && split == Split::Blanks;
        if unlike && found_out { running_text(text, &error) } else { error }
    })?;
    source.columns = layout.option(|place| (place + 1).to_string());
    let warning = other_tags(text, &sample, layout, split, options);
    let corpus = Lines { text, split, layout }.read(source)?;
    Ok((corpus, warning.into_iter().collect()))
}

/// E009 where no tags were found, and most lines have another number of fields than the commonest: these are no columns.
fn running_text(text: Text<'_>, error: &Error) -> Error {
    text.error("E009", format!("{}: this looks like running text", error.message), None).help(
        "`longhand tag` reads running text; tagged text has a token and its tag on each line, with a tab or a blank between them",
    )
}

/// W032 where the tag column was told by its place among others that hold tags too.
fn other_tags(
    text: Text<'_>,
    sample: &Sample<'_>,
    layout: Layout,
    split: Split,
    options: &ReadOptions,
) -> Option<Warning> {
    let tag = layout.tag.filter(|_| options.require_tags && options.columns.tag == Column::Auto)?;
    // Token, gold, predicted, as a run's test.conll has them and as conlleval takes them.
    let judged = split == Split::Blanks && (layout.token, tag, layout.n_fields) == (0, 2, 3);
    let others = sample.rivals(tag, judged.then_some(1));
    let warning = rivals(text, tag, &others, |column| (column + 1).to_string())?;
    if !judged {
        return Some(warning);
    }
    Some(warning.help(
        "in a run's test.conll these are the gold tags and the predicted ones: `--columns tag=2` reads the gold \
         tags, and `longhand score FILE` scores one by the other",
    ))
}

/// E009 where the first line names the columns, as in a csv file: here it would be a token.
fn check_header(text: Text<'_>, first: &str, split: Split, sample: &Sample<'_>) -> Result<()> {
    let mut fields = Vec::new();
    split.fields(first, &mut fields);
    let names: Vec<String> = fields.iter().map(|field| field.trim().to_owned()).collect();
    let (token, tag) = (find_known(&names, TOKEN_NAMES), find_known(&names, TAG_NAMES));
    let (Some(token), Some(tag)) = (token, tag) else { return Ok(()) };
    let below =
        Sample { columns: sample.columns.iter().map(|column| column[1..].to_vec()).collect() };
    let fits =
        fields.len() == sample.columns.len() && sample.columns[0].first() == Some(&fields[0]);
    if !fits || !(below.holds_tags(tag) || below.nearly_holds_tags(tag)) {
        return Ok(());
    }
    let line = (1..).zip(lines(text.text)).find(|(_, line)| line.as_ptr() == first.as_ptr());
    let line = line.map(|(number, _)| number);
    let help = match split {
        Split::Tab => "`--format csv` reads a file with a header".to_owned(),
        Split::Blanks => format!(
            "remove it; without a header columns are told by what stands in them, or named by number: \
             `--columns token={},tag={}`",
            token + 1,
            tag + 1
        ),
    };
    let error = text.error("E009", "this line looks like a header, not like a token", line);
    Err(error.excerpt(first).help(help))
}

/// What stands between fields.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Split {
    /// One tab; blanks belong to the fields.
    Tab,
    /// Any run of blanks and tabs.
    Blanks,
}

impl Split {
    /// Tabs if every line has one: a number such as `1 000` is then one word.
    fn of(lines: &[&str]) -> Self {
        if lines.iter().all(|line| line.contains('\t')) { Self::Tab } else { Self::Blanks }
    }

    /// Fills `fields` anew from a line.
    fn fields<'a>(self, line: &'a str, fields: &mut Vec<&'a str>) {
        fields.clear();
        match self {
            Self::Tab => fields.extend(line.split('\t')),
            Self::Blanks => {
                fields.extend(line.split([' ', '\t']).filter(|field| !field.is_empty()));
            }
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.strip_suffix('\r').unwrap_or(line))
}

fn is_blank(line: &str) -> bool {
    line.trim_ascii().is_empty()
}

/// The mark that begins a document: a sentence break, not a token.
fn is_document_start(line: &str) -> bool {
    line.starts_with("-DOCSTART")
}

/// The first lines that are certainly tokens; those with `#` only where there are no others.
fn sample_lines(text: &str) -> Vec<&str> {
    let candidates = || lines(text).filter(|line| !is_blank(line) && !is_document_start(line));
    let sample: Vec<&str> = candidates().filter(|l| !l.starts_with('#')).take(SAMPLE).collect();
    if !sample.is_empty() {
        return sample;
    }
    candidates().filter(|line| !looks_like_comment(line)).take(SAMPLE).collect()
}

fn commonest_width(lines: &[&str], split: Split) -> usize {
    let mut counts = Vec::new();
    let mut fields = Vec::new();
    for line in lines {
        split.fields(line, &mut fields);
        if counts.len() <= fields.len() {
            counts.resize(fields.len() + 1, 0);
        }
        counts[fields.len()] += 1;
    }
    // Of two that are as common, that of the first line.
    split.fields(lines[0], &mut fields);
    let first = fields.len();
    (0..counts.len()).max_by_key(|&width| (counts[width], width == first)).expect("a line")
}

fn sample_of<'a>(lines: &[&'a str], split: Split, n_fields: usize) -> Sample<'a> {
    let mut columns = vec![Vec::new(); n_fields];
    let mut fields = Vec::new();
    for line in lines {
        split.fields(line, &mut fields);
        if fields.len() == n_fields {
            for (column, field) in columns.iter_mut().zip(&fields) {
                column.push(*field);
            }
        }
    }
    Sample { columns }
}

fn find_layout(
    text: Text<'_>,
    sample: &Sample<'_>,
    n_fields: usize,
    options: &ReadOptions,
) -> Result<Layout> {
    let columns = &options.columns;
    let number = |column: &Column| match column {
        Column::Auto | Column::Absent => Ok(None),
        Column::Number(number) if *number <= n_fields => Ok(Some(number - 1)),
        Column::Number(number) => {
            let message = format!("no column {number}: lines have {n_fields} fields");
            Err(text.error("E002", message, 1).help("columns count from 1"))
        }
        Column::Name(name) => Err(text
            .error("E002", format!("no column {name:?}: this file has no header"), 1)
            .help("name columns by number, from 1: `--columns token=1,tag=4`")),
    };
    let tag = match columns.tag {
        Column::Auto => sample.tag_column(),
        ref given => number(given)?,
    };
    let other = |column: &usize| Some(*column) != tag;
    let token = match number(&columns.token)? {
        Some(token) => token,
        None => {
            let words =
                (0..n_fields).filter(other).find(|&column| !counts_tokens(sample, column, tag));
            words.ok_or_else(|| only_one_column(text))?
        }
    };
    check_tag(text, sample, tag, options)?;
    let pos = match columns.pos {
        Column::Auto => {
            let next = Some(token + 1).filter(|next| *next < n_fields && other(next));
            next.filter(|&next| !sample.holds_tags(next) && sample.holds_categories(next))
        }
        ref given => number(given)?,
    };
    Layout { token, tag, pos, sentence: number(&columns.sentence)?, n_fields }.checked(text)
}

/// Whether this column numbers the tokens; the only column beside the tags holds words.
fn counts_tokens(sample: &Sample<'_>, column: usize, tag: Option<usize>) -> bool {
    let others = sample.columns.len() - usize::from(tag.is_some());
    others > 1 && sample.counts_tokens(column)
}

fn only_one_column(text: Text<'_>) -> Error {
    text.error("E002", "the only column holds tags", 1)
        .help("each line needs a word too; if these are words: `--columns token=1,tag=none`")
}

fn check_tag(
    text: Text<'_>,
    sample: &Sample<'_>,
    tag: Option<usize>,
    options: &ReadOptions,
) -> Result<()> {
    let n_fields = sample.columns.len();
    let error = match tag {
        Some(column) if sample.holds_tags(column) || sample.nearly_holds_tags(column) => {
            return Ok(());
        }
        Some(column) => no_tags(sample, column, None),
        None if !options.require_tags => return Ok(()),
        None if n_fields == 1 => Error::new("E002", "no tag column: lines hold one field")
            .help("write word and tag on each line, with a tab or a blank between them"),
        None => no_tags(sample, n_fields - 1, None),
    };
    Err(error.at(text.name, None, None))
}

/// `# sent_id = 3`, `#begin document`, `#` alone: what a line with `#` may be beside a token.
fn looks_like_comment(line: &str) -> bool {
    let Some(rest) = line.strip_prefix('#') else { return false };
    let is_word = rest.starts_with(|c: char| !c.is_ascii_whitespace());
    !is_word || rest.contains(" = ") || rest.starts_with("begin ") || rest.starts_with("end ")
}

/// The walk over all lines.
struct Lines<'a> {
    text: Text<'a>,
    split: Split,
    layout: Layout,
}

impl Lines<'_> {
    fn read(&self, source: Source) -> Result<Corpus> {
        let Layout { pos, tag, sentence, .. } = self.layout;
        let mut builder = CorpusBuilder::new(source, pos.is_some(), tag.is_some());
        let mut fields = Vec::new();
        let mut sentence_id = "";
        for (line, row) in (1..).zip(lines(self.text.text)) {
            if is_blank(row) || is_document_start(row) {
                builder.end_sentence();
                continue;
            }
            self.split.fields(row, &mut fields);
            if row.starts_with('#') && self.is_comment(row, &fields) {
                continue;
            }
            if fields.len() != self.layout.n_fields {
                return Err(self.ragged(line, row, &fields));
            }
            if let Some(id) = sentence.map(|column| fields[column])
                && !id.is_empty()
                && id != sentence_id
            {
                builder.end_sentence();
                sentence_id = id;
            }
            self.push(&mut builder, line, row, &fields)?;
        }
        Ok(builder.finish())
    }

    fn push(
        &self,
        builder: &mut CorpusBuilder,
        line: u64,
        row: &str,
        fields: &[&str],
    ) -> Result<()> {
        let field = |column: Option<usize>| column.map(|column| fields[column].trim_ascii());
        let (word, tag) = (fields[self.layout.token], field(self.layout.tag));
        if word.is_empty() || tag == Some("") {
            let what = if word.is_empty() { "word" } else { "tag" };
            return Err(self
                .text
                .error("E031", format!("a line without a {what}"), line)
                .excerpt(row)
                .help(
                    "two tabs in a row? every line needs a word and a tag (O outside entities)",
                ));
        }
        builder.push_token(word, field(self.layout.pos), tag, line as u32);
        Ok(())
    }

    fn is_comment(&self, row: &str, fields: &[&str]) -> bool {
        let fits = fields.len() == self.layout.n_fields
            && self.layout.tag.is_none_or(|column| split_tag(fields[column]).is_some());
        !fits && looks_like_comment(row)
    }

    fn ragged(&self, line: u64, row: &str, fields: &[&str]) -> Error {
        let (found, expected) = (fields.len(), self.layout.n_fields);
        let name = if found == 1 { "field" } else { "fields" };
        let error = self.text.error("E003", format!("{found} {name}, expected {expected}"), line);
        let shown: String = row.chars().take(120).collect();
        if found > expected {
            let help = match self.split {
                Split::Tab => "a tab too many?",
                Split::Blanks if expected == 1 => {
                    "one word a line is expected here; if this is running text, tag it as text \
                     (`longhand tag --in text`)"
                }
                Split::Blanks => {
                    "a blank inside a word? separate fields with tabs on every line, then words may \
                     hold blanks"
                }
            };
            return error.excerpt(shown).help(help);
        }
        let mark = format!("{shown}\n{:>width$}", "^", width = shown.chars().count() + 1);
        let blanks = self.split == Split::Tab && row.contains(' ');
        let help = match blanks {
            true => "a blank stands where the other lines have a tab",
            false => "a field is missing: is it the tag?",
        };
        error.excerpt(mark).help(help)
    }
}
