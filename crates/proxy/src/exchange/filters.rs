//! Shows an exchange to the filters of its route, and carries out what they order.

use std::time::Duration;

use bytes::Bytes;
use weir_guest::Event;
use weir_model::{Limit, OnFailure};

use super::asking::Asked;
use super::{Exchange, Reply, SeatState};
use crate::flow::{Action, Part};
use crate::listen::Reset;
use crate::message::{BodyBuffer, HeaderList, Side};
use crate::plugin::{Admission, Failed, Shown};
use crate::stream::{Access, LocalAnswer, Order, Stream};
use crate::world::stage_index;

/// Response code details of a stream whose filter failed (as Envoy).
const FAILED: &str = "wasm_fail_stream";

/// What came of showing a part to a filter.
enum Seen {
    /// What is to be done with it, and whether the filter made trailers.
    Decided(Action, bool),
    /// Nothing yet: its VM starts.
    NotYet,
    /// The guest waits: the exchange is woken.
    Asked,
}

/// Whether a filter takes part.
pub(super) enum Entry {
    Present,
    /// It does not; what becomes of the part that it was to see.
    Absent(Action),
    /// Its VM starts: the exchange is woken.
    Later,
}

impl Exchange {
    /// Shows what waits on the request side.
    pub(super) fn run_request_filters(&mut self) -> Result<bool, Reset> {
        let mut moved = false;
        self.awaits_vm = false;
        while !self.request_is_over {
            if self.stream.borrow().request_flow.has_overflown() {
                self.refuse_large_request()?;
                return Ok(true);
            }
            if self.asking.request.is_some() {
                self.awaits_vm = true;
                break;
            }
            let Some((stage, part)) = self.stream.borrow_mut().request_flow.next() else {
                break;
            };
            let (action, made_trailers) = match self.show(stage, Side::Request, part) {
                Seen::Decided(action, made_trailers) => (action, made_trailers),
                Seen::NotYet => {
                    self.stream.borrow_mut().request_flow.put_back(stage, part);
                    self.awaits_vm = true;
                    break;
                }
                Seen::Asked => {
                    self.awaits_vm = true;
                    break;
                }
            };
            moved = true;
            self.stream
                .borrow_mut()
                .request_flow
                .apply(stage, part, action, made_trailers);
            self.obey()?;
            // What has passed goes on at once: a route that answers by itself ends the request here.
            if self.stream.borrow().request_flow.has_passed() {
                break;
            }
        }
        Ok(moved)
    }

    /// Shows what waits on the response side, last filter first.
    pub(super) fn run_response_filters(&mut self) -> Result<bool, Reset> {
        let mut moved = false;
        loop {
            if self.stream.borrow().response_flow.has_overflown() {
                self.refuse_large_response()?;
                return Ok(true);
            }
            if self.asking.response.is_some() {
                break;
            }
            let Some((index, part)) = self.stream.borrow_mut().response_flow.next() else {
                break;
            };
            let stage = self.seats.len() - 1 - index;
            let (action, made_trailers) = match self.show(stage, Side::Response, part) {
                Seen::Decided(action, made_trailers) => (action, made_trailers),
                // Who has not seen the request is not asked, so no VM starts.
                Seen::NotYet => (Action::Continue, false),
                Seen::Asked => break,
            };
            moved = true;
            self.stream
                .borrow_mut()
                .response_flow
                .apply(index, part, action, made_trailers);
            self.obey()?;
            // A head that has passed is the client's before a filter sees what follows.
            if self.reply == Reply::Awaited && self.stream.borrow().response_flow.has_passed() {
                break;
            }
        }
        Ok(moved)
    }

    /// Shows one part to one filter.
    fn show(&mut self, stage: usize, side: Side, part: Part) -> Seen {
        if self.seats[stage].state == SeatState::Unseen {
            if side == Side::Response {
                return Seen::Decided(Action::Continue, false);
            }
            self.keep_head(stage);
            match self.admit(stage) {
                Entry::Present => {}
                Entry::Absent(action) => return Seen::Decided(action, false),
                Entry::Later => return Seen::NotYet,
            }
        }
        let SeatState::Present { context, life } = self.seats[stage].state else {
            return Seen::Decided(Action::Continue, false);
        };
        if self.is_left(stage) {
            return Seen::Decided(Action::Continue, false);
        }
        self.ask(stage, (side, part), (context, life))
    }

    /// Shows one part to a filter that has a context.
    fn ask(
        &mut self,
        stage: usize,
        (side, part): (Side, Part),
        (context, life): (u32, u64),
    ) -> Seen {
        let failed = Seen::Decided(Action::StopAllAndWatermark, false);
        let limits = &self.chain[stage].filter.limits;
        let slot = std::rc::Rc::clone(self.slot(stage));
        if slot.life() != life {
            return failed;
        }
        let left = limits.request.saturating_sub(self.seats[stage].used);
        if left.is_zero() {
            return Seen::Decided(self.take_out(stage, context), false);
        }
        let shown = slot.show(&self.stream, limits.call.min(left), move |slot, stream| {
            let event = open_access(&mut stream.borrow_mut(), (stage, context), (side, part));
            slot.rules().shown_event(event, stream)
        });
        match shown {
            Shown::Now(outcome, took) => {
                let (action, made_trailers) = self.learn(stage, (side, part), (outcome, took));
                Seen::Decided(action, made_trailers)
            }
            Shown::Later(ticket) => {
                *self.asking.of(side) = Some(Asked {
                    stage,
                    part,
                    ticket,
                });
                Seen::Asked
            }
            Shown::Refused => {
                slot.refuse_stream();
                self.stream.borrow_mut().order(Order::Failed { stage });
                slot.end_stream(context);
                failed
            }
        }
    }

