//! What a use may ask for in a second, and what is counted of maps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_maps::{
    Called, Ends, Grants, Handles, Identity, MapCall, MapOptions, MapReply, Meter, Numbers, Prices,
    Rate, Rights, Value,
};

use crate::handles::House;
use crate::memory::unlimited;

const NOSPC: MapReply = MapReply::Refused(51, 0);

fn metered(house: &House, meter: &Arc<Meter>) -> Handles {
    let identity = Identity {
        in_use: "filter".into(),
        grants: Arc::new(Grants::of("tenant").with("cache", Rights::ALL)),
        owner: Arc::new(unlimited()),
        meter: Arc::clone(meter),
    };
    Handles::new(&house.engine, identity)
}

fn now(handles: &mut Handles, call: MapCall<'_>) -> MapReply {
    match handles.call(call, Ends::WithInstance) {
        Called::Now(reply) => reply,
        Called::Later(_) => panic!("{call:?} is answered later"),
    }
}

fn set<'c>(handle: u32, key: &'c [u8], value: &'c [u8]) -> MapCall<'c> {
    MapCall::Set {
        handle,
        key,
        value,
        terms: weir_maps::Terms::default(),
    }
}

/// One unit in an hour comes back: what is spent is spent.
fn slow(burst: u64, prices: Prices) -> Arc<Meter> {
    let units = 1;
    Arc::new(Meter::new(Some(Rate {
        units,
        burst,
        prices,
    })))
}

const PRICES: Prices = Prices {
    read: 1,
    write: 10,
    entry: 100,
    kilobyte: 1000,
};

#[test]
fn every_call_has_its_price() {
    let house = House::new();
    let meter = slow(1 << 20, PRICES);
    let mut one = metered(&house, &meter);
    let handle = one.open(b"cache", Rights::ALL).unwrap();
    let mut before = 0;
    let mut cost = |meter: &Meter| {
        let spent = meter.spent();
        spent - std::mem::replace(&mut before, spent)
    };
    let key = b"key";
    now(&mut one, MapCall::Rights { handle });
    assert_eq!(cost(&meter), 0);
    now(&mut one, set(handle, key, &[0; 1025]));
    assert_eq!(cost(&meter), 10 + 2000);
    now(&mut one, MapCall::Get { handle, key });
    assert_eq!(cost(&meter), 1 + 2000);
    now(&mut one, MapCall::Exists { handle, key });
    assert_eq!(cost(&meter), 1);
    let add = MapCall::Add {
        handle,
        key: b"n",
        delta: 1,
    };
    now(&mut one, add);
    assert_eq!(cost(&meter), 10);
    let scan = MapCall::Scan {
        handle,
        prefix: b"",
        cursor: [0; 16],
        bytes: 1 << 16,
    };
    now(&mut one, scan);
    assert_eq!(cost(&meter), 1 + 2 * 100 + 2 * 1000);
    let ops = [
        weir_maps::MapOp::Check {
            key,
            condition: weir_maps::store::Condition::Always,
        },
        weir_maps::MapOp::Set {
            key,
            value: b"v",
            terms: weir_maps::Terms::default(),
        },
        weir_maps::MapOp::Delete { key: b"n" },
    ];
    now(&mut one, MapCall::Batch { handle, ops: &ops });
    assert_eq!(cost(&meter), 1 + 10 + 1000 + 10);
    now(&mut one, MapCall::Clear { handle });
    assert_eq!(cost(&meter), 10);
    assert_eq!(meter.refused(), 0);
}

