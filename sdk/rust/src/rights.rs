//! What a handle allows.

use core::ops::{BitAnd, BitOr};

/// A set of rights. A handle's rights never grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(u64);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);
    /// Read entries, and the map's numbers.
    pub const READ: Self = Self(1);
    /// Write entries and counters.
    pub const WRITE: Self = Self(2);
    /// Delete entries.
    pub const DELETE: Self = Self(4);
    /// List entries.
    pub const LIST: Self = Self(8);
    /// Be told of changes.
    pub const WATCH: Self = Self(16);
    /// Store references to other maps.
    pub const CREATE: Self = Self(32);
    /// Lend, transfer, let other maps refer to this one.
    pub const SHARE: Self = Self(64);
    /// Map regions to read them.
    pub const MAP_READ: Self = Self(128);
    /// Map regions to write them.
    pub const MAP_WRITE: Self = Self(256);
    /// Remove all entries at once.
    pub const CLEAR: Self = Self(512);
    /// All of them, which the maker of a map has.
    pub const ALL: Self = Self(1023);

    /// The set with these bits; the host refuses those that it does not know.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether these hold all of `other`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Rights {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
