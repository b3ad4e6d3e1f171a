//! Declarations of maps.

use std::fmt::Write as _;

use super::{Rust, comment};
use crate::name::{kebab, pascal};
use crate::schema::{Key, Map, Stored};

impl Rust<'_> {
    pub(super) fn map(&self, out: &mut String, map: &Map) {
        let name = pascal(&kebab(&map.name));
        let key = match map.key {
            Key::Bool => "bool".to_owned(),
            Key::Int(..) => map.key.text().replace('s', "i"),
            Key::String => "String".to_owned(),
            Key::Bytes => "Vec<u8>".to_owned(),
        };
        let (value, encode, decode) = match map.value {
            Stored::Message(id) => (self.name(id), "value.encode()".to_owned(), "Message::decode(bytes)".to_owned()),
            Stored::Layout(id) => {
                let name = self.name(id);
                let decode = format!("{name}::from_c(bytes)");
                (name, "value.to_c().to_vec()".to_owned(), decode)
            }
            Stored::Bytes => ("Vec<u8>".to_owned(), "value.clone()".to_owned(), "Ok(bytes.to_vec())".to_owned()),
            Stored::Text => (
                "String".to_owned(),
                "value.as_bytes().to_vec()".to_owned(),
                "match core::str::from_utf8(bytes) {\n            Ok(text) => Ok(text.into()),\n            Err(_) => Err(DecodeError { fault: Fault::Utf8, field: 0 }),\n        }".to_owned(),
            ),
            Stored::Counter => (
                "i64".to_owned(),
                "value.to_le_bytes().to_vec()".to_owned(),
                "match bytes.try_into() {\n            Ok(bytes) => Ok(i64::from_le_bytes(bytes)),\n            Err(_) => Err(DecodeError { fault: Fault::Length, field: 0 }),\n        }".to_owned(),
            ),
        };
        let hash = self.schema.hash(map).short();
        let _ = write!(
            out,
            "/// The declaration of the map `{source}`.\npub enum {name}Map {{}}\n\nimpl Declared for {name}Map {{\n    type Key = {key};\n    type Value = {value};\n    const NAME: &'static str = \"{source}\";\n    const SCHEMA: u64 = {hash:#018x};\n\n    fn encode(value: &{value}) -> Vec<u8> {{\n        {encode}\n    }}\n\n    fn decode(bytes: &[u8]) -> Result<{value}, DecodeError> {{\n        {decode}\n    }}\n}}\n\n",
            source = map.name,
        );
        out.push_str(&comment("", "///", &map.docs));
        let _ = writeln!(
            out,
            "#[cfg(target_family = \"wasm\")]\npub type {name}<S = super::weir_map::Host> = Map<{name}Map, S>;"
        );
        let _ = writeln!(
            out,
            "#[cfg(not(target_family = \"wasm\"))]\npub type {name}<S> = Map<{name}Map, S>;"
        );
    }
}
