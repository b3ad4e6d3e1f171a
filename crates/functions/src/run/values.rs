//! Arguments and results of exports as text.

use wasmtime::{FuncType, Val, ValType};

use crate::module::memory;

/// Why arguments do not fit an export.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// One is no number of its type.
    #[error("argument {position} of {export}: {text:?} is no {expected}")]
    NoNumber {
        /// The export.
        export: String,
        /// From 1.
        position: usize,
        /// What was given.
        text: String,
        /// What was expected.
        expected: &'static str,
    },
    /// One is no value of its type.
    #[error("{export}: {reason}")]
    Value {
        /// The export.
        export: String,
        /// Which, and what was expected.
        reason: String,
    },
    /// Too many or too few.
    #[error("{export} is {ty}: {given} arguments do not fit its {expected} parameters")]
    Count {
        /// The export.
        export: String,
        /// Its type.
        ty: String,
        /// How many there are.
        given: usize,
        /// How many it has.
        expected: usize,
    },
    /// A parameter cannot be written as text.
    #[error(
        "{export} is {ty}: a {parameter} cannot be given as an argument; i32, i64, f32, f64 and text can"
    )]
    Type {
        /// The export.
        export: String,
        /// Its type.
        ty: String,
        /// What it wants.
        parameter: String,
    },
    /// What it answers stands for no text.
    #[error(
        "what it answers is no text: --text expects an address and a length, both in one i64 (the \
         address above), or the address of bytes that end with a zero"
    )]
    NoText,
}

/// An argument.
#[derive(Clone, Debug)]
pub(super) enum Given {
    Number(Val),
    /// For two parameters: an address and a length.
    Text(String),
}

/// What makes an argument text that could be a number.
const TEXT: &str = "text:";

/// Reads arguments as an export's parameters want them.
pub(super) fn given(
    (export, ty): (&str, &FuncType),
    arguments: &[String],
) -> Result<Vec<Given>, ArgumentError> {
    let types: Vec<ValType> = ty.params().collect();
    let simple = |ty: &ValType| {
        matches!(
            ty,
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64
        )
    };
    if let Some(other) = types.iter().find(|ty| !simple(ty)) {
        return Err(ArgumentError::Type {
            export: export.to_owned(),
            ty: ty.to_string(),
            parameter: other.to_string(),
        });
    }
    let mut rest = types.as_slice();
    let mut given = Vec::new();
    for (index, text) in arguments.iter().enumerate() {
        let Some((ty, after)) = rest.split_first() else {
            rest = &[];
            given.clear();
            break;
        };
        let may_be_text = matches!((ty, after.first()), (ValType::I32, Some(ValType::I32)));
        let literal = text.strip_prefix(TEXT).filter(|_| may_be_text);
        rest = after;
        given.push(match (literal, number(ty, text)) {
            (Some(literal), _) => Given::Text(literal.to_owned()),
            (None, Some(number)) => Given::Number(number),
            (None, None) if may_be_text && !is_number(text) => Given::Text(text.clone()),
            (None, None) => {
                return Err(ArgumentError::NoNumber {
                    export: export.to_owned(),
                    position: index + 1,
                    text: text.clone(),
                    expected: name(ty),
                });
            }
        });
        if let Some(Given::Text(_)) = given.last() {
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    let is_fitting = rest.is_empty() && (arguments.is_empty() || !given.is_empty());
    if !is_fitting {
        return Err(ArgumentError::Count {
            export: export.to_owned(),
            ty: ty.to_string(),
            given: arguments.len(),
            expected: types.len(),
        });
    }
    Ok(given)
}

/// Whether it is written as a number, whatever type that would fit.
fn is_number(text: &str) -> bool {
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    has_digits && (text.parse::<f64>().is_ok() || integer(text).is_some())
}

fn name(ty: &ValType) -> &'static str {
    match ty {
        ValType::I32 => "i32",
        ValType::I64 => "i64",
        ValType::F32 => "f32",
        ValType::F64 => "f64",
        ValType::V128 | ValType::Ref(_) => "value",
    }
}

/// A number of a type: decimal, with or without sign, or hexadecimal.
fn number(ty: &ValType, text: &str) -> Option<Val> {
    Some(match ty {
        ValType::I32 => {
            let number = integer(text)?;
            let unsigned = u32::try_from(number).ok();
            let signed = i32::try_from(number).ok();
            Val::I32(signed.or(unsigned.map(u32::cast_signed))?)
        }
        ValType::I64 => {
            let number = integer(text)?;
            let unsigned = u64::try_from(number).ok();
            let signed = i64::try_from(number).ok();
            Val::I64(signed.or(unsigned.map(u64::cast_signed))?)
        }
        ValType::F32 => Val::F32(text.parse::<f32>().ok()?.to_bits()),
        ValType::F64 => Val::F64(text.parse::<f64>().ok()?.to_bits()),
        ValType::V128 | ValType::Ref(_) => return None,
    })
}

fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let magnitude = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse::<u64>(),
    };
    if digits.starts_with('+') || digits.starts_with("0x+") {
        return None;
    }
    Some(sign * i128::from(magnitude.ok()?))
}

