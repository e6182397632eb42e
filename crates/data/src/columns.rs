//! Which column holds what: by option, by header name, by what stands in it.

use std::collections::BTreeSet;

use crate::error::{Error, Result, Warning};
use crate::read::Text;
use crate::scheme::split_tag;

/// How a column is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// Found by its header or by its values.
    #[default]
    Auto,
    /// By its header, in any case.
    Name(String),
    /// By its number, from 1.
    Number(usize),
    /// The file has no such column, or it is not to be read.
    Absent,
}

/// The columns of a corpus, each by header name or by number.
///
/// ```
/// use data::{Column, Columns};
/// let columns = Columns::parse(r#"token=2,tag=label,sentence="Sentence #",pos=none"#)?;
/// assert_eq!(columns.token, Column::Number(2));
/// assert_eq!(columns.sentence, Column::Name("Sentence #".into()));
/// assert_eq!(columns.pos, Column::Absent);
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The word.
    pub token: Column,
    /// The entity tag.
    pub tag: Column,
    /// The part of speech.
    pub pos: Column,
    /// A name or number of the sentence; a row where it is empty goes on with the one before.
    pub sentence: Column,
}

const BOTH_HELP: &str = "one file with two taggings needs both: `--columns tag=2,pred=3`";

const COLUMNS_HELP: &str = r#"write `--columns token=word,tag=label,sentence="Sentence #"`, or numbers from 1: token=1,tag=4"#;

impl Columns {
    /// Reads `key=value` pairs with commas between them. Keys are `token` (or `word`), `tag` (or
    /// `label`), `pos` and `sentence`; a value is a header name, in double quotes if it holds a comma
    /// or is a number, a number from 1, or `none`.
    ///
    /// # Errors
    /// E030 for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        Self::of_pairs(split_outside_quotes(text))
    }

    /// The columns of a file with two taggings of its words: with the right tags, `tag`, and with the predicted ones,
    /// `pred`. All else is as in [`Columns::parse`].
    ///
    /// # Errors
    /// E030 if one of the two is not named.
    ///
    /// ```
    /// use data::{Column, Columns};
    /// let [gold, predicted] = Columns::parse_both("token=1,tag=2,pred=guess")?;
    /// assert_eq!([&gold.token, &predicted.token], [&Column::Number(1); 2]);
    /// assert_eq!([gold.tag, predicted.tag], [Column::Number(2), Column::Name("guess".into())]);
    /// # Ok::<(), data::Error>(())
    /// ```
    pub fn parse_both(text: &str) -> Result<[Self; 2]> {
        let predicts = |pair: &&str| pair.split_once('=').is_some_and(|(k, _)| k.trim() == "pred");
        let (pred, others): (Vec<&str>, Vec<&str>) = split_outside_quotes(text).partition(predicts);
        let gold = Self::of_pairs(others)?;
        let mut tag = Column::Auto;
        for pair in pred {
            if tag != Column::Auto {
                return Err(Error::new("E030", "\"pred\" is given twice").help(BOTH_HELP));
            }
            let (_, value) = pair.split_once('=').expect("its key");
            tag = parse_column(value.trim()).ok_or_else(|| bad_option(pair))?;
        }
        for (name, column) in [("tag", &gold.tag), ("pred", &tag)] {
            if matches!(column, Column::Auto | Column::Absent) {
                return Err(Error::new("E030", format!("no column `{name}`")).help(BOTH_HELP));
            }
        }
        Ok([gold.clone(), Self { tag, ..gold }])
    }

    fn of_pairs<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut columns = Self::default();
        for pair in pairs {
            let (key, value) = pair.split_once('=').ok_or_else(|| bad_option(pair))?;
            let column = match key.trim() {
                "token" | "word" => &mut columns.token,
                "tag" | "label" => &mut columns.tag,
                "pos" => &mut columns.pos,
                "sentence" => &mut columns.sentence,
                _ => return Err(bad_option(pair)),
            };
            if *column != Column::Auto {
                let twice = format!("{:?} is given twice", key.trim());
                return Err(Error::new("E030", twice).help(COLUMNS_HELP));
            }
            *column = parse_column(value.trim()).ok_or_else(|| bad_option(pair))?;
        }
        Ok(columns)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.token, &self.tag, &self.pos, &self.sentence].into_iter().filter_map(|column| {
            if let Column::Name(name) = column { Some(name.as_str()) } else { None }
        })
    }
}

