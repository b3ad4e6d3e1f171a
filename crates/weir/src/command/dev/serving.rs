//! The gateways of `weir dev`, one after the other.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use tokio::sync::watch;
use weir_model::{EndpointHost, Name, Site, Store};

use super::lines;
use crate::gateway::{self, GatewayError, Kept, Options};
use crate::logging::LogControl;
use crate::signals::Phase;

/// The gateway that serves, and those that finish their last requests.
pub(super) struct Serving {
    configuration: PathBuf,
    log: LogControl,
    kept: Arc<Kept>,
    current: Option<Gateway>,
    leaving: Vec<Ending>,
}

type Ending = JoinHandle<Result<(), GatewayError>>;

/// A gateway on a thread of its own.
struct Gateway {
    phase: watch::Sender<Phase>,
    thread: Ending,
    addresses: Vec<(Name, SocketAddr)>,
    workers: NonZeroUsize,
}

/// Where a gateway listens for HTTP: name and address of each listener, the first one first.
pub(super) struct Addresses(Vec<(Name, SocketAddr)>);

impl Serving {
    pub(super) fn new(configuration: PathBuf, log: LogControl) -> Self {
        Self {
            configuration,
            log,
            kept: Arc::default(),
            current: None,
            leaving: Vec::new(),
        }
    }

    pub(super) fn is_serving(&self) -> bool {
        self.current.is_some()
    }

    /// Serves a site in the place of the one before, which goes on if this one cannot be served.
    /// Answers the addresses for people.
    pub(super) fn start(&mut self, mut site: Site) -> Result<Vec<String>, GatewayError> {
        self.keep_ports(&mut site);
        let workers = gateway::workers_of(&site);
        let fits = |current: &Gateway| current.workers == workers && !has_files(&site);
        if self.current.as_ref().is_some_and(|current| !fits(current)) {
            // Only one gateway can have these. What can be known before is tried out.
            gateway::try_out(site.clone())?;
            self.stop();
        }
        let is_tcp: Vec<bool> = site.listeners.iter().map(|it| it.tcp.is_some()).collect();
        let started = self.launch(site, workers);
        self.leaving.retain(|thread| !thread.is_finished());
        let current = self.current.iter().flat_map(|current| &current.addresses);
        let addresses: Vec<SocketAddr> = current.map(|(_, address)| *address).collect();
        self.kept.sockets.retain(&addresses);
        started?;
        let told = |(address, is_tcp)| {
            if is_tcp {
                format!("tcp://{}", reachable(address))
            } else {
                format!("http://{}", reachable(address))
            }
        };
        Ok(addresses.into_iter().zip(is_tcp).map(told).collect())
    }

    /// A listener that found a free port has it again.
    fn keep_ports(&self, site: &mut Site) {
        for listener in &mut site.listeners {
            let mut known = self.current.iter().flat_map(|current| &current.addresses);
            let same = known.find(|(name, address)| {
                *name == listener.name && address.ip() == listener.address.ip()
            });
            if let Some((_, address)) = same
                && listener.address.port() == 0
            {
                listener.address = *address;
            }
        }
    }

    /// Serves a site on free ports and without its admin address.
    pub(super) fn start_elsewhere(&mut self, mut site: Site) -> Result<Addresses, GatewayError> {
        let workers = gateway::workers_of(&site);
        site.admin = None;
        let mut moved = HashMap::new();
        let mut addresses = Vec::new();
        for listener in &mut site.listeners {
            let free = SocketAddr::new(listener.address.ip(), 0);
            let bound = self.kept.sockets.bind(free, workers.get());
            let bound = bound.map_err(GatewayError::System)?;
            moved.insert(listener.address, bound);
            listener.address = bound;
            if listener.tcp.is_none() {
                addresses.push((listener.name.clone(), bound));
            }
        }
        for cluster in site.clusters.values_mut() {
            for endpoint in &mut cluster.endpoints {
                if let EndpointHost::Ip(ip) = endpoint.host
                    && let Some(bound) = moved.get(&SocketAddr::new(ip, endpoint.port))
                {
                    endpoint.port = bound.port();
                }
            }
        }
        self.launch(site, workers)?;
        Ok(Addresses(addresses))
    }

    /// Why the gateway has ended by itself, once.
    pub(super) fn failed(&mut self) -> Option<GatewayError> {
        let gone = self.current.take_if(|current| current.thread.is_finished());
        joined(gone?.thread).err()
    }

    /// Waits until the last request is finished.
    pub(super) fn end(&mut self) {
        self.stop();
        for thread in self.leaving.drain(..) {
            // Its failure concerned what is gone.
            let _ = joined(thread);
        }
    }

    fn launch(&mut self, site: Site, workers: NonZeroUsize) -> Result<(), GatewayError> {
        let (phase, receiver) = watch::channel(Phase::Serving);
        let (serving, served) = mpsc::channel();
        let options = Options {
            configuration: self.configuration.clone(),
            log: self.log.clone(),
            phase: receiver,
            access_log: lines::short_lines,
            serving: Some(serving),
            kept: Some(Arc::clone(&self.kept)),
        };
        let thread = thread::Builder::new()
            .name("weir-gateway".to_owned())
            .spawn(move || gateway::run(site, options))
            .map_err(GatewayError::System)?;
        let Ok(addresses) = served.recv() else {
            // It has ended before it served.
            joined(thread)?;
            return Err(GatewayError::System(io::Error::other("it ended at once")));
        };
        let fresh = Gateway {
            phase,
            thread,
            addresses,
            workers,
        };
        if let Some(before) = self.current.replace(fresh) {
            self.leaving.push(before.leave());
        }
        Ok(())
    }

    /// Drains the gateway, waits for its end, and keeps its sockets.
    fn stop(&mut self) {
        if let Some(current) = self.current.take() {
            // Its failure concerned what is gone.
            let _ = joined(current.leave());
        }
    }
}

impl Gateway {
    fn leave(self) -> Ending {
        self.phase.send_replace(Phase::Draining);
        self.thread
    }
}

impl Addresses {
    /// What a test is told.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let url = |address: &SocketAddr| format!("http://{}", reachable(*address));
        let word = |name: &Name| -> String {
            let known = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            name.chars()
                .map(known)
                .collect::<String>()
                .to_ascii_uppercase()
        };
        let first = self
            .0
            .first()
            .map(|(_, it)| ("WEIR_URL".to_owned(), url(it)));
        let all = self.0.iter();
        let named = all.map(|(name, it)| (format!("WEIR_URL_{}", word(name)), url(it)));
        first.into_iter().chain(named).collect()
    }
}

fn joined(thread: Ending) -> Result<(), GatewayError> {
    // A panic was told when it happened.
    thread.join().unwrap_or(Err(GatewayError::WorkerFailed))
}

/// Whether maps of the site are files, which one gateway has for itself.
fn has_files(site: &Site) -> bool {
    site.stores.values().any(|store| match store {
        Store::Durable(_) | Store::SsdBacked(_) => true,
        Store::Redis(_) => false,
    })
}

/// An address that a client on this machine can use.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
