//! The life of one TCP connection: carried to a cluster as it is, through network filters.
//!
//! A [`Carried`] connection is a state machine on one task. Reading stops where a filter holds more
//! than the listener's buffer, or where the other end does not take what it is sent. Each half ends
//! by itself. Order of callbacks, and who is told to have closed, are Envoy's (Proxy-Wasm reference
//! 6.9, as measured with Envoy 1.40).

mod filters;
mod finish;
mod wire;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use smallvec::SmallVec;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use weir_guest::door::Peer;
use weir_model::TcpForward;

use crate::dispatch::{self, Attempts, Channel, DispatchError};
use crate::exchange::{FilterSeat, Worker, facts_of};
use crate::listen::Connection;
use crate::message::Side;
use crate::plugin::Chain;
use crate::stream::{Lanes, Stream, StreamRef};
use crate::upstream::Place;
use finish::Ending;
use wire::Wire;

type Connecting = Pin<Box<dyn Future<Output = (Result<Channel, DispatchError>, Attempts)>>>;

/// Carries a client's connection until it ends.
pub(crate) async fn carry(worker: &Rc<Worker>, connection: &Rc<Connection>, socket: TcpStream) {
    let listener = Rc::clone(&connection.seat);
    let Some(forward) = &listener.listener.tcp else {
        return;
    };
    let mut carried = Box::new(Carried::begin(worker, connection, socket));
    let ending = poll_fn(|cx| carried.poll(cx, forward)).await;
    carried.end(ending).await;
}

/// One connection of a client and its own connection to the upstream.
struct Carried {
    worker: Rc<Worker>,
    connection: Rc<Connection>,
    stream: StreamRef,
    chain: Chain,
    seats: SmallVec<[FilterSeat; 2]>,
    near: Wire,
    far: Far,
    /// The filter that is being asked.
    asked: Option<usize>,
    /// Continuations inside one another.
    continues: u32,
    has_begun: bool,
    /// The VM of this filter starts: the connection goes on there.
    awaits_vm: Option<usize>,
    last_move: Instant,
    idle: Pin<Box<Sleep>>,
    is_finished: bool,
}

/// The upstream's end.
enum Far {
    /// Not all filters have let the connection pass.
    Unasked,
    /// They have.
    Wanted,
    Connecting(Connecting),
    Connected {
        wire: Wire,
        _place: Place,
    },
}

impl Carried {
    fn begin(worker: &Rc<Worker>, connection: &Rc<Connection>, socket: TcpStream) -> Self {
        let chain = Rc::clone(&worker.plugins.tcp[connection.seat.index]);
        let stream = Stream::of_connection(facts_of(connection, "TCP"), chain.len());
        let now = Instant::now();
        let idle = now + connection.seat.listener.idle_timeout;
        Self {
            worker: Rc::clone(worker),
            connection: Rc::clone(connection),
            stream,
            seats: chain.iter().map(|_| FilterSeat::new()).collect(),
            chain,
            near: Wire::new(socket),
            far: Far::Unasked,
            asked: None,
            continues: 0,
            has_begun: false,
            awaits_vm: None,
            last_move: now,
            idle: Box::pin(tokio::time::sleep_until(idle)),
            is_finished: false,
        }
    }

