//! Texts with entities, a JSON object a line: displaCy's shape with the tokens kept, and spaCy's.

use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

use data::scheme::encode;
use data::{Corpus, CorpusBuilder, Encoding, Error, Result, Scheme, Source, Span, Warning};
use report::human::counted;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cut::{Labelled, sentences, words_of};
use super::spans::Spans;
use crate::input;

#[derive(Serialize)]
struct Displacy<'a> {
    text: &'a str,
    ents: Vec<Ent<'a>>,
    tokens: Vec<Token<'a>>,
}

#[derive(Serialize)]
struct Ent<'a> {
    start: usize,
    end: usize,
    label: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Token<'a> {
    start: usize,
    end: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pos: Option<&'a str>,
}

#[derive(Serialize)]
struct Spacy<'a> {
    text: &'a str,
    entities: Vec<(usize, usize, &'a str)>,
}

/// One line a sentence, as `longhand tag --out jsonl` writes it, and with the places of the tokens:
/// [`read`] gives the same sentences back.
pub fn displacy(corpus: &Corpus) -> String {
    lines(corpus, |spans, sentence| {
        let ents = spans.entities.iter().map(|e| Ent {
            start: e.start,
            end: e.end,
            label: &e.label,
            text: &e.text,
        });
        let pos = |j: usize| corpus.has_pos.then(|| sentence.pos(j));
        let places = characters(&spans.text, &spans.words).into_iter().enumerate();
        let tokens = places.map(|(j, at)| Token { start: at.start, end: at.end, pos: pos(j) });
        let line = Displacy { text: &spans.text, ents: ents.collect(), tokens: tokens.collect() };
        serde_json::to_string(&line)
    })
}

/// One line a sentence: `{"text":…,"entities":[[start,end,label],…]}`.
pub fn spacy(corpus: &Corpus) -> String {
    lines(corpus, |spans, _| {
        let entities = spans.entities.iter().map(|e| (e.start, e.end, e.label.as_str()));
        serde_json::to_string(&Spacy { text: &spans.text, entities: entities.collect() })
    })
}

fn lines(
    corpus: &Corpus,
    line: impl Fn(&Spans, data::Sentence<'_>) -> serde_json::Result<String>,
) -> String {
    let mut text = String::new();
    for sentence in corpus.sentences() {
        text +=
            &line(&Spans::of(sentence), sentence).expect("strings and numbers have a JSON form");
        text.push('\n');
    }
    text
}

/// Places in characters of places in bytes that are in order and apart.
fn characters(text: &str, bytes: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut byte, mut character) = (0, 0);
    let mut at = |to: usize| {
        character += text[byte..to].chars().count();
        byte = to;
        character
    };
    bytes.iter().map(|range| at(range.start)..at(range.end)).collect()
}

/// A line as it may come: entities as objects or as triples, under the names in use; or words and tags.
#[derive(Deserialize)]
pub struct Line {
    /// The text.
    text: Option<String>,
    /// Its entities.
    #[serde(default, alias = "entities", alias = "spans", alias = "label", alias = "labels")]
    ents: Vec<AnyEnt>,
    /// Its tokens, if they are given.
    tokens: Option<Tokens>,
    /// Tags of tokens that are words; in other lines these fields may hold anything.
    ner_tags: Option<Value>,
    tags: Option<Value>,
    /// Whether the end of a line of the text ends a sentence.
    #[serde(skip)]
    by_lines: bool,
}

impl Line {
    /// A text with entities, whose lines are borders of sentences.
    pub fn of(text: String, ents: Vec<AnyEnt>) -> Self {
        Self { text: Some(text), ents, tokens: None, ner_tags: None, tags: None, by_lines: true }
    }
}

/// An entity, counted in characters; or the tag of a word.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum AnyEnt {
    Object { start: usize, end: usize, label: String },
    Triple(usize, usize, String),
    Tag(String),
    Number(i64),
}

/// Tokens as places in the text, or as words.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tokens {
    Places(Vec<AnyToken>),
    Words(Vec<String>),
}

/// A token, counted in characters.
#[derive(Deserialize)]
struct AnyToken {
    start: usize,
    end: usize,
    pos: Option<String>,
}

