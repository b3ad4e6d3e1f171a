//! `weir completions` and `weir man`: what is generated from the command line's definition.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

/// Prints the completion script of a shell.
pub(super) fn completions(shell: Shell, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "weir", &mut script);
    terminal.print_bytes(&script)?;
    Ok(Outcome::Fine)
}

/// Prints the main page, or writes every page into a folder.
pub(super) fn pages(dir: Option<&Path>, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(Failure::Output)?;
        terminal.print_bytes(&page)?;
        return Ok(Outcome::Fine);
    };
    fs::create_dir_all(dir).map_err(|error| Failure::write(dir, error))?;
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), dir)
        .map_err(|error| Failure::write(dir, error))?;
    terminal.print(&format!("the manual pages are in {}\n", dir.display()))?;
    Ok(Outcome::Fine)
}
