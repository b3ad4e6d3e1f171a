//! The functions of the language that Envoy enables.

use bytes::Bytes;
use regex::bytes::{Regex, RegexBuilder};

use super::EvaluateError;
use super::time::{self, Part};
use crate::property::Value;

/// Bytes of a compiled pattern: Envoy bounds the same thing, so that no pattern is a program.
const PATTERN_BYTES_MAX: usize = 64 << 10;

/// A function; the receiver of `x.f(y)` is its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Dyn,
    Timestamp,
    Duration,
    Part(Part),
}

/// How a function is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `f(x)`
    Global,
    /// `x.f()`
    Receiver,
}

impl Function {
    /// By its name, style and number of arguments, the receiver included.
    pub(super) fn named(name: &str, style: Style, arguments: usize) -> Option<Self> {
        let function = match (name, style, arguments) {
            ("size", _, 1) => Self::Size,
            ("contains", Style::Receiver, 2) => Self::Contains,
            ("startsWith", Style::Receiver, 2) => Self::StartsWith,
            ("endsWith", Style::Receiver, 2) => Self::EndsWith,
            ("matches", _, 2) => Self::Matches,
            ("int", Style::Global, 1) => Self::Int,
            ("uint", Style::Global, 1) => Self::Uint,
            ("double", Style::Global, 1) => Self::Double,
            ("string", Style::Global, 1) => Self::String,
            ("bytes", Style::Global, 1) => Self::Bytes,
            ("dyn", Style::Global, 1) => Self::Dyn,
            ("timestamp", Style::Global, 1) => Self::Timestamp,
            ("duration", Style::Global, 1) => Self::Duration,
            (_, Style::Receiver, 1) => Self::Part(Part::named(name)?),
            _ => return None,
        };
        Some(function)
    }

    /// The value for some arguments, as many as [`named`](Self::named) was asked for.
    pub(super) fn call(self, arguments: &[Value]) -> Result<Value, EvaluateError> {
        match (self, arguments) {
            (Self::Size, [value]) => size(value),
            (Self::Contains, [Value::String(text), Value::String(part)]) => {
                Ok(Value::Bool(memchr::memmem::find(text, part).is_some()))
            }
            (Self::StartsWith, [Value::String(text), Value::String(part)]) => {
                Ok(Value::Bool(text.starts_with(part)))
            }
            (Self::EndsWith, [Value::String(text), Value::String(part)]) => {
                Ok(Value::Bool(text.ends_with(part)))
            }
            (Self::Matches, [Value::String(text), Value::String(source)]) => {
                Ok(Value::Bool(pattern(source)?.is_match(text)))
            }
            (Self::Int, [value]) => to_int(value),
            (Self::Uint, [value]) => to_uint(value),
            (Self::Double, [value]) => to_double(value),
            (Self::String, [value]) => to_string(value),
            (Self::Bytes, [Value::String(bytes) | Value::Bytes(bytes)]) => {
                Ok(Value::Bytes(bytes.clone()))
            }
            (Self::Dyn, [value]) => Ok(value.clone()),
            (Self::Timestamp, [value]) => to_timestamp(value),
            (Self::Duration, [value]) => to_duration(value),
            (Self::Part(part), [Value::Timestamp(time)]) => Ok(Value::Int(part.of_time(*time))),
            (Self::Part(part), [Value::Duration(length)]) => part
                .of_duration(*length)
                .map(Value::Int)
                .ok_or(EvaluateError::NoOverload),
            _ => Err(EvaluateError::NoOverload),
        }
    }
}

/// Compiles a pattern. Its classes are ASCII, as those of Envoy's RE2.
pub(super) fn pattern(source: &[u8]) -> Result<Regex, EvaluateError> {
    let source = std::str::from_utf8(source).map_err(|_| EvaluateError::Pattern)?;
    RegexBuilder::new(source)
        .unicode(false)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|_| EvaluateError::Pattern)
}

/// Of text in characters; what is not UTF-8 counts by bytes.
fn size(value: &Value) -> Result<Value, EvaluateError> {
    let size = match value {
        Value::String(text) => match std::str::from_utf8(text) {
            Ok(text) => text.chars().count(),
            Err(_) => text.len(),
        },
        Value::Bytes(bytes) => bytes.len(),
        Value::List(elements) => elements.len(),
        Value::Map(entries) => entries.len(),
        _ => return Err(EvaluateError::NoOverload),
    };
    i64::try_from(size)
        .map(Value::Int)
        .map_err(|_| EvaluateError::Range)
}

fn to_int(value: &Value) -> Result<Value, EvaluateError> {
    /// 2^63: the first float above every i64.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    let number = match value {
        Value::Int(number) => Some(*number),
        Value::Uint(number) => i64::try_from(*number).ok(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the guard keeps it in range"
        )]
        Value::Double(number) if *number > -ABOVE && *number < ABOVE => Some(*number as i64),
        Value::Double(_) => None,
        Value::String(text) => parsed(text),
        Value::Timestamp(time) => Some(time.div_euclid(time::SECOND)),
        _ => return Err(EvaluateError::NoOverload),
    };
    number.map(Value::Int).ok_or(EvaluateError::Range)
}

fn to_uint(value: &Value) -> Result<Value, EvaluateError> {
    /// 2^64: the first float above every u64.
    const ABOVE: f64 = 18_446_744_073_709_551_616.0;
    let number = match value {
        Value::Uint(number) => Some(*number),
        Value::Int(number) => u64::try_from(*number).ok(),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the guard keeps it in range"
        )]
        Value::Double(number) if *number >= 0.0 && *number < ABOVE => Some(*number as u64),
        Value::Double(_) => None,
        Value::String(text) => parsed(text),
        _ => return Err(EvaluateError::NoOverload),
    };
    number.map(Value::Uint).ok_or(EvaluateError::Range)
}

#[expect(clippy::cast_precision_loss, reason = "the language rounds here")]
fn to_double(value: &Value) -> Result<Value, EvaluateError> {
    let number = match value {
        Value::Double(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        Value::String(text) => parsed(text),
        _ => return Err(EvaluateError::NoOverload),
    };
    number.map(Value::Double).ok_or(EvaluateError::Range)
}

fn to_string(value: &Value) -> Result<Value, EvaluateError> {
    let text = match value {
        Value::String(_) => return Ok(value.clone()),
        Value::Bytes(bytes) => {
            std::str::from_utf8(bytes).map_err(|_| EvaluateError::Range)?;
            return Ok(Value::String(bytes.clone()));
        }
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Duration(_)
        | Value::Timestamp(_)
        | Value::Map(_)
        | Value::List(_)
        | Value::Message(_)
        | Value::Null => return Err(EvaluateError::NoOverload),
    };
    Ok(Value::text(&text))
}

fn to_timestamp(value: &Value) -> Result<Value, EvaluateError> {
    let time = match value {
        Value::Timestamp(time) => Some(*time),
        Value::Int(seconds) => seconds.checked_mul(time::SECOND),
        Value::String(text) => std::str::from_utf8(text).ok().and_then(time::timestamp),
        _ => return Err(EvaluateError::NoOverload),
    };
    time.map(Value::Timestamp).ok_or(EvaluateError::Range)
}

fn to_duration(value: &Value) -> Result<Value, EvaluateError> {
    let length = match value {
        Value::Duration(length) => Some(*length),
        Value::String(text) => std::str::from_utf8(text).ok().and_then(time::duration),
        _ => return Err(EvaluateError::NoOverload),
    };
    length.map(Value::Duration).ok_or(EvaluateError::Range)
}

fn parsed<N: std::str::FromStr>(text: &Bytes) -> Option<N> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
