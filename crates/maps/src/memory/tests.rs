//! What would take four thousand million writes to be seen from outside.

use super::*;
use crate::{ManualClock, Terms};

fn store() -> MemoryStore {
    let table = MemoryTable::new(Arc::new(ManualClock::default()));
    let owner = Arc::new(Account::new(Amount {
        entries: 10,
        bytes: 1 << 20,
    }));
    MemoryStore::new(&table, MapOptions::anonymous(), owner, NoEdges).unwrap()
}

#[test]
fn the_low_half_of_a_version_is_never_zero() {
    let map = store();
    map.versions
        .store(u64::from(u32::MAX) - 1, Ordering::Relaxed);
    let set = || map.write(b"k", Value::number(1), Terms::default()).now();
    assert_eq!(set(), Ok(u64::from(u32::MAX)));
    assert_eq!(set(), Ok((1 << 32) + 1));
}

/// Keys of all maps are in one table; an equal key of another map must not be found, whatever the
/// hashes are.
#[test]
fn keys_of_two_maps_differ_even_with_equal_hashes() {
    let (one, two) = (store(), store());
    let (first, second) = (
        one.probe(b"k"),
        Probe {
            map: 7,
            ..two.probe(b"k")
        },
    );
    let forced = Probe {
        hash: first.hash,
        ..second
    };
    assert_ne!(first.to_key(), forced.to_key());
    assert!(!papaya::Equivalent::equivalent(&forced, &first.to_key()));
}
