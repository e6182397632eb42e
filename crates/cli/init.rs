//! `longhand init`: a configuration file to start from, with what the data look like in its comments.

use std::fmt::Write;
use std::path::Path;

use data::doctor::{Part, Report, examine};
use data::{Error, Result};
use report::human::{count, counted};
use train::config::{PRESETS, nearest};

use crate::args::InitArgs;
use crate::output::wrapped;
use crate::{Screen, Stop, input, output, warn};

/// Writes the file.
pub fn run(args: &InitArgs, screen: Screen) -> std::result::Result<(), Stop> {
    let (name, preset) = preset(args.preset.as_deref())?;
    let seen = match &args.data {
        Some(path) => {
            let (corpus, warnings) = input::read_corpus(path, &args.read)?;
            warn(&warnings, screen);
            let all = Part { name: "all", sentences: (0..corpus.len() as u32).collect() };
            remarks(&examine(&corpus, &[all], None, &[]))
        }
        None => String::new(),
    };
    let data = args.data.as_ref().map_or(String::new(), |p| format!(" {}", p.display()));
    let to_stdout = args.output.as_os_str() == "-";
    let out = if to_stdout { Path::new("longhand.toml") } else { &args.output };
    let out = out.display();
    let text = format!(
        "# Values of a training run: longhand train{data} --config {out}\n\
         # Flags go over this file, this file goes over the preset; a key left out has the preset's value.\n\
         {seen}\npreset = \"{name}\"\n\n{preset}"
    );
    if to_stdout {
        std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes())?;
        return Ok(());
    }
    output::refuse_existing(&args.output, args.force)?;
    output::Sources::of(&args.data).refuse(&args.output)?;
    train::files::write_atomically(&args.output, text.as_bytes())?;
    if !screen.quiet {
        eprintln!("{out}: preset {name}, all keys; longhand train{data} --config {out}");
    }
    Ok(())
}

/// Name and text of a preset; the text has every key and says what each means.
fn preset(wanted: Option<&str>) -> Result<(&'static str, &'static str)> {
    let wanted = wanted.unwrap_or(PRESETS[0].0);
    PRESETS.iter().find(|(name, _)| *name == wanted).copied().ok_or_else(|| {
        let names = PRESETS.map(|(name, _)| name);
        let help = match nearest(wanted, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("presets: {}", names.join(", ")),
        };
        Error::new("E040", format!("no preset `{wanted}`")).help(help)
    })
}

/// What was seen in the data, as comments.
fn remarks(report: &Report) -> String {
    let mut text = String::from("#\n");
    for source in &report.files {
        comment(&mut text, &format!("{} ({}, {})", source.path, source.encoding, source.columns));
    }
    let sizes = format!(
        "{}, {}, {} of {} words seen once (`unknown` trains <unk> on them)",
        counted(report.sentences, "sentence", "sentences"),
        counted(report.tokens, "token", "tokens"),
        count(report.words_seen_once),
        count(report.words)
    );
    comment(&mut text, &sizes);
    let lengths = &report.sentence_lengths;
    let (p90, longest) = (lengths.p90, lengths.longest);
    comment(&mut text, &format!("nine sentences of ten up to {p90} tokens, the longest {longest}"));
    let types: Vec<String> =
        report.entities.types.iter().map(|(t, c)| format!("{t} {}", count(c.count))).collect();
    let scheme = report.scheme.map_or("mixed schemes", |scheme| scheme.name());
    comment(&mut text, &format!("{scheme}: {}", types.join(", ")));
    for finding in report.findings.iter().filter(|f| f.severity > data::doctor::Severity::Info) {
        comment(&mut text, &finding.to_string());
    }
    text
}

fn comment(text: &mut String, line: &str) {
    // A name from a file may hold a line end, which would end the comment.
    let line = line.replace(char::is_control, " ");
    write!(text, "{}", wrapped(&format!("# {line}"), "#   ")).expect("a String takes all");
}
