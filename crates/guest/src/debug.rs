//! Runs a module under Wasmtime's guest debugging: somebody is told each instruction before it runs,
//! and can look at the whole machine meanwhile.
//!
//! [`Code`] is what a module says without being run: instructions, the types on the operand stack at
//! each, open blocks, names, source lines. [`Subject`] runs calls, and a [`Listener`] stops them. Nothing of it is used on
//! live traffic: code for debugging is compiled by an engine of its own, [`Engine::debugging`].
//!
//! [`Engine::debugging`]: crate::Engine::debugging

mod code;
mod lines;
mod listing;
mod names;
mod operator;
mod stepper;
mod subject;
mod value;

pub use code::{Code, CodeError, Function};
pub use lines::Lines;
pub use listing::{Block, Control, Effect, Instruction, Listing};
pub use stepper::{Frame, Go, Listener, Paused, Place, Why};
pub use subject::{CallError, Debuggable, Subject, SubjectError};
pub use value::{Type, Value, ValueError};
