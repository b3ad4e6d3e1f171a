//! Shared maps for WebAssembly modules: the guest's side of WASI-Map.
//!
//! A [`Map`] is a handle to entries of key and value that other modules may share. The host grants
//! maps by name to each use of a module; whether one is a table in memory, a file or a cluster of
//! servers is not the module's business. No dependency, no standard library, no allocation but for
//! answers: it works in Proxy-Wasm plugins, in plain core modules and in WASI commands alike.
//!
//! ```no_run
//! use wasi_map::{Map, Rights};
//!
//! # fn main() -> Result<(), wasi_map::Error> {
//! let visits = Map::open("visits", Rights::READ | Rights::WRITE)?;
//! let count = visits.increment(b"/index.html", 1)?;
//! visits.set(b"last", b"/index.html")?;
//! # let _ = count; Ok(())
//! # }
//! ```
//!
//! Elsewhere than on WebAssembly there is no host: every call answers [`Error::NotSupported`],
//! unless the feature `fake` puts maps in memory there, for the tests of a guest.
#![cfg_attr(not(any(test, feature = "fake")), no_std)]

extern crate alloc;

pub mod abi;
mod batch;
mod calls;
mod error;
pub mod events;
#[cfg(all(not(target_arch = "wasm32"), any(test, feature = "fake")))]
pub mod fake;
mod map;
pub mod region;
mod rights;
mod scan;
mod ticket;
mod watch;

pub use batch::{Batch, Done};
pub use error::{Error, Result};
pub use map::{Condition, Entry, Map, Options, Stat, Terms};
pub use rights::Rights;
pub use scan::{Item, Scan};
pub use ticket::{NotMoved, Ticket};
pub use watch::{Change, Event, Watch};

#[cfg(test)]
mod tests;
