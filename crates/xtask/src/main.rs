//! Chores of this repository: `cargo xtask --help`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks there"
)]

mod conformance;
mod differential;
mod documents;
mod filters;
mod guests;
mod repository;
mod sums;
mod tidy;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::guests::{Build, Mode};
use crate::repository::Trouble;

/// Chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

/// What to do.
#[derive(Subcommand)]
enum Chore {
    /// Build the guests and put them into `guests/prebuilt`; assemble the filters of the benchmark.
    Guests {
        /// Build, and compare with `guests/prebuilt` byte for byte; change nothing.
        #[arg(long, conflicts_with = "check_sums")]
        check: bool,
        /// Build no guest: check that sources and binaries are those of `SHA256SUMS`.
        #[arg(long)]
        check_sums: bool,
        /// Where to build. Default: `guests/target`.
        #[arg(long, value_name = "DIRECTORY")]
        target_dir: Option<PathBuf>,
    },
    /// Install what building the guests needs, on a machine that reaches package registries only.
    Toolchain,
    /// Write the documents that are made from the code.
    Docs {
        /// Compare them; change nothing.
        #[arg(long)]
        check: bool,
    },
    /// Play the statements of the conformance kit against hosts of Proxy-Wasm filters.
    Conformance(Box<conformance::Arguments>),
    /// Play random guests on Weir and Envoy, and tell where they differ.
    Differential(differential::Arguments),
    /// Check the rules of the repository that no other tool checks.
    Tidy,
}

fn main() -> ExitCode {
    match run(Arguments::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("error: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<(), Trouble> {
    let root = repository::root()?;
    match chore {
        Chore::Guests {
            check_sums: true, ..
        } => {
            sums::check(&root.join("guests"))?;
            filters::run(&root, Mode::Compare)
        }
        Chore::Guests {
            check,
            target_dir,
            check_sums: false,
        } => {
            let mode = if check { Mode::Compare } else { Mode::Install };
            filters::run(&root, mode)?;
            Build::new(&root, target_dir).run(mode)
        }
        Chore::Toolchain => tools::install(&root),
        Chore::Docs { check: true } => documents::run(&root, documents::Mode::Check),
        Chore::Docs { check: false } => documents::run(&root, documents::Mode::Write),
        Chore::Conformance(arguments) => conformance::run(&root, &arguments),
        Chore::Differential(arguments) => differential::run(&root, &arguments),
        Chore::Tidy => tidy::check(&root),
    }
}
