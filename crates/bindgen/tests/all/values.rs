//! Values to bytes, to JSON, and back.

use weir_bindgen::codec::{DecodeError, decode, decode_entry, encode, encode_entry};
use weir_bindgen::json::{parse, show};
use weir_bindgen::schema::{Kind, Stored, Type, compatible, layout};
use weir_bindgen::value::Value;

use crate::support::{Dice, demo, schema, strip_unknown, type_id, users};

#[test]
fn random_values_come_back_from_bytes_and_from_json() {
    let mut dice = Dice(1);
    for schema in [demo(), users()] {
        for round in 0..500 {
            for (at, definition) in schema.types.iter().enumerate() {
                if matches!(definition.kind, Kind::Enum(_) | Kind::Flags(_)) {
                    continue;
                }
                let id = weir_bindgen::schema::TypeId(at);
                let value = dice.value(&schema, Type::Named(id));
                let bytes = encode(&schema, id, &value).unwrap();
                let back = decode(&schema, id, &bytes).unwrap();
                assert_eq!(back, value, "{} in round {round}", definition.name);
                let json = show(&schema, Type::Named(id), &value);
                let text: serde_json::Value = serde_json::from_str(&json.to_string()).unwrap();
                let back = parse(&schema, Type::Named(id), &text).unwrap();
                assert_eq!(encode(&schema, id, &back).unwrap(), bytes, "{json}");
            }
        }
    }
}

#[test]
fn entries_of_every_map_come_back() {
    let schema = demo();
    let mut dice = Dice(2);
    for map in &schema.maps {
        for _ in 0..100 {
            let value = match map.value {
                Stored::Message(id) => dice.value(&schema, Type::Named(id)),
                Stored::Layout(id) => {
                    let mut value = dice.value(&schema, Type::Named(id));
                    if let Value::Record(record) = &mut value {
                        strip_unknown(record);
                    }
                    value
                }
                Stored::Bytes => dice.value(&schema, Type::Bytes),
                Stored::Text => dice.value(&schema, Type::String),
                Stored::Counter => Value::Signed(dice.roll().cast_signed()),
            };
            let bytes = encode_entry(&schema, map, &value).unwrap();
            assert_eq!(
                decode_entry(&schema, map, &bytes).as_ref(),
                Ok(&value),
                "{}",
                map.name
            );
            if let Stored::Layout(id) = map.value {
                assert_eq!(bytes.len(), layout(&schema, id).unwrap().size);
            }
        }
    }
}

#[test]
fn any_bytes_are_a_value_or_an_error() {
    let schema = demo();
    let id = type_id(&schema, "sample");
    let mut dice = Dice(3);
    for _ in 0..20_000 {
        let value = dice.value(&schema, Type::Named(id));
        let mut bytes = encode(&schema, id, &value).unwrap();
        for _ in 0..=dice.below(3) {
            if bytes.is_empty() {
                break;
            }
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            match dice.below(3) {
                0 => bytes[at] = dice.roll().to_le_bytes()[0],
                1 => bytes.truncate(at),
                _ => bytes.insert(at, dice.roll().to_le_bytes()[0]),
            }
        }
        if let Ok(value) = decode(&schema, id, &bytes) {
            let again = encode(&schema, id, &value).unwrap();
            let twice = encode(&schema, id, &decode(&schema, id, &again).unwrap()).unwrap();
            assert_eq!(again, twice);
        }
    }
}

/// A reader of an old schema keeps what a newer one wrote: reading and writing loses nothing.
#[test]
fn old_readers_keep_new_fields() {
    let map = "use types.{a};\nmap<u8, a> m;";
    let old = schema(map, "record a { x: u8 }");
    let new = schema(map, "record a { x: u8, y: string, z: list<u32> }");
    assert!(compatible(&old, &new).is_empty());
    let id = type_id(&new, "a");
    let json = serde_json::json!({ "x": 1, "y": "new", "z": [1, 2] });
    let value = parse(&new, Type::Named(id), &json).unwrap();
    let bytes = encode(&new, id, &value).unwrap();
    let seen = decode(&old, type_id(&old, "a"), &bytes).unwrap();
    assert_eq!(show(&old, Type::Named(type_id(&old, "a")), &seen)["x"], 1);
    assert_eq!(encode(&old, type_id(&old, "a"), &seen).unwrap(), bytes);
    // And the other way round: fields that were not stored have their defaults.
    let short = decode(&new, id, &[0x08, 0x01]).unwrap();
    assert_eq!(
        show(&new, Type::Named(id), &short),
        serde_json::json!({ "x": 1, "y": "", "z": [] })
    );
}

