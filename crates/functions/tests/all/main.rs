//! Functions as a host runs them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod command;
mod core;
mod export;
mod http;
mod maps;
mod regions;
mod world;
