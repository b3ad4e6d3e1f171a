//! A sharded, bounded table of versioned entries.
//!
//! Invariants: versions of one [`Versions`] source strictly increase; the bytes counted never
//! exceed the quota; a refused write changes nothing.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use hashbrown::HashTable;

/// Bytes counted for an entry beside its key and value: what the table itself spends on it.
pub const ENTRY_BYTES: usize = 64;

/// Shards of one table: enough that 64 workers rarely meet, 4 KiB when empty.
const SHARDS: usize = 64;

/// Where versions come from: one strictly increasing counter for all tables that share it.
#[derive(Debug, Default)]
pub struct Versions(AtomicU64);

impl Versions {
    /// The next version. Its low 32 bits are never 0, because a 32-bit view of 0 means
    /// "unconditional" to Proxy-Wasm.
    pub fn next(&self) -> u64 {
        loop {
            let version = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if cas_of(version) != 0 {
                return version;
            }
        }
    }
}

/// Why a write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The entry has changed since the caller read it.
    #[error("the entry has another version by now: read it again and retry")]
    CasMismatch,
    /// The quota is used up.
    #[error("the shared data of this VM id is full: {quota_bytes} bytes are allowed")]
    Full {
        /// The quota.
        quota_bytes: usize,
    },
}

/// A table of byte-string keys and values. All methods may be called from any thread.
#[derive(Debug)]
pub struct Table {
    hasher: RandomState,
    shards: Box<[Shard]>,
    bytes: AtomicUsize,
}

/// Padded to two cache lines, so that readers of neighbouring shards do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(RwLock<HashTable<Entry>>);

