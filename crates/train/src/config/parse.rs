//! Keys and values as texts: files, flags, and what to say where they do not fit.

use std::path::Path;

use data::{Error, Result};

use super::PRESETS;

/// Line and column, from 1, at which a file gives this key or opens a section of this name.
pub(super) fn place_of(text: &str, key: &str) -> Option<(u64, u64)> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let (key, _) = table.get_ref().iter().find(|(k, _)| k.get_ref() == key)?;
    Some(place(text, key.span().start))
}

/// Line and column of a byte, from 1.
fn place(text: &str, byte: usize) -> (u64, u64) {
    let before = &text[..byte];
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() as u64 + 1;
    (line, column)
}

/// The known name nearest to `word`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |k: &str| strsim::damerau_levenshtein(word, k);
    let best = known.into_iter().min_by_key(|k| distance(k))?;
    (distance(best) <= 1 + word.chars().count() / 3).then_some(best)
}

pub(super) fn preset_table(name: &str) -> Result<toml::Table> {
    let Some((_, text)) = PRESETS.iter().find(|(n, _)| *n == name) else {
        let names = PRESETS.map(|(n, _)| n);
        let help = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("presets: {}", names.join(", ")),
        };
        return Err(Error::new("E040", format!("no preset `{name}`")).help(help));
    };
    let mut table: toml::Table = text.parse().expect("presets are tested");
    table.insert("preset".into(), toml::Value::String(name.into()));
    Ok(table)
}

pub(super) fn parse_file(path: &Path, text: &str) -> Result<toml::Table> {
    text.parse().map_err(|e: toml::de::Error| {
        let (line, column) = place(text, e.span().map_or(0, |s| s.start));
        let message = e.message().lines().next().unwrap_or("not TOML").to_owned();
        Error::new("E041", message)
            .at(path, line, column)
            .help("a line is KEY = VALUE, texts in quotes; `longhand help config` shows all keys")
    })
}

/// What serde says of a value, without Rust's names of types.
pub(super) fn plainly(message: &str) -> String {
    let names = [
        ("expected usize", "expected a whole number from 0 to 9223372036854775807"),
        ("expected u64", "expected a whole number from 0 to 9223372036854775807"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list"),
        ("invalid type: string", "not"),
        ("invalid type: integer", "not"),
        ("invalid type: floating point", "not"),
        ("invalid value: integer", "not"),
        ("invalid type: boolean", "not"),
    ];
    names.iter().fold(message.to_owned(), |text, (from, to)| text.replacen(from, to, 1))
}

/// Who gives epochs or batch means them: `min-steps` of a lower layer changes them no more.
pub(super) fn exact_length(table: &mut toml::Table, gives: impl Fn(&str) -> bool) {
    if gives("epochs") || gives("batch") {
        table.insert("min-steps".into(), toml::Value::Integer(0));
    }
}

/// Keys of a file stand by themselves, not in sections.
pub(super) fn no_section(key: &str, value: &toml::Value) -> Result<()> {
    let in_array =
        |value: &toml::Value| value.as_array().is_some_and(|a| a.iter().any(toml::Value::is_table));
    if !value.is_table() && !in_array(value) {
        return Ok(());
    }
    Err(Error::new("E040", format!("`{key}` is a section, and a configuration has none"))
        .help("take the section's name out: each key stands on a line by itself"))
}

pub(super) fn known_key(table: &toml::Table, key: &str) -> Result<()> {
    if table.contains_key(key) {
        return Ok(());
    }
    let help = match nearest(key, table.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`longhand help config` lists the keys".into(),
    };
    Err(Error::new("E040", format!("no key `{key}`")).help(help))
}

/// A flag's text as a value of the kind that the key has now: `0.2,0.5` and `[0.2, 0.5]` are both lists.
pub(super) fn parse_value(text: &str, like: &toml::Value) -> toml::Value {
    let parse = |text: &str| {
        let line = format!("v = {text}");
        line.parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"))
    };
    let string = || toml::Value::String(text.into());
    match like {
        toml::Value::String(_) => parse(text).filter(toml::Value::is_str).unwrap_or_else(string),
        toml::Value::Array(items) if !text.trim_start().starts_with('[') => {
            let item = |t: &str| items.first().map_or(string(), |i| parse_value(t.trim(), i));
            toml::Value::Array(text.split(',').map(item).collect())
        }
        toml::Value::Float(_) => match parse(text) {
            Some(toml::Value::Integer(n)) => toml::Value::Float(n as f64),
            other => other.unwrap_or_else(string),
        },
        _ => parse(text).unwrap_or_else(string),
    }
}
