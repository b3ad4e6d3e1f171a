//! Values to bytes and back.
//!
//! The bytes of a value are always the same: fields in the order of their numbers, numbers in lists
//! packed, defaults left out, then what is unknown as it came. What is read may be in any order that
//! protobuf allows.

mod decode;
mod encode;
mod laid_out;

use thiserror::Error;

pub(crate) use decode::default_of;
pub use decode::{decode, default_record};
pub use encode::encode;

use crate::schema::{Map, Schema, Stored};
use crate::value::Value;

/// Why bytes are no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end within a field.
    #[error("the bytes end within a field")]
    Short,
    /// A number has more than 64 bits.
    #[error("a number has more than 64 bits")]
    LongNumber,
    /// A field begins with a number or kind that there is not.
    #[error("a field begins with a number or kind that there is not")]
    Tag,
    /// A field is written in another way than its type is.
    #[error("field `{0}` is not written as its type is")]
    Kind(String),
    /// A text is not UTF-8.
    #[error("field `{0}` is not UTF-8")]
    Utf8(String),
    /// A number is outside the range of its type.
    #[error("field `{0}` is outside the range of its type")]
    Range(String),
    /// Few bytes can stand for many values: these are more than anybody looks at.
    #[error(
        "it is made of more than {} values",
        weir_model::limits::bindgen::DECODED_VALUES_MAX
    )]
    Large,
    /// A record with C's layout has another length.
    #[error("{found} bytes where C's layout has {expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
}

/// Why a value has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a value does not fit its type: {0}")]
pub struct EncodeError(pub String);

/// The value in an entry of a map.
///
/// # Errors
/// If the bytes are no such value.
pub fn decode_entry(schema: &Schema, map: &Map, bytes: &[u8]) -> Result<Value, DecodeError> {
    match map.value {
        Stored::Message(id) => decode(schema, id, bytes),
        Stored::Layout(id) => laid_out::decode(schema, id, bytes).map(Value::Record),
        Stored::Bytes => Ok(Value::Bytes(bytes.to_vec())),
        Stored::Text => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => Err(DecodeError::Utf8(map.name.clone())),
        },
        Stored::Counter => {
            let expected = 8;
            let bytes: [u8; 8] = bytes.try_into().map_err(|_| DecodeError::Length {
                found: bytes.len(),
                expected,
            })?;
            Ok(Value::Signed(i64::from_le_bytes(bytes)))
        }
    }
}

/// The bytes of an entry of a map.
///
/// # Errors
/// If the value is not of the map's type.
pub fn encode_entry(schema: &Schema, map: &Map, value: &Value) -> Result<Vec<u8>, EncodeError> {
    match (map.value, value) {
        (Stored::Message(id), value) => encode(schema, id, value),
        (Stored::Layout(id), Value::Record(record)) => laid_out::encode(schema, id, record),
        (Stored::Bytes, Value::Bytes(bytes)) => Ok(bytes.clone()),
        (Stored::Text, Value::String(text)) => Ok(text.clone().into_bytes()),
        (Stored::Counter, Value::Signed(number)) => Ok(number.to_le_bytes().to_vec()),
        _ => Err(EncodeError(format!("map `{}`", map.name))),
    }
}
