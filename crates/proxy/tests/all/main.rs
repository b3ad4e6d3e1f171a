//! The gateway as guests, clients and upstreams see it (Proxy-Wasm reference, section 9).
//!
//! Names of tests hold the numbers of the statements that they prove.

mod actions;
mod buffers;
mod callouts;
mod capture;
mod client;
mod control;
mod envoy;
mod failures;
mod guest;
mod headers;
mod local;
mod maps;
mod metrics;
mod old;
mod order;
mod properties;
mod shared;
mod stage;
mod upstream;
