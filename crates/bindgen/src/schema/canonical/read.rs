//! The schema in such a JSON, which may come from anywhere.

use std::collections::BTreeSet;

use serde_json::Value;
use thiserror::Error;
use weir_model::limits::bindgen as limits;

use super::VERSION;
use crate::name::{camel, kebab};
use crate::schema::{
    Bits, Case, Definition, Field, Form, Int, Key, Kind, Map, Name, Record, Rule, Schema, Shape,
    Sign, Stored, Type, TypeId, layout,
};

/// Why JSON is no schema.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("this is no schema: {place} is not {expected}")]
pub struct CanonicalError {
    place: String,
    expected: String,
}

impl Schema {
    /// Reads what [`Schema::to_json`] made.
    ///
    /// # Errors
    /// If it is something else, or more or deeper than a schema may be.
    pub fn from_json(value: &Value) -> Result<Self, CanonicalError> {
        if value["weir-schema"] != VERSION {
            return Err(wrong("`weir-schema`", "1"));
        }
        let types = array(&value["types"], "types")?;
        if types.len() > limits::TYPES_MAX {
            let expected = format!("a list of at most {}", limits::TYPES_MAX);
            return Err(wrong("types", expected));
        }
        let mut schema = Self::default();
        let mut depths = Vec::with_capacity(types.len());
        let mut sizes = Vec::with_capacity(types.len());
        for (at, value) in types.iter().enumerate() {
            let place = format!("types[{at}]");
            let definition = read_definition(value, &place, &schema)?;
            let depth = definition.kind.depth(&depths);
            if depth > limits::VALUE_DEPTH_MAX {
                let expected = format!("at most {} types in each other", limits::VALUE_DEPTH_MAX);
                return Err(wrong(&place, expected));
            }
            let size = definition.kind.default_parts(&sizes);
            if size > limits::DEFAULT_PARTS_MAX {
                let expected = format!("of at most {} values", limits::DEFAULT_PARTS_MAX);
                return Err(wrong(&place, expected));
            }
            depths.push(depth);
            sizes.push(size);
            schema.types.push(definition);
        }
        let maps = array(&value["maps"], "maps")?;
        if maps.len() > limits::MAPS_MAX {
            let expected = format!("a list of at most {}", limits::MAPS_MAX);
            return Err(wrong("maps", expected));
        }
        for (at, value) in maps.iter().enumerate() {
            let place = format!("maps[{at}]");
            let map = read_map(value, &place, &schema)?;
            if schema.map(&map.name).is_some() {
                return Err(wrong(&format!("{place}.name"), "a new name"));
            }
            schema.maps.push(map);
        }
        Ok(schema)
    }
}

fn wrong(place: &str, expected: impl Into<String>) -> CanonicalError {
    CanonicalError {
        place: place.to_owned(),
        expected: expected.into(),
    }
}

fn array<'v>(value: &'v Value, place: &str) -> Result<&'v Vec<Value>, CanonicalError> {
    value.as_array().ok_or_else(|| wrong(place, "a list"))
}

fn text<'v>(value: &'v Value, key: &str, place: &str) -> Result<&'v str, CanonicalError> {
    value[key]
        .as_str()
        .ok_or_else(|| wrong(&format!("{place}.{key}"), "text"))
}

