//! Keys of the memory engine: hashed once, shared between the table and the indexes.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

/// Bytes that are kept in the key itself: most keys, so that comparing them needs no other memory.
const INLINE_BYTES: usize = 22;

/// A key of one map. `hash` depends on the map too, because all maps live in one table.
#[derive(Clone)]
pub struct Key {
    hash: u64,
    map: u64,
    bytes: Form,
}

#[derive(Clone)]
enum Form {
    Inline(u8, [u8; INLINE_BYTES]),
    Shared(Arc<[u8]>),
}

impl Form {
    fn of(bytes: &[u8]) -> Self {
        match u8::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= INLINE_BYTES => {
                let mut inline = [0; INLINE_BYTES];
                inline[..bytes.len()].copy_from_slice(bytes);
                Self::Inline(length, inline)
            }
            _ => Self::Shared(bytes.into()),
        }
    }
}

/// A key to look for.
#[derive(Clone, Copy)]
pub(crate) struct Probe<'a> {
    pub(crate) hash: u64,
    pub(crate) map: u64,
    pub(crate) bytes: &'a [u8],
}

impl Key {
    /// A key outside of the table, as back ends name it to watchers.
    pub(crate) fn alone(bytes: &[u8]) -> Self {
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Probe::new(&*HASHER, 0, bytes).to_key()
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Form::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Form::Shared(bytes) => bytes,
        }
    }

    pub(crate) fn probe(&self) -> Probe<'_> {
        Probe {
            hash: self.hash,
            map: self.map,
            bytes: self.bytes(),
        }
    }
}

impl<'a> Probe<'a> {
    pub(crate) fn new(hasher: &impl BuildHasher, map: u64, bytes: &'a [u8]) -> Self {
        let mut state = hasher.build_hasher();
        state.write_u64(map);
        state.write(bytes);
        Self {
            hash: state.finish(),
            map,
            bytes,
        }
    }

    /// Whether a key of its own costs no memory.
    pub(crate) fn is_short(self) -> bool {
        self.bytes.len() <= INLINE_BYTES
    }

    pub(crate) fn to_key(self) -> Key {
        Key {
            hash: self.hash,
            map: self.map,
            bytes: Form::of(self.bytes),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map && self.bytes() == other.bytes()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Probe<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl papaya::Equivalent<Key> for Probe<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.hash == key.hash && self.map == key.map && self.bytes == key.bytes()
    }
}

// Ordered by bytes alone: only keys of one map are ever in one index.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

/// Takes the hash that a key carries as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prehashed;

/// See [`Prehashed`].
#[derive(Default)]
pub(crate) struct Carried(u64);

impl BuildHasher for Prehashed {
    type Hasher = Carried;

    fn build_hasher(&self) -> Carried {
        Carried::default()
    }
}

impl Hasher for Carried {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not reached: keys write one number. Still a hash, should that change.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
