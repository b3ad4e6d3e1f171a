//! Values of properties and expressions, and their byte form.
//!
//! Invariant: the byte form of a value does not depend on where it came from.

use bytes::Bytes;
use weir_guest::pairs;

use super::PropertyError;

/// A value (Proxy-Wasm reference, section 5.2). Cheap to clone unless it is a map or a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text. Headers need not be UTF-8.
    String(Bytes),
    /// Bytes.
    Bytes(Bytes),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A fractional number, and every number that came from JSON.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Nanoseconds.
    Duration(i64),
    /// Keys and values, in this order.
    Map(Vec<(Bytes, Value)>),
    /// Elements.
    List(Vec<Value>),
    /// A protobuf message as wire bytes.
    Message(Bytes),
    /// JSON's and CEL's null. It has no byte form.
    Null,
}

impl Value {
    /// Text that lives as long as the program.
    #[must_use]
    pub const fn literal(text: &'static str) -> Self {
        Self::String(Bytes::from_static(text.as_bytes()))
    }

    /// Text, copied.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::String(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The byte form.
    ///
    /// # Errors
    /// [`PropertyError::SerializationFailure`] for a null, alone or anywhere inside.
    pub fn serialize(&self) -> Result<Bytes, PropertyError> {
        match self {
            Self::String(bytes) | Self::Bytes(bytes) | Self::Message(bytes) => Ok(bytes.clone()),
            Self::Int(number) | Self::Timestamp(number) | Self::Duration(number) => {
                Ok(eight(number.to_le_bytes()))
            }
            Self::Uint(number) => Ok(eight(number.to_le_bytes())),
            Self::Double(number) => Ok(eight(number.to_le_bytes())),
            Self::Bool(false) => Ok(Bytes::from_static(&[0])),
            Self::Bool(true) => Ok(Bytes::from_static(&[1])),
            Self::Map(entries) => serialize_map(entries),
            Self::List(elements) => serialize_list(elements),
            Self::Null => Err(PropertyError::SerializationFailure),
        }
    }

    /// What the rest of a path leads to: keys of maps, decimal indexes of lists.
    ///
    /// # Errors
    /// [`PropertyError::NotFound`] for absent keys, bad indexes and segments below a scalar.
    pub fn descend(&self, rest: &[&[u8]]) -> Result<&Self, PropertyError> {
        rest.iter().try_fold(self, |value, segment| {
            value.child(segment).ok_or(PropertyError::NotFound)
        })
    }

    /// One step of [`descend`](Self::descend).
    #[must_use]
    pub fn child(&self, segment: &[u8]) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(key, _)| *key == segment)
                .map(|(_, value)| value),
            Self::List(elements) => {
                let index: usize = std::str::from_utf8(segment).ok()?.parse().ok()?;
                elements.get(index)
            }
            Self::String(_)
            | Self::Bytes(_)
            | Self::Int(_)
            | Self::Uint(_)
            | Self::Double(_)
            | Self::Bool(_)
            | Self::Timestamp(_)
            | Self::Duration(_)
            | Self::Message(_)
            | Self::Null => None,
        }
    }
}

fn eight(bytes: [u8; 8]) -> Bytes {
    Bytes::copy_from_slice(&bytes)
}

fn serialize_map(entries: &[(Bytes, Value)]) -> Result<Bytes, PropertyError> {
    let values: Vec<Bytes> = entries
        .iter()
        .map(|(_, value)| value.serialize())
        .collect::<Result<_, _>>()?;
    Ok(encode(
        entries
            .iter()
            .zip(&values)
            .map(|((key, _), value)| (&key[..], &value[..])),
    ))
}

fn serialize_list(elements: &[Value]) -> Result<Bytes, PropertyError> {
    let elements: Vec<Bytes> = elements
        .iter()
        .map(Value::serialize)
        .collect::<Result<_, _>>()?;
    Ok(encode(
        elements.iter().map(|element| (&element[..], &b""[..])),
    ))
}

/// Unlike an empty header map, an empty value is the count 0.
fn encode<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])> + Clone) -> Bytes {
    let bytes = pairs::encode(pairs);
    if bytes.is_empty() {
        Bytes::from_static(&[0; 4])
    } else {
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&'static str, Value)]) -> Value {
        Value::Map(
            entries
                .iter()
                .map(|(key, value)| ((*key).into(), value.clone()))
                .collect(),
        )
    }

    fn check(value: &Value, expected: &[u8]) {
        assert_eq!(value.serialize().as_deref(), Ok(expected), "{value:?}");
    }

    #[test]
    fn scalars_have_the_byte_forms_of_section_5_2() {
        check(&Value::literal("a\0b"), b"a\0b");
        check(&Value::text(""), b"");
        check(&Value::Bytes(Bytes::from_static(b"\xFF")), b"\xFF");
        check(&Value::Message(Bytes::new()), b"");
        check(&Value::Int(-2), &(-2_i64).to_le_bytes());
        check(&Value::Uint(u64::MAX), &[0xFF; 8]);
        check(&Value::Double(1.5), &1.5_f64.to_le_bytes());
        check(&Value::Bool(true), &[1]);
        check(&Value::Bool(false), &[0]);
        check(
            &Value::Timestamp(1_700_000_000_000_000_000),
            &1_700_000_000_000_000_000_i64.to_le_bytes(),
        );
        check(&Value::Duration(-1), &[0xFF; 8]);
    }

    #[test]
    fn maps_and_lists_are_pairs() {
        check(&map(&[]), &[0; 4]);
        check(&Value::List(vec![]), &[0; 4]);
        check(
            &map(&[("a", Value::Bool(true))]),
            b"\x01\0\0\0\x01\0\0\0\x01\0\0\0a\0\x01\0",
        );
        check(
            &Value::List(vec![Value::literal("x")]),
            b"\x01\0\0\0\x01\0\0\0\0\0\0\0x\0\0",
        );
        let nested = map(&[("m", map(&[]))]);
        check(&nested, b"\x01\0\0\0\x01\0\0\0\x04\0\0\0m\0\0\0\0\0\0");
    }

    #[test]
    fn a_null_anywhere_has_no_byte_form() {
        let nulls = [
            Value::Null,
            Value::List(vec![Value::Int(1), Value::Null]),
            map(&[("a", map(&[("b", Value::Null)]))]),
        ];
        for value in nulls {
            assert_eq!(
                value.serialize(),
                Err(PropertyError::SerializationFailure),
                "{value:?}"
            );
        }
    }

    #[test]
    fn paths_lead_into_maps_and_lists_only() {
        let value = map(&[("l", Value::List(vec![Value::Int(7), Value::Int(8)]))]);
        let check = |rest: &[&[u8]], expected: Option<i64>| {
            let found = value.descend(rest);
            assert_eq!(found.ok(), expected.map(Value::Int).as_ref(), "{rest:?}");
        };
        check(&[b"l", b"0"], Some(7));
        check(&[b"l", b"1"], Some(8));
        check(&[b"l", b"2"], None);
        check(&[b"l", b"-1"], None);
        check(&[b"l", b"x"], None);
        check(&[b"l", b"0", b"x"], None);
        check(&[b"L", b"0"], None);
        assert_eq!(value.descend(&[]), Ok(&value));
    }
}
