//! Pinned maps as their users see them: this process, others that are killed, and C.

#![cfg(not(feature = "loom"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod behaviour;
mod c;
mod damage;
mod killed;