#[derive(Debug)]
struct Entry {
    hash: u64,
    key: Box<[u8]>,
    value: Bytes,
    version: u64,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            bytes: AtomicUsize::new(0),
        }
    }

    /// The value and its cas, a 32-bit view of its version that is never 0.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<(Bytes, u32)> {
        let hash = self.hasher.hash_one(key);
        let shard = self
            .shard(hash)
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = shard.find(hash, |entry| *entry.key == *key)?;
        Some((entry.value.clone(), cas_of(entry.version)))
    }

    /// Stores a value under Proxy-Wasm's rules: `cas` 0 stores unconditionally, another one stores
    /// if the entry has that cas or is absent. Returns the new cas.
    ///
    /// A write that lets the table grow beyond `quota_bytes` of keys, values and [`ENTRY_BYTES`]
    /// each is refused: each writer has a quota of its own for what all have written.
    ///
    /// `value` is kept as given: it should own its memory, not be a slice of something larger.
    ///
    /// # Errors
    /// [`SetError`]; the entry is then as it was.
    pub fn set(
        &self,
        key: &[u8],
        value: Bytes,
        (cas, quota_bytes): (u32, usize),
        versions: &Versions,
    ) -> Result<u32, SetError> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self
            .shard(hash)
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shard.find_mut(hash, |entry| *entry.key == *key) {
            if cas != 0 && cas != cas_of(entry.version) {
                return Err(SetError::CasMismatch);
            }
            self.account((entry.value.len(), value.len()), quota_bytes)?;
            entry.value = value;
            entry.version = versions.next();
            return Ok(cas_of(entry.version));
        }
        let needed = key.len().saturating_add(value.len());
        self.account((0, needed.saturating_add(ENTRY_BYTES)), quota_bytes)?;
        let version = versions.next();
        shard.insert_unique(
            hash,
            Entry {
                hash,
                key: key.into(),
                value,
                version,
            },
            |e| e.hash,
        );
        Ok(cas_of(version))
    }

    /// Bytes counted against the quota.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Entries. Locks one shard after another: a number for people, not for decisions.
    #[must_use]
    pub fn entries(&self) -> usize {
        let entries = |shard: &Shard| shard.0.read().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(entries).sum()
    }

    /// `HashTable` consumes the top 7 and the low bits of the hash, so the shard is chosen by
    /// bits between them.
    fn shard(&self, hash: u64) -> &Shard {
        let bits = usize::try_from((hash >> 48) % SHARDS as u64).unwrap_or_default();
        &self.shards[bits]
    }

    fn account(&self, (freed, needed): (usize, usize), quota_bytes: usize) -> Result<(), SetError> {
        let swap = |used: usize| {
            let after = used.saturating_sub(freed).saturating_add(needed);
            (after <= quota_bytes || after <= used).then_some(after)
        };
        match self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, swap)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(SetError::Full { quota_bytes }),
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// The low half of a version.
fn cas_of(version: u64) -> u32 {
    u32::try_from(version & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const QUOTA: usize = 1 << 20;

    fn table() -> (Table, Versions) {
        (Table::new(), Versions::default())
    }

    #[test]
    fn absent_is_none_and_a_set_is_read_back_with_its_cas() {
        let (table, versions) = table();
        assert_eq!(table.get(b"k"), None);
        let cas = table.set(b"k", "v".into(), (0, QUOTA), &versions).unwrap();
        assert_ne!(cas, 0);
        assert_eq!(table.get(b"k"), Some(("v".into(), cas)));
    }

    #[test]
    fn cas_rules_are_those_of_proxy_wasm() {
        let (table, versions) = table();
        let first = table
            .set(b"k", "1".into(), (77, QUOTA), &versions)
            .expect("cas on an absent key");
        let second = table
            .set(b"k", "2".into(), (first, QUOTA), &versions)
            .unwrap();
        assert!(second > first);
        assert_eq!(
            table.set(b"k", "3".into(), (first, QUOTA), &versions),
            Err(SetError::CasMismatch)
        );
        assert_eq!(table.get(b"k"), Some(("2".into(), second)));
        let third = table
            .set(b"k", Bytes::new(), (0, QUOTA), &versions)
            .unwrap();
        assert_eq!(table.get(b"k"), Some((Bytes::new(), third)));
    }

    #[test]
    fn a_cas_is_never_zero_when_the_counter_wraps_its_low_half() {
        let versions = Versions(AtomicU64::new(u64::from(u32::MAX) - 1));
        assert_eq!(versions.next(), u64::from(u32::MAX));
        assert_eq!(versions.next(), (1 << 32) + 1);
    }

    #[test]
    fn the_quota_refuses_growth_and_admits_what_shrinks() {
        let quota_bytes = 2 * ENTRY_BYTES + 10;
        let (table, versions) = table();
        table
            .set(b"a", "1234".into(), (0, quota_bytes), &versions)
            .unwrap();
        table
            .set(b"b", "1234".into(), (0, quota_bytes), &versions)
            .unwrap();
        let full = Err(SetError::Full { quota_bytes });
        assert_eq!(
            table.set(b"c", Bytes::new(), (0, quota_bytes), &versions),
            full
        );
        assert_eq!(
            table.set(b"a", "12345".into(), (0, quota_bytes), &versions),
            full
        );
        assert_eq!(table.get(b"a").map(|(value, _)| value), Some("1234".into()));
        table
            .set(b"b", "123".into(), (0, quota_bytes), &versions)
            .unwrap();
        table
            .set(b"a", "12345".into(), (0, quota_bytes), &versions)
            .unwrap();
        assert_eq!(table.used_bytes(), quota_bytes);
        assert_eq!(table.entries(), 2);
    }

    #[test]
    fn concurrent_cas_increments_lose_nothing() {
        const THREADS: u64 = 8;
        const INCREMENTS: u64 = 2000;
        let (table, versions) = table();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| (0..INCREMENTS).for_each(|_| increment(&table, &versions)));
            }
        });
        let (value, _) = table.get(b"counter").unwrap();
        assert_eq!(value, Bytes::from((THREADS * INCREMENTS).to_string()));
    }

    /// As a plugin does it: read, add, write if unchanged. The key must exist for the cas to bind.
    fn increment(table: &Table, versions: &Versions) {
        loop {
            let Some((value, cas)) = table.get(b"counter") else {
                create_once(table, versions);
                continue;
            };
            let count: u64 = std::str::from_utf8(&value).unwrap().parse().unwrap();
            let next = Bytes::from((count + 1).to_string());
            match table.set(b"counter", next, (cas, QUOTA), versions) {
                Ok(_) => return,
                Err(SetError::CasMismatch) => {}
                Err(error @ SetError::Full { .. }) => panic!("{error}"),
            }
        }
    }

    fn create_once(table: &Table, versions: &Versions) {
        // A cas that no entry has: stores if the key is absent, is refused if it is there.
        match table.set(b"counter", "0".into(), (u32::MAX, QUOTA), versions) {
            Ok(_) | Err(SetError::CasMismatch) => {}
            Err(error @ SetError::Full { .. }) => panic!("{error}"),
        }
    }

    #[test]
    fn random_operations_agree_with_a_plain_map() {
        let (table, versions) = table();
        let mut model: HashMap<Vec<u8>, (Bytes, u32)> = HashMap::new();
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        for step in 0..50_000_u32 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = format!("key-{}", (seed >> 33) % 200).into_bytes();
            let known = model.get(&key).cloned();
            let cas = match (seed >> 20) % 4 {
                0 => 0,
                1 => known.as_ref().map_or(5, |(_, cas)| *cas),
                2 => u32::MAX,
                _ => {
                    assert_eq!(table.get(&key), known);
                    continue;
                }
            };
            let value = Bytes::from(step.to_string());
            let stored = table.set(&key, value.clone(), (cas, QUOTA), &versions);
            if known.is_some_and(|(_, known)| cas != 0 && cas != known) {
                assert_eq!(stored, Err(SetError::CasMismatch));
            } else {
                model.insert(key, (value, stored.unwrap()));
            }
        }
        assert_eq!(table.entries(), model.len());
        let bytes =
            |(key, (value, _)): (&Vec<u8>, &(Bytes, u32))| key.len() + value.len() + ENTRY_BYTES;
        assert_eq!(table.used_bytes(), model.iter().map(bytes).sum::<usize>());
    }
}
