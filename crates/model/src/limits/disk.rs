//! Limits of maps over a file: durable ones, and those of memory over disk.

use std::time::Duration;

/// Versions that are given out before the disk knows of it: after a crash the next version is this
/// much higher at most, and none is ever given twice.
pub const VERSIONS_AHEAD: u64 = 1 << 20;
/// Bytes of the file's pages that the embedded store keeps in memory, for each map: its upper levels.
/// Values are kept by the map itself.
pub const CACHE_BYTES: usize = 8 << 20;
/// Bytes of free disk that a write must leave, so that the store can always end what it began.
pub const SPARE_BYTES: usize = 1 << 20;
/// Bytes of free disk that a changed entry may take beside twice its own: its page of the tree.
pub const CHANGE_BYTES: usize = 4 << 10;
/// How long opening a map waits for another who has the file open: a gateway that is about to end, or
/// the same map in the configuration before.
pub const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Bytes of large values that one map keeps in memory, unless its configuration says otherwise.
pub const MEMORY_BYTES: u64 = 64 << 20;
/// Operations that wait for the disk, for each map. A further one is refused: the disk is slower
/// than what is asked of it.
pub const WAITING_MAX: usize = 16 << 10;
/// Bytes of their keys and values.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// Operations that are synced together.
pub const GROUP_MAX: usize = 4096;
/// Bytes of them, after which no more are taken into the group: a fraction of a second's writing.
pub const GROUP_BYTES_MAX: usize = 16 << 20;
/// Bytes of changes that were acknowledged and are not on the disk yet; writes wait beyond that.
pub const UNSYNCED_BYTES_MAX: usize = 64 << 20;
/// How long acknowledged changes of a relaxed durable map may be missing on the disk, unless its
/// configuration says otherwise.
pub const SYNC_INTERVAL: Duration = Duration::from_millis(100);
/// The same of a map of memory over disk, which promises nothing.
pub const CACHE_SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// The longest that may be configured.
pub const SYNC_INTERVAL_MAX: Duration = Duration::from_mins(1);
/// A disk that failed is tried again by itself after this, if no write tries it before.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Threads that read values from the disk, for each map; they are started when they are needed.
pub const READERS_MAX: usize = 4;
/// Reads that wait for them.
pub const READS_WAITING_MAX: usize = 4096;
/// How long a read waits for memory to follow the disk, which takes microseconds.
pub const READ_TIME: Duration = Duration::from_secs(5);

/// Entries whose time is up are removed from the disk this often; readers never see them.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// As many of them at once.
pub const SWEEP_MAX: usize = 4096;

/// The most that may be configured for [`MEMORY_BYTES`].
pub const CONFIGURED_MEMORY_BYTES_MAX: u64 = 1 << 40;
/// The longest lag that may be configured, in milliseconds: [`SYNC_INTERVAL_MAX`].
pub const CONFIGURED_LAG_MS_MAX: u64 = 60_000;
/// How long the end of the gateway waits for the maps to be on the disk, all together: longer than
/// what may be unwritten takes on a slow disk.
pub const CLOSE_TIME: Duration = Duration::from_secs(30);
