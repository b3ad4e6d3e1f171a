//! Why the host refused an operation.

use core::fmt;

/// What an operation on a map gives.
pub type Result<T> = core::result::Result<T, Error>;

/// Why the host refused an operation. Whatever fails with one of these has changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// A condition does not hold: read the entry and try again.
    Again {
        /// The entry's version now, 0 if there is none, or if the operation does not tell it.
        current: u64,
    },
    /// The handle is closed, or was moved away.
    BadHandle,
    /// It is there already.
    Exists,
    /// Bytes outside of the module's memory.
    Fault,
    /// An argument means nothing, or the entry is of another kind.
    Invalid,
    /// The map's back end failed.
    Io,
    /// A map's name is longer than 256 bytes.
    NameTooLong,
    /// Nothing is there, or nothing that this module may know of.
    NoEntry,
    /// A table of the host is full: handles, watches, maps.
    NoMemory,
    /// A quota is used up.
    NoSpace,
    /// This map's back end, or this host, cannot do that.
    NotSupported,
    /// A number or an answer does not fit.
    Overflow {
        /// Bytes that would hold the answer; 0 if a number is meant.
        needed: usize,
    },
    /// What was lent has been taken back, or a cursor is too old.
    Stale,
    /// The back end did not answer in time.
    TimedOut,
    /// The handle, or the grant, lacks a right.
    NotCapable,
    /// A number that this version of the crate does not know.
    Other(i32),
}

impl Error {
    /// The error of WASI preview 1's number; `None` for 0, which is success.
    #[must_use]
    pub const fn of(errno: i32) -> Option<Self> {
        Some(match errno {
            0 => return None,
            6 => Self::Again { current: 0 },
            8 => Self::BadHandle,
            20 => Self::Exists,
            21 => Self::Fault,
            28 => Self::Invalid,
            29 => Self::Io,
            37 => Self::NameTooLong,
            44 => Self::NoEntry,
            48 => Self::NoMemory,
            51 => Self::NoSpace,
            58 => Self::NotSupported,
            61 => Self::Overflow { needed: 0 },
            72 => Self::Stale,
            73 => Self::TimedOut,
            76 => Self::NotCapable,
            other => Self::Other(other),
        })
    }

    /// WASI preview 1's number.
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::Again { .. } => 6,
            Self::BadHandle => 8,
            Self::Exists => 20,
            Self::Fault => 21,
            Self::Invalid => 28,
            Self::Io => 29,
            Self::NameTooLong => 37,
            Self::NoEntry => 44,
            Self::NoMemory => 48,
            Self::NoSpace => 51,
            Self::NotSupported => 58,
            Self::Overflow { .. } => 61,
            Self::Stale => 72,
            Self::TimedOut => 73,
            Self::NotCapable => 76,
            Self::Other(number) => number,
        }
    }

    /// A number as the host gave it.
    pub(crate) const fn check(errno: i32) -> Result<()> {
        match Self::of(errno) {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Again { current: 0 } => "the entry is not as the condition says",
            Self::Again { current } => {
                return write!(out, "the entry has the version {current} by now");
            }
            Self::BadHandle => "the handle is closed, or was moved away",
            Self::Exists => "it is there already",
            Self::Fault => "a range is not in this module's memory",
            Self::Invalid => "an argument means nothing, or the entry is of another kind",
            Self::Io => "the map's back end failed",
            Self::NameTooLong => "a map's name has at most 256 bytes",
            Self::NoEntry => "there is no such entry, map or ticket",
            Self::NoMemory => "there are too many handles, watches or maps",
            Self::NoSpace => "a quota of the map is used up",
            Self::NotSupported => "this map, or this host, cannot do that",
            Self::Overflow { needed: 0 } => "the number does not fit",
            Self::Overflow { needed } => return write!(out, "the answer takes {needed} bytes"),
            Self::Stale => "what was lent has been taken back, or the scan is forgotten",
            Self::TimedOut => "the map's back end did not answer in time",
            Self::NotCapable => "a right is missing",
            Self::Other(number) => return write!(out, "unknown error {number}"),
        };
        out.write_str(text)
    }
}

impl core::error::Error for Error {}
