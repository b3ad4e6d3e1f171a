//! Compiled code on disk, found by what it depends on.
//!
//! Invariant: only code that this user or root can have written, that is whole, and that has the key
//! that was asked for, is ever loaded. Everything else is counted, thrown away and compiled anew: the
//! cache makes a start slow, never wrong.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use weir_model::limits;

use super::entry::{self, Defect};
use super::folder::{Folder, FolderError, Listed};
use super::key::{Digest, Key, SUFFIX};
use crate::engine::EngineKind;
use crate::prepare::Parts;

/// A file that was used is marked as such no more often than this.
const USE_GRAIN: Duration = Duration::from_hours(1);

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder will not do.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The folder cannot be looked through.
    #[error("cannot look through the folder of compiled code: {0}")]
    List(std::io::Error),
}

/// Why code was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It would fill the cache.
    #[error("it has {bytes} bytes, and the cache may have {most}")]
    TooLarge {
        /// Bytes of the file.
        bytes: u64,
        /// Bytes of the whole cache.
        most: u64,
    },
    /// The folder cannot be written.
    #[error("cannot write the file: {0}")]
    Write(std::io::Error),
}

/// A folder of compiled code. Several processes may share it.
pub struct Cache {
    folder: Folder,
    bytes_max: u64,
    counts: Counts,
    has_warned: AtomicBool,
}

/// What a file held.
pub(super) struct Loaded {
    pub(super) module: wasmtime::Module,
    pub(super) parts: Parts,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    stored: AtomicU64,
    refused: AtomicU64,
    evicted: AtomicU64,
    failed: AtomicU64,
}

/// What the cache did in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheReport {
    /// Code that was found.
    pub hits: u64,
    /// Code that was not there.
    pub misses: u64,
    /// Files written.
    pub stored: u64,
    /// Files that were torn, damaged, foreign, or not ours, and were thrown away.
    pub refused: u64,
    /// Files removed to make room.
    pub evicted: u64,
    /// Files that could not be written.
    pub failed: u64,
}

/// A file of the cache, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedCode {
    /// Its name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last used, to the hour.
    pub used: SystemTime,
    /// Content of the module and kind of engine; `None`: the file is damaged.
    pub code: Option<(Digest, EngineKind)>,
}

