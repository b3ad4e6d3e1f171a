//! Uses that may have only so much of a map that they are granted, and requests that may do only so
//! much with maps.

use std::sync::Arc;
use std::time::Duration;

use weir_maps::budget::{Account, Amount};
use weir_maps::store::{Condition, Op};
use weir_maps::{
    Allowance, Called, Ends, Eviction, Grants, Handles, Identity, MapCall, MapOp, MapOptions,
    MapReply, Meter, Prices, Rights, Store as _, Terms, Value,
};

use crate::handles::House;
use crate::memory::unlimited;
use crate::suite::Plain as _;

const NOSPC: MapReply = MapReply::Refused(51, 0);
/// What an entry of a key of one byte and a value of so many costs.
const fn cost(value: u64) -> u64 {
    161 + value
}

fn room(entries: u64, bytes: u64) -> Arc<Account> {
    Arc::new(Account::new(Amount { entries, bytes }))
}

fn user(house: &House, in_use: &str, room: Option<&Arc<Account>>) -> Handles {
    let grants = Grants::of("tenant").with("cache", Rights::ALL);
    let grants = match room {
        Some(room) => grants.with_room("cache", room),
        None => grants,
    };
    let identity = Identity {
        in_use: in_use.into(),
        grants: Arc::new(grants),
        owner: Arc::new(unlimited()),
        meter: Arc::default(),
    };
    let mut handles = Handles::new(&house.engine, identity);
    assert_eq!(handles.open(b"cache", Rights::ALL), Ok(1));
    handles
}

fn now(handles: &mut Handles, call: MapCall<'_>) -> MapReply {
    match handles.call(call, Ends::WithInstance) {
        Called::Now(reply) => reply,
        Called::Later(_) => panic!("{call:?} is answered later"),
    }
}

const fn set<'c>(key: &'c [u8], value: &'c [u8]) -> MapCall<'c> {
    MapCall::Set {
        handle: 1,
        key,
        value,
        terms: Terms {
            condition: Condition::Always,
            ttl: None,
            bytes_max: None,
        },
    }
}

const fn add(key: &[u8]) -> MapCall<'_> {
    MapCall::Add {
        handle: 1,
        key,
        delta: 1,
    }
}

fn used(room: &Account) -> (u64, u64) {
    let used = room.used();
    (used.entries, used.bytes)
}

#[test]
fn a_use_has_no_more_than_it_may() {
    let house = House::new();
    let few = room(2, 2 * cost(10));
    let (mut one, mut other) = (user(&house, "one", Some(&few)), user(&house, "other", None));
    now(&mut one, set(b"a", b"12345"));
    now(&mut one, add(b"n"));
    assert_eq!(used(&few), (2, cost(5) + cost(8)));
    assert_eq!(now(&mut one, set(b"b", b"")), NOSPC, "no third entry");
    assert_eq!(now(&mut one, add(b"m")), NOSPC);
    assert_eq!(now(&mut one, set(b"a", &[1; 13])), NOSPC, "no more bytes");
    assert_eq!(used(&few), (2, cost(5) + cost(8)));
    let map = house.engine.find("tenant", "cache").unwrap();
    let stat = map.map().store().stat().now().unwrap();
    assert_eq!((stat.entries, stat.bytes), used(&few), "the map agrees");
    // What it has may change, and others may have more.
    assert!(matches!(now(&mut one, add(b"n")), MapReply::Counted(2, _)));
    assert!(matches!(
        now(&mut one, set(b"a", &[1; 12])),
        MapReply::Number(_)
    ));
    assert!(matches!(
        now(&mut other, set(b"b", &[1; 500])),
        MapReply::Number(_)
    ));
    assert_eq!(used(&few), (2, 2 * cost(10)));
}

