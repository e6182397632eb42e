//! What commands read: corpora, texts, the built-in corpus.

use std::io::Read;
use std::path::{Path, PathBuf};

use data::{Columns, Corpus, Encoding, Error, Format, ReadOptions, Result, Scheme, Split, Warning};
use eval::Rule;
use train::Model;

use crate::args::{FormatArg, ReadArgs};
use crate::{Screen, progress, warn};

/// The built-in corpus and its parts; see `data/README.md`.
const CORPUS: &[u8] = include_bytes!("../../data/longhand.csv.gz");
const PARTS: &str = include_str!("../../data/longhand.split");

/// The built-in corpus with its own split.
///
/// # Errors
/// None but for a mistake in the program: the tests read it.
pub fn embedded() -> Result<(Corpus, Split)> {
    let (corpus, _) = data::read_bytes("<built-in>", CORPUS, &ReadOptions::default())?;
    let split = Split::parse_index_file("<built-in>", PARTS, corpus.len())?;
    Ok((corpus, split))
}

/// The model in this file, or in the folder of a run.
///
/// # Errors
/// E021 if there is none, E013 if it is none.
pub fn model(path: &Path) -> Result<Model> {
    found(path, Model::load)
}

/// As [`model`], its tables left in the file: see [`Model::map`].
///
/// # Errors
/// As [`model`].
pub fn mapped_model(path: &Path) -> Result<Model> {
    found(path, Model::map)
}

/// The file of the model that `path` names.
pub fn model_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(MODEL) } else { path.to_owned() }
}

fn found(path: &Path, open: fn(&Path) -> Result<Model>) -> Result<Model> {
    if !path.is_dir() {
        return open(path).map_err(|error| match error.code {
            "E021" if path.exists() => error,
            "E021" => no_model(path),
            _ => error,
        });
    }
    let within = path.join(MODEL);
    if within.is_file() {
        return open(&within);
    }
    let error = Error::new("E013", format!("{} holds no {MODEL}", path.display()));
    let runs = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let run = runs.filter(|run| run.join(MODEL).is_file()).min();
    Err(error.at(path, None, None).help(match run {
        Some(run) => format!("name one of the runs in it, such as {}", run.display()),
        None => "a run is the folder that `longhand train -o RUN` made".to_owned(),
    }))
}

/// What the model of a run is called.
const MODEL: &str = "model.safetensors";

fn no_model(path: &Path) -> Error {
    let error = Error::new("E021", "no such model").at(path, None, None);
    error.help(match path.to_string_lossy().contains(' ') {
        true => "the model comes first: longhand tag RUN --text \"…\"",
        false => "`longhand train` makes one; a model is RUN/model.safetensors, or RUN itself",
    })
}

/// A tagged file, read as the flags say; `-` is standard input.
///
/// # Errors
/// What is wrong with the file, where, and what to do.
pub fn read_corpus(path: &Path, args: &ReadArgs) -> Result<(Corpus, Vec<Warning>)> {
    let _bar = progress::reading(path);
    if path.as_os_str() == "-" {
        return data::read_bytes("<stdin>", stdin_bytes()?, &options(args)?);
    }
    data::read(path, &options(args)?)
}

/// The flags as options.
///
/// # Errors
/// E030 and E027 for columns and encodings that are none.
pub fn options(args: &ReadArgs) -> Result<ReadOptions> {
    let mut options = ReadOptions {
        format: args.format.map(|f| match f {
            FormatArg::Csv => Format::Csv,
            FormatArg::Conll => Format::Conll,
        }),
        ..ReadOptions::default()
    };
    if let Some(name) = &args.encoding {
        options.encoding = Encoding::parse(name)?;
    }
    if let Some(columns) = &args.columns {
        options.columns = Columns::parse(columns)?;
    }
    Ok(options)
}

/// The scoring rule of this name; the strict one is that of `scheme`.
///
/// # Errors
/// E027 for a name that is none.
pub fn rule(mode: &str, scheme: Scheme) -> Result<Rule> {
    match mode {
        "strict" => Ok(Rule::Strict(scheme)),
        _ => mode.parse().map_err(|e: eval::UnknownRule| {
            Error::new("E027", e.to_string()).help("--mode strict, seqeval or conlleval")
        }),
    }
}

/// A text in any encoding, unpacked if it is packed, with its name; `-` is standard input, in UTF-8.
///
/// # Errors
/// E001 and E021 to E025.
pub fn any_text(path: &Path, encoding: Encoding) -> Result<(String, String, Vec<Warning>)> {
    if path.as_os_str() == "-" {
        return Ok(("<stdin>".into(), read_stdin()?, Vec::new()));
    }
    let (text, _, warnings) = data::read_text(path, encoding)?;
    Ok((path.to_string_lossy().into_owned(), text, warnings))
}

/// The words of each sentence of a text, as `model` learned words.
pub fn words_of(text: &str, model: &Model) -> Vec<Vec<String>> {
    let document = longhand::Document::for_model(text, model);
    document.words().map(|words| words.into_iter().map(str::to_owned).collect()).collect()
}

/// A text file, UTF-8.
///
/// # Errors
/// E021 if it cannot be read, E001 if it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    data::read_text(path, Encoding::parse("utf-8")?).map(|(text, ..)| text)
}

/// All of standard input, UTF-8.
///
/// # Errors
/// As [`read_text`].
pub fn read_stdin() -> Result<String> {
    utf8(stdin_bytes()?, Path::new("<stdin>"))
}

/// All of standard input.
///
/// # Errors
/// E021 if it cannot be read.
pub fn stdin_bytes() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let fail = |e| Error::new("E021", format!("cannot read standard input: {e}"));
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

fn utf8(bytes: Vec<u8>, path: &Path) -> Result<String> {
    utf8_from(bytes, path, 1)
}

/// Bytes that begin with line `first` of a file as text.
///
/// # Errors
/// E001 if they are not UTF-8.
pub fn utf8_from(bytes: Vec<u8>, path: &Path, first: u64) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let before = &e.as_bytes()[..at];
        let line = before.iter().filter(|&&b| b == b'\n').count() as u64 + first;
        let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() as u64 + 1;
        let byte = e.as_bytes()[at];
        Error::new("E001", format!("not UTF-8: byte 0x{byte:02X}"))
            .at(path, line, column)
            .help("texts must be UTF-8; convert with `iconv -f windows-1252 -t utf-8`")
    })
}

/// No more threads than this are started on a machine that has fewer cores: thousands spend their time on starting.
const MOST_THREADS: usize = 64;

/// Sets the number of threads for everything that follows; 0 is all cores. More than there are cores
/// gets a warning.
///
/// # Errors
/// E045 if the system gives no threads.
pub fn set_threads(asked: usize, screen: Screen) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(asked, usize::from);
    let n = asked.min(MOST_THREADS.max(cores));
    if n > cores {
        let cores = report::human::counted(cores, "core", "cores");
        let some = if n < asked { format!(", of which {n} are started") } else { String::new() };
        let warning = Warning::new("W045", format!("{asked} threads on {cores}{some}"));
        warn(&[warning.help("results do not depend on it, only speed; 0 takes all cores")], screen);
    }
    if n == 0 {
        return Ok(()); // all cores, which begin when there is work for them
    }
    let built = rayon::ThreadPoolBuilder::new().num_threads(n).build_global();
    built.map_err(|e| Error::new("E045", format!("cannot start {n} threads: {e}")))
}
