//! The custom section of a module that holds the schema its code was generated from.
//!
//! Generated Rust, C and C++ put it there by themselves; into modules of other languages
//! `weir bindgen --embed` puts it. It holds JSON, one value after the other, since linkers put the
//! sections of all parts of a module behind each other. Modules and components have the same frame:
//! eight bytes, then sections of a number, a length and so many bytes.

use std::ops::Range;

use serde_json::{Deserializer, Value};
use thiserror::Error;
use weir_model::limits::bindgen as limits;

use crate::schema::{CanonicalError, Schema};

/// The name of the section.
pub const NAME: &str = "weir:map-schema";

const HEAD: usize = 8;
const CUSTOM: u8 = 0;

/// Why a module's schema cannot be read.
#[derive(Debug, Error)]
pub enum SectionError {
    /// The module is broken off.
    #[error("at byte {at}: a section ends beyond the module")]
    Short {
        /// Where.
        at: usize,
    },
    /// It is no module.
    #[error("this is no WebAssembly: it does not begin with its magic number")]
    Magic,
    /// The section is too large.
    #[error("the section `{NAME}` has {bytes} bytes; expected at most {max}", max = limits::SECTION_BYTES_MAX)]
    Large {
        /// Its size.
        bytes: usize,
    },
    /// The section has too many schemas.
    #[error("the section `{NAME}` holds more than {max} schemas", max = limits::SECTION_SCHEMAS_MAX)]
    Many,
    /// It holds no JSON.
    #[error("the section `{NAME}` holds no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Its JSON is no schema.
    #[error("the section `{NAME}` holds no schema: {0}")]
    Schema(#[from] CanonicalError),
}

/// The schemas in a module or component; none if nothing was put there.
///
/// # Errors
/// If the module is broken off, or what its section holds is no schema.
pub fn schemas(module: &[u8]) -> Result<Vec<Schema>, SectionError> {
    let mut found = Vec::new();
    for (_, payload) in sections(module)? {
        let bytes = &module[payload];
        if bytes.len() > limits::SECTION_BYTES_MAX {
            return Err(SectionError::Large { bytes: bytes.len() });
        }
        for json in Deserializer::from_slice(bytes).into_iter::<Value>() {
            let schema = Schema::from_json(&json?)?;
            if found.contains(&schema) {
                continue;
            }
            if found.len() == limits::SECTION_SCHEMAS_MAX {
                return Err(SectionError::Many);
            }
            found.push(schema);
        }
    }
    Ok(found)
}

/// The module with a schema, and without those that it had before.
///
/// # Errors
/// If the module is broken off.
pub fn embed(module: &[u8], schema: &Schema) -> Result<Vec<u8>, SectionError> {
    let mut out = Vec::with_capacity(module.len());
    let mut kept = 0;
    for (section, _) in sections(module)? {
        out.extend_from_slice(&module[kept..section.start]);
        kept = section.end;
    }
    out.extend_from_slice(&module[kept..]);
    let json = schema.to_json().to_string();
    let mut payload = Vec::with_capacity(json.len() + NAME.len() + 1);
    crate::wire::put_varint(&mut payload, NAME.len() as u64);
    payload.extend_from_slice(NAME.as_bytes());
    payload.extend_from_slice(json.as_bytes());
    out.push(CUSTOM);
    crate::wire::put_varint(&mut out, payload.len() as u64);
    out.extend_from_slice(&payload);
    Ok(out)
}

/// Where a section is: all of it, and what is behind its name.
type Found = (Range<usize>, Range<usize>);

/// The custom sections of that name.
fn sections(module: &[u8]) -> Result<Vec<Found>, SectionError> {
    if module.len() < HEAD || !module.starts_with(b"\0asm") {
        return Err(SectionError::Magic);
    }
    let mut found = Vec::new();
    let mut at = HEAD;
    while at < module.len() {
        let (size, begin) = length(module, at + 1)?;
        let end = begin
            .checked_add(size)
            .filter(|end| *end <= module.len())
            .ok_or(SectionError::Short { at })?;
        if module[at] == CUSTOM {
            let (name, text) = length(&module[..end], begin)?;
            let payload = text.checked_add(name).filter(|payload| *payload <= end);
            let payload = payload.ok_or(SectionError::Short { at })?;
            if &module[text..payload] == NAME.as_bytes() {
                found.push((at..end, payload..end));
            }
        }
        at = end;
    }
    Ok(found)
}

/// A number of up to 32 bits, and where what follows begins.
fn length(bytes: &[u8], at: usize) -> Result<(usize, usize), SectionError> {
    let mut value = 0_u32;
    let shifts = (0..32).step_by(7);
    for ((place, byte), shift) in bytes.iter().skip(at).enumerate().zip(shifts) {
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let value = usize::try_from(value).map_err(|_| SectionError::Short { at })?;
            return Ok((value, at + place + 1));
        }
    }
    Err(SectionError::Short { at })
}
