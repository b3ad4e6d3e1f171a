//! A group of endpoints as one worker sees it.

mod upkeep;

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use weir_model::limits::{H2_STREAMS_MAX, UPSTREAM_PENDING_MAX};
use weir_model::{EndpointHost, Protocol};

use super::balance::{Balancer, Chance};
use super::carrier::Carrier;
use super::connection::{ConnectError, Encryption};
use super::host::Host;
use super::names::Resolver;
use super::session::Seat;

/// A group of endpoints as one worker sees it.
#[derive(Debug)]
pub(crate) struct Cluster {
    model: weir_model::Cluster,
    /// How connections of HTTP/1.1 are encrypted; `None`: they are not.
    encryption: Option<Encryption>,
    hosts: RefCell<Rc<[Rc<Host>]>>,
    balancer: Balancer,
    ejected: Cell<usize>,
    /// One permit for each request that has a connection, or is opening one.
    slots: Semaphore,
    slots_max: usize,
    waiting: Cell<usize>,
    /// A plugin made a gRPC call to it, though it speaks HTTP/1.1, and the log says so.
    is_doubted: Cell<bool>,
    is_warm: Cell<bool>,
    warmed: Notify,
    tasks: RefCell<Vec<AbortHandle>>,
}

/// Whether a pooled connection will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    Allowed,
    Never,
}

/// Why a request got no connection.
#[derive(Debug)]
pub(crate) enum Checkout {
    NoHost,
    Overflow,
    Connect(ConnectError),
}

/// The right to use a connection for one request. Dropping it closes the connection, or resets the
/// request on a shared one.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) carrier: Carrier,
    /// Declared last: the connection is gone before its place is free.
    pub(crate) place: Place,
}

/// A place at a host, counted in the host's load and the cluster's connections.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) cluster: Rc<Cluster>,
    pub(crate) host: Rc<Host>,
}

impl Cluster {
    /// Starts with the fixed addresses, and looks the names up in the background. Must be called
    /// inside a `LocalSet`.
    pub(crate) fn start(model: weir_model::Cluster, resolver: &Arc<Resolver>) -> Rc<Self> {
        Self::begin((model, None), resolver)
    }

    /// The same, with connections that are encrypted.
    pub(crate) fn start_encrypted(
        model: weir_model::Cluster,
        encryption: Encryption,
        resolver: &Arc<Resolver>,
    ) -> Rc<Self> {
        Self::begin((model, Some(encryption)), resolver)
    }

