//! `longhand check`: the data doctor, and its short form before training.

mod render;

use std::io::{self, Write};
use std::path::Path;

use data::doctor::{self, Part, Report, Severity};
use data::scheme::{self, Change};
use data::{Corpus, Error, Scheme, Split, Warning};

use crate::args::{CheckArgs, Deny};
use crate::{Screen, Stop, input, output, tell};

/// Examines data and shows what was found.
pub fn run(args: &CheckArgs, screen: Screen) -> Result<(), Stop> {
    let scheme = args.scheme.as_deref().map(Scheme::parse).transpose()?;
    if args.fix.is_some() && (args.data.len() != 1 || args.dev.is_some() || args.test.is_some()) {
        let error = Error::new("E048", "--fix mends one file, and needs its name");
        return Err(error.help("longhand check DATA --fix OUT").into());
    }
    if let Some(to) = &args.fix {
        output::Sources::of(args.data.iter().chain(&args.split_file)).refuse(to)?;
    }
    let (mut corpus, parts, warnings) = read(args)?;
    let report = doctor::examine(&corpus, &parts, scheme, &warnings);
    let changes = match &args.fix {
        Some(path) => Some(fix(&mut corpus, scheme.or(report.scheme), path)?),
        None => None,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        let text = serde_json::to_string_pretty(&json(&report, changes.as_deref()));
        writeln!(out, "{}", text.expect("plain values"))?;
    } else {
        write!(out, "{}", render::page(&report, screen.color))?;
    }
    out.flush()?;
    if let (Some(path), Some(changes)) = (&args.fix, &changes)
        && !screen.quiet
    {
        eprintln!("{}", output::changes(path, &corpus, changes));
    }
    let denied = match args.deny {
        Some(Deny::Warn) => Severity::Warn,
        Some(Deny::Error) => Severity::Error,
        None => return Ok(()),
    };
    if report.worst() >= Some(denied) { Err(Stop::No) } else { Ok(()) }
}

/// The corpus of all files, its parts, and what the reader had to say.
fn read(args: &CheckArgs) -> data::Result<(Corpus, Vec<Part>, Vec<Warning>)> {
    let Some((first, others)) = args.data.split_first() else {
        let (corpus, split) = input::embedded()?;
        return Ok((corpus, parts(&split), Vec::new()));
    };
    let (mut corpus, mut warnings) = input::read_corpus(first, &args.read)?;
    let mut append = |path: &Path| -> data::Result<Vec<u32>> {
        let (more, remarks) = input::read_corpus(path, &args.read)?;
        warnings.extend(remarks);
        Ok(corpus.append(&more).collect())
    };
    for path in others {
        append(path)?;
    }
    let dev = args.dev.as_deref().map(&mut append).transpose()?.unwrap_or_default();
    let test = args.test.as_deref().map(&mut append).transpose()?.unwrap_or_default();
    let split = match &args.split_file {
        Some(path) => Split::by_index_file(path, corpus.len())?,
        None => {
            let train = 0..(corpus.len() - dev.len() - test.len()) as u32;
            Split { train: train.collect(), dev, test }
        }
    };
    Ok((corpus, parts(&split), warnings))
}

/// The parts that have sentences; one alone is called `all`.
fn parts(split: &Split) -> Vec<Part> {
    let Split { train, dev, test } = split.clone();
    let named = [("train", train), ("dev", dev), ("test", test)];
    let mut parts: Vec<Part> =
        named.map(|(name, sentences)| Part { name, sentences }).into_iter().collect();
    parts.retain(|part| !part.sentences.is_empty());
    if let [only] = &mut parts[..] {
        only.name = "all";
    }
    parts
}

/// Repairs the tags and writes the corpus in the format that the name's ending says.
fn fix(corpus: &mut Corpus, scheme: Option<Scheme>, path: &Path) -> data::Result<Vec<Change>> {
    let format = output::tagged_format(path)?;
    let changes = scheme::repair(corpus, scheme.unwrap_or(Scheme::Iob2));
    train::files::write_atomically(path, &output::tagged(corpus, format, path)?)?;
    Ok(changes)
}

/// The report as JSON; `docs/formats.md` describes it.
fn json(report: &Report, changes: Option<&[Change]>) -> serde_json::Value {
    let mut value = serde_json::to_value(report).expect("plain values");
    value["format"] = 1.into();
    if let Some(changes) = changes {
        value["changes"] = serde_json::to_value(changes).expect("plain values");
    }
    value
}

/// What costs score, a line each, before training begins. Everything else that was found is returned,
/// as `check --json` has it.
pub fn before_training(
    corpus: &Corpus,
    split: &Split,
    scheme: Scheme,
    new_labels: bool,
    screen: Screen,
) -> serde_json::Value {
    let mut report = doctor::examine(corpus, &parts(split), Some(scheme), &[]);
    let warnings = report.findings.iter().filter(|finding| finding.severity == Severity::Warn);
    for finding in warnings.filter(|_| !screen.quiet) {
        tell(&finding.to_string(), screen);
    }
    // Said already, as the warning that it is.
    for finding in report.findings.iter_mut().filter(|f| new_labels && f.code == "E007") {
        (finding.code, finding.severity) = ("W007", Severity::Warn);
        finding.help = Some("they can never be right, and count as missed".into());
    }
    json(&report, None)
}
