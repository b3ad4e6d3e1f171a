//! The entries of one map, with versions and ends.

use std::collections::BTreeMap;

use crate::Error;
use crate::abi::{IF_ABSENT, IF_VERSION, RawTerms, TTL};

/// A map.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    entries: BTreeMap<Vec<u8>, Stored>,
    pub(super) version: u64,
}

/// An entry.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) value: Vec<u8>,
    pub(super) version: u64,
    ends_ms: Option<u64>,
}

impl Entries {
    pub(super) fn find(&self, key: &[u8], now_ms: u64) -> Option<&Stored> {
        self.entries.get(key).filter(|entry| entry.lives(now_ms))
    }

    pub(super) fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        terms: &RawTerms,
        now_ms: u64,
    ) -> Result<u64, Error> {
        self.check(key, terms, now_ms)?;
        let ends_ms = (terms.flags & TTL != 0).then(|| now_ms.saturating_add(terms.ttl_ms));
        Ok(self.store(key, value.to_vec(), ends_ms))
    }

    pub(super) fn check(&self, key: &[u8], terms: &RawTerms, now_ms: u64) -> Result<u64, Error> {
        let current = self.find(key, now_ms).map_or(0, |entry| entry.version);
        let absent = terms.flags & IF_ABSENT != 0 && current != 0;
        let other = terms.flags & IF_VERSION != 0 && current != terms.version;
        if absent || other {
            return Err(Error::Again { current });
        }
        Ok(current)
    }

    pub(super) fn delete(&mut self, key: &[u8], now_ms: u64) -> bool {
        self.version += 1;
        let gone = self.entries.remove(key);
        gone.is_some_and(|entry| entry.lives(now_ms))
    }

    pub(super) fn add(&mut self, key: &[u8], delta: i64, now_ms: u64) -> Result<(i64, u64), Error> {
        let entry = self.find(key, now_ms);
        let ends_ms = entry.and_then(|entry| entry.ends_ms);
        let before = match entry {
            None => 0,
            Some(entry) => {
                let bytes = entry.value.as_slice().try_into();
                i64::from_le_bytes(bytes.map_err(|_| Error::Invalid)?)
            }
        };
        let sum = before
            .checked_add(delta)
            .ok_or(Error::Overflow { needed: 0 })?;
        let version = self.store(key, sum.to_le_bytes().to_vec(), ends_ms);
        Ok((sum, version))
    }

    /// Entries whose keys begin with a prefix, in the order of their keys.
    pub(super) fn listed(
        &self,
        prefix: &[u8],
        now_ms: u64,
    ) -> impl Iterator<Item = (&Vec<u8>, &Stored)> {
        let entries = self.entries.iter();
        entries.filter(move |(key, entry)| key.starts_with(prefix) && entry.lives(now_ms))
    }

    fn store(&mut self, key: &[u8], value: Vec<u8>, ends_ms: Option<u64>) -> u64 {
        self.version += 1;
        let version = self.version;
        let entry = Stored {
            value,
            version,
            ends_ms,
        };
        self.entries.insert(key.to_vec(), entry);
        version
    }
}

impl Stored {
    fn lives(&self, now_ms: u64) -> bool {
        self.ends_ms.is_none_or(|ends| now_ms < ends)
    }
}
