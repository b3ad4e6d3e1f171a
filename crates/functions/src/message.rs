//! Requests and responses of functions.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

use crate::fault::FaultKind;

/// A body, chunk by chunk, with trailers at its end. Whoever reads decides how fast it comes.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A request as a function gets it: its target is absolute (`http://authority/path?query`), and it
/// has no fields of the connection (RFC 9110, section 7.6.1).
pub type Request = http::Request<Body>;

/// Who sends a request: an extension of it, if it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What a function answers.
pub type Response = http::Response<Body>;

/// Why a body ended too early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Its sender went away.
    #[error("the sender of the body went away before its end")]
    Cut,
    /// It is longer than it may be.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// What it may have.
        limit: u64,
    },
    /// It did not come in time.
    #[error("the body did not come in time")]
    TimedOut,
    /// It is shorter or longer than its sender said.
    #[error("the body has not the {declared} bytes that `content-length` says")]
    Length {
        /// What was said.
        declared: u64,
    },
    /// The function that makes it has failed.
    #[error("the function failed while it wrote the body: {text}")]
    Function {
        /// How.
        kind: FaultKind,
        /// What happened, with the guest's stack, if there is one.
        text: String,
    },
}
