//! A group of endpoints as one worker sees it.

mod upkeep;

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use weir_model::EndpointHost;
use weir_model::limits::UPSTREAM_PENDING_MAX;

use super::balance::{Balancer, Chance};
use super::connection::{ConnectError, Connection};
use super::host::Host;
use super::names::Resolver;

/// A group of endpoints as one worker sees it.
#[derive(Debug)]
pub(crate) struct Cluster {
    model: weir_model::Cluster,
    hosts: RefCell<Rc<[Rc<Host>]>>,
    balancer: Balancer,
    ejected: Cell<usize>,
    /// One permit for each request that has a connection, or is opening one.
    slots: Semaphore,
    slots_max: usize,
    waiting: Cell<usize>,
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

/// The right to use one connection for one request. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) connection: Connection,
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
        let slots_max = model.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        let names = upkeep::names(&model.endpoints);
        let cluster = Rc::new(Self {
            hosts: RefCell::new(Rc::new([])),
            balancer: Balancer::new(model.load_balancing),
            ejected: Cell::new(0),
            slots: Semaphore::new(slots_max),
            slots_max,
            waiting: Cell::new(0),
            is_warm: Cell::new(names.is_empty()),
            warmed: Notify::new(),
            tasks: RefCell::default(),
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
        let Some(host) = self.pick(tried) else {
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
        if reuse == Reuse::Allowed
            && let Some(connection) = self.host.take_idle(self.cluster.model.idle_timeout)
        {
            return Ok(Lease {
                connection,
                place: self,
            });
        }
        self.cluster.make_room();
        let opened = self.host.open(self.cluster.model.connect_timeout).await;
        let connection = opened.map_err(|error| {
            self.cluster.failed(&self.host);
            Checkout::Connect(error)
        })?;
        Ok(Lease {
            connection,
            place: self,
        })
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
        let Self { connection, place } = self;
        place.host.put_idle(connection);
    }
}

/// Envoy ejects one host whatever the percentage; one host always stays.
fn ejected_max(total: usize, max_percent: u8) -> usize {
    (total * usize::from(max_percent) / 100)
        .max(1)
        .min(total.saturating_sub(1))
}
