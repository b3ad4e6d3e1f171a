//! Freeing maps that nobody refers to: their edges under the lock, their entries outside of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use weir_model::limits::maps as limits;

use super::{Graph, Kind, State};
use crate::map::Map;
use crate::value::MapId;

/// Maps whose entries are dropped between two looks at the lock.
const TRASH_AT_ONCE: usize = 64;

/// Whether there is more to free.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freed {
    All,
    Some,
}

impl Graph {
    /// A root is gone. What this frees is freed now, up to a number of steps.
    pub(super) fn lose_root(&self, id: MapId) {
        let mut state = self.lock();
        let Some(node) = state.nodes.get_mut(id.0) else {
            return;
        };
        node.roots = node.roots.saturating_sub(1);
        if node.roots > 0 {
            return;
        }
        // What entries refer to may be kept by a cycle alone from now on.
        if node.inbound > 0 {
            state.collector.suspect();
            return;
        }
        state.condemn(id.0);
        self.busy.store(true, Ordering::Release);
        drop(state);
        self.free_some(limits::FREE_STEPS_AT_ONCE, Self::lock);
    }

    /// Frees what waits for it, after an operation that may have let references go.
    #[inline]
    pub fn free_waiting(&self) {
        if self.busy.load(Ordering::Acquire) {
            self.free_some(limits::FREE_STEPS_AT_ONCE, Self::lock);
        }
    }

    /// Frees what waits for it, `steps` edges, nodes and entries at most. Who serves others takes the
    /// lock as everybody does: letting others go first can take milliseconds where there are more
    /// threads than processors.
    fn free_some<'g>(&'g self, steps: usize, lock: fn(&'g Self) -> MutexGuard<'g, State>) -> Freed {
        let mut left = steps;
        while left > 0 {
            let mut state = lock(self);
            let maps = state.take_trash();
            if maps.is_empty() {
                if state.dying.is_empty() {
                    self.busy.store(false, Ordering::Release);
                    return Freed::All;
                }
                let done = state.drop_edges(left.min(TRASH_AT_ONCE));
                left = left.saturating_sub(done.max(1));
                continue;
            }
            drop(state);
            for map in maps {
                let slice = left.clamp(1, limits::COLLECT_STEPS);
                let removed = map.shrink(slice);
                left = left.saturating_sub(removed.max(1));
                if removed == slice {
                    self.lock().trash.push(map);
                }
            }
        }
        Freed::Some
    }

    /// Housekeeping: frees what waits, and lets the collector do its work, in slices of a tenth of a
    /// millisecond between which everybody else gets the lock. `false`: there is nothing left to do.
    pub fn tend(&self, steps: usize) -> bool {
        let mut left = steps;
        while left > 0 {
            let slice = left.min(limits::COLLECT_STEPS);
            left -= slice;
            let freed = self.free_some(slice, Self::lock_last);
            let mut state = self.lock_last();
            let at_rest = state.collect(slice);
            if !state.dying.is_empty() || !state.trash.is_empty() {
                self.busy.store(true, Ordering::Release);
            } else if at_rest && freed == Freed::All {
                return false;
            }
        }
        true
    }
}

impl State {
    /// An entry no longer refers to this node. Whether something waits to be freed by that.
    pub(super) fn lose_edge(&mut self, id: u64) -> bool {
        let Some(node) = self.nodes.get_mut(id) else {
            return false;
        };
        node.inbound = node.inbound.saturating_sub(1);
        if node.dying || node.roots > 0 {
            return false;
        }
        if node.inbound > 0 {
            self.collector.suspect();
            return false;
        }
        self.condemn(id);
        true
    }

    /// Nobody can reach this node any more.
    pub(super) fn condemn(&mut self, id: u64) {
        let Some(node) = self.nodes.get_mut(id).filter(|node| !node.dying) else {
            return;
        };
        node.dying = true;
        self.anonymous -= usize::from(node.kind == Kind::Anonymous);
        self.dying.push(id);
    }

    /// Drops edges of dying nodes, and then the nodes. Answers how many steps it took.
    fn drop_edges(&mut self, most: usize) -> usize {
        for step in 0..most {
            let Some(id) = self.dying.last() else {
                return step;
            };
            let edge = self
                .nodes
                .get_mut(id)
                .and_then(|node| node.edges.pop_first());
            match edge {
                Some((child, count)) => self.lose_edges(child, count),
                None => self.remove(id),
            }
        }
        most
    }

    fn lose_edges(&mut self, child: u64, count: u32) {
        if let Some(node) = self.nodes.get_mut(child) {
            node.inbound = node.inbound.saturating_sub(count - 1);
        }
        self.lose_edge(child);
    }

    /// The node on top of the dying ones has no edges left.
    fn remove(&mut self, id: u64) {
        self.dying.pop();
        if let Some(node) = self.nodes.remove(id) {
            if let Some(at_ms) = node.sweep_ms {
                self.ends.remove(&(at_ms, id));
            }
            self.releases.tell(id, &node.interested);
            self.trash.push(node.map);
        }
    }

    fn take_trash(&mut self) -> Vec<Arc<Map>> {
        let kept = self.trash.len().saturating_sub(TRASH_AT_ONCE);
        self.trash.split_off(kept)
    }
}
