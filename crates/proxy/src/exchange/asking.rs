//! Parts of an exchange that guests look at which wait.
//!
//! Invariant: what a guest says is taken up before its orders are carried out, and nothing more is
//! shown on the same side before.

use super::Exchange;
use crate::flow::Part;
use crate::message::Side;
use crate::plugin::Ticket;
use crate::world::stage_index;

/// Parts that guests look at which wait: one of each side at most.
#[derive(Default)]
pub(super) struct Asking {
    pub(super) request: Option<Asked>,
    pub(super) response: Option<Asked>,
}

/// A part that a guest looks at which waits.
pub(super) struct Asked {
    pub(super) stage: usize,
    pub(super) part: Part,
    pub(super) ticket: Ticket,
}

impl Asking {
    pub(super) fn of(&mut self, side: Side) -> &mut Option<Asked> {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

impl Exchange {
    /// Takes up what guests said that have waited. To be done before their orders are carried out.
    pub(super) fn take_up(&mut self) -> bool {
        self.take_up_on(Side::Request) | self.take_up_on(Side::Response)
    }

    fn take_up_on(&mut self, side: Side) -> bool {
        let asked = self.asking.of(side);
        let Some(told) = asked.as_ref().and_then(|asked| asked.ticket.outcome()) else {
            return false;
        };
        let Some(Asked { stage, part, .. }) = asked.take() else {
            return false;
        };
        let (action, made_trailers) = self.learn(stage, (side, part), told);
        let stream = &mut *self.stream.borrow_mut();
        // An answer may have taken the place of what it looked at.
        if let Some(index) = stage_index(stream, stage, side)
            && stream.flow(side).is_showing(index, part)
        {
            stream.flow(side).apply(index, part, action, made_trailers);
        }
        true
    }

    /// The time is over for guests that still wait: the exchange goes on without them. They learn of
    /// its end when they have returned.
    pub(super) fn leave_waiting(&mut self) {
        for side in [Side::Request, Side::Response] {
            if let Some(Asked { stage, ticket, .. }) = self.asking.of(side).take() {
                ticket.cancel();
                // If both sides are there, one of them stands in line behind the other.
                let left = &mut self.seats[stage].left;
                if left.is_none() || ticket.has_begun() {
                    *left = Some(ticket);
                }
            }
        }
    }

    /// Whether the exchange goes on without a filter.
    pub(super) fn is_left(&self, stage: usize) -> bool {
        let seat = self.seats.get(stage);
        seat.is_some_and(|seat| seat.left.is_some())
    }
}
