//! A guest in a process of its own, behind the same door.
//!
//! The gateway keeps the worlds; a plugin's process runs the VMs and nothing else. Events go out,
//! calls come back, and each is answered before the guest goes on: whoever delivers an event cannot
//! tell [`ApartVm`] from [`Vm`](crate::Vm). Invariant: what comes from a plugin's process is untrusted
//! bytes. Whatever it sends, says or leaves out, the gateway answers a call that its world allows, or
//! ends the process and fails its VMs; it never waits longer than a limit.

pub mod walls;
pub mod wire;

mod calls;
mod child;
mod link;
mod marks;
mod parcel;
mod parent;

pub use child::{PluginProcessError, run as run_plugin};
pub use parcel::{Beginning, Manifest};
pub use parent::{ApartSnapshot, ApartVm, Launcher, PluginProcess, WeakProcess};
pub use walls::{Refuge, Report, Wall};

pub(crate) use parcel::code_file;

/// The argument with which a gateway's program becomes a plugin's process.
pub const COMMAND: &str = "plugin";
