//! Near caches of maps in Redis, and the numbers that a gateway has of them without asking.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_maps::{
    Answer, MapOptions, NearCache, NearOptions, Store as _, SystemClock, Terms, Value,
};
use weir_stores::redis::{RedisMap, RedisStore, RedisStores};

use crate::servers::{Cluster, Program, Server};
use crate::suite::{Plain as _, wait};

/// Longer than any test: what is seen before that was told.
const TTL: Duration = Duration::from_mins(10);

fn map(stores: &RedisStores) -> RedisStore {
    let map = RedisMap {
        scope: "near",
        name: "map",
        slots: 2,
    };
    stores.map(map, MapOptions::default()).unwrap()
}

fn near(stores: &RedisStores, ttl: Duration) -> NearCache<RedisStore> {
    let options = NearOptions {
        ttl,
        entries_max: 1000,
        bytes_max: 1 << 20,
    };
    NearCache::new(map(stores), options, Arc::<SystemClock>::default())
}

fn is_at_hand(map: &NearCache<RedisStore>, key: &[u8]) -> bool {
    matches!(map.read(key, &mut |_| ()), Answer::Now(Ok(_)))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begun.elapsed()
}

/// What one gateway changes, the other one reads long before its time is up.
fn changes_are_told(one: &RedisStores, other: &RedisStores) {
    let (near, far) = (near(one, TTL), map(other));
    far.set(b"a", b"1").unwrap();
    assert_eq!(near.text(b"a").as_deref(), Some("1"));
    until("it follows", || {
        near.entry(b"b");
        near.known().near.unwrap().follows
    });
    near.entry(b"a");
    assert!(is_at_hand(&near, b"a"));
    let before = near.known().traffic.unwrap().requests;
    for _ in 0..100 {
        assert_eq!(near.text(b"a").as_deref(), Some("1"));
    }
    assert_eq!(near.known().traffic.unwrap().requests, before);
    // Its own changes, at once.
    for round in 0..50_i64 {
        near.set(b"a", round.to_string().as_bytes()).unwrap();
        assert_eq!(near.text(b"a"), Some(round.to_string()));
        assert_eq!(near.plus(b"n", 1).unwrap().value, round + 1);
        assert_eq!(near.entry(b"n").unwrap().value.as_number(), Ok(round + 1));
    }
    // Those of others, when they are told.
    far.set(b"a", b"theirs").unwrap();
    let took = until("the change was told", || {
        near.text(b"a").as_deref() == Some("theirs")
    });
    println!("a change of another gateway was seen after {took:?}");
    far.delete(b"a").unwrap();
    until("its end was told", || near.entry(b"a").is_none());
    let short = Terms::lasting(Duration::from_millis(300));
    wait(far.write(b"a", Value::copy_of(b"short"), short)).unwrap();
    until("it came", || near.text(b"a").as_deref() == Some("short"));
    until("it ended", || near.entry(b"a").is_none());
}

#[test]
fn a_cache_on_one_server_follows() {
    let server = Server::start(Program::Redis, &[]);
    let stores = [(), ()].map(|()| RedisStores::open(server.config()).unwrap());
    changes_are_told(&stores[0], &stores[1]);
}

#[test]
fn a_cache_on_valkey_follows() {
    let server = Server::start(Program::Valkey, &[]);
    let stores = [(), ()].map(|()| RedisStores::open(server.config()).unwrap());
    changes_are_told(&stores[0], &stores[1]);
}

#[test]
fn a_cache_on_a_cluster_follows() {
    let cluster = Cluster::start(Program::Redis);
    let stores = [(), ()].map(|()| RedisStores::open(cluster.config()).unwrap());
    changes_are_told(&stores[0], &stores[1]);
}

/// Two gateways with caches count and compare: nothing is lost, as conditions are the servers'.
#[test]
fn conditions_are_exact_with_caches() {
    let server = Server::start(Program::Redis, &[]);
    let stores = [(), ()].map(|()| RedisStores::open(server.config()).unwrap());
    let caches = [near(&stores[0], TTL), near(&stores[1], TTL)];
    std::thread::scope(|scope| {
        for cache in &caches {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut done = 0;
                    while done < 250 {
                        let (number, version) = cache.entry(b"n").map_or((0, 0), |found| {
                            (found.value.as_number().unwrap(), found.version)
                        });
                        let next = (number + 1).to_le_bytes();
                        done += u32::from(cache.cas(b"n", version, &next).is_ok());
                    }
                });
            }
        }
    });
    let sum = map(&stores[0]).entry(b"n").unwrap();
    assert_eq!(sum.value.as_number(), Ok(1000));
}

/// Without the servers a cache answers until its time is up; and what changed meanwhile is seen when
/// they are back.
#[test]
fn a_lost_server_is_missed_no_longer_than_the_time_says() {
    let server = Server::start(Program::Redis, &[]);
    let mut config = server.config();
    config.deadline = Duration::from_millis(200);
    let stores = RedisStores::open(config).unwrap();
    let near = near(&stores, Duration::from_secs(3));
    near.set(b"a", b"1").unwrap();
    until("it is kept", || {
        near.entry(b"a");
        is_at_hand(&near, b"a") && near.known().near.unwrap().follows
    });
    let (opened, lost) = stores.connections();
    assert_eq!((opened, lost), (1, 0));
    let asked = Instant::now();
    until("it is asked for anew", || {
        near.set(b"a", b"2").unwrap();
        near.entry(b"a");
        is_at_hand(&near, b"a")
    });
    server.kill();
    assert!(is_at_hand(&near, b"a"));
    until("its time is up", || !is_at_hand(&near, b"a"));
    assert!(asked.elapsed() >= Duration::from_millis(2950));
    let Answer::Later(read) = near.read(b"a", &mut |_| ()) else {
        panic!("it is kept too long");
    };
    assert!(crate::suite::block_on(read).is_err());
    let failed = near.known().traffic.unwrap().failed;
    assert!(failed >= 1, "{failed}");
    let server = server.revive();
    until("it is back, and empty", || {
        match near.read(b"a", &mut |_| ()) {
            Answer::Later(read) => matches!(crate::suite::block_on(read), Ok(None)),
            Answer::Now(_) => false,
        }
    });
    let (opened, lost) = stores.connections();
    assert_eq!((opened, lost), (2, 1));
    drop(server);
}

/// Numbers come with the sweep, and asking for them sends nothing.
#[test]
fn numbers_are_at_hand() {
    let server = Server::start(Program::Redis, &[]);
    let stores = RedisStores::open(server.config()).unwrap();
    let map = map(&stores);
    assert_eq!(map.known().stat, None);
    for number in 0..10_u8 {
        map.set(&[number], b"value").unwrap();
    }
    let soon = Terms::lasting(Duration::from_millis(1));
    wait(map.write(b"ends", Value::copy_of(b"v"), soon)).unwrap();
    until("it was swept", || {
        map.known()
            .stat
            .is_some_and(|stat| (stat.entries, stat.expired) == (10, 1))
    });
    let stat = map.known().stat.unwrap();
    assert_eq!(stat.bytes, 10 * 166);
    assert_eq!(wait(map.stat()).unwrap(), stat);
    let traffic = map.known().traffic.unwrap();
    // 11 writes, and one question to each of two slots.
    assert_eq!((traffic.requests, traffic.failed), (13, 0));
    assert!(
        traffic.micros > 0 && traffic.within[12] == 13,
        "{traffic:?}"
    );
}
