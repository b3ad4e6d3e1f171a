//! Pages of entries in the order of their keys, gathered from all shards.
//!
//! An entry that stays is in the index of its shard all the time, so each page that covers its key
//! has it, and no other page does.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use bytes::Bytes;
use weir_model::limits::maps as limits;

use super::MemoryStore;
use crate::MapError;
use crate::key::Key;
use crate::store::{Item, Page, Range};

/// Keys taken from one shard at a time, so that its lock is held for microseconds.
const KEYS_AT_ONCE: usize = 64;

/// Where one shard's part of the scan stands.
struct Lane {
    keys: VecDeque<Key>,
    /// There is nothing in the shard after these keys.
    last: bool,
}

impl MemoryStore {
    pub(super) fn page(&self, range: Range<'_>) -> Result<Page, MapError> {
        if range.prefix.len() > limits::KEY_BYTES_MAX {
            return Err(MapError::Invalid("the prefix is longer than 64 KiB"));
        }
        let entries_max = range.entries.clamp(1, limits::PAGE_ENTRIES_MAX);
        let mut lanes: Vec<Lane> = Vec::with_capacity(self.shards.len());
        let mut heads = BinaryHeap::with_capacity(self.shards.len());
        let at_once = (entries_max * 2 / self.shards.len() + 2).min(KEYS_AT_ONCE);
        for shard in 0..self.shards.len() {
            let mut lane = self.lane(shard, range.prefix, (range.after, at_once));
            heads.extend(lane.keys.pop_front().map(|key| Reverse((key, shard))));
            lanes.push(lane);
        }
        let mut page = Filling::new(range.bytes);
        while let Some(Reverse((key, shard))) = heads.pop() {
            if page.items.len() >= entries_max || !self.fill(&mut page, &key)? {
                return Ok(page.end(true));
            }
            if lanes[shard].keys.is_empty() && !lanes[shard].last {
                lanes[shard] = self.lane(shard, range.prefix, (Some(key.bytes()), at_once));
            }
            let next = lanes[shard].keys.pop_front();
            heads.extend(next.map(|key| Reverse((key, shard))));
        }
        Ok(page.end(false))
    }

    fn lane(&self, shard: usize, prefix: &[u8], (after, most): (Option<&[u8]>, usize)) -> Lane {
        let index = self.shards[shard].lock();
        let keys: VecDeque<Key> = index
            .keys_after(prefix, after)
            .take(most)
            .cloned()
            .collect();
        let last = keys.len() < most;
        Lane { keys, last }
    }

    /// Puts an entry onto the page if it still lives. `false`: the page is full.
    fn fill(&self, page: &mut Filling, key: &Key) -> Result<bool, MapError> {
        let item = self.look(key.probe(), |record| Item {
            key: Bytes::copy_from_slice(key.bytes()),
            value: record.value.clone(),
            version: record.version,
        });
        item.map_or(Ok(true), |item| page.put(item))
    }
}

/// A page that is being made.
struct Filling {
    items: Vec<Item>,
    room: usize,
}

impl Filling {
    fn new(room: usize) -> Self {
        let items = Vec::new();
        Self { items, room }
    }

    fn put(&mut self, item: Item) -> Result<bool, MapError> {
        let needed = Item::packed_bytes(item.key.len(), item.value.length());
        if needed > self.room {
            if self.items.is_empty() {
                return Err(MapError::Overflow { needed });
            }
            return Ok(false);
        }
        self.room -= needed;
        self.items.push(item);
        Ok(true)
    }

    fn end(self, more: bool) -> Page {
        Page {
            items: self.items,
            more,
        }
    }
}
