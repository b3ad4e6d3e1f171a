//! Runs untrusted WebAssembly and decides nothing about the network.
//!
//! Read in this order: [`door`] is the only way in and out, [`abi`] names what Proxy-Wasm modules
//! may import and export, [`program`] checks and compiles a module, [`vm`] runs it, and `host`
//! turns its imports into calls through the door.

pub mod abi;
pub mod door;
pub mod engine;
pub mod inspect;
pub mod pairs;
pub mod program;
pub mod vm;

mod cell;
mod host;

pub use door::{Answer, Call, Event, Failure, Reply, Status, Stop, World};
pub use engine::{Engine, EngineError};
pub use program::{LoadError, Program, ProgramOptions};
pub use vm::{Host, OnThread, StartError, Vm, WaitingHost, WaitingVm};