    fn begin(
        (model, encryption): (weir_model::Cluster, Option<Encryption>),
        resolver: &Arc<Resolver>,
    ) -> Rc<Self> {
        let requests = match model.protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 => H2_STREAMS_MAX,
        };
        let slots_max = model.max_connections.saturating_mul(requests);
        let slots_max = slots_max.clamp(1, Semaphore::MAX_PERMITS);
        let names = upkeep::names(&model.endpoints);
        let cluster = Rc::new(Self {
            hosts: RefCell::new(Rc::new([])),
            balancer: Balancer::new(model.load_balancing),
            ejected: Cell::new(0),
            slots: Semaphore::new(slots_max),
            slots_max,
            waiting: Cell::new(0),
            is_doubted: Cell::new(false),
            is_warm: Cell::new(names.is_empty()),
            warmed: Notify::new(),
            tasks: RefCell::default(),
            encryption,
            model,
        });
        cluster.update(&vec![None; names.len()]);
        let sweep = tokio::task::spawn_local(upkeep::sweep(Rc::downgrade(&cluster)));
        cluster.tasks.borrow_mut().push(sweep.abort_handle());
        if !names.is_empty() {
            let refresh = upkeep::refresh(Rc::downgrade(&cluster), Arc::clone(resolver), names);
            let refresh = tokio::task::spawn_local(refresh);
            cluster.tasks.borrow_mut().push(refresh.abort_handle());
        }
        cluster
    }

    /// Its settings.
    pub(crate) fn model(&self) -> &weir_model::Cluster {
        &self.model
    }

    /// Whether a request would find an endpoint. Names that were not looked up yet count.
    pub(crate) fn has_endpoint(&self) -> bool {
        !self.is_warm.get() || !self.hosts.borrow().is_empty()
    }

    /// A plugin makes a gRPC call. As in Envoy it goes out whatever the cluster speaks; the log says
    /// once what is probably missing.
    pub(crate) fn expect_grpc(&self) {
        if self.model.protocol == Protocol::Http1 && !self.is_doubted.replace(true) {
            tracing::warn!(
                cluster = %self.model.name,
                "a plugin makes gRPC calls to a cluster that speaks HTTP/1.1; gRPC servers need \
                 `protocol: http2`"
            );
        }
    }

    /// Waits until every name was looked up once.
    pub(crate) async fn warmed(&self) {
        while !self.is_warm.get() {
            self.warmed.notified().await;
        }
    }

    /// The addresses that it has now.
    pub(crate) fn hosts(&self) -> Rc<[Rc<Host>]> {
        Rc::clone(&self.hosts.borrow())
    }

    /// Random numbers for jitter.
    pub(crate) fn chance(&self) -> &Chance {
        self.balancer.chance()
    }

    /// Requests that have a connection, or are opening one.
    pub(crate) fn in_flight(&self) -> usize {
        self.slots_max - self.slots.available_permits()
    }

    /// Requests that wait for a connection to be free.
    #[cfg(test)]
    pub(crate) fn pending(&self) -> usize {
        self.waiting.get()
    }

    /// Connections that wait for a request.
    pub(crate) fn idle_count(&self) -> usize {
        self.hosts
            .borrow()
            .iter()
            .map(|host| host.idle_count())
            .sum()
    }

    /// Picks a host, preferably none of `tried`, with the right to use a connection to it. Waits
    /// for that right while all connections are in use.
    pub(crate) async fn admit(self: &Rc<Self>, tried: &[SocketAddr]) -> Result<Place, Checkout> {
        self.admit_to(None, tried).await
    }

    /// As [`Self::admit`], to the host with this address as long as the cluster has it in service.
    pub(crate) async fn admit_to(
        self: &Rc<Self>,
        wanted: Option<SocketAddr>,
        tried: &[SocketAddr],
    ) -> Result<Place, Checkout> {
        if !self.is_warm.get() {
            let limit = self.model.connect_timeout;
            let _late = tokio::time::timeout(limit, self.warmed()).await;
        }
        if self.hosts.borrow().is_empty() {
            return Err(Checkout::NoHost);
        }
        match self.slots.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(_all_taken) => self.wait_for_slot().await?,
        }
        let wanted = wanted.and_then(|address| self.in_service(address));
        let Some(host) = wanted.or_else(|| self.pick(tried)) else {
            self.slots.add_permits(1);
            return Err(Checkout::NoHost);
        };
        host.enter();
        Ok(Place {
            cluster: Rc::clone(self),
            host,
        })
    }

    /// An answer of a host: failures are counted for its ejection.
    pub(crate) fn answered(&self, host: &Host, status: http::StatusCode) {
        if status.is_server_error() {
            self.failed(host);
        } else {
            host.succeeded();
        }
    }

    /// A failure of a host: connect error, reset, timeout or server error.
    pub(crate) fn failed(&self, host: &Host) {
        let Some(ejection) = &self.model.ejection else {
            return;
        };
        let total = self.hosts.borrow().len();
        if !host.failed(ejection) || self.ejected.get() >= ejected_max(total, ejection.max_percent)
        {
            return;
        }
        let period = host.eject(ejection.base_time);
        self.ejected.set(self.ejected.get() + 1);
        tracing::info!(cluster = %self.model.name, host = %host.address, ?period, "host ejected");
    }

    /// As [`Self::failed`], for a caller that gave up waiting and knows only the address.
    pub(crate) fn blame(&self, peer: SocketAddr) {
        let hosts = self.hosts();
        if let Some(host) = hosts.iter().find(|host| host.has(peer)) {
            self.failed(host);
        }
    }

    async fn wait_for_slot(&self) -> Result<(), Checkout> {
        struct Waiting<'a>(&'a Cell<usize>);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        if self.waiting.get() >= UPSTREAM_PENDING_MAX {
            return Err(Checkout::Overflow);
        }
        self.waiting.set(self.waiting.get() + 1);
        let _waiting = Waiting(&self.waiting);
        let permit = self
            .slots
            .acquire()
            .await
            .map_err(|_closed| Checkout::Overflow)?;
        permit.forget();
        Ok(())
    }

    fn in_service(&self, address: SocketAddr) -> Option<Rc<Host>> {
        let hosts = self.hosts.borrow();
        self.readmit(&hosts);
        let mut fits = hosts.iter().filter(|host| host.has(address));
        fits.find(|host| !host.is_ejected()).map(Rc::clone)
    }

    fn pick(&self, tried: &[SocketAddr]) -> Option<Rc<Host>> {
        let hosts = self.hosts.borrow();
        if self.ejected.get() > 0 {
            self.readmit(&hosts);
        }
        if self.ejected.get() == 0 && tried.is_empty() {
            return self.choose(&hosts, Rc::as_ref).map(Rc::clone);
        }
        let healthy = |host: &&Rc<Host>| !host.is_ejected();
        let fresh = |host: &&Rc<Host>| !tried.contains(&host.address);
        let mut candidates: SmallVec<[&Rc<Host>; 16]> =
            hosts.iter().filter(healthy).filter(fresh).collect();
        if candidates.is_empty() {
            candidates.extend(hosts.iter().filter(healthy));
        }
        if candidates.is_empty() {
            candidates.extend(hosts.iter());
        }
        self.choose(&candidates, |host| host)
            .map(|host| Rc::clone(host))
    }

    fn choose<'a, T>(&self, hosts: &'a [T], host: impl Fn(&T) -> &Host) -> Option<&'a T> {
        if hosts.is_empty() {
            return None;
        }
        hosts.get(
            self.balancer
                .pick(hosts.len(), |index| host(&hosts[index]).in_flight()),
        )
    }

    fn readmit(&self, hosts: &[Rc<Host>]) {
        let now = Instant::now();
        for host in hosts.iter().filter(|host| host.readmit(now)) {
            self.ejected.set(self.ejected.get() - 1);
            tracing::info!(cluster = %self.model.name, host = %host.address, "host readmitted");
        }
    }

    /// Makes room among the idle connections for one more connection.
    fn make_room(&self) {
        if self.idle_count() + self.in_flight() <= self.slots_max {
            return;
        }
        let hosts = self.hosts.borrow();
        if let Some(fullest) = hosts.iter().max_by_key(|host| host.idle_count()) {
            fullest.evict_oldest();
        }
    }

    /// Whether one more shared connection may be opened; closes an idle one for it if it must.
    fn has_room_for_session(&self) -> bool {
        let hosts = self.hosts.borrow();
        let open: usize = hosts.iter().map(|host| host.sessions.count()).sum();
        open < self.model.max_connections || hosts.iter().any(|host| host.sessions.evict_idle())
    }

    /// A place on an open shared connection: to the preferred host, to another one, or where the
    /// request has to wait for its turn.
    fn any_seat(&self, preferred: &Rc<Host>) -> Option<(Rc<Host>, Seat)> {
        let (hosts, keep) = (self.hosts.borrow(), self.model.idle_timeout);
        let found = |host: &Rc<Host>, seat: Option<Seat>| Some((Rc::clone(host), seat?));
        let mut free = hosts
            .iter()
            .map(|host| found(host, host.sessions.seat(keep)));
        let mut full = std::iter::once(preferred)
            .chain(hosts.iter())
            .map(|host| found(host, host.sessions.seat_anyway()));
        free.find_map(|seat| seat)
            .or_else(|| full.find_map(|seat| seat))
    }

    /// Takes over what the names stand for now; `answers` has an entry for each name.
    fn update(&self, answers: &[Option<Arc<[IpAddr]>>]) {
        let old = self.hosts();
        let mut hosts: Vec<Rc<Host>> = Vec::new();
        let mut answers = answers.iter();
        for endpoint in &self.model.endpoints {
            let known = match &endpoint.host {
                EndpointHost::Ip(ip) => vec![(SocketAddr::new(*ip, endpoint.port), None)],
                EndpointHost::Dns(_) => {
                    let ips = answers
                        .next()
                        .and_then(Option::as_deref)
                        .unwrap_or_default();
                    upkeep::addresses(ips, endpoint.port)
                }
            };
            for (address, alternate) in known {
                if hosts.iter().any(|host| host.address == address) {
                    continue;
                }
                let kept = old.iter().find(|host| host.is_at(address, alternate));
                let host = kept
                    .cloned()
                    .unwrap_or_else(|| Rc::new(Host::new(address, alternate)));
                hosts.push(host);
            }
        }
        for gone in old
            .iter()
            .filter(|old| !hosts.iter().any(|host| Rc::ptr_eq(host, old)))
        {
            tracing::info!(cluster = %self.model.name, host = %gone.address, "host left");
            gone.retire();
        }
        self.ejected
            .set(hosts.iter().filter(|host| host.is_ejected()).count());
        *self.hosts.borrow_mut() = hosts.into();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.tasks.get_mut().iter().for_each(AbortHandle::abort);
    }
}

