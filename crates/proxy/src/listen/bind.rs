//! Claims addresses: all of them, or none.

use std::io;
use std::net::{SocketAddr, TcpListener};

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
    fn a_taken_address_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = Claim::new(&listener(&address), 1).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot bind {address}")), "{error}");
    }
}
