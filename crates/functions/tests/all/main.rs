//! Functions as a host runs them.

mod http;
mod world;
