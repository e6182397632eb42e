//! `longhand tag`: text in, entities out.

mod doubt;
mod folders;
mod job;
mod stream;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use data::{Error, Result};
use report::Entity;
use report::jsonl::Offsets;
use train::device::Choice;
use train::files::Pending;

use crate::args::{InputKind, OffsetsArg, OutputKind, TagArgs};
use crate::convert::brat;
use crate::output::Sources;
use crate::{Screen, Stop, device, input, progress, warn};
use doubt::Doubt;
use job::{Done, Job};
use stream::Source;

/// Tags everything named by the arguments, in order.
pub fn run(args: &TagArgs, screen: Screen) -> std::result::Result<(), Stop> {
    check(args)?;
    input::set_threads(args.threads, screen)?;
    let choice = args.device.parse()?;
    let is_folder = args.files.iter().any(|path| path.is_dir());
    if let (Some(path), false) = (&args.output, is_folder) {
        refuse_sources(args, path)?;
    }
    let job = job(args, choice, screen)?;
    let checked = |job: &Job| device::check(&job.ready, choice, screen);
    if is_folder {
        folders::run(&job, args, screen)?;
        return Ok(checked(&job)?);
    }
    match &args.output {
        Some(path) if job.output == OutputKind::Brat => {
            let whole = whole(&job, args, screen)?;
            checked(&job)?;
            refuse_other_text(args, path, &whole.text)?;
            brat::write_document(&whole.text, &whole.entities, path)?;
        }
        Some(path) => {
            let mut file = Pending::new(path)?;
            remove_on_interrupt(&file);
            write(&job, args, screen, &mut file)?;
            checked(&job)?;
            file.commit()?;
        }
        None => {
            let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
            write(&job, args, screen, &mut out)?;
            out.flush()?;
            checked(&job)?;
        }
    }
    job.doubt.end(job.ready.model());
    Ok(())
}

/// Options that do not go together.
fn check(args: &TagArgs) -> Result<()> {
    let no = |what: &str, help: &str| Err(Error::new("E048", what).help(help));
    let in_chars = matches!(args.out, OutputKind::Spacy | OutputKind::Brat);
    if in_chars && args.offsets != OffsetsArg::Chars {
        return no("spaCy and BRAT count characters", "leave --offsets out");
    }
    if args.output.as_deref() == Some(Path::new("-")) {
        return no("results go to standard output without -o", "leave `-o -` out");
    }
    if args.out == OutputKind::Brat && args.output.is_none() {
        return no("brat is two files, which are no stream", "name one of them: -o OUT.ann");
    }
    if !(0.0..=1.0).contains(&args.min_score) {
        return no("a probability lies between 0 and 1", "such as --min-score 0.5");
    }
    Ok(())
}

/// Refuses to write over a text that is tagged, or over the model.
fn refuse_sources(args: &TagArgs, output: &Path) -> Result<()> {
    let model = input::model_file(&args.model);
    let sources = Sources::of(args.files.iter().chain([&model]));
    if args.out == OutputKind::Brat {
        Sources::of([&model]).refuse(&output.with_extension("txt"))?;
        return sources.refuse(&output.with_extension("ann"));
    }
    sources.refuse(output)
}

/// BRAT's text may be the one that was tagged, beside which the entities are to stand, if it is the same to the byte:
/// not where it was decoded, or joined with others.
fn refuse_other_text(args: &TagArgs, output: &Path, text: &str) -> Result<()> {
    let beside = output.with_extension("txt");
    if std::fs::read(&beside).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    Sources::of(&args.files).refuse(&beside)
}

fn job(args: &TagArgs, choice: Choice, screen: Screen) -> Result<Job> {
    let shown = match args.out {
        OutputKind::Text | OutputKind::Svg => args.scores,
        OutputKind::Jsonl | OutputKind::Html => true,
        OutputKind::Conll | OutputKind::Brat | OutputKind::Spacy => false,
    };
    Ok(Job {
        ready: device::ready(input::mapped_model(&args.model)?, choice, screen)?,
        output: args.out,
        offsets: match args.offsets {
            OffsetsArg::Chars => Offsets::Chars,
            OffsetsArg::Bytes => Offsets::Bytes,
            OffsetsArg::Utf16 => Offsets::Utf16,
        },
        min_score: args.min_score,
        shown,
        likely: shown || args.min_score > 0.0,
        color: screen.color && args.output.is_none(),
        doubt: Doubt::new(screen),
    })
}

/// A file that is half written goes when Ctrl-C ends the program.
fn remove_on_interrupt(file: &Pending) {
    let path = file.temporary().map(Path::to_owned);
    // It fails only if there is a handler already, which is as good.
    let _ = ctrlc::set_handler(move || {
        if let Some(path) = &path {
            let _ = std::fs::remove_file(path);
        }
        std::process::exit(130);
    });
}

/// Where texts come from, in order.
enum Input<'a> {
    Typed(&'a str),
    File(&'a Path),
    Stdin,
}

fn inputs(args: &TagArgs) -> Vec<Input<'_>> {
    let mut all: Vec<Input<'_>> = args.text.iter().map(|t| Input::Typed(t)).collect();
    all.extend(args.files.iter().map(|path| match path.as_os_str() == "-" {
        true => Input::Stdin,
        false => Input::File(path),
    }));
    if all.is_empty() {
        all.push(Input::Stdin);
    }
    all
}

