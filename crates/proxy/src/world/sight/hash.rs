//! Keyed hashes of values (HMAC with SHA-256, RFC 2104), so that equal values stay equal and none
//! can be guessed by who does not know the key.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// A key of hashes. It is in no text.
#[derive(Clone)]
pub(crate) struct Key([u8; BLOCK]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key of any length.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if bytes.len() > BLOCK {
            block[..32].copy_from_slice(&Sha256::digest(bytes));
        } else {
            block[..bytes.len()].copy_from_slice(bytes);
        }
        Self(block)
    }

    /// The hash of a value as 64 hexadecimal digits.
    pub(crate) fn hash(&self, value: &[u8]) -> String {
        let inner = Sha256::new()
            .chain_update(self.0.map(|byte| byte ^ 0x36))
            .chain_update(value)
            .finalize();
        let outer = Sha256::new()
            .chain_update(self.0.map(|byte| byte ^ 0x5c))
            .chain_update(inner)
            .finalize();
        outer
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                // Writing to a string does not fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_4231() {
        let check = |key: &[u8], value: &[u8], expected: &str| {
            assert_eq!(Key::of(key).hash(value), expected);
        };
        check(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }

    #[test]
    fn keys_are_in_no_text() {
        assert_eq!(format!("{:?}", Key::of(b"secret")), "Key(…)");
    }
}