#[test]
fn an_entry_is_paid_by_who_set_it_last() {
    let house = House::new();
    let (first, second) = (room(3, 9000), room(3, 9000));
    let (mut one, mut two) = (
        user(&house, "one", Some(&first)),
        user(&house, "two", Some(&second)),
    );
    let mut free = user(&house, "free", None);
    now(&mut one, set(b"a", b"12345"));
    now(&mut two, set(b"a", b"123"));
    assert_eq!((used(&first), used(&second)), ((0, 0), (1, cost(3))));
    now(&mut free, set(b"a", b"1"));
    assert_eq!(used(&second), (0, 0));
    // Adding to a counter does not make it one's own.
    now(&mut one, add(b"n"));
    now(&mut two, add(b"n"));
    now(&mut free, add(b"n"));
    assert_eq!((used(&first), used(&second)), ((1, cost(8)), (0, 0)));
    let delete = MapCall::Delete {
        handle: 1,
        key: b"n",
    };
    assert_eq!(now(&mut free, delete), MapReply::Done);
    assert_eq!(used(&first), (0, 0));
    // By conditions too, and a refused one has cost nothing.
    let absent = MapCall::Set {
        handle: 1,
        key: b"a",
        value: b"12345678",
        terms: Terms::on(Condition::Absent),
    };
    assert!(matches!(now(&mut one, absent), MapReply::Refused(6, _)));
    assert_eq!(used(&first), (0, 0));
}

#[test]
fn what_ends_is_given_back() {
    let house = House::new();
    let few = room(2, 9000);
    let mut one = user(&house, "one", Some(&few));
    let brief = MapCall::Set {
        handle: 1,
        key: b"a",
        value: b"",
        terms: Terms::lasting(Duration::from_millis(5)),
    };
    now(&mut one, brief);
    now(&mut one, set(b"b", b""));
    assert_eq!(now(&mut one, set(b"c", b"")), NOSPC);
    house.clock.advance(Duration::from_millis(5));
    assert!(matches!(now(&mut one, set(b"c", b"")), MapReply::Number(_)));
    assert_eq!(used(&few), (2, 2 * cost(0)));
    now(&mut one, MapCall::Clear { handle: 1 });
    assert_eq!(used(&few), (0, 0));
    now(&mut one, set(b"c", b""));
    drop(one);
    house.engine.undefine("tenant", "cache");
    house.rest();
    assert_eq!(used(&few), (0, 0), "with the map");
}

#[test]
fn batches_are_paid_as_a_whole() {
    let house = House::new();
    let (few, others) = (room(2, 9000), room(9, 9000));
    let (mut one, mut two) = (
        user(&house, "one", Some(&few)),
        user(&house, "two", Some(&others)),
    );
    now(&mut two, set(b"a", b"12345"));
    now(&mut two, add(b"n"));
    let put = |key| MapOp::Set {
        key,
        value: b"1",
        terms: Terms::default(),
    };
    let plus = MapOp::Add {
        key: b"n",
        delta: 1,
    };
    let batch = |ops| MapCall::Batch { handle: 1, ops };
    let three = [put(b"a"), put(b"b"), plus, put(b"c")];
    let before = house.engine.find("tenant", "cache").unwrap();
    let before = before.map().store().list(b"", None, 9);
    assert_eq!(now(&mut one, batch(&three)), NOSPC);
    let map = house.engine.find("tenant", "cache").unwrap();
    assert_eq!(map.map().store().list(b"", None, 9), before);
    assert_eq!((used(&few).0, used(&others).0), (0, 2));
    assert!(matches!(
        now(&mut one, batch(&three[..3])),
        MapReply::Bytes(_)
    ));
    assert_eq!(used(&few), (2, 2 * cost(1)));
    assert_eq!(used(&others), (1, cost(8)), "the counter is theirs still");
    // One goes and one comes.
    let swap = [MapOp::Delete { key: b"b" }, put(b"a")];
    now(&mut one, batch(&swap));
    assert_eq!(used(&few), (1, cost(1)));
}

#[test]
fn a_full_use_takes_nothing_from_others() {
    let house = House::new();
    house.engine.undefine("tenant", "cache");
    let options = MapOptions {
        eviction: Eviction::Lru,
        ..MapOptions::default()
    };
    let owner = Arc::new(unlimited());
    house
        .engine
        .define("tenant", "cache", (options, &owner))
        .unwrap();
    let few = room(1, 9000);
    let mut one = user(&house, "one", Some(&few));
    let mut other = user(&house, "other", None);
    for key in 0..20_u8 {
        now(&mut other, set(&[key], b"x"));
    }
    now(&mut one, set(b"a", b"x"));
    assert_eq!(now(&mut one, set(b"b", b"x")), NOSPC);
    let map = house.engine.find("tenant", "cache").unwrap();
    let stat = map.map().store().stat().now().unwrap();
    assert_eq!((stat.entries, stat.evicted), (21, 0));
}