fn read_definition(value: &Value, at: &str, schema: &Schema) -> Result<Definition, CanonicalError> {
    let name = text(value, "name", at)?;
    let is_twin = schema.types.iter().any(|other| other.name == name);
    if !is_name(name) || is_twin {
        return Err(wrong(&format!("{at}.name"), "a new name"));
    }
    let parts = array(&value["parts"], &format!("{at}.parts"))?;
    if parts.len() > limits::PARTS_MAX {
        let expected = format!("a list of at most {}", limits::PARTS_MAX);
        return Err(wrong(&format!("{at}.parts"), expected));
    }
    let shape = match text(value, "kind", at)? {
        "record" => Some(Shape::Fields),
        "tuple" => Some(Shape::Tuple),
        "wrapper" if parts.len() == 1 => Some(Shape::Wrapper),
        "variant" | "enum" | "flags" => None,
        _ => return Err(wrong(&format!("{at}.kind"), "a kind of type")),
    };
    let kind = match (shape, text(value, "kind", at)?) {
        (Some(shape), _) => Kind::Record(Record {
            shape,
            fields: each(parts, at, |part, at| read_field(part, at, schema))?,
        }),
        (None, "variant") => {
            Kind::Variant(each(parts, at, |part, at| read_case(part, at, schema))?)
        }
        (None, "enum") => Kind::Enum(each(parts, at, |part, at| read_name(part, at, i32::MAX))?),
        (None, _) => Kind::Flags(each(parts, at, |part, at| read_name(part, at, 63))?),
    };
    unique(&kind, at)?;
    Ok(Definition {
        name: name.to_owned(),
        docs: String::new(),
        kind,
    })
}

fn each<T>(
    parts: &[Value],
    at: &str,
    read: impl Fn(&Value, &str) -> Result<T, CanonicalError>,
) -> Result<Vec<T>, CanonicalError> {
    let parts = parts.iter().enumerate();
    parts
        .map(|(index, part)| read(part, &format!("{at}.parts[{index}]")))
        .collect()
}

fn unique(kind: &Kind, at: &str) -> Result<(), CanonicalError> {
    let numbers: Vec<i64> = match kind {
        Kind::Record(record) => record.fields.iter().map(|f| i64::from(f.number)).collect(),
        Kind::Variant(cases) => cases.iter().map(|case| i64::from(case.number)).collect(),
        Kind::Enum(_) => Vec::new(),
        Kind::Flags(names) => names.iter().map(|name| i64::from(name.number)).collect(),
    };
    let distinct: BTreeSet<i64> = numbers.iter().copied().collect();
    if distinct.len() != numbers.len() {
        return Err(wrong(&format!("{at}.parts"), "numbered without twins"));
    }
    named(kind, at)
}

/// Names are told apart in every language, and in JSON from the numbers of flags.
fn named(kind: &Kind, at: &str) -> Result<(), CanonicalError> {
    let names: Vec<&str> = match kind {
        Kind::Record(record) => record.fields.iter().map(|f| f.name.as_str()).collect(),
        Kind::Variant(cases) => cases.iter().map(|case| case.name.as_str()).collect(),
        Kind::Enum(names) | Kind::Flags(names) => names.iter().map(|n| n.name.as_str()).collect(),
    };
    let is_fit = |name: &&str| {
        let is_number =
            matches!(kind, Kind::Flags(_)) && name.starts_with(|c: char| c.is_ascii_digit());
        is_name(name) && !is_number
    };
    let distinct: BTreeSet<String> = names.iter().map(|name| camel(name)).collect();
    if names.iter().all(is_fit) && distinct.len() == names.len() {
        return Ok(());
    }
    Err(wrong(
        &format!("{at}.parts"),
        "named in kebab case without twins",
    ))
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(is_plain) && kebab(name) == name
}

fn read_number(value: &Value, at: &str) -> Result<u32, CanonicalError> {
    let number = value["number"]
        .as_u64()
        .and_then(|number| u32::try_from(number).ok());
    let max = limits::FIELD_NUMBER_MAX;
    let number = number.filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| wrong(&format!("{at}.number"), "a field's number"))
}

fn read_field(value: &Value, at: &str, schema: &Schema) -> Result<Field, CanonicalError> {
    let rule = match text(value, "rule", at)? {
        "plain" => Rule::Plain,
        "optional" => Rule::Optional,
        "repeated" => Rule::Repeated,
        _ => return Err(wrong(&format!("{at}.rule"), "plain, optional or repeated")),
    };
    Ok(Field {
        name: text(value, "name", at)?.to_owned(),
        docs: String::new(),
        number: read_number(value, at)?,
        rule,
        ty: read_type(&value["type"], at, schema)?,
    })
}

