//! Values of the stack machine, and their types, as people read and write them.

use std::fmt::{self, Display, Formatter};

use wasmparser::ValType;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(pub(super) ValType);

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A value on the operand stack, in a local or in a global. Floating-point numbers are their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit floating-point number.
    F32(u32),
    /// The bits of a 64-bit floating-point number.
    F64(u64),
    /// A vector, its first byte lowest.
    V128(u128),
    /// A reference.
    Ref {
        /// What it refers to.
        kind: &'static str,
        /// Whether it refers to nothing.
        is_null: bool,
    },
}

/// A text is no value of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {expected}")]
pub struct ValueError {
    /// What was given.
    pub text: String,
    /// What it should be.
    pub expected: String,
}

impl Value {
    /// The name of its type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::I32(_) => "i32",
            Self::I64(_) => "i64",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::V128(_) => "v128",
            Self::Ref { kind, .. } => kind,
        }
    }

    /// Reads a number as it is written in WebAssembly's text format, decimal or hexadecimal.
    ///
    /// # Errors
    ///
    /// [`ValueError`] for what is no number of this type, and for types that have no numbers.
    pub fn parse(ty: Type, text: &str) -> Result<Self, ValueError> {
        let value = match ty.0 {
            ValType::I32 => integer(text).and_then(|number| {
                let signed = i32::try_from(number).ok();
                let number = signed.or_else(|| Some(u32::try_from(number).ok()?.cast_signed()));
                number.map(Self::I32)
            }),
            ValType::I64 => integer(text).and_then(|number| {
                let signed = i64::try_from(number).ok();
                let number = signed.or_else(|| Some(u64::try_from(number).ok()?.cast_signed()));
                number.map(Self::I64)
            }),
            ValType::F32 => text
                .parse()
                .ok()
                .map(|number: f32| Self::F32(number.to_bits())),
            ValType::F64 => text
                .parse()
                .ok()
                .map(|number: f64| Self::F64(number.to_bits())),
            ValType::V128 => integer(text)
                .filter(|number| *number >= 0)
                .map(|number| Self::V128(number.cast_unsigned())),
            ValType::Ref(_) => None,
        };
        value.ok_or_else(|| ValueError {
            text: text.to_owned(),
            expected: ty.to_string(),
        })
    }

    pub(super) fn of(value: &wasmtime::Val) -> Self {
        match value {
            wasmtime::Val::I32(number) => Self::I32(*number),
            wasmtime::Val::I64(number) => Self::I64(*number),
            wasmtime::Val::F32(bits) => Self::F32(*bits),
            wasmtime::Val::F64(bits) => Self::F64(*bits),
            wasmtime::Val::V128(bits) => Self::V128(bits.as_u128()),
            wasmtime::Val::FuncRef(function) => reference("funcref", function.is_none()),
            wasmtime::Val::ExternRef(object) => reference("externref", object.is_none()),
            wasmtime::Val::AnyRef(object) => reference("anyref", object.is_none()),
            wasmtime::Val::ExnRef(object) => reference("exnref", object.is_none()),
            wasmtime::Val::ContRef(object) => reference("contref", object.is_none()),
        }
    }

    /// `None`: the host has no such value to give.
    pub(super) fn to_wasmtime(self) -> Option<wasmtime::Val> {
        Some(match self {
            Self::I32(number) => wasmtime::Val::I32(number),
            Self::I64(number) => wasmtime::Val::I64(number),
            Self::F32(bits) => wasmtime::Val::F32(bits),
            Self::F64(bits) => wasmtime::Val::F64(bits),
            Self::V128(bits) => wasmtime::Val::V128(bits.into()),
            Self::Ref {
                kind: "funcref",
                is_null: true,
            } => wasmtime::Val::FuncRef(None),
            Self::Ref { .. } => return None,
        })
    }
}

const fn reference(kind: &'static str, is_null: bool) -> Value {
    Value::Ref { kind, is_null }
}

/// A whole number with sign, `0x` and `_`.
fn integer(text: &str) -> Option<i128> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['+', '-', '_']) {
        return None;
    }
    let digits = digits.replace('_', "");
    let number = match digits.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok()?.cast_signed(),
        None => digits.parse().ok()?,
    };
    Some(if is_negative {
        number.checked_neg()?
    } else {
        number
    })
}

impl Display for Value {
    /// The number alone; [`Value::type_name`] says what it is.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32(number) => number.fmt(f),
            Self::I64(number) => number.fmt(f),
            Self::F32(bits) => {
                let number = f32::from_bits(*bits);
                let payload = u64::from(bits & 0x007f_ffff);
                float(f, (number.into(), number.to_string()), (payload, 1 << 22))
            }
            Self::F64(bits) => {
                let number = f64::from_bits(*bits);
                let payload = bits & 0x000f_ffff_ffff_ffff;
                float(f, (number, number.to_string()), (payload, 1 << 51))
            }
            Self::V128(bits) => {
                write!(f, "i32x4")?;
                (0..4)
                    .try_for_each(|lane| write!(f, " {:#010x}", bits >> (32 * lane) & 0xffff_ffff))
            }
            Self::Ref { is_null: true, .. } => f.write_str("null"),
            Self::Ref { is_null: false, .. } => f.write_str("ref"),
        }
    }
}

/// A floating-point number; of what is none, the payload if it is not the usual one.
fn float(
    f: &mut Formatter<'_>,
    (number, text): (f64, String),
    (payload, usual): (u64, u64),
) -> fmt::Result {
    if !number.is_nan() {
        return f.write_str(&text);
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if payload == usual {
        return write!(f, "{sign}nan");
    }
    write!(f, "{sign}nan:{payload:#x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ty: ValType, text: &str, told: Option<&str>) {
        let value = Value::parse(Type(ty), text).ok();
        assert_eq!(value.map(|value| value.to_string()).as_deref(), told);
    }

    #[test]
    fn numbers_are_read_and_told() {
        check(ValType::I32, "-5", Some("-5"));
        check(ValType::I32, "0xffff_ffff", Some("-1"));
        check(ValType::I32, "4294967296", None);
        check(ValType::I32, "1.5", None);
        check(ValType::I32, "--5", None);
        check(ValType::I64, "-0x10", Some("-16"));
        check(ValType::I64, "18446744073709551615", Some("-1"));
        check(ValType::F32, "1.5", Some("1.5"));
        check(ValType::F64, "-nan", Some("-nan"));
        check(ValType::F64, "-inf", Some("-inf"));
        check(ValType::F64, "x", None);
        check(
            ValType::V128,
            "0x10",
            Some("i32x4 0x00000010 0x00000000 0x00000000 0x00000000"),
        );
        check(ValType::FUNCREF, "0", None);
    }

    #[test]
    fn an_unusual_nan_shows_its_payload() {
        assert_eq!(Value::F32(0x7fc0_0000).to_string(), "nan");
        assert_eq!(Value::F32(0xffa0_0000).to_string(), "-nan:0x200000");
        assert_eq!(Value::F64(0x7ff0_0000_0000_0001).to_string(), "nan:0x1");
    }
}
