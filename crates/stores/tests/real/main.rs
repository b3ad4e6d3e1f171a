//! Maps on real servers: Redis and Valkey, alone, with sentinels, and as a cluster.
//!
//! Needs the feature `real-components`, `redis-server` and `redis-cli` on the path, and in
//! `WEIR_VALKEY` the path of a `valkey-server`; `.ci/run` sets it. A test whose server is missing
//! fails.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "`--nocapture` shows what it took"
)]

#[path = "../../../maps/tests/all"]
mod maps {
    #[expect(
        unused_macros,
        reason = "servers are too dear to be started for each row"
    )]
    #[expect(unused_imports, reason = "as above")]
    #[expect(dead_code, reason = "as above")]
    pub(crate) mod suite;
}
use maps::suite;

mod behaviour;
mod encrypted;
mod exact;
mod failures;
mod near;
mod servers;
mod workers;
