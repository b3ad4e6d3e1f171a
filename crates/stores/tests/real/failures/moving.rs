//! Servers that take over from others, and counters meanwhile.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use weir_maps::{Change, MapError};
use weir_stores::redis::RedisStore;

use super::{DEADLINE, alone, named, stores};
use crate::servers::{Cluster, Program, Sentinels, Server, until};
use crate::suite::Plain;

/// What the servers did, as the clients know it.
#[derive(Default)]
struct Tally {
    done: AtomicI64,
    unknown: AtomicI64,
    stop: AtomicBool,
}

impl Tally {
    /// Counts until it is told to stop.
    fn count(&self, map: &RedisStore) {
        while !self.stop.load(Ordering::Relaxed) {
            match map.plus(b"n", 1) {
                Ok(_) => self.done.fetch_add(1, Ordering::Relaxed),
                Err(MapError::Io(_) | MapError::TimedOut) => {
                    self.unknown.fetch_add(1, Ordering::Relaxed)
                }
                Err(error) => panic!("{error}"),
            };
        }
    }
}

/// Counts with several threads while something happens, and a little after it is over. Nothing that
/// was not asked for is counted; with `lost` not even what was acknowledged must be there, as
/// replicas follow a little later.
fn counted_during(map: &RedisStore, lost: bool, happens: impl FnOnce()) {
    let tally = Tally::default();
    let begin = map.plus(b"n", 0).unwrap().value;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| tally.count(map));
        }
        std::thread::sleep(Duration::from_millis(300));
        happens();
        let before = tally.done.load(Ordering::Relaxed);
        until("it goes on", || {
            tally.done.load(Ordering::Relaxed) > before + 100
        });
        tally.stop.store(true, Ordering::Relaxed);
    });
    let (done, unknown) = (tally.done.into_inner(), tally.unknown.into_inner());
    let count = map.plus(b"n", 0).unwrap().value - begin;
    println!("{done} acknowledged, {unknown} unknown, {count} counted");
    assert!(
        count <= done + unknown,
        "{count} counted, {done} + {unknown} asked for"
    );
    assert!(
        lost || count >= done,
        "{count} counted, {done} acknowledged"
    );
}

#[test]
fn broken_connections_count_nothing_twice() {
    let server = Server::start(Program::Redis, &[]);
    let map = alone(&server);
    counted_during(&map, false, || {
        for _ in 0..5 {
            server.tell(&["client", "kill", "type", "normal"]);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn sentinels_fail_over() {
    let group = Sentinels::start();
    let map = named(&stores(group.config()), "map", 1);
    let watch = map.follow(b"");
    let begun = Instant::now();
    counted_during(&map, true, || {
        group.primary.kill();
        until("the replica has taken over", || {
            map.plus(b"again", 1).is_ok()
        });
        println!("sentinels: writes again after {:?}", begun.elapsed());
    });
    until("the gap is told", || {
        watch.try_next() == Some(Change::Resync)
    });
}

#[test]
fn a_cluster_fails_over() {
    let cluster = Cluster::start(Program::Redis);
    let stores = stores(cluster.config());
    let map = named(&stores, "map", 1);
    let spread = named(&stores, "spread", 8);
    let watch = map.follow(b"");
    for key in 0..100_u8 {
        spread.set(&[key], b"x").unwrap();
    }
    std::thread::sleep(Duration::from_millis(200));
    let owner = cluster.owner("weir:{failures/map/0}:entries");
    let begun = Instant::now();
    counted_during(&map, true, || {
        cluster.servers[owner].kill();
        until("the replica has taken over", || {
            map.plus(b"again", 1).is_ok()
        });
        println!("cluster: writes again after {:?}", begun.elapsed());
    });
    until("the gap is told", || {
        watch.try_next() == Some(Change::Resync)
    });
    assert_eq!(spread.keys(b"", 30).len(), 100, "all slots are there");
    map.set(b"after", b"x").unwrap();
    until(
        "changes are told again",
        || matches!(watch.try_next(), Some(Change::Entry { key, .. }) if key.bytes() == b"after"),
    );
}

/// A failover by hand, and a slot that moves, lose nothing: the servers agree before.
#[test]
fn a_cluster_that_is_changed_by_hand_loses_nothing() {
    let cluster = Cluster::start(Program::Redis);
    let map = named(&stores(cluster.config()), "map", 1);
    let key = "weir:{failures/map/0}:entries";
    counted_during(&map, false, || {
        let owner = cluster.owner(key);
        let id = cluster.servers[owner].tell(&["cluster", "myid"]);
        let replica = cluster.servers.iter().find(|server| {
            server
                .tell(&["cluster", "nodes"])
                .lines()
                .any(|line| line.contains("myself") && line.contains(&id))
                && server.tell(&["cluster", "myid"]) != id
        });
        assert_eq!(replica.unwrap().tell(&["cluster", "failover"]), "OK");
        until("the replica has taken over", || cluster.owner(key) != owner);
    });
    map.set(b"k", b"there all the time").unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Reads find the entries where they are by then.
        let read = || {
            while !over.load(Ordering::Relaxed) {
                assert_eq!(map.text(b"k").as_deref(), Some("there all the time"));
            }
        };
        let reader = scope.spawn(read);
        counted_during(&map, false, || move_slot(&cluster, key));
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

/// Moves a key's slot to another node, one key at a time, as `redis-cli --cluster reshard` does.
fn move_slot(cluster: &Cluster, key: &str) {
    let from = cluster.owner(key);
    let slot = cluster.servers[from].tell(&["cluster", "keyslot", key]);
    let is_primary = |at: &usize| cluster.servers[*at].tell(&["role"]).starts_with("master");
    let to = (0..6).filter(|at| *at != from).find(is_primary).unwrap();
    let (source, goal) = (&cluster.servers[from], &cluster.servers[to]);
    let (source_id, goal_id) = (
        source.tell(&["cluster", "myid"]),
        goal.tell(&["cluster", "myid"]),
    );
    assert_eq!(
        goal.tell(&["cluster", "setslot", &slot, "importing", &source_id]),
        "OK"
    );
    assert_eq!(
        source.tell(&["cluster", "setslot", &slot, "migrating", &goal_id]),
        "OK"
    );
    let port = goal.port.to_string();
    until("all keys have moved", || {
        let keys = source.tell(&["cluster", "getkeysinslot", &slot, "10"]);
        for key in keys.lines() {
            source.tell(&["migrate", "127.0.0.1", &port, key, "0", "1000"]);
        }
        keys.is_empty()
    });
    // Longer than a deadline: who reads must have found its way by now.
    std::thread::sleep(DEADLINE + Duration::from_millis(300));
    for server in [goal, source] {
        assert_eq!(
            server.tell(&["cluster", "setslot", &slot, "node", &goal_id]),
            "OK"
        );
    }
}
