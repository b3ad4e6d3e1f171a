//! JSON to values.

use base64ct::{Base64, Encoding as _};
use serde_json::Value as Json;
use thiserror::Error;

use super::UNKNOWN;
use crate::codec::default_of;
use crate::name::camel;
use crate::schema::{Case, Field, Kind, Name, Record, Rule, Schema, Shape, Sign, Type};
use crate::value::{FieldValue, RecordValue, Value, VariantValue};

/// Why JSON is no value of a type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{expected} expected", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct JsonError {
    /// Where, as `user.tags[2]`.
    pub path: String,
    /// What should be there.
    pub expected: String,
}

type Read<T> = Result<T, JsonError>;

/// The value of a type that JSON shows. Members that are not there have their defaults.
///
/// # Errors
/// If the JSON does not fit the type; a member that the type does not have is a mistake.
pub fn parse(schema: &Schema, ty: Type, json: &Json) -> Result<Value, JsonError> {
    read(schema, ty, json, "")
}

fn wrong<T>(path: &str, expected: impl Into<String>) -> Read<T> {
    Err(JsonError {
        path: path.to_owned(),
        expected: expected.into(),
    })
}

fn read(schema: &Schema, ty: Type, json: &Json, path: &str) -> Read<Value> {
    let value = match ty {
        Type::Bool => json.as_bool().map(Value::Bool),
        Type::Int(int) => match int.sign {
            Sign::Unsigned => number::<u64>(json, Json::as_u64)
                .filter(|value| value.checked_shr(int.bits.count()).unwrap_or(0) == 0)
                .map(Value::Unsigned),
            Sign::Signed => number::<i64>(json, Json::as_i64)
                .filter(|value| {
                    let room = 64 - int.bits.count();
                    (value << room) >> room == *value
                })
                .map(Value::Signed),
        },
        Type::F32 => match json {
            // By way of its text, as it was written.
            Json::Number(number) => number.to_string().parse().ok().map(Value::F32),
            other => float(other).map(|value| Value::F32(narrow(value))),
        },
        Type::F64 => float(json).map(Value::F64),
        Type::Char => json.as_str().and_then(|text| {
            let mut chars = text.chars();
            let first = chars.next()?;
            chars.next().is_none().then_some(Value::Char(first))
        }),
        Type::String => json.as_str().map(|text| Value::String(text.to_owned())),
        Type::Bytes => bytes(json).map(Value::Bytes),
        Type::Named(id) => {
            return match &schema.definition(id).kind {
                Kind::Record(record) => self::record(schema, record, json, path).map(Value::Record),
                Kind::Variant(cases) => variant(schema, cases, json, path).map(Value::Variant),
                Kind::Enum(names) => one(names, json, path).map(Value::Enum),
                Kind::Flags(names) => flags(names, json, path).map(Value::Flags),
            };
        }
    };
    match value {
        Some(value) => Ok(value),
        None => wrong(path, format!("a value of the type {}", ty.text(schema))),
    }
}

/// An integer, as a number or as text.
fn number<T: std::str::FromStr>(json: &Json, read: impl Fn(&Json) -> Option<T>) -> Option<T> {
    match json {
        Json::String(text) => text.parse().ok(),
        other => read(other),
    }
}

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        other => other.as_f64(),
    }
}

/// For what is no number, so that nothing is lost.
#[expect(
    clippy::cast_possible_truncation,
    reason = "infinities and NaN have both sizes"
)]
const fn narrow(value: f64) -> f32 {
    value as f32
}

fn bytes(json: &Json) -> Option<Vec<u8>> {
    Base64::decode_vec(json.as_str()?).ok()
}

fn one(names: &[Name], json: &Json, path: &str) -> Read<i32> {
    let named = |text: &str| {
        names
            .iter()
            .find(|name| name.name == text)
            .map(|name| name.number)
    };
    let number = match json {
        Json::String(text) => named(text),
        other => other.as_i64().and_then(|number| i32::try_from(number).ok()),
    };
    match number {
        Some(number) => Ok(number),
        None => wrong(path, format!("one of {}", listed(names))),
    }
}

