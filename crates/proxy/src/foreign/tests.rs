//! No argument makes a foreign function panic.

use super::*;
use crate::property::Value;

/// A small generator of numbers, so that a failure repeats.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        (0..self.below(longest + 1))
            .map(|_| self.next().to_le_bytes()[0])
            .collect()
    }
}

fn lookup(path: &[&[u8]]) -> Result<Value, PropertyError> {
    match path {
        [b"a"] => Ok(Value::Map(vec![("b".into(), Value::Int(-1))])),
        [b"a", b"b"] => Ok(Value::Double(f64::NAN)),
        [b"c"] => Err(PropertyError::SerializationFailure),
        _ => Err(PropertyError::NotFound),
    }
}

fn call_all(argument: &[u8]) {
    let _ = compress(argument, &|| false);
    let _ = uncompress(argument, &|| false);
    let _ = verify_signature(argument);
    let _ = sign(argument);
    let _ = DeclareProperty::decode(argument);
    let _ = SetFilterState::decode(argument);
    let mut expressions = Expressions::new();
    if let Ok(token) = expressions.create(argument) {
        let _ = expressions.evaluate(&token, &lookup);
    }
    let _ = expressions.evaluate(argument, &lookup);
    let _ = expressions.delete(argument);
}

#[test]
fn random_bytes_are_survived() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        call_all(&random.bytes(64));
    }
}

#[test]
fn changed_arguments_are_survived() {
    let mut random = Random(2);
    let good: [&[u8]; 4] = [
        &compress(b"hello hello hello", &|| false).unwrap(),
        b"\x0A\x06sha256\x12\x04key!\x1A\x03sig\x22\x04text",
        b"\x0A\x04name\x10\x01\x18\x03\x22\x02sc\x28\x02",
        b"a.b < 1 && has(a.c) || '\\x41' in [a['b'], {'k': -1u}] ? size(r\"\\\") : 0x1F % 2.5e3",
    ];
    for round in 0..20_000 {
        let mut argument = good[round % good.len()].to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(argument.len());
            match random.below(3) {
                0 => argument[at] = random.next().to_le_bytes()[0],
                1 => argument.insert(at, random.next().to_le_bytes()[0]),
                _ => drop(argument.remove(at)),
            }
        }
        call_all(&argument);
    }
}

#[test]
fn random_tokens_are_survived() {
    const WORDS: [&str; 40] = [
        "a",
        "b",
        "c",
        ".",
        ".",
        "(",
        ")",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "<",
        "==",
        "in",
        "&&",
        "||",
        "1",
        "0",
        "9223372036854775807",
        "1u",
        "1.5",
        "'x'",
        "b'x'",
        "true",
        "null",
        "has",
        "size",
        "timestamp",
        ".getHours()",
    ];
    let mut random = Random(3);
    for _ in 0..100_000 {
        let words: Vec<&str> = (0..random.below(12))
            .map(|_| WORDS[random.below(WORDS.len())])
            .collect();
        let mut expressions = Expressions::new();
        if let Ok(token) = expressions.create(words.join(" ").as_bytes()) {
            let _ = expressions.evaluate(&token, &lookup);
        }
    }
}

#[test]
fn statuses_have_the_numbers_of_the_abi() {
    assert_eq!(ForeignStatus::NotFound.status(), 1);
    assert_eq!(ForeignStatus::BadArgument.status(), 2);
    assert_eq!(ForeignStatus::SerializationFailure.status(), 3);
    assert_eq!(ForeignStatus::InternalFailure.status(), 10);
}
