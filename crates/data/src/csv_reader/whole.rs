//! Tables with a whole sentence in each row: its words in one field and as many tags in another, with
//! blanks between them or as a list that Python printed.
//!
//! ```text
//! id,text,labels                 Sentence #,Sentence,POS,Tag
//! 1,Ann left,B-per O             Sentence: 1,Ann left,"['NNP', 'VBD']","['B-per', 'O']"
//! ```

use std::borrow::Cow;

use super::{Table, is_blank};
use crate::columns::{
    Column, Layout, POS_NAMES, Sample, TAG_NAMES, TOKEN_NAMES, holds_many_tags, simplify,
};
use crate::corpus::{Corpus, CorpusBuilder, Source};
use crate::error::Result;
use crate::read::ReadOptions;
use crate::scheme::split_tag;

/// Names of columns with sentences, beside those of columns with words.
const WHOLE_NAMES: &[&str] = &["sentence", "sentences"];

/// Where such a table has what; `None` where a row is one token.
///
/// # Errors
/// E002 for columns that are not there.
pub(super) fn layout(
    table: &Table<'_>,
    sample: &Sample<'_>,
    options: &ReadOptions,
) -> Result<Option<Layout>> {
    let columns = &options.columns;
    if !table.has_header && columns.tag == Column::Auto {
        return Ok(None);
    }
    let Some(tag) = table.find(&columns.tag, TAG_NAMES, columns)? else { return Ok(None) };
    let tags = sample.columns[tag].iter().filter(|field| !field.trim_ascii().is_empty());
    let whole = tags.clone().filter(|field| holds_sentence(field)).count();
    if whole == 0 || 2 * whole < tags.count() {
        return Ok(None);
    }
    let token = match &columns.token {
        Column::Auto => named(table, sample, tag),
        given => table.find(given, TOKEN_NAMES, columns)?,
    };
    let Some(token) = token else { return Err(table.missing("Word", columns)) };
    let pos = table.find(&columns.pos, POS_NAMES, columns)?.filter(|&pos| {
        columns.pos != Column::Auto || (pos != token && pos != tag && agree(sample, pos, tag))
    });
    let layout =
        Layout { token, tag: Some(tag), pos, sentence: None, n_fields: table.headers.len() };
    layout.checked(table.text).map(Some)
}

/// Whether a field holds the tags of several tokens.
fn holds_sentence(field: &str) -> bool {
    match list(field) {
        Some(tags) => !tags.is_empty() && tags.iter().all(|tag| split_tag(tag).is_some()),
        None => holds_many_tags(field),
    }
}

/// The column of words by its header; of several, the one with as many words as there are tags.
fn named(table: &Table<'_>, sample: &Sample<'_>, tag: usize) -> Option<usize> {
    let is_called = |place: &usize, name: &str| simplify(&table.headers[*place]) == name;
    let names = TOKEN_NAMES.iter().chain(WHOLE_NAMES);
    let places: Vec<usize> = names
        .flat_map(|name| (0..table.headers.len()).filter(move |place| is_called(place, name)))
        .filter(|&place| place != tag && !counts_sentences(sample, place))
        .collect();
    places.iter().find(|&&place| agree(sample, place, tag)).or(places.last()).copied()
}

/// Whether a column names its rows by number: `Sentence: 1`, `2`.
fn counts_sentences(sample: &Sample<'_>, column: usize) -> bool {
    let mut fields = sample.columns[column].iter().map(|field| field.trim_ascii());
    fields.all(|field| field.is_empty() || field.ends_with(|c: char| c.is_ascii_digit()))
}

/// Whether two columns mostly hold as many words as each other.
fn agree(sample: &Sample<'_>, a: usize, b: usize) -> bool {
    let rows = sample.columns[a].iter().zip(&sample.columns[b]);
    let equal = rows.filter(|(a, b)| pieces(a).len() == pieces(b).len()).count();
    2 * equal >= sample.columns[a].len()
}

