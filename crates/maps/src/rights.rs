//! What a handle allows (specification, section 2). Rights never grow.

use crate::MapError;

/// A set of rights.
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
    /// Lend, transfer, hand to another module.
    pub const SHARE: Self = Self(64);
    /// Map regions to read them.
    pub const MAP_READ: Self = Self(128);
    /// Map regions to write them.
    pub const MAP_WRITE: Self = Self(256);
    /// Remove all entries at once.
    pub const CLEAR: Self = Self(512);
    /// All of them, which the maker of a map has.
    pub const ALL: Self = Self(1023);

    /// What a guest asks for by number.
    ///
    /// # Errors
    /// [`MapError::Invalid`] for bits that mean nothing: a guest that asks for a later version's
    /// right must not believe that it got it.
    pub fn from_bits(bits: u64) -> Result<Self, MapError> {
        if bits & !Self::ALL.0 != 0 {
            return Err(MapError::Invalid("unknown rights"));
        }
        Ok(Self(bits))
    }

    /// Its number.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both have.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether these hold all of `other`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These, if `held` has them all.
    ///
    /// # Errors
    /// [`MapError::NotCapable`] otherwise.
    pub fn within(self, held: Self) -> Result<Self, MapError> {
        if held.contains(self) {
            Ok(self)
        } else {
            Err(MapError::NotCapable)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_a_set_and_unknown_ones_are_refused() {
        let some = Rights::READ.and(Rights::LIST);
        assert_eq!(some.bits(), 9);
        assert!(some.contains(Rights::LIST) && !some.contains(Rights::WRITE));
        assert_eq!(Rights::READ.within(some), Ok(Rights::READ));
        assert_eq!(Rights::ALL.within(some), Err(MapError::NotCapable));
        assert_eq!(Rights::from_bits(1023), Ok(Rights::ALL));
        assert!(Rights::from_bits(1024).is_err());
    }
}
