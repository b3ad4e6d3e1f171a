//! Why a map's file cannot be opened, in words for the operator.

use std::io;
use std::path::PathBuf;

use weir_maps::MapError;

/// Why a map over a file cannot be opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refused something.
    #[error("{path}: cannot {doing}: {error}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// Another process, or another map of this one, has it open.
    #[error("{path}: another process has this map open; only one gateway can use a folder at a time", path = .0.display())]
    Locked(PathBuf),
    /// It was made by something else.
    #[error("{path}: this is no map of Weir ({found}): move it away, or choose another folder", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: String,
    },
    /// It is another map's.
    #[error("{path}: this file holds the map {found}, not {expected}: was it copied or renamed?", path = path.display())]
    OtherMap {
        /// The file.
        path: PathBuf,
        /// Scope and name in the file.
        found: String,
        /// Scope and name in the configuration.
        expected: String,
    },
    /// A later version of Weir wrote it.
    #[error("{path}: the file has format {found}, and this version of Weir knows format {expected}: use the version that wrote it, or a later one", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// What is understood here.
        expected: u64,
    },
    /// What is in it is damaged.
    #[error("{path}: the file is damaged: {what}; restore it from a copy, or move it away to begin with an empty map", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The map's options make no sense, or its owner has no room for a map.
    #[error("{path}: {error}", path = path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is refused.
        error: MapError,
    },
}