/// All sentences.
///
/// # Errors
/// E032 where a sentence has not as many tags as words, E003 for ragged rows, E023 if there is none.
pub(super) fn read(table: &Table<'_>, layout: Layout, source: Source) -> Result<Corpus> {
    let tag = layout.tag.expect("tags told that a row is a sentence");
    let mut builder = CorpusBuilder::new(source, layout.pos.is_some(), true);
    let mut reader = table.reader();
    let mut record = csv::ByteRecord::new();
    let mut to_skip = table.has_header;
    while reader.read_byte_record(&mut record).expect("memory has no read errors") {
        let blank = is_blank(&record);
        if blank || to_skip {
            to_skip &= blank;
            continue;
        }
        let place = table.place(&record);
        if record.len() != layout.n_fields {
            return Err(table.odd_row(&record, &place));
        }
        let field = |column: usize| {
            pieces(std::str::from_utf8(&record[column]).expect("cut from text at ASCII"))
        };
        let (words, tags, pos) = (field(layout.token), field(tag), layout.pos.map(field));
        let counts = [tags.len(), pos.as_ref().map_or(words.len(), Vec::len)];
        if counts.iter().any(|&n| n != words.len()) {
            let what = if counts[0] == words.len() { "parts of speech" } else { "tags" };
            let n = if counts[0] == words.len() { counts[1] } else { counts[0] };
            let message = format!("a sentence of {} words with {n} {what}", words.len());
            let excerpt: String = table.line_at(&place).chars().take(120).collect();
            return Err(table.text.error("E032", message, place.line).excerpt(excerpt).help(
                "here a row is a sentence: words with blanks between them, and a tag for each word, the marks \
                 that stand alone included",
            ));
        }
        let no_row = |piece: &str| piece.trim().is_empty() || piece.contains(['\n', '\r']);
        if let Some(j) = (0..words.len()).find(|&j| no_row(&words[j]) || no_row(&tags[j])) {
            let what = if no_row(&words[j]) { "word" } else { "tag" };
            let message = format!("a sentence whose {what} {} is empty or holds a line end", j + 1);
            return Err(table.text.error("E031", message, place.line));
        }
        for (j, (word, tag)) in words.iter().zip(&tags).enumerate() {
            let pos = pos.as_ref().map(|pos| &*pos[j]);
            builder.push_token(word, pos, Some(tag), place.line as u32);
        }
        builder.end_sentence();
    }
    let corpus = builder.finish();
    if corpus.is_empty() {
        return Err(table.text.empty("nothing but a header"));
    }
    Ok(corpus)
}

/// The items of a list, or what blanks separate.
fn pieces(field: &str) -> Vec<Cow<'_, str>> {
    list(field).unwrap_or_else(|| field.split_ascii_whitespace().map(Cow::Borrowed).collect())
}

/// The items of `['O', "it's"]`, as Python prints a list, or NumPy an array: without commas.
fn list(field: &str) -> Option<Vec<Cow<'_, str>>> {
    let is_gap = |c: char| c == ',' || c.is_ascii_whitespace();
    let mut rest = field.trim_ascii().strip_prefix('[')?.strip_suffix(']')?.trim_matches(is_gap);
    let mut items = Vec::new();
    while let Some(quote @ ('\'' | '"')) = rest.chars().next() {
        let (item, after) = quoted(&rest[1..], quote)?;
        items.push(item);
        rest = after.trim_start_matches(is_gap);
    }
    // `[ ]` with a blank in it is two words.
    (rest.is_empty() && (!items.is_empty() || field.trim_ascii() == "[]")).then_some(items)
}

/// What stands before the closing quote, and what behind it.
fn quoted(text: &str, quote: char) -> Option<(Cow<'_, str>, &str)> {
    let mut item = Cow::Borrowed("");
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            let item = if item.is_empty() { Cow::Borrowed(&text[..at]) } else { item };
            return Some((item, &text[at + 1..]));
        }
        if c == '\\' && item.is_empty() {
            item = Cow::Owned(text[..at].to_owned());
        }
        let c = if c == '\\' { escaped(&mut characters)? } else { c };
        if let Cow::Owned(item) = &mut item {
            item.push(c);
        }
    }
    None
}

