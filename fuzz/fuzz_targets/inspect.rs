//! Whatever bytes are called a module: a report or a refusal.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the tables of the ABI are used by the host as well")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/guest/src"]
mod guest {
    pub mod abi;
    pub mod inspect;
}

use guest::{abi, inspect};

fuzz_target!(|bytes: &[u8]| {
    match inspect::inspect(bytes) {
        Ok(report) => assert!(serde_json::to_string(&report).is_ok()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
