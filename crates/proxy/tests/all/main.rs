//! The gateway as guests, clients and upstreams see it (Proxy-Wasm reference, section 9).
//!
//! Names of tests hold the numbers of the statements that they prove.

mod capabilities;
mod capture;
mod changed;
mod client;
mod copies;
mod desk;
mod ends;
mod envoy;
mod failures;
mod grants;
mod grpc;
mod guest;
mod levels;
mod maps;
mod metadata;
mod overlong;
mod peer;
mod plans;
mod refused;
mod stage;
mod upstream;
mod waiting;
