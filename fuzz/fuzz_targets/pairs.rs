//! Whatever bytes a guest hands over as pairs: no panic, and the two directions agree.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/guest/src/pairs.rs"]
mod pairs;

fuzz_target!(|bytes: &[u8]| {
    let decoded = pairs::decode(bytes);
    if !decoded.is_empty() {
        assert_eq!(pairs::encode(decoded.into_iter()), bytes);
    }
});
