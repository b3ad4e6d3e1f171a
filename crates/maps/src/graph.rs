//! Which maps there are, and who refers to them (specification, section 6).
//!
//! A map is a node. Its *roots* are handles, outstanding tickets and the configuration; its *edges*
//! are references that entries hold. A node with neither roots nor edges to it is freed at once, and
//! cycles that no root reaches by the [`collector`]. Everything happens under one lock that is held
//! for a bounded number of steps; entries of freed maps are dropped outside of it, in slices.
//!
//! Invariants: a node that a root reaches is never freed; after [`Graph::tend`] has come to rest,
//! the nodes are exactly those. Locks are taken in the order shard, then graph: nothing here touches
//! a map while the lock is held.

mod collector;
mod ending;
mod freeing;
mod releases;
mod slab;
mod stack;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use weir_model::limits::maps as limits;

use crate::MapError;
use crate::map::Map;
use crate::memory::Edges;
use crate::value::MapId;

use collector::Collector;
use releases::Releases;
use slab::Slab;
use stack::Stack;

/// How often housekeeping lets others go first: it must come to its turn some time.
const YIELDS_MAX: usize = 1000;

/// All maps of one engine.
#[derive(Default)]
pub struct Graph {
    state: Mutex<State>,
    /// Threads that wait for the lock.
    waiting: AtomicUsize,
    /// Whether something waits to be freed: asked after every write, without the lock.
    busy: AtomicBool,
}

#[derive(Default)]
struct State {
    nodes: Slab,
    /// Live nodes that are not configured.
    anonymous: usize,
    /// Nodes that are over and still have edges.
    dying: Stack,
    /// Maps without a node whose entries are still to be dropped.
    trash: Vec<Arc<Map>>,
    collector: Collector,
    releases: Releases,
    /// Maps with entries that end, by the moment at which they are to be swept.
    ends: BTreeSet<(u64, u64)>,
}

/// What is known of a map.
struct Node {
    map: Arc<Map>,
    kind: Kind,
    /// Handles, tickets, and the configuration.
    roots: u32,
    /// Entries of other maps, or of itself, that refer to it.
    inbound: u32,
    /// What its entries refer to, and how many of them do.
    edges: BTreeMap<u64, u32>,
    /// Over: nobody can reach it any more, and it waits to be freed.
    dying: bool,
    /// The last cycle of the collector that found it reachable.
    marked: u64,
    /// When it is to be swept.
    sweep_ms: Option<u64>,
    /// Uses that want to know when it is gone.
    interested: Vec<Arc<str>>,
}

/// Whether the configuration names a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It does.
    Named,
    /// A guest made it.
    Anonymous,
}

/// A root: what it refers to lives as long as it does.
pub struct Root {
    graph: Arc<Graph>,
    map: Arc<Map>,
}

/// The references that the entries of one map hold.
#[derive(Debug)]
pub struct EdgesOf {
    graph: Weak<Graph>,
    parent: MapId,
}

/// Numbers of a graph, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphStat {
    /// Maps that guests made and that are not over.
    pub anonymous: usize,
    /// Maps that are over and not yet freed entirely.
    pub freeing: usize,
    /// Cycles of the collector that have come to their end.
    pub cycles: u64,
    /// Maps that it has found unreachable.
    pub collected: u64,
}

impl Graph {
    /// Adds a map with one root. `make` gets its id and keeper of edges, and must not come back here.
    ///
    /// # Errors
    /// [`MapError::NoMemory`]: there are too many; or what `make` fails with.
    pub fn insert(
        self: &Arc<Self>,
        kind: Kind,
        make: impl FnOnce(MapId, EdgesOf) -> Result<Map, MapError>,
    ) -> Result<Root, MapError> {
        let mut state = self.lock();
        if kind == Kind::Anonymous && state.anonymous >= limits::ANONYMOUS_MAPS_MAX {
            let max = limits::ANONYMOUS_MAPS_MAX;
            return Err(MapError::NoMemory {
                what: "anonymous maps",
                max,
            });
        }
        let parent = MapId(state.nodes.next_id());
        let graph = Arc::downgrade(self);
        let map = Arc::new(make(parent, EdgesOf { graph, parent })?);
        let marked = state.collector.cycle();
        state.nodes.insert(Node {
            map: Arc::clone(&map),
            kind,
            roots: 1,
            inbound: 0,
            edges: BTreeMap::new(),
            dying: false,
            marked,
            sweep_ms: None,
            interested: Vec::new(),
        });
        state.anonymous += usize::from(kind == Kind::Anonymous);
        drop(state);
        let graph = Arc::clone(self);
        Ok(Root { graph, map })
    }

