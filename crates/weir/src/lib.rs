//! The command line of Weir: reads arguments, wires the rooms, starts and drains them.
//!
//! Invariant: everything a person reads goes through [`Terminal`], every failure through
//! [`Failure`]; no command writes to a stream or ends the process by itself.

pub mod cli;
pub mod failure;
pub mod gateway;
pub mod logging;
pub mod signals;
pub mod terminal;

mod command;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use cli::Cli;
pub use failure::{Failure, Outcome};
pub use terminal::Terminal;

/// Runs the program on the process's streams.
#[must_use]
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let mut terminal = Terminal::of_process(cli::colour_choice(&arguments));
    run(arguments, &mut terminal).into()
}

/// Runs one command line, program name first, and says how it ended.
pub fn run(arguments: Vec<OsString>, terminal: &mut Terminal<'_>) -> Outcome {
    let outcome = match Cli::try_parse_from(arguments) {
        Ok(cli) => match command::run(cli, terminal) {
            Ok(outcome) => outcome,
            Err(failure) => terminal.failure(&failure),
        },
        Err(message) => terminal.parser_message(&message),
    };
    match terminal.flush() {
        Ok(()) => outcome,
        Err(failure) => terminal.failure(&failure),
    }
}
