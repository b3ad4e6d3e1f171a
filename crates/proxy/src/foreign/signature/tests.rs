//! Signatures made by OpenSSL verify here, and ours equal or verify.
//!
//! The keys in `tests/` were made for these tests alone. Each line of `signatures.txt` is a key, a
//! hash function and a signature in hexadecimal of [`TEXT`].

use base64ct::{Base64, Encoding};

use super::*;
use crate::protobuf::put_message;

const TEXT: &[u8] = b"the text that is signed";
const SIGNATURES: &str = include_str!("tests/signatures.txt");

/// Name, private key, public key.
const KEYS: [(&str, &str, &str); 4] = [
    (
        "rsa",
        include_str!("tests/rsa.pem"),
        include_str!("tests/rsa.pub.pem"),
    ),
    (
        "p-256",
        include_str!("tests/p-256.pem"),
        include_str!("tests/p-256.pub.pem"),
    ),
    (
        "p-384",
        include_str!("tests/p-384.pem"),
        include_str!("tests/p-384.pub.pem"),
    ),
    (
        "p-521",
        include_str!("tests/p-521.pem"),
        include_str!("tests/p-521.pub.pem"),
    ),
];

fn message(fields: &[(u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, content) in fields {
        put_message(&mut out, *number, content);
    }
    out
}

fn verify_pem(
    hash: &str,
    pem: &str,
    signature: &[u8],
    text: &[u8],
) -> Result<Bytes, ForeignStatus> {
    let fields: [(u32, &[u8]); 4] = [
        (1, hash.as_bytes()),
        (3, signature),
        (4, text),
        (5, pem.as_bytes()),
    ];
    verify_signature(&message(&fields))
}

fn sign_pem(hash: &str, pem: &str) -> Result<Bytes, ForeignStatus> {
    sign(&message(&[
        (1, hash.as_bytes()),
        (3, TEXT),
        (4, pem.as_bytes()),
    ]))
}

/// The signature of an accepted result.
fn signature_in(result: &[u8]) -> &[u8] {
    let fields: Vec<_> = Fields::of(result).map(Result::unwrap).collect();
    let [(1, Field::Varint(1)), (2, Field::Bytes(signature))] = fields[..] else {
        panic!("no signature in {fields:?}");
    };
    signature
}

fn is_true(result: &Result<Bytes, ForeignStatus>) -> bool {
    result.as_deref() == Ok(&[0x08, 1])
}

/// A false result says why.
fn is_false(result: &Result<Bytes, ForeignStatus>, error_number: u32) -> bool {
    let Ok(result) = result else { return false };
    let fields: Vec<_> = Fields::of(result).map(Result::unwrap).collect();
    matches!(fields[..], [(number, Field::Bytes(error))] if number == error_number && !error.is_empty())
}

fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Base64::decode_vec(&base64).unwrap()
}

fn key(name: &str) -> (&'static str, &'static str) {
    let (_, private, public) = KEYS.into_iter().find(|(known, ..)| *known == name).unwrap();
    (private, public)
}

#[test]
fn every_key_and_hash_function_agrees_with_openssl() {
    let mut lines = 0;
    for line in SIGNATURES.lines() {
        let [name, hash, hex] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let signature: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let (private, public) = key(name);
        assert!(
            is_true(&verify_pem(hash, public, &signature, TEXT)),
            "{name} {hash}"
        );
        assert!(
            is_false(&verify_pem(hash, public, &signature, b"other"), 2),
            "{name} {hash}"
        );
        assert!(
            is_false(&verify_pem(hash, public, &signature[1..], TEXT), 2),
            "{name} {hash}"
        );
        let ours = sign_pem(hash, private).unwrap();
        let ours = signature_in(&ours);
        assert!(
            is_true(&verify_pem(hash, public, ours, TEXT)),
            "{name} {hash}"
        );
        if name == "rsa" {
            assert_eq!(ours, signature, "PKCS#1 v1.5 is deterministic");
        }
        lines += 1;
    }
    assert_eq!(lines, 20);
}

