//! A schema as JSON that can be kept beside a map, and its hash.
//!
//! Only what matters to stored bytes is in it: no docs, no services.

mod read;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use read::CanonicalError;

use super::{Definition, Form, Key, Kind, Map, Name, Rule, Schema, Shape, Stored, Type, TypeId};

const VERSION: u64 = 1;

/// What tells schemas apart: 32 bytes of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Its first eight bytes as a number, for generated code.
    #[must_use]
    pub fn short(self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(first)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Schema {
    /// The schema for keeping.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let types: Vec<Value> = self.types.iter().map(definition).collect();
        let maps: Vec<Value> = self.maps.iter().map(map).collect();
        json!({ "weir-schema": VERSION, "types": types, "maps": maps })
    }

    /// What a map's entries depend on: one map and the types that it reaches.
    #[must_use]
    pub fn of_map(&self, map: &Map) -> Self {
        let mut reached = BTreeSet::new();
        if let Stored::Message(id) | Stored::Layout(id) = map.value {
            self.reach(id, &mut reached);
        }
        let alone = Self {
            maps: vec![map.clone()],
            services: Vec::new(),
            ..self.clone()
        };
        alone.keeping(&reached)
    }

    /// The schema with these types alone, on which all of its maps and services must depend.
    pub(crate) fn keeping(&self, reached: &BTreeSet<TypeId>) -> Self {
        let order: Vec<TypeId> = reached.iter().copied().collect();
        let moved = |id: TypeId| TypeId(order.iter().position(|at| *at == id).unwrap_or(0));
        let types = order
            .iter()
            .map(|id| renumbered(self.definition(*id), &moved))
            .collect();
        let mut kept = Self {
            types,
            maps: self.maps.clone(),
            services: self.services.clone(),
        };
        for map in &mut kept.maps {
            if let Stored::Message(id) | Stored::Layout(id) = &mut map.value {
                *id = moved(*id);
            }
        }
        for method in kept
            .services
            .iter_mut()
            .flat_map(|service| &mut service.methods)
        {
            method.input = moved(method.input);
            method.output = moved(method.output);
        }
        kept
    }

    /// The hash of what a map's entries depend on.
    #[must_use]
    pub fn hash(&self, map: &Map) -> Hash {
        let text = self.of_map(map).to_json().to_string();
        Hash(Sha256::digest(text.as_bytes()).into())
    }

    /// Notes a type and all that it reaches.
    pub(crate) fn reach(&self, id: TypeId, reached: &mut BTreeSet<TypeId>) {
        if !reached.insert(id) {
            return;
        }
        let parts: Vec<Type> = match &self.definition(id).kind {
            Kind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
            Kind::Variant(cases) => cases.iter().filter_map(|case| case.ty).collect(),
            Kind::Enum(_) | Kind::Flags(_) => Vec::new(),
        };
        for part in parts {
            if let Type::Named(part) = part {
                self.reach(part, reached);
            }
        }
    }
}

fn renumbered(definition: &Definition, moved: &dyn Fn(TypeId) -> TypeId) -> Definition {
    let mut definition = definition.clone();
    let change = |ty: &mut Type| {
        if let Type::Named(id) = ty {
            *id = moved(*id);
        }
    };
    match &mut definition.kind {
        Kind::Record(record) => record
            .fields
            .iter_mut()
            .for_each(|field| change(&mut field.ty)),
        Kind::Variant(cases) => cases
            .iter_mut()
            .filter_map(|case| case.ty.as_mut())
            .for_each(change),
        Kind::Enum(_) | Kind::Flags(_) => {}
    }
    definition
}

fn definition(definition: &Definition) -> Value {
    let names = |names: &[Name]| -> Value {
        names
            .iter()
            .map(|name| json!({ "name": name.name, "number": name.number }))
            .collect()
    };
    let (key, parts) = match &definition.kind {
        Kind::Record(record) => {
            let fields = record.fields.iter().map(|f| {
                json!({ "name": f.name, "number": f.number, "rule": rule(f.rule), "type": ty(f.ty) })
            });
            let shape = match record.shape {
                Shape::Fields => "record",
                Shape::Tuple => "tuple",
                Shape::Wrapper => "wrapper",
            };
            (shape, fields.collect())
        }
        Kind::Variant(cases) => {
            let cases = cases.iter().map(
                |case| json!({ "name": case.name, "number": case.number, "type": case.ty.map(ty) }),
            );
            ("variant", cases.collect())
        }
        Kind::Enum(list) => ("enum", names(list)),
        Kind::Flags(list) => ("flags", names(list)),
    };
    json!({ "name": definition.name, "kind": key, "parts": parts })
}

const fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::Plain => "plain",
        Rule::Optional => "optional",
        Rule::Repeated => "repeated",
    }
}

/// A type as text; a number for a type of the list.
fn ty(ty: Type) -> Value {
    match ty {
        Type::Bool => json!("bool"),
        Type::Int(int) => {
            let form = match int.form {
                Form::Varint => "varint",
                Form::ZigZag => "zigzag",
                Form::Fixed => "fixed",
            };
            json!(format!("{} {form}", int.text()))
        }
        Type::F32 => json!("f32"),
        Type::F64 => json!("f64"),
        Type::Char => json!("char"),
        Type::String => json!("string"),
        Type::Bytes => json!("bytes"),
        Type::Named(id) => json!(id.0),
    }
}

fn map(map: &Map) -> Value {
    let key = match map.key {
        Key::Bool => "bool".to_owned(),
        Key::Int(..) => map.key.text(),
        Key::String => "string".to_owned(),
        Key::Bytes => "bytes".to_owned(),
    };
    let (value, of) = match map.value {
        Stored::Message(id) => ("message", Some(id.0)),
        Stored::Layout(id) => ("layout", Some(id.0)),
        Stored::Bytes => ("bytes", None),
        Stored::Text => ("text", None),
        Stored::Counter => ("counter", None),
    };
    json!({ "name": map.name, "key": key, "value": value, "type": of })
}
