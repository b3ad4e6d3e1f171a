//! Which maps have entries that end, and when they are to be swept.
//!
//! A map says when its first entry ends. So nobody looks at maps in which nothing ends, and nothing
//! that ended keeps another map alive for longer than until the next housekeeping.

use std::sync::Arc;

use super::{Graph, State};
use crate::map::Map;
use crate::value::MapId;

/// Maps that are swept between two looks at the lock.
const MAPS_AT_ONCE: usize = 64;

impl Graph {
    /// An entry of this map ends then. Called under the lock of its shard.
    pub(super) fn sweep_at(&self, id: MapId, at_ms: u64) {
        self.lock().sweep_at(id.0, at_ms);
    }

    /// When the first entry ends that is known of.
    pub(crate) fn next_sweep_ms(&self) -> Option<u64> {
        self.lock().ends.first().map(|(at_ms, _)| *at_ms)
    }

    /// Sweeps maps whose entries have ended, `most` entries at most. `false`: there are none left.
    pub(crate) fn sweep(&self, now_ms: u64, most: usize) -> bool {
        let mut left = most;
        while left > 0 {
            let due = self.lock().take_due(now_ms);
            if due.is_empty() {
                return false;
            }
            for map in due {
                left = left.saturating_sub(map.tend(left.max(1)).max(1));
                if let Some(at_ms) = map.next_end_ms() {
                    self.lock().sweep_at(map.id().0, at_ms);
                }
            }
            self.free_waiting();
        }
        true
    }
}

impl State {
    fn sweep_at(&mut self, id: u64, at_ms: u64) {
        let Some(node) = self.nodes.get_mut(id).filter(|node| !node.dying) else {
            return;
        };
        if node.sweep_ms.is_some_and(|known| known <= at_ms) {
            return;
        }
        if let Some(known) = node.sweep_ms.replace(at_ms) {
            self.ends.remove(&(known, id));
        }
        self.ends.insert((at_ms, id));
    }

    fn take_due(&mut self, now_ms: u64) -> Vec<Arc<Map>> {
        let mut due = Vec::new();
        while due.len() < MAPS_AT_ONCE {
            let Some(&(at_ms, id)) = self.ends.first().filter(|(at_ms, _)| *at_ms <= now_ms) else {
                break;
            };
            self.ends.remove(&(at_ms, id));
            if let Some(node) = self.nodes.get_mut(id) {
                node.sweep_ms = None;
                due.push(Arc::clone(&node.map));
            }
        }
        due
    }
}
