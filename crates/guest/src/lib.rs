//! Runs untrusted WebAssembly and decides nothing about the network.
//!
//! Read in this order: [`door`] is the only way in and out, [`abi`] names what Proxy-Wasm modules
//! may import and export, [`prepare`] rewrites a module, [`code`] compiles it or finds its code,
//! [`program`] checks it, [`vm`] runs it, `memory` and `image` are what its linear memories are made
//! of, [`mapping`] puts regions into them, [`snapshot`] keeps their state, `host` turns its imports
//! into calls through the door, and [`apart`] does all that in another process. [`debug`] runs
//! modules instruction by instruction.

pub mod abi;
pub mod apart;
pub mod code;
pub mod debug;
pub mod door;
pub mod engine;
pub mod files;
pub mod inspect;
pub mod mapping;
pub mod pairs;
pub mod prepare;
pub mod program;
pub mod snapshot;
pub mod vm;

mod budget;
mod cell;
mod host;
mod image;
mod memory;
mod time;
mod trace;

pub use budget::MemoryBudget;
pub use door::{Answer, Call, Cause, Event, Failure, FailureKind, Reply, Status, Stop, World};
pub use engine::{Engine, EngineError, EngineKind, Pace};
pub use program::{LoadError, Program, ProgramOptions};
pub use snapshot::{Reset, Snapshot, SnapshotError, SnapshotRefusal};
pub use time::thread_time;
pub use trace::told;
pub use vm::{Host, OnThread, StartError, Vm, WaitingHost, WaitingVm};
