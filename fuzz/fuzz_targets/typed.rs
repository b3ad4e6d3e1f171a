//! Whatever a `.map` file, a schema, a module with one or a typed entry holds: a reading or a refusal,
//! and one form.
//!
//! Input: a `.map` file, or JSON of a schema, or a module; then, behind a byte 255, the bytes of entries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_bindgen::declaration::Declarations;
use weir_bindgen::schema::{Schema, compatible, covers};
use weir_bindgen::section;
use weir_bindgen::typed::Typed;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 255);
    let (head, entry) = bytes.split_at(end.unwrap_or(bytes.len()));
    if let Ok(text) = std::str::from_utf8(head) {
        declarations(text);
        if let Ok(json) = serde_json::from_str(text) {
            if let Ok(schema) = Schema::from_json(&json) {
                judge(&schema, entry.get(1..).unwrap_or_default());
            }
        }
    }
    if let Ok(schemas) = section::schemas(bytes) {
        for schema in schemas {
            let again = section::embed(bytes, &schema).expect("it was read");
            assert_eq!(section::schemas(&again).expect("it is a module"), [schema]);
        }
    }
});

fn declarations(text: &str) {
    match Declarations::parse("a.map", text) {
        Ok(parsed) => {
            let once = parsed.formatted();
            let again = Declarations::parse("a.map", &once).expect("what was formatted is read");
            assert_eq!(again.formatted(), once);
        }
        Err(problems) => assert!(!problems.0.is_empty()),
    }
}

/// A schema that is taken agrees with itself, and what it reads of an entry it writes and reads again.
fn judge(schema: &Schema, entry: &[u8]) {
    assert_eq!(Schema::from_json(&schema.to_json()).as_ref(), Ok(schema));
    assert_eq!(compatible(schema, schema), []);
    assert!(covers(schema, schema));
    for map in &schema.maps {
        let typed = Typed::of(schema, &map.name).expect("it is there");
        if let Ok(json) = typed.show(entry) {
            let stored = typed
                .read(json.to_string().as_bytes())
                .expect("what was shown is read");
            assert_eq!(typed.show(&stored).expect("what was written is read"), json);
        }
        if let Ok(key) = typed.show_key(entry) {
            let text = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            if map.key != weir_bindgen::schema::Key::Bytes {
                assert_eq!(
                    typed.key(text.as_bytes()).expect("what was shown is read"),
                    entry
                );
            }
        }
    }
}
