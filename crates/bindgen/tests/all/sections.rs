//! Schemas in modules.

use weir_bindgen::section::{NAME, embed, schemas};

use crate::support::{demo, schema, users};

const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

/// A module with a type section before and a custom section of another name behind.
fn module() -> Vec<u8> {
    let mut module = EMPTY.to_vec();
    module.extend_from_slice(&[1, 4, 1, 0x60, 0, 0]);
    module.extend_from_slice(b"\0\x06\x04nameX");
    module
}

#[test]
fn what_was_put_into_a_module_is_found() {
    let demo = weir_bindgen::Schema::from_json(&demo().to_json()).unwrap();
    let with = embed(&module(), &demo).unwrap();
    assert!(with.starts_with(&module()));
    assert_eq!(schemas(&with).unwrap(), [demo]);
    assert_eq!(schemas(&module()).unwrap(), []);
}

#[test]
fn what_is_put_in_again_takes_the_place_of_the_old_one() {
    let once = embed(&module(), &demo()).unwrap();
    let twice = embed(&once, &users()).unwrap();
    assert_eq!(twice, embed(&module(), &users()).unwrap());
}

#[test]
fn schemas_behind_each_other_are_all_found_and_twins_once() {
    let (a, b) = (demo().to_json().to_string(), users().to_json().to_string());
    let payload = format!("{a}{b}\n{a}");
    let mut with = module();
    with.push(0);
    let size = payload.len() + NAME.len() + 1;
    with.extend_from_slice(&[
        u8::try_from(size & 0x7f).unwrap() | 0x80,
        u8::try_from(size >> 7 & 0x7f).unwrap() | 0x80,
        u8::try_from(size >> 14).unwrap(),
        u8::try_from(NAME.len()).unwrap(),
    ]);
    with.extend_from_slice(NAME.as_bytes());
    with.extend_from_slice(payload.as_bytes());
    let names: Vec<_> = schemas(&with)
        .unwrap()
        .iter()
        .map(|schema| schema.maps.len())
        .collect();
    assert_eq!(names, [demo().maps.len(), users().maps.len()]);
}

#[test]
fn a_module_that_is_broken_off_is_refused() {
    let schema = schema("map<string, u64> a {}", "");
    let with = embed(&module(), &schema).unwrap();
    let begin = module().len();
    for end in begin + 1..with.len() {
        let told = schemas(&with[..end]).unwrap_err().to_string();
        assert!(told.contains("at byte"), "{end}: {told}");
    }
    let told = |bytes: &[u8]| schemas(bytes).unwrap_err().to_string();
    assert!(told(b"\0as").contains("magic"), "no module");
    // A length of more than the module, and one of more than 32 bits.
    let mut long = EMPTY.to_vec();
    long.extend_from_slice(&[0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]);
    assert!(told(&long).contains("at byte 8"), "too long");
    let mut endless = EMPTY.to_vec();
    endless.extend_from_slice(&[0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]);
    assert!(told(&endless).contains("at byte 9"), "no number");
}

#[test]
fn what_is_no_schema_is_refused() {
    let section = |payload: &str| {
        let mut with = EMPTY.to_vec();
        with.push(0);
        with.push(u8::try_from(payload.len() + NAME.len() + 1).unwrap());
        with.push(u8::try_from(NAME.len()).unwrap());
        with.extend_from_slice(NAME.as_bytes());
        with.extend_from_slice(payload.as_bytes());
        schemas(&with).unwrap_err().to_string()
    };
    assert!(section("{").contains("holds no JSON"));
    assert!(section("{\"weir-schema\":2}").contains("holds no schema"));
}
