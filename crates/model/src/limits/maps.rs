//! Limits of WASI-Map: what one map, one instance and the whole engine may hold.

use std::time::Duration;

/// Bytes of a map's name (specification, section 3).
pub const NAME_BYTES_MAX: usize = 256;
/// Bytes of a key (specification, section 3).
pub const KEY_BYTES_MAX: usize = 64 << 10;
/// Bytes of a value, unless the map says otherwise: state is small, bodies have other places.
pub const VALUE_BYTES: usize = 1 << 20;
/// Entries of a map, unless it says otherwise.
pub const ENTRIES: u64 = 1 << 20;
/// Bytes of a map, unless it says otherwise: keys, values, and [`ENTRY_BYTES`] for each entry.
pub const BYTES: u64 = 64 << 20;
/// Bytes counted for an entry beside its key and value: what the engine itself spends on it (a
/// record, two references to the key, its place in the ordered index).
pub const ENTRY_BYTES: usize = 160;
/// Entries of an anonymous map, unless its maker says otherwise.
pub const ANONYMOUS_ENTRIES: u64 = 1 << 16;
/// Shards of an anonymous map at most, whatever its maker asks for: each costs 128 bytes.
pub const ANONYMOUS_SHARDS_MAX: usize = 8;
/// Bytes counted for a map without entries, with one shard; its owner pays for it too.
pub const MAP_BYTES: u64 = 1024;
/// Bytes counted for each of its other shards.
pub const SHARD_BYTES: u64 = 128;
/// Anonymous maps of one engine. Their owners have limits of their own; this one keeps what the
/// collector walks through within a second.
pub const ANONYMOUS_MAPS_MAX: usize = 4 << 20;
/// Named maps of one engine: they are configured, so this bounds a mistake.
pub const NAMED_MAPS_MAX: usize = 1 << 16;

/// Live handles of one instance (specification, section 3).
pub const HANDLES_MAX: usize = 4096;
/// Handles of other instances that one instance has lent out.
pub const LOANS_MAX: usize = 4096;
/// Scans that one instance has begun and not finished: the oldest one is forgotten, which its next
/// use is told. Each keeps one key.
pub const SCANS_MAX: usize = 64;
/// Tickets that nobody has accepted yet, in one engine.
pub const TICKETS_MAX: usize = 1 << 16;
/// A ticket that nobody accepts is void after this: it keeps a map alive.
pub const TICKET_TIME: Duration = Duration::from_mins(1);
/// Maps that are gone and of which one use was not told yet. Beyond that it is told the number.
pub const RELEASES_MAX: usize = 1 << 16;

/// Watches of one map. Each write looks at all of them.
pub const WATCHES_MAX: usize = 256;
/// Watches of one instance.
pub const INSTANCE_WATCHES_MAX: usize = 64;
/// Changed keys that wait for one watcher; beyond that it must read the map again.
pub const WATCH_CHANGES_MAX: usize = 1024;
/// Bytes of these keys.
pub const WATCH_BYTES_MAX: usize = 256 << 10;
/// Entries of one page of a scan.
pub const PAGE_ENTRIES_MAX: usize = 1024;
/// Operations of one batch: their shards are locked together.
pub const BATCH_OPS_MAX: usize = 1024;

/// Parts of a named map that are written to independently: 64 workers rarely meet.
pub const SHARDS: usize = 32;
/// Entries that one search for room looks at in one shard before it takes the next one that comes,
/// so that a write never walks a whole map.
pub const EVICTION_LOOKS_MAX: usize = 64;
/// Expired entries that a write removes on its way.
pub const EXPIRED_PER_WRITE: usize = 2;
/// Steps (a node, an edge or an entry) of freeing that the operation does at once which let the
/// last reference go; what is left is done by the engine's housekeeping.
pub const FREE_STEPS_AT_ONCE: usize = 256;
/// Steps of collecting between two releases of the lock on references: a tenth of a millisecond.
pub const COLLECT_STEPS: usize = 512;
