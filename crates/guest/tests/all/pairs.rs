//! The pairs decoder meets bytes of every kind.

use weir_guest::pairs::{decode, encode};
use weir_model::limits;

/// Numbers of a fixed sequence (xorshift64*): a failure is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33);
        number.expect("31 bits") % limit
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| u8::try_from(self.below(256)).expect("a byte"))
            .collect()
    }
}

type Owned = Vec<(Vec<u8>, Vec<u8>)>;

fn some_pairs(numbers: &mut Numbers) -> Owned {
    let count = numbers.below(12);
    let text = |numbers: &mut Numbers| {
        let length = numbers.below(20);
        numbers.bytes(length)
    };
    (0..count).map(|_| (text(numbers), text(numbers))).collect()
}

fn encoded(pairs: &Owned) -> Vec<u8> {
    encode(pairs.iter().map(|(name, value)| (&name[..], &value[..]))).to_vec()
}

fn decoded(bytes: &[u8]) -> Owned {
    decode(bytes)
        .into_iter()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

#[test]
fn what_was_encoded_decodes_to_the_same() {
    let mut numbers = Numbers(1);
    for _ in 0..20_000 {
        let pairs = some_pairs(&mut numbers);
        assert_eq!(decoded(&encoded(&pairs)), pairs);
    }
}

/// Nothing panics, and what decodes to pairs is exactly what these pairs encode to.
#[test]
fn damaged_bytes_decode_to_nothing_or_to_what_they_say() {
    let mut numbers = Numbers(2);
    let mut decodable = 0;
    for _ in 0..50_000 {
        let mut bytes = encoded(&some_pairs(&mut numbers));
        for _ in 0..=numbers.below(3) {
            match numbers.below(4) {
                0 => bytes.truncate(numbers.below(bytes.len() + 1)),
                1 => bytes.push(0),
                2 if !bytes.is_empty() => {
                    let at = numbers.below(bytes.len());
                    bytes[at] = numbers.bytes(1)[0];
                }
                _ => {
                    let at = numbers.below(bytes.len() + 1);
                    let more = numbers.bytes(3);
                    bytes.splice(at..at, more);
                }
            }
        }
        let pairs = decoded(&bytes);
        if !pairs.is_empty() {
            decodable += 1;
            assert_eq!(encoded(&pairs), bytes);
        }
    }
    assert!(decodable > 1000, "{decodable}: too few to mean anything");
}

#[test]
fn noise_decodes_to_nothing() {
    let mut numbers = Numbers(3);
    for _ in 0..20_000 {
        let length = numbers.below(64);
        let mut bytes = numbers.bytes(length);
        // A small count, so that more than the first check is met.
        for byte in bytes.iter_mut().take(4).skip(1) {
            *byte = 0;
        }
        drop(decode(&bytes));
    }
}

#[test]
fn limits_hold_at_their_edge() {
    let empty = |count: usize| vec![(Vec::new(), Vec::new()); count];
    assert_eq!(
        decoded(&encoded(&empty(limits::PAIRS_MAX))).len(),
        limits::PAIRS_MAX
    );
    assert!(decoded(&encoded(&empty(limits::PAIRS_MAX + 1))).is_empty());
    // Count, two lengths and two NULs are 14 bytes.
    let big = |bytes: usize| vec![(Vec::new(), vec![b'x'; bytes - 14])];
    assert_eq!(decoded(&encoded(&big(limits::PAIRS_BYTES_MAX))).len(), 1);
    assert!(decoded(&encoded(&big(limits::PAIRS_BYTES_MAX + 1))).is_empty());
}
