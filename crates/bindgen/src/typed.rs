//! One map with its types: keys and values of people, and the bytes that are stored.

use serde_json::{Value as Json, json};
use thiserror::Error;

use crate::codec::{DecodeError, EncodeError, decode_entry, encode_entry};
use crate::json::{JsonError, parse, show};
use crate::key::{self, KeyError};
use crate::schema::{Bits, Form, Int, Key, Map, Schema, Sign, Stored, Type};
use crate::value::Value;

/// Why a key or a value is none of a map.
#[derive(Debug, Error)]
pub enum TypedError {
    /// A key that was written by a person.
    #[error("{text:?} is no key of the map `{map}`, whose keys are {expected}")]
    KeyText {
        /// The map.
        map: String,
        /// What was written.
        text: String,
        /// The type of its keys.
        expected: String,
    },
    /// A key that is stored.
    #[error("map `{map}`: {error}")]
    Key {
        /// The map.
        map: String,
        /// What is wrong.
        error: KeyError,
    },
    /// A value that is stored.
    #[error("the entry is no value of the map `{map}`: {error}")]
    Stored {
        /// The map.
        map: String,
        /// What is wrong.
        error: DecodeError,
    },
    /// It is no JSON.
    #[error("the value is no JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// JSON that is no value.
    #[error("the JSON is no value of the map `{map}`: {error}")]
    Json {
        /// The map.
        map: String,
        /// What is wrong.
        error: JsonError,
    },
    /// A value that does not fit.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A map with its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    schema: Schema,
    map: Map,
}

impl Typed {
    /// The map of a name; `None`: the schema has no such map.
    #[must_use]
    pub fn of(schema: &Schema, name: &str) -> Option<Self> {
        let schema = schema.of_map(schema.map(name)?);
        let map = schema.map(name)?.clone();
        Some(Self { schema, map })
    }

    /// The map and all that it needs, and nothing else.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The map.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// The bytes of a key as people write it: text and bytes as they are, numbers in decimal, `true`
    /// and `false`.
    ///
    /// # Errors
    /// [`TypedError::KeyText`].
    pub fn key(&self, text: &[u8]) -> Result<Vec<u8>, TypedError> {
        let wrong = || TypedError::KeyText {
            map: self.map.name.clone(),
            text: String::from_utf8_lossy(text).into_owned(),
            expected: self.map.key.text(),
        };
        let word = || std::str::from_utf8(text).ok();
        let value = match self.map.key {
            Key::Bytes => Some(Value::Bytes(text.to_vec())),
            Key::String => word().map(|text| Value::String(text.to_owned())),
            Key::Bool => word().and_then(|text| text.parse().ok()).map(Value::Bool),
            Key::Int(_, Sign::Signed) => {
                word().and_then(|text| text.parse().ok()).map(Value::Signed)
            }
            Key::Int(_, Sign::Unsigned) => word()
                .and_then(|text| text.parse().ok())
                .map(Value::Unsigned),
        };
        key::encode(self.map.key, &value.ok_or_else(wrong)?).map_err(|_| wrong())
    }

    /// A stored key as JSON.
    ///
    /// # Errors
    /// [`TypedError::Key`].
    pub fn show_key(&self, bytes: &[u8]) -> Result<Json, TypedError> {
        let value = key::decode(self.map.key, bytes).map_err(|error| TypedError::Key {
            map: self.map.name.clone(),
            error,
        })?;
        let ty = match self.map.key {
            Key::Bool => Type::Bool,
            Key::String => Type::String,
            Key::Bytes => Type::Bytes,
            Key::Int(bits, sign) => integer(bits, sign),
        };
        Ok(show(&self.schema, ty, &value))
    }

    /// A stored value as JSON.
    ///
    /// # Errors
    /// [`TypedError::Stored`].
    pub fn show(&self, bytes: &[u8]) -> Result<Json, TypedError> {
        let value = decode_entry(&self.schema, &self.map, bytes);
        let value = value.map_err(|error| TypedError::Stored {
            map: self.map.name.clone(),
            error,
        })?;
        Ok(show(&self.schema, self.value_type(), &value))
    }

    /// The bytes to store of a value in JSON.
    ///
    /// # Errors
    /// Why the text is no value of the map.
    pub fn read(&self, text: &[u8]) -> Result<Vec<u8>, TypedError> {
        let json: Json = serde_json::from_slice(text)?;
        let value = parse(&self.schema, self.value_type(), &json);
        let value = value.map_err(|error| TypedError::Json {
            map: self.map.name.clone(),
            error,
        })?;
        Ok(encode_entry(&self.schema, &self.map, &value)?)
    }

    /// What the map is, for people.
    #[must_use]
    pub fn described(&self) -> Json {
        json!({
            "key": self.map.key.text(),
            "value": match self.map.value {
                Stored::Message(_) | Stored::Layout(_) => self.value_type().text(&self.schema),
                Stored::Bytes => "list<u8>".to_owned(),
                Stored::Text => "string".to_owned(),
                Stored::Counter => "s64".to_owned(),
            },
            "schema": self.schema.hash(&self.map).to_string(),
        })
    }

    fn value_type(&self) -> Type {
        match self.map.value {
            Stored::Message(id) | Stored::Layout(id) => Type::Named(id),
            Stored::Bytes => Type::Bytes,
            Stored::Text => Type::String,
            Stored::Counter => integer(Bits::B64, Sign::Signed),
        }
    }
}

const fn integer(bits: Bits, sign: Sign) -> Type {
    let form = Form::Varint;
    Type::Int(Int { bits, sign, form })
}