/// The character behind a backslash.
fn escaped(characters: &mut std::str::CharIndices<'_>) -> Option<char> {
    let digits = match characters.next()?.1 {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        other => return Some(other),
    };
    let mut number = |digits: usize| {
        let digits: String = characters.by_ref().take(digits).map(|(_, digit)| digit).collect();
        u32::from_str_radix(&digits, 16).ok()
    };
    match number(digits)? {
        // JSON writes what lies beyond 16 bits as two halves.
        high @ 0xD800..0xDC00 => {
            (characters.next()?.1 == '\\' && characters.next()?.1 == 'u').then_some(())?;
            let low: String = characters.take(4).map(|(_, digit)| digit).collect();
            let low =
                u32::from_str_radix(&low, 16).ok().filter(|low| (0xDC00..0xE000).contains(low))?;
            char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        }
        number => char::from_u32(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::read_bytes;

    fn read(text: &str) -> Result<Vec<String>> {
        let (corpus, warnings) = read_bytes("x.csv", text.as_bytes(), &ReadOptions::default())?;
        assert!(warnings.is_empty());
        let sentence = |s: crate::Sentence<'_>| {
            let pos = |j| if corpus.has_pos { s.pos(j) } else { "" };
            let tokens = (0..s.len()).map(|j| format!("{}/{}/{}", s.word(j), pos(j), s.tag(j)));
            format!("{} {}", s.line(0), tokens.collect::<Vec<_>>().join(" "))
        };
        Ok(corpus.sentences().map(sentence).collect())
    }

    #[test]
    fn words_and_tags_of_a_sentence_stand_in_a_row() {
        let text =
            "id,text,labels\r\n1,Ann left,B-PER O\r\n\r\n2,Rome,B-LOC\r\n3,,\r\n4,he ran,O O\r\n";
        assert_eq!(
            read(text).unwrap(),
            ["2 Ann//B-PER left//O", "4 Rome//B-LOC", "6 he//O ran//O"]
        );
    }

    #[test]
    fn lists_are_read_as_python_prints_them() {
        let text = "Sentence #,Sentence,POS,Tag\n\
                    Sentence: 1,it 's Ann,\"['PRP', 'VBZ', 'NNP']\",\"['O', 'O', 'B-per']\"\n\
                    Sentence: 2,Rome fell .,\"['NNP', 'VBD', '.']\",\"['B-geo', 'O', 'O']\"\n";
        assert_eq!(
            read(text).unwrap(),
            ["2 it/PRP/O 's/VBZ/O Ann/NNP/B-per", "3 Rome/NNP/B-geo fell/VBD/O ././O"]
        );
        // Names of sentences look like sentences of two words.
        let short = "Sentence #,Sentence,Tag\nSentence: 1,Ann left,B-per O\n";
        assert_eq!(read(short).unwrap(), ["2 Ann//B-per left//O"]);
        let numpy =
            "tokens,ner_tags\n\"['New York' \"\"'s\"\"\n 'mayor']\",\"['B-geo' 'O' 'O']\"\n";
        assert_eq!(read(numpy).unwrap(), ["2 New York//B-geo 's//O mayor//O"]);
    }

    #[test]
    fn a_list_has_quotes_around_its_items() {
        let items = |field| list(field).map(|items| items.join("|"));
        assert_eq!(items(r#"['a', "it's", 'b\'c', '\xa0\\n']"#).unwrap(), "a|it's|b'c|\u{a0}\\n");
        assert_eq!(items("[]").unwrap(), "");
        for field in ["[ music ]", "['a', b]", "['a", "'a'", "['a\\", r"['\xzz']"] {
            assert_eq!(items(field), None, "{field}");
        }
    }

    #[test]
    fn a_sentence_with_too_few_tags_is_named_with_its_line() {
        let error = read("text,labels\nAnn left,B-PER O\nshe ran home,O O\n").unwrap_err();
        assert_eq!((error.code, error.place.unwrap().line), ("E032", Some(3)));
        assert_eq!(error.message, "a sentence of 3 words with 2 tags");
        assert_eq!(read("text,labels\nAnn left,B-PER O\nran\n").unwrap_err().code, "E003");
    }

    #[test]
    fn what_a_row_of_tokens_cannot_hold_is_refused_here_too() {
        for words in [r"['Ann', '']", r"['Ann\nLee', 'left']", "['Ann', ' ']"] {
            let error = read(&format!("text,labels\n\"{words}\",B-PER O\n")).unwrap_err();
            assert_eq!((error.code, error.place.unwrap().line), ("E031", Some(2)), "{words}");
        }
    }

    #[test]
    fn brackets_in_a_sentence_are_words_and_halves_of_a_character_are_one() {
        assert_eq!(read("text,labels\nAnn left,B-PER O\n[ ],O O\n").unwrap()[1], "3 [//O ]//O");
        let json = "text,labels\n\"[\"\"Ann\"\", \"\"\\ud83d\\ude00\"\"]\",B-PER O\n";
        assert_eq!(read(json).unwrap(), ["2 Ann//B-PER 😀//O"]);
        assert_eq!(list(r"['\ud83d']"), None);
    }

    #[test]
    fn rows_of_tokens_are_not_taken_for_sentences() {
        let text = "word,tag\nNew York,B-big city\nfell,O\n";
        assert_eq!(read(text).unwrap(), ["2 New York//B-big city fell//O"]);
    }
}