fn read_case(value: &Value, at: &str, schema: &Schema) -> Result<Case, CanonicalError> {
    let ty = match &value["type"] {
        Value::Null => None,
        other => Some(read_type(other, at, schema)?),
    };
    Ok(Case {
        name: text(value, "name", at)?.to_owned(),
        docs: String::new(),
        number: read_number(value, at)?,
        ty,
    })
}

fn read_name(value: &Value, at: &str, max: i32) -> Result<Name, CanonicalError> {
    let number = value["number"]
        .as_i64()
        .and_then(|number| i32::try_from(number).ok());
    let in_range = |number: &i32| *number <= max && (max == i32::MAX || *number >= 0);
    Ok(Name {
        name: text(value, "name", at)?.to_owned(),
        docs: String::new(),
        number: number
            .filter(in_range)
            .ok_or_else(|| wrong(&format!("{at}.number"), "a number in range"))?,
    })
}

fn read_type(value: &Value, at: &str, schema: &Schema) -> Result<Type, CanonicalError> {
    let error = || wrong(&format!("{at}.type"), "a type, or one of those before");
    if let Some(index) = value.as_u64() {
        let index = usize::try_from(index).ok();
        let index = index
            .filter(|index| *index < schema.types.len())
            .ok_or_else(error)?;
        return Ok(Type::Named(TypeId(index)));
    }
    let known = match value.as_str().ok_or_else(error)? {
        "bool" => Some(Type::Bool),
        "f32" => Some(Type::F32),
        "f64" => Some(Type::F64),
        "char" => Some(Type::Char),
        "string" => Some(Type::String),
        "bytes" => Some(Type::Bytes),
        int => {
            let (name, form) = int.split_once(' ').ok_or_else(error)?;
            let form = match form {
                "varint" => Form::Varint,
                "zigzag" => Form::ZigZag,
                "fixed" => Form::Fixed,
                _ => return Err(error()),
            };
            integer(name).map(|(bits, sign)| Type::Int(Int { bits, sign, form }))
        }
    };
    known.ok_or_else(error)
}

fn integer(name: &str) -> Option<(Bits, Sign)> {
    let sign = match name.as_bytes().first()? {
        b's' => Sign::Signed,
        b'u' => Sign::Unsigned,
        _ => return None,
    };
    let bits = match &name[1..] {
        "8" => Bits::B8,
        "16" => Bits::B16,
        "32" => Bits::B32,
        "64" => Bits::B64,
        _ => return None,
    };
    Some((bits, sign))
}

fn read_map(value: &Value, at: &str, schema: &Schema) -> Result<Map, CanonicalError> {
    let key = match text(value, "key", at)? {
        "bool" => Key::Bool,
        "string" => Key::String,
        "bytes" => Key::Bytes,
        other => match integer(other) {
            Some((bits, sign)) => Key::Int(bits, sign),
            None => return Err(wrong(&format!("{at}.key"), "a type of keys")),
        },
    };
    let id = value["type"]
        .as_u64()
        .and_then(|index| usize::try_from(index).ok());
    let id = id.filter(|index| *index < schema.types.len()).map(TypeId);
    let message = |id: TypeId| schema.is_message(Type::Named(id)).then_some(id);
    let stored = match (text(value, "value", at)?, id) {
        ("message", Some(id)) => message(id).map(Stored::Message),
        ("layout", Some(id)) => layout(schema, id).ok().map(|_| Stored::Layout(id)),
        ("bytes", _) => Some(Stored::Bytes),
        ("text", _) => Some(Stored::Text),
        ("counter", _) => Some(Stored::Counter),
        _ => None,
    };
    Ok(Map {
        name: text(value, "name", at)?.to_owned(),
        docs: String::new(),
        key,
        value: stored.ok_or_else(|| wrong(&format!("{at}.value"), "a way to store values"))?,
        policy: None,
        storage: None,
        ttl_ms: None,
    })
}
