//! `longhand explain`: how a model came to its tags, as a page or as JSON.

use std::io::{self, IsTerminal, Write};

use data::{Error, Result};
use train::Model;
use train::explain::{Explanation, explain};

use crate::args::{ExplainArgs, ExplainKind};
use crate::{Screen, Stop, input, output, say, warn};

/// More tokens than this make a page that is slow to open.
const MOST: usize = 120;

/// What there is to show of a text.
///
/// # Errors
/// E052 for a text without words or with too many.
pub fn explanation(model: &Model, text: &str) -> Result<Explanation> {
    let sentences = input::words_of(text, model);
    let tokens: usize = sentences.iter().map(Vec::len).sum();
    if tokens == 0 {
        let error = Error::new("E052", "there are no words to explain");
        return Err(error.help("longhand explain MODEL \"Ann Lee left Oslo.\""));
    }
    if tokens > MOST {
        let error = Error::new("E052", format!("{tokens} tokens are too many to explain"));
        return Err(error.help(format!("a sentence or a few, {MOST} tokens together")));
    }
    Ok(explain(model, &sentences))
}

/// As a page to step through.
pub fn page(explanation: &Explanation) -> String {
    report::explain::page("How the tags came about", explanation)
}

/// Explains a text, or what stands on standard input.
pub fn run(args: &ExplainArgs, screen: Screen) -> std::result::Result<(), Stop> {
    if let Some(path) = &args.output {
        output::refuse_source(&input::model_file(&args.model), path)?;
    }
    let model = input::model(&args.model)?;
    let text = match &args.text {
        Some(text) if text != "-" => text.clone(),
        _ => input::read_stdin()?,
    };
    if args.output.is_none() && args.out == ExplainKind::Html && io::stdout().is_terminal() {
        let error = Error::new("E048", "a page is nothing for a terminal");
        return Err(error.help("-o page.html, or --out json").into());
    }
    let explanation = explanation(&model, &text)?;
    if model.code.pos.is_some() {
        warn(&[train::doubts::without_pos()], screen);
    }
    let result = match args.out {
        ExplainKind::Html => page(&explanation),
        ExplainKind::Json => serde_json::to_string(&explanation).expect("plain values") + "\n",
    };
    match &args.output {
        None => io::stdout().lock().write_all(result.as_bytes())?,
        Some(path) => {
            train::files::write_atomically(path, result.as_bytes())?;
            if !screen.quiet {
                let what = match args.out {
                    ExplainKind::Html => "open it in a browser",
                    ExplainKind::Json => "all numbers of the page",
                };
                say(&format!("{}: {what}", path.display()));
            }
        }
    }
    Ok(())
}
