//! Which compiler makes a module's code, and where compiled code is kept.

use std::path::PathBuf;

use crate::limits;

/// What runs a filter's code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineChoice {
    /// Optimised code if it is cached or soon made; else the fast compiler's, until it is.
    #[default]
    Auto,
    /// Optimised machine code: the fastest, compiled slowly.
    Cranelift,
    /// Machine code in one pass: compiled several times faster, runs slower.
    Winch,
    /// Byte code for an interpreter: no machine code of a guest exists.
    Pulley,
}

/// Where compiled code is kept between two starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeCache {
    /// Nowhere.
    Off,
    /// In a folder.
    On {
        /// The folder; `None`: the one of this user.
        folder: Option<PathBuf>,
        /// Bytes of all files in it together.
        bytes_max: u64,
    },
}

impl Default for CodeCache {
    fn default() -> Self {
        Self::On {
            folder: None,
            bytes_max: limits::CODE_CACHE_BYTES,
        }
    }
}
