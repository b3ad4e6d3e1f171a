//! Watches: what has changed in a map.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::calls;
use crate::error::{Error, Result};
use crate::map::milliseconds;
use crate::scan::{u32_at, u64_at};

/// Bytes for changes to begin with; a key that is too long for them lets them grow.
const PAGE: usize = 4096;
/// Bytes before the key of a packed change.
const HEAD: usize = 16;

/// Follows the changes of a map. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    id: u32,
    waiting: VecDeque<Change>,
    page: Vec<u8>,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was stored.
    Set,
    /// It was removed.
    Deleted,
    /// Its time was up.
    Ended,
    /// It gave way to another.
    Evicted,
}

/// What a watch tells. Several changes of one key may be told as the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Of one entry. Changes of different keys come in no particular order.
    Entry {
        /// Its key.
        key: Vec<u8>,
        /// What happened.
        event: Event,
        /// Its version since then.
        version: u64,
    },
    /// All entries were removed at once.
    Cleared,
    /// There was more than could wait: read the map again.
    Resync,
    /// The map is gone. Nothing follows.
    Gone,
}

impl Watch {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            waiting: VecDeque::new(),
            page: vec![0; PAGE],
        }
    }

    /// The host's number of it, which `wasi_map_on_change` is called with.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The next change, if one is there already.
    ///
    /// # Errors
    /// [`Error::Stale`]: the map was borrowed, and that is over.
    pub fn poll(&mut self) -> Result<Option<Change>> {
        self.ask(0)
    }

    /// The next change, waited for: `None` after the time is up, and at once in a module that cannot
    /// be suspended, as a filter.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn next(&mut self, time: Duration) -> Result<Option<Change>> {
        self.ask(i64::try_from(milliseconds(time)).unwrap_or(i64::MAX))
    }

    fn ask(&mut self, timeout_ms: i64) -> Result<Option<Change>> {
        if let Some(change) = self.waiting.pop_front() {
            return Ok(Some(change));
        }
        let used = loop {
            match calls::next(self.id, timeout_ms, &mut self.page) {
                Ok(used) => break used,
                Err(Error::Overflow { needed }) if needed > self.page.len() => {
                    self.page.resize(needed, 0);
                }
                Err(Error::Again { .. } | Error::TimedOut) => return Ok(None),
                Err(error) => return Err(error),
            }
        };
        let mut rest = self.page.get(..used).ok_or(Error::Io)?;
        while !rest.is_empty() {
            let (change, took) = unpack(rest).ok_or(Error::Io)?;
            self.waiting.push_back(change);
            rest = rest.get(took..).unwrap_or_default();
        }
        Ok(self.waiting.pop_front())
    }
}

/// A change, and how many bytes it took. Kinds of later versions are a reason to read the map again.
fn unpack(bytes: &[u8]) -> Option<(Change, usize)> {
    let (key_len, kind) = (u32_at(bytes, 0)? as usize, u32_at(bytes, 4)?);
    let version = u64_at(bytes, 8)?;
    let key = bytes.get(HEAD..)?.get(..key_len)?;
    let entry = |event| Change::Entry {
        key: key.to_vec(),
        event,
        version,
    };
    let change = match kind {
        1 => entry(Event::Set),
        2 => entry(Event::Deleted),
        3 => entry(Event::Ended),
        4 => entry(Event::Evicted),
        5 => Change::Cleared,
        7 => Change::Gone,
        _ => Change::Resync,
    };
    Some((change, (HEAD + key_len).next_multiple_of(8)))
}

impl Drop for Watch {
    fn drop(&mut self) {
        // What cannot be ended has ended already.
        let _ = calls::unwatch(self.id);
    }
}