/// The example of protobuf's own documentation: field 1 with 150 is `08 96 01`.
#[test]
fn bytes_are_those_of_protobuf() {
    let schema = users();
    let id = type_id(&schema, "user");
    let json =
        serde_json::json!({ "name": "testing", "id": 150, "role": "owner", "scores": [-1, 1] });
    let value = parse(&schema, Type::Named(id), &json).unwrap();
    let bytes = encode(&schema, id, &value).unwrap();
    let mut expected = b"\x0a\x07testing\x10\x96\x01\x20".to_vec();
    expected.extend_from_slice(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x32\x02\x01\x02");
    assert_eq!(bytes, expected);
}

#[test]
fn broken_bytes_are_refused_with_the_field() {
    let schema = users();
    let id = type_id(&schema, "user");
    let check = |bytes: &[u8], expected: DecodeError| {
        assert_eq!(decode(&schema, id, bytes), Err(expected), "{bytes:?}");
    };
    check(&[0x0a, 0x05, b'a'], DecodeError::Short);
    check(&[0x10], DecodeError::Short);
    check(
        &[
            0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
        ],
        DecodeError::LongNumber,
    );
    check(&[0x00, 0x00], DecodeError::Tag);
    check(&[0x0b], DecodeError::Tag);
    check(&[0x08, 0x01], DecodeError::Kind("name".to_owned()));
    check(&[0x0a, 0x01, 0xff], DecodeError::Utf8("name".to_owned()));
    let demo = demo();
    let tiny = decode(&demo, type_id(&demo, "sample"), &[0x10, 0x80, 0x02]);
    assert_eq!(tiny, Err(DecodeError::Range("tiny".to_owned())));
    let packets = demo.map("packets").unwrap();
    let length = DecodeError::Length {
        found: 3,
        expected: 16,
    };
    assert_eq!(decode_entry(&demo, packets, &[0; 3]), Err(length));
}

#[test]
fn json_that_does_not_fit_is_refused_with_its_place() {
    let schema = demo();
    let ty = Type::Named(type_id(&schema, "sample"));
    let check = |json: serde_json::Value, expected: &str| {
        assert_eq!(parse(&schema, ty, &json).unwrap_err().to_string(), expected);
    };
    check(
        serde_json::json!({ "tiny": 200 }),
        "tiny: a value of the type s8 expected",
    );
    check(
        serde_json::json!({ "users": [{ "nme": "" }] }),
        "users[0].nme: one of the members name, id expected",
    );
    check(
        serde_json::json!({ "colour": "pink" }),
        "colour: one of red, green, blue expected",
    );
    check(
        serde_json::json!({ "pair": [1] }),
        "pair: a list of 2 expected",
    );
    check(
        serde_json::json!({ "shape": {} }),
        "shape: an object with one of nothing, circle, polygon, label, owner expected",
    );
    check(serde_json::json!([]), "an object expected");
}

/// Values are shown as people would write them.
#[test]
fn json_is_plain() {
    let schema = demo();
    let ty = Type::Named(type_id(&schema, "sample"));
    let json = serde_json::json!({
        "ubig": "18446744073709551615", "single": 0.1, "raw": "AAE=", "colour": "blue", "rights": ["read", "admin"],
        "shape": { "owner": { "name": "x", "id": -1 } }, "maybeList": [1], "grid": [[1], []], "pair": [1, "a"],
        "outcome": { "err": "no" }, "double": "NaN",
    });
    let shown = show(&schema, ty, &parse(&schema, ty, &json).unwrap());
    for (name, value) in json.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
}
