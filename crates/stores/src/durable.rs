//! Durable maps: what is acknowledged is on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir_maps::budget::Account;
use weir_maps::{Clock, MapOptions};
use weir_model::limits::disk as limits;

use crate::disk::{DiskOptions, DiskStore, Durability, OpenError, UnixClock};

/// How durable maps are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableConfig {
    /// The folder with a folder for each scope and a file for each map.
    pub folder: PathBuf,
    /// When an operation is acknowledged.
    pub durability: Durability,
    /// Bytes of large values that each map keeps in memory.
    pub memory_bytes: u64,
}

impl DurableConfig {
    /// Acknowledged when it is synced.
    #[must_use]
    pub fn synced(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            durability: Durability::Synced,
            memory_bytes: limits::MEMORY_BYTES,
        }
    }

    /// Acknowledged at once, and on the disk after `lag`.
    #[must_use]
    pub fn relaxed(folder: &Path, lag: Duration) -> Self {
        Self {
            durability: Durability::Relaxed(lag.min(limits::SYNC_INTERVAL_MAX)),
            ..Self::synced(folder)
        }
    }
}

/// Opens durable maps by their names.
#[derive(Clone, Debug)]
pub struct DurableMaps {
    config: DurableConfig,
    clock: Arc<dyn Clock>,
}

impl DurableMaps {
    /// By the system's time.
    #[must_use]
    pub fn new(config: DurableConfig) -> Self {
        Self::with_clock(config, Arc::new(UnixClock::default()))
    }

    /// By another clock. Its time must go on while the process is not there.
    #[must_use]
    pub fn with_clock(config: DurableConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock }
    }

    /// Opens a map, or makes it. Reads all of its entries: not to be called where requests are
    /// served.
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
            durability: self.config.durability,
            memory_bytes: self.config.memory_bytes,
        };
        DiskStore::open(&options, owner, Arc::clone(&self.clock))
    }

    /// The file of a map.
    #[must_use]
    pub fn path(&self, scope: &str, name: &str) -> PathBuf {
        crate::disk::path(&self.config.folder, (scope, name), "durable")
    }
}
