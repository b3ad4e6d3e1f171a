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

/// The least that a map may be configured to hold: a few entries.
pub const CONFIGURED_BYTES_MIN: u64 = 1 << 10;
/// The most that a map may be configured to hold.
pub const CONFIGURED_BYTES_MAX: u64 = 1 << 40;
/// The most entries that a map may be configured to hold.
pub const CONFIGURED_ENTRIES_MAX: u64 = 1 << 40;
/// The longest value that may be configured: lengths have 32 bits, and a value is copied whole.
pub const CONFIGURED_VALUE_BYTES_MAX: u64 = 1 << 30;
/// The longest time to live of a map's entries, in milliseconds: ten years.
pub const CONFIGURED_TTL_MS_MAX: u64 = 10 * 366 * 24 * 3_600_000;
/// Entries of all maps that the instances of one use make themselves, unless it says otherwise.
pub const QUOTA_ENTRIES: u64 = 1 << 20;
/// Bytes of them.
pub const QUOTA_BYTES: u64 = 64 << 20;

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
/// Between a change in some map and the housekeeping that follows on it: long enough that a busy
/// gateway does it a few hundred times a second at most, and no time for memory to pile up.
pub const TEND_INTERVAL: Duration = Duration::from_millis(5);

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

/// Bytes of a region. All of its pages are made when it is, some 0.4 ms for each MiB, and the worker
/// waits for that.
pub const REGION_BYTES_MAX: u64 = 256 << 20;
/// Regions of one engine, those included that are mapped and in no map any more: each has a file
/// descriptor.
pub const REGIONS_MAX: usize = 256;
/// Regions and files that one instance has mapped at a time: each splits its address range into more
/// pieces, of which the kernel allows a process some 65 000.
pub const MAPPINGS_MAX: usize = 64;
/// Bytes of a region mapped for writing whose pages are made present at once: who maps it so writes to
/// it, and all pages at once cost a third of one at a time. Larger ones come page by page.
pub const REGION_PRESENT_BYTES_MAX: usize = 16 << 20;

/// Bytes of a page of a scan as a component gets it, unless one entry alone is longer: a core module's
/// page is bounded by its own buffer, a component's is made by the host.
pub const COMPONENT_PAGE_BYTES_MAX: u32 = 1 << 20;
/// Bytes of a region that a component reads at once, for the same reason.
pub const COMPONENT_REGION_BYTES_MAX: u32 = 16 << 20;
/// Bytes of all values that one `get-many` of `wasi:keyvalue` answers, keys included.
pub const COMPONENT_MANY_BYTES_MAX: usize = 16 << 20;
/// Scanners that a component has at a time. Each keeps a prefix and a handle.
pub const COMPONENT_SCANNERS_MAX: usize = 64;
/// Pollables of one watcher that a component has at a time.
pub const COMPONENT_POLLABLES_MAX: usize = 16;
/// Compare-and-swap handles (`wasi:keyvalue`) that a component has at a time. Each keeps a key and a
/// handle.
pub const COMPONENT_CAS_MAX: usize = 64;
/// Listings of one bucket (`wasi:keyvalue`) that a component has begun and not finished: the oldest one
/// is forgotten.
pub const COMPONENT_LISTINGS_MAX: usize = 16;

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
