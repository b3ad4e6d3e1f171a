//! The door of a function: everything that it can ask of the world.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use weir_maps::{MapCall, MapReply};

use crate::message::{Request, Response};

/// An answer that comes later. It crosses the suspension of a guest, so it is `Send`; whoever is
/// bound to a thread lets a local task do the work and waits on a channel.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An outgoing request of a function.
pub struct Fetch {
    /// What to send. `http` and `https` go to the network, `weir://NAME/path` to the function NAME of
    /// this gateway.
    pub request: Request,
    /// To connect; `None`: the gateway's.
    pub connect_timeout: Option<Duration>,
    /// Until the response's head is there; `None`: the gateway's.
    pub first_byte_timeout: Option<Duration>,
    /// Between two chunks of the response's body; `None`: the gateway's.
    pub between_bytes_timeout: Option<Duration>,
}

/// Why there is no response to an outgoing request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No grant lets the function reach this.
    #[error("no grant lets this function reach {0}")]
    NotGranted(String),
    /// The name stands for no address.
    #[error("{0} has no address")]
    Unresolved(String),
    /// The request is none that can be sent.
    #[error("the request cannot be sent: {0}")]
    BadRequest(String),
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection cannot be encrypted.
    #[error("no connection: {0}")]
    Encryption(weir_tls::Failure),
    /// The connection broke, or what came is no HTTP.
    #[error("the connection failed: {0}")]
    Broken(String),
    /// A time was over.
    #[error("no answer in time: {0}")]
    TimedOut(&'static str),
    /// The function that was called has no response.
    #[error("{0}")]
    Function(String),
}

/// Where a line of a guest's output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
    /// A call of a log function, with its level (0 trace to 5 critical, as Proxy-Wasm counts).
    Log(u8),
}

/// The answer to a call of a map.
pub enum MapAnswer {
    /// At once.
    Ready(MapReply),
    /// Later: the guest is suspended until then.
    Pending(Later<MapReply>),
}

/// What answers one call of a function. The gateway's is made for each call; tests and tools have
/// their own.
pub trait Surroundings: Send + 'static {
    /// A line that the guest wrote, without its end.
    fn log(&mut self, stream: Stream, line: &[u8]);

    /// Time since the Unix epoch.
    fn wall_clock(&mut self) -> Duration;

    /// Time since any fixed moment.
    fn monotonic_clock(&mut self) -> Duration;

    /// Fills this with random bytes.
    fn random(&mut self, bytes: &mut [u8]);

    /// Sends a request.
    fn fetch(&mut self, fetch: Fetch) -> Later<Result<Response, FetchError>>;

    /// Answers a call of a shared map.
    fn map_call(&mut self, call: MapCall<'_>) -> MapAnswer;
}
