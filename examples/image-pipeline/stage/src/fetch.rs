//! Requests to other stages and to the world.

use alloc::string::String;
use core::fmt;

use crate::host;

/// What came back.
pub struct Fetched {
    /// The status.
    pub status: usize,
    /// The body.
    pub body: &'static [u8],
}

/// Why nothing came back: the host's number and its words.
pub struct NotFetched(i32, String);

impl fmt::Display for NotFetched {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (error {})", self.1, self.0)
    }
}

/// Sends a request: method, URL, lines `name: value`, body.
///
/// # Errors
/// What the host says when there is no response.
pub fn fetch(head: (&str, &str, &str), body: &[u8]) -> Result<Fetched, NotFetched> {
    match host::fetch(head, body) {
        (0, status, body) => Ok(Fetched { status, body }),
        (errno, _, reason) => Err(NotFetched(errno, String::from_utf8_lossy(reason).into())),
    }
}
