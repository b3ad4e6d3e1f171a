//! Whatever text is called a configuration: a site, or problems with their places.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(problems) = weir_control::parse(text, Path::new("weir.yaml")) {
        assert!(!problems.to_string().is_empty());
    }
});
