//! The life of one exchange, from its head to its log line.
//!
//! An [`Exchange`] is a state machine that its client's connection polls: first for the head of the
//! response, then, as a body, for what follows. No task and no channel per request. Each round
//! carries what is there through the stations in order: request filters, dispatch, response
//! filters. Invariant: exactly one response head goes to the client, or the connection is cut.

mod again;
mod answer;
mod asking;
mod begin;
mod body;
mod echo;
mod filters;
mod finish;
mod function;
mod request;
mod time;
mod upstream;

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use smallvec::SmallVec;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use weir_guest::door::ContextId;
use weir_model::{Route, limits};

use crate::flow::Frame;
use crate::gateway::{Notice, Shared};
use crate::listen::{Connection, Refusal, Reset, Serve, vet};
use crate::maps::{MapNotice, MapNotices};
use crate::message::HeaderList;
use crate::plugin::{Chain, PluginError, Plugins, Slot, Ticket};
use crate::stream::StreamRef;
use crate::worker::Seat;
pub(crate) use answer::{grpc_answer, grpc_status_of};
use asking::Asking;
pub(crate) use begin::facts_of;
pub(crate) use body::ExchangeBody;
use time::Timer;
use upstream::Upstream;

/// How often an ending worker looks whether its plugins have ended.
const ROOTS_CHECK: Duration = Duration::from_millis(5);

/// One worker's handler of requests.
pub(crate) struct Worker {
    pub(crate) shared: Rc<Shared>,
    pub(crate) plugins: Plugins,
    seat: Seat,
}

impl Worker {
    /// Starts this worker's plugins and its reader of queue notices.
    pub(crate) async fn start(
        shared: Rc<Shared>,
        seat: Seat,
        notices: mpsc::Receiver<Notice>,
    ) -> Result<Rc<Self>, PluginError> {
        shared.process.maps.serve_here();
        let changes = shared.process.library.changes();
        let plugins = Plugins::start(&shared, seat.worker).await?;
        shared.upstreams.warmed().await;
        let worker = Rc::new(Self {
            shared,
            plugins,
            seat,
        });
        tokio::task::spawn_local(deliver_notices(Rc::downgrade(&worker), notices));
        let map_notices = Arc::clone(&worker.shared.map_notices);
        tokio::task::spawn_local(deliver_map_notices(Rc::downgrade(&worker), map_notices));
        tokio::task::spawn_local(follow_code(Rc::downgrade(&worker), changes));
        Ok(worker)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.is_ending.set(true);
        self.plugins.slots.iter().for_each(|slot| slot.drain());
    }
}

/// Moves VMs to better code, one after the other, so that exchanges go on between two starts.
async fn follow_code(worker: std::rc::Weak<Worker>, mut changes: watch::Receiver<()>) {
    while changes.changed().await.is_ok() {
        let Some(worker) = worker.upgrade() else {
            return;
        };
        for slot in &worker.plugins.slots {
            if worker.shared.is_ending.get() {
                return;
            }
            slot.follow_code();
            tokio::task::yield_now().await;
        }
    }
}

async fn deliver_notices(worker: std::rc::Weak<Worker>, mut notices: mpsc::Receiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        let Some(worker) = worker.upgrade() else {
            return;
        };
        let Some(slot) = worker.plugins.slots.get(notice.slot) else {
            continue;
        };
        let heir = slot.newest();
        for slot in std::iter::once(slot).chain(&heir) {
            if slot.life() == notice.life {
                slot.queue_ready(notice.root, notice.token);
            }
        }
    }
}

async fn deliver_map_notices(worker: std::rc::Weak<Worker>, notices: Arc<MapNotices>) {
    loop {
        let notice = notices.next().await;
        let Some(worker) = worker.upgrade() else {
            return;
        };
        match notice {
            MapNotice::Rung(bell) => {
                // What changes while the guest looks is told anew.
                bell.heard();
                let watched = worker.shared.watched.borrow().get(&bell.number).cloned();
                let slot = watched.as_ref().and_then(|watched| watched.slot.upgrade());
                if let (Some(slot), Some(watched)) = (slot, watched) {
                    slot.map_changed(&watched);
                }
            }
            MapNotice::Released { slot, map } => {
                if let Some(slot) = worker.plugins.slots.get(slot) {
                    let heir = slot.newest();
                    heir.as_deref().unwrap_or(slot).map_released(map);
                }
            }
        }
        drop(worker);
        // Exchanges go on between two of them.
        tokio::task::yield_now().await;
    }
}

impl Serve for Worker {
    type Body = ExchangeBody;

