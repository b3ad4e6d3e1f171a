//! Values to messages.

use super::EncodeError;
use crate::schema::{Case, Field, Form, Int, Kind, Record, Rule, Schema, Sign, Type, TypeId};
use crate::value::{FieldValue, RecordValue, Value, VariantValue};
use crate::wire::{Wire, put_bytes, put_tag, put_varint, zigzag};

type Encoded = Result<(), EncodeError>;

/// The bytes of a record or variant.
///
/// # Errors
/// If the value is not of the type.
pub fn encode(schema: &Schema, id: TypeId, value: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    message(schema, id, value, &mut out)?;
    Ok(out)
}

fn mismatch<T>(what: &str) -> Result<T, EncodeError> {
    Err(EncodeError(what.to_owned()))
}

fn message(schema: &Schema, id: TypeId, value: &Value, out: &mut Vec<u8>) -> Encoded {
    let definition = schema.definition(id);
    match (&definition.kind, value) {
        (Kind::Record(ty), Value::Record(value)) => record(schema, ty, value, out),
        (Kind::Variant(cases), Value::Variant(value)) => variant(schema, cases, value, out),
        _ => mismatch(&definition.name),
    }
}

fn record(schema: &Schema, ty: &Record, value: &RecordValue, out: &mut Vec<u8>) -> Encoded {
    if ty.fields.len() != value.fields.len() {
        return mismatch("the number of fields");
    }
    for (field, value) in ty.fields.iter().zip(&value.fields) {
        self::field(schema, field, value, out)?;
    }
    out.extend_from_slice(&value.unknown);
    Ok(())
}

fn field(schema: &Schema, field: &Field, value: &FieldValue, out: &mut Vec<u8>) -> Encoded {
    match (field.rule, value) {
        (Rule::Plain, FieldValue::Plain(value)) => {
            let mut bytes = Vec::new();
            bare(schema, field.ty, value, &mut bytes)?;
            if !is_default(value, &bytes) {
                put_tag(out, field.number, wire(schema, field.ty));
                out.append(&mut bytes);
            }
            Ok(())
        }
        (Rule::Optional, FieldValue::Optional(value)) => match value {
            Some(value) => tagged(schema, field.number, field.ty, value, out),
            None => Ok(()),
        },
        (Rule::Repeated, FieldValue::Repeated(values)) if schema.is_packed(field.ty) => {
            if values.is_empty() {
                return Ok(());
            }
            let mut packed = Vec::new();
            for value in values {
                bare(schema, field.ty, value, &mut packed)?;
            }
            put_tag(out, field.number, Wire::Bytes);
            put_bytes(out, &packed);
            Ok(())
        }
        (Rule::Repeated, FieldValue::Repeated(values)) => values
            .iter()
            .try_for_each(|value| tagged(schema, field.number, field.ty, value, out)),
        _ => mismatch(&field.name),
    }
}

/// Whether a field reads the same if it is left out. `bytes` are the value without its head.
fn is_default(value: &Value, bytes: &[u8]) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::Unsigned(value) | Value::Flags(value) => *value == 0,
        Value::Signed(value) => *value == 0,
        Value::F32(value) => value.to_bits() == 0,
        Value::F64(value) => value.to_bits() == 0,
        Value::Char(value) => *value == '\0',
        Value::String(value) => value.is_empty(),
        Value::Bytes(value) => value.is_empty(),
        Value::Enum(value) => *value == 0,
        // The length alone.
        Value::Record(_) => bytes == [0],
        Value::Variant(_) => false,
    }
}

fn variant(schema: &Schema, cases: &[Case], value: &VariantValue, out: &mut Vec<u8>) -> Encoded {
    let (at, carried) = match value {
        VariantValue::Unknown(bytes) => {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        VariantValue::Case(at, carried) => (*at, carried),
    };
    match (cases.get(at).map(|case| (case.number, case.ty)), carried) {
        (Some((number, Some(ty))), Some(value)) => tagged(schema, number, ty, value, out),
        (Some((number, None)), None) => tagged(schema, number, Type::Bool, &Value::Bool(true), out),
        _ => mismatch("a case"),
    }
}

/// Appends a value with its field's head.
fn tagged(schema: &Schema, number: u32, ty: Type, value: &Value, out: &mut Vec<u8>) -> Encoded {
    put_tag(out, number, wire(schema, ty));
    bare(schema, ty, value, out)
}

/// How values of a type end.
pub(crate) fn wire(schema: &Schema, ty: Type) -> Wire {
    match ty {
        Type::Int(int) if int.form == Form::Fixed => match int.bits.count() {
            64 => Wire::Fixed64,
            _ => Wire::Fixed32,
        },
        Type::F32 => Wire::Fixed32,
        Type::F64 => Wire::Fixed64,
        Type::String | Type::Bytes => Wire::Bytes,
        Type::Named(_) if schema.is_message(ty) => Wire::Bytes,
        Type::Bool | Type::Char | Type::Int(_) | Type::Named(_) => Wire::Varint,
    }
}

fn bare(schema: &Schema, ty: Type, value: &Value, out: &mut Vec<u8>) -> Encoded {
    match (ty, value) {
        (Type::Bool, Value::Bool(value)) => put_varint(out, u64::from(*value)),
        (Type::Int(int), Value::Unsigned(value)) if int.sign == Sign::Unsigned => {
            if int.bits.count() < 64 && *value >> int.bits.count() != 0 {
                return mismatch(&format!("{value} as {}", ty.text(schema)));
            }
            integer(int, *value, out);
        }
        (Type::Int(int), Value::Signed(value)) if int.sign == Sign::Signed => {
            let room = 64 - int.bits.count();
            if (value << room) >> room != *value {
                return mismatch(&format!("{value} as {}", ty.text(schema)));
            }
            let coded = match int.form {
                Form::ZigZag => zigzag(*value),
                Form::Varint | Form::Fixed => value.cast_unsigned(),
            };
            integer(int, coded, out);
        }
        (Type::F32, Value::F32(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Type::F64, Value::F64(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Type::Char, Value::Char(value)) => put_varint(out, u64::from(u32::from(*value))),
        (Type::String, Value::String(value)) => put_bytes(out, value.as_bytes()),
        (Type::Bytes, Value::Bytes(value)) => put_bytes(out, value),
        (Type::Named(id), value) => return named(schema, id, value, out),
        _ => return mismatch(&ty.text(schema)),
    }
    Ok(())
}

fn integer(int: Int, value: u64, out: &mut Vec<u8>) {
    match int.form {
        Form::Fixed if int.bits.count() == 64 => out.extend_from_slice(&value.to_le_bytes()),
        // Cut to its four bytes; the range was looked at.
        Form::Fixed => out.extend_from_slice(&value.to_le_bytes()[..4]),
        Form::Varint | Form::ZigZag => put_varint(out, value),
    }
}

fn named(schema: &Schema, id: TypeId, value: &Value, out: &mut Vec<u8>) -> Encoded {
    let definition = schema.definition(id);
    match (&definition.kind, value) {
        (Kind::Enum(_), Value::Enum(number)) => {
            put_varint(out, i64::from(*number).cast_unsigned());
        }
        (Kind::Flags(_), Value::Flags(bits)) => put_varint(out, *bits),
        (Kind::Record(_) | Kind::Variant(_), value) => {
            let mut inner = Vec::new();
            message(schema, id, value, &mut inner)?;
            put_bytes(out, &inner);
        }
        _ => return mismatch(&definition.name),
    }
    Ok(())
}
