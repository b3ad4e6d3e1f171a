//! Maps over a file: all keys in memory, values on the disk and in memory as far as there is room.
//!
//! What readers see is in memory ([`index`]) and only becomes so when it may be seen: of a synced map
//! when the disk has it. One thread for each map writes ([`keeper`]), a few read what is not in
//! memory ([`readers`]), and no caller ever waits for the disk on its own thread. Invariants: what is
//! visible and not dirty is on the disk in the same version; what an answer said is visible; a
//! version is never given twice, whatever happens to process or disk.

mod clock;
mod ending;
mod error;
mod file;
mod index;
mod keeper;
mod pending;
mod place;
mod queue;
mod readers;
mod reading;
mod record;
mod shared;
mod stage;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use weir_maps::budget::{Account, Amount, Budget};
use weir_maps::store::{Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat};
use weir_maps::{Answer, Clock, MapError, MapOptions, Store, Terms, Value, Watch};

pub use clock::UnixClock;
pub use error::OpenError;
pub use shared::Durability;

pub(crate) use place::{label, path};

use index::Index;
use queue::closed;
use record::Held;
use shared::{Parts, Shared, own_cost};
use stage::{Outcome, Work};

/// How a map over a file is opened.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// Its file. Folders are made.
    pub path: PathBuf,
    /// Scope and name of the map, kept in the file: another map's is refused.
    pub label: String,
    /// What it may hold.
    pub map: MapOptions,
    /// When an operation is acknowledged.
    pub durability: Durability,
    /// Bytes of values that it may keep in memory; keys and values up to 38 bytes are always there.
    pub memory_bytes: u64,
}

/// The entries of one map, over a file. Dropping it lets the file be written to the end and closed
/// in the background; [`close`](Self::close) waits for that.
pub struct DiskStore(Arc<Shared>);

impl DiskStore {
    /// Opens a map's file, or makes it, and reads all of its entries: not to be called where
    /// requests are served.
    ///
    /// # Errors
    /// [`OpenError`] says which file or folder, and what is wrong with it.
    pub fn open(
        options: &DiskOptions,
        owner: Arc<Account>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let refused = |error| OpenError::Refused {
            path: options.path.clone(),
            error,
        };
        options.map.check().map_err(refused)?;
        let memory_bytes = usize::try_from(options.memory_bytes).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        // As many values as there is room for; which of them are used is not known yet.
        let mut room = memory_bytes;
        let file = file::File::open(&options.path, &options.label, |name, mut record| {
            let length = record.held.length();
            match room.checked_sub(length) {
                Some(left) if record.held.is_large() => room = left,
                None if record.held.is_large() => record.held = Held::Cold(length),
                Some(_) | None => {}
            }
            entries.push((name, record));
        })?;
        let index = Index::of(entries);
        owner
            .change(Amount::default(), own_cost())
            .map_err(refused)?;
        let shared = Arc::new(Shared::new(Parts {
            index,
            file,
            budget: Budget::new(options.map.quota(), owner),
            options: options.map,
            durability: options.durability,
            memory_bytes,
            clock,
        }));
        let kept = Arc::clone(&shared);
        let started = std::thread::Builder::new()
            .name("weir-map-disk".into())
            .spawn(move || keeper::keep(&kept));
        started.map_err(|error| OpenError::Io {
            path: options.path.clone(),
            doing: "start the thread that writes this map",
            error,
        })?;
        Ok(Self(shared))
    }

    /// Lets everything be written, and closes the file. Writes that come later fail.
    #[must_use]
    pub fn close(&self) -> Answer<()> {
        let done = self.0.ending.coming();
        self.0.close();
        Answer::Later(Box::pin(async move { done.await.unwrap_or(Ok(())) }))
    }

    /// The same, waited for on this thread: for the end of a process.
    ///
    /// # Errors
    /// What was acknowledged of a relaxed map could not be written; [`MapError::TimedOut`]: the disk
    /// takes longer than this.
    pub fn close_within(&self, longest: Duration) -> Result<(), MapError> {
        self.0.close();
        self.0.ending.wait(longest)
    }

    /// Removes entries whose time is up, `most` at most, and answers how many: housekeeping that it
    /// does itself every second.
    #[must_use]
    pub fn tend(&self, most: usize) -> Answer<u64> {
        self.ask(Work::Sweep(most), |outcome| match outcome {
            Outcome::Gone(count) => Ok(count),
            Outcome::Done(_) | Outcome::Removed => Err(closed()),
        })
    }

