//! Values as JSON, for people and for the admin address, and back.
//!
//! Fields have their names in camel case, bytes are base64, flags a list of names, enums a name (or a
//! number that has none), variants an object with one member, tuples and lists arrays. Integers beyond
//! what JavaScript keeps exactly are text, and so are `NaN` and the infinities. What a record holds
//! beyond its schema is base64 under `(unknown)`.

mod parse;

use base64ct::{Base64, Encoding as _};
use serde_json::{Map as Object, Value as Json, json};

pub use parse::{JsonError, parse};

use crate::name::camel;
use crate::schema::{Kind, Name, Record, Schema, Shape, Type};
use crate::value::{FieldValue, RecordValue, Value, VariantValue};

/// The member of what a schema does not know.
const UNKNOWN: &str = "(unknown)";
/// The largest integer that JavaScript's numbers keep exactly.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// A value of a type as JSON.
#[must_use]
pub fn show(schema: &Schema, ty: Type, value: &Value) -> Json {
    match (value, ty) {
        (Value::Bool(value), _) => json!(value),
        (Value::Unsigned(value), _) if *value <= EXACT_MAX => json!(value),
        (Value::Unsigned(value), _) => json!(value.to_string()),
        (Value::Signed(value), _) if value.unsigned_abs() <= EXACT_MAX => json!(value),
        (Value::Signed(value), _) => json!(value.to_string()),
        // By way of its text, so that 0.1 does not become 0.10000000149.
        (Value::F32(value), _) => float(value.to_string().parse().unwrap_or(f64::from(*value))),
        (Value::F64(value), _) => float(*value),
        (Value::Char(value), _) => json!(value.to_string()),
        (Value::String(value), _) => json!(value),
        (Value::Bytes(value), _) => json!(Base64::encode_string(value)),
        (value, Type::Named(id)) => named(schema, &schema.definition(id).kind, value),
        (_, _) => Json::Null,
    }
}

fn float(value: f64) -> Json {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

fn named(schema: &Schema, kind: &Kind, value: &Value) -> Json {
    match (kind, value) {
        (Kind::Enum(names), Value::Enum(number)) => {
            match names.iter().find(|name| name.number == *number) {
                Some(name) => json!(name.name),
                None => json!(number),
            }
        }
        (Kind::Flags(names), Value::Flags(bits)) => flags(names, *bits),
        (Kind::Record(ty), Value::Record(value)) => record(schema, ty, value),
        (Kind::Variant(cases), Value::Variant(VariantValue::Case(at, carried))) => {
            let Some(case) = cases.get(*at) else {
                return Json::Null;
            };
            let carried = match (case.ty, carried) {
                (Some(ty), Some(value)) => show(schema, ty, value),
                _ => Json::Null,
            };
            let mut object = Object::new();
            object.insert(camel(&case.name), carried);
            Json::Object(object)
        }
        (Kind::Variant(_), Value::Variant(VariantValue::Unknown(bytes))) => {
            let mut object = Object::new();
            object.insert(UNKNOWN.to_owned(), json!(Base64::encode_string(bytes)));
            Json::Object(object)
        }
        _ => Json::Null,
    }
}

fn flags(names: &[Name], bits: u64) -> Json {
    let all = (0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| {
        let name = names.iter().find(|name| name.number == bit);
        name.map_or_else(|| bit.to_string(), |name| name.name.clone())
    });
    all.map(Json::String).collect()
}

fn record(schema: &Schema, ty: &Record, value: &RecordValue) -> Json {
    let parts: Vec<Json> = ty
        .fields
        .iter()
        .zip(&value.fields)
        .map(|(field, value)| match value {
            FieldValue::Plain(value) | FieldValue::Optional(Some(value)) => {
                show(schema, field.ty, value)
            }
            FieldValue::Optional(None) => Json::Null,
            FieldValue::Repeated(values) => values
                .iter()
                .map(|value| show(schema, field.ty, value))
                .collect(),
        })
        .collect();
    if value.unknown.is_empty() {
        match (ty.shape, parts.first()) {
            (Shape::Wrapper, Some(only)) if ty.is_transparent() => return only.clone(),
            (Shape::Tuple, _) => return Json::Array(parts),
            (Shape::Fields | Shape::Wrapper, _) => {}
        }
    }
    let names = ty.fields.iter().map(|field| camel(&field.name));
    let mut object: Object<String, Json> = names.zip(parts).collect();
    if !value.unknown.is_empty() {
        object.insert(
            UNKNOWN.to_owned(),
            json!(Base64::encode_string(&value.unknown)),
        );
    }
    Json::Object(object)
}