    /// A guest has looked at a part: what is to be done with it, and whether there are trailers now.
    pub(super) fn learn(
        &mut self,
        stage: usize,
        (side, part): (Side, Part),
        (outcome, took): (Result<i32, Failed>, Duration),
    ) -> (Action, bool) {
        self.seats[stage].used += took;
        self.slot(stage).note_call(took);
        let Ok(result) = outcome else {
            return (Action::StopAllAndWatermark, false);
        };
        let answered = {
            let stream = self.stream.borrow();
            stream
                .orders
                .iter()
                .any(|order| matches!(order, Order::Answer { .. }))
        };
        let action = if answered {
            stop_of(part)
        } else {
            self.action_of(stage, part, result)
        };
        (action, self.close_access(stage, side, part, action))
    }

    /// The request has used up its time at this filter: it fails there, and nobody else does. The
    /// guest has returned from all its calls, so its VM is whole.
    fn take_out(&mut self, stage: usize, context: u32) -> Action {
        let limits = &self.chain[stage].filter.limits;
        let slot = std::rc::Rc::clone(self.slot(stage));
        slot.meter().hit(
            limits.exceeded(Limit::RequestTime),
            "the request failed at this filter",
        );
        self.stream.borrow_mut().order(Order::Failed { stage });
        slot.end_stream(context);
        Action::StopAllAndWatermark
    }

    /// Gives the filter a context.
    pub(super) fn admit(&mut self, stage: usize) -> Entry {
        let link = &self.chain[stage];
        match self.seats[stage].admit(link, (&self.stream, stage)) {
            Admission::Context { .. } => Entry::Present,
            Admission::Wait => Entry::Later,
            Admission::Bypass => Entry::Absent(Action::Continue),
            Admission::Refuse => {
                self.stream.borrow_mut().order(Order::Failed { stage });
                Entry::Absent(Action::StopAllAndWatermark)
            }
        }
    }

    /// Takes back what the filter may no longer touch. Says whether it made trailers.
    fn close_access(&mut self, stage: usize, side: Side, part: Part, action: Action) -> bool {
        let access: &mut Access = &mut self.stream.borrow_mut().access[stage];
        let goes_on = action == Action::Continue;
        match (side, part) {
            (Side::Request, Part::Headers { .. }) => access.request_headers &= !goes_on,
            (Side::Response, Part::Headers { .. }) => access.response_headers &= !goes_on,
            (Side::Request, Part::Trailers) => access.request_trailers &= !goes_on,
            (Side::Response, Part::Trailers) => access.response_trailers &= !goes_on,
            (_, Part::Body { .. }) => {
                access.ending = None;
                return std::mem::take(&mut access.made_trailers);
            }
        }
        false
    }

    /// What a callback's result means (Proxy-Wasm reference 3.3, 3.4).
    fn action_of(&self, stage: usize, part: Part, result: i32) -> Action {
        match (part, result) {
            (_, 0) | (Part::Headers { .. }, 2) => Action::Continue,
            (Part::Headers { .. }, 1) if self.keeps_stop_iteration(stage) => Action::StopIteration,
            (Part::Headers { .. }, 3) => Action::StopAllAndBuffer,
            (Part::Headers { .. }, _) => Action::StopAllAndWatermark,
            (Part::Body { .. }, 1) => Action::Buffer,
            (Part::Body { .. }, 2) => Action::Watermark,
            (Part::Body { .. }, _) => Action::Drop,
            (Part::Trailers, _) => Action::StopIteration,
        }
    }

    fn keeps_stop_iteration(&self, stage: usize) -> bool {
        let link = &self.chain[stage];
        let by_module = || link.slot.program().keeps_headers_stop_iteration();
        link.filter.headers_stop_iteration.unwrap_or_else(by_module)
    }

