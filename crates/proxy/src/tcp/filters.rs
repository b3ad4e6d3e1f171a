//! Shows a connection to its network filters, and carries out what they order.
//!
//! As in Envoy, all filters of a direction look at the same bytes: what one leaves is what the next
//! one sees, and what one holds back is shown again, from the first filter on, when more comes.

use std::rc::Rc;

use weir_guest::Event;
use weir_guest::door::{Peer, StreamKind};
use weir_model::{OnFailure, limits};

use super::{Carried, Ending, Far};
use crate::exchange::SeatState;
use crate::message::Side;
use crate::plugin::{Admission, Remark, Slot};
use crate::stream::{Lane, Order};

/// What a filter says of what it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Continue,
    Stop,
}

impl Carried {
    /// Shows what has come from the client to the filters from `first` on, and sends on what all
    /// let pass. Filters that have not seen the connection see it first.
    pub(super) fn pass_on(&mut self, first: usize) -> Result<(), Ending> {
        for stage in first..self.seats.len() {
            if self.seats[stage].state == SeatState::Unseen && self.greet(stage)? == Verdict::Stop {
                return Ok(());
            }
            let (size, end) = self.look(|lanes| &lanes.downstream);
            if size == 0 && !end {
                continue;
            }
            let verdict = self.ask(stage, Side::Request, |context| Event::DownstreamData {
                context,
                size,
                end,
            })?;
            if verdict == Verdict::Stop {
                return Ok(());
            }
        }
        self.send_on();
        Ok(())
    }

    /// Shows what has come from the upstream to the filters before `last`, the last one first.
    pub(super) fn pass_back(&mut self, last: usize) -> Result<(), Ending> {
        for stage in (0..last).rev() {
            let (size, end) = self.look(|lanes| &lanes.upstream);
            let verdict = self.ask(stage, Side::Response, |context| Event::UpstreamData {
                context,
                size,
                end,
            })?;
            if end {
                // Whatever it said: nothing else will come.
                self.tell(stage, |context| Event::UpstreamConnectionClose {
                    context,
                    by: Peer::Unknown,
                });
                self.obey()?;
            }
            if verdict == Verdict::Stop {
                return Ok(());
            }
        }
        self.send_back();
        Ok(())
    }

    /// Length and end of a lane.
    fn look(&self, which: impl Fn(&crate::stream::Lanes) -> &Lane) -> (u32, bool) {
        let stream = self.stream.borrow();
        let lane = stream.lanes.as_deref().map(which);
        lane.map_or((0, false), |lane| {
            let size = u32::try_from(lane.bytes.len()).unwrap_or(u32::MAX);
            (size, lane.end)
        })
    }

    /// Gives the filter a context and shows it the connection.
    fn greet(&mut self, stage: usize) -> Result<Verdict, Ending> {
        let link = &self.chain[stage];
        let (slot, admission) = link.slot.enter(link.root, (&self.stream, stage));
        self.seats[stage].slot = slot;
        match admission {
            Admission::Context { id, life } => {
                self.seats[stage].state = SeatState::Present { context: id, life };
                self.stream.borrow_mut().access[stage].context = id;
            }
            Admission::Wait => {
                self.awaits_vm = Some(stage);
                return Ok(Verdict::Stop);
            }
            Admission::Bypass => self.seats[stage].state = SeatState::Bypassed,
            Admission::Refuse => return Err(Ending::failed()),
        }
        self.obey()?;
        self.deliver(stage, |context| Event::NewConnection { context })
    }

    /// Shows bytes to one filter, which may touch them until it lets them pass.
    fn ask(
        &mut self,
        stage: usize,
        side: Side,
        event: impl FnOnce(u32) -> Event,
    ) -> Result<Verdict, Ending> {
        self.open(stage, side, true);
        let verdict = self.deliver(stage, event)?;
        if verdict == Verdict::Continue {
            self.open(stage, side, false);
        }
        Ok(verdict)
    }

    fn open(&self, stage: usize, side: Side, is_open: bool) {
        let access = &mut self.stream.borrow_mut().access[stage];
        match side {
            Side::Request => access.downstream = is_open,
            Side::Response => access.upstream = is_open,
        }
    }

