//! Arguments and results of a back end's operations.

use std::time::Duration;

use bytes::Bytes;

use crate::value::Value;

/// What must hold of an entry before it is changed. Versions are never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    Always,
    /// There is none.
    Absent,
    /// It has this version.
    Version(u64),
}

impl Condition {
    /// As `compare_and_swap` says it: 0 means that there must be none.
    #[must_use]
    pub fn expected(version: u64) -> Self {
        if version == 0 {
            Self::Absent
        } else {
            Self::Version(version)
        }
    }

    /// Whether it holds of an entry with this version, 0 for none.
    #[must_use]
    pub fn holds(self, current: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => current == 0,
            Self::Version(version) => current == version && version != 0,
        }
    }
}

/// How a value is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Else [`Again`](crate::MapError::Again), and nothing is stored.
    pub condition: Condition,
    /// The entry is gone after this.
    pub ttl: Option<Duration>,
    /// The map may have no more bytes than this afterwards, if that is less than it may have anyway:
    /// for writers with a limit of their own for what all have written. Maps in memory heed it; others
    /// are not used by such writers.
    pub bytes_max: Option<u64>,
}

impl Terms {
    /// Under a condition, and with the map's time to live.
    #[must_use]
    pub fn on(condition: Condition) -> Self {
        Self {
            condition,
            ..Self::default()
        }
    }

    /// Gone after this.
    #[must_use]
    pub fn lasting(ttl: Duration) -> Self {
        Self {
            ttl: Some(ttl),
            ..Self::default()
        }
    }
}

/// An entry as it is shown: borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What it holds.
    pub value: &'a Value,
    /// Its version.
    pub version: u64,
}

/// An entry that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it holds.
    pub value: Value,
    /// Its version.
    pub version: u64,
}

impl From<Seen<'_>> for Found {
    fn from(seen: Seen<'_>) -> Self {
        Self {
            value: seen.value.clone(),
            version: seen.version,
        }
    }
}

/// A counter after an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What it counts to.
    pub value: i64,
    /// Its version.
    pub version: u64,
}

/// Which entries a page of a scan is to hold.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// What their keys begin with.
    pub prefix: &'a [u8],
    /// They come after this key, which need not be there any more.
    pub after: Option<&'a [u8]>,
    /// At most this many.
    pub entries: usize,
    /// Packed as the ABI does it they have at most this many bytes.
    pub bytes: usize,
}

/// A page of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In the order of their keys.
    pub items: Vec<Item>,
    /// There may be more after the last one.
    pub more: bool,
}

/// An entry of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its key.
    pub key: Bytes,
    /// What it holds.
    pub value: Value,
    /// Its version.
    pub version: u64,
}

impl Item {
    /// Its length in the ABI's packed form: two lengths, version, key and value, padded to 8.
    #[must_use]
    pub fn packed_bytes(key: usize, value: usize) -> usize {
        key.saturating_add(value)
            .saturating_add(16)
            .next_multiple_of(8)
    }
}

/// One operation of a batch. Each sees what those before it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Requires something of an entry, without changing it.
    Check(Bytes, Condition),
    /// Stores a value.
    Set(Bytes, Value, Terms),
    /// Removes an entry if it is there.
    Delete(Bytes),
    /// Adds to a counter.
    Add(Bytes, i64),
}

impl Op {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Check(key, _) | Self::Set(key, ..) | Self::Delete(key) | Self::Add(key, _) => key,
        }
    }
}

/// What one operation of a batch did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The condition holds of this version, 0 for an absent entry.
    Checked(u64),
    /// Stored with this version.
    Stored(u64),
    /// Removed, or was not there.
    Deleted(bool),
    /// Counts to this.
    Counted(Counted),
}

/// Numbers of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Entries that take up room; expired ones do until they are swept.
    pub entries: u64,
    /// Bytes of them, as counted against the quota.
    pub bytes: u64,
    /// The last version given.
    pub version: u64,
    /// Bytes it may hold.
    pub quota_bytes: u64,
    /// Entries that gave way to others.
    pub evicted: u64,
    /// Entries that were removed because their time was up.
    pub expired: u64,
    /// Watches.
    pub watches: u64,
}
