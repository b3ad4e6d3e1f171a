//! Functions: handlers of requests that run as WebAssembly and stop being there afterwards.
//!
//! Read in this order: [`message`] is what goes in and comes out, [`surroundings`] is the door of a
//! function, [`fault`] is why there is no response, [`runtime`] is the engine, [`load`] makes a
//! function of a module and calls it, by its kind: `http`, `export`, `core`, `command`. [`run`] runs a
//! module by hand.
//!
//! Invariant: a function reaches nothing but through its [`Surroundings`], and a call of it has an
//! instance of its own.

pub mod fault;
pub mod load;
pub mod message;
pub mod run;
pub mod runtime;
pub mod surroundings;

mod call;
mod cap;
mod cell;
mod cli;
mod code;
mod command;
mod core;
mod door;
mod export;
mod http;
mod meter;
mod module;
mod pipe;
mod rotation;

pub use fault::{Fault, FaultKind};
pub use load::{Kind, LoadError, Loaded};
pub use message::{Body, BodyError, Peer, Request, Response};
pub use runtime::{Runtime, RuntimeError};
pub use surroundings::{Fetch, FetchError, Later, MapAnswer, Stream, Surroundings};
