//! Functions: handlers of requests that run as WebAssembly and stop being there afterwards.
//!
//! Read in this order: [`message`] is what goes in and comes out, [`surroundings`] is the door of a
//! function, [`fault`] is why there is no response.
//!
//! Invariant: a function reaches nothing but through its [`Surroundings`], and a call of it has an
//! instance of its own.

pub mod fault;
pub mod message;
pub mod surroundings;

pub use fault::{Fault, FaultKind};
pub use message::{Body, BodyError, Request, Response};
pub use surroundings::{Fetch, FetchError, Surroundings};
