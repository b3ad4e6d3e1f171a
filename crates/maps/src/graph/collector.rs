//! Finds cycles of maps that no root reaches, a few steps at a time.
//!
//! A cycle of the collector marks what the roots reach and condemns the rest. It runs only when some
//! node lost its last root, or an edge to it, and is kept by edges alone. While it marks, a node that
//! gets a root or an edge is marked at once, and so is a new one: no marked node ever refers to one
//! that is neither marked nor going to be. What is not marked in the end was unreachable already
//! when the marking ended, so nobody can have got hold of it since.

use std::ops::Bound;

use super::slab::Slab;
use super::stack::Stack;
use super::{Node, State};

/// What the collector knows.
#[derive(Default)]
pub(super) struct Collector {
    phase: Phase,
    /// The number of the cycle that runs, or ran last.
    cycle: u64,
    /// Marked nodes whose edges were not followed yet. Some of them may be freed by now.
    grey: Stack,
    /// Something may have become unreachable since the cycle began.
    suspicion: bool,
    cycles: u64,
    collected: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Rest,
    /// Looks for roots, from this place on.
    Roots(u32),
    /// Follows the edges of grey nodes; of one it has followed those up to this child.
    Edges(Option<(u64, Option<u64>)>),
    /// Condemns what is not marked, from this place on.
    Sweep(u32),
}

impl Collector {
    /// A node may be kept by a cycle of references alone.
    pub(super) fn suspect(&mut self) {
        self.suspicion = true;
    }

    /// What a new node is marked with.
    pub(super) fn cycle(&self) -> u64 {
        self.cycle
    }

    pub(super) fn cycles(&self) -> u64 {
        self.cycles
    }

    pub(super) fn collected(&self) -> u64 {
        self.collected
    }

    /// Whether a node is known to be unreachable, and only waits for the sweep.
    pub(super) fn has_condemned(&self, node: &Node) -> bool {
        self.is_sweeping() && node.marked != self.cycle
    }

    pub(super) fn is_sweeping(&self) -> bool {
        matches!(self.phase, Phase::Sweep(_))
    }

    /// A node got a root or an edge: it is reachable as far as this cycle is concerned.
    pub(super) fn shade(&mut self, nodes: &mut Slab, id: u64) {
        match self.phase {
            Phase::Roots(_) | Phase::Edges(_) => self.mark(nodes, id),
            Phase::Rest | Phase::Sweep(_) => {}
        }
    }

    fn mark(&mut self, nodes: &mut Slab, id: u64) {
        let Some(node) = nodes.get_mut(id) else {
            return;
        };
        if node.marked != self.cycle && !node.dying {
            node.marked = self.cycle;
            self.grey.push(id);
        }
    }
}

impl State {
    /// Does `steps` steps. `true`: there is nothing to do.
    pub(super) fn collect(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            match self.collector.phase {
                Phase::Rest if !self.collector.suspicion => return true,
                Phase::Rest => {
                    self.collector.suspicion = false;
                    self.collector.cycle += 1;
                    self.collector.phase = Phase::Roots(0);
                }
                Phase::Roots(place) => self.look_for_root(place),
                Phase::Edges(at) => self.follow(at),
                Phase::Sweep(place) => self.sweep(place),
            }
        }
        false
    }

    fn look_for_root(&mut self, place: u32) {
        if place >= self.nodes.places() {
            self.collector.phase = Phase::Edges(None);
            return;
        }
        let root = self.nodes.at(place).filter(|(_, node)| node.roots > 0);
        if let Some(id) = root.map(|(id, _)| id) {
            self.collector.mark(&mut self.nodes, id);
        }
        self.collector.phase = Phase::Roots(place + 1);
    }

    /// One edge, or the next node whose edges are to be followed.
    fn follow(&mut self, at: Option<(u64, Option<u64>)>) {
        let Some((id, after)) = at else {
            self.collector.phase = match self.collector.grey.pop() {
                Some(id) => Phase::Edges(Some((id, None))),
                None => Phase::Sweep(0),
            };
            return;
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let children = self.nodes.get(id).map(|node| &node.edges);
        let child = children.and_then(|edges| edges.range((from, Bound::Unbounded)).next());
        let Some(child) = child.map(|(child, _)| *child) else {
            self.collector.phase = Phase::Edges(None);
            return;
        };
        self.collector.mark(&mut self.nodes, child);
        self.collector.phase = Phase::Edges(Some((id, Some(child))));
    }

    fn sweep(&mut self, place: u32) {
        if place >= self.nodes.places() {
            self.collector.phase = Phase::Rest;
            self.collector.cycles += 1;
            return;
        }
        self.collector.phase = Phase::Sweep(place + 1);
        let unmarked =
            |(_, node): &(u64, &Node)| !node.dying && node.marked != self.collector.cycle;
        if let Some(id) = self.nodes.at(place).filter(unmarked).map(|(id, _)| id) {
            self.collector.collected += 1;
            self.condemn(id);
        }
    }
}