    /// Delivers an event and carries out what the guest ordered, before its result counts.
    fn deliver(
        &mut self,
        stage: usize,
        event: impl FnOnce(u32) -> Event,
    ) -> Result<Verdict, Ending> {
        let before = self.asked.replace(stage);
        let result = self.tell(stage, event);
        self.obey()?;
        self.asked = before;
        Ok(match (result, self.seats[stage].state) {
            (_, SeatState::Bypassed) | (Some(0), _) => Verdict::Continue,
            _ => Verdict::Stop,
        })
    }

    /// Delivers an event; `None`: there is no guest, or it failed.
    pub(super) fn tell(&self, stage: usize, event: impl FnOnce(u32) -> Event) -> Option<i32> {
        let SeatState::Present { context, life } = self.seats[stage].state else {
            return None;
        };
        let slot = self.slot(stage);
        if slot.life() != life {
            return None;
        }
        let limit = self.chain[stage].filter.limits.call;
        slot.deliver(&event(context), limit).ok()
    }

    /// The slot that has the filter's context.
    pub(super) fn slot(&self, stage: usize) -> &Rc<Slot> {
        let own = self.seats[stage].slot.as_ref();
        own.unwrap_or(&self.chain[stage].slot)
    }

    /// Carries out what guests ordered, in their order.
    pub(super) fn obey(&mut self) -> Result<bool, Ending> {
        let mut moved = false;
        loop {
            let orders = std::mem::take(&mut self.stream.borrow_mut().orders);
            if orders.is_empty() {
                return Ok(moved);
            }
            moved = true;
            for order in orders {
                match order {
                    Order::PassOn { stage } => self.resume(stage)?,
                    Order::Hang(StreamKind::Upstream) => {
                        return Err(Ending::ordered("wasm_upstream_close"));
                    }
                    Order::Hang(_) => return Err(Ending::ordered("wasm_downstream_close")),
                    Order::Failed { stage } => self.filter_failed(stage)?,
                    // What has come over a connection cannot come again.
                    Order::Lost { stage } => {
                        self.slot(stage).note_lost_stream();
                        self.filter_failed(stage)?;
                    }
                    // They mean nothing on a TCP connection, as in Envoy.
                    Order::Resume { .. }
                    | Order::Answer { .. }
                    | Order::Close
                    | Order::Inject { .. } => {}
                }
            }
        }
    }

    fn resume(&mut self, stage: usize) -> Result<(), Ending> {
        if stage >= self.seats.len() {
            return Ok(());
        }
        if self.continues >= limits::TCP_CONTINUES_MAX {
            let (meter, connection) = (self.chain[stage].slot.meter(), self.connection.id);
            meter.remark(Remark::Circle, |filter, untold| {
                tracing::error!(
                    connection,
                    filter,
                    untold,
                    "network filters continue the connection in circles: it is closed"
                );
            });
            return Err(Ending::failed());
        }
        self.continues += 1;
        let outcome = self.pass_on(stage + 1);
        self.continues -= 1;
        outcome
    }

    /// A filter's VM is gone. Open: from here on everything passes it, what it held included. Else
    /// the connection is closed.
    fn filter_failed(&mut self, stage: usize) -> Result<(), Ending> {
        if self.seats[stage].state == SeatState::Bypassed {
            return Ok(());
        }
        self.seats[stage].state = SeatState::Bypassed;
        if self.chain[stage].filter.on_failure != OnFailure::Open {
            return Err(Ending::failed());
        }
        if self.asked == Some(stage) {
            return Ok(());
        }
        self.awaits_vm = None;
        self.pass_on(stage + 1)?;
        if self.stream.borrow().access[stage].upstream {
            self.pass_back(stage)?;
        }
        Ok(())
    }

    /// What all filters let pass goes to the upstream, which is connected to first.
    fn send_on(&mut self) {
        match &mut self.far {
            Far::Unasked => self.far = Far::Wanted,
            Far::Wanted | Far::Connecting(_) => {}
            Far::Connected { wire, .. } => {
                if let Some(lanes) = self.stream.borrow_mut().lanes.as_deref_mut() {
                    wire.out.append(&mut lanes.downstream.bytes);
                    wire.out_ends |= lanes.downstream.end;
                }
            }
        }
    }

    fn send_back(&mut self) {
        if let Some(lanes) = self.stream.borrow_mut().lanes.as_deref_mut() {
            self.near.out.append(&mut lanes.upstream.bytes);
            self.near.out_ends |= lanes.upstream.end;
        }
    }
}