fn bad_option(pair: &str) -> Error {
    Error::new("E030", format!("cannot read {pair:?} as a column")).help(COLUMNS_HELP)
}

fn split_outside_quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

fn parse_column(value: &str) -> Option<Column> {
    if let Some(name) = value.strip_prefix('"') {
        return name.strip_suffix('"').map(|name| Column::Name(name.to_string()));
    }
    match value.parse::<usize>() {
        _ if value.is_empty() => None,
        _ if value.eq_ignore_ascii_case("none") => Some(Column::Absent),
        Ok(0) => None,
        Ok(number) => Some(Column::Number(number)),
        Err(_) => Some(Column::Name(value.to_string())),
    }
}

/// Places of the columns in a row, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub token: usize,
    pub tag: Option<usize>,
    pub pos: Option<usize>,
    pub sentence: Option<usize>,
    /// Fields that every row must have.
    pub n_fields: usize,
}

impl Layout {
    /// What is read, and where.
    fn roles(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let roles = [
            ("token", Some(self.token)),
            ("tag", self.tag),
            ("pos", self.pos),
            ("sentence", self.sentence),
        ];
        roles.into_iter().filter_map(|(role, place)| Some((role, place?)))
    }

    /// These columns, each of which is read as one thing: with the tags for parts of speech a model would be given what
    /// it is to find.
    ///
    /// # Errors
    /// E030 for a column of two roles.
    pub fn checked(self, text: Text<'_>) -> Result<Self> {
        let mut seen: Vec<(&str, usize)> = Vec::new();
        for (role, place) in self.roles() {
            if let Some((other, _)) = seen.iter().find(|(_, known)| *known == place) {
                let message = format!("column {} is read as {other} and as {role}", place + 1);
                let help = format!("`--columns {role}=…` names another; `{role}=none` reads none");
                return Err(text.error("E030", message, 1).help(help));
            }
            seen.push((role, place));
        }
        Ok(self)
    }

    /// The option that names these columns; `name` is what a column is called in it.
    pub fn option(&self, name: impl Fn(usize) -> String) -> String {
        self.roles()
            .map(|(role, place)| format!("{role}={}", name(place)))
            .collect::<Vec<_>>()
            .join(",")
    }
}

/// Header names by which a column is known, as [`simplify`] leaves them.
pub(crate) const TOKEN_NAMES: &[&str] = &["word", "token", "words", "tokens", "form", "text"];
pub(crate) const TAG_NAMES: &[&str] =
    &["tag", "label", "ner", "nertag", "nertags", "entity", "tags", "labels", "iob", "bio", "iob2"];
pub(crate) const POS_NAMES: &[&str] = &["pos", "postag", "upos", "xpos", "partofspeech"];
pub(crate) const SENTENCE_NAMES: &[&str] =
    &["sentence", "sentenceidx", "sentenceid", "sentid", "sentenceno", "sentencenumber"];

/// A header without case, blanks and punctuation: `Sentence #` becomes `sentence`.
pub(crate) fn simplify(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Place of the first header that has one of these names, names tried in order.
pub(crate) fn find_known(headers: &[String], known: &[&str]) -> Option<usize> {
    let headers: Vec<String> = headers.iter().map(|header| simplify(header)).collect();
    known.iter().find_map(|name| headers.iter().position(|header| header == name))
}

/// A sample of rows, column by column, to judge columns by their values.
pub(crate) struct Sample<'a> {
    pub columns: Vec<Vec<&'a str>>,
}

impl<'a> Sample<'a> {
    /// Whether all values are tags; an empty one is a mistake of its row, not of the column.
    pub fn holds_tags(&self, column: usize) -> bool {
        let mut values = self.columns[column]
            .iter()
            .map(|v| v.trim_ascii())
            .filter(|v| !v.is_empty())
            .peekable();
        values.peek().is_some() && values.all(|value| split_tag(value).is_some())
    }

    /// Whether tags of entities are so many more than what is no tag that those are slips of their rows, not
    /// another kind of column. `O` says nothing: it stands beside plain types too.
    pub fn nearly_holds_tags(&self, column: usize) -> bool {
        let (mut entities, mut wrong) = (0, 0);
        for value in self.columns[column].iter().map(|v| v.trim_ascii()).filter(|v| !v.is_empty()) {
            match split_tag(value) {
                None => wrong += 1,
                Some((letter, _)) => entities += usize::from(letter != 'O'),
            }
        }
        entities > 0 && entities >= 4 * wrong
    }