    async fn end(&self, deadline: Instant) {
        let slots = &self.plugins.slots;
        for slot in slots {
            slot.drain();
        }
        let deadline = deadline.min(Instant::now() + limits::ROOT_END_TIME);
        while slots.iter().any(|slot| slot.is_ending()) && Instant::now() < deadline {
            tokio::time::sleep(ROOTS_CHECK).await;
        }
    }

    async fn carry(self: &Rc<Self>, connection: &Rc<Connection>, stream: TcpStream) {
        crate::tcp::carry(self, connection, stream).await;
    }

    fn refused(self: &Rc<Self>, connection: &Rc<Connection>, refusal: Refusal) {
        tracing::debug!(connection = connection.id, peer = %connection.peer, ?refusal, "refused");
        Exchange::record_refusal(self, connection, refusal);
    }

    async fn serve(
        self: &Rc<Self>,
        connection: &Rc<Connection>,
        request: Request<Incoming>,
    ) -> Result<Response<ExchangeBody>, Reset> {
        let verdict = vet::vet(connection, &request);
        let mut exchange = Exchange::begin(self, connection, (request, verdict));
        let head = std::future::poll_fn(|cx| exchange.poll_head(cx)).await;
        exchange.was_cut = head.is_err();
        let (head, end) = head?;
        Ok(head.map(|()| ExchangeBody::of(exchange, end)))
    }
}

/// Where the response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    /// Its head has not gone to the client.
    Awaited,
    /// Its body goes to the client.
    Streaming,
    /// All of it went.
    Complete,
}

/// One request and its response.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts; each has its own name and reader"
)]
pub(crate) struct Exchange {
    worker: Rc<Worker>,
    connection: Rc<Connection>,
    stream: StreamRef,
    chain: Chain,
    seats: SmallVec<[FilterSeat; 2]>,
    /// Listener and route of the present choice.
    listener: usize,
    route: Option<usize>,
    source: Option<Incoming>,
    request_is_over: bool,
    /// A filter's VM starts, or its guest waits: the request goes no further.
    awaits_vm: bool,
    asking: Asking,
    upstream: Upstream,
    /// Some frame of the response has entered the filters.
    response_has_begun: bool,
    reply: Reply,
    closes: bool,
    is_head_request: bool,
    timer: Timer,
    /// The gateway itself cut the connection.
    was_cut: bool,
    is_finished: bool,
}

/// A filter of the chain in this exchange.
pub(crate) struct FilterSeat {
    pub(crate) state: SeatState,
    /// Where its context is, if not in the slot that the chain has.
    pub(crate) slot: Option<Rc<Slot>>,
    /// Wall time that its calls have taken.
    used: Duration,
    /// The request's head before the filter saw it, where the filter's process may be lost.
    first_head: Option<Box<HeaderList>>,
    /// How often the request has begun again here.
    restarts: u8,
    /// The exchange goes on without it: its guest waits for too long.
    left: Option<Ticket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeatState {
    /// It has not seen the request.
    Unseen,
    /// It has a context, in this life of its slot.
    Present { context: ContextId, life: u64 },
    /// It failed or is left out: everything passes.
    Bypassed,
}

impl Exchange {
    /// The slot that has the filter's context.
    fn slot(&self, stage: usize) -> &Rc<Slot> {
        let own = self.seats[stage].slot.as_ref();
        own.unwrap_or(&self.chain[stage].slot)
    }

    fn route_at(&self) -> Option<&Route> {
        let listener = &self.worker.shared.process.site.listeners[self.listener];
        self.route.and_then(|index| listener.routes.get(index))
    }

    /// Drives the exchange until the head of the response can be sent.
    ///
    /// The head comes with the word whether it is all there is.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Response<()>, bool), Reset>> {
        loop {
            let frame = self.stream.borrow_mut().response_flow.pop();
            match frame {
                Some(Frame::Headers { end }) => {
                    self.leave_request(cx);
                    return Poll::Ready(self.head(end));
                }
                Some(Frame::Body { .. } | Frame::Trailers) => {
                    return Poll::Ready(Err(Reset("a body came before its head")));
                }
                None => {}
            }
            if !self.advance(cx)? {
                self.watch_client(cx)?;
                return Poll::Pending;
            }
        }
    }

    /// Carries everything one step on. Says whether anything moved; if not, the exchange will be
    /// woken.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<bool, Reset> {
        let mut moved = self.take_up();
        moved |= self.obey()?;
        moved |= self.run_request_filters()?;
        moved |= self.send_request()?;
        moved |= self.read_request(cx)?;
        moved |= self.poll_upstream(cx)?;
        moved |= self.run_response_filters()?;
        if moved {
            self.timer.moved();
            return Ok(true);
        }
        self.stream.borrow_mut().register(cx);
        self.check_time(cx)
    }
}
