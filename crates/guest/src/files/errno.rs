//! The error numbers of WASI preview 1 that files answer with.

use std::io::{self, ErrorKind};

/// Why a call about a file failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Errno {
    Access = 2,
    BadDescriptor = 8,
    Exists = 20,
    TooLarge = 22,
    Invalid = 28,
    Io = 29,
    IsFolder = 31,
    Loop = 32,
    TooManyOpen = 33,
    NameTooLong = 37,
    NotFound = 44,
    NoSpace = 51,
    NotFolder = 54,
    NotSupported = 58,
    ReadOnly = 69,
    /// The path leads out of its folder, or the descriptor may not do this.
    NotCapable = 76,
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        match (error.raw_os_error(), error.kind()) {
            // What has no number of the system is `cap-std`'s own: the path leads outside.
            (None, ErrorKind::PermissionDenied) => Self::NotCapable,
            (Some(libc::ELOOP), _) => Self::Loop,
            (Some(libc::EMFILE | libc::ENFILE), _) => Self::TooManyOpen,
            (Some(libc::ENAMETOOLONG), _) => Self::NameTooLong,
            (_, ErrorKind::PermissionDenied) => Self::Access,
            (_, ErrorKind::NotFound) => Self::NotFound,
            (_, ErrorKind::AlreadyExists) => Self::Exists,
            (_, ErrorKind::NotADirectory) => Self::NotFolder,
            (_, ErrorKind::IsADirectory) => Self::IsFolder,
            (_, ErrorKind::InvalidInput) => Self::Invalid,
            (_, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Self::NoSpace,
            (_, ErrorKind::FileTooLarge) => Self::TooLarge,
            (_, ErrorKind::ReadOnlyFilesystem) => Self::ReadOnly,
            _ => Self::Io,
        }
    }
}
