//! A client of the admin address, for the command line.

use std::net::SocketAddr;

use bytes::Bytes;
use http::response::Parts;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time;
use weir_model::limits;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens, or nobody can be reached.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// The admin address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// It did not come in time.
    #[error("{0} did not answer in time")]
    TimedOut(SocketAddr),
    /// It is no HTTP, or was cut.
    #[error("{address} does not answer as a gateway does: {error}")]
    Http {
        /// The admin address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: hyper::Error,
    },
    /// The request cannot be made.
    #[error("no such request can be made: {0}")]
    Request(#[from] http::Error),
}

/// An answer of which the head has come.
pub struct Answer {
    address: SocketAddr,
    head: Parts,
    body: Incoming,
}

impl Answer {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// A header that is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`ClientError::Http`]: it was cut.
    pub async fn whole(self) -> Result<Vec<u8>, ClientError> {
        let address = self.address;
        let whole = self.body.collect().await;
        let whole = whole.map_err(|error| ClientError::Http { address, error })?;
        Ok(whole.to_bytes().to_vec())
    }

    /// The next bytes of the body as they come; `None`: it has ended.
    ///
    /// # Errors
    /// [`ClientError::Http`]: it was cut.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        let address = self.address;
        loop {
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| ClientError::Http { address, error })?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }
}

/// Sends one request, whose method is `GET`, `PUT` or the like; the answer's head comes within
/// [`limits::ADMIN_EXCHANGE_TIME`].
///
/// # Errors
/// [`ClientError`]. An answer that says no is an answer.
pub async fn ask(
    address: SocketAddr,
    (method, path): (&str, &str),
    body: Vec<u8>,
) -> Result<Answer, ClientError> {
    let answer = send(address, (method, path), body);
    let answer = time::timeout(limits::ADMIN_EXCHANGE_TIME, answer).await;
    answer.map_err(|_| ClientError::TimedOut(address))?
}

async fn send(
    address: SocketAddr,
    (method, path): (&str, &str),
    body: Vec<u8>,
) -> Result<Answer, ClientError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .body(Full::new(Bytes::from(body)))?;
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| ClientError::Connect { address, error })?;
    let failed = |error| ClientError::Http { address, error };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // It ends with the answer, and whoever reads that is told of failures.
    tokio::spawn(async move { drop(connection.await) });
    let (head, body) = sender
        .send_request(request)
        .await
        .map_err(failed)?
        .into_parts();
    Ok(Answer {
        address,
        head,
        body,
    })
}
