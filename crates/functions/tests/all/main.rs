//! Functions as a host runs them.

mod command;
mod core;
mod http;
mod world;