#[test]
fn der_keys_and_hash_names_in_any_case_work() {
    for (name, private, public) in KEYS {
        let made = sign(&message(&[(1, b"SHA256"), (2, &der(private)), (3, TEXT)])).unwrap();
        let fields: [(u32, &[u8]); 4] = [
            (1, b"Sha256"),
            (2, &der(public)),
            (3, signature_in(&made)),
            (4, TEXT),
        ];
        assert!(is_true(&verify_signature(&message(&fields))), "{name}");
    }
}

#[test]
fn older_forms_of_private_keys_and_untidy_pem_work() {
    let forms = [
        ("rsa", include_str!("tests/rsa.pkcs1.pem").to_owned()),
        ("p-256", include_str!("tests/p-256.sec1.pem").to_owned()),
        (
            "rsa",
            format!("a comment\r\n{}", key("rsa").0.replace('\n', "\r\n")),
        ),
        (
            "p-256",
            key("p-256").0.replace('\n', "").replace("----M", "----\nM"),
        ),
    ];
    for (name, private) in forms {
        let made =
            sign_pem("sha256", &private).unwrap_or_else(|error| panic!("{private}: {error}"));
        assert!(
            is_true(&verify_pem(
                "sha256",
                key(name).1,
                signature_in(&made),
                TEXT
            )),
            "{name}"
        );
    }
}

#[test]
fn an_unknown_hash_function_is_a_false_result() {
    assert!(is_false(&verify_pem("md5", key("rsa").1, b"x", TEXT), 2));
    assert!(is_false(&sign_pem("", key("p-256").0), 3));
}

#[test]
fn keys_that_cannot_be_used_are_false_results() {
    let (private, public) = key("rsa");
    let check = |result: &Result<Bytes, ForeignStatus>, error_number, what: &str| {
        assert!(is_false(result, error_number), "{what}: {result:?}");
    };
    check(
        &verify_pem("sha256", private, b"x", TEXT),
        2,
        "not a public key",
    );
    check(&verify_pem("sha256", &public[..100], b"x", TEXT), 2, "cut");
    check(&sign_pem("sha256", public), 3, "not a private key");
    let long = format!(
        "{public}{}",
        " ".repeat(weir_model::limits::FOREIGN_KEY_BYTES_MAX)
    );
    check(&verify_pem("sha256", &long, b"x", TEXT), 2, "too long");
    let broken = message(&[(1, b"sha256"), (2, b"\x30\x03")]);
    check(&verify_signature(&broken), 2, "broken DER");
    check(&sign(&broken), 3, "broken DER");
}

#[test]
fn no_key_two_keys_and_what_is_no_message_are_bad_arguments() {
    let bad = Err(ForeignStatus::BadArgument);
    let (_, public) = key("rsa");
    assert_eq!(verify_pem("sha256", "", b"x", TEXT), bad, "no key");
    let both: [(u32, &[u8]); 3] = [(1, b"sha256"), (2, &der(public)), (5, public.as_bytes())];
    assert_eq!(verify_signature(&message(&both)), bad, "both keys");
    assert_eq!(verify_signature(b"\x0A\xFF"), bad, "no message");
    assert_eq!(sign(&message(&[(1, b"\xFF")])), bad, "not a text");
}

#[test]
fn changed_keys_and_signatures_are_survived() {
    let mut seed = 4_u64;
    let mut random = |end: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % end
    };
    for (_, private, public) in KEYS {
        let (private, public) = (der(private), der(public));
        for _ in 0..150 {
            let (mut private, mut public) = (private.clone(), public.clone());
            let (in_private, in_public) = (random(private.len()), random(public.len()));
            private[in_private] = u8::try_from(random(256)).unwrap();
            public[in_public] = u8::try_from(random(256)).unwrap();
            let made = sign(&message(&[(1, b"sha256"), (2, &private), (3, TEXT)]));
            let signature = made.map_or_else(|_| Vec::new(), |result| result.to_vec());
            let fields: [(u32, &[u8]); 4] =
                [(1, b"sha1"), (2, &public), (3, &signature), (4, TEXT)];
            let _ = verify_signature(&message(&fields));
        }
    }
}
