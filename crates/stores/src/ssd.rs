//! Maps of memory over disk: caches that are larger than memory.
//!
//! A write is visible and acknowledged at once, and written to the disk later; large values that are
//! not used leave memory. What a crash loses is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir_maps::budget::Account;
use weir_maps::{Clock, MapOptions};
use weir_model::limits::disk as limits;

use crate::disk::{DiskOptions, DiskStore, Durability, OpenError, UnixClock};

/// How maps of memory over disk are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsdConfig {
    /// The folder with a folder for each scope and a file for each map.
    pub folder: PathBuf,
    /// Bytes of large values that each map keeps in memory. What it may hold on the disk is in the
    /// map's own options.
    pub memory_bytes: u64,
    /// How long changes may be missing on the disk.
    pub lag: Duration,
}

impl SsdConfig {
    /// With the defaults.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            memory_bytes: limits::MEMORY_BYTES,
            lag: limits::CACHE_SYNC_INTERVAL,
        }
    }
}

/// Opens maps of memory over disk by their names.
#[derive(Clone, Debug)]
pub struct SsdMaps {
    config: SsdConfig,
    clock: Arc<dyn Clock>,
}

impl SsdMaps {
    /// By the system's time.
    #[must_use]
    pub fn new(config: SsdConfig) -> Self {
        Self::with_clock(config, Arc::new(UnixClock::default()))
    }

    /// By another clock. Its time must go on while the process is not there.
    #[must_use]
    pub fn with_clock(config: SsdConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock }
    }

    /// Opens a map, or makes it. Its options say what it may hold on the disk, and that entries give
    /// way to others if it is to be a cache.
    ///
    /// # Errors
    /// [`OpenError`] says which file or folder, and what is wrong with it.
    pub fn open(
        &self,
        scope: &str,
        name: &str,
        (map, owner): (MapOptions, Arc<Account>),
    ) -> Result<DiskStore, OpenError> {
        let options = DiskOptions {
            path: self.path(scope, name),
            label: crate::disk::label(scope, name),
            map,
            durability: Durability::Relaxed(self.config.lag.min(limits::SYNC_INTERVAL_MAX)),
            memory_bytes: self.config.memory_bytes,
        };
        DiskStore::open(&options, owner, Arc::clone(&self.clock))
    }

    /// The file of a map.
    #[must_use]
    pub fn path(&self, scope: &str, name: &str) -> PathBuf {
        crate::disk::path(&self.config.folder, (scope, name), "cache")
    }
}
