//! Maps that the operator configures, and what a use of a module may do with them.
//!
//! Invariant: each name in [`MapGrants`] is one of [`crate::Site::maps`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Name, limits};

/// A named map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedMap {
    /// What keeps its entries.
    pub store: MapStore,
    /// Entries at most.
    pub entries_max: u64,
    /// Bytes at most: keys, values, and [`limits::maps::ENTRY_BYTES`] for each entry.
    pub bytes_max: u64,
    /// Bytes of one value at most.
    pub value_bytes_max: usize,
    /// For entries that are written without a time of their own; `None`: they stay.
    pub ttl: Option<Duration>,
    /// What happens when it is full.
    pub eviction: MapEviction,
    /// Over how many slots of a cluster it is spread, in Redis; elsewhere 1.
    pub slots: u16,
    /// What is kept near of a map on other machines.
    pub cache: Option<NearMap>,
    /// The file that says what its keys and values are; `None`: bytes.
    pub declaration: Option<PathBuf>,
}

/// A near cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearMap {
    /// How long something may be read from it.
    pub ttl: Duration,
    /// Entries at most.
    pub entries_max: u64,
    /// Bytes at most, counted as those of maps.
    pub bytes_max: u64,
}

/// What keeps the entries of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MapStore {
    /// The memory of the gateway.
    #[default]
    Memory,
    /// A store of the configuration.
    Named(Name),
    /// A memory-mapped file that native processes share.
    Pinned(PinnedFile),
}

/// The file of a pinned map. Its shape follows from this and from the map's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of a key at most.
    pub key_bytes: u64,
}

impl MapStore {
    /// Whether every operation answers at once. A filter whose code cannot be suspended must not
    /// have maps of another store.
    #[must_use]
    pub fn answers_at_once(&self) -> bool {
        match self {
            Self::Memory | Self::Pinned(_) => true,
            Self::Named(_) => false,
        }
    }
}

/// What a full map does with the next entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapEviction {
    /// It is refused.
    #[default]
    Refuse,
    /// It takes the place of one that was not used for long.
    Lru,
}

impl Default for SharedMap {
    fn default() -> Self {
        Self {
            store: MapStore::default(),
            entries_max: limits::maps::ENTRIES,
            bytes_max: limits::maps::BYTES,
            value_bytes_max: limits::maps::VALUE_BYTES,
            ttl: None,
            eviction: MapEviction::default(),
            slots: 1,
            cache: None,
            declaration: None,
        }
    }
}

/// What one use may do with maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapGrants {
    /// Named maps that it may open.
    pub maps: BTreeMap<Name, MapRights>,
    /// The one that functions without a name open (those of the first draft).
    pub default: Option<Name>,
    /// What the maps that it makes itself may hold together.
    pub quota: MapQuota,
    /// What it may do with maps in a second; `None`: as much as it can.
    pub rate: Option<MapRate>,
    /// Of these granted maps, which are in memory, it may have only so much.
    pub rooms: BTreeMap<Name, MapQuota>,
    /// What it may do with maps in one request; `None`: as much as it can.
    pub budget: Option<MapBudget>,
}

/// Units that one request of a use may spend on maps, and what things cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapBudget {
    /// In a request.
    pub units: u64,
    /// Price of a read.
    pub read: u64,
    /// Price of a change.
    pub write: u64,
    /// Price of each entry of a page of a scan.
    pub entry: u64,
    /// Price of each kilobyte of values, also of one that is begun.
    pub kilobyte: u64,
}

/// Units that a use may spend on maps, over all workers, and what things cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRate {
    /// In a second.
    pub units: u64,
    /// At once, after a pause.
    pub burst: u64,
    /// Price of a read.
    pub read: u64,
    /// Price of a change.
    pub write: u64,
    /// Price of each entry of a page of a scan.
    pub entry: u64,
    /// Price of each kilobyte of values, also of one that is begun.
    pub kilobyte: u64,
}

/// What one owner's maps may hold together, over all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapQuota {
    /// Entries.
    pub entries: u64,
    /// Bytes, with what each map and each entry costs.
    pub bytes: u64,
}

impl Default for MapQuota {
    fn default() -> Self {
        Self {
            entries: limits::maps::QUOTA_ENTRIES,
            bytes: limits::maps::QUOTA_BYTES,
        }
    }
}

/// Something that a handle allows. The numbers are those of the specification, section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum MapRight {
    /// Get, exists, stat.
    Read = 1,
    /// Set, increment, compare and swap.
    Write = 2,
    /// Delete.
    Delete = 4,
    /// Scan.
    List = 8,
    /// Watch.
    Watch = 16,
    /// Let entries refer to other maps.
    Create = 32,
    /// Lend, transfer, let other maps refer to it.
    Share = 64,
    /// Map regions to read them.
    MapRead = 128,
    /// Map regions to write them.
    MapWrite = 256,
    /// Remove all entries at once.
    Clear = 512,
}

impl MapRight {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Write,
        Self::Delete,
        Self::List,
        Self::Watch,
        Self::Create,
        Self::Share,
        Self::MapRead,
        Self::MapWrite,
        Self::Clear,
    ];

    /// Its word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Share => "share",
            Self::MapRead => "map_read",
            Self::MapWrite => "map_write",
            Self::Clear => "clear",
        }
    }
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapRights(u64);

impl MapRights {
    /// As the specification numbers them.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether a right is among them.
    #[must_use]
    pub const fn contains(self, right: MapRight) -> bool {
        self.0 & right as u64 != 0
    }

    /// Those that are in it.
    pub fn iter(self) -> impl Iterator<Item = MapRight> {
        let all = MapRight::ALL.into_iter();
        all.filter(move |right| self.contains(*right))
    }
}

impl FromIterator<MapRight> for MapRights {
    fn from_iter<I: IntoIterator<Item = MapRight>>(rights: I) -> Self {
        Self(
            rights
                .into_iter()
                .fold(0, |bits, right| bits | right as u64),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_a_set_of_the_specified_numbers() {
        let all: MapRights = MapRight::ALL.into_iter().collect();
        assert_eq!(all.bits(), 1023);
        let some: MapRights = [MapRight::Read, MapRight::List].into_iter().collect();
        assert_eq!(some.bits(), 9);
        assert!(some.iter().eq([MapRight::Read, MapRight::List]));
    }
}
