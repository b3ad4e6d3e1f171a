//! Where things are in the file. All numbers are little-endian and of 64 bits; places are given in
//! words of 8 bytes. `docs/pinned-maps.md` is the same for readers without Rust.

/// The first eight bytes of the file: `WEIRPIN1`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"WEIRPIN1");
/// The layout that is described here.
pub const VERSION: u64 = 1;
/// Bytes before the first bucket.
pub const HEADER_BYTES: usize = 4096;

/// Of [`MAGIC`].
pub const AT_MAGIC: usize = 0;
/// Of [`VERSION`].
pub const AT_VERSION: usize = 1;
/// Of [`HEADER_BYTES`].
pub const AT_HEADER_BYTES: usize = 2;
/// Length of the file.
pub const AT_FILE_BYTES: usize = 3;
/// How many buckets there are: a power of two.
pub const AT_BUCKETS: usize = 4;
/// Slots of a bucket.
pub const AT_SLOTS: usize = 5;
/// Bytes of a slot.
pub const AT_SLOT_BYTES: usize = 6;
/// Bytes of a key at most.
pub const AT_KEY_BYTES: usize = 7;
/// Bytes of a value at most.
pub const AT_VALUE_BYTES: usize = 8;
/// The two keys of the hash.
pub const AT_HASH_KEYS: usize = 9;
/// The 16 bytes of the system's boot id.
pub const AT_BOOT: usize = 11;
/// [`READY`] or [`RETIRED`].
pub const AT_STATE: usize = 13;
/// The last version that was given.
pub const AT_LAST_VERSION: usize = 16;
/// Slots that were freed because who wrote to them had died.
pub const AT_REPAIRED: usize = 24;

/// The map can be used.
pub const READY: u64 = 1;
/// Another file has taken its place.
pub const RETIRED: u64 = 2;

/// The byte of the file that is locked by who makes a new one in its place.
pub const MAKER_BYTE: u64 = 2047;
/// The first of the bytes that writers lock: the byte at this place plus N by writer N + 1.
pub const WRITER_BYTES: u64 = 2048;
/// How many writers there can be.
pub const WRITERS: u64 = 256;

/// Bytes of a bucket before its slots.
pub const BUCKET_HEADER_BYTES: usize = 64;
/// In a bucket: even; odd while somebody writes.
pub const AT_SEQUENCE: usize = 0;
/// In a bucket: the number of who writes, 0 for nobody.
pub const AT_OWNER: usize = 1;
/// In a bucket: the slot that is written to while the sequence is odd.
pub const AT_WRITING: usize = 2;

/// In a slot: the entry's version, 0 for a free slot.
pub const AT_ENTRY_VERSION: usize = 0;
/// In a slot: when it ends, in milliseconds since 1970; [`NEVER`].
pub const AT_ENDS: usize = 1;
/// In a slot: the key's length, and the value's times 2^32.
pub const AT_LENGTHS: usize = 2;
/// In a slot: the key's hash.
pub const AT_HASH: usize = 3;
/// In a slot: the key, padded to words with zeros. The value follows, after the room for the longest
/// key, and is padded in the same way.
pub const AT_KEY: usize = 4;

/// Of an entry that stays.
pub const NEVER: u64 = u64::MAX;
