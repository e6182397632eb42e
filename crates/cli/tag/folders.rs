//! Whole folders: every file in them, into a folder of the same shape.

use std::fs;
use std::path::{Path, PathBuf};

use data::{Error, Result};
use rayon::prelude::*;

use super::job::Job;
use super::{Whole, page, read_file, write_text};
use crate::args::{InputKind, OutputKind, TagArgs};
use crate::convert::brat;
use crate::output::Sources;
use crate::{Screen, Stop, progress};

/// Files that are read and tagged side by side.
const AT_ONCE: usize = 64;

/// Tags the files and the folders named by the arguments into the folder `--output`.
pub fn run(job: &Job, args: &TagArgs, screen: Screen) -> Result<()> {
    let Some(output) = &args.output else {
        return Err(Error::new("E048", "a folder's files are tagged into another folder")
            .help("name it: -o OUT"));
    };
    let files = files(&args.files, output)?;
    let model = crate::input::model_file(&args.model);
    let sources = Sources::of(files.iter().map(|(from, _)| from).chain([&model]));
    for (_, to) in &files {
        let to = output_name(&output.join(to), job.output);
        sources.refuse(&to)?;
        if job.output == OutputKind::Brat {
            sources.refuse(&to.with_extension("txt"))?;
        }
    }
    look_at(job, args, &files);
    let bar = progress::steps("tagging", files.len(), "files", screen.quiet);
    for files in files.chunks(AT_ONCE) {
        let done: Vec<Result<()>> = files
            .par_iter()
            .map(|(from, to)| {
                one(job, args, screen, from, &output.join(to))?;
                bar.inc(1);
                Ok(())
            })
            .collect();
        done.into_iter().collect::<Result<()>>()?;
    }
    bar.finish_and_clear();
    if !screen.quiet {
        let n = report::human::counted(files.len(), "file", "files");
        crate::say(&format!("{n} tagged into {}", output.display()));
    }
    Ok(())
}

/// Looks at the first files, in order, before they are tagged side by side.
fn look_at(job: &Job, args: &TagArgs, files: &[(PathBuf, PathBuf)]) {
    let kind = args.input.unwrap_or(InputKind::Text);
    for (from, _) in files.iter().take(AT_ONCE) {
        if job.doubt.is_settled() {
            return;
        }
        // What is wrong with a file is said when it is tagged.
        let Ok((text, ..)) = data::read_text(from, data::Encoding::Auto) else { continue };
        let name = from.to_string_lossy();
        if kind == InputKind::Text {
            job.doubt.look_for_rows(&text, &name);
        }
        job.look_at_lines(kind, &[(1, &text)], &name);
    }
    job.doubt.end(job.ready.model());
}

fn one(job: &Job, args: &TagArgs, screen: Screen, from: &Path, to: &Path) -> Result<()> {
    let to = output_name(to, job.output);
    let (name, text) = read_file(from, screen)?;
    let kind = args.input.unwrap_or(InputKind::Text);
    if let Some(folder) = to.parent() {
        train::files::make_folder(folder)?;
    }
    let mut bytes = Vec::new();
    match job.output {
        OutputKind::Html | OutputKind::Svg | OutputKind::Brat => {
            let mut whole = Whole::default();
            let documents = job.documents(kind, &text, &name, 1)?;
            job.tag(documents).into_iter().for_each(|done| whole.push(done));
            if job.output == OutputKind::Brat {
                return brat::write_document(&whole.text, &whole.entities, &to);
            }
            bytes = page(job, &args.model, &whole).into_bytes();
        }
        _ => write_text(job, kind, &name, &text, &mut bytes).map_err(|stop| match stop {
            Stop::Error(error) => error,
            _ => unreachable!("memory is no pipe"),
        })?,
    }
    train::files::write_atomically(&to, &bytes)
}

/// What an input file's output is called: its name, and behind it what says how it is written.
fn output_name(path: &Path, output: OutputKind) -> PathBuf {
    let ending = match output {
        OutputKind::Text => return path.to_owned(),
        OutputKind::Jsonl | OutputKind::Spacy => ".jsonl",
        OutputKind::Conll => ".conll",
        OutputKind::Brat => ".ann",
        OutputKind::Html => ".html",
        OutputKind::Svg => ".svg",
    };
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Every file with its place in the output, sorted, so that errors do not depend on the disk. Hidden files
/// and the output itself are passed over.
fn files(paths: &[PathBuf], output: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let output = output.canonicalize().ok();
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => walk(path, Path::new(""), output.as_deref(), &mut files)?,
            false => {
                let name = path.file_name().map(PathBuf::from).unwrap_or_default();
                files.push((path.clone(), name));
            }
        }
    }
    if files.is_empty() {
        return Err(Error::new("E023", "no file in the folder").at(&paths[0], None, None));
    }
    let mut places: Vec<&PathBuf> = files.iter().map(|(_, place)| place).collect();
    places.sort();
    if let Some(two) = places.windows(2).find(|two| two[0] == two[1]) {
        let message = format!("two inputs would become {}", two[0].display());
        return Err(Error::new("E048", message).help("tag them into folders of their own"));
    }
    Ok(files)
}

fn walk(
    folder: &Path,
    place: &Path,
    output: Option<&Path>,
    files: &mut Vec<(PathBuf, PathBuf)>,
) -> Result<()> {
    let fail = |e: std::io::Error| {
        Error::new("E022", format!("cannot read the folder: {e}")).at(folder, None, None)
    };
    let entries: std::io::Result<Vec<_>> = fs::read_dir(folder).map_err(fail)?.collect();
    let mut names: Vec<_> = entries.map_err(fail)?.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    for name in names {
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let (path, place) = (folder.join(&name), place.join(&name));
        if path.is_dir() {
            let is_output = output.is_some() && path.canonicalize().ok().as_deref() == output;
            // A link to a folder may lead in a circle.
            if !is_output && !path.is_symlink() {
                walk(&path, &place, output, files)?;
            }
        } else if path.is_file() {
            files.push((path, place));
        }
    }
    Ok(())
}
