//! The engine as its users see it. `suite` holds the rows that every back end must pass.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batches;
mod calls;
mod handles;
mod memory;
mod metered;
mod near;
mod payers;
mod pinned;
mod random;
mod references;
mod regions;
mod suite;
