//! Opens connections for TCP clients: each its own, no pool.

use std::net::SocketAddr;
use std::rc::Rc;

use smallvec::SmallVec;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Attempts, DispatchError};
use crate::upstream::{Checkout, Cluster, Place};

/// A connection to an endpoint that one client has for itself.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) stream: TcpStream,
    /// Declared last: the connection is gone before its place is free.
    pub(crate) place: Place,
}

/// Opens a connection to an endpoint, to another one where that fails, `tries` in all.
///
/// # Errors
///
/// [`DispatchError`] of the last try.
pub(crate) async fn connect(
    cluster: &Rc<Cluster>,
    tries: u32,
    attempts: &mut Attempts,
) -> Result<Channel, DispatchError> {
    let started = Instant::now();
    let mut tried: SmallVec<[SocketAddr; 4]> = SmallVec::new();
    loop {
        let place = match cluster.admit(&tried).await {
            Ok(place) => place,
            Err(Checkout::NoHost) => return Err(DispatchError::NoHealthyUpstream),
            Err(Checkout::Overflow) => return Err(DispatchError::Overflow),
            Err(Checkout::Connect(error)) => return Err(error.into()),
        };
        let address = place.host.address;
        attempts.count += 1;
        attempts.last_peer = Some(address);
        let error = match place.connect_bare().await {
            Ok((stream, place)) => {
                attempts.pool_ready = started.elapsed();
                attempts.last_peer = stream.peer_addr().ok().or(attempts.last_peer);
                return Ok(Channel { stream, place });
            }
            Err(Checkout::Connect(error)) => DispatchError::from(error),
            Err(Checkout::NoHost | Checkout::Overflow) => DispatchError::NoHealthyUpstream,
        };
        attempts.last_failure = Some(error.clone());
        if attempts.count >= tries {
            attempts.is_exhausted = true;
            return Err(error);
        }
        tried.push(address);
    }
}
