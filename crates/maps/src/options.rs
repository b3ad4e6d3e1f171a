//! What one map may hold and how it makes room.

use std::time::Duration;

use weir_model::limits::maps as limits;

use crate::MapError;
use crate::budget::Amount;
use crate::store::Op;
use crate::value::Value;

/// What a full map does with the next entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// It is refused.
    #[default]
    Refuse,
    /// It takes the place of an entry that was not used for long: each entry that was read or
    /// written again since the search last passed it is spared once (the clock algorithm).
    Lru,
}

/// How a map is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapOptions {
    /// Entries at most.
    pub entries_max: u64,
    /// Bytes at most: keys, values and [`limits::ENTRY_BYTES`] for each entry.
    pub bytes_max: u64,
    /// Bytes of one value at most.
    pub value_bytes_max: usize,
    /// For entries that are written without a time of their own; `None`: they stay.
    pub ttl: Option<Duration>,
    /// What happens when it is full.
    pub eviction: Eviction,
    /// Parts that are written to independently.
    pub shards: usize,
}

impl MapOptions {
    /// Of a map that a guest makes for itself: small, as there may be many.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            entries_max: limits::ANONYMOUS_ENTRIES,
            shards: 1,
            ..Self::default()
        }
    }

    /// The most it may hold.
    #[must_use]
    pub fn quota(&self) -> Amount {
        Amount {
            entries: self.entries_max,
            bytes: self.bytes_max,
        }
    }

    /// # Errors
    /// [`MapError::Invalid`] names what makes no sense.
    pub fn check(&self) -> Result<(), MapError> {
        if self.shards == 0 || !self.shards.is_power_of_two() || self.shards > 1024 {
            return Err(MapError::Invalid("shards: a power of two from 1 to 1024"));
        }
        if self.ttl.is_some_and(|ttl| ttl < Duration::from_millis(1)) {
            return Err(MapError::Invalid("ttl: at least a millisecond"));
        }
        Ok(())
    }

    /// What every back end says of arguments without looking at the map.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: the key is too long, or the time to live too short;
    /// [`MapError::NoSpace`]: the value is too long.
    pub fn admit(
        &self,
        key: &[u8],
        value: Option<&Value>,
        ttl: Option<Duration>,
    ) -> Result<(), MapError> {
        if key.len() > limits::KEY_BYTES_MAX {
            return Err(MapError::Invalid("the key is longer than 64 KiB"));
        }
        if ttl.is_some_and(|ttl| ttl < Duration::from_millis(1)) {
            return Err(MapError::Invalid("a time to live is at least 1 ms"));
        }
        let max = self.value_bytes_max;
        if value.is_some_and(|value| value.length() > max) {
            let max = max as u64;
            return Err(MapError::NoSpace {
                what: "bytes of a value",
                max,
            });
        }
        Ok(())
    }

    /// The same of a whole batch.
    ///
    /// # Errors
    /// As [`admit`](Self::admit), and [`MapError::Invalid`]: there are too many operations.
    pub fn admit_all(&self, ops: &[Op]) -> Result<(), MapError> {
        if ops.len() > limits::BATCH_OPS_MAX {
            return Err(MapError::Invalid("a batch has at most 1024 operations"));
        }
        ops.iter().try_for_each(|op| match op {
            Op::Set(key, value, terms) => self.admit(key, Some(value), terms.ttl),
            Op::Check(key, _) | Op::Delete(key) | Op::Add(key, _) => self.admit(key, None, None),
        })
    }
}

impl Default for MapOptions {
    fn default() -> Self {
        Self {
            entries_max: limits::ENTRIES,
            bytes_max: limits::BYTES,
            value_bytes_max: limits::VALUE_BYTES,
            ttl: None,
            eviction: Eviction::Refuse,
            shards: limits::SHARDS,
        }
    }
}
