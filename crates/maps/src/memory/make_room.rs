//! Making room: entries that are over, entries that give way to others, and whole maps that go.

use std::sync::atomic::Ordering;

use weir_model::limits::maps as limits;

use super::shard::Index;
use super::{MemoryStore, NEVER};
use crate::MapError;
use crate::budget::payers::is_of_a_payer;
use crate::budget::{Amount, Room};
use crate::key::Key;
use crate::options::Eviction;
use crate::watch::{Event, Wakes};

/// How often a write looks for room before it is refused: others may take what it found.
const TRIES_MAX: usize = 8;

/// What a write needs room for: what it stores, and how many bytes the map may have then.
pub(super) type Wanted = (Amount, Option<u64>);

impl MemoryStore {
    /// Runs a write, and again after making room if it was refused for want of that. Whoever waits
    /// for changes is woken when no lock is held.
    pub(super) fn with_room<T>(
        &self,
        wanted: impl Fn() -> Wanted,
        write: impl Fn(&mut Wakes) -> Result<T, MapError>,
    ) -> Result<T, MapError> {
        let mut wakes = Wakes::default();
        let mut left = limits::REMOVED_FOR_ROOM_MAX;
        for _ in 0..TRIES_MAX {
            match write(&mut wakes) {
                Err(error @ MapError::NoSpace { .. })
                    if self.make_room(wanted(), is_of_a_payer(&error), (&mut left, &mut wakes)) => {
                }
                result => return result,
            }
        }
        write(&mut wakes)
    }

    /// Removes what is over, and then, unless it is a use that has no room and not the map, what was
    /// not used for long, until there is room or `left` such entries are removed. `false`: nothing is
    /// gained by trying again.
    fn make_room(
        &self,
        wanted: Wanted,
        is_of_a_payer: bool,
        (left, wakes): (&mut usize, &mut Wakes),
    ) -> bool {
        let room = || self.budget.room_for(wanted.0, wanted.1);
        let mut is_gained = false;
        while *left > 0 && (!is_gained || room() != Room::Now) {
            let swept = self.sweep(limits::EVICTION_LOOKS_MAX.min(*left), wakes);
            if swept == 0 {
                break;
            }
            *left -= swept;
            is_gained = true;
        }
        if is_of_a_payer || self.options.eviction == Eviction::Refuse {
            return is_gained;
        }
        while *left > 0 && room() == Room::Later && self.evict(wakes) {
            *left -= 1;
            is_gained = true;
        }
        is_gained || room() == Room::Now
    }

    /// Removes one entry, of the first shard that has any, going round.
    fn evict(&self, wakes: &mut Wakes) -> bool {
        let first = self.room.fetch_add(1, Ordering::Relaxed);
        for step in 0..self.shards.len() {
            let shard = first.wrapping_add(step) & (self.shards.len() - 1);
            let mut index = self.shards[shard].lock();
            if let Some(key) = self.least_used(&mut index) {
                self.forget(&mut index, key.probe(), Event::Evicted, wakes);
                self.evicted.fetch_add(1, Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    /// The next entry that was not used since the hand last came by.
    fn least_used(&self, index: &mut Index) -> Option<Key> {
        let records = self.table.records.pin();
        for _ in 0..limits::EVICTION_LOOKS_MAX {
            let key = index.next_at_hand()?;
            let used = records
                .get(&key.probe())
                .is_some_and(|record| record.used.swap(false, Ordering::Relaxed));
            index.hand = Some(key.clone());
            if !used {
                return Some(key);
            }
        }
        index.next_at_hand()
    }

    /// Removes entries whose time is up from all shards, `most` at most. Answers how many.
    pub(super) fn sweep(&self, most: usize, wakes: &mut Wakes) -> usize {
        let mut swept = 0;
        for shard in &self.shards {
            if swept >= most {
                break;
            }
            swept += self.sweep_shard(&mut shard.lock(), most - swept, wakes);
        }
        swept
    }

    /// Removes expired entries: housekeeping, as readers never see them. Answers how many; `most`
    /// of them mean that there may be more.
    pub fn tend(&self, most: usize) -> usize {
        let mut wakes = Wakes::default();
        self.sweep(most, &mut wakes)
    }

    /// When the next entry ends, on the engine's clock.
    #[must_use]
    pub fn next_end_ms(&self) -> Option<u64> {
        let first = |shard: &super::Shard| shard.lock().ends.first().map(|(end, _)| *end);
        self.shards.iter().filter_map(first).min()
    }

    pub(super) fn remove_all(&self) -> u64 {
        let mut wakes = Wakes::default();
        let mut indexes: Vec<_> = self.shards.iter().map(super::Shard::lock).collect();
        let closed = self.gate.close();
        let records = self.table.records.pin();
        let mut removed = 0;
        for index in &mut indexes {
            for key in std::mem::take(&mut index.keys) {
                let Some(record) = records.remove(&key.probe()) else {
                    continue;
                };
                let live = record.expires_ms == NEVER || self.is_live(record);
                removed += u64::from(live);
                self.unindex(index, &key, record);
            }
        }
        self.watchers.tell_cleared(&mut wakes);
        drop(closed);
        drop(indexes);
        removed
    }

    /// Removes up to `most` entries of a map that nobody can reach any more, without telling
    /// anybody. Answers how many; fewer than `most` mean that there are no more.
    pub(crate) fn shrink(&self, most: usize) -> usize {
        let records = self.table.records.pin();
        let mut removed = 0;
        for shard in &self.shards {
            let mut index = shard.lock();
            while removed < most {
                let Some(key) = index.keys.pop_first() else {
                    break;
                };
                removed += 1;
                if let Some(record) = records.remove(&key.probe()) {
                    self.unindex(&mut index, &key, record);
                }
            }
        }
        removed
    }
}