/// Writes what is found in all inputs, input by input or, where the layout needs all of it, at the end.
fn write(
    job: &Job,
    args: &TagArgs,
    screen: Screen,
    out: &mut dyn Write,
) -> std::result::Result<(), Stop> {
    if matches!(job.output, OutputKind::Html | OutputKind::Svg) {
        let whole = whole(job, args, screen)?;
        out.write_all(page(job, &args.model, &whole).as_bytes())?;
        return Ok(());
    }
    for input in inputs(args) {
        let kind = kind(&input, args);
        if matches!(input, Input::Stdin) {
            tell_what_is_waited_for(screen);
        }
        if stream::suits(kind, job.output) {
            match &input {
                Input::Stdin => {
                    let bar = progress::bytes_so_far(shows_progress(args), screen.quiet);
                    let source = Source { from: io::stdin(), name: "<stdin>".into(), bar };
                    stream::run(job, kind, source, out)?;
                    continue;
                }
                Input::File(path) => {
                    if let Some(from) = stream::plain(path) {
                        let length = from.metadata().map_or(0, |meta| meta.len());
                        let bar = progress::bytes(length, shows_progress(args), screen.quiet);
                        let name = path.to_string_lossy().into_owned();
                        stream::run(job, kind, Source { from, name, bar }, out)?;
                        continue;
                    }
                }
                Input::Typed(_) => {}
            }
        }
        let (name, text) = text(&input, screen)?;
        write_text(job, kind, &name, &text, out)?;
    }
    Ok(())
}

/// A bar would run through results on the screen, or on that of a pager behind a pipe.
fn shows_progress(args: &TagArgs) -> bool {
    args.output.is_some() || progress::stdout_is_file()
}

/// Writes what is found in one text.
fn write_text(
    job: &Job,
    kind: InputKind,
    name: &str,
    text: &str,
    out: &mut dyn Write,
) -> std::result::Result<(), Stop> {
    if matches!(kind, InputKind::Lines | InputKind::Jsonl) {
        return stream::lines(job, kind, text, name, 1, out);
    }
    if kind == InputKind::Text {
        job.doubt.look_for_rows(text, name);
    }
    let mut bytes = Vec::new();
    for done in &job.tag_on_all_cores(job.documents(kind, text, name, 1)?) {
        job.write(done, true, &mut bytes);
    }
    Ok(out.write_all(&bytes)?)
}

/// What an input is if nobody says so: standard input is lines that may come for ever, others are texts.
fn kind(input: &Input<'_>, args: &TagArgs) -> InputKind {
    let usual = if matches!(input, Input::Stdin) { InputKind::Lines } else { InputKind::Text };
    args.input.unwrap_or(usual)
}

/// All inputs as one text.
fn whole(job: &Job, args: &TagArgs, screen: Screen) -> Result<Whole> {
    let mut whole = Whole::default();
    for input in inputs(args) {
        if matches!(input, Input::Stdin) {
            tell_what_is_waited_for(screen);
        }
        let (name, text) = text(&input, screen)?;
        // Here lines are one text: all of it ends up on one page.
        let kind = args.input.unwrap_or(InputKind::Text);
        if kind == InputKind::Text {
            job.doubt.look_for_rows(&text, &name);
        }
        let documents = job.documents(kind, &text, &name, 1)?;
        job.tag_on_all_cores(documents).into_iter().for_each(|done| whole.push(done));
    }
    Ok(whole)
}

/// Texts one below the other, as one text.
#[derive(Default)]
struct Whole {
    text: String,
    characters: usize,
    entities: Vec<Entity>,
}

impl Whole {
    fn push(&mut self, done: Done<'_>) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
            self.characters += 1;
        }
        let (bytes, characters) = (self.text.len(), self.characters);
        self.text.push_str(&done.document.text);
        self.characters += done.document.text.chars().count();
        self.entities.extend(done.entities.into_iter().map(|e| Entity {
            start: e.start + characters,
            end: e.end + characters,
            byte_start: e.byte_start + bytes,
            byte_end: e.byte_end + bytes,
            ..e
        }));
    }
}

fn page(job: &Job, model: &Path, whole: &Whole) -> String {
    if job.output == OutputKind::Svg {
        return report::svg::picture(&whole.text, &whole.entities);
    }
    let title = model.file_name().unwrap_or_default().to_string_lossy();
    report::html::page(&format!("Entities found by {title}"), &whole.text, &whole.entities)
}

fn tell_what_is_waited_for(screen: Screen) {
    if io::stdin().is_terminal() && !screen.quiet {
        crate::say("reading standard input … (Ctrl-D ends)");
    }
}

/// The whole of an input with its name.
fn text(input: &Input<'_>, screen: Screen) -> Result<(String, String)> {
    match input {
        Input::Typed(text) => Ok(("<text>".into(), (*text).to_owned())),
        Input::Stdin => Ok(("<stdin>".into(), input::read_stdin()?)),
        Input::File(path) => read_file(path, screen),
    }
}

/// The usual help names an option that `tag` does not have.
const FOR_OTHER_ENCODINGS: &str = "texts are read as UTF-8, or UTF-16 with a byte order mark; `iconv -f utf-16le -t utf-8` \
                                   (or the encoding that the file has) makes such a file";

fn read_file(path: &Path, screen: Screen) -> Result<(String, String)> {
    let (text, _, mut warnings) = data::read_text(path, data::Encoding::Auto).map_err(|e| {
        if matches!(e.code, "E001" | "E025") {
            return e.help(FOR_OTHER_ENCODINGS);
        }
        let typed = path.to_string_lossy();
        if e.code == "E021" && typed.contains(' ') {
            return e.help("to tag these words themselves: --text \"…\"");
        }
        e
    })?;
    for warning in warnings.iter_mut().filter(|warning| warning.code == "W001") {
        let help = "`iconv -f windows-1252 -t utf-8` makes a file that needs no guess";
        warning.help = Some(help.into());
    }
    warn(&warnings, screen);
    Ok((path.to_string_lossy().into_owned(), text))
}
