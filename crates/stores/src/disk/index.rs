//! All keys of a map in memory, with as many values as there is room for.
//!
//! Invariants: a key is in `slots` exactly if it is in `order`; it is in `ends` exactly if it ends;
//! it is in `warm` exactly if its value is large, in memory, and on the disk too. `total` and
//! `large_bytes` count what is there.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_maps::Value;
use weir_maps::budget::Amount;
use weir_model::limits::maps as limits;

use super::record::{Held, NEVER, Name, Record, cost, rest, sum};

/// An entry as readers see it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) record: Record,
    /// Since the search for room in the map last passed.
    used: AtomicBool,
    /// Since the search for room in memory last passed.
    looked_at: AtomicBool,
}

impl Slot {
    fn new(record: Record, used: bool) -> Self {
        Self {
            record,
            used: AtomicBool::new(used),
            looked_at: AtomicBool::new(used),
        }
    }

    pub(crate) fn touch(&self) {
        for flag in [&self.used, &self.looked_at] {
            // Read first: a line that is only read stays in all caches.
            if !flag.load(Ordering::Relaxed) {
                flag.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Whether the disk has what is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    NotYet,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: HashMap<Name, Slot>,
    order: BTreeSet<Name>,
    /// In the order in which they end.
    ends: BTreeSet<(u64, Name)>,
    /// What may leave memory.
    warm: BTreeSet<Name>,
    /// Where the search for values to leave memory stopped.
    warm_hand: Option<Name>,
    pub(crate) total: Amount,
    /// Of large values in memory.
    large_bytes: usize,
}

impl Index {
    /// With entries that come in the order of their keys, each once, and are on the disk.
    pub(crate) fn of(entries: Vec<(Name, Record)>) -> Self {
        let ends = |(name, record): &(Name, Record)| {
            (record.expires_ms != NEVER).then(|| (record.expires_ms, name.clone()))
        };
        let is_warm = |(_, record): &&(Name, Record)| {
            record.held.is_large() && matches!(record.held, Held::Here(_))
        };
        let warm = entries.iter().filter(is_warm);
        let mut index = Self {
            order: entries.iter().map(|(name, _)| name.clone()).collect(),
            ends: entries.iter().filter_map(ends).collect(),
            large_bytes: warm.clone().map(|(_, record)| record.held.length()).sum(),
            warm: warm.map(|(name, _)| name.clone()).collect(),
            slots: HashMap::with_capacity(entries.len()),
            ..Self::default()
        };
        for (name, record) in entries {
            index.total = sum(index.total, cost(&name, record.held.length()));
            index.slots.insert(name, Slot::new(record, false));
        }
        index
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Slot> {
        self.slots.get(key)
    }

    /// Stores an entry in the place of what there was.
    pub(crate) fn put(&mut self, name: &Name, record: Record, written: Written) {
        let old = self.slots.get_key_value(name).map(|(name, slot)| {
            let held = slot.record.held.clone();
            (name.clone(), held, slot.record.expires_ms)
        });
        let name = old.as_ref().map_or(name, |(name, ..)| name).clone();
        if let Some((_, held, expires_ms)) = &old {
            self.total = rest(self.total, cost(&name, held.length()));
            self.leave_memory(&name, held);
            if *expires_ms != NEVER && *expires_ms != record.expires_ms {
                self.ends.remove(&(*expires_ms, name.clone()));
            }
        } else {
            self.order.insert(name.clone());
        }
        self.total = sum(self.total, cost(&name, record.held.length()));
        if record.expires_ms != NEVER {
            self.ends.insert((record.expires_ms, name.clone()));
        }
        if record.held.is_large() && matches!(record.held, Held::Here(_)) {
            self.large_bytes += record.held.length();
            if written == Written::Yes {
                self.warm.insert(name.clone());
            }
        }
        // One that is never looked at again goes first.
        let slot = Slot::new(record, old.is_some());
        self.slots.insert(name, slot);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        let Some((name, slot)) = self.slots.remove_entry(key) else {
            return;
        };
        let record = slot.record;
        self.order.remove(&name);
        self.total = rest(self.total, cost(&name, record.held.length()));
        self.leave_memory(&name, &record.held);
        if record.expires_ms != NEVER {
            self.ends.remove(&(record.expires_ms, name));
        }
    }

    /// Empties it. What was there is to be dropped without a lock: it may be much.
    pub(crate) fn take_all(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The disk has this version.
    pub(crate) fn settle(&mut self, name: &Name, version: u64) {
        let settled = self.slots.get(name).is_some_and(|slot| {
            let held = &slot.record.held;
            slot.record.version == version && held.is_large() && matches!(held, Held::Here(_))
        });
        if settled {
            self.warm.insert(name.clone());
        }
    }

    /// Keeps a value in memory that was read from the disk, if it is still the entry's.
    pub(crate) fn warm_up(&mut self, key: &[u8], version: u64, value: &Value) {
        let Some((name, _)) = self.slots.get_key_value(key) else {
            return;
        };
        let name = name.clone();
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        if slot.record.version == version && matches!(slot.record.held, Held::Cold(_)) {
            slot.record.held = Held::Here(value.clone());
            slot.touch();
            self.large_bytes += value.length();
            self.warm.insert(name);
        }
    }

    /// Lets values leave memory until no more than this is there, those first that were not used
    /// since the search last passed them.
    pub(crate) fn cool(&mut self, bytes_max: usize) {
        let mut spared = 0;
        while self.large_bytes > bytes_max {
            let Some(name) = next_after(&self.warm, self.warm_hand.as_ref()) else {
                return;
            };
            self.warm_hand = Some(name.clone());
            let Some(slot) = self.slots.get_mut(&name) else {
                self.warm.remove(&name);
                continue;
            };
            if spared < limits::EVICTION_LOOKS_MAX && slot.looked_at.swap(false, Ordering::Relaxed)
            {
                spared += 1;
                continue;
            }
            spared = 0;
            let length = slot.record.held.length();
            slot.record.held = Held::Cold(length);
            self.large_bytes = self.large_bytes.saturating_sub(length);
            self.warm.remove(&name);
        }
    }

    /// When the next entry ends.
    pub(crate) fn first_end_ms(&self) -> Option<u64> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Entries whose time is up, in that order.
    pub(crate) fn ended(&self, now_ms: u64) -> impl Iterator<Item = &Name> {
        let ended = self.ends.iter().take_while(move |(end, _)| *end <= now_ms);
        ended.map(|(_, name)| name)
    }

    /// Entries that are there, ended or not.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The next entry that was not used since the search last came by and that `may` go.
    pub(crate) fn least_used(&self, hand: &mut Hand, may: impl Fn(&Name) -> bool) -> Option<Name> {
        let mut last = None;
        for _ in 0..limits::EVICTION_LOOKS_MAX {
            let name = next_after(&self.order, hand.0.as_ref())?;
            hand.0 = Some(name.clone());
            if !may(&name) {
                continue;
            }
            let slot = self.slots.get(&name)?;
            if !slot.used.swap(false, Ordering::Relaxed) {
                return Some(name);
            }
            last = Some(name);
        }
        last
    }

    /// Keys after `after` that begin with `prefix`, in their order.
    pub(crate) fn keys_after<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
    ) -> impl Iterator<Item = &'a Name> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        self.order
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(move |name| name.starts_with(prefix))
    }

    /// A value is not in memory any more.
    fn leave_memory(&mut self, name: &Name, held: &Held) {
        if held.is_large() && matches!(held, Held::Here(_)) {
            self.large_bytes = self.large_bytes.saturating_sub(held.length());
            self.warm.remove(name);
        }
    }
}

/// Where a search for entries to be evicted stands.
#[derive(Debug, Default)]
pub(crate) struct Hand(Option<Name>);

/// The name after `hand`, going round.
fn next_after(names: &BTreeSet<Name>, hand: Option<&Name>) -> Option<Name> {
    let after = |hand: &Name| {
        let range = (Bound::Excluded(hand.as_ref()), Bound::Unbounded);
        names.range::<[u8], _>(range).next()
    };
    let next = hand.and_then(after);
    next.or_else(|| names.first()).cloned()
}
