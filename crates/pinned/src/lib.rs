//! A map in a memory-mapped file, which the gateway shares with native processes.
//!
//! The layout is a promise (`docs/pinned-maps.md`, and [`layout`] in numbers): the C library beside
//! it, `sdk/c/pinned`, reads and writes the same files. Reading takes no lock and no system call.
//! Invariants: whoever reads sees an entry as somebody wrote it, never parts of two; a process that
//! dies inside a write hides one slot from readers, until [`Pinned::tend`] frees it; nothing that
//! stands in the file makes this crate read or write outside of it.

pub mod bucket;
pub mod layout;
mod sync;

// What is on loom's atomics is no file.
#[cfg(not(feature = "loom"))]
mod file;
#[cfg(not(feature = "loom"))]
mod guard;
#[cfg(not(feature = "loom"))]
mod hash;
#[cfg(not(feature = "loom"))]
mod lock;
#[cfg(not(feature = "loom"))]
mod pinned;

#[cfg(not(feature = "loom"))]
pub use file::{Access, Shape};
#[cfg(not(feature = "loom"))]
pub use pinned::{Condition, Found, Pinned, Stat, Tended};

use std::io;
use std::path::PathBuf;

/// Why an operation on a pinned map was refused.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file cannot be used.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The file is no pinned map, or one of another version.
    #[error("{}: {what}", path.display())]
    Layout {
        /// Which.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
    },
    /// The numbers of a new map make no sense.
    #[error("a pinned map cannot have this shape: {0}")]
    Shape(&'static str),
    /// Another file is in its place by now: open it again.
    #[error("the map was made anew: open it again")]
    Retired,
    /// Somebody has cut the file while it was open.
    #[error(
        "somebody has cut the file while it was in use: it is used no more until the next start"
    )]
    Cut,
    /// The map was opened for reading.
    #[error("the map was opened for reading only")]
    ReadOnly,
    /// The key is longer than keys are here.
    #[error("the key has {bytes} bytes; {max} are allowed")]
    Key {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The value is longer than values are here.
    #[error("the value has {bytes} bytes; {max} are allowed")]
    Value {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The bucket of the key is full of entries that live.
    #[error("there is no room for this key: its bucket holds {slots} entries")]
    Full {
        /// How many it can hold.
        slots: usize,
    },
    /// A condition does not hold.
    #[error("the entry has the version {current} by now (0: there is none)")]
    Again {
        /// Its version.
        current: u64,
    },
    /// The entry is no counter.
    #[error("the entry is no counter of 8 bytes")]
    NoCounter,
    /// The sum would be none.
    #[error("the sum does not fit into a counter")]
    Overflow,
    /// Somebody writes to the entry and does not finish: stopped, or dead and not repaired yet.
    #[error("the entry is being written to, for longer than that takes")]
    Busy,
}
