//! Maps over a file as their users see them: the suite of all back ends, and what is their own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod behaviour;
mod failing;
mod killed;
mod opening;
mod random;
mod restarts;
mod together;

#[path = "../../../maps/tests/all"]
mod maps {
    pub(crate) mod suite;
}

use maps::suite;
