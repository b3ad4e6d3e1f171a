//! Keys whose bytes are in the order of their values, so that scans are too.
//!
//! Integers are big-endian, of the size of their type; the sign's bit of signed ones is turned over.
//! Text and bytes are as they are.

use thiserror::Error;

use crate::schema::{Key, Sign};
use crate::value::Value;

/// Why bytes or a value are no key of a type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("this is no key of the type {0}")]
pub struct KeyError(String);

/// The bytes of a key.
///
/// # Errors
/// If the value is not of the type.
pub fn encode(ty: Key, value: &Value) -> Result<Vec<u8>, KeyError> {
    let wrong = || KeyError(ty.text());
    match (ty, value) {
        (Key::Bool, Value::Bool(value)) => Ok(vec![u8::from(*value)]),
        (Key::Int(bits, Sign::Unsigned), Value::Unsigned(value)) => {
            let unused = 8 - bits.bytes();
            let bytes = value.to_be_bytes();
            if bytes[..unused].iter().any(|byte| *byte != 0) {
                return Err(wrong());
            }
            Ok(bytes[unused..].to_vec())
        }
        (Key::Int(bits, Sign::Signed), Value::Signed(value)) => {
            let room = 64 - bits.count();
            if (value << room) >> room != *value {
                return Err(wrong());
            }
            let turned = (value << room).cast_unsigned() ^ (1 << 63);
            Ok(turned.to_be_bytes()[..bits.bytes()].to_vec())
        }
        (Key::String, Value::String(text)) => Ok(text.clone().into_bytes()),
        (Key::Bytes, Value::Bytes(bytes)) => Ok(bytes.clone()),
        _ => Err(wrong()),
    }
}

/// The key in these bytes.
///
/// # Errors
/// If they are none of the type.
pub fn decode(ty: Key, bytes: &[u8]) -> Result<Value, KeyError> {
    let wrong = || KeyError(ty.text());
    match ty {
        Key::Bool => match bytes {
            [0] => Ok(Value::Bool(false)),
            [1] => Ok(Value::Bool(true)),
            _ => Err(wrong()),
        },
        Key::Int(bits, sign) => {
            if bytes.len() != bits.bytes() {
                return Err(wrong());
            }
            let mut wide = [0; 8];
            wide[..bytes.len()].copy_from_slice(bytes);
            let high = u64::from_be_bytes(wide);
            let room = 64 - bits.count();
            Ok(match sign {
                Sign::Unsigned => Value::Unsigned(high >> room),
                Sign::Signed => Value::Signed((high ^ (1 << 63)).cast_signed() >> room),
            })
        }
        Key::String => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => Err(wrong()),
        },
        Key::Bytes => Ok(Value::Bytes(bytes.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Bits;

    /// Values in their order have keys in the same order, and come back.
    fn check(ty: Key, ordered: &[Value]) {
        let keys: Vec<_> = ordered
            .iter()
            .map(|value| encode(ty, value).expect("a key"))
            .collect();
        assert!(keys.is_sorted(), "{ty:?}: {keys:?}");
        for (key, value) in keys.iter().zip(ordered) {
            assert_eq!(decode(ty, key).as_ref(), Ok(value));
        }
    }

    #[test]
    fn keys_are_in_the_order_of_their_values() {
        let signed = |list: &[i64]| list.iter().copied().map(Value::Signed).collect::<Vec<_>>();
        let unsigned = |list: &[u64]| {
            list.iter()
                .copied()
                .map(Value::Unsigned)
                .collect::<Vec<_>>()
        };
        let bytes = [-128, -1, 0, 1, 127];
        check(Key::Int(Bits::B8, Sign::Signed), &signed(&bytes));
        let words = [
            i64::from(i32::MIN),
            -256,
            -255,
            -1,
            0,
            1,
            255,
            256,
            i64::from(i32::MAX),
        ];
        check(Key::Int(Bits::B32, Sign::Signed), &signed(&words));
        check(
            Key::Int(Bits::B64, Sign::Signed),
            &signed(&[i64::MIN, -1, 0, 1, i64::MAX]),
        );
        check(
            Key::Int(Bits::B16, Sign::Unsigned),
            &unsigned(&[0, 1, 255, 256, 65535]),
        );
        check(
            Key::Int(Bits::B64, Sign::Unsigned),
            &unsigned(&[0, 255, 256, u64::MAX]),
        );
        check(Key::Bool, &[Value::Bool(false), Value::Bool(true)]);
        let texts = ["", "a", "aa", "b", "é", "\u{10000}"];
        check(
            Key::String,
            &texts.map(|text| Value::String(text.to_owned())),
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(encode(Key::Int(Bits::B8, Sign::Unsigned), &Value::Unsigned(256)).is_err());
        assert!(encode(Key::Int(Bits::B8, Sign::Signed), &Value::Signed(128)).is_err());
        assert!(encode(Key::String, &Value::Bool(true)).is_err());
        assert!(decode(Key::Int(Bits::B32, Sign::Signed), &[0; 3]).is_err());
        assert!(decode(Key::Bool, &[2]).is_err());
        assert!(decode(Key::String, &[0xff]).is_err());
    }
}
