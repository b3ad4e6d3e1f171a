//! The head of a request: from the wire into the form that filters see.

use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version};
use http_body::Body;
use hyper::body::Incoming;
use smallvec::SmallVec;
use weir_model::{ForwardedFor, Listener};

use super::asking::Asking;
use super::time::Timer;
use super::upstream::Upstream;
use super::{Exchange, FilterSeat, Reply, SeatState, Worker};
use crate::flow::Frame;
use crate::listen::vet::Malformed;
use crate::listen::{Connection, Refusal};
use crate::message::{
    FieldValue, HeaderList, HeaderName as Name, Message, Pseudo, Side, is_hop_by_hop,
};
use crate::plugin::{Admission, Chain, Link};
use crate::route;
use crate::stream::{Facts, Flags, Stream, StreamRef};

/// A request of which nobody can say whom it is for: only HTTP/1.0 has them. As Envoy.
const NO_HOST: Malformed = Malformed {
    status: http::StatusCode::BAD_REQUEST,
    details: "missing_host_header",
};

impl Exchange {
    /// Takes a request and what was found about its framing: chooses its route and lets its head
    /// enter the filters, or refuses it.
    pub(super) fn begin(
        worker: &Rc<Worker>,
        connection: &Rc<Connection>,
        (request, verdict): (Request<Incoming>, Result<(), Malformed>),
    ) -> Box<Self> {
        let listener = connection.seat.index;
        let site = &worker.shared.process.site;
        let (parts, source) = request.into_parts();
        let end = source.is_end_stream();
        let wants_upgrade = wants_upgrade(&parts.method, &parts.headers);
        let is_head_request = parts.method == http::Method::HEAD;
        let version = parts.version;
        let settings = &site.listeners[listener];
        let headers = head_of(parts, connection, settings);
        let has_host = headers.pseudo(Pseudo::Authority).is_some();
        let route = route::pick(&settings.routes, &headers);
        let chain: Chain = match route {
            Some(route) => Rc::clone(&worker.plugins.routes[listener][route]),
            None => Rc::new([]),
        };
        let protocol = if version == Version::HTTP_10 {
            "HTTP/1.0"
        } else {
            "HTTP/1.1"
        };
        let facts = facts_of(connection, protocol);
        let message = Message {
            headers,
            trailers: None,
        };
        let stream = Stream::new(message, facts, chain.len(), settings.body_buffer_bytes);
        let seats: SmallVec<[FilterSeat; 2]> = chain.iter().map(|_| FilterSeat::new()).collect();
        let mut exchange = Box::new(Self {
            worker: Rc::clone(worker),
            connection: Rc::clone(connection),
            stream,
            chain,
            seats,
            listener,
            route: None,
            source: (!end).then_some(source),
            request_is_over: false,
            awaits_vm: false,
            asking: Asking::default(),
            upstream: Upstream::Idle,
            response_has_begun: false,
            reply: Reply::Awaited,
            closes: false,
            is_head_request,
            timer: Timer::default(),
            was_cut: false,
            is_finished: false,
        });
        exchange.choose(route);
        match (verdict, route) {
            (Err(malformed), _) => exchange.refuse(malformed),
            (Ok(()), _) if !has_host => exchange.refuse(NO_HOST),
            (Ok(()), _) if wants_upgrade => exchange.refuse_upgrade(),
            (Ok(()), None) => exchange.refuse_unrouted(),
            (Ok(()), Some(_)) => {
                exchange
                    .stream
                    .borrow_mut()
                    .request_flow
                    .arrive(Frame::Headers { end });
            }
        }
        exchange
    }

    /// Notes a request that the codec refused and has answered: it has no head, no route and no
    /// filters, but logs see it.
    pub(super) fn record_refusal(worker: &Rc<Worker>, connection: &Rc<Connection>, why: Refusal) {
        let mut facts = facts_of(connection, "HTTP/1.1");
        let (status, details, flag) = match why {
            Refusal::Malformed => (400, "http1.codec_error", "DPE"),
            Refusal::HeadTooLarge => (431, "http1.headers_too_large", "DPE"),
            Refusal::HeadTimeout => (408, "request_header_timeout", ""),
        };
        facts.status = status;
        facts.details = Some(details.to_owned());
        facts.flags = Flags::of(flag);
        let mut exchange = Self {
            worker: Rc::clone(worker),
            connection: Rc::clone(connection),
            stream: Stream::new(Message::default(), facts, 0, 0),
            chain: Rc::new([]),
            seats: SmallVec::new(),
            listener: connection.seat.index,
            route: None,
            source: None,
            request_is_over: true,
            awaits_vm: false,
            asking: Asking::default(),
            upstream: Upstream::Local,
            response_has_begun: true,
            reply: Reply::Complete,
            closes: true,
            is_head_request: false,
            timer: Timer::default(),
            was_cut: false,
            is_finished: false,
        };
        exchange.finish();
    }

