//! Whatever path a guest asks for, in whatever values: no panic, and a value that is found has a byte
//! form unless there is a null in it. Protobuf arguments of foreign functions are read on the way.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub, reason = "the gateway uses the rest")]

use bytes::Bytes;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

// What the rooms of the gateway have in common is found by their names there.
extern crate self as weir_guest;

#[path = "../../crates/guest/src/pairs.rs"]
pub mod pairs;

#[path = "../../crates/proxy/src"]
mod proxy {
    pub mod property;
    pub mod protobuf;
}

use proxy::property::{PropertyError, Value, segments};
use proxy::protobuf;

#[derive(Arbitrary, Debug)]
enum Tree {
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Number(i64),
    Natural(u64),
    Fraction(f64),
    Truth(bool),
    Map(Vec<(Vec<u8>, Tree)>),
    List(Vec<Tree>),
    Message(Vec<u8>),
    Null,
}

impl Tree {
    fn grown(self) -> Value {
        match self {
            Self::Text(bytes) => Value::String(bytes.into()),
            Self::Bytes(bytes) => Value::Bytes(bytes.into()),
            Self::Number(number) => Value::Int(number),
            Self::Natural(number) => Value::Uint(number),
            Self::Fraction(number) => Value::Double(number),
            Self::Truth(truth) => Value::Bool(truth),
            Self::Map(map) => {
                let grown = map.into_iter().map(|(key, tree)| (key.into(), tree.grown()));
                Value::Map(grown.collect())
            }
            Self::List(list) => Value::List(list.into_iter().map(Self::grown).collect()),
            Self::Message(bytes) => Value::Message(bytes.into()),
            Self::Null => Value::Null,
        }
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Map(map) => map.iter().any(|(_, value)| has_null(value)),
        Value::List(list) => list.iter().any(has_null),
        _ => false,
    }
}

fuzz_target!(|input: (Tree, Vec<u8>)| {
    let (tree, path) = input;
    let value = tree.grown();
    let rest = segments(&path);
    if let Ok(found) = value.descend(&rest) {
        match found.serialize() {
            Ok(_) => assert!(!has_null(found)),
            Err(error) => assert!(has_null(found), "{error}"),
        }
    }
    let mut fields = protobuf::Fields::of(&path);
    assert!(fields.by_ref().take_while(Result::is_ok).count() <= path.len());
    let _ = Bytes::new();
});
