//! The engine as its users see it. `suite` holds the rows that every back end must pass.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batches;
mod handles;
mod memory;
mod random;
mod references;
mod suite;
