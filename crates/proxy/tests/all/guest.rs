//! Guests in the conformance kit's small language.

/// A guest of ABI 0.2.1.
pub(crate) fn guest(script: &str) -> Vec<u8> {
    weir_conformance::guest("0.2.1", script).unwrap_or_else(|flaw| panic!("{flaw}\n{script}"))
}