#[test]
fn what_cannot_be_paid_is_refused_and_changes_nothing() {
    let house = House::new();
    let meter = slow(21, PRICES);
    // Two instances of one use share what there is.
    let (mut one, mut other) = (metered(&house, &meter), metered(&house, &meter));
    let handle = one.open(b"cache", Rights::ALL).unwrap();
    assert_eq!(other.open(b"cache", Rights::ALL), Ok(handle));
    let add = |key| MapCall::Add {
        handle,
        key,
        delta: 1,
    };
    assert_eq!(now(&mut one, add(b"a")), MapReply::Counted(1, 1));
    assert_eq!(now(&mut other, add(b"a")), MapReply::Counted(2, 2));
    assert_eq!(now(&mut one, add(b"b")), NOSPC);
    let exists = MapCall::Exists { handle, key: b"b" };
    assert_eq!(now(&mut other, exists), MapReply::Number(0));
    assert_eq!(now(&mut one, exists), NOSPC);
    assert_eq!((meter.spent(), meter.refused()), (21, 2));
    // What concerns handles goes on.
    assert_eq!(now(&mut one, MapCall::Close { handle }), MapReply::Done);
}

#[test]
fn what_turned_out_dearer_is_paid_before_the_next_call() {
    let house = House::new();
    let meter = slow(11, PRICES);
    let mut one = metered(&house, &meter);
    let handle = one.open(b"cache", Rights::ALL).unwrap();
    let map = house.engine.find("tenant", "cache").unwrap();
    let store = map.map().store();
    let stored = weir_maps::Store::write(
        store,
        b"k",
        Value::copy_of(b"v"),
        weir_maps::Terms::default(),
    );
    stored.now().unwrap();
    let get = MapCall::Get { handle, key: b"k" };
    assert_eq!(now(&mut one, get), MapReply::Entry(Value::copy_of(b"v"), 1));
    assert_eq!(now(&mut one, get), NOSPC);
    assert_eq!(meter.spent(), 1001);
}

/// With time, units come back: as many as the rate says, and no more at once than the burst.
#[test]
fn a_rate_is_kept() {
    let house = House::new();
    let prices = Prices {
        read: 1,
        write: 1,
        entry: 0,
        kilobyte: 0,
    };
    let rate = Rate {
        units: 1000,
        burst: 10,
        prices,
    };
    let meter = Arc::new(Meter::new(Some(rate)));
    let mut one = metered(&house, &meter);
    let handle = one.open(b"cache", Rights::ALL).unwrap();
    let begun = Instant::now();
    let mut done = 0_u64;
    while done < 60 {
        let reply = now(&mut one, MapCall::Exists { handle, key: b"k" });
        done += u64::from(reply == MapReply::Number(0));
    }
    // 10 at once, and 50 more in 50 ms; a slow machine takes longer, and none is faster.
    assert!(begun.elapsed() >= Duration::from_millis(50));
    std::thread::sleep(Duration::from_millis(100));
    let paused = Instant::now();
    let mut at_once = 0;
    while now(&mut one, MapCall::Exists { handle, key: b"k" }) == MapReply::Number(0) {
        at_once += 1;
    }
    let earned = u64::try_from(paused.elapsed().as_millis()).unwrap() + 1;
    assert!((10..=10 + earned).contains(&at_once), "{at_once}");
}

#[test]
fn what_is_found_and_what_is_refused_is_counted() {
    let house = House::new();
    let options = MapOptions {
        entries_max: 1,
        ..MapOptions::default()
    };
    let owner = Arc::new(unlimited());
    house.engine.undefine("tenant", "cache");
    let defined = house.engine.define("tenant", "cache", (options, &owner));
    defined.unwrap();
    let meter = Arc::new(Meter::default());
    let mut one = metered(&house, &meter);
    let handle = one.open(b"cache", Rights::ALL).unwrap();
    now(&mut one, set(handle, b"k", b"v"));
    now(&mut one, MapCall::Get { handle, key: b"k" });
    now(&mut one, MapCall::Exists { handle, key: b"k" });
    now(&mut one, MapCall::Get { handle, key: b"x" });
    assert_eq!(now(&mut one, set(handle, b"x", b"v")), NOSPC);
    let numbers = Numbers::of(&house.engine.find("tenant", "cache").unwrap());
    let counts = numbers.counts;
    assert_eq!((counts.hits, counts.misses, counts.refused), (2, 1, 1));
    assert_eq!(numbers.known.stat.unwrap().entries, 1);
    // The configuration, the handle, and the one that looks.
    assert_eq!(numbers.references, 3);
    assert_eq!((meter.refused(), meter.spent()), (1, 0));
}