/// Duplicates, loans, tickets, copies of the table and references pay from the same room.
#[test]
fn no_way_leads_around_it() {
    let house = House::new();
    let few = room(1, 9000);
    let mut one = user(&house, "one", Some(&few));
    let mut other = user(&house, "other", None);
    now(&mut one, set(b"a", b"x"));
    let with = |handle| MapCall::Set {
        handle,
        key: b"b",
        value: b"x",
        terms: Terms::default(),
    };
    let dup = one.dup(1, Rights::WRITE.and(Rights::SHARE)).unwrap();
    assert_eq!(now(&mut one, with(dup)), NOSPC);
    let lent = one.lend(1, Rights::WRITE, ("other", Ends::WithInstance));
    let lent = other.accept(&lent.unwrap()).unwrap();
    assert_eq!(now(&mut other, with(lent)), NOSPC, "who lends pays");
    let moved = one.transfer(dup, "other").unwrap();
    let moved = other.accept(&moved).unwrap();
    assert_eq!(now(&mut other, with(moved)), NOSPC);
    let own = one.create(MapOptions::anonymous()).unwrap();
    one.put_map(own, b"way", 1).unwrap();
    let found = one.get_map(own, b"way").unwrap();
    assert_eq!(now(&mut one, with(found)), NOSPC);
    let mut copy = one.copy();
    assert_eq!(now(&mut copy, with(1)), NOSPC);
    let region = MapCall::RegionCreate {
        handle: 1,
        key: b"b",
        bytes: 4096,
    };
    assert_eq!(now(&mut one, region), NOSPC);
    let child = MapCall::PutMap {
        handle: 1,
        key: b"b",
        child: own,
    };
    assert_eq!(now(&mut one, child), NOSPC);
    assert_eq!(used(&few), (1, cost(1)));
    // A reference takes room as an entry does, and gives it back.
    now(&mut one, MapCall::Clear { handle: 1 });
    assert!(matches!(now(&mut one, child), MapReply::Number(_)));
    assert_eq!(used(&few).0, 1);
    now(&mut one, MapCall::Clear { handle: 1 });
    assert_eq!(used(&few), (0, 0));
}

/// Whatever all do at once: each has what its entries cost, and never more than it may.
#[test]
fn many_threads_agree_on_who_pays() {
    let house = House::new();
    let rooms = [room(40, 20_000), room(40, 20_000)];
    let map = house.engine.find("tenant", "cache").unwrap();
    std::thread::scope(|scope| {
        for (number, room) in rooms.iter().enumerate() {
            let mut user = user(&house, "one", Some(room));
            scope.spawn(move || {
                for step in 0..20_000_usize {
                    let mixed = step.wrapping_mul(0x9E37_79B9 + number) >> 7;
                    let key = [u8::try_from(mixed % 60).unwrap()];
                    let value = vec![7; mixed % 300];
                    match mixed % 5 {
                        0 => drop(user.call(
                            MapCall::Delete {
                                handle: 1,
                                key: &key,
                            },
                            Ends::WithInstance,
                        )),
                        1 => {
                            let terms = Terms::default();
                            let value = &value[..];
                            let ops = [
                                MapOp::Set {
                                    key: &key,
                                    value,
                                    terms,
                                },
                                MapOp::Delete { key: b"x" },
                                MapOp::Set {
                                    key: b"y",
                                    value,
                                    terms,
                                },
                            ];
                            drop(user.call(
                                MapCall::Batch {
                                    handle: 1,
                                    ops: &ops,
                                },
                                Ends::WithInstance,
                            ));
                        }
                        _ => drop(user.call(set(&key, &value), Ends::WithInstance)),
                    }
                    let used = room.used();
                    assert!(used.entries <= 40 && used.bytes <= 20_000, "{used:?}");
                }
            });
        }
    });
    let stat = map.map().store().stat().now().unwrap();
    let sum = rooms.each_ref().map(|room| used(room));
    assert_eq!(
        (stat.entries, stat.bytes),
        (sum[0].0 + sum[1].0, sum[0].1 + sum[1].1)
    );
    let ops = [Op::Set("z".into(), Value::copy_of(b""), Terms::default())];
    map.map().store().all(&ops).unwrap();
    map.map().store().clear().now().unwrap();
    assert_eq!(rooms.each_ref().map(|room| used(room)), [(0, 0), (0, 0)]);
}

