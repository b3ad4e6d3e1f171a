//! What an entry holds: bytes, a reference to another map, or a region.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::MapError;
use crate::budget::Budget;
use crate::region::{Region, Stay};
use crate::rights::Rights;

/// Bytes that are kept without memory of their own: every counter, and most flags.
const INLINE_BYTES: usize = 38;

/// Names a map of this engine; no two maps ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapId(pub u64);

/// An entry's value. Cheap to clone.
#[derive(Clone)]
pub struct Value(Form);

#[derive(Clone)]
enum Form {
    Inline(u8, [u8; INLINE_BYTES]),
    Shared(Bytes),
    Map(MapId, Rights),
    /// And what it counts for in the entry, once it is in one.
    Region(Arc<Region>, Option<Arc<Stay>>),
}

impl Value {
    /// A copy of these bytes.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        match u8::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= INLINE_BYTES => {
                let mut inline = [0; INLINE_BYTES];
                inline[..bytes.len()].copy_from_slice(bytes);
                Self(Form::Inline(length, inline))
            }
            _ => Self(Form::Shared(Bytes::copy_from_slice(bytes))),
        }
    }

    /// A counter: 8 bytes, little-endian.
    #[must_use]
    pub fn number(number: i64) -> Self {
        Self::copy_of(&number.to_le_bytes())
    }

    /// A reference to a map, and what may be done with it by whoever follows it.
    #[must_use]
    pub fn map(id: MapId, rights: Rights) -> Self {
        Self(Form::Map(id, rights))
    }

    /// Pages of memory.
    #[must_use]
    pub fn region(region: Arc<Region>) -> Self {
        Self(Form::Region(region, None))
    }

    /// Those that an entry holds already.
    pub(crate) fn region_staying(region: &Arc<Region>, stay: &Arc<Stay>) -> Self {
        Self(Form::Region(Arc::clone(region), Some(Arc::clone(stay))))
    }

    /// A region as it is in an entry; its room was counted by `budget`. `None`: it is in that entry
    /// already, or it is none.
    pub(crate) fn staying(&self, budget: &Arc<Budget>) -> Option<Self> {
        match &self.0 {
            Form::Region(region, None) => {
                let stay = Stay::new(budget, region.room());
                Some(Self::region_staying(region, &stay))
            }
            Form::Region(_, Some(_)) | Form::Inline(..) | Form::Shared(_) | Form::Map(..) => None,
        }
    }

    /// The region of an entry, and its stay there.
    pub(crate) fn stay_of_region(&self) -> Option<(Arc<Region>, Arc<Stay>)> {
        let region = self.as_region()?;
        Some((Arc::clone(region), Arc::clone(self.stay()?)))
    }

    /// What the region of an entry counts for.
    pub(crate) fn stay(&self) -> Option<&Arc<Stay>> {
        match &self.0 {
            Form::Region(_, stay) => stay.as_ref(),
            Form::Inline(..) | Form::Shared(_) | Form::Map(..) => None,
        }
    }

    /// The bytes; `None`: it is a reference to a map, or a region.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::Inline(length, bytes) => Some(&bytes[..usize::from(*length)]),
            Form::Shared(bytes) => Some(bytes),
            Form::Map(..) | Form::Region(..) => None,
        }
    }

    /// The same, to be kept; copied only if they are few.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Form::Inline(..) => self.bytes().map(Bytes::copy_from_slice),
            Form::Shared(bytes) => Some(bytes.clone()),
            Form::Map(..) | Form::Region(..) => None,
        }
    }

    /// The map that it refers to, if it does.
    #[must_use]
    pub fn child(&self) -> Option<MapId> {
        self.reference().map(|(id, _)| id)
    }

    /// The same, and what may be done with it.
    #[must_use]
    pub fn reference(&self) -> Option<(MapId, Rights)> {
        match self.0 {
            Form::Map(id, rights) => Some((id, rights)),
            Form::Inline(..) | Form::Shared(_) | Form::Region(..) => None,
        }
    }

    /// The pages that it is, if it is some.
    #[must_use]
    pub fn as_region(&self) -> Option<&Arc<Region>> {
        match &self.0 {
            Form::Region(region, _) => Some(region),
            Form::Inline(..) | Form::Shared(_) | Form::Map(..) => None,
        }
    }

    /// The counter that the bytes are.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: they are not 8 bytes.
    pub fn as_number(&self) -> Result<i64, MapError> {
        let bytes = self.bytes().and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(i64::from_le_bytes)
            .ok_or(MapError::Invalid("the entry is no counter of 8 bytes"))
    }

    /// Length of the bytes; 0 for what has none.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes().map_or(0, <[u8]>::len)
    }

    /// Bytes that count against quotas: of a region, those of its pages.
    #[must_use]
    pub fn room(&self) -> usize {
        self.as_region()
            .map_or_else(|| self.length(), |region| region.room())
    }
}

/// Kept as it is: it should own its memory, not be a slice of something larger.
impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() <= INLINE_BYTES {
            return Self::copy_of(&bytes);
        }
        Self(Form::Shared(bytes))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        let same_region = match (self.as_region(), other.as_region()) {
            (Some(region), Some(other)) => Arc::ptr_eq(region, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_region && self.bytes() == other.bytes() && self.reference() == other.reference()
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.bytes(), self.child()) {
            (Some(bytes), _) => write!(f, "\"{}\"", bytes.escape_ascii()),
            (None, Some(child)) => write!(f, "{child:?}"),
            (None, None) => write!(f, "{:?}", self.as_region()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_values_are_what_they_were_made_of() {
        for length in [0, 1, 8, INLINE_BYTES, INLINE_BYTES + 1, 1000] {
            let bytes = vec![7_u8; length];
            assert_eq!(Value::copy_of(&bytes).bytes(), Some(&*bytes));
            assert_eq!(Value::from(Bytes::from(bytes)).length(), length);
        }
        assert_eq!(
            size_of::<Value>(),
            40,
            "four words of shared bytes and a tag"
        );
    }

    #[test]
    fn only_eight_bytes_are_a_counter() {
        assert_eq!(Value::number(-5).as_number(), Ok(-5));
        assert!(Value::copy_of(b"1234567").as_number().is_err());
        assert!(Value::map(MapId(1), Rights::ALL).as_number().is_err());
    }
}
