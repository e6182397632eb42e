//! A preprocessor for mdBook: the formulas of the gradient book as MathML, which browsers show without
//! any script or network. `book.toml` calls it; by hand, it reads LaTeX a line and prints MathML.
//!
//! Formulas stand as forges read them: blocks fenced with `math`, and `` $`…`$ `` inside a line.

use std::io::Read;

use pulldown_latex::{Parser, RenderConfig, Storage, config::DisplayMode, push_mathml};

#[allow(dead_code)] // the book's test borrows `formulas` and `mathml`
fn main() {
    // `book_math supports html`: mdBook asks before it starts; there is nothing we cannot do.
    if std::env::args().nth(1).as_deref() == Some("supports") {
        return;
    }
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).expect("text from mdBook");
    if !input.trim_start().starts_with('[') {
        input.lines().for_each(|line| println!("{}", mathml(line, false).unwrap_or_else(|e| e)));
        return;
    }
    let mut both: serde_json::Value = serde_json::from_str(&input).expect("JSON from mdBook");
    let mut book = both[1].take();
    each_chapter(&mut book);
    println!("{book}");
}

/// Replaces the formulas of every chapter, however deep it stands.
fn each_chapter(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                match value {
                    serde_json::Value::String(text) if key == "content" => *text = replace(text),
                    other => each_chapter(other),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(each_chapter),
        _ => {}
    }
}

/// mdBook takes every link to a `.md` for one to a page of the book. In those to files above it a letter is written by its code,
/// which browsers read as the letter.
pub fn outside(markdown: &str) -> String {
    let mut parts = markdown.split("](../../");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (link, rest) = part.split_once(')').unwrap_or((part, ""));
        let link = link.strip_suffix(".md").map_or(link.to_owned(), |name| format!("{name}.%6Dd"));
        text += &format!("](../../{link}){rest}");
    }
    text
}

/// The Markdown with MathML where formulas were.
fn replace(markdown: &str) -> String {
    let (mut html, mut end) = (String::new(), 0);
    for formula in formulas(markdown) {
        html += &markdown[end..formula.range.start];
        // A formula that cannot be read is shown as it stands; the book's test refuses it.
        let shown = mathml(formula.latex, formula.block).unwrap_or_else(|_| formula.latex.into());
        // What is wider than the page scrolls by itself.
        html +=
            &if formula.block { format!("<div class=\"formula\">{shown}</div>\n") } else { shown };
        end = formula.range.end;
    }
    outside(&(html + &markdown[end..]))
}

/// A formula and where it stands in its page.
pub struct Formula<'a> {
    /// What is between the marks.
    pub latex: &'a str,
    /// Whether it stands on lines of its own.
    pub block: bool,
    /// The formula with its marks.
    pub range: std::ops::Range<usize>,
}

/// All formulas of a page, from its top; none inside other code.
pub fn formulas(markdown: &str) -> Vec<Formula<'_>> {
    let (mut found, mut at, mut code) = (Vec::new(), 0, false);
    let mut block = None;
    for line in markdown.split_inclusive('\n') {
        let fence = line.trim();
        if let Some(start) = block {
            if fence == "```" {
                let latex = markdown[start..at].split_once('\n').map_or("", |(_, rest)| rest);
                found.push(Formula { latex, block: true, range: start..at + line.len() });
                block = None;
            }
        } else if fence == "```math" {
            block = Some(at);
        } else if fence.starts_with("```") {
            code = !code;
        } else if !code {
            found.extend(inline(line, at));
        }
        at += line.len();
    }
    found
}

/// The formulas of a line that begins at `offset`.
fn inline(line: &str, offset: usize) -> Vec<Formula<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(start) = line[at..].find("$`").map(|i| at + i) {
        let Some(end) = line[start..].find("`$").map(|i| start + i) else { break };
        let range = offset + start..offset + end + 2;
        found.push(Formula { latex: &line[start + 2..end], block: false, range });
        at = end + 2;
    }
    found
}

/// LaTeX as MathML, or what is wrong with it.
pub fn mathml(latex: &str, block: bool) -> Result<String, String> {
    let storage = Storage::new();
    let events: Result<Vec<_>, _> = Parser::new(latex, &storage).collect();
    let events = events.map_err(|e| format!("{latex}: {e}"))?;
    let display_mode = if block { DisplayMode::Block } else { DisplayMode::Inline };
    let config = RenderConfig { display_mode, ..RenderConfig::default() };
    let mut html = String::new();
    let events = events.into_iter().map(Ok::<_, std::convert::Infallible>);
    push_mathml(&mut html, events, config).map_err(|e| e.to_string())?;
    // A sign of less is written as it is, which HTML takes for a tag; a blank line would end the HTML block in
    // Markdown.
    Ok(html.replace("<</", "&lt;</").replace('\n', " "))
}
