//! Texts with entities, a JSON object a line: displaCy's shape with the tokens kept, and spaCy's.

use std::ops::Range;
use std::path::Path;

use data::scheme::encode;
use data::{Corpus, CorpusBuilder, Encoding, Error, Result, Scheme, Source, Span, Warning};
use serde::{Deserialize, Serialize};

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

/// A line as it may come: entities as objects or as triples, under the names in use.
#[derive(Deserialize)]
pub struct Line {
    /// The text.
    pub text: String,
    /// Its entities.
    #[serde(default, alias = "entities", alias = "spans", alias = "label", alias = "labels")]
    pub ents: Vec<AnyEnt>,
    /// Its tokens, if they are given.
    pub tokens: Option<Vec<AnyToken>>,
}

/// An entity, counted in characters.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum AnyEnt {
    Object { start: usize, end: usize, label: String },
    Triple(usize, usize, String),
}

/// A token, counted in characters.
#[derive(Deserialize)]
pub struct AnyToken {
    start: usize,
    end: usize,
    pos: Option<String>,
}

/// Reads texts with entities. A line with `tokens` is a sentence of these; another is cut into
/// tokens and sentences here, borders of entities being borders of tokens. Tags are IOB2.
///
/// # Errors
/// E049 for a line that is no such object, and for entities that overlap or that cut a given token;
/// E001 and E021 to E025 for the file.
pub fn read(path: &Path) -> Result<(Corpus, Vec<Warning>)> {
    let (name, text, warnings) = input::any_text(path, Encoding::Auto)?;
    let mut lines = Vec::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        if !line.trim().is_empty() {
            let parsed = serde_json::from_str::<Line>(line);
            lines.push((number, parsed.map_err(|e| bad(&name, number, no_json(&e)))?));
        }
    }
    let all_tokens = || lines.iter().flat_map(|(_, line)| line.tokens.iter().flatten());
    let has_pos = lines.iter().all(|(_, line)| line.tokens.is_some())
        && all_tokens().all(|token| token.pos.is_some())
        && !lines.is_empty();
    let mut builder = CorpusBuilder::new(Source::named(&name), has_pos, true);
    for (number, line) in &lines {
        push(&mut builder, line, *number, has_pos).map_err(|what| bad(&name, *number, what))?;
    }
    let corpus = builder.finish();
    match corpus.is_empty() {
        true => Err(Error::new("E023", "no text in the file").at(&name, None, None)),
        false => Ok((corpus, warnings)),
    }
}

/// The sentences of one text.
///
/// # Errors
/// What is wrong with its entities.
pub fn corpus(name: &str, line: &Line) -> std::result::Result<Corpus, String> {
    let mut builder = CorpusBuilder::new(Source::named(name), false, true);
    push(&mut builder, line, 1, false)?;
    Ok(builder.finish())
}

fn no_json(error: &serde_json::Error) -> String {
    format!("not a text with entities: {error}")
}

fn bad(name: &str, line: u32, what: String) -> Error {
    Error::new("E049", what).at(name, u64::from(line), None).help(
        r#"a line is {"text":"Rome fell","ents":[{"start":0,"end":4,"label":"geo"}]}, counted in characters"#,
    )
}

/// An entity in bytes.
type Labelled<'a> = (Range<usize>, &'a str);

fn push(
    builder: &mut CorpusBuilder,
    line: &Line,
    number: u32,
    has_pos: bool,
) -> std::result::Result<(), String> {
    let borders: Vec<usize> =
        line.text.char_indices().map(|(byte, _)| byte).chain([line.text.len()]).collect();
    let bytes = |start: usize, end: usize| match (borders.get(start), borders.get(end)) {
        (Some(&from), Some(&to)) if from < to => Ok(from..to),
        _ => {
            let n = borders.len() - 1;
            Err(format!("{start}..{end} is no part of a text of {n} characters"))
        }
    };
    let mut entities: Vec<Labelled> = Vec::new();
    for ent in &line.ents {
        let (AnyEnt::Object { start, end, label } | AnyEnt::Triple(start, end, label)) = ent;
        entities.push((bytes(*start, *end)?, label));
    }
    entities.sort_by_key(|(range, _)| (range.start, range.end));
    if let Some(two) = entities.windows(2).find(|two| two[0].0.end > two[1].0.start) {
        let texts = [&two[0], &two[1]].map(|(range, _)| &line.text[range.clone()]);
        return Err(format!("entities {:?} and {:?} overlap", texts[0], texts[1]));
    }
    match &line.tokens {
        Some(tokens) => {
            let mut words = Vec::new();
            for token in tokens {
                words.push(bytes(token.start, token.end)?);
            }
            let pos = |j: usize| tokens[j].pos.as_deref().filter(|_| has_pos);
            sentence(builder, &line.text, &words, pos, &entities, number)
        }
        None => {
            let words = cut_at(tokenized(&line.text), &entities);
            for range in sentences(&line.text, &words, &entities) {
                let (first, last) = (words[range.start].start, words[range.end - 1].end);
                let inside = |(e, _): &&Labelled| first <= e.start && e.end <= last;
                let entities: Vec<Labelled> = entities.iter().filter(inside).cloned().collect();
                sentence(builder, &line.text, &words[range], |_| None, &entities, number)?;
            }
            Ok(())
        }
    }
}

fn tokenized(text: &str) -> Vec<Range<usize>> {
    data::tokenize(text).into_iter().map(|token| token.start..token.end).collect()
}

/// The tokens, cut once more wherever an entity begins or ends within one.
fn cut_at(tokens: Vec<Range<usize>>, entities: &[Labelled]) -> Vec<Range<usize>> {
    let borders = entities.iter().flat_map(|(range, _)| [range.start, range.end]);
    let mut borders: Vec<usize> = borders.collect();
    borders.dedup();
    let mut cut = Vec::with_capacity(tokens.len());
    for mut token in tokens {
        let first = borders.partition_point(|&border| border <= token.start);
        for &border in borders[first..].iter().take_while(|&&border| border < token.end) {
            cut.push(token.start..border);
            token.start = border;
        }
        cut.push(token);
    }
    cut
}

/// Tokens of each sentence; where an entity reaches over the end of a sentence, it is none.
fn sentences(text: &str, words: &[Range<usize>], entities: &[Labelled]) -> Vec<Range<usize>> {
    let whole = data::tokenize(text);
    let ends = data::sentences(&whole, text).into_iter().map(|s| whole[s.end - 1].end);
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in ends {
        let after = words.partition_point(|word| word.end <= end);
        let cuts = entities.iter().any(|(e, _)| e.start < end && end < e.end);
        if !cuts && after > start {
            found.push(start..after);
            start = after;
        }
    }
    if start < words.len() {
        found.push(start..words.len());
    }
    found
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
    fn what_cannot_be_is_said() {
        let fail = |line: &str| read_line(line).unwrap_err();
        let text = r#""text":"ab cd""#;
        assert!(fail("{}").contains("missing field `text`"));
        assert!(fail(&format!("{{{text},\"ents\":[[0,9,\"x\"]]}}")).contains("0..9"));
        assert!(
            fail(&format!("{{{text},\"ents\":[[0,4,\"x\"],[3,5,\"x\"]]}}")).contains("overlap")
        );
        let tokens = r#""tokens":[{"start":0,"end":2},{"start":3,"end":5}]"#;
        assert!(fail(&format!("{{{text},{tokens},\"ents\":[[0,1,\"x\"]]}}")).contains("cuts"));
    }
}
