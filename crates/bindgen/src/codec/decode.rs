//! Messages to values.

use std::cell::Cell;

use weir_model::limits::bindgen as limits;

use super::DecodeError;
use super::encode::wire;
use crate::schema::{Case, Field, Form, Int, Kind, Record, Rule, Schema, Sign, Type, TypeId};
use crate::value::{FieldValue, RecordValue, Value, VariantValue};
use crate::wire::{Reader, Wire, unzigzag};

/// What is read, and how much more it may come to: two bytes can stand for a whole record of defaults.
#[derive(Clone, Copy)]
struct Reading<'s> {
    schema: &'s Schema,
    left: &'s Cell<usize>,
}

impl Reading<'_> {
    /// Counts values that are about to be made.
    fn make(self, values: usize) -> Result<(), DecodeError> {
        let left = self.left.get().checked_sub(values);
        self.left.set(left.ok_or(DecodeError::Large)?);
        Ok(())
    }
}

/// The record or variant in these bytes.
///
/// # Errors
/// If they are none, or more than anybody looks at.
pub fn decode(schema: &Schema, id: TypeId, bytes: &[u8]) -> Result<Value, DecodeError> {
    let left = &Cell::new(limits::DECODED_VALUES_MAX);
    message(Reading { schema, left }, id, bytes)
}

fn message(on: Reading<'_>, id: TypeId, bytes: &[u8]) -> Result<Value, DecodeError> {
    on.make(default_values(on.schema, Type::Named(id)))?;
    let mut value = default_of(on.schema, Type::Named(id));
    merge(on, id, &mut value, bytes)?;
    Ok(value)
}

/// Of how many values a default value is made, places for optional and repeated ones included.
fn default_values(schema: &Schema, ty: Type) -> usize {
    let Type::Named(id) = ty else { return 1 };
    match &schema.definition(id).kind {
        Kind::Record(record) => record.fields.iter().fold(1, |sum, field| {
            let values = match field.rule {
                Rule::Plain => default_values(schema, field.ty),
                Rule::Optional | Rule::Repeated => 1,
            };
            sum.saturating_add(values)
        }),
        Kind::Variant(cases) => {
            let first = cases.first().and_then(|case| case.ty);
            1 + first.map_or(0, |ty| default_values(schema, ty))
        }
        Kind::Enum(_) | Kind::Flags(_) => 1,
    }
}

/// The record with all defaults.
#[must_use]
pub fn default_record(schema: &Schema, record: &Record) -> RecordValue {
    let fields = record.fields.iter().map(|field| match field.rule {
        Rule::Plain => FieldValue::Plain(default_of(schema, field.ty)),
        Rule::Optional => FieldValue::Optional(None),
        Rule::Repeated => FieldValue::Repeated(Vec::new()),
    });
    RecordValue {
        fields: fields.collect(),
        unknown: Vec::new(),
    }
}

/// What a field holds that is not stored.
pub(crate) fn default_of(schema: &Schema, ty: Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::Int(int) => match int.sign {
            Sign::Signed => Value::Signed(0),
            Sign::Unsigned => Value::Unsigned(0),
        },
        Type::F32 => Value::F32(0.0),
        Type::F64 => Value::F64(0.0),
        Type::Char => Value::Char('\0'),
        Type::String => Value::String(String::new()),
        Type::Bytes => Value::Bytes(Vec::new()),
        Type::Named(id) => match &schema.definition(id).kind {
            Kind::Record(record) => Value::Record(default_record(schema, record)),
            Kind::Variant(cases) => Value::Variant(match cases.first() {
                Some(case) => {
                    VariantValue::Case(0, case.ty.map(|ty| Box::new(default_of(schema, ty))))
                }
                None => VariantValue::Unknown(Vec::new()),
            }),
            Kind::Enum(_) => Value::Enum(0),
            Kind::Flags(_) => Value::Flags(0),
        },
    }
}

/// Reads a message over what is there.
fn merge(on: Reading<'_>, id: TypeId, value: &mut Value, bytes: &[u8]) -> Result<(), DecodeError> {
    match (&on.schema.definition(id).kind, value) {
        (Kind::Record(ty), Value::Record(value)) => record(on, ty, value, bytes),
        (Kind::Variant(cases), value) => {
            *value = Value::Variant(variant(on, cases, bytes)?);
            Ok(())
        }
        (_, _) => Err(DecodeError::Tag),
    }
}

fn record(
    on: Reading<'_>,
    ty: &Record,
    value: &mut RecordValue,
    bytes: &[u8],
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    while !reader.is_at_end() {
        let start = reader.position();
        let (number, wire) = reader.tag()?;
        if let Some(at) = ty.fields.iter().position(|field| field.number == number) {
            let (ty, value) = (&ty.fields[at], &mut value.fields[at]);
            field(on, ty, value, (&mut reader, wire))?;
        } else {
            reader.skip(wire)?;
            value.unknown.extend_from_slice(reader.since(start));
        }
    }
    Ok(())
}

