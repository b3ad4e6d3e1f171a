//! The file of one map: what is on the disk, and whether it is.
//!
//! A transaction is there as a whole once [`File::commit`] has returned, and not at all if it fails.
//! After a failure the file is closed, because nothing is known of it, and opened again by whoever
//! needs it next: the store then looks for the last whole transaction.

mod opening;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use redb::{Database, ReadableDatabase, TableDefinition, WriteTransaction};
use weir_maps::MapError;
use weir_model::limits::disk as limits;

use super::OpenError;
use super::pending::Pending;
use super::record::{Name, Record};

/// The entries, as `record.rs` says.
const ENTRIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");
/// What the file is: `format` and `ceiling` are numbers of 8 bytes, `map` is text.
const ABOUT: TableDefinition<&str, &[u8]> = TableDefinition::new("about");

/// The file of one map.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    label: String,
    /// `None`: it failed, or was closed.
    store: RwLock<Option<Database>>,
    /// No version above this has been given out, and the disk knows it.
    ceiling: AtomicU64,
    commits: AtomicU64,
}

impl File {
    /// Opens a map's file, or makes it; waits a little for another who has it open. Shows all its
    /// entries to `see`. `label` is the map's scope and name.
    pub(crate) fn open(
        path: &Path,
        label: &str,
        mut see: impl FnMut(Name, Record),
    ) -> Result<Self, OpenError> {
        let guarded = AssertUnwindSafe(|| opening::open(path, label, &mut see));
        let (store, ceiling) = catch_unwind(guarded).unwrap_or_else(|_| {
            let (path, what) = (path.into(), "its structure makes no sense".into());
            Err(OpenError::Damaged { path, what })
        })?;
        Ok(Self {
            path: path.into(),
            label: label.into(),
            store: RwLock::new(Some(store)),
            ceiling: AtomicU64::new(ceiling),
            commits: AtomicU64::new(0),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How often it was tried to write.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The highest version that may be given out before the next commit.
    pub(crate) fn ceiling(&self) -> u64 {
        self.ceiling.load(Ordering::Acquire)
    }

    /// Writes all changes in one step and waits until the disk has them. `last`: the last version
    /// given out.
    pub(crate) fn commit(&self, pending: &Pending, last: u64) -> Result<(), MapError> {
        self.reopen()?;
        let known = self.ceiling();
        let ceiling = if last.saturating_add(limits::VERSIONS_AHEAD / 2) > known {
            last.saturating_add(limits::VERSIONS_AHEAD)
        } else {
            known
        };
        self.check_room(pending)?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        let written = self.guarded(|store| write(store, pending, (known, ceiling)));
        if let Err(error) = written {
            // Did it come about, in spite of all? The disk decides.
            let landed = self.renew().is_ok() && self.has(pending).unwrap_or(false);
            if !landed {
                return Err(error);
            }
        }
        self.ceiling.store(ceiling, Ordering::Release);
        Ok(())
    }

    /// Refuses what will not fit on the disk: finding that out by trying means that the whole file is
    /// checked afterwards.
    fn check_room(&self, pending: &Pending) -> Result<(), MapError> {
        let stored = pending.changes.values().flatten().count();
        let Ok(disk) = rustix::fs::statvfs(&self.path) else {
            return Ok(());
        };
        let needed = pending.bytes * 2 + stored * limits::CHANGE_BYTES + limits::SPARE_BYTES;
        // What only removes may use what is spared: it makes room in the file.
        if stored == 0 || disk.f_bavail.saturating_mul(disk.f_frsize) >= needed as u64 {
            return Ok(());
        }
        Err(self.full())
    }

    /// The entry as the disk has it.
    pub(crate) fn read(&self, name: &[u8]) -> Result<Option<Record>, MapError> {
        let bytes = self.guarded(|store| {
            let table = store.begin_read()?.open_table(ENTRIES)?;
            Ok(table.get(name)?.map(|bytes| bytes.value().to_vec()))
        })?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let record = Record::decode(name, &bytes);
        let damaged = || self.failure("an entry is damaged");
        record.ok_or_else(damaged).map(Some)
    }

    /// Ends with this as the last version given out. Later operations fail.
    pub(crate) fn close(&self, last: u64) -> Result<(), MapError> {
        let exact = self.guarded(|store| {
            let transaction = store.begin_write()?;
            put_number(&transaction, "ceiling", last)?;
            Ok(transaction.commit()?)
        });
        let closed = self.change().take();
        let guarded = AssertUnwindSafe(|| closed.map_or(Ok(()), Database::close));
        let closed = catch_unwind(guarded).unwrap_or(Ok(()));
        exact?;
        closed.map_err(|error| self.error(&error.into()))
    }

    /// Opens the file again if it failed.
    fn reopen(&self) -> Result<(), MapError> {
        let mut store = self.change();
        match *store {
            Some(_) => Ok(()),
            None => self.open_again(&mut store),
        }
    }

    /// Closes the file, of which nothing is known any more, and opens it again. Readers wait.
    fn renew(&self) -> Result<(), MapError> {
        let mut store = self.change();
        let failed = store.take();
        if catch_unwind(AssertUnwindSafe(|| drop(failed))).is_err() {
            tracing::warn!(path = %self.path.display(), "a map's file could not be closed");
        }
        self.open_again(&mut store)
    }

    fn open_again(&self, store: &mut Option<Database>) -> Result<(), MapError> {
        let opened = catch_unwind(|| opening::again(&self.path, &self.label));
        let damaged = Err(self.failure("its structure makes no sense"));
        *store = Some(opened.unwrap_or(damaged)?);
        Ok(())
    }

    fn change(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the disk has all of these changes.
    fn has(&self, pending: &Pending) -> Result<bool, MapError> {
        for (name, change) in &pending.changes {
            let found = self.read(name)?.map(|record| record.version);
            if found != change.as_ref().map(|record| record.version) {
                return Ok(false);
            }
        }
        if !pending.cleared {
            return Ok(true);
        }
        let kept = pending.changes.values().flatten().count() as u64;
        self.guarded(|store| {
            use redb::ReadableTableMetadata as _;
            let table = store.begin_read()?.open_table(ENTRIES)?;
            Ok(table.len()? == kept)
        })
    }

    /// Runs something on the store. What panics in there is an error out here.
    fn guarded<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, MapError> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let store = store
            .as_ref()
            .ok_or_else(|| self.failure("it failed before, or is closed"))?;
        match catch_unwind(AssertUnwindSafe(|| work(store))) {
            Ok(result) => result.map_err(|error| self.error(&error)),
            Err(_) => Err(self.failure("its structure makes no sense")),
        }
    }

    fn failure(&self, what: &str) -> MapError {
        MapError::Io(format!("{}: {what}", self.path.display()))
    }

    fn error(&self, error: &redb::Error) -> MapError {
        let full = match error {
            redb::Error::Io(error) => is_full(error),
            _ => false,
        };
        if !full {
            return self.failure(&error.to_string());
        }
        self.full()
    }

    fn full(&self) -> MapError {
        opening::full(&self.path)
    }
}

/// Whether an error means that there is no room: on the disk, by a quota, or by a limit of the process.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn write(
    store: &Database,
    pending: &Pending,
    (known, ceiling): (u64, u64),
) -> Result<(), redb::Error> {
    let transaction = store.begin_write()?;
    if pending.cleared {
        transaction.delete_table(ENTRIES)?;
    }
    {
        let mut table = transaction.open_table(ENTRIES)?;
        // In the order of the keys, so that neighbours are written together.
        let changes: BTreeMap<&Name, &Option<Record>> = pending.changes.iter().collect();
        let mut bytes = Vec::new();
        for (name, change) in changes {
            match change {
                Some(record) => {
                    if record.encode(name, &mut bytes).is_some() {
                        table.insert(&name[..], &bytes[..])?;
                    }
                }
                None => {
                    table.remove(&name[..])?;
                }
            }
        }
    }
    if ceiling != known {
        put_number(&transaction, "ceiling", ceiling)?;
    }
    Ok(transaction.commit()?)
}

fn put_number(transaction: &WriteTransaction, what: &str, number: u64) -> Result<(), redb::Error> {
    let mut about = transaction.open_table(ABOUT)?;
    about.insert(what, &number.to_le_bytes()[..])?;
    Ok(())
}