    /// Drives the connection until it is decided how it ends.
    fn poll(&mut self, cx: &mut Context<'_>, forward: &TcpForward) -> Poll<Ending> {
        loop {
            if self.connection.is_cut(cx) {
                return Poll::Ready(Ending::drained());
            }
            match self.advance(cx, forward) {
                Ok(true) => self.last_move = Instant::now(),
                Ok(false) => break,
                Err(ending) => return Poll::Ready(ending),
            }
        }
        self.stream.borrow_mut().register(cx);
        self.poll_idle(cx)
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let limit = self.connection.seat.listener.idle_timeout;
        while self.idle.as_mut().poll(cx).is_ready() {
            let due = self.last_move + limit;
            if due <= Instant::now() {
                return Poll::Ready(Ending::idle());
            }
            self.idle.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// Carries everything one step on. Says whether anything moved.
    fn advance(&mut self, cx: &mut Context<'_>, forward: &TcpForward) -> Result<bool, Ending> {
        let mut moved = self.obey()?;
        if !std::mem::replace(&mut self.has_begun, true) {
            self.pass_on(0)?;
            moved = true;
        }
        if let Some(stage) = self.awaits_vm.take() {
            self.pass_on(stage)?;
            moved |= self.awaits_vm.is_none();
        }
        moved |= self.poll_connect(cx, forward)?;
        moved |= self.read_client(cx)?;
        moved |= self.write_upstream(cx)?;
        moved |= self.read_upstream(cx)?;
        moved |= self.write_client(cx)?;
        match &self.far {
            Far::Connected { wire, .. } if wire.is_over() => Err(Ending::upstream_over()),
            _ => Ok(moved),
        }
    }

    fn poll_connect(&mut self, cx: &mut Context<'_>, forward: &TcpForward) -> Result<bool, Ending> {
        if matches!(self.far, Far::Wanted) {
            self.far = Far::Connecting(self.connecting(forward)?);
        }
        let Far::Connecting(connecting) = &mut self.far else {
            return Ok(false);
        };
        let Poll::Ready((outcome, attempts)) = connecting.as_mut().poll(cx) else {
            return Ok(false);
        };
        {
            let facts = &mut self.stream.borrow_mut().facts;
            facts.attempts = attempts.count;
            facts.upstream = attempts.last_peer;
            facts.pool_ready = attempts.pool_ready;
            let failure = attempts.last_failure.as_ref();
            facts.upstream_failure = failure.and_then(DispatchError::transport_failure);
        }
        let channel = outcome.map_err(|error| Ending::unconnected(&error))?;
        let Channel { stream, place } = channel;
        let facts = &mut self.stream.borrow_mut().facts;
        facts.upstream_local = stream.local_addr().ok();
        self.far = Far::Connected {
            wire: Wire::new(stream),
            _place: place,
        };
        Ok(true)
    }

    /// What is to be awaited for a connection to the upstream.
    fn connecting(&self, forward: &TcpForward) -> Result<Connecting, Ending> {
        let stream = &mut *self.stream.borrow_mut();
        let chosen = stream
            .lanes
            .as_deref()
            .and_then(|lanes| lanes.cluster.clone());
        let name = chosen.unwrap_or_else(|| forward.cluster.clone());
        let cluster = self.worker.shared.upstreams.cluster(&name).cloned();
        let cluster = cluster.ok_or_else(Ending::no_cluster)?;
        let facts = &mut stream.facts;
        facts.cluster = Some(name);
        facts.endpoints = cluster.hosts().len();
        let tries = forward.connect_attempts;
        Ok(Box::pin(async move {
            let mut attempts = Attempts::default();
            let outcome = dispatch::connect(&cluster, tries, &mut attempts).await;
            (outcome, attempts)
        }))
    }

    /// Reads from the client, as soon as there is an upstream, and shows it to the filters.
    fn read_client(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let Far::Connected { wire, .. } = &self.far else {
            return Ok(false);
        };
        if self.near.has_ended || !wire.has_room() {
            return Ok(false);
        }
        let came = self.read(cx, Side::Request);
        let Some(count) = came.map_err(|error| Ending::client_broke(&error))? else {
            return Ok(false);
        };
        self.connection.received(count);
        self.stream.borrow_mut().facts.request_bytes += count as u64;
        self.pass_on(0)?;
        if self.near.is_over() {
            return Err(Ending::client_over(Peer::Remote));
        }
        Ok(true)
    }

    fn read_upstream(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let Far::Connected { wire, .. } = &self.far else {
            return Ok(false);
        };
        if wire.has_ended || !self.near.has_room() {
            return Ok(false);
        }
        let came = self.read(cx, Side::Response);
        let Some(_) = came.map_err(|error| Ending::upstream_broke(&error))? else {
            return Ok(false);
        };
        self.pass_back(self.seats.len())?;
        Ok(true)
    }

    /// Reads from one end into its lane.
    fn read(&mut self, cx: &mut Context<'_>, side: Side) -> io::Result<Option<usize>> {
        let most = self.connection.seat.listener.body_buffer_bytes;
        let stream = &mut *self.stream.borrow_mut();
        let Some(Lanes {
            downstream,
            upstream,
            ..
        }) = stream.lanes.as_deref_mut()
        else {
            return Ok(None);
        };
        let (lane, wire) = match (side, &mut self.far) {
            (Side::Request, _) => (downstream, &mut self.near),
            (Side::Response, Far::Connected { wire, .. }) => (upstream, wire),
            (Side::Response, _) => return Ok(None),
        };
        if lane.bytes.len() >= most {
            return Ok(None);
        }
        wire.poll_read(cx, lane, most)
    }

    fn write_upstream(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let Far::Connected { wire, .. } = &mut self.far else {
            return Ok(false);
        };
        let written = wire.poll_write(cx);
        let written = written.map_err(|error| Ending::upstream_broke(&error))?;
        Ok(written.is_any())
    }

    fn write_client(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let written = self.near.poll_write(cx);
        let written = written.map_err(|error| Ending::client_broke(&error))?;
        self.connection.sent(written.bytes);
        self.stream.borrow_mut().facts.response_bytes += written.bytes as u64;
        if self.near.is_over() {
            return Err(Ending::client_over(Peer::Local));
        }
        Ok(written.is_any())
    }
}