    /// The last column that holds nothing but tags: where there are several (a chunk column, guesses
    /// of another system), the entities stand last by custom. Without one, the last that nearly does.
    pub fn tag_column(&self) -> Option<usize> {
        let last = |fits: fn(&Self, usize) -> bool| {
            (0..self.columns.len()).rev().find(|&column| fits(self, column))
        };
        last(Self::holds_tags).or_else(|| last(Self::nearly_holds_tags))
    }

    /// The types of the entities in a column.
    fn types(&self, column: usize) -> BTreeSet<&'a str> {
        let labels = self.columns[column].iter().filter_map(|value| split_tag(value.trim_ascii()));
        labels.map(|(_, label)| label).filter(|label| !label.is_empty()).collect()
    }

    /// The other columns with tags of the types that stand in `tag`: gold beside predictions, outer entities beside
    /// inner ones. Chunks are of other types. `same` says which column counts even though `tag` has no entity.
    pub fn rivals(&self, tag: usize, same: Option<usize>) -> Vec<usize> {
        let types = self.types(tag);
        let is_rival = |&other: &usize| {
            let holds = || self.holds_tags(other) || self.nearly_holds_tags(other);
            let alike = || {
                let others = self.types(other);
                let unknown = types.is_empty() && same == Some(other) && !others.is_empty();
                unknown || !types.is_disjoint(&others)
            };
            other != tag && holds() && alike()
        };
        (0..self.columns.len()).filter(is_rival).collect()
    }

    /// Whether the column counts the tokens of each sentence, as in files of Universal Dependencies.
    pub fn counts_tokens(&self, column: usize) -> bool {
        let mut before = 0;
        let mut restarts = true;
        for value in &self.columns[column] {
            let Ok(number) = value.parse::<u32>() else { return false };
            restarts &= number == 1 || number == before + 1;
            before = number;
        }
        restarts && self.columns[column].first() == Some(&"1")
    }

    /// Whether few values occur often, as they do in a column of parts of speech.
    pub fn holds_categories(&self, column: usize) -> bool {
        let values = &self.columns[column];
        let mut distinct: Vec<&str> = values.clone();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.len() <= 80 && (values.len() < 40 || 4 * distinct.len() <= values.len())
    }

    /// The commonest values with their shares: `NN 14 %, IN 11 %, …`.
    pub fn commonest(&self, column: usize) -> String {
        let values = &self.columns[column];
        let mut counts: Vec<(usize, &'a str)> = Vec::new();
        for value in values {
            match counts.iter_mut().find(|(_, known)| known == value) {
                Some((count, _)) => *count += 1,
                None => counts.push((1, value)),
            }
        }
        counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let share = |count: usize| (100 * count + values.len() / 2) / values.len();
        let shown: Vec<String> =
            counts.iter().take(3).map(|&(count, v)| format!("{v} {} %", share(count))).collect();
        let rest = if counts.len() > 3 { ", …" } else { "" };
        shown.join(", ") + rest
    }
}

/// E009: the column holds something, but not tags.
pub(crate) fn no_tags(sample: &Sample<'_>, column: usize, headers: Option<&[String]>) -> Error {
    let name = |column: usize| match headers {
        Some(headers) => format!("column {} ({:?})", column + 1, headers[column]),
        None => format!("column {}", column + 1),
    };
    let message =
        format!("no entity tag in {}; values: {}", name(column), sample.commonest(column));
    let error = Error::new("E009", message);
    let values = &sample.columns[column];
    let plain_types = values.iter().filter(|value| **value == "O").count() * 4 > values.len();
    match sample.tag_column() {
        Some(other) if other != column => error
            .help(format!("tags seem to be in {}: `--columns tag={}`", name(other), other + 1)),
        _ if values.iter().all(|value| value.bytes().all(|b| b.is_ascii_digit())) => {
            error.help("these are numbers of tags: write the tags themselves, such as B-per for 1")
        }
        _ if values.iter().any(|value| meant(value).is_some()) => {
            error.help("tags begin with a capital letter and a hyphen: write b-per as B-per, o as O")
        }
        _ if plain_types => error.help(
            "a tag is O, or a letter, a hyphen and a type: write PER as B-PER on the first token of \
             an entity and I-PER on the others",
        ),
        _ => error.help("name the column with O, B-… and I-… (`--columns tag=…`), or `tag=none`"),
    }
}

