//! The end of an exchange: log callbacks, end of contexts, access log, counters.

use std::rc::Rc;

use bytes::Bytes;
use smallvec::SmallVec;
use weir_model::AccessLog;

use super::{Exchange, FilterSeat, Reply, SeatState, Worker};
use crate::ledger::AccessRecord;
use crate::message::{FieldValue, Pseudo, Side};
use crate::plugin::{Chain, Slot, Ticket};
use crate::stream::{Flags, Stream, StreamRef};

impl Exchange {
    /// Ends the exchange, once: however it came to its end.
    pub(super) fn finish(&mut self) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        {
            let stream = &mut *self.stream.borrow_mut();
            stream.facts.ended = Some(tokio::time::Instant::now());
            let has_left = self.reply != Reply::Complete && !self.was_cut;
            if has_left && stream.facts.flags.text.is_empty() {
                stream.facts.flags = Flags::of("DC");
                stream.facts.details = Some("downstream_remote_disconnect".to_owned());
            }
        }
        self.abandon_request();
        let waiting = self.waiting_guests();
        let ending = Ending {
            worker: Rc::clone(&self.worker),
            stream: Rc::clone(&self.stream),
            chain: Rc::clone(&self.chain),
            seats: std::mem::take(&mut self.seats),
            listener: self.listener,
            reply: self.reply,
        };
        ending.after(waiting, Ending::log);
    }

    /// Guests that have not returned from something that they were shown. What they were to be shown
    /// yet, they are not.
    fn waiting_guests(&mut self) -> Tickets {
        self.leave_waiting();
        let left = self.seats.iter_mut().filter_map(|seat| seat.left.take());
        left.filter(|ticket| ticket.has_begun() && ticket.outcome().is_none())
            .collect()
    }
}

/// What is waited for before an exchange ends.
type Tickets = SmallVec<[Ticket; 1]>;

/// The end of an exchange: at once, or, where guests wait, when they have returned. Nothing else of
/// the exchange is left then.
struct Ending {
    worker: Rc<Worker>,
    stream: StreamRef,
    chain: Chain,
    seats: SmallVec<[FilterSeat; 2]>,
    listener: usize,
    reply: Reply,
}

impl Ending {
    /// Goes on when these guests have returned.
    fn after(self, waiting: Tickets, then: fn(Self)) {
        if waiting.is_empty() || self.worker.shared.is_ending.get() {
            return then(self);
        }
        let shared = Rc::clone(&self.worker.shared);
        shared.spawn(async move {
            for ticket in waiting {
                // What came of it is of no use any more.
                let _ = ticket.await;
            }
            then(self);
        });
    }

    /// Lets all filters see what there was.
    fn log(mut self) {
        {
            let stream = &mut *self.stream.borrow_mut();
            stream.is_logging = true;
            stream.access.iter_mut().for_each(|access| {
                access.request_headers = false;
                access.response_headers = false;
                access.request_trailers = false;
                access.response_trailers = false;
            });
        }
        self.admit_all();
        let mut waiting: Tickets = self
            .live_seats()
            .filter_map(|(stage, context)| self.slot(stage).log_stream(context).pending())
            .collect();
        waiting.extend(self.worker.log_to_plugins(self.listener, &self.stream));
        self.after(waiting, Self::close);
    }

    /// Ends the contexts and writes the access log.
    fn close(self) {
        // From here on there is nothing left to see (as Envoy).
        self.stream.borrow_mut().is_logging = false;
        for (stage, context) in self.live_seats() {
            self.slot(stage).end_stream(context);
        }
        self.enter_ledger();
    }

    fn slot(&self, stage: usize) -> &Rc<Slot> {
        let own = self.seats[stage].slot.as_ref();
        own.unwrap_or(&self.chain[stage].slot)
    }

    /// The contexts that are still alive, in the order of the chain.
    fn live_seats(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.seats
            .iter()
            .enumerate()
            .filter_map(|(stage, seat)| match seat.state {
                SeatState::Present { context, life } if self.slot(stage).life() == life => {
                    Some((stage, context))
                }
                SeatState::Present { .. } | SeatState::Unseen | SeatState::Bypassed => None,
            })
    }

    /// Gives a context to filters that saw nothing of the exchange. One that cannot run is left out.
    fn admit_all(&mut self) {
        for (stage, (seat, link)) in self.seats.iter_mut().zip(self.chain.iter()).enumerate() {
            if seat.state == SeatState::Unseen {
                let _ = seat.admit(link, (&self.stream, stage));
            }
        }
    }

    fn enter_ledger(&self) {
        let status = match self.reply {
            Reply::Awaited => 0,
            Reply::Streaming | Reply::Complete => self.stream.borrow().facts.status,
        };
        self.worker
            .enter_ledger(&self.stream.borrow(), (&self.seats, &self.chain), status);
    }
}

impl Worker {
    /// Lets the access-log plugins of a listener see an exchange or a TCP connection.
    /// What comes along stands for those whose guests wait.
    pub(crate) fn log_to_plugins(
        &self,
        listener: usize,
        stream: &StreamRef,
    ) -> SmallVec<[Ticket; 1]> {
        let links = self.plugins.logs[listener].iter();
        links
            .filter_map(|link| link.slot.log(link.root, stream))
            .collect()
    }

    /// Writes the line of an exchange or of a TCP connection into the access log.
    pub(crate) fn enter_ledger(
        &self,
        stream: &Stream,
        (seats, chain): (&[FilterSeat], &Chain),
        status: u16,
    ) {
        let ledger = &self.seat.ledger;
        let facts = &stream.facts;
        let listener = &facts.connection.seat.listener;
        if !ledger.is_on() || listener.access_log == AccessLog::Off {
            return;
        }
        let headers = &stream.request.headers;
        let field = |name: &[u8]| {
            headers
                .first(name, Side::Request)
                .map_or(&b""[..], FieldValue::as_bytes)
        };
        let pseudo = |name| headers.pseudo(name).map_or(&b""[..], FieldValue::as_bytes);
        let failed: Vec<&str> = seats
            .iter()
            .zip(chain.iter())
            .filter(|(seat, _)| seat.state == SeatState::Bypassed)
            .map(|(_, link)| &*link.filter.name)
            .collect();
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).replace('\0', ".");
        let properties: Vec<(String, Vec<u8>)> = stream
            .properties
            .iter()
            .map(|property| (text(&property.path), property.value.to_vec()))
            .collect();
        let tags: Vec<(String, Vec<u8>)> = stream
            .tags
            .iter()
            .map(|(name, value)| (text(name), value.to_vec()))
            .collect();
        ledger.enter(&AccessRecord {
            time: facts.started_wall,
            listener: &listener.name,
            route: facts.route.as_deref(),
            method: std::str::from_utf8(pseudo(Pseudo::Method)).unwrap_or("?"),
            path: pseudo(Pseudo::Path),
            host: pseudo(Pseudo::Authority),
            protocol: facts.protocol,
            status,
            details: facts.details.as_deref(),
            flags: facts.flags.text,
            bytes_in: facts.request_bytes,
            bytes_out: facts.response_bytes,
            duration: facts
                .ended
                .map_or_else(Default::default, |ended| ended - facts.started),
            cluster: facts.cluster.as_deref(),
            upstream: facts.upstream,
            attempts: facts.attempts,
            request_id: field(b"x-request-id"),
            client: facts.connection.peer,
            user_agent: field(b"user-agent"),
            failed_filters: &failed,
            properties: &properties,
            tags: &tags,
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.finish();
    }
}
