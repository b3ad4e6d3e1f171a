//! Why a function has no response.

use http::StatusCode;

/// Why a call of a function has no response.
#[derive(Clone, Debug, thiserror::Error)]
#[error("function {function:?}: {kind}: {text}")]
pub struct Fault {
    /// The function's name in the configuration.
    pub function: String,
    /// What kind of failure.
    pub kind: FaultKind,
    /// What happened, for the log of the operator: with the guest's stack, if there is one.
    pub text: String,
}

/// Kinds of failures, as metrics and access logs name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The guest trapped, or ended itself with a failure.
    Trap,
    /// It ran or waited too long.
    Deadline,
    /// It wanted more than a limit lets it have.
    Limit,
    /// It ended without a response.
    NoResponse,
    /// Its response is none.
    BadResponse,
    /// As many calls as may be run already, and as many as may wait do.
    NoCapacity,
    /// It waited for its turn for too long.
    QueueDeadline,
    /// Its module could not be started.
    Start,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Trap,
        Self::Deadline,
        Self::Limit,
        Self::NoResponse,
        Self::BadResponse,
        Self::NoCapacity,
        Self::QueueDeadline,
        Self::Start,
    ];

    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Limit => "limit",
            Self::NoResponse => "no_response",
            Self::BadResponse => "bad_response",
            Self::NoCapacity => "no_capacity",
            Self::QueueDeadline => "queue_deadline",
            Self::Start => "start",
        }
    }

    /// What the client gets while nothing of a response has left.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Trap | Self::Limit | Self::NoResponse | Self::BadResponse => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Self::NoCapacity | Self::QueueDeadline | Self::Start => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
