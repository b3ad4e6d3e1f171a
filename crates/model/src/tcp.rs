//! TCP connections that are carried as they are.

use crate::{FilterUse, Name};

/// What a listener does with its connections in place of routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpForward {
    /// Where they go. Each has a connection of its own there.
    pub cluster: Name,
    /// Network filters: the client's bytes pass them in this order, the upstream's backwards.
    pub filters: Vec<FilterUse>,
    /// Endpoints that are tried before the client is let go.
    pub connect_attempts: u32,
}
