//! Claims addresses: all of them, or none.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use thiserror::Error;
use weir_model::{Listener, Name, limits};

/// An address that could not be claimed.
#[derive(Debug, Error)]
#[error("listener {listener}: cannot {step} {address}: {error}")]
pub struct BindError {
    /// Whose address it is.
    pub listener: Name,
    /// The address as configured.
    pub address: SocketAddr,
    /// What failed: `bind`, `listen on` …
    pub step: &'static str,
    /// The reason given by the system.
    #[source]
    pub error: io::Error,
}

/// Sockets that go on listening while one gateway of this process follows another: each gets them
/// as its own, so that no client is refused in between.
#[derive(Debug, Default)]
pub struct KeptSockets(Mutex<BTreeMap<SocketAddr, Vec<Socket>>>);

impl KeptSockets {
    /// Binds as many sockets as there are workers to one address, and keeps them for the gateway
    /// that is told this address. With port 0 a free port is found. Returns the address.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn bind(&self, address: SocketAddr, workers: usize) -> io::Result<SocketAddr> {
        let mut address = address;
        let mut sockets = Vec::with_capacity(workers);
        for _ in 0..workers {
            let socket = bound(address, Port::Shared)?;
            address = socket.local_addr()?.as_socket().unwrap_or(address);
            sockets.push(socket);
        }
        self.locked().insert(address, sockets);
        Ok(address)
    }

    /// Lets go of all sockets but those of these addresses.
    pub fn retain(&self, addresses: &[SocketAddr]) {
        self.locked()
            .retain(|address, _| addresses.contains(address));
    }

    /// The sockets of an address, if there is one for each worker.
    fn of(&self, address: SocketAddr, workers: usize) -> io::Result<Option<Vec<Socket>>> {
        match self.locked().get(&address) {
            Some(kept) if kept.len() == workers => kept
                .iter()
                .map(Socket::try_clone)
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) | None => Ok(None),
        }
    }

    fn keep(&self, address: SocketAddr, sockets: &[Socket]) -> io::Result<()> {
        let kept = sockets
            .iter()
            .map(Socket::try_clone)
            .collect::<Result<_, _>>()?;
        self.locked().insert(address, kept);
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Vec<Socket>>> {
        // What is in it is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sockets of one listener, one per worker, bound and not yet listening: clients are refused
/// until [`Claim::listen`], so that a gateway that still starts takes no traffic from one that serves.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The address with its real port.
    pub(crate) address: SocketAddr,
    sockets: Vec<Socket>,
    name: Name,
}

impl Claim {
    /// Binds one socket per worker.
    ///
    /// # Errors
    /// Names the listener and its address.
    pub(crate) fn new(listener: &Listener, workers: usize) -> Result<Self, BindError> {
        let mut claim = Self {
            address: listener.address,
            sockets: Vec::with_capacity(workers),
            name: listener.name.clone(),
        };
        if claim.address.port() != 0 {
            // With SO_REUSEPORT another gateway of this user would share the port unnoticed.
            let alone = bound(claim.address, Port::Alone);
            drop(alone.map_err(|error| claim.failed("bind", error))?);
        }
        for _ in 0..workers {
            // Port 0: the first socket finds a free port, the others share it.
            let socket =
                bound(claim.address, Port::Shared).map_err(|error| claim.failed("bind", error))?;
            let address = socket.local_addr();
            let address = address.map_err(|error| claim.failed("inspect", error))?;
            claim.address = address.as_socket().unwrap_or(claim.address);
            claim.sockets.push(socket);
        }
        Ok(claim)
    }

    /// As [`Claim::new`], but with the sockets that were kept for this address; others are kept from
    /// now on.
    ///
    /// # Errors
    /// Names the listener and its address.
    pub(crate) fn with(
        listener: &Listener,
        workers: usize,
        kept: &KeptSockets,
    ) -> Result<Self, BindError> {
        let mut claim = Self {
            address: listener.address,
            sockets: Vec::new(),
            name: listener.name.clone(),
        };
        let found = kept.of(claim.address, workers);
        if let Some(sockets) = found.map_err(|error| claim.failed("take over", error))? {
            claim.sockets = sockets;
            return Ok(claim);
        }
        let claim = Self::new(listener, workers)?;
        let keeping = kept.keep(claim.address, &claim.sockets);
        keeping.map_err(|error| claim.failed("keep", error))?;
        Ok(claim)
    }

    /// Starts to take connections.
    ///
    /// # Errors
    /// Names the listener and its address.
    pub(crate) fn listen(mut self) -> Result<Vec<TcpListener>, BindError> {
        let backlog = i32::try_from(limits::LISTEN_BACKLOG).unwrap_or(i32::MAX);
        for socket in &self.sockets {
            let listening = socket.listen(backlog);
            listening.map_err(|error| self.failed("listen on", error))?;
        }
        let sockets = std::mem::take(&mut self.sockets);
        Ok(sockets.into_iter().map(TcpListener::from).collect())
    }

    fn failed(&self, step: &'static str, error: io::Error) -> BindError {
        BindError {
            listener: self.name.clone(),
            address: self.address,
            step,
            error,
        }
    }
}

/// Whether other sockets may have the same port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Alone,
    Shared,
}

fn bound(address: SocketAddr, port: Port) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` on one port are two listeners.
        socket.set_only_v6(true)?;
    }
    // Without SO_REUSEADDR a restart would wait for old connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(port == Port::Shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Makes the coming close of a socket visible as a reset to its peer.
pub(crate) fn reset_on_close(stream: &tokio::net::TcpStream) {
    // The socket is closed either way; without the option the peer sees an ordinary end.
    let _ = SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str) -> Listener {
        Listener::at(address.parse().unwrap())
    }

    #[test]
    fn workers_share_one_free_port() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let claim = Claim::new(&listener(address), 3).unwrap();
            assert_ne!(claim.address.port(), 0);
            let expected = claim.address;
            for socket in claim.listen().unwrap() {
                assert_eq!(socket.local_addr().unwrap(), expected);
            }
        }
    }

    #[test]
    fn kept_sockets_lose_no_connection_between_two_gateways() {
        let kept = KeptSockets::default();
        let at = kept.bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let listener = Listener::at(at);
        let first = Claim::with(&listener, 1, &kept).unwrap().listen().unwrap();
        drop(first);
        let client = std::net::TcpStream::connect(at).unwrap();
        let second = Claim::with(&listener, 1, &kept).unwrap().listen().unwrap();
        second[0].set_nonblocking(false).unwrap();
        let (_, peer) = second[0].accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        // Another number of workers is another start: with the address taken, it fails.
        assert!(Claim::with(&listener, 2, &kept).is_err());
        kept.retain(&[]);
        drop(second);
        assert!(Claim::with(&listener, 2, &kept).is_ok());
    }

    #[test]
    fn a_taken_address_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = Claim::new(&listener(&address), 1).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot bind {address}")), "{error}");
    }
}
