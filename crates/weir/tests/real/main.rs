//! Weir beside what it has to get on with: third-party plugins as published, Envoy, and a gRPC
//! server.
//!
//! Needs the feature `real-components`, and in the environment what `.ci/run` puts there:
//! `WEIR_PLUGINS`, the folder with `gpustack_higress_plugins`, `WEIR_ENVOY`, an Envoy 1.40, and
//! `WEIR_PYTHON`, a Python with `grpcio`, `WEIR_GO_FILTER`, the example in Go; `redis-server` is on
//! the path. A test whose component is missing fails.

#[path = "../all"]
mod all {
    #[expect(
        dead_code,
        unused_imports,
        reason = "the other test binary uses all of it"
    )]
    pub(crate) mod harness;
}
mod capsules;
mod examples;
mod exchange;
mod flow;
mod grpc;
mod maps;
mod plugins;
mod recorder;
mod redis;
mod reference;
mod shared_state;
mod stores;
mod templates;

use std::path::PathBuf;

/// Requests of a test that counts exactly, unless `WEIR_EXACT_REQUESTS` says another number.
const EXACT_REQUESTS: usize = 50_000;

fn exact_requests() -> usize {
    match std::env::var("WEIR_EXACT_REQUESTS") {
        Ok(text) => text.parse().expect("WEIR_EXACT_REQUESTS is a number"),
        Err(_) => EXACT_REQUESTS,
    }
}

/// The file or folder that a variable of the environment names.
#[track_caller]
fn component(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    let path = path.unwrap_or_else(|| panic!("{variable} is not set; `.ci/run real` sets it"));
    assert!(path.exists(), "{variable}={}: not there", path.display());
    path
}
