//! Which server a slot is on: the only one, the primary of the sentinels, or a node of the cluster.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use tokio::sync::Notify;
use weir_model::limits::redis as limits;

use super::connect::Target;
use super::node::Node;
use super::tend::Followers;
use super::topology;
use crate::redis::{RedisKind, Setup};

/// What all tasks of the thread share.
pub(super) struct Hub {
    pub(super) config: Arc<Setup>,
    /// The only server; `None`: there is a cluster.
    only: Option<Rc<Node>>,
    pub(super) nodes: RefCell<HashMap<String, Rc<Node>>>,
    /// The last slot of each range: its first one, and whose it is.
    pub(super) slots: RefCell<BTreeMap<u16, (u16, Rc<Node>)>>,
    /// The layout of the cluster changed.
    pub(super) changed: Notify,
    /// The layout is not as it is known.
    pub(super) stale: Rc<Notify>,
    pub(super) followers: Followers,
    alive: Weak<()>,
}

impl Hub {
    /// Begins to connect. It ends when nothing is `alive` any more.
    pub(super) fn start(config: Arc<Setup>, alive: Weak<()>) -> Rc<Self> {
        let stale = Rc::new(Notify::new());
        let only = match (&config.kind, config.addresses.first()) {
            (RedisKind::Single, Some(address)) => Some(Target::Fixed(address.clone())),
            (RedisKind::Sentinel { primary }, _) => Some(Target::Primary(primary.clone())),
            _ => None,
        };
        let only = only.map(|target| Node::start(&config, target, &stale));
        let hub = Rc::new(Self {
            config,
            only,
            nodes: RefCell::default(),
            slots: RefCell::default(),
            changed: Notify::new(),
            stale,
            followers: Followers::default(),
            alive,
        });
        if hub.only.is_none() {
            drop(tokio::task::spawn_local(topology::keep(Rc::clone(&hub))));
        }
        hub
    }

    /// Comes back when nobody uses it any more and all connections are on their way out.
    pub(super) async fn end(self: Rc<Self>) {
        while self.alive.strong_count() > 0 {
            tokio::time::sleep(limits::LEAVING_PAUSE).await;
        }
        let nodes = self.nodes.borrow();
        for node in nodes.values().chain(&self.only) {
            node.retire();
        }
        self.stale.notify_one();
    }

    /// Whether somebody uses it.
    pub(super) fn is_alive(&self) -> bool {
        self.alive.strong_count() > 0
    }

    /// Who has a slot, as soon as somebody has it.
    pub(super) async fn owner(&self, slot: u16) -> Rc<Node> {
        if let Some(only) = &self.only {
            return Rc::clone(only);
        }
        loop {
            let changed = self.changed.notified();
            if let Some(node) = self.known_owner(slot) {
                return node;
            }
            self.stale.notify_one();
            changed.await;
        }
    }

    fn known_owner(&self, slot: u16) -> Option<Rc<Node>> {
        let slots = self.slots.borrow();
        let (_, (first, node)) = slots.range(slot..).next()?;
        (*first <= slot).then(|| Rc::clone(node))
    }

    /// Why a slot has no connection.
    pub(super) fn why(&self, slot: u16) -> String {
        let owner = self.only.clone().or_else(|| self.known_owner(slot));
        owner.map_or_else(
            || format!("nobody has slot {slot} of the cluster"),
            |node| node.why(),
        )
    }

    /// The node at an address.
    pub(super) fn node(&self, address: &str) -> Rc<Node> {
        let mut nodes = self.nodes.borrow_mut();
        let known = nodes.entry(address.to_owned());
        let start = || Node::start(&self.config, Target::Fixed(address.to_owned()), &self.stale);
        Rc::clone(known.or_insert_with(start))
    }
}