/// Places for the results of a function.
pub(super) fn room(ty: &FuncType) -> Vec<Val> {
    ty.results()
        .map(|ty| Val::default_for_ty(&ty).unwrap_or(Val::I32(0)))
        .collect()
}

/// A result as text.
pub(super) fn shown(result: &Val) -> String {
    match result {
        Val::I32(number) => number.to_string(),
        Val::I64(number) => number.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(vector) => format!("{:#034x}", vector.as_u128()),
        other => {
            let is_null = other.ref_().is_some_and(|reference| reference.is_null());
            let what = if is_null { "null" } else { "a reference" };
            what.to_owned()
        }
    }
}

/// The text that results stand for. Bytes that are no UTF-8 become U+FFFD.
pub(super) fn text(results: &[Val], bytes: &[u8]) -> Result<String, ArgumentError> {
    let found = match *results {
        [Val::I32(address), Val::I32(length)] => memory::range(bytes, (address, length)).ok(),
        [Val::I64(both)] => {
            let both = both.cast_unsigned();
            let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).ok();
            half(both >> 32)
                .zip(half(both))
                .and_then(|(address, length)| {
                    memory::range(bytes, (address.cast_signed(), length.cast_signed())).ok()
                })
        }
        [Val::I32(address)] => bytes.get(memory::offset(address)..).and_then(|rest| {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest.get(..end)
        }),
        _ => None,
    };
    let found = found.ok_or(ArgumentError::NoText)?;
    Ok(String::from_utf8_lossy(found).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ty: &ValType, text: &str, expected: Option<&str>) {
        let told = number(ty, text).map(|number| shown(&number));
        assert_eq!(told.as_deref(), expected, "{text}");
    }

    #[test]
    fn numbers_are_read_as_their_types_say() {
        check(&ValType::I32, "-5", Some("-5"));
        check(&ValType::I32, "4294967295", Some("-1"));
        check(&ValType::I32, "0xff", Some("255"));
        check(&ValType::I32, "4294967296", None);
        check(&ValType::I32, "-2147483649", None);
        check(&ValType::I32, "1.5", None);
        check(&ValType::I32, "+5", None);
        check(&ValType::I32, "--5", None);
        check(&ValType::I32, "", None);
        check(&ValType::I64, "18446744073709551615", Some("-1"));
        check(
            &ValType::I64,
            "-9223372036854775808",
            Some("-9223372036854775808"),
        );
        check(&ValType::I64, "-9223372036854775809", None);
        check(&ValType::F32, "1.5", Some("1.5"));
        check(&ValType::F64, "1e300", Some(&format!("{}", 1e300)));
        check(&ValType::F64, "one", None);
        check(&ValType::V128, "1", None);
    }
}
