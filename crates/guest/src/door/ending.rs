//! How a guest is ended: by its world, by a limit, or by itself.

use std::time::Duration;

use weir_model::Exceeded;

pub use crate::trace::{Frame, NoLines, Source, Trace};

/// Why the guest must stop now. The sandbox turns it into a trap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The guest used up what it was granted.
    #[error("the guest used up {0}")]
    Exhausted(Exceeded),
    /// A replayed guest was stopped here when it was recorded.
    #[error("the guest was stopped here when it was recorded")]
    Recorded,
    /// A replayed guest asked something that the tape does not hold.
    #[error("call {call} differs from the recording: expected {expected}, got {found}")]
    Diverged {
        /// Index of the first call that differs.
        call: usize,
        /// What the tape holds.
        expected: String,
        /// What the guest asked.
        found: String,
    },
    /// The world had to wait where the guest cannot be suspended.
    #[error("the answer is not there yet, and this call cannot wait")]
    CannotWait,
}

/// Why a guest stopped for good, and where it was then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}{trace}")]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// Where. Empty when no code of the guest ran.
    pub trace: Trace,
}

impl Failure {
    /// What operators count it as.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        self.cause.kind()
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            trace: Trace::default(),
        }
    }
}

/// Why a guest stopped for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// A WebAssembly trap, or an import that may not be called now.
    #[error("{0}")]
    Trap(String),
    /// It called itself too deep.
    #[error("call stack exhausted: the guest's stack has {0} bytes")]
    Stack(usize),
    /// It trapped in the call in which it was refused memory.
    #[error("{reason}, after memory was refused by {limit}")]
    Memory {
        /// The trap.
        reason: String,
        /// What refused it.
        limit: Exceeded,
    },
    /// It ran longer than it may.
    #[error("the call ran longer than its limit of {0:?}")]
    Deadline(Duration),
    /// Its world ended it.
    #[error(transparent)]
    Stopped(#[from] Stop),
    /// An export that the host calls for itself did not do what it is for.
    #[error("the module's allocator failed: {0}")]
    Allocator(String),
    /// The process that it ran in is gone.
    #[error("the guest's process ended: {0}")]
    Process(String),
    /// The process was gone before the guest ran: whatever ended it, this call did not.
    #[error("the guest's process had ended: {0}")]
    Lost(String),
    /// It stopped before; it is not entered again.
    #[error("the VM has failed before")]
    Gone,
}

impl Cause {
    /// What operators count it as.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Trap(_)
            | Self::Gone
            | Self::Stopped(Stop::Recorded | Stop::Diverged { .. } | Stop::CannotWait) => {
                FailureKind::Trap
            }
            Self::Stack(_) => FailureKind::Stack,
            Self::Memory { .. } => FailureKind::Memory,
            Self::Deadline(_) => FailureKind::Deadline,
            Self::Stopped(Stop::Exhausted(_)) => FailureKind::Limit,
            Self::Allocator(_) => FailureKind::Export,
            Self::Process(_) | Self::Lost(_) => FailureKind::Process,
        }
    }
}

/// Kinds of failures, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// A trap of its own.
    Trap,
    /// Too deep recursion.
    Stack,
    /// A trap after memory was refused.
    Memory,
    /// Too long a call.
    Deadline,
    /// Another limit used up.
    Limit,
    /// An export that misbehaved.
    Export,
    /// It did not start, or refused its configuration.
    Start,
    /// Its process is gone.
    Process,
}

impl FailureKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 8] = [
        Self::Trap,
        Self::Stack,
        Self::Memory,
        Self::Deadline,
        Self::Limit,
        Self::Export,
        Self::Start,
        Self::Process,
    ];

    /// The word for it in metrics, logs and the admin view.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Stack => "stack",
            Self::Memory => "memory",
            Self::Deadline => "deadline",
            Self::Limit => "limit",
            Self::Export => "export",
            Self::Start => "start",
            Self::Process => "process",
        }
    }
}
