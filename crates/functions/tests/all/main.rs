//! Functions as a host runs them.

mod export;
mod http;
mod world;