impl Place {
    /// A connection to the host, pooled or new.
    pub(crate) async fn connect(self, reuse: Reuse) -> Result<Lease, Checkout> {
        match self.cluster.model.protocol {
            Protocol::Http1 => self.connect_alone(reuse).await,
            Protocol::Http2 => self.join(reuse).await,
        }
    }

    async fn connect_alone(self, reuse: Reuse) -> Result<Lease, Checkout> {
        if reuse == Reuse::Allowed
            && let Some(connection) = self.host.take_idle(self.cluster.model.idle_timeout)
        {
            return Ok(self.lease(Carrier::Own(connection)));
        }
        self.cluster.make_room();
        let limit = self.cluster.model.connect_timeout;
        let encryption = self.cluster.encryption.as_ref();
        let opened = self.host.open(limit, encryption).await;
        let connection = opened.map_err(|error| self.blame(error))?;
        Ok(self.lease(Carrier::Own(connection)))
    }

    /// A place on a shared connection. Where no further connection may be opened, that is one to
    /// any host.
    async fn join(mut self, reuse: Reuse) -> Result<Lease, Checkout> {
        let cluster = Rc::clone(&self.cluster);
        let keep = cluster.model.idle_timeout;
        if reuse == Reuse::Allowed
            && let Some(seat) = self.host.sessions.seat(keep)
        {
            return Ok(self.lease(Carrier::Shared(seat)));
        }
        if !cluster.has_room_for_session() {
            if let Some((host, seat)) = cluster.any_seat(&self.host) {
                self.move_to(host);
                return Ok(self.lease(Carrier::Shared(seat)));
            }
            let hosts = cluster.hosts();
            if let Some(host) = hosts.iter().find(|host| host.sessions.is_opening()) {
                self.move_to(Rc::clone(host));
            }
        }
        let (host, limit) = (Rc::clone(&self.host), cluster.model.connect_timeout);
        let open = || Rc::clone(&host).open_session(limit);
        let joined = self.host.sessions.join(open).await;
        let seat = joined.map_err(|error| self.blame(error))?;
        Ok(self.lease(Carrier::Shared(seat)))
    }

