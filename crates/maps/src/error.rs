//! Why an operation on a map was refused, in the words and numbers of the specification.
//!
//! Invariant: whatever fails with one of these has changed nothing.

/// WASI preview 1's number of an error, as the core ABI answers it.
pub type Errno = i32;

/// Why an operation on a map was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A condition does not hold.
    #[error("the entry has the version {current} by now (0: there is none): read it and retry")]
    Again {
        /// The entry's version, 0 if there is none.
        current: u64,
    },
    /// The handle is closed, was moved away, or never was one of this instance.
    #[error("this instance has no handle {0}")]
    BadHandle(u32),
    /// A name is taken.
    #[error("a map of this name exists already in this scope")]
    Exists,
    /// Bytes outside of the guest's memory.
    #[error("the range of {bytes} bytes at {pointer} is not in the guest's memory")]
    Fault {
        /// Where it begins.
        pointer: u64,
        /// How long it is.
        bytes: u64,
    },
    /// An argument means nothing.
    #[error("invalid argument: {0}")]
    Invalid(&'static str),
    /// The back end failed.
    #[error("the map's back end failed: {0}")]
    Io(String),
    /// A map's name is too long.
    #[error("the name has {bytes} bytes; {max} are allowed")]
    NameTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Nothing is there, or nothing that the caller may know of.
    #[error("there is no such entry, map or ticket")]
    NoEntry,
    /// A table of the instance or the engine is full.
    #[error("there are {max} {what} already, which is the limit")]
    NoMemory {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// A quota is used up.
    #[error("the {what} allowed here are used up: {max}")]
    NoSpace {
        /// What is used up, and whose.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// The back end cannot do this.
    #[error("this map's back end cannot do that: {0}")]
    NotSupported(&'static str),
    /// A number or an answer does not fit.
    #[error("the result does not fit: {needed}")]
    Overflow {
        /// Bytes that would hold the answer; 0 if a number is meant.
        needed: usize,
    },
    /// What was lent has been taken back, or a cursor is too old.
    #[error("the handle was borrowed and its lender has ended, or the cursor is forgotten")]
    Stale,
    /// The back end did not answer in time.
    #[error("the map's back end did not answer in time")]
    TimedOut,
    /// A right is missing.
    #[error("the handle lacks a right that this needs")]
    NotCapable,
}

impl MapError {
    /// WASI preview 1's number (specification, section 3).
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Again { .. } => 6,
            Self::BadHandle(_) => 8,
            Self::Exists => 20,
            Self::Fault { .. } => 21,
            Self::Invalid(_) => 28,
            Self::Io(_) => 29,
            Self::NameTooLong { .. } => 37,
            Self::NoEntry => 44,
            Self::NoMemory { .. } => 48,
            Self::NoSpace { .. } => 51,
            Self::NotSupported(_) => 58,
            Self::Overflow { .. } => 61,
            Self::Stale => 72,
            Self::TimedOut => 73,
            Self::NotCapable => 76,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_specification() {
        let fault = MapError::Fault {
            pointer: 0,
            bytes: 1,
        };
        let long = MapError::NameTooLong {
            bytes: 257,
            max: 256,
        };
        let memory = MapError::NoMemory {
            what: "handles",
            max: 1,
        };
        let space = MapError::NoSpace {
            what: "bytes",
            max: 1,
        };
        let all = [
            (MapError::Again { current: 1 }, 6),
            (MapError::BadHandle(1), 8),
            (MapError::Exists, 20),
            (fault, 21),
            (MapError::Invalid("x"), 28),
            (MapError::Io(String::new()), 29),
            (long, 37),
            (MapError::NoEntry, 44),
            (memory, 48),
            (space, 51),
            (MapError::NotSupported("x"), 58),
            (MapError::Overflow { needed: 1 }, 61),
            (MapError::Stale, 72),
            (MapError::TimedOut, 73),
            (MapError::NotCapable, 76),
        ];
        for (error, number) in all {
            assert_eq!(error.errno(), number, "{error}");
        }
    }
}
