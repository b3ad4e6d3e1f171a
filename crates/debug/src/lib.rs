//! Shows what a module does, instruction by instruction: `weir explain` and `weir debug`.
//!
//! [`run`] runs something on a thread of its own and stops it where it is told to, [`session`] goes
//! forwards and backwards in it, [`listing`] and [`trace`] tell it as text and as JSON, [`screen`]
//! shows it in a terminal. Wasmtime is not known here: see `weir_guest::debug`.

pub mod calls;
pub mod listing;
pub mod play;
pub mod run;
pub mod screen;
pub mod session;
pub mod stop;
pub mod trace;
pub mod world;

pub use play::{Ended, Plain, Play};
pub use session::Session;
pub use stop::{Change, Stop};
