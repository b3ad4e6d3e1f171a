//! Counters and ends, with many clients at once.

use std::time::Duration;

use weir_maps::store::{Done, Op};
use weir_maps::{MapError, MapOptions, Store as _, Terms, Value};
use weir_stores::redis::{RedisMap, RedisStore, RedisStores};

use crate::servers::{Program, Server, until};
use crate::suite::{Plain, block_on, wait};

const MAP: RedisMap<'_> = RedisMap {
    scope: "exact",
    name: "map",
    slots: 1,
};

fn gateway(server: &Server) -> RedisStore {
    let stores = RedisStores::open(server.config()).unwrap();
    stores.map(MAP, MapOptions::default()).unwrap()
}

/// Two back ends as two gateways have them, eight threads each; every sum is seen by exactly one.
/// `examples/increments.rs` does the same with two processes, and a million.
#[test]
fn increments_of_many_clients_are_exact() {
    const EACH: i64 = 2000;
    let server = Server::start(Program::Redis, &[]);
    let gateways = [gateway(&server), gateway(&server)];
    let mut sums: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> = gateways
            .iter()
            .flat_map(|map| [map; 8])
            .map(|map| scope.spawn(|| counted(map, EACH)))
            .collect();
        threads
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    });
    sums.sort_unstable();
    assert_eq!(sums, (1..=16 * EACH).collect::<Vec<_>>());
}

/// Sixteen at a time.
fn counted(map: &RedisStore, times: i64) -> Vec<i64> {
    let mut sums = vec![];
    for _ in 0..times / 16 {
        let under_way: Vec<_> = (0..16).map(|_| map.add(b"n", 1)).collect();
        let done = under_way
            .into_iter()
            .map(|answer| block_on(answer.wait()).unwrap().value);
        sums.extend(done);
    }
    sums
}

