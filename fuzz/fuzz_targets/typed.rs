//! Whatever a `.map` file or a typed entry holds: a reading or a refusal, and one form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_bindgen::declaration::Declarations;
use weir_bindgen::schema::Schema;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Declarations::parse("a.map", text) {
        Ok(parsed) => {
            let once = parsed.formatted();
            let again = Declarations::parse("a.map", &once).expect("what was formatted is read");
            assert_eq!(again.formatted(), once);
        }
        Err(problems) => assert!(!problems.0.is_empty()),
    }
    if let Ok(json) = serde_json::from_str(text) {
        if let Ok(schema) = Schema::from_json(&json) {
            assert_eq!(Schema::from_json(&schema.to_json()).as_ref(), Ok(&schema));
        }
    }
});
