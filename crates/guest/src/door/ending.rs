//! How a guest is ended: by its world, by a limit, or by itself.

use std::time::Duration;

/// Why the guest must stop now. The sandbox turns it into a trap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The guest used up what it was granted.
    #[error("the guest used up its {0}")]
    Exhausted(&'static str),
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

/// Why a guest stopped for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A WebAssembly trap, or an import that may not be called now.
    #[error("{0}")]
    Trap(String),
    /// Its world ended it.
    #[error("{stop}; {trace}")]
    Stopped {
        /// Why, as the world said it.
        stop: Stop,
        /// Where the guest was.
        trace: String,
    },
    /// It ran longer than it may.
    #[error("the call ran longer than its limit of {0:?}")]
    Deadline(Duration),
    /// It stopped before; it is not entered again.
    #[error("the VM has failed before")]
    Gone,
}