impl Cache {
    /// Opens a folder, which is made if it is not there. It need not be writable.
    ///
    /// # Errors
    ///
    /// [`CacheError`] when it cannot be opened, or others can write to it.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self, CacheError> {
        Ok(Self {
            folder: Folder::open(folder)?,
            bytes_max,
            counts: Counts::default(),
            has_warned: AtomicBool::new(false),
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it did so far.
    #[must_use]
    pub fn report(&self) -> CacheReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheReport {
            hits: read(&self.counts.hits),
            misses: read(&self.counts.misses),
            stored: read(&self.counts.stored),
            refused: read(&self.counts.refused),
            evicted: read(&self.counts.evicted),
            failed: read(&self.counts.failed),
        }
    }

    /// What is in it, the least lately used first.
    ///
    /// # Errors
    ///
    /// [`CacheError::List`].
    pub fn list(&self) -> Result<Vec<CachedCode>, CacheError> {
        let describe = |listed: Listed| {
            let file = self.folder.file(&listed.name).ok().flatten();
            let footer = file.and_then(|file| entry::footer(&file.ok()?).ok());
            CachedCode {
                file: listed.name,
                bytes: listed.bytes,
                used: listed.used,
                code: footer.map(|footer| (footer.module, footer.engine)),
            }
        };
        let files = self.oldest_first().map_err(CacheError::List)?;
        Ok(files.into_iter().map(describe).collect())
    }

    /// Loads code, if it is there and fit.
    pub(super) fn load(&self, engine: &wasmtime::Engine, key: &Key) -> Option<Loaded> {
        self.counted(key, self.fetch(engine, key))
    }

    /// Loads code that was not prepared, if it is there and fit.
    pub(super) fn load_whole<T>(
        &self,
        key: &Key,
        load: impl FnOnce(&[u8]) -> wasmtime::Result<T>,
    ) -> Option<T> {
        let fetch = || {
            let Some((file, _)) = self.open_checked(key)? else {
                return Ok(None);
            };
            let loaded = load(&entry::image(&file)?);
            let loaded = loaded.map_err(|error| Defect::Engine(format!("{error:#}")))?;
            Ok(Some(loaded))
        };
        self.counted(key, fetch())
    }

    /// Stores code that was not prepared, if it can be stored.
    pub(super) fn keep_whole(&self, key: &Key, image: &[u8]) {
        if let Err(error) = self.store(key, (image, &[])) {
            self.warn(&error);
        }
    }

    fn counted<T>(&self, key: &Key, fetched: Result<Option<T>, Defect>) -> Option<T> {
        match fetched {
            Ok(Some(loaded)) => {
                count(&self.counts.hits);
                Some(loaded)
            }
            Ok(None) => {
                count(&self.counts.misses);
                None
            }
            Err(defect) => {
                count(&self.counts.misses);
                self.refuse(key, &defect);
                None
            }
        }
    }

    /// Stores code, and loads it from the file, which costs no memory of its own. `None`: the code
    /// could not be stored.
    pub(super) fn keep(
        &self,
        engine: &wasmtime::Engine,
        key: &Key,
        parts: (&[u8], &[u8]),
    ) -> Option<wasmtime::Module> {
        if let Err(error) = self.store(key, parts) {
            self.warn(&error);
            return None;
        }
        match self.fetch(engine, key) {
            Ok(loaded) => loaded.map(|loaded| loaded.module),
            Err(defect) => {
                self.refuse(key, &defect);
                None
            }
        }
    }

    fn warn(&self, error: &StoreError) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            let folder = self.folder.path().display();
            tracing::warn!(%folder, "compiled code is not kept, the next start compiles again: {error}");
        }
    }

    /// Stores code.
    pub(super) fn store(
        &self,
        key: &Key,
        (image, annex): (&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let (bytes, most) = (
            entry::file_bytes(image, annex),
            self.bytes_max.min(limits::CODE_FILE_BYTES_MAX),
        );
        let name = key.file_name();
        let written = if bytes > most {
            Err(StoreError::TooLarge { bytes, most })
        } else {
            let write = |file: &File| entry::write(file, key, image, annex);
            self.folder.publish(&name, write).map_err(StoreError::Write)
        };
        if written.is_err() {
            count(&self.counts.failed);
        } else {
            count(&self.counts.stored);
            self.make_room(&name);
        }
        written
    }

    fn fetch(&self, engine: &wasmtime::Engine, key: &Key) -> Result<Option<Loaded>, Defect> {
        let Some((file, annex)) = self.open_checked(key)? else {
            return Ok(None);
        };
        let parts = Parts::decode(&annex).ok_or(Defect::Annex)?;
        let module = from_file(engine, file)?;
        Ok(Some(Loaded { module, parts }))
    }

    /// The file of a key, if it is there and whole, and its annex.
    fn open_checked(&self, key: &Key) -> Result<Option<(File, Vec<u8>)>, Defect> {
        let Some(file) = self.folder.file(&key.file_name())? else {
            return Ok(None);
        };
        let file = file.map_err(Defect::Untrusted)?;
        let annex = entry::check(&file, key)?;
        mark_used(&file);
        Ok(Some((file, annex)))
    }

    fn refuse(&self, key: &Key, defect: &Defect) {
        count(&self.counts.refused);
        let file = key.file_name();
        let removed = self.folder.remove(&file);
        let is_removed = removed.is_ok();
        tracing::warn!(%file, is_removed, "a file of compiled code is not used: {defect}");
    }

    fn oldest_first(&self) -> std::io::Result<Vec<Listed>> {
        let mut files = self.folder.files(SUFFIX)?;
        files.sort_by_key(|file| file.used);
        Ok(files)
    }

    /// Removes what was used least lately, but for the file that was just written.
    fn make_room(&self, written: &str) {
        let files = match self.oldest_first() {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(%error, "cannot look through the folder of compiled code");
                return;
            }
        };
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let mut left = files.len();
        for file in files.iter().filter(|file| file.name != written) {
            if bytes <= self.bytes_max && left <= limits::CODE_CACHE_FILES_MAX {
                return;
            }
            if let Err(error) = self.folder.remove(&file.name) {
                tracing::warn!(file = file.name, %error, "cannot remove old compiled code");
                return;
            }
            count(&self.counts.evicted);
            bytes -= file.bytes;
            left -= 1;
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Notes the use of a file. Where that is not allowed, as in an image of a container, nothing is
/// removed either.
fn mark_used(file: &File) {
    let is_old = |file: &File| {
        let used = file.metadata().and_then(|about| about.modified()).ok()?;
        used.elapsed().ok().map(|age| age > USE_GRAIN)
    };
    if is_old(file) == Some(true) {
        let _ = file.set_modified(SystemTime::now());
    }
}

#[expect(
    unsafe_code,
    reason = "code is trusted by where it lies, which Wasmtime cannot know"
)]
fn from_file(engine: &wasmtime::Engine, file: File) -> Result<wasmtime::Module, Defect> {
    // SAFETY: the bytes are what this engine's compiler made: the folder and the file belong to
    // this user or root and nobody else may write to them (`Folder`), the footer's key and checksum
    // fit (`entry::check`, on this same open file), and files are never changed once they have
    // their name, only removed.
    unsafe { wasmtime::Module::deserialize_open_file(engine, file) }
        .map_err(|error| Defect::Engine(format!("{error:#}")))
}

#[expect(unsafe_code, reason = "the image comes straight from the compiler")]
pub(super) fn from_memory(
    engine: &wasmtime::Engine,
    image: &[u8],
) -> wasmtime::Result<wasmtime::Module> {
    // SAFETY: called by `Compiled::load` alone, with the image that `Compiled::make` got from
    // `precompile_module` in this process; nothing else can make or change a `Compiled`.
    unsafe { wasmtime::Module::deserialize(engine, image) }
}
