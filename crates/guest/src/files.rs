//! Folders of the host in a guest's sight, and the files that it has open.
//!
//! Paths are followed by `cap-std`, which never leaves a folder by `..` or a link. Invariants:
//! only ordinary files and folders are opened, so that nothing here waits for a peer; open files
//! and bytes have limits; a folder that is not granted for writing is never written.

mod errno;
mod table;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use weir_model::{FileAccess, FileGrant};

pub(crate) use errno::Errno;
pub use table::Files;

use crate::door::Reply;

/// The descriptor of the first granted folder; lower ones are input and output.
pub(crate) const FIRST_FOLDER: u32 = 3;

/// The folders that one filter is granted, open. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Folders(Arc<[Folder]>);

/// A granted folder.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) dir: Arc<Dir>,
    pub(crate) guest: String,
    pub(crate) access: FileAccess,
}

/// A granted folder cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the folder {} cannot be opened: {error}", path.display())]
pub struct FolderError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

impl Folders {
    /// Opens the folders.
    ///
    /// # Errors
    ///
    /// The first one that cannot be opened.
    pub fn open(grants: &[FileGrant]) -> Result<Self, FolderError> {
        let open = |grant: &FileGrant| {
            let dir = Dir::open_ambient_dir(&grant.host, ambient_authority());
            let dir = dir.map_err(|error| FolderError {
                path: grant.host.clone(),
                error,
            })?;
            Ok(Folder {
                dir: Arc::new(dir),
                guest: grant.guest.clone(),
                access: grant.access,
            })
        };
        grants.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn list(&self) -> &[Folder] {
        &self.0
    }
}

/// What a guest asks about files. Answers are the bytes that WASI writes into the guest's memory.
#[expect(
    missing_docs,
    reason = "the fields are the parameters of WASI preview 1, by their meaning there"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCall<'c> {
    /// The path of a granted folder, as the guest sees it.
    Folder { fd: u32 },
    /// Kind and rights of a descriptor.
    Facts { fd: u32 },
    /// Kind, size and times of an open file or folder.
    Status { fd: u32 },
    /// Kind, size and times of a path.
    StatusOf {
        folder: u32,
        path: &'c [u8],
        follows: bool,
    },
    /// Open a file or folder.
    Open {
        folder: u32,
        path: &'c [u8],
        opening: Opening,
    },
    /// Read, from a place or where the last read ended.
    Read { fd: u32, max: u32, at: Option<u64> },
    /// Write, to a place or where the last write ended.
    Write {
        fd: u32,
        bytes: &'c [u8],
        at: Option<u64>,
    },
    /// Move to another place.
    Seek { fd: u32, offset: i64, whence: u32 },
    /// Entries of a folder, from one on.
    List { fd: u32, cookie: u64, max: u32 },
    /// Close.
    Close { fd: u32 },
}

/// How a file is opened: the flags of WASI's `path_open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Follow a link at the end of the path (1).
    pub lookup: u32,
    /// Create (1), folder (2), exclusive (4), truncate (8).
    pub open: u32,
    /// Rights that are asked for.
    pub rights: u64,
    /// Append (1).
    pub flags: u32,
}

impl<'c> FileCall<'c> {
    /// The path in the call, if it has one.
    #[must_use]
    pub fn path(&self) -> Option<&'c [u8]> {
        match self {
            Self::Open { path, .. } | Self::StatusOf { path, .. } => Some(path),
            Self::Folder { .. }
            | Self::Facts { .. }
            | Self::Status { .. }
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Seek { .. }
            | Self::List { .. }
            | Self::Close { .. } => None,
        }
    }
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAnswer(Result<Bytes, Errno>);

impl FileAnswer {
    /// Whether it was refused for want of a grant.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.0, Err(Errno::ReadOnly | Errno::NotCapable))
    }

    /// The answer through the door.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        match self.0 {
            Ok(bytes) => Reply::Outcome(0, bytes),
            Err(errno) => Reply::Outcome(errno as u32, Bytes::new()),
        }
    }
}

#[cfg(test)]
mod tests;
