//! `cargo xtask differential`: random guests and exchanges on two hosts, which must look alike.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use weir_conformance::{Differential, Host};

use crate::conformance::{findings, target, weir};
use crate::repository::Trouble;

/// What is played, and for how long.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How long.
    #[arg(long, value_name = "N", default_value_t = 5)]
    minutes: u64,
    /// Where randomness begins. Default: the time.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Ends after so many findings.
    #[arg(long, value_name = "N", default_value_t = 20)]
    findings_max: usize,
    /// Where findings are written, as statement files. Default: `target/differential`.
    #[arg(long, value_name = "DIRECTORY")]
    findings: Option<PathBuf>,
    /// Weir's binary. Default: built first.
    #[arg(long, value_name = "PATH")]
    weir: Option<PathBuf>,
    /// Envoy's binary.
    #[arg(long, value_name = "PATH", default_value = "envoy")]
    envoy: PathBuf,
}

/// Plays, and says where the hosts differ.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), Trouble> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = arguments
        .seed
        .unwrap_or_else(|| now.map_or(0, |now| now.as_secs()));
    println!("seed {seed}");
    let tally = Differential {
        hosts: [
            weir(root, arguments.weir.as_deref(), "plugin")?,
            Host::Envoy(arguments.envoy.clone()),
        ],
        time: Duration::from_secs(60 * arguments.minutes),
        seed,
        findings: arguments
            .findings
            .clone()
            .unwrap_or_else(|| target(root).join("differential")),
        findings_max: arguments.findings_max,
    }
    .run(&|line| println!("{line}"))
    .map_err(findings)?;
    if tally.findings.is_empty() {
        return Ok(());
    }
    Err(Trouble::Findings {
        findings: vec![format!("{} differences", tally.findings.len())],
        hint: format!("`--seed {seed}` plays the same trials again"),
    })
}
