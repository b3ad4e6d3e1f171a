//! What a root hears of its gRPC calls.

use bytes::Bytes;
use weir_guest::Event;
use weir_guest::door::ContextId;

use super::{Slot, Told};
use crate::grpc::{End, Heard, More};
use crate::world::{GrpcView, LiveWorld};

impl Slot {
    /// A stream of this root heard something. Says whether it is to go on.
    pub(crate) async fn grpc_heard(&self, root: ContextId, token: u32, heard: Heard) -> More {
        if !self.knows_call(root, token) {
            return More::Unwanted;
        }
        self.show_grpc((root, token), heard, |_| {}).over().await;
        // The guest may have cancelled it, or failed.
        if self.knows_call(root, token) {
            More::Wanted
        } else {
            More::Unwanted
        }
    }

    /// A stream of this root ended. The guest may still close it.
    pub(crate) fn grpc_ended(&self, root: ContextId, token: u32, end: End) {
        let known = self.with_root(root, |root| {
            let handle = root.grpc.get_mut(&token)?;
            handle.is_closed_there = true;
            Some(())
        });
        if known.is_none() {
            return;
        }
        self.close_grpc((root, token), end, move |slot| {
            slot.with_root(root, |root| {
                let is_over = root.grpc.get(&token)?.ends_with(token);
                is_over.then(|| root.grpc.remove(&token))?
            });
        });
    }

    /// A unary call of this root ended.
    pub(crate) fn grpc_answered(&self, root: ContextId, token: u32, outcome: Result<Bytes, End>) {
        if !self.knows_call(root, token) {
            return;
        }
        let then = move |slot: &Self| {
            slot.with_root(root, |root| root.grpc.remove(&token));
            slot.leave_copy();
        };
        match outcome {
            Ok(message) => self.show_grpc((root, token), Heard::Message(message), then),
            Err(end) => self.close_grpc((root, token), end, then),
        };
    }

    /// A call of this root was refused when it was made, which its callback tells, too.
    pub(crate) fn grpc_refused(&self, root: ContextId, token: u32, end: End) {
        let known = self.with_root(root, |root| root.calls.remove(&token));
        if known.is_some() {
            self.close_grpc((root, token), end, Self::leave_copy);
        } else {
            self.leave_copy();
        }
    }

    fn knows_call(&self, root: ContextId, token: u32) -> bool {
        let known = self.with_root(root, |root| root.grpc.contains_key(&token).then_some(()));
        known.is_some()
    }

    fn with_root<T>(
        &self,
        root: ContextId,
        with: impl FnOnce(&mut crate::world::Root) -> Option<T>,
    ) -> Option<T> {
        self.with_guest(|guest| guest.vm.world().roots.get_mut(&root).and_then(with))?
    }

    fn with_world<T>(&self, with: impl FnOnce(&mut LiveWorld) -> T) -> Option<T> {
        self.with_guest(|guest| with(&mut guest.vm.world()))
    }

    fn show_grpc(
        &self,
        (root, token): (ContextId, u32),
        heard: Heard,
        then: impl FnOnce(&Self) + 'static,
    ) -> Told {
        let begin = move |slot: &Self| {
            let view = GrpcView::of(heard);
            let event = view.event(root, token);
            slot.with_world(|world| world.grpc = Some(view))?;
            Some(event)
        };
        // A failure is dealt with in the slot.
        let end = move |slot: &Self, _| {
            slot.with_world(|world| world.grpc = None);
            then(slot);
        };
        self.tell(self.filter.limits.call, begin, end)
    }

    fn close_grpc(
        &self,
        (root, token): (ContextId, u32),
        end: End,
        then: impl FnOnce(&Self) + 'static,
    ) -> Told {
        let End { status, message } = end;
        let begin = move |slot: &Self| {
            slot.with_root(root, |root| {
                root.status = (status, message);
                Some(())
            });
            Some(Event::GrpcClose {
                root,
                token,
                status,
            })
        };
        let end = move |slot: &Self, _| {
            // As in Envoy, the code can be read until the next one.
            slot.with_root(root, |root| {
                root.status.1.clear();
                Some(())
            });
            then(slot);
        };
        self.tell(self.filter.limits.call, begin, end)
    }
}
