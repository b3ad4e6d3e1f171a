//! The bytes between the gateway and a plugin's process: one table for each kind of message.
//!
//! A frame is a little-endian `u32` length and that many bytes; the first of them says which message
//! it is, then come its fields in the order of the tables. Invariant: decoding never panics, never
//! allocates more than the frame is long, and takes no byte that it does not know: what a plugin's
//! process sends is written by whoever has taken it over.

mod door;
mod maps;
mod message;

use std::cell::OnceCell;
use std::time::Duration;

use bytes::Bytes;
use weir_maps::call::MapOp;
use weir_model::limits;

pub use message::{Ending, FromPlugin, Hello, Rules, ToPlugin};

/// Items of a list in a frame: twice the data segments of the largest plugin that is known.
const ITEMS_MAX: u32 = 1 << 17;

/// What a peer sent that it may not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it broke the protocol: {0}")]
pub struct Violation(pub &'static str);

/// What stands in a frame.
pub trait Field<'b>: Sized {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes it from the front of what is left.
    ///
    /// # Errors
    ///
    /// [`Violation`] when the bytes are too few or mean nothing.
    fn take(reader: &mut Reader<'b>) -> Result<Self, Violation>;
}

/// What has a number in its table.
pub(super) trait Numbered {
    /// Its number.
    fn number(&self) -> u8;
}

/// What is left of a frame.
pub struct Reader<'b> {
    rest: &'b [u8],
    /// Where the operations of a batch go, which a call only points to.
    batch: Option<&'b Batch<'b>>,
}

/// The operations of the one batch that a frame may hold.
pub type Batch<'b> = OnceCell<Box<[MapOp<'b>]>>;

impl<'b> Reader<'b> {
    fn bytes(&mut self, length: usize) -> Result<&'b [u8], Violation> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Violation("a frame ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, Violation> {
        Ok(u8::from_le_bytes(self.array()?))
    }
}

/// Reads a message that fills its frame.
///
/// # Errors
///
/// [`Violation`]: the bytes are no such message, or more than one.
pub fn decode<'b, T: Field<'b>>(frame: &'b [u8]) -> Result<T, Violation> {
    let batch = None;
    read(Reader { rest: frame, batch })
}

/// The same of a message in which there may be a batch, which is put beside it.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_with<'b, T: Field<'b>>(
    frame: &'b [u8],
    batch: &'b Batch<'b>,
) -> Result<T, Violation> {
    let batch = Some(batch);
    read(Reader { rest: frame, batch })
}

fn read<'b, T: Field<'b>>(mut reader: Reader<'b>) -> Result<T, Violation> {
    let message = T::take(&mut reader)?;
    if reader.rest.is_empty() {
        Ok(message)
    } else {
        Err(Violation("a frame is longer than its message"))
    }
}

/// Reads a message from the front of some bytes.
pub(super) fn decode_front<'b, T: Field<'b>>(bytes: &'b [u8]) -> Result<T, Violation> {
    let batch = None;
    T::take(&mut Reader { rest: bytes, batch })
}

/// Appends a message to a frame.
pub fn encode<'b>(message: &impl Field<'b>, out: &mut Vec<u8>) {
    message.put(out);
}

/// A text that is not longer than one about a failure may be.
pub(super) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(limits::APART_TEXT_BYTES_MAX)].to_owned()
}

/// An enum: each variant with its number, its fields in their order on the wire.
macro_rules! choices {
    (impl[$($life:lifetime)?] $type:ty, $what:literal {
        $($number:literal $variant:ident $({ $($field:ident),* })? $(( $($inner:ident),* ))?;)*
    }) => {
        impl $(<$life>)? $crate::apart::wire::Numbered for $type {
            fn number(&self) -> u8 {
                match self {
                    $(Self::$variant { .. } => $number,)*
                }
            }
        }

        impl<'b> $crate::apart::wire::Field<'b> for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(( $($inner),* ))? => {
                        out.push($number);
                        $($($crate::apart::wire::Field::put($field, out);)*)?
                        $($($crate::apart::wire::Field::put($inner, out);)*)?
                    })*
                }
            }

            fn take(
                reader: &mut $crate::apart::wire::Reader<'b>,
            ) -> Result<Self, $crate::apart::wire::Violation> {
                Ok(match reader.byte()? {
                    $($number => Self::$variant
                        $({ $($field: $crate::apart::wire::Field::take(reader)?),* })?
                        $(($({
                            let $inner = $crate::apart::wire::Field::take(reader)?;
                            $inner
                        }),*))?,)*
                    _ => return Err($crate::apart::wire::Violation($what)),
                })
            }
        }
    };
}

/// A struct: its fields in their order on the wire.
macro_rules! record {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl<'b> $crate::apart::wire::Field<'b> for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::apart::wire::Field::put(&self.$field, out);)*
            }

            fn take(
                reader: &mut $crate::apart::wire::Reader<'b>,
            ) -> Result<Self, $crate::apart::wire::Violation> {
                Ok(Self { $($field: $crate::apart::wire::Field::take(reader)?),* })
            }
        }
    };
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Field<'_> for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
                Ok(Self::from_le_bytes(reader.array()?))
            }
        }
    )*};
}

pub(super) use {choices, record};

numbers!(u32, i32, u64, i64);

impl Field<'_> for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        match reader.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Violation("a truth value is neither 0 nor 1")),
        }
    }
}

impl<'b> Field<'b> for &'b [u8] {
    fn put(&self, out: &mut Vec<u8>) {
        // Whoever sends a frame has checked that it is not longer than a frame may be.
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(out);
        out.extend_from_slice(self);
    }

    fn take(reader: &mut Reader<'b>) -> Result<Self, Violation> {
        let length = u32::take(reader)?;
        reader.bytes(length as usize)
    }
}

impl<'b> Field<'b> for &'b str {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }

    fn take(reader: &mut Reader<'b>) -> Result<Self, Violation> {
        let bytes = <&[u8]>::take(reader)?;
        std::str::from_utf8(bytes).map_err(|_| Violation("a text is not UTF-8"))
    }
}

impl Field<'_> for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        <&str>::take(reader).map(str::to_owned)
    }
}

impl Field<'_> for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        (&**self).put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        <&[u8]>::take(reader).map(Self::copy_from_slice)
    }
}

impl Field<'_> for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX).put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        u64::take(reader).map(Self::from_nanos)
    }
}

impl<'b, T: Field<'b>> Field<'b> for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(reader: &mut Reader<'b>) -> Result<Self, Violation> {
        bool::take(reader)?.then(|| T::take(reader)).transpose()
    }
}

impl<'b, A: Field<'b>, B: Field<'b>> Field<'b> for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(reader: &mut Reader<'b>) -> Result<Self, Violation> {
        Ok((A::take(reader)?, B::take(reader)?))
    }
}

impl<const N: usize> Field<'_> for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        reader.array()
    }
}

impl<'b, T: Field<'b>> Field<'b> for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(out);
        for item in self {
            item.put(out);
        }
    }

    /// No room is made for what is only claimed.
    fn take(reader: &mut Reader<'b>) -> Result<Self, Violation> {
        let count = u32::take(reader)?;
        if count > ITEMS_MAX {
            return Err(Violation("a list is longer than any may be"));
        }
        let mut items = Self::new();
        for _ in 0..count {
            items.push(T::take(reader)?);
        }
        Ok(items)
    }
}
