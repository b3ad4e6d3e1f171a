//! Capsules are written by a thread of its own: a request that is recorded never waits for a disk.
//!
//! Invariants: what waits to be written is bounded, and dropped and counted beyond that; the folder
//! holds no more than its budget once a capsule was written, the oldest go first; a capsule appears
//! under its name when it is whole.

mod folder;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use weir_capsule::{Head, Mask, Taken};
use weir_guest::Program;
use weir_model::limits::capsule as limits;
use weir_model::{ModuleSource, Site, Variable};

use crate::gateway::PrepareError;
use folder::{Folder, prepare};

/// How long the end of the gateway waits for capsules that are being written.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// Writes the capsules of one gateway.
pub(crate) struct Capsules {
    folder: PathBuf,
    budget: (u64, u64),
    mask: Arc<Mask>,
    /// What a request must say to be recorded.
    secret: Option<Vec<u8>>,
    writer: Mutex<Option<Writer>>,
    counts: Arc<Counts>,
}

/// The thread, from the first capsule on.
struct Writer {
    jobs: SyncSender<Job>,
    /// Closed when the thread is done.
    done: Receiver<()>,
}

/// What became of capsules.
#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    waiting_bytes: AtomicUsize,
}

/// What became of capsules, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapsuleReport {
    /// Files that were written.
    pub written: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Capsules that were not written: too many waited, or the disk refused.
    pub dropped: u64,
}

/// A capsule that is to be written.
pub(crate) struct Job {
    pub(crate) head: Head,
    pub(crate) taken: Taken,
    pub(crate) program: Arc<Program>,
    /// Where the module's bytes are.
    pub(crate) module: Option<PathBuf>,
}

impl Capsules {
    /// `None`: nothing is recorded. Makes the folder.
    pub(crate) fn new(
        site: &Site,
        variable: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Option<Self>, PrepareError> {
        let Some(rules) = &site.capsules else {
            return Ok(None);
        };
        prepare(&rules.folder).map_err(|error| PrepareError::Capsules {
            path: rules.folder.clone(),
            error,
        })?;
        let secret = match &rules.secret {
            Some(Variable::Text(text)) => Some(text.clone().into_bytes()),
            Some(Variable::OfGateway(name)) => variable(name),
            None => None,
        };
        let mask = Mask {
            headers: rules.mask_headers.clone(),
            variables: rules.mask_variables.clone(),
            values: secret.iter().cloned().collect(),
        };
        Ok(Some(Self {
            folder: rules.folder.clone(),
            budget: (rules.bytes_max, rules.files_max),
            mask: Arc::new(mask),
            secret: secret.filter(|secret| !secret.is_empty()),
            writer: Mutex::default(),
            counts: Arc::default(),
        }))
    }

    /// Whether this is what a request must say to be recorded. Takes as long for any other text of
    /// the same length.
    pub(crate) fn is_secret(&self, said: &[u8]) -> bool {
        self.secret.as_ref().is_some_and(|secret| {
            let pairs = secret.iter().zip(said);
            let differences = pairs.fold(0, |seen, (one, other)| seen | (one ^ other));
            secret.len() == said.len() && std::hint::black_box(differences) == 0
        })
    }

    /// Has a capsule written, soon.
    pub(crate) fn put(&self, job: Job) {
        let bytes = job.taken.bytes();
        let waiting = self.counts.waiting_bytes.load(Ordering::Relaxed);
        let has_room = waiting + bytes <= limits::WAITING_BYTES_MAX.max(bytes);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() {
            *writer = self.start();
        }
        let filter = job.head.filter.clone();
        self.counts
            .waiting_bytes
            .fetch_add(bytes, Ordering::Relaxed);
        let is_taken = has_room
            && writer
                .as_ref()
                .is_some_and(|writer| writer.jobs.try_send(job).is_ok());
        if !is_taken {
            self.counts
                .waiting_bytes
                .fetch_sub(bytes, Ordering::Relaxed);
            // The first one is told; the others are counted.
            if self.counts.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(filter, "a capsule was dropped: too many wait to be written");
            }
        }
    }

