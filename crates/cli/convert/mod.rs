//! `longhand convert`: tagged sentences from one format and scheme into another.

pub mod brat;
mod cut;
mod jsonl;
mod spans;

use std::io::{self, Write};
use std::path::Path;

use data::scheme::{self, Change};
use data::{Corpus, Error, Format, Result, Scheme, Warning};

use crate::args::{ConvertArgs, To};
use crate::{Screen, Stop, input, output, warn};

/// Reads, repairs, converts, writes.
pub fn run(args: &ConvertArgs, screen: Screen) -> std::result::Result<(), Stop> {
    let to_stdout = args.output.as_os_str() == "-";
    let to = match args.to {
        Some(to) => to,
        None if to_stdout => return Err(no_format(&args.output).into()),
        None => by_ending(&args.output)?,
    };
    refuse_sources(args, to)?;
    let wanted = args.scheme.as_deref().map(Scheme::parse).transpose()?;
    let (mut corpus, warnings) = read(args)?;
    warn(&warnings, screen);
    let from = match &args.from {
        Some(name) => Scheme::parse(name)?,
        None => detected(&corpus, args)?,
    };
    let changes = if args.repair { scheme::repair(&mut corpus, from) } else { Vec::new() };
    let scheme = wanted.unwrap_or(from);
    scheme::convert_corpus(&mut corpus, from, scheme)?;
    if to_stdout {
        let text = text(&corpus, to, &args.output)?;
        io::stdout().lock().write_all(&text)?;
    } else if to == To::Brat {
        brat::write(&corpus, &args.output)?;
    } else {
        train::files::write_atomically(&args.output, &text(&corpus, to, &args.output)?)?;
    }
    if !screen.quiet {
        tell(args, &corpus, &changes, scheme);
    }
    Ok(())
}

/// BRAT is two files, whether it is read or written.
fn refuse_sources(args: &ConvertArgs, to: To) -> Result<()> {
    let text = |path: &Path| path.with_extension("txt");
    let mut read = vec![args.input.clone()];
    if is_brat(args) {
        read.push(text(&args.input));
    }
    let sources = output::Sources::of(read);
    if to == To::Brat {
        sources.refuse(&text(&args.output))?;
        return sources.refuse(&args.output.with_extension("ann"));
    }
    sources.refuse(&args.output)
}

/// Whether the input is BRAT's, told by its ending.
fn is_brat(args: &ConvertArgs) -> bool {
    let name = args.input.to_string_lossy();
    args.read.format.is_none() && name.strip_suffix(".gz").unwrap_or(&name).ends_with(".ann")
}

/// Letters of two schemes are no hindrance to who wants them repaired.
fn detected(corpus: &Corpus, args: &ConvertArgs) -> Result<Scheme> {
    match scheme::detect(corpus) {
        Err(_) if args.repair => Ok(Scheme::Iob2),
        found => found,
    }
}

fn read(args: &ConvertArgs) -> Result<(Corpus, Vec<Warning>)> {
    let name = args.input.to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let is_jsonl = name.ends_with(".jsonl") || name.ends_with(".ndjson");
    let encoding = input::options(&args.read)?.encoding;
    if args.read.format.is_none() && is_jsonl {
        return jsonl::read(&args.input, encoding);
    }
    if is_brat(args) {
        return brat::read(&args.input, encoding);
    }
    input::read_corpus(&args.input, &args.read)
}

fn by_ending(path: &Path) -> Result<To> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "jsonl" | "ndjson" => Ok(To::Jsonl),
        "ann" => Ok(To::Brat),
        _ => match output::tagged_format(path) {
            Ok(Format::Csv) => Ok(To::Csv),
            Ok(Format::Conll) => Ok(To::Conll),
            Err(_) => Err(no_format(path)),
        },
    }
}

fn no_format(path: &Path) -> Error {
    let message = format!("{} does not say what to write", path.display());
    Error::new("E048", message)
        .help("end it in .csv, .conll, .jsonl or .ann, or name it: --to jsonl")
}

/// All formats that are one file.
fn text(corpus: &Corpus, to: To, path: &Path) -> Result<Vec<u8>> {
    match to {
        To::Csv => output::tagged(corpus, Format::Csv, path),
        To::Conll => output::tagged(corpus, Format::Conll, path),
        To::Jsonl => Ok(jsonl::displacy(corpus).into_bytes()),
        To::Spacy => Ok(jsonl::spacy(corpus).into_bytes()),
        To::Brat => Err(Error::new("E048", "brat is two files, which are no stream")
            .help("name one of them: longhand convert IN OUT.ann")),
    }
}

fn tell(args: &ConvertArgs, corpus: &Corpus, changes: &[Change], scheme: Scheme) {
    let n = report::human::counted(corpus.len(), "sentence", "sentences");
    if args.repair {
        eprintln!("{}", output::changes(&args.output, corpus, changes));
    }
    eprintln!("{}: {n}, {scheme}", args.output.display());
}
