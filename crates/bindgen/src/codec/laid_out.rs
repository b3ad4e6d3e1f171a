//! Records as C lays them out.

use super::{DecodeError, EncodeError};
use crate::schema::{Kind, Layout, Record, Schema, Sign, Type, TypeId, layout};
use crate::value::{FieldValue, RecordValue, Value};

/// The type with its layout; `None` if it has none, which schemas do not let happen.
fn parts(schema: &Schema, id: TypeId) -> Option<(&Record, Layout)> {
    match &schema.definition(id).kind {
        Kind::Record(record) => Some((record, layout(schema, id).ok()?)),
        Kind::Variant(_) | Kind::Enum(_) | Kind::Flags(_) => None,
    }
}

pub(super) fn encode(
    schema: &Schema,
    id: TypeId,
    value: &RecordValue,
) -> Result<Vec<u8>, EncodeError> {
    let name = &schema.definition(id).name;
    let wrong = || EncodeError(name.clone());
    let (record, laid) = parts(schema, id).ok_or_else(wrong)?;
    if record.fields.len() != value.fields.len() || !value.unknown.is_empty() {
        return Err(wrong());
    }
    let mut out = vec![0; laid.size];
    for ((field, slot), value) in record.fields.iter().zip(&laid.slots).zip(&value.fields) {
        let FieldValue::Plain(value) = value else {
            return Err(wrong());
        };
        let bytes = match (field.ty, value) {
            (Type::Named(id), Value::Record(value)) => encode(schema, id, value)?,
            (_, value) => scalar(value).ok_or_else(wrong)?,
        };
        let bytes = bytes.get(..slot.size).ok_or_else(wrong)?;
        out[slot.offset..slot.offset + slot.size].copy_from_slice(bytes);
    }
    // A number that is too large for its member, or of another type, does not read back.
    match decode(schema, id, &out) {
        Ok(back) if back == *value || has_nan(value) => Ok(out),
        Ok(_) | Err(_) => Err(wrong()),
    }
}

fn has_nan(record: &RecordValue) -> bool {
    record.fields.iter().any(|field| match field {
        FieldValue::Plain(Value::F32(value)) => value.is_nan(),
        FieldValue::Plain(Value::F64(value)) => value.is_nan(),
        FieldValue::Plain(Value::Record(inner)) => has_nan(inner),
        _ => false,
    })
}

/// The bytes of a number, the least first; at least as many as its type has.
fn scalar(value: &Value) -> Option<Vec<u8>> {
    Some(match value {
        Value::Bool(value) => vec![u8::from(*value)],
        Value::Unsigned(value) | Value::Flags(value) => value.to_le_bytes().to_vec(),
        Value::Signed(value) => value.to_le_bytes().to_vec(),
        Value::F32(value) => value.to_le_bytes().to_vec(),
        Value::F64(value) => value.to_le_bytes().to_vec(),
        Value::Char(value) => u32::from(*value).to_le_bytes().to_vec(),
        Value::Enum(value) => value.to_le_bytes().to_vec(),
        Value::String(_) | Value::Bytes(_) | Value::Record(_) | Value::Variant(_) => return None,
    })
}

pub(super) fn decode(
    schema: &Schema,
    id: TypeId,
    bytes: &[u8],
) -> Result<RecordValue, DecodeError> {
    let (record, laid) = parts(schema, id).ok_or(DecodeError::Tag)?;
    if bytes.len() != laid.size {
        return Err(DecodeError::Length {
            found: bytes.len(),
            expected: laid.size,
        });
    }
    let mut value = RecordValue::default();
    for (field, slot) in record.fields.iter().zip(&laid.slots) {
        let bytes = &bytes[slot.offset..slot.offset + slot.size];
        let read = match field.ty {
            Type::Named(id) if schema.is_message(field.ty) => {
                Value::Record(decode(schema, id, bytes)?)
            }
            ty => {
                number(schema, ty, bytes).ok_or_else(|| DecodeError::Range(field.name.clone()))?
            }
        };
        value.fields.push(FieldValue::Plain(read));
    }
    Ok(value)
}

fn number(schema: &Schema, ty: Type, bytes: &[u8]) -> Option<Value> {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let raw = u64::from_le_bytes(wide);
    let low = u32::try_from(raw & 0xffff_ffff).ok()?;
    Some(match ty {
        Type::Bool => match raw {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return None,
        },
        Type::Int(int) => match int.sign {
            Sign::Unsigned => Value::Unsigned(raw),
            Sign::Signed => {
                let room = 64 - int.bits.count();
                Value::Signed((raw << room).cast_signed() >> room)
            }
        },
        Type::F32 => Value::F32(f32::from_bits(low)),
        Type::F64 => Value::F64(f64::from_bits(raw)),
        Type::Char => Value::Char(char::from_u32(low)?),
        Type::Named(id) => match schema.definition(id).kind {
            Kind::Enum(_) => Value::Enum(low.cast_signed()),
            Kind::Flags(_) => Value::Flags(raw),
            Kind::Record(_) | Kind::Variant(_) => return None,
        },
        Type::String | Type::Bytes => return None,
    })
}
