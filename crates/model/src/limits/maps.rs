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

/// Entries of a pinned map, unless it says otherwise: a file of 12 MB.
pub const PINNED_ENTRIES: u64 = 1 << 14;
/// Bytes of its longest key, unless it says otherwise. Each entry has room for one.
pub const PINNED_KEY_BYTES: u64 = 64;
/// Bytes of its longest value, unless it says otherwise. Each entry has room for one.
pub const PINNED_VALUE_BYTES: u64 = 256;
/// The longest value of a pinned map that may be configured (layout of the file).
pub const PINNED_VALUE_BYTES_MAX: u64 = 16 << 20;
/// How often files of pinned maps are looked after: what has ended is freed, and what processes left
/// that died. Each look reads the head of every slot.
pub const PINNED_TEND_INTERVAL: Duration = Duration::from_secs(1);

/// Threads that count what they find in a map for themselves; all others share one counter. Each costs
/// a named map 64 bytes.
pub const COUNTING_THREADS: usize = 32;
/// Parts of a near cache that threads use independently.
pub const NEAR_SHARDS_MAX: usize = 64;
/// Entries of a near cache, unless the configuration says otherwise.
pub const NEAR_ENTRIES: u64 = 10_000;
/// Bytes of a near cache, unless the configuration says otherwise: keys, values, and
/// [`ENTRY_BYTES`] for each entry.
pub const NEAR_BYTES: u64 = 16 << 20;
/// How long something may be read from a near cache, at most, in milliseconds.
pub const NEAR_TTL_MS_MAX: u64 = 3_600_000;
/// How soon a near cache asks again to be told of changes after that was refused.
pub const NEAR_WATCH_PAUSE: Duration = Duration::from_secs(10);
/// Units that a use may spend on maps in a second, as far as that can be configured: each is at least
/// 100 ns of its time, so that whole nanoseconds are exact enough.
pub const UNITS_MAX: u64 = 10_000_000;
/// The highest price of one thing, in units.
pub const PRICE_MAX: u64 = 1_000_000;

/// Live handles of one instance (specification, section 3).
pub const HANDLES_MAX: usize = 4096;
/// Handles of other instances that one instance has lent out.
pub const LOANS_MAX: usize = 4096;
/// Scans that one instance has begun and not finished: the oldest one is forgotten, which its next
/// use is told. Each keeps one key.
pub const SCANS_MAX: usize = 64;
/// Tickets that nobody has accepted yet, in one engine.
pub const TICKETS_MAX: usize = 1 << 16;
/// Those of one use: a plugin that hands out tickets which nobody wants leaves some to the others.
pub const TICKETS_OF_USE_MAX: usize = 1 << 13;
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
/// Bytes of the keys and values of one batch. They are copied before anything is decided, and many of
/// them may be the same bytes of a guest's memory.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

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
/// Entries that one write removes at most to get room, ended ones and evicted ones together: enough for a
/// value of a mebibyte in the place of the smallest entries, some milliseconds of work.
pub const REMOVED_FOR_ROOM_MAX: usize = 8192;
/// Expired entries that a write removes on its way.
pub const EXPIRED_PER_WRITE: usize = 2;
/// Steps (a node, an edge or an entry) of freeing that the operation does at once which let the
/// last reference go; what is left is done by the engine's housekeeping.
pub const FREE_STEPS_AT_ONCE: usize = 256;
/// Steps of collecting between two releases of the lock on references: a tenth of a millisecond.
pub const COLLECT_STEPS: usize = 512;