/// Reads texts with entities. A line with `tokens` is a sentence of these; another is cut into
/// tokens and sentences here, borders of entities being borders of tokens. Tags are IOB2. A line whose tokens are
/// words, as Hugging Face has them, holds a tag for each.
///
/// # Errors
/// E049 for a line that is no such object, and for entities that overlap or that cut a given token;
/// E001 and E021 to E025 for the file.
pub fn read(path: &Path, encoding: Encoding) -> Result<(Corpus, Vec<Warning>)> {
    let (name, text, mut warnings) = input::any_text(path, encoding)?;
    let mut lines = Vec::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        if !line.trim().is_empty() {
            let parsed = serde_json::from_str::<Line>(line);
            lines.push((number, parsed.map_err(|e| bad(&name, number, no_json(&e)))?));
        }
    }
    let with_pos = |line: &Line| match &line.tokens {
        Some(Tokens::Places(tokens)) => tokens.iter().all(|token| token.pos.is_some()),
        _ => false,
    };
    let has_pos = !lines.is_empty() && lines.iter().all(|(_, line)| with_pos(line));
    let mut builder = CorpusBuilder::new(Source::named(&name), has_pos, true);
    let (mut n, mut first) = (0, None);
    for (number, line) in &lines {
        let done = push(&mut builder, line, *number, has_pos);
        let found = done.map_err(|what| bad(&name, *number, what))?;
        first = first.or((found > 0).then_some(u64::from(*number)));
        n += found;
    }
    warnings.extend(with_blanks(n, &name, first));
    let corpus = builder.finish();
    match corpus.is_empty() {
        true => Err(Error::new("E023", "no text in the file").at(&name, None, None)),
        false => Ok((corpus, warnings)),
    }
}

/// W034 about `n` entities, the first of them in line `first`.
pub fn with_blanks(n: usize, name: &str, first: Option<u64>) -> Option<Warning> {
    let entities = counted(n, "entity begins or ends", "entities begin or end");
    let message = format!("{entities} with a blank, which was left out");
    (n > 0).then(|| Warning::new("W034", message).at(name, first, None))
}

/// The sentences of one text, and how many entities had blanks at their borders.
///
/// # Errors
/// What is wrong with its entities.
pub fn corpus(name: &str, line: &Line) -> std::result::Result<(Corpus, usize), String> {
    let mut builder = CorpusBuilder::new(Source::named(name), false, true);
    let with_blanks = push(&mut builder, line, 1, false)?;
    Ok((builder.finish(), with_blanks))
}

fn no_json(error: &serde_json::Error) -> String {
    format!("not a text with entities: {error}")
}

fn bad(name: &str, line: u32, what: String) -> Error {
    Error::new("E049", what).at(name, u64::from(line), None).help(
        r#"a line is {"text":"Rome fell","ents":[{"start":0,"end":4,"label":"geo"}]}, counted in characters, or {"tokens":["Rome","fell"],"tags":["B-geo","O"]}"#,
    )
}

/// Adds the sentences of a line; returns how many entities had blanks at their borders.
fn push(
    builder: &mut CorpusBuilder,
    line: &Line,
    number: u32,
    has_pos: bool,
) -> std::result::Result<usize, String> {
    if let Some(Tokens::Words(words)) = &line.tokens {
        return push_words(builder, words, line, number).map(|()| 0);
    }
    let text = line.text.as_deref().ok_or("not a text with entities: missing field `text`")?;
    let borders: Vec<usize> =
        text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect();
    let bytes = |start: usize, end: usize| match (borders.get(start), borders.get(end)) {
        (Some(&from), Some(&to)) if from < to => Ok(from..to),
        _ => {
            let n = borders.len() - 1;
            Err(format!("{start}..{end} is no part of a text of {n} characters"))
        }
    };
    let places: &[AnyToken] = match &line.tokens {
        Some(Tokens::Places(places)) => places,
        _ => &[],
    };
    let mut words = Vec::with_capacity(places.len());
    for token in places {
        words.push(bytes(token.start, token.end)?);
    }
    let mut entities: Vec<Labelled> = Vec::new();
    let mut with_blanks = 0;
    for ent in &line.ents {
        let (AnyEnt::Object { start, end, label } | AnyEnt::Triple(start, end, label)) = ent else {
            return Err("tags of tokens, but `tokens` does not hold words".into());
        };
        if label.trim().is_empty() {
            return Err(format!("the entity {start}..{end} has an empty label"));
        }
        let range = bytes(*start, *end)?;
        let within = without_blanks(text, &range, &words)
            .ok_or_else(|| format!("the entity {start}..{end} holds nothing but blanks"))?;
        with_blanks += usize::from(within != range);
        entities.push((within, label));
    }
    entities.sort_by_key(|(range, _)| (range.start, range.end));
    if let Some(two) = entities.windows(2).find(|two| two[0].0.end > two[1].0.start) {
        let texts = [&two[0], &two[1]].map(|(range, _)| &text[range.clone()]);
        return Err(format!("entities {:?} and {:?} overlap", texts[0], texts[1]));
    }
    if line.tokens.is_some() {
        let pos = |j: usize| places[j].pos.as_deref().filter(|_| has_pos);
        sentence(builder, text, &words, pos, &entities, number)?;
        return Ok(with_blanks);
    }
    let words = words_of(text, &entities);
    for range in sentences(text, &words, &entities, line.by_lines) {
        let (first, last) = (words[range.start].start, words[range.end - 1].end);
        let from = entities.partition_point(|(entity, _)| entity.start < first);
        let to = entities.partition_point(|(entity, _)| entity.end <= last);
        sentence(builder, text, &words[range], |_| None, &entities[from..to], number)?;
    }
    Ok(with_blanks)
}

