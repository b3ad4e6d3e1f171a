//! Tickets: what carries a map from one module to another.

use core::fmt;

use crate::{Error, Map};

/// 16 bytes that carry a map to the use (a filter or function of the configuration) that they were
/// made out to. Good once, for a minute; pass [`bytes`](Self::bytes) on by whatever the two share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket([u8; 16]);

impl Ticket {
    /// A ticket that another module has passed on.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// What to pass on.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Whoever reads a ticket in a log could use it.
impl fmt::Debug for Ticket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Ticket")
    }
}

/// A map that could not be moved, and why. It is still here.
#[derive(Debug)]
pub struct NotMoved {
    /// The map.
    pub map: Map,
    /// Why.
    pub error: Error,
}

impl fmt::Display for NotMoved {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the map could not be moved: {}", self.error)
    }
}

impl core::error::Error for NotMoved {}

impl From<NotMoved> for Error {
    fn from(refused: NotMoved) -> Self {
        refused.error
    }
}