    /// A new root of a map that an entry refers to; `None`: it is over by now.
    #[must_use]
    pub fn root(self: &Arc<Self>, id: MapId) -> Option<Root> {
        let mut state = self.lock();
        let state = &mut *state;
        let node = state.nodes.get_mut(id.0).filter(|node| !node.dying)?;
        if state.collector.has_condemned(node) {
            return None;
        }
        node.roots += 1;
        let map = Arc::clone(&node.map);
        state.collector.shade(&mut state.nodes, id.0);
        let graph = Arc::clone(self);
        Some(Root { graph, map })
    }

    /// How many handles, tickets and entries refer to a map.
    #[must_use]
    pub fn references(&self, id: MapId) -> u64 {
        let state = self.lock();
        let node = state.nodes.get(id.0);
        node.map_or(0, |node| u64::from(node.roots) + u64::from(node.inbound))
    }

    /// From now on a use is told when a map is gone, if it has asked to be told of any.
    pub fn interest(&self, id: MapId, in_use: &Arc<str>) {
        let mut state = self.lock();
        if !state.releases.listens(in_use) {
            return;
        }
        if let Some(node) = state.nodes.get_mut(id.0)
            && !node.interested.contains(in_use)
        {
            node.interested.push(Arc::clone(in_use));
        }
    }

    /// A use wants to be told of maps that it was interested in and that are gone.
    pub fn listen(&self, in_use: &Arc<str>) {
        self.lock().releases.listen(in_use);
    }

    /// The maps that are gone since the last question, and how many more there were.
    #[must_use]
    pub fn released(&self, in_use: &str) -> (Vec<MapId>, u64) {
        self.lock().releases.take(in_use)
    }

    /// Its numbers.
    #[must_use]
    pub fn stat(&self) -> GraphStat {
        let state = self.lock();
        GraphStat {
            anonymous: state.anonymous,
            freeing: state.dying.len() + state.trash.len(),
            cycles: state.collector.cycles(),
            collected: state.collector.collected(),
        }
    }

    fn link(&self, parent: MapId, child: MapId) -> Result<(), MapError> {
        let mut state = self.lock();
        let state = &mut *state;
        let lives = |node: &&Node| !node.dying && !state.collector.has_condemned(node);
        for id in [parent, child] {
            state.nodes.get(id.0).filter(lives).ok_or(MapError::Stale)?;
        }
        if let Some(parent) = state.nodes.get_mut(parent.0) {
            *parent.edges.entry(child.0).or_insert(0) += 1;
        }
        if let Some(child) = state.nodes.get_mut(child.0) {
            child.inbound += 1;
        }
        state.collector.shade(&mut state.nodes, child.0);
        Ok(())
    }

    fn unlink(&self, parent: MapId, child: MapId) {
        let mut state = self.lock();
        // The edges of a map that is over are dropped here, not by its entries.
        let Some(node) = state.nodes.get_mut(parent.0).filter(|node| !node.dying) else {
            return;
        };
        let Some(count) = node.edges.get_mut(&child.0) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            node.edges.remove(&child.0);
        }
        if state.lose_edge(child.0) {
            self.busy.store(true, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                state
            }
        }
    }

    /// The lock for a slice of housekeeping, after those who wait for it: a mutex is not fair, and
    /// whoever has just let it go would mostly get it again.
    fn lock_last(&self) -> MutexGuard<'_, State> {
        for _ in 0..YIELDS_MAX {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                break;
            }
            std::thread::yield_now();
        }
        self.lock()
    }
}

impl Root {
    /// The map.
    #[must_use]
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// The graph that it is a root in.
    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }
}

impl Clone for Root {
    fn clone(&self) -> Self {
        let id = self.map.id();
        if let Some(node) = self.graph.lock().nodes.get_mut(id.0) {
            node.roots += 1;
        }
        Self {
            graph: Arc::clone(&self.graph),
            map: Arc::clone(&self.map),
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.graph.lose_root(self.map.id());
    }
}

impl Edges for EdgesOf {
    fn link(&self, child: MapId) -> Result<(), MapError> {
        let graph = self.graph.upgrade().ok_or(MapError::Stale)?;
        graph.link(self.parent, child)
    }

    fn unlink(&self, child: MapId) {
        if let Some(graph) = self.graph.upgrade() {
            graph.unlink(self.parent, child);
        }
    }

    fn ends(&self, at_ms: u64) {
        if let Some(graph) = self.graph.upgrade() {
            graph.sweep_at(self.parent, at_ms);
        }
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Graph").field(&self.stat()).finish()
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Root").field(&self.map.id()).finish()
    }
}