/// The part of an entity between the blanks at its borders; all of it where given tokens begin and end so.
fn without_blanks(
    text: &str,
    range: &Range<usize>,
    words: &[Range<usize>],
) -> Option<Range<usize>> {
    let begins = words.iter().any(|word| word.start == range.start);
    if begins && words.iter().any(|word| word.end == range.end) {
        return Some(range.clone());
    }
    let inner = &text[range.clone()];
    let start = range.start + (inner.len() - inner.trim_start().len());
    let end = start + inner.trim().len();
    (start < end).then_some(start..end)
}

/// Adds one sentence of words with their tags.
fn push_words(
    builder: &mut CorpusBuilder,
    words: &[String],
    line: &Line,
    number: u32,
) -> std::result::Result<(), String> {
    let numbers = |name: &str, number: &dyn Display| {
        format!("{name} holds numbers of tags ({number} …): their names are needed, such as B-per")
    };
    let strings = |name: &str, value: &Value| -> std::result::Result<Vec<String>, String> {
        let items = value.as_array().ok_or_else(|| format!("{name} is no list"))?;
        let tag = |item: &Value| match item {
            Value::String(tag) => Ok(tag.clone()),
            Value::Number(number) => Err(numbers(name, number)),
            _ => Err(format!("{name} holds {item}, which is no tag")),
        };
        items.iter().map(tag).collect()
    };
    let tags = match (&line.ner_tags, &line.tags) {
        (Some(tags), _) => strings("`ner_tags`", tags)?,
        (None, Some(tags)) => strings("`tags`", tags)?,
        (None, None) if line.ents.is_empty() && !words.is_empty() => {
            return Err("words without tags: no `ner_tags`, `tags` or `labels`".into());
        }
        (None, None) => {
            let tag = |ent: &AnyEnt| match ent {
                AnyEnt::Tag(tag) => Ok(tag.clone()),
                AnyEnt::Number(number) => Err(numbers("`labels`", number)),
                _ => Err("`tokens` holds words, so entities have no places: give tags".into()),
            };
            line.ents.iter().map(tag).collect::<std::result::Result<_, String>>()?
        }
    };
    if tags.len() != words.len() {
        return Err(format!("{} words with {} tags", words.len(), tags.len()));
    }
    for (word, tag) in words.iter().zip(&tags) {
        if word.is_empty() || tag.is_empty() {
            return Err("an empty word or tag".into());
        }
        builder.push_token(word, None, Some(tag), number);
    }
    builder.end_sentence();
    Ok(())
}