    /// Carries out what guests ordered, in their order: what follows from one comes before the next.
    pub(super) fn obey(&mut self) -> Result<bool, Reset> {
        let mut moved = false;
        loop {
            let orders = std::mem::take(&mut self.stream.borrow_mut().orders);
            if orders.is_empty() {
                return Ok(moved);
            }
            moved = true;
            let mut orders = orders.into_iter().peekable();
            while let Some(order) = orders.next() {
                let is_last = orders.peek().is_none();
                match order {
                    // Nobody waits for it any more.
                    Order::Resume { stage, .. }
                    | Order::Answer { stage, .. }
                    | Order::Inject { stage, .. }
                    | Order::Failed { stage }
                        if self.is_left(stage) => {}
                    Order::Resume { stage, side } => {
                        self.resume(stage, side);
                        if !is_last && side == Side::Request {
                            self.run_request_filters()?;
                        }
                    }
                    Order::Answer { stage, answer } => {
                        self.answer_for(stage, answer)?;
                        if !is_last {
                            self.run_response_filters()?;
                        }
                    }
                    Order::Inject { stage, bytes, end } => self.inject(stage, bytes, end),
                    Order::Close => return Err(self.close_by_guest()),
                    Order::Failed { stage } => self.filter_failed(stage)?,
                    Order::Lost { stage } => self.filter_lost(stage)?,
                    // For TCP connections.
                    Order::PassOn { .. } | Order::Hang(_) => {}
                }
            }
        }
    }

    fn resume(&mut self, stage: usize, side: Side) {
        let stream = &mut *self.stream.borrow_mut();
        let Some(index) = stage_index(stream, stage, side) else {
            return;
        };
        let Some(access) = stream.access.get_mut(stage) else {
            return;
        };
        // Either direction takes the request's headers away, as in Envoy.
        access.request_headers = false;
        match side {
            Side::Request => access.request_trailers = false,
            Side::Response => access.response_trailers = false,
        }
        if side == Side::Response || !self.request_is_over {
            stream.flow(side).resume(index);
        }
    }

    fn inject(&mut self, stage: usize, bytes: Bytes, end: bool) {
        let stream = &mut *self.stream.borrow_mut();
        if let Some(index) = stage_index(stream, stage, Side::Response) {
            stream.response_flow.inject(index, bytes, end);
        }
    }

    fn answer_for(&mut self, stage: usize, answer: LocalAnswer) -> Result<(), Reset> {
        // An answer of a filter that the chain does not have any more, or of a log plugin.
        if stage >= self.seats.len() {
            return Ok(());
        }
        self.answer_locally(answer)
    }

    fn close_by_guest(&mut self) -> Reset {
        let facts = &mut self.stream.borrow_mut().facts;
        facts
            .details
            .get_or_insert_with(|| "wasm_close_stream".to_owned());
        Reset("a filter closed the stream")
    }

    /// A filter's VM is gone. Open: from here on everything passes it. Else the client gets 503, once
    /// (decision 010).
    pub(super) fn filter_failed(&mut self, stage: usize) -> Result<(), Reset> {
        if self.seats[stage].state == SeatState::Bypassed {
            return Ok(());
        }
        self.seats[stage].state = SeatState::Bypassed;
        if self.chain[stage].filter.on_failure == OnFailure::Open {
            self.resume(stage, Side::Request);
            self.resume(stage, Side::Response);
            return Ok(());
        }
        if self.reply != Reply::Awaited {
            self.stream.borrow_mut().facts.details = Some(FAILED.to_owned());
            return Err(Reset("a filter failed after the response had begun"));
        }
        let answer = LocalAnswer {
            status: 503,
            details: FAILED.to_owned(),
            grpc_status: Some(14),
            ..LocalAnswer::default()
        };
        self.answer_locally(answer)
    }
}

/// Lets the filter touch what this part is about, and makes the event.
fn open_access(
    stream: &mut Stream,
    (stage, context): (usize, u32),
    (side, part): (Side, Part),
) -> Event {
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let access = &mut stream.access[stage];
    match (side, part) {
        (Side::Request, Part::Headers { end }) => {
            access.request_headers = true;
            Event::RequestHeaders {
                context,
                count: count(stream.request.headers.len()),
                end,
            }
        }
        (Side::Response, Part::Headers { end }) => {
            access.response_headers = true;
            Event::ResponseHeaders {
                context,
                count: count(stream.response.headers.len()),
                end,
            }
        }
        (_, Part::Body { end }) => {
            access.ending = end.then_some(side);
            access.made_trailers = false;
            let index = stage_index(stream, stage, side);
            let window = index.and_then(|index| stream.flow(side).window(index));
            let size = count(window.map_or(0, |body| BodyBuffer::len(body)));
            match side {
                Side::Request => Event::RequestBody { context, size, end },
                Side::Response => Event::ResponseBody { context, size, end },
            }
        }
        (Side::Request, Part::Trailers) => {
            access.request_trailers = true;
            let trailers = stream.request.trailers.as_ref();
            Event::RequestTrailers {
                context,
                count: count(trailers.map_or(0, HeaderList::len)),
            }
        }
        (Side::Response, Part::Trailers) => {
            access.response_trailers = true;
            let trailers = stream.response.trailers.as_ref();
            Event::ResponseTrailers {
                context,
                count: count(trailers.map_or(0, HeaderList::len)),
            }
        }
    }
}

/// How a part is held when the filter has answered the client itself.
fn stop_of(part: Part) -> Action {
    match part {
        Part::Headers { .. } => Action::StopAllAndWatermark,
        Part::Body { .. } => Action::Drop,
        Part::Trailers => Action::StopIteration,
    }
}
