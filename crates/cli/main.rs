//! The program: what was typed becomes calls of the crates; what they say becomes text and exit codes.
//!
//! Results go to standard output, everything for people to standard error. Exit codes: 0 done, 1 a
//! check said no, 2 a mistake in arguments, files or models, 3 training diverged, 130 interrupted.

mod args;
mod bench;
mod check;
mod codes;
mod convert;
mod device;
mod eval_command;
mod exchange_commands;
mod explain;
mod gradcheck;
mod info;
mod init;
mod input;
mod manual;
mod output;
mod progress;
mod report_command;
mod score;
mod search;
mod serve;
mod tag;
mod train_command;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Why a command ended early.
pub enum Stop {
    /// A mistake that the user can mend.
    Error(data::Error),
    /// Nobody reads standard output any more: not a mistake.
    ClosedPipe,
    /// Ctrl-C; what was done is saved.
    Interrupted,
    /// A result below what was asked for.
    No,
}

impl From<data::Error> for Stop {
    fn from(error: data::Error) -> Self {
        Stop::Error(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Stop::ClosedPipe;
        }
        let unnamed = |e| data::Error::new("E042", format!("cannot write the result: {e}"));
        Stop::Error(error.downcast::<data::Error>().unwrap_or_else(unnamed))
    }
}

/// How results and messages are shown.
#[derive(Clone, Copy)]
pub struct Screen {
    /// Colour on standard output.
    pub color: bool,
    /// Colour on standard error.
    pub color_err: bool,
    /// No progress and no remarks on standard error.
    pub quiet: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let screen = Screen {
        color: cli.color.on(&io::stdout()),
        color_err: cli.color.on(&io::stderr()),
        quiet: cli.quiet,
    };
    progress::set_quiet(cli.quiet);
    let done = match &cli.command {
        Command::Train(args) => train_command::run(args, screen),
        Command::Search(args) => search::run(args, screen),
        Command::Tag(args) => tag::run(args, screen),
        Command::Serve(args) => serve::run(args, screen),
        Command::Eval(args) => eval_command::run(args, screen),
        Command::Info(args) => info::run(args, screen),
        Command::Report(args) => report_command::run(args, screen),
        Command::Check(args) => check::run(args, screen),
        Command::Score(args) => score::run(args, screen),
        Command::Convert(args) => convert::run(args, screen),
        Command::Init(args) => init::run(args, screen),
        Command::Gradcheck(args) => gradcheck::run(args, screen),
        Command::Explain(args) => explain::run(args, screen),
        Command::Export(args) => exchange_commands::export(args, screen),
        Command::Import(args) => exchange_commands::import(args, screen),
        Command::Bench(args) => bench::run(args, screen),
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man => manual::man(),
        Command::Help { topic } => help(topic.as_deref()),
    };
    match done {
        Ok(()) | Err(Stop::ClosedPipe) => ExitCode::SUCCESS,
        Err(Stop::No) => ExitCode::from(1),
        Err(Stop::Interrupted) => ExitCode::from(130),
        Err(Stop::Error(error)) => {
            tell(&error.to_string(), screen);
            ExitCode::from(if error.code == "E011" { 3 } else { 2 })
        }
    }
}

/// `error[E003]` in red, `warning[W001]` in yellow, where there is colour.
pub fn paint_first_word(text: &str, screen: Screen) -> String {
    if !screen.color_err {
        return text.to_owned();
    }
    let end = text.find(':').unwrap_or(0);
    let color = if text.starts_with("warning") { "33" } else { "31" };
    format!("\x1b[1;{color}m{}\x1b[0m{}", &text[..end], &text[end..])
}

/// An error or a warning. On a terminal no line is wider than that; in a file or a pipe each part is one
/// line, for programs that look for it.
pub fn tell(text: &str, screen: Screen) {
    let text = match output::width_of_stderr() {
        Some(width) => output::fitted(text, width),
        None => text.to_owned(),
    };
    progress::aside(|| say(&paint_first_word(&text, screen)));
}

/// A line for people, on standard error. That nobody reads it any more is no reason to stop.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Shows warnings, each once.
pub fn warn(warnings: &[data::Warning], screen: Screen) {
    if !screen.quiet {
        for warning in warnings {
            tell(&warning.to_string(), screen);
        }
    }
}

/// Every code with its meaning.
pub fn all_codes() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let codes = train::codes::CODES.iter().chain(codes::CODES).chain(data::doctor::CODES);
    codes.chain(data::CODES)
}

/// As [`all_codes`], in order of their numbers.
pub fn sorted_codes() -> Vec<&'static (&'static str, &'static str)> {
    let mut codes: Vec<_> = all_codes().collect();
    codes.sort_by_key(|(code, _)| (&code[1..], &code[..1]));
    codes
}

/// The meaning of an error's code, the keys of the configuration, or the usage of one command or all.
fn help(topic: Option<&str>) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    match topic {
        None => write!(out, "{}", args::usage())?,
        Some("config") => write!(out, "{}", train::config::PRESETS[0].1)?,
        Some("codes") => {
            for (code, text) in sorted_codes() {
                let first = text.split(". ").next().unwrap_or(text);
                write!(out, "{}", output::wrapped(&format!("{code}  {first}"), "      "))?;
            }
        }
        Some(topic) => {
            let upper = topic.to_uppercase();
            if let Some((code, text)) = all_codes().find(|(code, _)| *code == upper) {
                write!(out, "{}", output::wrapped(&format!("{code}: {text}"), "      "))?;
            } else if let Some(usage) = args::usage_of(topic) {
                write!(out, "{usage}")?;
            } else {
                let error = data::Error::new("E044", format!("no help on `{topic}`"));
                let help = "`longhand help` lists the commands, `longhand help codes` the codes, \
                            `longhand help config` the keys";
                return Err(error.help(help).into());
            }
        }
    }
    Ok(())
}