/// Adds one sentence; every entity must begin and end with one of its words.
fn sentence<'a>(
    builder: &mut CorpusBuilder,
    text: &str,
    words: &[Range<usize>],
    pos: impl Fn(usize) -> Option<&'a str>,
    entities: &[Labelled],
    number: u32,
) -> std::result::Result<(), String> {
    let mut spans = Vec::new();
    for (range, label) in entities {
        let start = words.iter().position(|word| word.start == range.start);
        let end = words.iter().position(|word| word.end == range.end);
        match (start, end) {
            (Some(start), Some(end)) => spans.push(Span { start, end: end + 1, label }),
            _ => return Err(format!("entity {:?} cuts a token", &text[range.clone()])),
        }
    }
    let tags = encode(&spans, words.len(), Scheme::Iob2);
    for (j, word) in words.iter().enumerate() {
        builder.push_token(&text[word.clone()], pos(j), Some(&tags[j]), number);
    }
    builder.end_sentence();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> std::result::Result<Vec<String>, String> {
        let line: Line = serde_json::from_str(line).map_err(|e| no_json(&e))?;
        let mut builder = CorpusBuilder::new(Source::named("x"), false, true);
        push(&mut builder, &line, 1, false)?;
        let corpus = builder.finish();
        let text = |s: data::Sentence<'_>| {
            let pairs = s.words().zip(s.tags()).map(|(w, t)| format!("{w}/{t}"));
            pairs.collect::<Vec<_>>().join(" ")
        };
        Ok(corpus.sentences().map(text).collect())
    }

    #[test]
    fn a_line_without_tokens_is_cut_here_and_at_the_borders_of_entities() {
        let line = r#"{"text":"Zoë left Rome-Paris. He slept.","entities":[[0,3,"per"],[9,13,"geo"],[14,19,"geo"]]}"#;
        let found = read_line(line).unwrap();
        assert_eq!(found[0], "Zoë/B-per left/O Rome/B-geo -/O Paris/B-geo ./O");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn an_entity_over_the_end_of_a_sentence_joins_the_two() {
        let line = r#"{"text":"He left. She stayed.","ents":[{"start":3,"end":12,"label":"x"}]}"#;
        assert_eq!(read_line(line).unwrap(), ["He/O left/B-x ./I-x She/I-x stayed/O ./O"]);
    }

    #[test]
    fn blanks_at_the_borders_of_an_entity_are_left_out_and_counted() {
        let line = r#"{"text":"Rome fell. He left","ents":[[0,5,"x"],[11,14,"y"]]}"#;
        assert_eq!(read_line(line).unwrap()[0], "Rome/B-x fell/O ./O");
        let line = Line::of("a  b".into(), vec![AnyEnt::Triple(1, 4, "x".into())]);
        let (corpus, with_blanks) = corpus("x", &line).unwrap();
        assert_eq!((corpus.sentence(0).tag(1), with_blanks), ("B-x", 1));
        let places = r#""tokens":[{"start":0,"end":4},{"start":5,"end":9}]"#;
        let line = format!("{{\"text\":\"Rome fell\",{places},\"ents\":[[0,5,\"x\"]]}}");
        assert_eq!(read_line(&line).unwrap(), ["Rome/B-x fell/O"]);
    }

    #[test]
    fn words_with_tags_are_read_under_each_name() {
        for name in ["ner_tags", "tags", "labels"] {
            let line = format!(
                "{{\"id\":\"0\",\"tokens\":[\"New York\",\"fell\"],\"{name}\":[\"B-x\",\"O\"]}}"
            );
            assert_eq!(read_line(&line).unwrap(), ["New York/B-x fell/O"], "{name}");
            let numbers = line.replace("[\"B-x\",\"O\"]", "[1,0]");
            let error = read_line(&numbers).unwrap_err();
            assert!(error.contains(name) && error.contains("names"), "{error}");
            let short = line.replace(",\"O\"", "");
            assert_eq!(read_line(&short).unwrap_err(), "2 words with 1 tags");
        }
        assert!(read_line(r#"{"tokens":["a"]}"#).unwrap_err().contains("without tags"));
        // A text's own fields of these names may hold anything.
        assert_eq!(read_line(r#"{"text":"a","tags":{"x":1}}"#).unwrap(), ["a/O"]);
    }

    #[test]
    fn lines_end_sentences_and_are_cut_only_where_many_hold_several() {
        let count = |text: String| corpus("x", &Line::of(text, Vec::new())).unwrap().0.len();
        assert_eq!(count("नमस्ते दुनिया\n".repeat(300)), 300);
        assert_eq!(count("He left . She stayed .\n".to_owned() + &"He left .\n".repeat(9)), 10);
        assert_eq!(count("He left. She stayed.\nHe slept.\n".into()), 3);
        let paragraph = "He left. She stayed. He came back. She slept.\n";
        assert_eq!(count(paragraph.to_owned() + &"He left.\n".repeat(30)), 34);
        let ents = vec![AnyEnt::Triple(3, 6, "x".into())];
        let (joined, _) = corpus("x", &Line::of("in New\nYork".into(), ents)).unwrap();
        assert_eq!(joined.len(), 2);
        let ents = vec![AnyEnt::Triple(3, 11, "x".into())];
        let (joined, _) = corpus("x", &Line::of("in New\nYork".into(), ents)).unwrap();
        assert_eq!(joined.len(), 1);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let fail = |line: &str| read_line(line).unwrap_err();
        let text = r#""text":"ab cd""#;
        assert!(fail("{}").contains("missing field `text`"));
        assert!(fail(&format!("{{{text},\"ents\":[[0,9,\"x\"]]}}")).contains("0..9"));
        assert!(
            fail(&format!("{{{text},\"ents\":[[0,4,\"x\"],[3,5,\"x\"]]}}")).contains("overlap")
        );
        assert!(fail(&format!("{{{text},\"ents\":[[0,2,\"\"]]}}")).contains("empty label"));
        assert!(fail(&format!("{{{text},\"ents\":[[2,3,\"x\"]]}}")).contains("blanks"));
        let tokens = r#""tokens":[{"start":0,"end":2},{"start":3,"end":5}]"#;
        assert!(fail(&format!("{{{text},{tokens},\"ents\":[[0,1,\"x\"]]}}")).contains("cuts"));
    }
}
