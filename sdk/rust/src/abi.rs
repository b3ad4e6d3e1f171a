//! The functions of `wasi_map_v1` as the host has them, and the layout of what they read and write.
//!
//! For those who want to build something else on them; [`Map`](crate::Map) needs none of it. All
//! answer an errno of WASI preview 1, and write what they answer only on success, but for sizes on
//! *overflow* and the version when [`compare_and_swap`] answers *again*.

/// What [`create`] is told of a map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawOptions {
    /// Entries at most; 0: as the host likes.
    pub entries_max: u64,
    /// Bytes at most; 0: as the host likes.
    pub bytes_max: u64,
    /// Bytes of one value at most; 0: as the host likes.
    pub value_bytes_max: u64,
    /// Milliseconds that entries last which are written without a time; 0: they stay.
    pub ttl_ms: u64,
    /// 0: a full map refuses entries; 1: it lets entries go that were not used for long.
    pub eviction: u32,
    /// Parts that are written to independently, a power of two; 0: as the host likes.
    pub shards: u32,
}

/// What [`set_with`] is told.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawTerms {
    /// [`IF_ABSENT`], [`IF_VERSION`], [`TTL`].
    pub flags: u32,
    /// 0.
    pub pad: u32,
    /// With [`IF_VERSION`].
    pub version: u64,
    /// With [`TTL`], from 1 on.
    pub ttl_ms: u64,
}

/// There must be no such entry.
pub const IF_ABSENT: u32 = 1;
/// The entry must have this version.
pub const IF_VERSION: u32 = 2;
/// The entry ends after this time.
pub const TTL: u32 = 4;

/// What [`stat`] answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawStat {
    /// Entries that take up room.
    pub entries: u64,
    /// Their bytes, as counted against the quota.
    pub bytes: u64,
    /// The last version given.
    pub version: u64,
    /// Bytes that the map may hold.
    pub quota_bytes: u64,
    /// What refers to the map.
    pub references: u64,
    /// What kind of map it is.
    pub flags: u64,
}

/// One operation of [`batch`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawOp {
    /// [`CHECK`], [`SET`], [`DELETE`], [`ADD`].
    pub kind: u32,
    /// As in [`RawTerms`], for checks and sets.
    pub flags: u32,
    /// The key.
    pub key: *const u8,
    /// Its length.
    pub key_len: usize,
    /// The value, of a set.
    pub value: *const u8,
    /// Its length.
    pub value_len: usize,
    /// A version, or what is to be added.
    pub number: u64,
    /// As in [`RawTerms`], for sets.
    pub ttl_ms: u64,
}

/// Requires the condition in flags and number.
pub const CHECK: u32 = 1;
/// Stores the value.
pub const SET: u32 = 2;
/// Removes the entry if it is there.
pub const DELETE: u32 = 3;
/// Adds the number.
pub const ADD: u32 = 4;

/// What one operation of [`batch`] did.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawDone {
    /// Of a check the version found, of a set or an addition the new one.
    pub version: u64,
    /// Of a delete 1 if there was an entry, of an addition the sum.
    pub value: i64,
}

/// In a scan, in the place of a value's length: the entry refers to a map, and no value follows.
pub const IS_MAP: u32 = u32::MAX;
/// In the same place: the entry is a region, and no value follows.
pub const IS_REGION: u32 = u32::MAX - 1;

/// A cursor of [`scan`]; zeros begin a scan, and come back with its last page.
pub type RawCursor = [u8; 16];

const _: () = assert!(size_of::<RawOptions>() == 40 && size_of::<RawTerms>() == 24);
const _: () = assert!(size_of::<RawStat>() == 48 && size_of::<RawDone>() == 16);
#[cfg(target_arch = "wasm32")]
const _: () = assert!(size_of::<RawOp>() == 40);

