//! What a copy of a VM has of the world of the VM that it is a copy of.
//!
//! The VM's memory holds numbers that the host gave out: ids of contexts, tokens, metrics,
//! expressions. A copy needs what they stand for. It gets no timer and no call in flight: those
//! belong to the root.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use weir_guest::door::ContextId;
use weir_maps::Handles;
use weir_model::Filter;

use super::shared::GuestMetrics;
use super::shared_maps::MapSeat;
use super::{LiveWorld, RedisSettings, Root};
use crate::foreign::{DeclareProperty, Expressions};
use crate::gateway::Shared;
use crate::plugin::Slot;

/// The host's side of a snapshot.
#[derive(Clone)]
pub(crate) struct WorldPrint {
    roots: Vec<(ContextId, RootPrint)>,
    next_context: ContextId,
    next_token: u32,
    grpc_tokens: [u32; 2],
    metrics: Arc<GuestMetrics>,
    /// Handles of shared maps, if it has any.
    maps: Option<Arc<Handles>>,
}

#[derive(Clone)]
struct RootPrint {
    filter: Arc<Filter>,
    configuration: Bytes,
    status: (u32, Bytes),
    expressions: Arc<Expressions>,
    declared: Arc<Vec<DeclareProperty>>,
    redis: Arc<FxHashMap<String, RedisSettings>>,
}

impl WorldPrint {
    /// Whether copies that know this one know the other one, too.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let numbers = |print: &Self| (print.next_context, print.next_token, print.grpc_tokens);
        numbers(self) == numbers(other)
            && Arc::ptr_eq(&self.metrics, &other.metrics)
            && self.maps.as_ref().map(Arc::as_ptr) == other.maps.as_ref().map(Arc::as_ptr)
            && self.roots.len() == other.roots.len()
            && self
                .roots
                .iter()
                .zip(&other.roots)
                .all(|((id, root), (other_id, other_root))| {
                    id == other_id && root.is_same(other_root)
                })
    }
}

impl RootPrint {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.expressions, &other.expressions)
            && Arc::ptr_eq(&self.declared, &other.declared)
            && Arc::ptr_eq(&self.redis, &other.redis)
            && self.status == other.status
    }

    fn of(root: &Root) -> Self {
        Self {
            filter: Arc::clone(&root.filter),
            configuration: root.configuration.clone(),
            status: root.status.clone(),
            expressions: Arc::clone(&root.expressions),
            declared: Arc::clone(&root.declared),
            redis: Arc::clone(&root.redis),
        }
    }

    fn root(&self) -> Root {
        let mut root = Root::new(Arc::clone(&self.filter), self.configuration.clone());
        self.restore(&mut root);
        root
    }

    /// Makes a root what it was, whatever a copy has done to it.
    fn restore(&self, root: &mut Root) {
        root.end_calls();
        root.lent = None;
        root.is_ending = false;
        root.status.clone_from(&self.status);
        root.expressions.clone_from(&self.expressions);
        root.declared.clone_from(&self.declared);
        root.redis.clone_from(&self.redis);
    }
}

impl LiveWorld {
    /// What copies of this VM, as it is now, are to know.
    pub(crate) fn print(&self) -> WorldPrint {
        let roots = self.roots.iter();
        WorldPrint {
            roots: roots.map(|(id, root)| (*id, RootPrint::of(root))).collect(),
            next_context: self.next_context,
            next_token: self.next_token,
            grpc_tokens: self.grpc_tokens,
            metrics: Arc::clone(&self.metrics),
            maps: self.maps.as_deref().map(MapSeat::print),
        }
    }

    /// The world of a copy.
    pub(crate) fn of_copy(shared: Rc<Shared>, slot: &Rc<Slot>, print: &WorldPrint) -> Self {
        let mut world = Self::new(shared, slot);
        world.restore(print);
        world
    }

    /// Makes the world of a copy what it was, for another stream. Calls in flight are cut off.
    pub(crate) fn restore(&mut self, print: &WorldPrint) {
        if self.roots.len() != print.roots.len() {
            self.roots.clear();
        }
        for (id, root) in &print.roots {
            let place = self.roots.entry(*id);
            root.restore(place.or_insert_with(|| root.root()));
        }
        self.seats.clear();
        self.next_context = print.next_context;
        self.next_token = print.next_token;
        self.grpc_tokens = print.grpc_tokens;
        self.metrics.clone_from(&print.metrics);
        let process = &self.shared.process;
        MapSeat::restore(&mut self.maps, print.maps.as_ref(), process);
        self.callout = None;
        self.grpc = None;
        self.redis_reply = Bytes::new();
        self.files = weir_guest::files::Files::new(self.rules.folders.clone());
    }

    /// Whether nothing will happen here unless a stream comes.
    pub(crate) fn is_at_rest(&self) -> bool {
        let maps = self.maps.as_deref();
        !self.has_queues
            && maps.is_none_or(MapSeat::is_at_rest)
            && self.roots.values().all(Root::is_at_rest)
    }

    /// Whether something that a copy began is still to be answered. Streams of gRPC do not count:
    /// they end with the stream that opened them.
    pub(crate) fn awaits_answers(&self) -> bool {
        self.roots.values().any(Root::awaits_answers)
    }
}
