//! `longhand completions` and `longhand man`: what is made from the arguments' own descriptions.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::Stop;
use crate::args::Cli;

/// The completion script of a shell, to standard output.
pub fn completions(shell: Shell) -> Result<(), Stop> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "longhand", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}

/// One manual page for the program and all of its commands, to standard output.
pub fn man() -> Result<(), Stop> {
    let program = Cli::command();
    let mut page = Vec::new();
    let whole = Man::new(program.clone());
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    whole.render_options_section(&mut page)?;
    // Not built as parts of the program, they do not repeat its own options.
    for command in program.get_subcommands() {
        page.extend_from_slice(section(command)?.as_bytes());
    }
    let mut examples = Vec::new();
    whole.render_extra_section(&mut examples)?;
    let examples = String::from_utf8(examples).expect("descriptions are UTF-8");
    page.extend_from_slice(examples.replace(".SH EXTRA", ".SH EXAMPLES").as_bytes());
    whole.render_version_section(&mut page)?;
    Ok(io::stdout().lock().write_all(&page)?)
}

/// A command as a section of the page, its parts one level lower.
fn section(command: &Command) -> io::Result<String> {
    let mut text = Vec::new();
    let name = format!("longhand {}", command.get_name());
    let part = Man::new(command.clone().bin_name(&name).disable_help_flag(true));
    part.render_description_section(&mut text)?;
    part.render_synopsis_section(&mut text)?;
    part.render_options_section(&mut text)?;
    let text = String::from_utf8(text).expect("descriptions are UTF-8");
    let parts = text.replace(".SH DESCRIPTION\n", "").replace("\n.SH ", "\n.SS ");
    Ok(format!(".SH \"{}\"\n{parts}", name.to_uppercase()))
}
