//! Properties: what plugins ask by path, and the bytes they are answered with.
//!
//! This is the pure part (Proxy-Wasm reference, section 5): splitting a path, walking down a value,
//! and the byte forms. Which attributes an exchange has is the caller's knowledge. Invariant:
//! nothing here depends on an exchange, a clock or a thread.

use smallvec::SmallVec;

mod metadata;
pub mod names;
mod node;
mod value;

pub(crate) use metadata::{Metadata, SiteMetadata};
pub use node::{Node, USER_AGENT};
pub use value::Value;

/// Why there is no value. The ABI's status is in [`status`](Self::status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// Nothing is there.
    #[error("there is no such property")]
    NotFound,
    /// Something is there that has no byte form: a null, or a group such as `request`.
    #[error("this property has no byte form")]
    SerializationFailure,
    /// Reading it failed.
    #[error("reading the property failed")]
    InternalFailure,
}

impl PropertyError {
    /// The status that a guest gets.
    #[must_use]
    pub fn status(self) -> u32 {
        match self {
            Self::NotFound => 1,
            Self::SerializationFailure => 3,
            Self::InternalFailure => 10,
        }
    }
}

/// The segments of a path. Paths of up to four segments need no allocation.
pub type Segments<'p> = SmallVec<[&'p [u8]; 4]>;

/// Splits a path at its NULs; one trailing NUL is tolerated. An empty path has no segments, for
/// which a guest gets [`PropertyError::SerializationFailure`].
#[must_use]
pub fn segments(path: &[u8]) -> Segments<'_> {
    if path.is_empty() {
        return Segments::new();
    }
    path.strip_suffix(b"\0")
        .unwrap_or(path)
        .split(|byte| *byte == 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &[&str]) {
        let expected: Segments<'_> = expected.iter().map(|segment| segment.as_bytes()).collect();
        assert_eq!(segments(path.as_bytes()), expected, "{path:?}");
    }

    #[test]
    fn paths_are_split_at_nuls() {
        check("", &[]);
        check("\0", &[""]);
        check("request", &["request"]);
        check("request\0", &["request"]);
        check("request\0path", &["request", "path"]);
        check("request\0path\0", &["request", "path"]);
        check("a\0\0b", &["a", "", "b"]);
        check("a\0\0", &["a", ""]);
        check("\0a", &["", "a"]);
        check("request.path", &["request.path"]);
        check("a\0b\0c\0d\0e\0f", &["a", "b", "c", "d", "e", "f"]);
    }
}
