//! What carries one request: a connection of its own, or a place on a shared one.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::connection::Connection;
use super::outflow::BodyReader;
use super::session::Seat;

/// What carries one request.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// HTTP/1.1.
    Own(Connection),
    /// HTTP/2.
    Shared(Seat),
}

impl Carrier {
    pub(crate) fn peer(&self) -> SocketAddr {
        match self {
            Self::Own(connection) => connection.peer,
            Self::Shared(seat) => seat.peer(),
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        match self {
            Self::Own(connection) => connection.local,
            Self::Shared(seat) => seat.local(),
        }
    }

    /// Whether the connection has carried a request before this one.
    pub(crate) fn is_reused(&self) -> bool {
        match self {
            Self::Own(connection) => connection.is_reused,
            Self::Shared(seat) => seat.is_reused,
        }
    }

    /// Whether a byte of an answer can have come. Of a shared connection that is not known.
    pub(crate) fn was_heard(&self) -> bool {
        match self {
            Self::Own(connection) => connection.was_heard(),
            Self::Shared(_) => true,
        }
    }

    /// Sends the request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<BodyReader>,
    ) -> Result<Response<Incoming>, TrySendError<Request<BodyReader>>> {
        match self {
            Self::Own(connection) => {
                connection.expect_answer();
                connection.sender.try_send_request(request).await
            }
            Self::Shared(seat) => seat.send(request).await,
        }
    }
}
