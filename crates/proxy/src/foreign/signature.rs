//! `verify_signature` and `sign`: RSA (PKCS#1 v1.5) and ECDSA (DER signatures).
//!
//! Keys come from the guest, so nothing here touches a key of the gateway's.

use bytes::Bytes;

use super::ForeignStatus;
use crate::protobuf::{Field, Fields, put_bytes, put_varint, text};

mod hash;
mod key;

use hash::Hash;
use key::{PrivateKey, PublicKey};

/// Verifies a signature. The argument is `{1: hash_function, 2: public_key (DER), 3: signature,
/// 4: text, 5: public_key_pem}`, the result `{1: result, 2: error}`; a wrong signature is a result, and
/// so is a key that cannot be used.
///
/// # Errors
/// [`ForeignStatus::BadArgument`] for a message that cannot be read, and unless exactly one key is
/// given.
pub fn verify_signature(argument: &[u8]) -> Result<Bytes, ForeignStatus> {
    let request = Request::decode(argument, &VERIFY)?;
    let der = key::der(request.key_der, request.key_pem, &["PUBLIC KEY"])?;
    let Some(key) = der.and_then(|der| PublicKey::from_der(&der.bytes)) else {
        return Ok(refusal(2, "the public key cannot be used"));
    };
    let Some(hash) = Hash::named(request.hash_function) else {
        return Ok(refusal(2, &unknown_hash(request.hash_function)));
    };
    if !key.verify(hash, request.text, request.signature) {
        return Ok(refusal(2, "the signature does not match"));
    }
    Ok(accepted(&[]))
}

/// Makes a signature. The argument is `{1: hash_function, 2: private_key (DER), 3: text,
/// 4: private_key_pem}`, the result `{1: result, 2: signature, 3: error}`, also for a key that cannot
/// be used.
///
/// # Errors
/// [`ForeignStatus::BadArgument`] for a message that cannot be read, and unless exactly one key is
/// given.
pub fn sign(argument: &[u8]) -> Result<Bytes, ForeignStatus> {
    let request = Request::decode(argument, &SIGN)?;
    let forms = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
    let der = key::der(request.key_der, request.key_pem, &forms)?;
    let Some(key) = der.and_then(|der| PrivateKey::from_der(&der)) else {
        return Ok(refusal(3, "the private key cannot be used"));
    };
    let Some(hash) = Hash::named(request.hash_function) else {
        return Ok(refusal(3, &unknown_hash(request.hash_function)));
    };
    match key.sign(hash, request.text) {
        Some(signature) => Ok(accepted(&signature)),
        None => Ok(refusal(3, "the key is too short for this hash function")),
    }
}

/// What both functions are asked.
#[derive(Default)]
struct Request<'b> {
    hash_function: &'b str,
    key_der: &'b [u8],
    key_pem: &'b str,
    text: &'b [u8],
    signature: &'b [u8],
}

/// The field numbers of one of the two arguments; the hash function is 1, the DER key is 2.
struct Numbers {
    signature: Option<u32>,
    text: u32,
    key_pem: u32,
}

const VERIFY: Numbers = Numbers {
    signature: Some(3),
    text: 4,
    key_pem: 5,
};
const SIGN: Numbers = Numbers {
    signature: None,
    text: 3,
    key_pem: 4,
};

impl<'b> Request<'b> {
    fn decode(argument: &'b [u8], numbers: &Numbers) -> Result<Self, ForeignStatus> {
        let mut request = Self::default();
        for field in Fields::of(argument) {
            let (number, Field::Bytes(content)) = field? else {
                continue;
            };
            match number {
                1 => request.hash_function = text(content)?,
                2 => request.key_der = content,
                _ if number == numbers.text => request.text = content,
                _ if number == numbers.key_pem => request.key_pem = text(content)?,
                _ if Some(number) == numbers.signature => request.signature = content,
                _ => {}
            }
        }
        Ok(request)
    }
}

fn unknown_hash(name: &str) -> String {
    format!(
        "{name} is not supported: expected one of {}",
        Hash::NAMES.join(", ")
    )
}

fn accepted(signature: &[u8]) -> Bytes {
    let mut out = Vec::new();
    put_varint(&mut out, 1, 1);
    put_bytes(&mut out, 2, signature);
    out.into()
}

/// `result` is false, which is the default and not written.
fn refusal(error_number: u32, error: &str) -> Bytes {
    let mut out = Vec::new();
    put_bytes(&mut out, error_number, error.as_bytes());
    out.into()
}

#[cfg(test)]
mod tests;
