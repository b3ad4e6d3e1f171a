//! A part of a map that is written to by one thread at a time: which keys it has, in their order,
//! and when they end.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::Key;

/// Padded to two cache lines, so that writers of neighbouring shards do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard(Mutex<Index>);

/// What the lock protects, beside the table's records of these keys.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) keys: BTreeSet<Key>,
    /// Those that end, in the order in which they do.
    pub(super) ends: BTreeSet<(u64, Key)>,
    /// Where the search for room stopped.
    pub(super) hand: Option<Key>,
}

impl Shard {
    pub(super) fn lock(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// Keys after `after` that begin with `prefix`, in their order.
    pub(super) fn keys_after<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
    ) -> impl Iterator<Item = &'a Key> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        self.keys
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(move |key| key.bytes().starts_with(prefix))
    }

    /// A key whose time is up.
    pub(super) fn ended(&self, now_ms: u64) -> Option<Key> {
        let (end, key) = self.ends.first()?;
        (*end <= now_ms).then(|| key.clone())
    }

    /// The key after the hand, going round.
    pub(super) fn next_at_hand(&self) -> Option<Key> {
        let after = |hand| {
            let range = (Bound::Excluded(hand), Bound::Unbounded);
            self.keys.range::<Key, _>(range).next()
        };
        let next = self.hand.as_ref().and_then(after);
        next.or_else(|| self.keys.first()).cloned()
    }
}
