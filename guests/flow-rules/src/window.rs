//! Requests per second: two buckets of half a second each, as in Sentinel.
//!
//! A bucket is a counter. Opened, it knows how many requests it has room for, which is the limit less
//! what the bucket before it admitted; a request adds one, and is admitted if that is within the room.
//! Who opens a bucket closes the one before: its entry becomes a record that is no counter, so that
//! nobody who comes late can add to it, and what it admitted stands for good. Every step is one
//! conditional write that anybody can do, so nobody waits for somebody else.

use std::time::Duration;

use wasi_map::{Condition, Entry, Error, Map, Terms};

use crate::warm_up::WarmUp;

/// Length of a bucket in milliseconds.
pub(crate) const BUCKET_MS: u64 = 500;
/// How long a bucket is known: longer than anybody comes late.
const KEPT: Duration = Duration::from_secs(30);
/// Buckets that a request may find closed: somebody's clock is so much ahead.
const LATE_MAX: u32 = 64;
/// Of an opened bucket. The low half counts requests, the next 30 bits are the room.
const OPEN: i64 = 1 << 62;

/// What limits requests of a second.
#[derive(Clone, Copy)]
pub(crate) enum Limit<'a> {
    /// Always the same.
    Fixed(f64),
    /// One that rises.
    WarmUp(&'a WarmUp),
}

/// The buckets of one rule.
pub(crate) struct Window<'a> {
    pub(crate) map: &'a Map,
    /// Begins their keys.
    pub(crate) state: &'a str,
    pub(crate) limit: Limit<'a>,
}

/// An admitted request's place, which can be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(Vec<u8>);

impl Window<'_> {
    /// Takes a place in the bucket of this time, or of the first one after it that is not closed.
    pub(crate) fn admit(&self, now_ms: u64) -> Result<Option<Place>, Error> {
        let mut bucket = now_ms / BUCKET_MS;
        let last = bucket + u64::from(LATE_MAX);
        while bucket <= last {
            let key = self.key(bucket);
            match self.map.increment(&key, 1) {
                Ok(value) => match opened(value) {
                    Some((room, used)) => return Ok((used <= room).then_some(Place(key))),
                    None => self.open(bucket, &key)?,
                },
                Err(Error::Invalid) => bucket += 1,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Stale)
    }

    fn key(&self, bucket: u64) -> Vec<u8> {
        format!("{}/{bucket}", self.state).into_bytes()
    }

    fn open(&self, bucket: u64, key: &[u8]) -> Result<(), Error> {
        let before = self.close(bucket.saturating_sub(1))?;
        let limit = match self.limit {
            Limit::Fixed(count) => count,
            Limit::WarmUp(warm_up) => {
                let passed = before + self.close(bucket.saturating_sub(2))?;
                warm_up.limit(self.map, self.state, (bucket, passed))?
            }
        };
        let room = whole(limit).saturating_sub(before);
        let value = OPEN | i64::from(room) << 32;
        loop {
            let found = self.map.get(key)?;
            let is_for_us = found.as_ref().is_none_or(|entry| match counter(entry) {
                Some(value) => opened(value).is_none(),
                None => false,
            });
            if !is_for_us || self.put(key, found.as_ref(), &value.to_le_bytes())? {
                return Ok(());
            }
        }
    }

    /// What a bucket admitted; from then on it admits nothing.
    fn close(&self, bucket: u64) -> Result<u32, Error> {
        let key = self.key(bucket);
        loop {
            let found = self.map.get(&key)?;
            let admitted = match &found {
                None => 0,
                Some(entry) => match counter(entry) {
                    Some(value) => opened(value).map_or(0, |(room, used)| used.min(room)),
                    None => return Ok(closed(&entry.value)),
                },
            };
            if self.put(&key, found.as_ref(), &record(admitted))? {
                return Ok(admitted);
            }
        }
    }

    /// Whether the entry was still as it was found, and has this value now.
    fn put(&self, key: &[u8], found: Option<&Entry>, value: &[u8]) -> Result<bool, Error> {
        let terms = Terms {
            condition: found.map_or(Condition::Absent, |entry| Condition::Version(entry.version)),
            ttl: Some(KEPT),
        };
        match self.map.set_with(key, value, &terms) {
            Ok(_) => Ok(true),
            Err(Error::Again { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Place {
    /// The request did not go on. A bucket that is closed has counted it for good.
    pub(crate) fn give_back(&self, map: &Map) -> Result<(), Error> {
        match map.increment(&self.0, -1) {
            Ok(_) | Err(Error::Invalid) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Room and requests of a counter, if it was opened.
fn opened(value: i64) -> Option<(u32, u32)> {
    let room = (value & (OPEN - 1)) >> 32;
    let used = value & i64::from(u32::MAX);
    (value >= OPEN).then_some((u32::try_from(room).ok()?, u32::try_from(used).ok()?))
}

/// A counter's value; a closed bucket is none.
fn counter(entry: &Entry) -> Option<i64> {
    let bytes = <[u8; 8]>::try_from(entry.value.as_slice());
    bytes.ok().map(i64::from_le_bytes)
}

/// Of a closed bucket. Four bytes: nothing can be added to it.
const fn record(admitted: u32) -> [u8; 4] {
    admitted.to_le_bytes()
}

fn closed(record: &[u8]) -> u32 {
    <[u8; 4]>::try_from(record).map_or(0, u32::from_le_bytes)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count lies between 0 and a thousand million"
)]
fn whole(limit: f64) -> u32 {
    limit as u32
}
