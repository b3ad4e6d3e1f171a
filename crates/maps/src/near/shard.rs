//! A part of a near cache: entries in the order in which they end, which is that of their coming.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use weir_model::limits::maps as limits;

use crate::store::Found;

/// Kinds of keys whose changes are counted apart.
const KINDS: usize = 64;

/// What one lock guards.
#[derive(Debug)]
pub(super) struct Shard {
    entries: HashMap<Arc<[u8]>, Kept>,
    /// All that were kept, the oldest first; those that are kept no more are passed over.
    order: VecDeque<(Arc<[u8]>, u64)>,
    bytes: u64,
    /// The number of the next one that is kept.
    next: u64,
    /// How often a key of a kind has changed.
    changes: [u64; KINDS],
}

#[derive(Debug)]
struct Kept {
    /// `None`: there is no such entry.
    found: Option<Found>,
    ends_ms: u64,
    number: u64,
}

/// What a shard knows of a key.
pub(super) enum Look {
    Known(Option<Found>),
    Unknown(Stamp),
}

/// How often keys of this kind had changed. What was asked for then is kept only if that is so still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    kind: usize,
    changes: u64,
}

/// What a shard may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            order: VecDeque::default(),
            bytes: 0,
            next: 0,
            changes: [0; KINDS],
        }
    }
}

impl Shard {
    pub(super) fn look(&self, key: &[u8], hash: u64, now_ms: u64) -> Look {
        match self.entries.get(key) {
            Some(kept) if kept.ends_ms > now_ms => Look::Known(kept.found.clone()),
            Some(_) | None => {
                let kind = kind_of(hash);
                let changes = self.changes[kind];
                Look::Unknown(Stamp { kind, changes })
            }
        }
    }

    /// Keeps what was found, unless the key has changed since it was asked for.
    pub(super) fn keep(
        &mut self,
        key: &[u8],
        (found, ends_ms): (Option<Found>, u64),
        (stamp, room): (Stamp, Room),
    ) {
        let cost = cost(key, found.as_ref());
        if self.changes[stamp.kind] != stamp.changes || cost > room.bytes {
            return;
        }
        self.take_out(key);
        while !self.order.is_empty()
            && (self.entries.len() as u64 >= room.entries || self.bytes > room.bytes - cost)
        {
            self.drop_oldest();
        }
        let key: Arc<[u8]> = key.into();
        let number = self.next;
        self.next += 1;
        self.bytes += cost;
        self.order.push_back((Arc::clone(&key), number));
        let kept = Kept {
            found,
            ends_ms,
            number,
        };
        self.entries.insert(key, kept);
        // Those that are kept no more are never more than those that are.
        if self.order.len() > 2 * self.entries.len() + 16 {
            let entries = &self.entries;
            self.order
                .retain(|(key, number)| entries.get(key).is_some_and(|it| it.number == *number));
        }
    }

    /// An entry changes.
    pub(super) fn forget(&mut self, key: &[u8], hash: u64) {
        self.changes[kind_of(hash)] += 1;
        self.take_out(key);
    }

    pub(super) fn forget_all(&mut self) {
        self.changes.iter_mut().for_each(|changes| *changes += 1);
        self.entries.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// Entries and bytes.
    pub(super) fn held(&self) -> (u64, u64) {
        (self.entries.len() as u64, self.bytes)
    }

    fn take_out(&mut self, key: &[u8]) {
        if let Some(kept) = self.entries.remove(key) {
            self.bytes -= cost(key, kept.found.as_ref());
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((key, number)) = self.order.pop_front()
            && self.entries.get(&key).is_some_and(|it| it.number == number)
        {
            self.take_out(&key);
        }
    }
}

fn kind_of(hash: u64) -> usize {
    usize::try_from(hash >> 32).unwrap_or_default() % KINDS
}

fn cost(key: &[u8], found: Option<&Found>) -> u64 {
    let value = found.map_or(0, |found| found.value.length());
    (key.len() + value + limits::ENTRY_BYTES) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn found(text: &str) -> Found {
        let value = Value::copy_of(text.as_bytes());
        Found { value, version: 1 }
    }

    fn stamp(shard: &Shard, key: &[u8]) -> Stamp {
        match shard.look(key, 0, 0) {
            Look::Unknown(stamp) => stamp,
            Look::Known(_) => panic!("it is kept already"),
        }
    }

    fn keys(shard: &Shard) -> Vec<u8> {
        let mut keys: Vec<u8> = shard.entries.keys().map(|key| key[0]).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_oldest_give_way_and_nothing_is_kept_beyond_the_room() {
        let room = Room {
            entries: 3,
            bytes: 1000,
        };
        let mut shard = Shard::default();
        for key in 0..10_u8 {
            let stamp = stamp(&shard, &[key]);
            shard.keep(&[key], (Some(found("v")), 5), (stamp, room));
        }
        assert_eq!(keys(&shard), [7, 8, 9]);
        let long = "v".repeat(700);
        let at = stamp(&shard, &[10]);
        shard.keep(&[10], (Some(found(&long)), 5), (at, room));
        assert_eq!(keys(&shard), [10]);
        let at = stamp(&shard, &[11]);
        shard.keep(&[11], (Some(found(&long.repeat(2))), 5), (at, room));
        assert_eq!((keys(&shard), shard.held()), (vec![10], (1, 861)));
        shard.forget_all();
        assert_eq!((shard.held(), shard.order.len()), ((0, 0), 0));
    }

    #[test]
    fn what_changes_while_it_is_asked_for_is_not_kept() {
        let room = Room {
            entries: 100,
            bytes: 1 << 20,
        };
        let mut shard = Shard::default();
        let at = stamp(&shard, b"a");
        shard.forget(b"a", 0);
        shard.keep(b"a", (Some(found("old")), 5), (at, room));
        assert!(matches!(shard.look(b"a", 0, 0), Look::Unknown(_)));
        let at = stamp(&shard, b"a");
        shard.keep(b"a", (None, 5), (at, room));
        assert!(matches!(shard.look(b"a", 0, 4), Look::Known(None)));
        assert!(matches!(shard.look(b"a", 0, 5), Look::Unknown(_)));
        // What is changed and asked for again and again leaves nothing behind.
        for _ in 0..1000 {
            shard.forget(b"a", 0);
            let at = stamp(&shard, b"a");
            shard.keep(b"a", (Some(found("v")), 5), (at, room));
        }
        assert!(shard.order.len() <= 18, "{}", shard.order.len());
        assert_eq!(shard.held(), (1, 162));
    }
}