    fn lease(self, carrier: Carrier) -> Lease {
        Lease {
            carrier,
            place: self,
        }
    }

    fn blame(&self, error: ConnectError) -> Checkout {
        self.cluster.failed(&self.host);
        Checkout::Connect(error)
    }

    fn move_to(&mut self, host: Rc<Host>) {
        self.host.leave();
        host.enter();
        self.host = host;
    }

    /// A bare connection to the host, for whatever is spoken on it.
    pub(crate) async fn connect_bare(self) -> Result<(TcpStream, Self), Checkout> {
        self.cluster.make_room();
        let limit = self.cluster.model.connect_timeout;
        let opened = self.host.open_alone(limit).await;
        let stream = opened.map_err(|error| self.blame(error))?;
        self.host.succeeded();
        Ok((stream, self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.host.leave();
        self.cluster.slots.add_permits(1);
    }
}

impl Lease {
    /// Gives the connection back: its request was sent and its response read to the end.
    pub(crate) fn give_back(self) {
        let Self { carrier, place } = self;
        match carrier {
            Carrier::Own(connection) => place.host.put_idle(connection),
            Carrier::Shared(seat) => drop(seat),
        }
    }
}

/// Envoy ejects one host whatever the percentage; one host always stays.
fn ejected_max(total: usize, max_percent: u8) -> usize {
    (total * usize::from(max_percent) / 100)
        .max(1)
        .min(total.saturating_sub(1))
}