#[test]
fn swaps_of_many_clients_lose_nothing() {
    let server = Server::start(Program::Redis, &[]);
    let gateways = [gateway(&server), gateway(&server)];
    gateways[0].set(b"n", &0_i64.to_le_bytes()).unwrap();
    std::thread::scope(|scope| {
        for map in gateways.iter().flat_map(|map| [map; 4]) {
            scope.spawn(|| {
                let mut left = 100;
                while left > 0 {
                    let found = map.entry(b"n").unwrap();
                    let next = found.value.as_number().unwrap() + 1;
                    match map.cas(b"n", found.version, &next.to_le_bytes()) {
                        Ok(_) => left -= 1,
                        Err(MapError::Again { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(gateways[1].plus(b"n", 0).unwrap().value, 800);
}

/// Against the server's own clock, read before and after each look.
#[test]
fn an_entry_ends_at_its_millisecond() {
    let server = Server::start(Program::Redis, &[]);
    let map = gateway(&server);
    for _ in 0..10 {
        map.set_on(b"k", b"x", Terms::lasting(Duration::from_millis(300)))
            .unwrap();
        let ends = server.tell(&["zscore", "weir:{exact/map/0}:ends", "k"]);
        let ends: u64 = ends.parse().unwrap();
        loop {
            let before = now_ms(&server);
            let there = map.entry(b"k").is_some();
            let listed = !map.keys(b"", 1).is_empty();
            let after = now_ms(&server);
            assert!(there || listed || after >= ends, "ended too early");
            assert!(!(there || listed) || before < ends, "ended too late");
            if before >= ends {
                break;
            }
        }
    }
}

fn now_ms(server: &Server) -> u64 {
    let time = server.tell(&["time"]);
    let (seconds, micros) = time.split_once('\n').unwrap();
    seconds.parse::<u64>().unwrap() * 1000 + micros.parse::<u64>().unwrap() / 1000
}

/// Not by several changes in one step, nor when the server's clock is set back, nor when it has lost
/// everything.
#[test]
fn versions_never_come_back() {
    let server = Server::start(Program::Redis, &[]);
    let map = gateway(&server);
    let mut versions = vec![map.set(b"k", b"x").unwrap()];
    let set = || Op::Set("k".into(), Value::copy_of(b"x"), Terms::default());
    for done in map.all(&[set(), set(), set()]).unwrap() {
        let Done::Stored(version) = done else {
            panic!("{done:?}");
        };
        versions.push(version);
    }
    let state = "weir:{exact/map/0}:state";
    let ahead = (versions[3] + 3_600_000_000).to_string();
    server.tell(&["hset", state, "version", &ahead]);
    versions.extend((0..3).map(|_| map.set(b"k", b"x").unwrap()));
    assert!(
        versions.is_sorted_by(|one, next| one < next),
        "{versions:?}"
    );
    server.tell(&["flushall"]);
    assert!(map.set(b"k", b"x").unwrap() > versions[3]);
    // As in memory: for Proxy-Wasm half of a version is one too.
    server.tell(&[
        "hset",
        state,
        "version",
        &(4_294_967_296_u64 * 1_000_000 - 1).to_string(),
    ]);
    assert_eq!(map.set(b"k", b"x").unwrap(), 4_294_967_296 * 1_000_000 + 1);
}

#[test]
fn what_is_removed_leaves_nothing() {
    let server = Server::start(Program::Redis, &[]);
    let map = gateway(&server);
    let brief = Terms::lasting(Duration::from_millis(50));
    let fill = || {
        for key in 0..20_u8 {
            map.set_on(&[key], b"x", brief).unwrap();
            map.set(&[key, 1], b"x").unwrap();
        }
    };
    let left = || server.tell(&["--raw", "keys", "*"]);
    fill();
    wait(map.clear()).unwrap();
    assert_eq!(left(), "weir:{exact/map/0}:state");
    fill();
    for key in 0..20_u8 {
        map.delete(&[key, 1]).unwrap();
        map.set(&[key], b"stays").unwrap();
    }
    assert_eq!(server.tell(&["exists", "weir:{exact/map/0}:ends"]), "0");
    for key in 0..20_u8 {
        map.delete(&[key]).unwrap();
    }
    assert_eq!(
        (left().as_str(), map.used()),
        ("weir:{exact/map/0}:state", (0, 0))
    );
    fill();
    let ops: Vec<Op> = (0..20_u8)
        .map(|key| Op::Delete(vec![key, 1].into()))
        .collect();
    map.all(&ops).unwrap();
    until("what ended is swept", || {
        left() == "weir:{exact/map/0}:state"
    });
    assert_eq!(map.used(), (0, 0));
}

/// Without waiting for a sweep.
#[test]
fn what_ended_makes_room_at_once() {
    let server = Server::start(Program::Redis, &[]);
    let stores = RedisStores::open(server.config()).unwrap();
    let few = MapOptions {
        entries_max: 3,
        ..MapOptions::default()
    };
    let map = stores.map(MAP, few).unwrap();
    for round in 0..10_u8 {
        for key in 0..3 {
            let brief = Terms::lasting(Duration::from_millis(30));
            map.set_on(&[round, key], b"x", brief).unwrap();
        }
        std::thread::sleep(Duration::from_millis(32));
    }
}

#[test]
fn a_batch_may_put_an_entry_in_the_place_of_another() {
    let server = Server::start(Program::Redis, &[]);
    let stores = RedisStores::open(server.config()).unwrap();
    let few = MapOptions {
        entries_max: 2,
        bytes_max: 2 * 160 + 8,
        ..MapOptions::default()
    };
    let map = stores.map(MAP, few).unwrap();
    map.set(b"a", b"123").unwrap();
    map.set(b"b", b"123").unwrap();
    let set = |key: &'static str| Op::Set(key.into(), Value::copy_of(b"123"), Terms::default());
    let delete = Op::Delete("a".into());
    assert!(map.all(&[set("c")]).is_err());
    map.all(&[set("c"), delete.clone()]).unwrap();
    assert_eq!(
        (map.keys(b"", 9), map.used()),
        (vec![b"b".to_vec(), b"c".to_vec()], (2, 328))
    );
    assert!(
        map.all(&[set("d"), delete]).is_err(),
        "there is no such entry any more"
    );
}
