//! Who is told that a map is gone: uses that asked for it and held a reference (specification,
//! section 6). What waits for one use is bounded; beyond that it is told how many it missed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use weir_model::limits::maps as limits;

use crate::value::MapId;

#[derive(Default)]
pub(super) struct Releases {
    waiting: BTreeMap<Arc<str>, Waiting>,
}

#[derive(Default)]
struct Waiting {
    maps: VecDeque<MapId>,
    missed: u64,
}

impl Releases {
    pub(super) fn listen(&mut self, in_use: &Arc<str>) {
        self.waiting.entry(Arc::clone(in_use)).or_default();
    }

    pub(super) fn listens(&self, in_use: &str) -> bool {
        self.waiting.contains_key(in_use)
    }

    pub(super) fn tell(&mut self, id: u64, interested: &[Arc<str>]) {
        for in_use in interested {
            let Some(waiting) = self.waiting.get_mut(in_use) else {
                continue;
            };
            if waiting.maps.len() < limits::RELEASES_MAX {
                waiting.maps.push_back(MapId(id));
            } else {
                waiting.missed += 1;
            }
        }
    }

    pub(super) fn take(&mut self, in_use: &str) -> (Vec<MapId>, u64) {
        let waiting = self.waiting.get_mut(in_use).map(std::mem::take);
        let waiting = waiting.unwrap_or_default();
        (waiting.maps.into(), waiting.missed)
    }
}
