//! Keys: their forms, and what each kind of key can do.

use std::borrow::Cow;

use base64ct::{Base64, Encoding};
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::{RsaPrivateKey, RsaPublicKey};
use weir_model::limits;

use super::{ForeignStatus, Hash};

/// A key that verifies.
pub(super) enum PublicKey {
    Rsa(Box<RsaPublicKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
}

/// A key that signs.
pub(super) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    P521(Box<p521::ecdsa::SigningKey>),
}

/// The DER form of a key and which form it is: the label of its PEM, the first allowed one if it
/// was given as DER.
pub(super) struct Der<'k> {
    pub(super) bytes: Cow<'k, [u8]>,
    label: &'static str,
}

/// The one key given of the two ways to give it; `None`: its text is no key.
pub(super) fn der<'k>(
    der: &'k [u8],
    pem: &'k str,
    labels: &[&'static str],
) -> Result<Option<Der<'k>>, ForeignStatus> {
    if der.len().max(pem.len()) > limits::FOREIGN_KEY_BYTES_MAX {
        return Ok(None);
    }
    match (der.is_empty(), pem.is_empty()) {
        (false, true) => {
            let label = labels.first().copied().unwrap_or_default();
            Ok(Some(Der {
                bytes: Cow::Borrowed(der),
                label,
            }))
        }
        (true, false) => {
            let from_pem = |label: &&'static str| {
                Some(Der {
                    bytes: Cow::Owned(unwrap_pem(pem, label)?),
                    label,
                })
            };
            Ok(labels.iter().find_map(from_pem))
        }
        (true, true) | (false, false) => Err(ForeignStatus::BadArgument),
    }
}

/// The first block with this label. Text around it and any line width are tolerated, as plugins
/// pass keys through JSON and YAML.
fn unwrap_pem(pem: &str, label: &str) -> Option<Vec<u8>> {
    let (_, from_block) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (block, _) = from_block.split_once(&format!("-----END {label}-----"))?;
    let base64: String = block.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    Base64::decode_vec(&base64).ok()
}

impl PublicKey {
    /// From a `SubjectPublicKeyInfo`.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        if let Ok(key) = RsaPublicKey::from_public_key_der(der) {
            return Some(Self::Rsa(Box::new(key)));
        }
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Some(Self::P256(Box::new(key)));
        }
        if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Some(Self::P384(Box::new(key)));
        }
        let key = p521::ecdsa::VerifyingKey::from_public_key_der(der).ok()?;
        Some(Self::P521(Box::new(key)))
    }

    /// Whether a signature of a text is this key's.
    pub(super) fn verify(&self, hash: Hash, text: &[u8], signature: &[u8]) -> bool {
        let hashed = hash.of(text);
        match self {
            Self::Rsa(key) => key.verify(hash.padding(), &hashed, signature).is_ok(),
            Self::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&hashed, &signature).is_ok()),
            Self::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&hashed, &signature).is_ok()),
            Self::P521(key) => p521::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&hashed, &signature).is_ok()),
        }
    }
}

impl PrivateKey {
    /// From PKCS#8, or from the older forms PKCS#1 and SEC1 if their labels said so.
    pub(super) fn from_der(der: &Der<'_>) -> Option<Self> {
        match der.label {
            "RSA PRIVATE KEY" => Some(Self::Rsa(Box::new(
                RsaPrivateKey::from_pkcs1_der(&der.bytes).ok()?,
            ))),
            "EC PRIVATE KEY" => Self::from_sec1(&der.bytes),
            _ => Self::from_pkcs8(&der.bytes),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        if let Ok(key) = RsaPrivateKey::from_pkcs8_der(der) {
            return Some(Self::Rsa(Box::new(key)));
        }
        if let Ok(key) = p256::SecretKey::from_pkcs8_der(der) {
            return Some(Self::P256(Box::new(key.into())));
        }
        if let Ok(key) = p384::SecretKey::from_pkcs8_der(der) {
            return Some(Self::P384(Box::new(key.into())));
        }
        Some(Self::P521(Box::new(
            p521::SecretKey::from_pkcs8_der(der).ok()?.into(),
        )))
    }

    fn from_sec1(der: &[u8]) -> Option<Self> {
        if let Ok(key) = p256::SecretKey::from_sec1_der(der) {
            return Some(Self::P256(Box::new(key.into())));
        }
        if let Ok(key) = p384::SecretKey::from_sec1_der(der) {
            return Some(Self::P384(Box::new(key.into())));
        }
        Some(Self::P521(Box::new(
            p521::SecretKey::from_sec1_der(der).ok()?.into(),
        )))
    }

    /// A signature of a text; `None` if the key is too short to hold the hash.
    pub(super) fn sign(&self, hash: Hash, text: &[u8]) -> Option<Vec<u8>> {
        let hashed = hash.of(text);
        match self {
            Self::Rsa(key) => key.sign(hash.padding(), &hashed).ok(),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(&hashed).ok()?;
                Some(signature.to_der().as_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(&hashed).ok()?;
                Some(signature.to_der().as_bytes().to_vec())
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign_prehash(&hashed).ok()?;
                Some(signature.to_der().as_bytes().to_vec())
            }
        }
    }
}
