//! Whatever bytes a plugin's process sends: no panic, and what is read has these bytes alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_guest::apart::wire::{self, FromPlugin, ToPlugin};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = wire::decode::<FromPlugin<'_>>(bytes) {
        let mut again = Vec::new();
        wire::encode(&message, &mut again);
        assert_eq!(again, bytes);
    }
    if let Ok(message) = wire::decode::<ToPlugin>(bytes) {
        let mut again = Vec::new();
        wire::encode(&message, &mut again);
        assert_eq!(again, bytes);
    }
});
