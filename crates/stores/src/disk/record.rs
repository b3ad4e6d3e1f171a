//! What an entry is: in memory, and as bytes on the disk.
//!
//! On the disk: four bytes of CRC-32 over the key and all that follows, the version, the moment at
//! which the entry ends (both 8 bytes, little-endian), the value.

use std::sync::Arc;

use bytes::Bytes;
use weir_maps::Value;
use weir_maps::budget::Amount;
use weir_model::limits::maps as limits;

/// A key, shared by all that name it.
pub(crate) type Name = Arc<[u8]>;

/// Of a record that stays.
pub(crate) const NEVER: u64 = u64::MAX;

/// Values up to this length always stay in memory: they need no more room there than the note that
/// they are elsewhere. Counters are among them, so no write ever reads the disk.
pub(crate) const SMALL_BYTES: usize = 38;

const HEAD_BYTES: usize = 20;

/// Where a value is.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// In memory.
    Here(Value),
    /// On the disk alone, this long.
    Cold(usize),
}

impl Held {
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Here(value) => value.length(),
            Self::Cold(length) => *length,
        }
    }

    /// Whether it may leave memory.
    pub(crate) fn is_large(&self) -> bool {
        self.length() > SMALL_BYTES
    }
}

/// An entry at one version.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) held: Held,
    pub(crate) version: u64,
    /// On the map's clock, or [`NEVER`].
    pub(crate) expires_ms: u64,
}

impl Record {
    pub(crate) fn lives(&self, now_ms: u64) -> bool {
        self.expires_ms == NEVER || now_ms < self.expires_ms
    }

    /// As it stands on the disk; `None`: it is only there.
    pub(crate) fn encode(&self, name: &[u8], into: &mut Vec<u8>) -> Option<()> {
        let Held::Here(value) = &self.held else {
            return None;
        };
        into.clear();
        into.extend_from_slice(&[0; 4]);
        into.extend_from_slice(&self.version.to_le_bytes());
        into.extend_from_slice(&self.expires_ms.to_le_bytes());
        into.extend_from_slice(value.bytes()?);
        let sum = sum_of(name, &into[4..]).to_le_bytes();
        into[..4].copy_from_slice(&sum);
        Some(())
    }

    /// What stands on the disk under a key. `None`: this was never written.
    pub(crate) fn decode(name: &[u8], bytes: &[u8]) -> Option<Self> {
        let (head, value) = bytes.split_at_checked(HEAD_BYTES)?;
        let sum = u32::from_le_bytes(head[..4].try_into().ok()?);
        let version = u64::from_le_bytes(head[4..12].try_into().ok()?);
        let expires_ms = u64::from_le_bytes(head[12..].try_into().ok()?);
        let whole = sum == sum_of(name, &bytes[4..]) && version != 0;
        whole.then(|| Self {
            held: Held::Here(Value::from(Bytes::copy_from_slice(value))),
            version,
            expires_ms,
        })
    }
}

fn sum_of(name: &[u8], rest: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(name);
    sum.update(rest);
    sum.finalize()
}

/// What an entry takes of the budget.
pub(crate) fn cost(name: &[u8], length: usize) -> Amount {
    let bytes = name.len() + length + limits::ENTRY_BYTES;
    Amount {
        entries: 1,
        bytes: bytes as u64,
    }
}

/// The sum of two amounts.
pub(crate) fn sum(one: Amount, other: Amount) -> Amount {
    Amount {
        entries: one.entries + other.entries,
        bytes: one.bytes + other.bytes,
    }
}

/// What is left of an amount.
pub(crate) fn rest(whole: Amount, part: Amount) -> Amount {
    Amount {
        entries: whole.entries.saturating_sub(part.entries),
        bytes: whole.bytes.saturating_sub(part.bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_a_damaged_one_does_not() {
        let record = Record {
            held: Held::Here(Value::copy_of(b"value")),
            version: 7,
            expires_ms: 9,
        };
        let mut bytes = Vec::new();
        record.encode(b"key", &mut bytes).expect("bytes");
        let back = Record::decode(b"key", &bytes).expect("whole");
        assert_eq!((back.version, back.expires_ms), (7, 9));
        assert!(matches!(back.held, Held::Here(value) if value.bytes() == Some(b"value")));
        assert!(Record::decode(b"kez", &bytes).is_none());
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(Record::decode(b"key", &bad).is_none(), "byte {at}");
            assert!(Record::decode(b"key", &bytes[..at]).is_none(), "{at} bytes");
        }
    }
}
