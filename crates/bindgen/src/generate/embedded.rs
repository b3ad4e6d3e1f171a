//! The schema in the guest's module: a custom section that the gateway compares at load.
//!
//! The section holds JSON, one value after the other: linkers put the sections of all parts of a
//! module behind each other.

use std::fmt::Write as _;

use crate::schema::Schema;
use crate::section::NAME;

/// What Rust puts into the section. The attribute `used` would put it into the guest's memory too.
pub(super) fn rust(schema: &Schema) -> String {
    if schema.maps.is_empty() {
        return String::new();
    }
    let text = schema.to_json().to_string();
    format!(
        "\n/// What the gateway compares with its own declarations when it loads the module.\n#[cfg(target_family = \"wasm\")]\n#[unsafe(link_section = \"{NAME}\")]\nstatic SCHEMA: [u8; {}] = *b\"{}\";\n",
        text.len(),
        text.as_bytes().escape_ascii()
    )
}

/// What C and C++ put into the section.
pub(super) fn c(schema: &Schema) -> String {
    if schema.maps.is_empty() {
        return String::new();
    }
    let text = schema.to_json().to_string();
    let mut out = format!(
        "\n/* What the gateway compares with its own declarations when it loads the module. */\n#ifdef __wasm__\n__asm__(\".section \\\".custom_section.{NAME}\\\",\\\"\\\",@\\n\"\n"
    );
    for piece in text.as_bytes().chunks(72) {
        let _ = writeln!(out, "  \".ascii \\\"{}\\\"\\n\"", ascii(piece));
    }
    out.push_str("  \".text\\n\");\n#endif\n");
    out
}

/// Bytes within a string of an assembler's text within a string of C.
fn ascii(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b" {}[]:,._-".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "\\\\{byte:03o}");
        }
    }
    out
}
