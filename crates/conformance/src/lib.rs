//! The conformance kit's runner: it plays statements about Proxy-Wasm hosts against a host, and tells
//! which of them hold.
//!
//! A statement is a file (`conformance/README.md` describes it): guests, a scene, and steps with what
//! must be observed. The runner starts the host with the scene, plays the steps from outside, and
//! compares. Invariant: it knows hosts only as programs; no code of a host is linked here.

mod area;
mod client;
mod differential;
mod guest;
mod host;
mod pattern;
mod player;
mod report;
mod server;
mod statement;
mod trouble;
mod watch;
mod wire;
mod yaml;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use area::{Area, areas};
pub use differential::{Differential, Tally};
pub use host::Host;
pub use report::{
    Failure, Report, Result as StatementResult, Verdict, disagreements, ranges, table,
};
pub use statement::{Read, Statement, statements};
pub use trouble::Trouble;
pub use watch::Watch;

use wire::locked;

/// Compiles a script of the kit's small language, for tests that need a guest and no scene.
///
/// # Errors
///
/// What is wrong with the script, and on which line of it.
pub fn guest(abi: &str, script: &str) -> Result<Vec<u8>, String> {
    guest::compile(abi, script).map_err(|flaw| format!("line {}: {}", flaw.line, flaw.what))
}

/// How statements are played.
#[derive(Clone, Debug)]
pub struct Options {
    /// Numbers of the statements that are played, as ranges with both ends. Empty: all.
    pub only: Vec<(u32, u32)>,
    /// How many statements are played at a time.
    pub jobs: usize,
    /// Longest wait for anything that must happen.
    pub patience: Duration,
    /// What this machine does not have of what statements need, like `redis`.
    pub without: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            jobs: 2,
            patience: Duration::from_secs(5),
            without: Vec::new(),
        }
    }
}

impl Options {
    /// Whether a statement is played.
    #[must_use]
    pub fn wants(&self, number: u32) -> bool {
        let mut only = self.only.iter();
        self.only.is_empty() || only.any(|(first, last)| (*first..=*last).contains(&number))
    }
}

/// Plays the statements of a folder against a host.
///
/// # Errors
/// If the folder cannot be read, or a helper process cannot be started. What is wrong with one
/// statement is in the report.
pub fn play(folder: &Path, host: &Host, options: &Options) -> Result<Report, Trouble> {
    play_each(folder, host, options, &|_| {})
}

/// The same, and tells each result as it is known.
///
/// # Errors
/// As [`play`].
pub fn play_each(
    folder: &Path,
    host: &Host,
    options: &Options,
    tell: &(dyn Fn(&StatementResult) + Sync),
) -> Result<Report, Trouble> {
    let statements = statements(folder, &|number| options.wants(number))?;
    let watch = Watch::start()?;
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some((number, statement)) =
                    statements.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let result = match statement {
                        Ok(statement) => player::play(statement, host, options, &watch),
                        Err(trouble) => StatementResult::unreadable(*number, trouble),
                    };
                    tell(&result);
                    locked(&results).insert(*number, result);
                }
            });
        }
    });
    let results = results
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let missing = area::numbers().filter(|number| options.wants(*number));
    let missing: Vec<u32> = missing
        .filter(|number| !results.contains_key(number))
        .collect();
    Ok(Report {
        host: host.name(),
        results: results.into_values().collect(),
        missing,
    })
}

/// Writes the guests of all statements into a folder, as `.wasm` files.
///
/// # Errors
/// If a statement cannot be read, or a file cannot be written.
pub fn write_guests(folder: &Path, options: &Options, to: &Path) -> Result<usize, Trouble> {
    std::fs::create_dir_all(to).map_err(trouble::at_path(to))?;
    let mut count = 0;
    for (number, statement) in statements(folder, &|number| options.wants(number))? {
        for (case, filter, code) in statement?.guests() {
            let path = to.join(format!("{number:03}-{case}-{filter}.wasm"));
            std::fs::write(&path, code).map_err(trouble::at_path(&path))?;
            count += 1;
        }
    }
    Ok(count)
}
