//! What a module is, needs and offers, read from its bytes without running it.
//!
//! Pure: no engine, no files. Invariant: [`inspect`] never panics, whatever the bytes are, and its
//! report is at most a small multiple of the module in size.

mod compose;
mod facts;
mod needs;
mod origin;
pub(crate) mod recognize;
mod report;
mod verdict;

use thiserror::Error;
use wasmparser::{Validator, WasmFeatures};

use facts::Facts;
pub use needs::Needs;
pub use report::{
    Abi, BuiltWith, CallbackExport, CustomSection, DialectChoice, Export, Exports, Import,
    ImportGroup, Kind, Marker, Memory, Producer, Purpose, Report, Sizes, Standing, Table, Verdict,
};

/// Why bytes are no WebAssembly that can be reported on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InspectError {
    /// Nothing there.
    #[error("the file is empty, expected a WebAssembly module")]
    Empty,
    /// Another well-known format.
    #[error("this is {found}, not a WebAssembly module; {advice}")]
    OtherFormat {
        /// What the bytes are.
        found: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// An unknown format.
    #[error(
        "this is no WebAssembly module: it begins with {first_bytes}, expected 00 61 73 6d (\"\\0asm\")"
    )]
    NotWasm {
        /// Up to eight first bytes in hexadecimal.
        first_bytes: String,
    },
    /// WebAssembly by its first bytes, broken later.
    #[error("the module is damaged at byte {offset}: {reason}")]
    Malformed {
        /// Where, from the start of the file.
        offset: u64,
        /// What the parser says.
        reason: String,
    },
}

impl From<wasmparser::BinaryReaderError> for InspectError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Malformed {
            offset: error.offset() as u64,
            reason: error.message().to_owned(),
        }
    }
}

/// Reports on a module or component.
///
/// # Errors
/// If the bytes are no valid WebAssembly.
pub fn inspect(bytes: &[u8]) -> Result<Report, InspectError> {
    recognize::wasm(bytes)?;
    Validator::new_with_features(WasmFeatures::default()).validate_all(bytes)?;
    let facts = Facts::read(bytes)?;
    Ok(compose::report(facts, bytes.len()))
}

#[cfg(test)]
mod tests;