/// Lists the functions once, for the host's and for the two natively.
macro_rules! functions {
    ($each:ident) => {
        $each! {
            /// Opens a map that was granted by name.
            fn open(name: *const u8, name_len: usize, rights: u64, handle_out: *mut u32);
            /// Makes a map of one's own; `options` may be null.
            fn create(options: *const RawOptions, handle_out: *mut u32);
            /// Gives a handle back.
            fn close(handle: u32);
            /// Makes another handle.
            fn dup(handle: u32, rights: u64, handle_out: *mut u32);
            /// Lends a map to a use of the configuration.
            fn lend(handle: u32, rights: u64, to: *const u8, to_len: usize, ticket_out: *mut [u8; 16]);
            /// Moves a handle to a use of the configuration.
            fn transfer(handle: u32, to: *const u8, to_len: usize, ticket_out: *mut [u8; 16]);
            /// Takes what a ticket carries.
            fn accept(ticket: *const [u8; 16], handle_out: *mut u32);
            /// Tells a handle's rights.
            fn rights(handle: u32, rights_out: *mut u64);
            /// Tells a map's numbers.
            fn stat(handle: u32, stat_out: *mut RawStat);
            /// Copies a value into a buffer.
            fn get(handle: u32, key: *const u8, key_len: usize, buf: *mut u8, buf_len: usize, size_out: *mut usize, version_out: *mut u64);
            /// Copies a value into memory that the host has the module allocate.
            fn get_alloc(handle: u32, key: *const u8, key_len: usize, pointer_out: *mut *mut u8, size_out: *mut usize, version_out: *mut u64);
            /// Stores a value.
            fn set(handle: u32, key: *const u8, key_len: usize, value: *const u8, value_len: usize);
            /// Stores a value on terms.
            fn set_with(handle: u32, key: *const u8, key_len: usize, value: *const u8, value_len: usize, terms: *const RawTerms, version_out: *mut u64);
            /// Removes an entry.
            fn delete(handle: u32, key: *const u8, key_len: usize);
            /// Whether there is an entry: 0 or 1.
            fn exists(handle: u32, key: *const u8, key_len: usize, out: *mut u32);
            /// Stores a value if the entry has the expected version; 0: if there is none.
            fn compare_and_swap(handle: u32, key: *const u8, key_len: usize, expected: u64, value: *const u8, value_len: usize, version_out: *mut u64);
            /// Adds to a counter.
            fn increment(handle: u32, key: *const u8, key_len: usize, delta: i64, value_out: *mut i64);
            /// Lists a page of entries.
            fn scan(handle: u32, prefix: *const u8, prefix_len: usize, cursor: *mut RawCursor, buf: *mut u8, buf_len: usize, used_out: *mut usize);
            /// Does several operations as one step.
            fn batch(handle: u32, ops: *const RawOp, count: usize, results: *mut RawDone);
            /// Removes all entries.
            fn clear(handle: u32);
            /// Begins to follow changes.
            fn watch(handle: u32, prefix: *const u8, prefix_len: usize, watch_out: *mut u32);
            /// Waits for changes.
            fn next(watch: u32, timeout_ms: i64, buf: *mut u8, buf_len: usize, used_out: *mut usize);
            /// Ends a watch.
            fn unwatch(watch: u32);
            /// Lets an entry refer to another map.
            fn put_map(handle: u32, key: *const u8, key_len: usize, child: u32);
            /// Opens the map that an entry refers to.
            fn get_map(handle: u32, key: *const u8, key_len: usize, handle_out: *mut u32);
            /// Makes a region.
            fn region_create(handle: u32, key: *const u8, key_len: usize, len: u64);
            /// Maps a region into this module's memory.
            fn region_map(handle: u32, key: *const u8, key_len: usize, offset: u64, len: usize, protection: u32, address_out: *mut *mut u8);
            /// Takes a mapping away.
            fn region_unmap(address: *mut u8, len: usize);
        }
    };
}

#[cfg(target_arch = "wasm32")]
macro_rules! imported {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*);)*) => {
        #[link(wasm_import_module = "wasi_map_v1")]
        unsafe extern "C" {
            $($(#[$doc])* pub fn $name($($argument: $kind),*) -> i32;)*
        }
    };
}

/// Elsewhere there is no host.
#[cfg(all(not(target_arch = "wasm32"), not(any(test, feature = "fake"))))]
macro_rules! imported {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*);)*) => {
        $($(#[$doc])*
        /// # Safety
        /// It does nothing.
        #[must_use]
        pub const unsafe fn $name($(_: $kind),*) -> i32 { 58 })*
    };
}

#[cfg(all(not(target_arch = "wasm32"), any(test, feature = "fake")))]
macro_rules! imported {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),*);)*) => {
        $($(#[$doc])*
        /// # Safety
        /// Pointers must be valid for as many bytes as their lengths say, or as their types have.
        #[must_use]
        pub unsafe fn $name($($argument: $kind),*) -> i32 {
            // SAFETY: as the caller promises.
            unsafe { crate::fake::host::$name($($argument),*) }
        })*
    };
}

functions!(imported);