    /// How often the disk was waited for: transactions, each of as many operations as there were.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.file.commits()
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.file.path()
    }

    /// Does an operation at once, or has it done.
    fn ask<T: 'static>(
        &self,
        work: Work,
        read: impl FnOnce(Outcome) -> Result<T, MapError> + 'static,
    ) -> Answer<T> {
        if let Some(result) = self.0.at_once(&work) {
            return Answer::Now(result.and_then(read));
        }
        match self.0.queue.push(work) {
            Ok(answer) => Answer::Later(Box::pin(async move {
                let outcome = answer.await.unwrap_or_else(|_| Err(closed()))?;
                read(outcome)
            })),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn one<T: 'static>(&self, op: Op, read: fn(Done) -> Option<T>) -> Answer<T> {
        self.ask(Work::Ops(vec![op]), move |outcome| match outcome {
            Outcome::Done(done) => done.into_iter().next().and_then(read).ok_or_else(closed),
            Outcome::Removed | Outcome::Gone(_) => Err(closed()),
        })
    }
}

impl Store for DiskStore {
    fn read<R>(
        &self,
        key: &[u8],
        see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        match self.0.look(key) {
            reading::Look::Here(found) => {
                let show = |found: Found| {
                    see(Seen {
                        value: &found.value,
                        version: found.version,
                    })
                };
                Answer::Now(Ok(found.map(show)))
            }
            reading::Look::OnDisk => {
                let (shared, key) = (Arc::clone(&self.0), Bytes::copy_from_slice(key));
                match self.0.readers.ask(move || shared.fetch(&key)) {
                    Ok(later) => Answer::Later(later),
                    Err(error) => Answer::Now(Err(error)),
                }
            }
        }
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        if let Err(error) = self.0.options.admit(key, Some(&value), terms.ttl) {
            return Answer::Now(Err(error));
        }
        if value.child().is_some() {
            return Answer::Now(Err(REFERENCES));
        }
        let op = Op::Set(Bytes::copy_from_slice(key), value, terms);
        self.one(op, |done| match done {
            Done::Stored(version) => Some(version),
            Done::Checked(_) | Done::Deleted(_) | Done::Counted(_) => None,
        })
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        if let Err(error) = self.0.options.admit(key, None, None) {
            return Answer::Now(Err(error));
        }
        let work = Work::Remove(Bytes::copy_from_slice(key), condition);
        self.ask(work, |_| Ok(()))
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        if let Err(error) = self.0.options.admit(key, None, None) {
            return Answer::Now(Err(error));
        }
        let op = Op::Add(Bytes::copy_from_slice(key), delta);
        self.one(op, |done| match done {
            Done::Counted(counted) => Some(counted),
            Done::Checked(_) | Done::Stored(_) | Done::Deleted(_) => None,
        })
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        self.0.page(range)
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        if let Err(error) = self.0.options.admit_all(ops) {
            return Answer::Now(Err(error));
        }
        let refers = |op: &Op| matches!(op, Op::Set(_, value, _) if value.child().is_some());
        if ops.iter().any(refers) {
            return Answer::Now(Err(REFERENCES));
        }
        self.ask(Work::Ops(ops.to_vec()), |outcome| match outcome {
            Outcome::Done(done) => Ok(done),
            Outcome::Removed | Outcome::Gone(_) => Err(closed()),
        })
    }

    fn clear(&self) -> Answer<u64> {
        self.ask(Work::Clear, |outcome| match outcome {
            Outcome::Gone(count) => Ok(count),
            Outcome::Done(_) | Outcome::Removed => Err(closed()),
        })
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        let watch = self.0.watchers.add(prefix);
        if watch.is_ok() {
            // Writers that found no watcher have finished after this.
            drop(self.0.change());
        }
        watch.into()
    }

    fn stat(&self) -> Answer<Stat> {
        let total = self.0.see().index.total;
        Answer::Now(Ok(Stat {
            entries: total.entries,
            bytes: total.bytes,
            version: self.0.versions.last(),
            quota_bytes: self.0.options.bytes_max,
            evicted: self.0.evicted.load(Ordering::Relaxed),
            expired: self.0.expired.load(Ordering::Relaxed),
            watches: self.0.watchers.len() as u64,
        }))
    }
}

/// A reference keeps a map of this process alive, and nothing of it would be left after a restart.
const REFERENCES: MapError = MapError::NotSupported("references to other maps");

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DiskStore").field(&self.0).finish()
    }
}
