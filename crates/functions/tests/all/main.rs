//! Functions as a host runs them.

mod command;
mod core;
mod export;
mod http;
mod world;
