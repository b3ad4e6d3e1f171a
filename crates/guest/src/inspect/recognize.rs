//! Tells WebAssembly from what people give by mistake.

use std::fmt::Write as _;

use super::InspectError;

const WASM_MAGIC: &[u8] = b"\0asm";
/// Bytes looked at to decide whether something is text.
const TEXT_PROBE_BYTES: usize = 512;

/// Formats that are given by mistake: first bytes, name, advice.
const OTHER_FORMATS: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "a gzip file", "decompress it first (gunzip)"),
    (
        b"\x28\xb5\x2f\xfd",
        "a zstd file",
        "decompress it first (zstd -d)",
    ),
    (
        b"PK\x03\x04",
        "a zip archive",
        "extract the module from it first",
    ),
    (
        b"\x7fELF",
        "a native Linux program",
        "build the plugin for a wasm target",
    ),
    (
        b"\xcf\xfa\xed\xfe",
        "a native macOS program",
        "build the plugin for a wasm target",
    ),
    (
        b"MZ",
        "a native Windows program",
        "build the plugin for a wasm target",
    ),
    (
        b"!<arch>\n",
        "a static library",
        "link it into a module first",
    ),
    (b"BC\xc0\xde", "LLVM bitcode", "link it into a module first"),
    (
        b"<!DOCTYPE",
        "an HTML page",
        "the download probably failed; look into the file",
    ),
    (
        b"<html",
        "an HTML page",
        "the download probably failed; look into the file",
    ),
    (
        b"version https://git-lfs",
        "a Git LFS pointer",
        "fetch the file itself (git lfs pull)",
    ),
];

/// Accepts bytes that begin as WebAssembly does.
pub(crate) fn wasm(bytes: &[u8]) -> Result<(), InspectError> {
    if bytes.starts_with(WASM_MAGIC) {
        return Ok(());
    }
    if bytes.is_empty() {
        return Err(InspectError::Empty);
    }
    if let Some(&(_, found, advice)) = OTHER_FORMATS
        .iter()
        .find(|(magic, _, _)| bytes.starts_with(magic))
    {
        return Err(InspectError::OtherFormat { found, advice });
    }
    Err(text(bytes).unwrap_or_else(|| InspectError::NotWasm {
        first_bytes: hex(bytes),
    }))
}

/// The error for a text; `None`: not a text.
fn text(bytes: &[u8]) -> Option<InspectError> {
    let probe = &bytes[..bytes.len().min(TEXT_PROBE_BYTES)];
    let is_text = probe
        .iter()
        .all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace());
    if !is_text {
        return None;
    }
    let start = probe.trim_ascii_start();
    Some(
        if [&b"(module"[..], b"(component", b";;", b"(;"]
            .iter()
            .any(|p| start.starts_with(p))
        {
            InspectError::OtherFormat {
                found: "WebAssembly text (WAT)",
                advice: "translate it to binary first (wat2wasm or wasm-tools parse)",
            }
        } else {
            InspectError::OtherFormat {
                found: "a text file",
                advice: "expected the binary that your compiler made, usually named *.wasm",
            }
        },
    )
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().take(8).enumerate() {
        let gap = if index == 0 { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{gap}{byte:02x}");
    }
    text
}