fn listed(names: &[Name]) -> String {
    names
        .iter()
        .map(|name| name.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn flags(names: &[Name], json: &Json, path: &str) -> Read<u64> {
    let Json::Array(list) = json else {
        return wrong(path, "a list of flags");
    };
    list.iter().enumerate().try_fold(0, |bits, (at, flag)| {
        let text = flag.as_str().unwrap_or_default();
        let known = names
            .iter()
            .find(|name| name.name == text)
            .map(|name| name.number);
        let bit = known
            .or_else(|| text.parse().ok())
            .filter(|bit| (0..64).contains(bit));
        match bit {
            Some(bit) => Ok(bits | 1 << bit),
            None => wrong(
                &format!("{path}[{at}]"),
                format!("one of {}", listed(names)),
            ),
        }
    })
}

fn variant(schema: &Schema, cases: &[Case], json: &Json, path: &str) -> Read<VariantValue> {
    let expected = || {
        let names: Vec<_> = cases.iter().map(|case| camel(&case.name)).collect();
        format!("an object with one of {}", names.join(", "))
    };
    let Some((name, carried)) = json.as_object().and_then(|object| object.iter().next()) else {
        return wrong(path, expected());
    };
    if json.as_object().is_some_and(|object| object.len() > 1) {
        return wrong(path, expected());
    }
    if name == UNKNOWN {
        return match bytes(carried) {
            Some(bytes) => Ok(VariantValue::Unknown(bytes)),
            None => wrong(path, "base64"),
        };
    }
    let Some(at) = cases.iter().position(|case| camel(&case.name) == *name) else {
        return wrong(path, expected());
    };
    let path = join(path, name);
    match (cases[at].ty, carried) {
        (None, Json::Null) => Ok(VariantValue::Case(at, None)),
        (None, _) => wrong(&path, "null"),
        (Some(ty), carried) => {
            let value = read(schema, ty, carried, &path)?;
            Ok(VariantValue::Case(at, Some(Box::new(value))))
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn record(schema: &Schema, ty: &Record, json: &Json, path: &str) -> Read<RecordValue> {
    let mut value = RecordValue::default();
    // What has unknown fields is shown as an object, whatever its shape.
    let is_object = json
        .as_object()
        .is_some_and(|object| object.contains_key(UNKNOWN));
    match (ty.shape, &ty.fields[..], json) {
        (Shape::Wrapper, [only], json) if !is_object && ty.is_transparent() => {
            value.fields.push(field(schema, only, Some(json), path)?);
            return Ok(value);
        }
        (Shape::Tuple, fields, Json::Array(parts)) if parts.len() == fields.len() => {
            for (at, (field, part)) in fields.iter().zip(parts).enumerate() {
                let path = format!("{path}[{at}]");
                value
                    .fields
                    .push(self::field(schema, field, Some(part), &path)?);
            }
            return Ok(value);
        }
        (Shape::Tuple, fields, _) if !is_object => {
            return wrong(path, format!("a list of {}", fields.len()));
        }
        (Shape::Fields | Shape::Wrapper | Shape::Tuple, ..) => {}
    }
    let Json::Object(object) = json else {
        return wrong(path, "an object");
    };
    for name in object.keys() {
        if name != UNKNOWN && !ty.fields.iter().any(|field| camel(&field.name) == *name) {
            let names: Vec<_> = ty.fields.iter().map(|field| camel(&field.name)).collect();
            return wrong(
                &join(path, name),
                format!("one of the members {}", names.join(", ")),
            );
        }
    }
    for field in &ty.fields {
        let name = camel(&field.name);
        let part = object.get(&name);
        value
            .fields
            .push(self::field(schema, field, part, &join(path, &name))?);
    }
    if let Some(unknown) = object.get(UNKNOWN) {
        match bytes(unknown) {
            Some(bytes) => value.unknown = bytes,
            None => return wrong(&join(path, UNKNOWN), "base64"),
        }
    }
    Ok(value)
}

fn field(schema: &Schema, field: &Field, json: Option<&Json>, path: &str) -> Read<FieldValue> {
    Ok(match (field.rule, json) {
        (Rule::Plain, None) => FieldValue::Plain(default_of(schema, field.ty)),
        (Rule::Plain, Some(json)) => FieldValue::Plain(read(schema, field.ty, json, path)?),
        (Rule::Optional, None | Some(Json::Null)) => FieldValue::Optional(None),
        (Rule::Optional, Some(json)) => {
            FieldValue::Optional(Some(read(schema, field.ty, json, path)?))
        }
        (Rule::Repeated, None) => FieldValue::Repeated(Vec::new()),
        (Rule::Repeated, Some(Json::Array(list))) => {
            let values = list.iter().enumerate();
            let values =
                values.map(|(at, json)| read(schema, field.ty, json, &format!("{path}[{at}]")));
            FieldValue::Repeated(values.collect::<Read<_>>()?)
        }
        (Rule::Repeated, Some(_)) => return wrong(path, "a list"),
    })
}
