//! Guest memory while arguments are read: every range is looked at before anything happens.

use weir_maps::{MapError, Rights};

/// The number that a refused call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) i32);

impl Code {
    pub(crate) const FAULT: Self = Self(21);
    pub(crate) const INVAL: Self = Self(28);
    pub(crate) const IO: Self = Self(29);
    pub(crate) const NOMEM: Self = Self(48);
    pub(crate) const NOTSUP: Self = Self(58);
    pub(crate) const OVERFLOW: Self = Self(61);
}

impl From<MapError> for Code {
    fn from(error: MapError) -> Self {
        Self(error.errno())
    }
}

/// The whole memory.
#[derive(Clone, Copy)]
pub(crate) struct View<'m>(pub(crate) &'m [u8]);

/// A range that was in memory when it was looked at, and still is: memories only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Out {
    pub(crate) start: usize,
    pub(crate) bytes: usize,
}

impl<'m> View<'m> {
    /// `length` bytes at `pointer`.
    pub(crate) fn bytes(self, pointer: i32, length: i32) -> Result<&'m [u8], Code> {
        let (start, length) = (offset(pointer), offset(length));
        let end = start.checked_add(length).ok_or(Code::FAULT)?;
        self.0.get(start..end).ok_or(Code::FAULT)
    }

    /// A struct at `pointer`.
    pub(crate) fn array<const N: usize>(self, pointer: i32) -> Result<&'m [u8; N], Code> {
        let rest = self.0.get(offset(pointer)..).ok_or(Code::FAULT)?;
        rest.first_chunk().ok_or(Code::FAULT)
    }

    /// A place for so many bytes.
    pub(crate) fn out(self, pointer: i32, bytes: usize) -> Result<Out, Code> {
        let start = offset(pointer);
        let end = start.checked_add(bytes).ok_or(Code::FAULT)?;
        if end > self.0.len() {
            return Err(Code::FAULT);
        }
        Ok(Out { start, bytes })
    }

    /// A place for what the guest does not want if the pointer is 0.
    pub(crate) fn wanted(self, pointer: i32, bytes: usize) -> Result<Option<Out>, Code> {
        if pointer == 0 {
            return Ok(None);
        }
        self.out(pointer, bytes).map(Some)
    }

    /// A place for a list.
    pub(crate) fn buffer(self, pointer: i32, length: i32) -> Result<Out, Code> {
        self.out(pointer, offset(length))
    }
}

impl Out {
    /// Writes bytes, as many as the place has or fewer.
    pub(crate) fn put(self, memory: &mut [u8], bytes: &[u8]) {
        let place = memory.get_mut(self.start..).unwrap_or_default();
        let bytes = bytes.get(..self.bytes).unwrap_or(bytes);
        if let Some(place) = place.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

/// A pointer or length of the guest: unsigned, whatever its WebAssembly type says.
pub(crate) fn offset(number: i32) -> usize {
    number.cast_unsigned() as usize
}

/// Rights by number.
pub(crate) fn rights(bits: i64) -> Result<Rights, Code> {
    Ok(Rights::from_bits(bits.cast_unsigned())?)
}