/// W032: the column that was read is not the only one that may be meant. `name` is what a column is called in
/// `--columns`.
pub(crate) fn rivals(
    text: Text<'_>,
    tag: usize,
    others: &[usize],
    name: impl Fn(usize) -> String,
) -> Option<Warning> {
    let first = *others.first()?;
    let mut all = [others, &[tag]].concat();
    all.sort_unstable();
    let (last, before) = all.split_last().expect("two at least");
    let before: Vec<String> = before.iter().map(|&column| name(column)).collect();
    let message = format!(
        "columns {} and {} hold entity tags of the same types; {} was read",
        before.join(", "),
        name(*last),
        name(tag)
    );
    let which = if others.len() == 1 { "the other" } else { "another" };
    let help = format!("`--columns tag={}` reads {which}", name(first));
    Some(Warning::new("W032", message).at(text.name, None, None).help(help))
}

/// Whether a field holds the tags of several tokens: `B-per O`. A type may have blanks in it, tags have none.
pub(crate) fn holds_many_tags(field: &str) -> bool {
    let mut tags = field.split_ascii_whitespace();
    tags.clone().nth(1).is_some() && tags.all(|tag| split_tag(tag).is_some())
}

/// What a value that is no tag was meant to be: `B-per` for `b-per`, `B_per` or `B per`, `O` for `o` and `0`. None if
/// nothing comes near.
pub(crate) fn meant(value: &str) -> Option<String> {
    if split_tag(value).is_some() {
        return None;
    }
    if matches!(value, "o" | "0") {
        return Some("O".into());
    }
    let mut rest = value.chars();
    let letter = rest.next()?.to_ascii_uppercase();
    let label = rest.as_str().strip_prefix(['-', '_', ':', '/', ' ', '–'])?;
    let tag = format!("{letter}-{label}");
    split_tag(&tag).is_some().then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_is_no_column_is_refused_with_an_example() {
        for text in ["token", "colour=3", "tag=", "tag=0", "tag=1,tag=2", "tag=\"x"] {
            let error = Columns::parse(text).unwrap_err();
            assert_eq!(error.code, "E030", "{text}");
            assert!(error.help.unwrap().contains("token=word"));
        }
    }

    #[test]
    fn a_quoted_value_is_a_name_even_if_it_is_a_number_or_holds_a_comma() {
        let columns = Columns::parse(r#"tag="4",token="a, b""#).unwrap();
        assert_eq!(columns.tag, Column::Name("4".into()));
        assert_eq!(columns.token, Column::Name("a, b".into()));
    }

    #[test]
    fn a_slip_in_a_tag_is_known_for_what_was_meant() {
        for (value, tag) in [("b-per", "B-per"), ("B_per", "B-per"), ("i:X", "I-X"), ("0", "O")] {
            assert_eq!(meant(value).as_deref(), Some(tag), "{value}");
        }
        for value in ["B-per", "O", "NNP", "per", "x-ray", "", "B-", "o-per"] {
            assert_eq!(meant(value), None, "{value}");
        }
    }

    #[test]
    fn columns_of_tags_with_the_same_types_are_rivals_and_chunks_are_none() {
        let rows = ["EU B-NP B-ORG O", "rejects B-VP O O", "Ann B-NP B-PER B-PER"];
        let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.split(' ').collect()).collect();
        let column = |place: usize| rows.iter().map(|row| row[place]).collect();
        let sample = Sample { columns: (0..4).map(column).collect() };
        assert_eq!(sample.rivals(3, None), [2]);
        assert_eq!(sample.rivals(2, None), [3]);
        assert!(sample.rivals(1, None).is_empty());
        // A prediction of no entity at all has no type in common with the gold tags.
        let empty = Sample { columns: vec![vec!["a"], vec!["B-x"], vec!["O"]] };
        assert!(empty.rivals(2, None).is_empty());
        assert_eq!(empty.rivals(2, Some(1)), [1]);
    }

    #[test]
    fn several_tags_in_a_field_are_told_from_a_type_with_blanks() {
        assert!(holds_many_tags("B-per O") && holds_many_tags(" O\tO "));
        for field in ["B-big city", "O", "", "B-per", "New York"] {
            assert!(!holds_many_tags(field), "{field}");
        }
    }

    #[test]
    fn headers_are_known_in_any_case_and_with_any_punctuation() {
        let headers = ["Sentence #", "WORD", "POS", "NER Tag"].map(str::to_string);
        let found = [SENTENCE_NAMES, TOKEN_NAMES, POS_NAMES, TAG_NAMES]
            .map(|known| find_known(&headers, known));
        assert_eq!(found, [Some(0), Some(1), Some(2), Some(3)]);
    }
}