    /// Notes the chosen route, for dispatch and for properties.
    pub(super) fn choose(&mut self, route: Option<usize>) {
        self.route = route;
        let (name, cluster) = match self.route_at() {
            Some(route) => (Some(route.name.clone()), cluster_of(&route.action)),
            None => (None, None),
        };
        let upstreams = &self.worker.shared.upstreams;
        let endpoints = cluster.as_ref().and_then(|name| upstreams.cluster(name));
        let endpoints = endpoints.map_or(0, |cluster| cluster.hosts().len());
        let mut stream = self.stream.borrow_mut();
        stream.facts.route = name;
        stream.facts.route_index = route;
        stream.facts.cluster = cluster;
        stream.facts.endpoints = endpoints;
        stream.route_is_stale = false;
    }
}

impl FilterSeat {
    /// Of a filter that has not seen the exchange.
    pub(crate) fn new() -> Self {
        Self {
            state: SeatState::Unseen,
            slot: None,
            used: std::time::Duration::ZERO,
            first_head: None,
            restarts: 0,
            left: None,
        }
    }

    /// Gives the filter a context, if it can have one.
    pub(super) fn admit(&mut self, link: &Link, (stream, stage): (&StreamRef, usize)) -> Admission {
        let (slot, admission) = link.slot.enter(link.root, (stream, stage));
        self.slot = slot;
        match admission {
            Admission::Context { id, life } => {
                self.state = SeatState::Present { context: id, life };
                stream.borrow_mut().access[stage].context = id;
            }
            Admission::Bypass => self.state = SeatState::Bypassed,
            Admission::Wait | Admission::Refuse => {}
        }
        admission
    }
}

fn cluster_of(action: &weir_model::Action) -> Option<weir_model::Name> {
    match action {
        weir_model::Action::Forward(forward) => Some(forward.cluster.clone()),
        weir_model::Action::Function(_)
        | weir_model::Action::Respond(_)
        | weir_model::Action::Echo => None,
    }
}

/// What is known when an exchange begins.
pub(crate) fn facts_of(connection: &Rc<Connection>, protocol: &'static str) -> Facts {
    Facts {
        connection: Rc::clone(connection),
        started: tokio::time::Instant::now(),
        started_wall: SystemTime::now(),
        ended: None,
        protocol,
        route: None,
        route_index: None,
        cluster: None,
        endpoints: 0,
        override_host: None,
        upstream: None,
        upstream_local: None,
        upstream_failure: None,
        attempts: 0,
        pool_ready: std::time::Duration::ZERO,
        backend_latency: None,
        status: 0,
        details: None,
        flags: Flags::default(),
        request_bytes: 0,
        response_bytes: 0,
    }
}

/// Whether the client asks to speak something else afterwards. `h2c` is an offer that may be
/// ignored (RFC 9110 §7.8), and is.
fn wants_upgrade(method: &http::Method, headers: &HeaderMap) -> bool {
    let is_offer = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"h2c");
    let mut upgrades = headers.get_all(header::UPGRADE).iter().peekable();
    *method == http::Method::CONNECT || (upgrades.peek().is_some() && !upgrades.all(is_offer))
}

