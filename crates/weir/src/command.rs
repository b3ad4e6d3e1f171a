//! The commands.

mod bindgen;
mod capsule;
mod check;
mod compile;
mod dev;
mod explain;
mod inspect;
mod manual;
mod map;
mod new;
mod plugin;
mod replay;
pub(crate) mod run;
mod serve;
mod suited;

use crate::cli::{Cli, Command};
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

/// Runs the command that the arguments ask for.
pub(crate) fn run(cli: Cli, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    match cli.command {
        Command::Serve(arguments) => serve::run(arguments, &cli.output, terminal),
        Command::New(arguments) => new::run(&arguments, terminal),
        Command::Dev(arguments) => dev::run(arguments, &cli.output, terminal),
        Command::Check(arguments) => check::run(&arguments, terminal),
        Command::Schema => print_json(&weir_control::schema(), terminal),
        Command::Inspect(arguments) => inspect::run(&arguments, terminal),
        Command::Explain(arguments) => explain::run(&arguments, terminal),
        Command::Debug(arguments) => explain::debug(&arguments, terminal),
        Command::Compile(arguments) => compile::run(&arguments, terminal),
        Command::Run(arguments) => run::run(arguments, &cli.output, terminal),
        Command::Replay(arguments) => replay::run(&arguments, terminal),
        Command::Capsule(arguments) => capsule::run(&arguments, terminal),
        Command::Map(arguments) => map::run(&arguments, terminal),
        Command::Bindgen(arguments) => bindgen::run(&arguments, terminal),
        Command::Completions(arguments) => manual::completions(arguments.shell, terminal),
        Command::Man(arguments) => manual::pages(arguments.dir.as_deref(), terminal),
        Command::Plugin => plugin::run(),
    }
}

/// Prints JSON for people and programs.
fn print_json(value: &serde_json::Value, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    terminal.print(&format!("{value:#}\n"))?;
    Ok(Outcome::Fine)
}
