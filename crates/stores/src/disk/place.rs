//! Where the file of a map is, whatever its name.

use std::path::{Path, PathBuf};

/// Bytes of an escaped name that are kept; file systems take 255 with the ending.
const NAME_BYTES_MAX: usize = 180;

/// What a map's file says that it is.
pub(crate) fn label(scope: &str, name: &str) -> String {
    format!("{}/{}", escaped(scope), escaped(name))
}

/// The file of a map: `folder/scope/name.ending`.
pub(crate) fn path(folder: &Path, (scope, name): (&str, &str), ending: &str) -> PathBuf {
    let file = format!("{}.{ending}", short(name));
    folder.join(short(scope)).join(file)
}

/// Only letters, digits, `-` and inner dots stay as they are; no scope is `_`.
fn escaped(name: &str) -> String {
    if name.is_empty() {
        return "_".into();
    }
    let mut escaped = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'-' => escaped.push('-'),
            byte if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            b'_' if name.len() > 1 => escaped.push('_'),
            b'.' if at > 0 => escaped.push('.'),
            byte => escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    escaped
}

fn digit(half: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(half)])
}

/// A long name is cut, and told from others by its check sum. The file itself has the whole name, so
/// that a collision is an error.
fn short(name: &str) -> String {
    let mut escaped = escaped(name);
    if escaped.len() > NAME_BYTES_MAX {
        let sum = crc32fast::hash(escaped.as_bytes());
        escaped.truncate(NAME_BYTES_MAX);
        escaped = format!("{escaped}~{sum:08x}");
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_folder_and_apart() {
        let of = |scope: &str, name: &str| {
            let path = path(Path::new("maps"), (scope, name), "durable");
            path.to_string_lossy().into_owned()
        };
        assert_eq!(of("", "users"), "maps/_/users.durable");
        assert_eq!(of("_", ".."), "maps/%5F/%2E..durable");
        assert_eq!(of("a/b", "../c"), "maps/a%2Fb/%2E.%2Fc.durable");
        assert_eq!(of("t", "ä b"), "maps/t/%C3%A4%20b.durable");
        let long = "x".repeat(256);
        let other = format!("{}y", "x".repeat(255));
        assert_ne!(of("t", &long), of("t", &other));
        assert!(of("", &"ä".repeat(128)).len() < 255);
        assert_ne!(label("t", &long), label("t", &other));
    }
}