/// The head with pseudo-headers, without what is between the client and this gateway, and with
/// what a proxy adds.
fn head_of(
    parts: http::request::Parts,
    connection: &Connection,
    settings: &Listener,
) -> HeaderList {
    let mut list = HeaderList::with_capacity(parts.headers.len() + 6);
    if let Some(authority) = authority_of(&parts.uri, &parts.headers) {
        list.push(Name::Pseudo(Pseudo::Authority), authority);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    list.push(
        Name::Pseudo(Pseudo::Path),
        FieldValue::copied(path.as_bytes()),
    );
    list.push(
        Name::Pseudo(Pseudo::Method),
        FieldValue::copied(parts.method.as_str().as_bytes()),
    );
    list.push(
        Name::Pseudo(Pseudo::Scheme),
        FieldValue::from_static("http"),
    );
    let ends = EndToEnd::of(&parts.headers);
    list.extend_from_map(parts.headers, Side::Request, |name| {
        ends.keeps(name) && *name != header::HOST && *name != header::EXPECT
    });
    add_forwarding(&mut list, connection, settings);
    list
}

/// The authority of an absolute target wins over `host` (RFC 9112 §3.2.2).
fn authority_of(uri: &http::Uri, fields: &HeaderMap) -> Option<FieldValue> {
    match uri.authority() {
        Some(authority) => Some(FieldValue::copied(authority.as_str().as_bytes())),
        None => fields.get(header::HOST).cloned().map(FieldValue::Valid),
    }
}

/// Tells the fields for the other end from those for this neighbour. `te: trailers` goes on.
pub(super) struct EndToEnd {
    /// What `connection` names beside its own options.
    named: SmallVec<[HeaderName; 2]>,
    keeps_te: bool,
}

impl EndToEnd {
    pub(super) fn of(fields: &HeaderMap) -> Self {
        let named = fields
            .get_all(header::CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|name| {
                !name.eq_ignore_ascii_case(b"keep-alive") && !name.eq_ignore_ascii_case(b"close")
            })
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .filter(|name| *name != header::TE && *name != header::CONTENT_LENGTH)
            .collect();
        let te = fields.get(header::TE);
        let keeps_te = te.is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
        Self { named, keeps_te }
    }

    fn keeps(&self, name: &HeaderName) -> bool {
        !is_hop_by_hop(name) && !self.named.contains(name) && (*name != header::TE || self.keeps_te)
    }

    /// Whether the filters of a response see a field. Envoy takes those for the neighbour away
    /// behind the last filter; so does [`HeaderList::to_map`].
    pub(super) fn shows(&self, name: &HeaderName) -> bool {
        name.as_str() != "keep-alive" && !self.named.contains(name)
    }
}

fn add_forwarding(list: &mut HeaderList, connection: &Connection, settings: &Listener) {
    let proto = HeaderName::from_static("x-forwarded-proto");
    let overwrites = settings.forwarded_for == ForwardedFor::Append;
    if overwrites {
        let client = connection.peer.ip().to_string();
        let xff = HeaderName::from_static("x-forwarded-for");
        let value = match list.field(&xff) {
            Some(before) if !before.as_bytes().is_empty() => {
                [before.as_bytes(), b",", client.as_bytes()].concat()
            }
            Some(_) | None => client.into_bytes(),
        };
        list.replace(
            b"x-forwarded-for",
            FieldValue::copied(&value),
            Side::Request,
        );
    }
    if overwrites || list.field(&proto).is_none() {
        list.remove_field(&proto);
        list.push_field(proto, FieldValue::from_static("http"));
    }
    let request_id = HeaderName::from_static("x-request-id");
    if settings.request_id && list.field(&request_id).is_none() {
        list.push_field(request_id, FieldValue::copied(&new_request_id()));
    }
    if settings.via {
        list.add(b"via", FieldValue::from_static("1.1 weir"), Side::Request);
    }
}

/// A random UUID (RFC 9562, version 4) as text.
fn new_request_id() -> [u8; 36] {
    use std::cell::RefCell;
    thread_local! {
        static POOL: RefCell<(Vec<u8>, usize)> = const { RefCell::new((Vec::new(), 0)) };
    }
    const POOL_BYTES: usize = 4096;
    let mut raw = [0u8; 16];
    POOL.with_borrow_mut(|(pool, at)| {
        if *at + 16 > pool.len() {
            pool.resize(POOL_BYTES, 0);
            // Request ids are for finding log lines, not secrets: without entropy they repeat.
            if getrandom::fill(pool).is_err() {
                tracing::warn!("the system gives no random bytes; request ids repeat");
            }
            *at = 0;
        }
        raw.copy_from_slice(&pool[*at..*at + 16]);
        *at += 16;
    });
    raw[6] = raw[6] & 0x0f | 0x40;
    raw[8] = raw[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in raw.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    text
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Bytes of an incoming frame, if it is one of data.
pub(super) fn data_of(frame: hyper::body::Frame<Bytes>) -> Result<Bytes, HeaderMap> {
    match frame.into_data() {
        Ok(bytes) => Ok(bytes),
        Err(frame) => Err(frame.into_trailers().unwrap_or_default()),
    }
}