fn with_allowance(house: &House, units: u64) -> Handles {
    let prices = Prices {
        read: 1,
        write: 10,
        entry: 100,
        kilobyte: 1000,
    };
    let meter = Meter::new(None).with_allowance(Some(Allowance { units, prices }));
    let identity = Identity {
        in_use: "one".into(),
        grants: Arc::new(Grants::of("tenant").with("cache", Rights::ALL)),
        owner: Arc::new(unlimited()),
        meter: Arc::new(meter),
    };
    let mut handles = Handles::new(&house.engine, identity);
    assert_eq!(handles.open(b"cache", Rights::ALL), Ok(1));
    handles
}

fn of(handles: &mut Handles, request: u64, call: MapCall<'_>) -> MapReply {
    match handles.call(call, Ends::WithRequest(request)) {
        Called::Now(reply) => reply,
        Called::Later(_) => panic!("{call:?} is answered later"),
    }
}

#[test]
fn each_request_may_do_so_much() {
    let house = House::new();
    let mut one = with_allowance(&house, 25);
    assert!(one.counts_requests());
    assert!(matches!(
        of(&mut one, 1, add(b"n")),
        MapReply::Counted(1, _)
    ));
    assert!(matches!(
        of(&mut one, 1, add(b"n")),
        MapReply::Counted(2, _)
    ));
    assert_eq!(of(&mut one, 1, add(b"n")), NOSPC);
    let exists = MapCall::Exists {
        handle: 1,
        key: b"n",
    };
    for _ in 0..5 {
        assert_eq!(of(&mut one, 1, exists), MapReply::Number(1));
    }
    assert_eq!(of(&mut one, 1, exists), NOSPC);
    let rights = MapCall::Rights { handle: 1 };
    assert_eq!(
        of(&mut one, 1, rights),
        MapReply::Number(1023),
        "costs nothing"
    );
    // Another one has its own, and the first gets no more by that.
    assert!(matches!(
        of(&mut one, 2, add(b"n")),
        MapReply::Counted(3, _)
    ));
    assert_eq!(of(&mut one, 1, exists), NOSPC);
    one.end_request(1);
    assert!(matches!(
        of(&mut one, 1, add(b"n")),
        MapReply::Counted(4, _)
    ));
    // What is done outside of requests is nobody's.
    for _ in 0..9 {
        assert!(matches!(now(&mut one, add(b"n")), MapReply::Counted(..)));
    }
    assert_eq!(one_call(&house), (3, NOSPC));
}

/// Of an instance that is made for one call: how many additions are done, and what is then answered.
fn one_call(house: &House) -> (u32, MapReply) {
    let mut one = with_allowance(house, 30).of_one_request();
    let mut done = 0;
    loop {
        match now(&mut one, add(b"n")) {
            MapReply::Counted(..) => done += 1,
            reply => return (done, reply),
        }
    }
}

/// The bytes of what was read are owed.
#[test]
fn what_turns_out_later_counts_for_the_request() {
    let house = House::new();
    let mut one = with_allowance(&house, 2500);
    now(&mut one, set(b"a", &[1; 2000]));
    let get = MapCall::Get {
        handle: 1,
        key: b"a",
    };
    assert!(matches!(of(&mut one, 7, get), MapReply::Entry(..)));
    assert!(
        matches!(of(&mut one, 7, get), MapReply::Entry(..)),
        "401 are left"
    );
    assert_eq!(of(&mut one, 7, get), NOSPC);
    assert!(matches!(of(&mut one, 8, get), MapReply::Entry(..)));
}
