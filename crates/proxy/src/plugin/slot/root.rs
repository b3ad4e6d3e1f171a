//! What root contexts are told: timers, queues, ends of what they began, the end of the worker.

use bytes::Bytes;
use weir_guest::Event;
use weir_guest::door::ContextId;

use super::fate::Replaced;
use super::{Failed, Slot};
use crate::stream::StreamRef;
use crate::world::CalloutView;

impl Slot {
    /// Lets an access-log plugin see a stream that is complete.
    pub(in crate::plugin) fn log_here(&self, root: usize, stream: &StreamRef) {
        if self.vm.borrow().is_none() {
            match self.replace() {
                Replaced::Yes => {}
                Replaced::Soon => {
                    let stream = StreamRef::clone(stream);
                    self.after_start(move |slot| slot.log_here(root, &stream));
                    return;
                }
                Replaced::No => return,
            }
        }
        let context = self.with_guest(|guest| {
            let context = guest.roots[root];
            guest.vm.world().lend(context, Some(stream));
            context
        });
        let Some(context) = context else { return };
        let outcome = self.deliver(&Event::Log { context }, self.filter.limits.call);
        if outcome.is_ok() {
            self.with_guest(|guest| guest.vm.world().lend(context, None));
        }
    }

    /// The root's timer fired. Says whether it goes on ticking.
    pub(crate) fn tick(&self, root: ContextId) -> bool {
        self.deliver(&Event::Tick { root }, self.filter.limits.call)
            .is_ok()
    }

    /// A queue that this root registered in this life got an item.
    pub(crate) fn queue_ready(&self, root: ContextId, token: u32) {
        if self.is_starting() {
            if !self.after_start(move |slot| slot.queue_ready(root, token)) {
                crate::world::tell_of_notice(&self.meter, token);
            }
            return;
        }
        // A failure is dealt with in the slot; nobody waits for a result here.
        let _ = self.deliver(&Event::QueueReady { root, token }, self.filter.limits.call);
    }

    /// A callout of this root ended.
    pub(crate) fn callout_ended(&self, root: ContextId, token: u32, view: CalloutView) {
        let event = view.event(root, token);
        let known = self.with_guest(|guest| {
            let world = guest.vm.world();
            let Some(known) = world.roots.get_mut(&root) else {
                return false;
            };
            known.calls.remove(&token);
            known.status = view.status();
            world.callout = Some(view);
            true
        });
        if known != Some(true) {
            return;
        }
        let outcome = self.deliver(&event, self.filter.limits.call);
        if outcome.is_ok() {
            self.with_guest(|guest| {
                let world = guest.vm.world();
                world.callout = None;
                if let Some(known) = world.roots.get_mut(&root) {
                    known.status.1.clear();
                }
            });
        }
        self.leave_copy();
    }

    /// A Redis command of this root was answered; `None`: the connection failed.
    pub(crate) fn redis_ended(&self, root: ContextId, token: u32, reply: Option<Bytes>) {
        let event = self.with_guest(|guest| guest.vm.world().show_redis(root, token, reply));
        let Some(event) = event.flatten() else {
            return;
        };
        let outcome = self.deliver(&event, self.filter.limits.call);
        if outcome.is_ok() {
            self.with_guest(|guest| guest.vm.world().hide_redis(root));
        }
        self.leave_copy();
    }

    /// Whether a root has been told to end and has not yet.
    pub(in crate::plugin) fn has_ending_root(&self) -> bool {
        let ending = self.with_guest(|guest| guest.vm.world().has_ending_root());
        ending.unwrap_or_default()
    }

    /// The worker drains: every root is told; those that need more time say `proxy_done` later.
    pub(in crate::plugin) fn drain_here(&self) {
        let roots = self
            .with_guest(|guest| guest.vm.world().root_ids())
            .unwrap_or_default();
        for context in roots {
            match self.deliver(&Event::Done { context }, self.filter.limits.call) {
                Ok(0) => {
                    self.with_guest(|guest| {
                        if let Some(root) = guest.vm.world().roots.get_mut(&context) {
                            root.is_ending = true;
                        }
                    });
                }
                Ok(_) => self.delete_root(context),
                Err(Failed) => return,
            }
        }
    }

    /// Ends a root context.
    pub(crate) fn delete_root(&self, context: ContextId) {
        let outcome = self.deliver(&Event::Delete { context }, self.filter.limits.call);
        if outcome.is_ok() {
            self.with_guest(|guest| guest.vm.world().roots.remove(&context));
            self.end_if_retired();
        }
    }
}
