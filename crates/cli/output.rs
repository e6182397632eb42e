//! What commands write: tagged files, and text that fits the screen.

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use data::doctor::Severity;
use data::scheme::Change;
use data::{Corpus, Error, Format, Result};
use report::human::{count, counted};
use report::table::WIDTH;

/// Repaired tags that are shown one by one.
const SHOWN: usize = 10;

/// The format of a tagged file by its name's ending.
///
/// # Errors
/// E048 for an ending that says nothing.
pub fn tagged_format(path: &Path) -> Result<Format> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "csv" => Ok(Format::Csv),
        "conll" | "iob" | "iob2" | "bio" | "txt" | "tsv" => Ok(Format::Conll),
        _ => Err(Error::new("E048", format!("{} is neither .csv nor .conll", path.display()))
            .help("the ending says how to write: OUT.csv or OUT.conll")),
    }
}

/// Refuses to write over a file, unless `force`.
///
/// # Errors
/// E050 if it is there.
pub fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    if path.exists() && !force {
        let error = Error::new("E050", format!("{} is there already", path.display()));
        return Err(error.help("another -o, or --force to write over it"));
    }
    Ok(())
}

/// Refuses to write over what is read: reading may have left out what nobody asked for.
///
/// # Errors
/// E048 if they are one file.
pub fn refuse_source(from: &Path, to: &Path) -> Result<()> {
    Sources::of([from]).refuse(to)
}

/// The files that a command reads, whatever they are called there.
pub struct Sources(HashSet<PathBuf>);

impl Sources {
    /// Those of these that are files.
    pub fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let files = paths.into_iter().filter_map(|path| path.as_ref().canonicalize().ok());
        Self(files.filter(|path| path.is_file()).collect())
    }

    /// Refuses to write over one of them.
    ///
    /// # Errors
    /// E048 if `to` is one.
    pub fn refuse(&self, to: &Path) -> Result<()> {
        if !to.canonicalize().is_ok_and(|there| self.0.contains(&there)) {
            return Ok(());
        }
        let message = format!("{} is read here and would be written over", to.display());
        Err(Error::new("E048", message).help("give the result another name"))
    }
}

/// Refuses to write over a file of a run that is not a page.
///
/// # Errors
/// E048 if `to` is one.
pub fn refuse_file_of(runs: &[PathBuf], to: &Path) -> Result<()> {
    let Ok(there) = to.canonicalize() else { return Ok(()) };
    let within = |run: &PathBuf| run.canonicalize().is_ok_and(|run| there.starts_with(run));
    let is_page = there.extension().is_some_and(|ending| ending == "html");
    if is_page || !there.is_file() || !runs.iter().any(within) {
        return Ok(());
    }
    let message = format!("{} is a file of the run and would be written over", to.display());
    Err(Error::new("E048", message).help("give the page another name: -o page.html"))
}

/// A corpus as a file; `path` stands in the error.
///
/// # Errors
/// E042 if it holds what the format cannot.
pub fn tagged(corpus: &Corpus, format: Format, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = match format {
        Format::Csv => data::write_csv(corpus, &mut bytes),
        Format::Conll => data::write_conll(corpus, &mut bytes),
    };
    written.map_err(|e| Error::new("E042", e.to_string()).at(path, None, None))?;
    Ok(bytes)
}

/// Which tags were repaired: how many, and the first.
pub fn changes(path: &Path, corpus: &Corpus, changes: &[Change]) -> String {
    let n = counted(changes.len(), "tag", "tags");
    let mut text = format!("{}: {n} repaired", path.display());
    for change in changes.iter().take(SHOWN) {
        let word = corpus.sentence(change.sentence).word(change.token);
        let line = format!("line {}: {word:?} {} → {}", change.line, change.from, change.to);
        text += &format!("\n  {}", harmless(&line));
    }
    if changes.len() > SHOWN {
        text += &format!("\n  and {} more", count(changes.len() - SHOWN));
    }
    text
}

/// A line of a file must not steer the reader's terminal.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// How wide standard error is, if it is a terminal.
pub fn width_of_stderr() -> Option<usize> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(WIDTH, |(w, _)| w.0.into());
    Some(if width < 20 { WIDTH } else { width.min(100) })
}

/// An error or a warning on lines of at most `width` columns. Places and lines of files stay as they are.
pub fn fitted(text: &str, width: usize) -> String {
    let line = |line: &str| match line {
        _ if line.starts_with("  -->") || line.starts_with("   |") => format!("{line}\n"),
        _ if line.starts_with("  help:") => wrapped_to(line, "        ", width),
        _ => wrapped_to(line, "    ", width),
    };
    let lines: String = text.lines().map(line).collect();
    lines.trim_end().to_owned()
}

/// Words on lines of at most 80 columns, those after the first behind `indent`. A word that is wider
/// stays whole: it may be a path that someone wants to copy.
pub fn wrapped(text: &str, indent: &str) -> String {
    wrapped_to(text, indent, WIDTH)
}

fn wrapped_to(text: &str, indent: &str, most: usize) -> String {
    let start = text.len() - text.trim_start().len();
    let mut out = text[..start].to_owned();
    let mut column = start;
    let mut fresh = true;
    for word in text[start..].split(' ') {
        let width = word.chars().count();
        if !fresh && column + 1 + width > most {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(indent);
            column = indent.chars().count();
        } else if !fresh {
            out.push(' ');
            column += 1;
        }
        fresh = false;
        out.push_str(word);
        column += width;
    }
    out + "\n"
}

/// A finding's first word in the colour of its severity.
pub fn painted(head: &str, severity: Severity, color: bool) -> String {
    let code = match severity {
        Severity::Info => "36",
        Severity::Warn => "33",
        Severity::Error => "31",
    };
    if color { format!("\x1b[1;{code}m{head}\x1b[0m") } else { head.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_fit_a_width_and_keep_what_is_copied() {
        let text = "warning[W001]: not UTF-8, read as windows-1252\n  --> a/long/path/of/a/file.csv:1\n   \
                    | a line of the file as it is\n  help: say so and this goes";
        assert_eq!(
            fitted(text, 24),
            "warning[W001]: not\n    UTF-8, read as\n    windows-1252\n  --> \
             a/long/path/of/a/file.csv:1\n   | a line of the file as it is\n  help: say so and this\n        goes"
        );
        assert_eq!(fitted(text, 100), text);
    }

    #[test]
    fn wrapping_breaks_at_blanks_only_and_keeps_every_word() {
        let text = format!("  a {} b {}", "x".repeat(79), "word ".repeat(30));
        let lines = wrapped(&text, "    ");
        assert!(lines.starts_with("  a\n    xxx"), "{lines}");
        let words = |s: &str| s.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&lines), words(&text));
        assert_eq!(lines.lines().filter(|line| line.len() > WIDTH).count(), 1);
    }
}