    /// What became of them.
    pub(crate) fn report(&self) -> CapsuleReport {
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CapsuleReport {
            written: number(&self.counts.written),
            bytes: number(&self.counts.bytes),
            dropped: number(&self.counts.dropped),
        }
    }

    fn start(&self) -> Option<Writer> {
        let (jobs, receiver) = sync_channel(limits::WAITING_MAX);
        let (over, done) = sync_channel(0);
        let (mask, counts) = (Arc::clone(&self.mask), Arc::clone(&self.counts));
        let (path, budget) = (self.folder.clone(), self.budget);
        let work = move || {
            let _over: SyncSender<()> = over;
            let mut desk = Writing {
                folder: Folder::open(path, budget),
                modules: HashSet::new(),
                mask,
                counts,
            };
            for job in receiver {
                desk.take(&job);
            }
        };
        let thread = std::thread::Builder::new().name("weir-capsule".to_owned());
        thread.spawn(work).ok()?;
        Some(Writer { jobs, done })
    }

    /// Waits for the capsules that wait to be written, but not for ever.
    pub(crate) fn close(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Writer { jobs, done }) = writer.take() else {
            return;
        };
        drop(jobs);
        // It never says anything: it ends.
        let _ = done.recv_timeout(CLOSE_TIME);
    }
}

impl Drop for Capsules {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the thread has.
struct Writing {
    folder: Folder,
    /// Modules that were put beside the capsules.
    modules: HashSet<[u8; 32]>,
    mask: Arc<Mask>,
    counts: Arc<Counts>,
}

impl Writing {
    fn take(&mut self, job: &Job) {
        let bytes = job.taken.bytes();
        // A capsule that cannot be written is told, whatever a library makes of it.
        let written = std::panic::catch_unwind(AssertUnwindSafe(|| self.write(job)));
        let waiting = &self.counts.waiting_bytes;
        waiting.fetch_sub(bytes, Ordering::Relaxed);
        let filter = &job.head.filter;
        match written.unwrap_or_else(|_| Err("the program has a mistake there".to_owned())) {
            Ok((path, written)) => {
                self.counts.written.fetch_add(1, Ordering::Relaxed);
                self.counts
                    .bytes
                    .fetch_add(written.bytes, Ordering::Relaxed);
                tracing::info!(
                    filter,
                    reason = %job.head.trigger,
                    calls = written.calls,
                    bytes = written.bytes,
                    "a capsule was written: weir replay {}",
                    path.display()
                );
            }
            Err(error) => {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(filter, error, "a capsule could not be written");
            }
        }
    }

    fn write(&mut self, job: &Job) -> Result<(PathBuf, weir_capsule::Written), String> {
        let name = self.folder.name(&job.head);
        let put = |file: &mut dyn std::io::Write| {
            let (head, taken) = (job.head.clone(), &job.taken);
            weir_capsule::write(head, taken, (&job.program, &self.mask), file)
                .map_err(|error| std::io::Error::other(error.to_string()))
        };
        let placed = self.folder.put(&name, put);
        let (path, written) = placed.map_err(|error| error.to_string())?;
        if let Some(module) = &job.module
            && self.modules.insert(job.head.module.sha256)
            && let Err(error) = self.folder.keep_module(module, &job.head.module.sha256)
        {
            let filter = &job.head.filter;
            tracing::warn!(filter, %error, "the module is not put beside its capsule");
        }
        self.folder.trim();
        Ok((path, written))
    }
}

/// Where the bytes of a filter's module are.
pub(crate) fn module_path(site: &Site, module: &str) -> Option<PathBuf> {
    let ModuleSource::File(path) = &site.modules.get(module)?.source;
    Some(Path::to_path_buf(path))
}
