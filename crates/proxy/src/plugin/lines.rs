//! Failures are logged with source lines, which a thread of its own looks up: reading the debug
//! information of a module takes too long for a worker.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};

use weir_guest::code::{Digest, Source};
use weir_guest::door::Trace;
use weir_model::{Name, limits, one_line};

use super::reports::FailureReport;
use super::stats::FilterStats;
use crate::code::read_module;

/// A module whose code has source lines, and where its bytes are.
#[derive(Clone, Debug)]
pub(crate) struct ModuleFile {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
}

/// A failure that is to be logged in full.
pub(crate) struct FailureLine {
    pub(crate) filter: Name,
    pub(crate) report: FailureReport,
    /// Requests and connections that the VM had.
    pub(crate) streams: usize,
    /// Failures in a row; `None`: it was a copy's, which costs nobody else anything.
    pub(crate) failures: Option<u32>,
}

/// Looks up source lines for all filters, one failure after the other.
#[derive(Debug, Default)]
pub(crate) struct LineReader(OnceLock<Option<SyncSender<Job>>>);

struct Job {
    module: ModuleFile,
    line: FailureLine,
    stats: Arc<FilterStats>,
}

impl FailureLine {
    fn log(&self) {
        let report = &self.report;
        tracing::error!(
            filter = &*self.filter,
            kind = report.kind.word(),
            callback = report.callback,
            streams = self.streams,
            failures = self.failures,
            "the plugin failed: {}",
            one_line(&report.text())
        );
    }
}

impl LineReader {
    /// Logs a failure: at once if its module has no source lines or too many others wait for theirs.
    pub(crate) fn log(&self, line: FailureLine, stats: &Arc<FilterStats>) {
        let module = stats.module.as_ref();
        let module = module.filter(|_| !line.report.trace.frames.is_empty());
        let (Some(module), Some(reader)) = (module, self.reader()) else {
            return line.log();
        };
        let job = Job {
            module: module.clone(),
            line,
            stats: Arc::clone(stats),
        };
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = reader.try_send(job)
        {
            job.line.log();
        }
    }

    /// The thread; `None`: the system gives none.
    fn reader(&self) -> Option<&SyncSender<Job>> {
        let reader = self.0.get_or_init(|| {
            let (sender, jobs) = sync_channel::<Job>(limits::LINES_WAITING_MAX);
            let work = move || jobs.into_iter().for_each(Job::run);
            let thread = std::thread::Builder::new().name("weir-lines".to_owned());
            thread.spawn(work).is_ok().then_some(sender)
        });
        reader.as_ref()
    }
}

impl Job {
    fn run(mut self) {
        let report = &mut self.line.report;
        // The debug information is the plugin's: whatever a library makes of it, the failure is told.
        let found =
            std::panic::catch_unwind(AssertUnwindSafe(|| found(&self.module, &report.trace)));
        match found.unwrap_or_else(|_| Err("the debug information cannot be read".to_owned())) {
            Ok(trace) => {
                self.stats.reports.name_lines(report, &trace);
                report.trace = trace;
            }
            Err(reason) => {
                // Writing to a text never fails.
                let _ = write!(report.reason, " (no source lines: {reason})");
            }
        }
        self.line.log();
    }
}

fn found(module: &ModuleFile, trace: &Trace) -> Result<Trace, String> {
    let bytes = read_module(&module.path).map_err(|error| format!("the module: {error}"))?;
    let source = Source::new(bytes);
    if *source.digest() != module.digest {
        return Err("the module's file is another one by now".to_owned());
    }
    let found = trace.with_lines(source.bytes());
    found.map_err(|error| error.to_string())
}