fn field(
    on: Reading<'_>,
    field: &Field,
    value: &mut FieldValue,
    (reader, found): (&mut Reader<'_>, Wire),
) -> Result<(), DecodeError> {
    if let (FieldValue::Repeated(values), Wire::Bytes, true) =
        (&mut *value, found, on.schema.is_packed(field.ty))
    {
        let mut packed = Reader::new(reader.bytes()?);
        while !packed.is_at_end() {
            values.push(bare(on, &field.name, field.ty, &mut packed)?);
        }
        return Ok(());
    }
    if found != wire(on.schema, field.ty) {
        return Err(DecodeError::Kind(field.name.clone()));
    }
    match value {
        FieldValue::Repeated(values) => values.push(bare(on, &field.name, field.ty, reader)?),
        FieldValue::Plain(there) | FieldValue::Optional(Some(there)) => match field.ty {
            Type::Named(id) if on.schema.is_message(field.ty) => {
                merge(on, id, there, reader.bytes()?)?;
            }
            ty => *there = bare(on, &field.name, ty, reader)?,
        },
        FieldValue::Optional(there) => {
            *there = Some(bare(on, &field.name, field.ty, reader)?);
        }
    }
    Ok(())
}

fn variant(on: Reading<'_>, cases: &[Case], bytes: &[u8]) -> Result<VariantValue, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut found = None;
    while !reader.is_at_end() {
        let (number, wire_found) = reader.tag()?;
        let Some(at) = cases.iter().position(|case| case.number == number) else {
            reader.skip(wire_found)?;
            continue;
        };
        let ty = cases[at].ty.unwrap_or(Type::Bool);
        if wire_found != wire(on.schema, ty) {
            return Err(DecodeError::Kind(cases[at].name.clone()));
        }
        let value = bare(on, &cases[at].name, ty, &mut reader)?;
        found = Some((at, cases[at].ty.map(|_| Box::new(value))));
    }
    Ok(match found {
        Some((at, value)) => VariantValue::Case(at, value),
        None => VariantValue::Unknown(bytes.to_vec()),
    })
}

/// Reads a value without its field's head.
fn bare(
    on: Reading<'_>,
    name: &str,
    ty: Type,
    reader: &mut Reader<'_>,
) -> Result<Value, DecodeError> {
    on.make(1)?;
    Ok(match ty {
        Type::Bool => Value::Bool(reader.varint()? != 0),
        Type::Int(int) => integer(int, name, reader)?,
        Type::F32 => Value::F32(f32::from_bits(reader.fixed32()?)),
        Type::F64 => Value::F64(f64::from_bits(reader.fixed64()?)),
        Type::Char => {
            let code = u32::try_from(reader.varint()?)
                .ok()
                .and_then(char::from_u32);
            Value::Char(code.ok_or_else(|| DecodeError::Range(name.to_owned()))?)
        }
        Type::String => match std::str::from_utf8(reader.bytes()?) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => return Err(DecodeError::Utf8(name.to_owned())),
        },
        Type::Bytes => Value::Bytes(reader.bytes()?.to_vec()),
        Type::Named(id) => match &on.schema.definition(id).kind {
            Kind::Record(_) | Kind::Variant(_) => message(on, id, reader.bytes()?)?,
            Kind::Enum(_) => Value::Enum(low_half(reader.varint()?).cast_signed()),
            Kind::Flags(_) => Value::Flags(reader.varint()?),
        },
    })
}

/// Protobuf cuts what is too long for 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "cutting is the point")]
const fn low_half(value: u64) -> u32 {
    value as u32
}

/// Reads an integer. One of 32 bits is cut to them, as protobuf does; one of fewer must fit.
fn integer(int: Int, name: &str, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let bits = int.bits.count();
    let raw = match int.form {
        Form::Fixed if bits == 64 => reader.fixed64()?,
        Form::Fixed => u64::from(reader.fixed32()?),
        Form::Varint | Form::ZigZag => reader.varint()?,
    };
    let raw = if bits == 64 {
        raw
    } else {
        u64::from(low_half(raw))
    };
    let range = || DecodeError::Range(name.to_owned());
    Ok(match int.sign {
        Sign::Unsigned if bits < 32 && raw >> bits != 0 => return Err(range()),
        Sign::Unsigned => Value::Unsigned(raw),
        Sign::Signed => {
            let value = match int.form {
                Form::ZigZag => unzigzag(raw),
                Form::Varint | Form::Fixed if bits == 64 => raw.cast_signed(),
                Form::Varint | Form::Fixed => i64::from(low_half(raw).cast_signed()),
            };
            if bits < 32 && (value << (64 - bits)) >> (64 - bits) != value {
                return Err(range());
            }
            Value::Signed(value)
        }
    })
}
