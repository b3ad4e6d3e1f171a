//! What root contexts are told: timers, queues, ends of what they began, the end of the worker.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use weir_guest::Event;
use weir_guest::door::ContextId;

use super::fate::Replaced;
use super::{Failed, Slot, Told};
use crate::plugin::Remark;
use crate::stream::StreamRef;
use crate::world::{CalloutView, Watched};

impl Slot {
    /// Lets an access-log plugin see a stream that is complete.
    pub(in crate::plugin) fn log_here(&self, root: usize, stream: &StreamRef) -> Option<Told> {
        if self.vm.borrow().is_none() {
            match self.replace() {
                Replaced::Yes => {}
                Replaced::Soon => {
                    let stream = StreamRef::clone(stream);
                    self.after_start(move |slot| {
                        slot.log_here(root, &stream);
                    });
                    return None;
                }
                Replaced::No => return None,
            }
        }
        let context = self.with_guest(|guest| guest.roots[root])?;
        let lent = StreamRef::clone(stream);
        let begin = move |slot: &Self| {
            slot.with_guest(|guest| guest.vm.world().lend(context, Some(&lent)))?;
            Some(Event::Log { context })
        };
        let end = move |slot: &Self, outcome: Result<i32, Failed>| {
            if outcome.is_ok() {
                slot.with_guest(|guest| guest.vm.world().lend(context, None));
            }
        };
        Some(self.tell(self.filter.limits.call, begin, end))
    }

    /// The root's timer fired. Says whether it goes on ticking, when the guest has returned.
    pub(crate) async fn tick(&self, root: ContextId) -> bool {
        let goes_on = Rc::new(Cell::new(false));
        let ended = Rc::clone(&goes_on);
        let end = move |_: &Self, outcome: Result<i32, Failed>| ended.set(outcome.is_ok());
        let limit = self.filter.limits.call;
        let told = self.tell(limit, move |_| Some(Event::Tick { root }), end);
        told.over().await;
        goes_on.get()
    }

    /// A queue that this root registered in this life got an item.
    pub(crate) fn queue_ready(&self, root: ContextId, token: u32) {
        if self.is_starting() {
            if !self.after_start(move |slot| slot.queue_ready(root, token)) {
                crate::world::tell_of_notice(&self.meter, token);
            }
            return;
        }
        if self.is_line_full() {
            crate::world::tell_of_notice(&self.meter, token);
            return;
        }
        // A failure is dealt with in the slot; nobody waits for a result here.
        let event = Event::QueueReady { root, token };
        self.tell(self.filter.limits.call, move |_| Some(event), |_, _| {});
    }

    /// A watch of a shared map has something to tell.
    pub(crate) fn map_changed(&self, watched: &Watched) {
        if self.is_starting() {
            let later = watched.clone();
            if !self.after_start(move |slot| slot.map_changed(&later)) {
                self.tell_of_map_notice();
            }
            return;
        }
        if self.is_line_full() {
            return self.tell_of_map_notice();
        }
        let watched = watched.clone();
        let begin = move |slot: &Self| {
            let context = slot.with_guest(|guest| guest.vm.world().listener(&watched))?;
            let watch = watched.watch;
            Some(Event::MapChange { context, watch })
        };
        let end = |slot: &Self, _| slot.leave_copy();
        self.tell(self.filter.limits.call, begin, end);
    }

    /// A shared map is gone that this filter had put somewhere or borrowed.
    pub(crate) fn map_released(&self, map: u64) {
        if self.is_starting() {
            if !self.after_start(move |slot| slot.map_released(map)) {
                self.tell_of_map_notice();
            }
            return;
        }
        if self.is_line_full() {
            return self.tell_of_map_notice();
        }
        let begin = move |slot: &Self| {
            let root = slot.with_guest(|guest| guest.roots.first().copied());
            root.flatten().map(|root| Event::MapRelease { root, map })
        };
        self.tell(self.filter.limits.call, begin, |_, _| {});
    }

    fn tell_of_map_notice(&self) {
        self.meter.remark(Remark::MapNotice, |filter, untold| {
            tracing::warn!(filter, untold, "a notice of a shared map was dropped");
        });
    }

    /// A callout of this root ended.
    pub(crate) fn callout_ended(&self, root: ContextId, token: u32, view: CalloutView) {
        let is_known = self.with_guest(|guest| guest.vm.world().roots.contains_key(&root));
        if is_known != Some(true) {
            return;
        }
        let begin = move |slot: &Self| {
            let event = view.event(root, token);
            let known = slot.with_guest(|guest| guest.vm.world().show_callout(root, token, view));
            (known == Some(true)).then_some(event)
        };
        let end = move |slot: &Self, outcome: Result<i32, Failed>| {
            if outcome.is_ok() {
                slot.with_guest(|guest| guest.vm.world().hide_callout(root));
            }
            slot.leave_copy();
        };
        self.tell(self.filter.limits.call, begin, end);
    }

    /// A Redis command of this root was answered; `None`: the connection failed.
    pub(crate) fn redis_ended(&self, root: ContextId, token: u32, reply: Option<Bytes>) {
        let is_known = self.with_guest(|guest| guest.vm.world().roots.contains_key(&root));
        if is_known != Some(true) {
            return;
        }
        let begin = move |slot: &Self| {
            let event = slot.with_guest(|guest| guest.vm.world().show_redis(root, token, reply));
            event.flatten()
        };
        let end = move |slot: &Self, outcome: Result<i32, Failed>| {
            if outcome.is_ok() {
                slot.with_guest(|guest| guest.vm.world().hide_redis(root));
            }
            slot.leave_copy();
        };
        self.tell(self.filter.limits.call, begin, end);
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
            if self.vm.borrow().is_none() {
                return;
            }
            let end = move |slot: &Self, outcome: Result<i32, Failed>| match outcome {
                Ok(0) => {
                    slot.with_guest(|guest| {
                        if let Some(root) = guest.vm.world().roots.get_mut(&context) {
                            root.is_ending = true;
                        }
                    });
                }
                Ok(_) => slot.delete_root(context),
                Err(Failed) => {}
            };
            let limit = self.filter.limits.call;
            self.tell(limit, move |_| Some(Event::Done { context }), end);
        }
    }

    /// Ends a root context.
    pub(crate) fn delete_root(&self, context: ContextId) {
        let end = move |slot: &Self, outcome: Result<i32, Failed>| {
            if outcome.is_ok() {
                slot.with_guest(|guest| guest.vm.world().roots.remove(&context));
                slot.end_if_retired();
            }
        };
        let limit = self.filter.limits.call;
        self.tell(limit, move |_| Some(Event::Delete { context }), end);
    }
}
