//! `cargo xtask conformance`: plays the conformance kit's statements against hosts.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use weir_conformance::{
    Host, Options, Report, StatementResult, disagreements, play_each, ranges, statements, table,
    write_guests,
};

use crate::repository::{self, Trouble};

/// What is played, against what.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Against which host: `weir`, `envoy`, or the path of a driver program. Twice: both, and where
    /// they disagree.
    #[arg(long = "host", value_name = "HOST", default_value = "weir")]
    hosts: Vec<String>,
    /// Only these statements: numbers and ranges, like `127-150,7`.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = range)]
    only: Vec<(u32, u32)>,
    /// How many statements are played at a time.
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// Seconds until something that must happen counts as missing.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    patience: u64,
    /// What this machine lacks, like `redis`: statements that need it are not played.
    #[arg(long, value_name = "NEED")]
    without: Vec<String>,
    /// Where the report for programs is written. Default: `target/conformance.json`.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write all guests there as `.wasm` files; play nothing.
    #[arg(long, value_name = "DIRECTORY")]
    guests: Option<PathBuf>,
    /// Where the statements are. Default: `conformance/statements`.
    #[arg(long, value_name = "DIRECTORY")]
    statements: Option<PathBuf>,
    /// Weir's binary. Default: built first.
    #[arg(long, value_name = "PATH")]
    weir: Option<PathBuf>,
    /// How Weir isolates filters that are to share no VM: a word of its configuration, or
    /// `process/plugin` for a process with one VM.
    #[arg(long, value_name = "WORD", default_value = "plugin")]
    isolation: String,
    /// Envoy's binary.
    #[arg(long, value_name = "PATH", default_value = "envoy")]
    envoy: PathBuf,
    /// Tell each result as it comes.
    #[arg(long)]
    verbose: bool,
    /// List the statements; play nothing.
    #[arg(long)]
    list: bool,
}

/// `7` or `127-150`.
fn range(text: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| {
        text.trim()
            .parse::<u32>()
            .map_err(|error| error.to_string())
    };
    match text.split_once('-') {
        Some((first, last)) => Ok((number(first)?, number(last)?)),
        None => number(text).map(|number| (number, number)),
    }
}

/// Plays them, and says what held.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), Trouble> {
    let folder = arguments
        .statements
        .clone()
        .unwrap_or_else(|| root.join("conformance/statements"));
    let options = Options {
        only: arguments.only.clone(),
        jobs: arguments.jobs,
        patience: Duration::from_secs(arguments.patience),
        without: arguments.without.clone(),
    };
    if arguments.list {
        return list(&folder, &options);
    }
    if let Some(to) = &arguments.guests {
        let count = write_guests(&folder, &options, to).map_err(findings)?;
        println!("{count} guests are in {}", to.display());
        return Ok(());
    }
    let mut reports = Vec::new();
    for name in &arguments.hosts {
        let host = host(root, name, arguments)?;
        let host_name = host.name();
        let tell = |result: &StatementResult| {
            if arguments.verbose {
                print!("{}", result.describe(&host_name));
            }
        };
        reports.push(play_each(&folder, &host, &options, &tell).map_err(findings)?);
    }
    tell(&reports);
    let report = arguments
        .report
        .clone()
        .unwrap_or_else(|| target(root).join("conformance.json"));
    let json: Vec<_> = reports.iter().map(Report::json).collect();
    let json = serde_json::Value::from(json);
    if let Some(folder) = report.parent() {
        fs::create_dir_all(folder).map_err(|source| Trouble::File {
            path: folder.to_owned(),
            source,
        })?;
    }
    repository::write(&report, format!("{json:#}\n").as_bytes())?;
    let bad: usize = reports.iter().map(|report| report.bad().count()).sum();
    if bad == 0 {
        return Ok(());
    }
    Err(Trouble::Findings {
        findings: vec![format!("{bad} statements do not hold")],
        hint: format!("the report is {}", report.display()),
    })
}

/// The table, and all that does not hold.
fn tell(reports: &[Report]) {
    for report in reports {
        for result in report
            .results
            .iter()
            .filter(|result| result.is_bad() || result.holds_anyway)
        {
            print!("{}", result.describe(&report.host));
        }
    }
    let split = disagreements(reports);
    if !split.is_empty() {
        println!("\nWhere the hosts disagree:\n{split}");
    }
    println!("\n{}", table(reports));
    if let Some(report) = reports.first().filter(|report| !report.missing.is_empty()) {
        println!("without a file: {}", ranges(&report.missing));
    }
}

fn list(folder: &Path, options: &Options) -> Result<(), Trouble> {
    let statements = statements(folder, &|number| options.wants(number)).map_err(findings)?;
    for (number, statement) in statements {
        match statement {
            Ok(statement) => println!("{number:03} {}", statement.text),
            Err(trouble) => println!("{number:03} {trouble}"),
        }
    }
    Ok(())
}

fn host(root: &Path, name: &str, arguments: &Arguments) -> Result<Host, Trouble> {
    match name {
        "weir" => weir(root, arguments.weir.as_deref(), &arguments.isolation),
        "envoy" => Ok(Host::Envoy(arguments.envoy.clone())),
        path => Ok(Host::Program(PathBuf::from(path))),
    }
}

/// Weir's binary, which is built first unless it is given.
pub(crate) fn weir(root: &Path, given: Option<&Path>, isolation: &str) -> Result<Host, Trouble> {
    let of = |program| Host::Weir {
        program,
        isolation: isolation.to_owned(),
    };
    if let Some(path) = given {
        return Ok(of(path.to_owned()));
    }
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(root).args(["build", "--package", "weir"]);
    repository::run("cargo", &mut build, "read what it says above")?;
    Ok(of(target(root).join("debug/weir")))
}

/// Where cargo builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(crate) fn findings(trouble: weir_conformance::Trouble) -> Trouble {
    Trouble::Findings {
        findings: vec![trouble.to_string()],
        hint: String::new(),
    }
}
