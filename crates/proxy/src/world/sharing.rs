//! A live world that can be looked at while its guest is suspended, and what that guest has ordered.
//!
//! Invariants: it is borrowed for as long as one call or one look lasts, never across a wait; orders
//! reach an exchange when the guest has returned.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;

use weir_guest::{Answer, Call, Event, Failure, MemoryBudget, Reply, Stop, World};
use weir_model::Exceeded;

use super::LiveWorld;
use crate::stream::{Order, StreamRef};

/// The world of a guest that may wait.
#[derive(Clone)]
pub(crate) struct SharedWorld(Rc<RefCell<LiveWorld>>);

impl SharedWorld {
    pub(crate) fn new(mut world: LiveWorld) -> Self {
        world.keep_orders();
        Self(Rc::new(RefCell::new(world)))
    }

    /// The world, for a moment.
    pub(crate) fn borrow(&self) -> RefMut<'_, LiveWorld> {
        self.0.borrow_mut()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl World for SharedWorld {
    fn enter(&mut self, event: &Event) {
        self.borrow().enter(event);
    }

    fn leave(&mut self, event: &Event, outcome: &Result<i32, Failure>) {
        self.borrow().leave(event, outcome);
    }

    fn allows(&self, name: &str) -> bool {
        self.borrow().allows(name)
    }

    fn memory_budget(&self) -> Option<Arc<MemoryBudget>> {
        self.borrow().memory_budget()
    }

    fn exceeded(&mut self, what: Exceeded) {
        self.borrow().exceeded(what);
    }

    fn watches(&self) -> bool {
        self.borrow().watches()
    }

    fn has_files(&self) -> bool {
        self.borrow().has_files()
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        self.borrow().call(call)
    }

    fn arrive(&mut self, reply: Reply) -> Result<Reply, Stop> {
        self.borrow().arrive(reply)
    }
}

impl LiveWorld {
    /// Whether the guest can wait for an answer: suspended, or on a thread of its own.
    pub(super) fn can_wait(&self) -> bool {
        self.kept.is_some() || self.gate.is_some()
    }

    /// What the guest orders takes effect when it has returned, not when it waits.
    fn keep_orders(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// Gives an order to the exchange of a stream.
    pub(super) fn order(&mut self, stream: &StreamRef, order: Order) {
        match &mut self.kept {
            Some(kept) => kept.push((Rc::clone(stream), order)),
            None => stream.borrow_mut().order(order),
        }
    }

    /// What has been ordered for a stream and not yet given to it.
    pub(super) fn kept_orders(&mut self, stream: &StreamRef) -> impl Iterator<Item = &mut Order> {
        let kept = self.kept.iter_mut().flatten();
        kept.filter_map(|(of, order)| Rc::ptr_eq(of, stream).then_some(order))
    }

    /// Gives all orders that were kept.
    pub(super) fn give_orders(&mut self) {
        for (stream, order) in self.kept.iter_mut().flat_map(std::mem::take) {
            stream.borrow_mut().order(order);
        }
    }

    /// Gives an answer to a stream. The first one is sent; the log has the words of the last one, as
    /// Envoy's.
    pub(super) fn give_answer(&mut self, stream: &StreamRef, order: Order) {
        let earlier = self.kept_orders(stream).find_map(Order::answer);
        let Order::Answer { answer, .. } = &order else {
            return;
        };
        if let Some(earlier) = earlier {
            earlier.details.clone_from(&answer.details);
            return;
        }
        {
            let stream = &mut *stream.borrow_mut();
            if let Some(earlier) = stream.orders.iter_mut().find_map(Order::answer) {
                earlier.details.clone_from(&answer.details);
                return;
            }
            if stream.is_logging {
                return;
            }
        }
        self.order(stream, order);
    }
}
