//! The behavioural suite on each kind of servers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use weir_maps::{MapError, MapOptions, Store as _};
use weir_stores::redis::{RedisMap, RedisStore, RedisStoreConfig, RedisStores};

use crate::servers::{Cluster, Program, Sentinels, Server, until};
use crate::suite::random::Run;
use crate::suite::{Backend, Plain, Times, rows, table, wait};

/// A kind of servers.
pub(crate) trait Kind {
    /// Over how many slots maps are spread.
    const SLOTS: u16 = 1;

    fn start() -> Self;

    fn config(&self) -> RedisStoreConfig;
}

/// Maps on them.
pub(crate) struct Remote<K> {
    stores: RedisStores,
    maps: AtomicU32,
    servers: K,
}

impl<K: Kind> Default for Remote<K> {
    fn default() -> Self {
        let servers = K::start();
        let mut config = servers.config();
        config.deadline = Duration::from_secs(5);
        Self {
            stores: RedisStores::open(config).unwrap(),
            maps: AtomicU32::new(0),
            servers,
        }
    }
}

impl<K: Kind> Backend for Remote<K> {
    type Store = RedisStore;

    const TIMES: Times = Times {
        life: Duration::from_millis(1500),
        nearly: Duration::from_millis(800),
        just: Duration::from_millis(800),
        long: Duration::from_secs(3),
    };

    fn open(&self, options: MapOptions) -> RedisStore {
        let name = format!("map {}", self.maps.fetch_add(1, Ordering::Relaxed));
        let map = RedisMap {
            scope: "suite",
            name: &name,
            slots: K::SLOTS,
        };
        self.stores.map(map, options).unwrap()
    }

    fn pass(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn settle(&self) {
        std::thread::sleep(Duration::from_millis(40));
    }
}

/// Runs all rows but some, and says which do not hold.
fn run<K: Kind>(title: &str, without: &[&str]) {
    run_and_interrupt::<K>(title, without, |_| {});
}

/// The same, and in the middle something happens to the servers.
fn run_and_interrupt<K: Kind>(title: &str, without: &[&str], happens: impl FnOnce(&Remote<K>)) {
    let backend = Remote::<K>::default();
    let mut failed = vec![];
    let mut held = vec![];
    let rows = rows();
    let mut happens = Some(happens);
    for (number, (name, row)) in rows.iter().enumerate() {
        if let Some(happens) = happens.take_if(|_| number * 2 > rows.len()) {
            happens(&backend);
        }
        if without.contains(name) {
            continue;
        }
        match catch_unwind(AssertUnwindSafe(|| row(&backend))) {
            Ok(()) => held.push(*name),
            Err(_) => failed.push(*name),
        }
    }
    println!(
        "{title}: {} rows hold, {} are left out",
        held.len(),
        without.len()
    );
    assert!(failed.is_empty(), "{title}: {failed:?}");
    table::check(title, &held);
}

/// With a login and a database of its own.
struct OneRedis(Server);

impl Kind for OneRedis {
    fn start() -> Self {
        let server = Server::start(Program::Redis, &[]);
        let user = [
            "acl",
            "setuser",
            "weir",
            "on",
            ">secret",
            "~maps:*",
            "&maps:*",
            "-@all",
            "+@connection",
            "+@hash",
            "+@sortedset",
            "+@scripting",
            "+@pubsub",
            "+time",
            "+unlink",
            "+role",
        ];
        assert_eq!(server.tell(&user), "OK");
        assert_eq!(server.tell(&["acl", "setuser", "default", "off"]), "OK");
        Self(server)
    }

    fn config(&self) -> RedisStoreConfig {
        let mut config = self.0.config();
        config.username = Some("weir".into());
        config.password = Some("secret".into());
        config.database = 3;
        config.prefix = "maps".into();
        config
    }
}

struct OneValkey(Server);

impl Kind for OneValkey {
    fn start() -> Self {
        Self(Server::start(Program::Valkey, &[]))
    }

    fn config(&self) -> RedisStoreConfig {
        self.0.config()
    }
}

impl Kind for Sentinels {
    fn start() -> Self {
        Self::start()
    }

    fn config(&self) -> RedisStoreConfig {
        self.config()
    }
}

impl Kind for Cluster {
    fn start() -> Self {
        Self::start(Program::Redis)
    }

    fn config(&self) -> RedisStoreConfig {
        self.config()
    }
}

/// Maps that are spread.
struct Spread(Cluster);

impl Kind for Spread {
    const SLOTS: u16 = 7;

    fn start() -> Self {
        Self(Cluster::start(Program::Redis))
    }

    fn config(&self) -> RedisStoreConfig {
        self.0.config()
    }
}

struct ValkeyCluster(Cluster);

impl Kind for ValkeyCluster {
    fn start() -> Self {
        Self(Cluster::start(Program::Valkey))
    }

    fn config(&self) -> RedisStoreConfig {
        self.0.config()
    }
}

/// A map that is spread cannot do all of it.
#[test]
fn random_operations_agree_with_a_plain_map() {
    let backend = Remote::<OneRedis>::default();
    for seed in 0..4 {
        let mut run = Run::new(backend.open(MapOptions::default()), seed).timeless();
        run.steps(700, |_| {});
        run.compare();
        run.compare_room();
        wait(run.map.clear()).unwrap();
        assert_eq!(run.map.used(), (0, 0));
    }
}

#[test]
fn a_redis_with_a_login() {
    run::<OneRedis>("Redis", &[]);
}

#[test]
fn a_valkey() {
    run::<OneValkey>("Valkey", &[]);
}

#[test]
fn a_redis_behind_sentinels() {
    run::<Sentinels>("Redis with sentinels", &[]);
}

/// One of the primaries fails in the middle; its replica takes over.
#[test]
fn a_cluster() {
    run_and_interrupt::<Cluster>("Redis cluster", &[], |backend| {
        let map = backend.open(MapOptions::default());
        map.set(b"before", b"x").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let number = backend.maps.load(Ordering::Relaxed) - 1;
        let key = format!("weir:{{suite/map%20{number}/0}}:entries");
        let owner = backend.servers.owner(&key);
        backend.servers.servers[owner].kill();
        until("the replica has taken over", || {
            map.set(b"after", b"x").is_ok()
        });
        assert_eq!(map.text(b"before").as_deref(), Some("x"));
    });
}

#[test]
fn a_valkey_cluster() {
    run::<ValkeyCluster>("Valkey cluster", &[]);
}

/// What is spread promises less, and says so.
#[test]
fn a_cluster_over_which_maps_are_spread() {
    let weaker = [
        // Not supported.
        "entries::clear_removes_everything_once",
        "entries::maps_do_not_see_each_other",
        "limits::a_removed_entry_gives_its_room_back",
        "expiry::many_that_ended_make_room_for_one",
        "together::a_batch_is_done_in_order",
        "together::one_refusal_undoes_all",
        "together::a_batch_is_counted_as_a_whole",
        "watches::changes_are_told",
        "watches::a_clear_is_told",
        // Each slot has its share of the room.
        "expiry::what_ended_makes_room",
        "limits::entries_are_bounded",
        "limits::bytes_are_bounded",
        "limits::what_shrinks_is_admitted",
        // Each entry's versions increase, not those of all entries together.
        "entries::versions_increase_and_outlive_the_entry",
    ];
    run::<Spread>("Redis cluster, maps over seven slots", &weaker);
}

#[test]
fn what_a_spread_map_cannot_do_is_said() {
    let backend = Remote::<Spread>::default();
    let map = backend.open(MapOptions::default());
    let ops: Vec<_> = (0..20_u8)
        .map(|key| weir_maps::store::Op::Add(vec![key].into(), 1))
        .collect();
    assert!(matches!(map.all(&ops), Err(MapError::NotSupported(_))));
    assert!(map.keys(b"", 9).is_empty());
    map.all(&ops[..1]).unwrap();
    assert!(matches!(wait(map.clear()), Err(MapError::NotSupported(_))));
    let mut last = 0;
    for _ in 0..5 {
        let version = map.plus(b"n", 1).unwrap().version;
        assert!(version > last);
        last = version;
        map.delete(b"n").unwrap();
    }
    let few = MapOptions {
        entries_max: 7 * 10,
        ..MapOptions::default()
    };
    let map = backend.open(few);
    let stored = (0..1000_u32).filter(|key| map.set(&key.to_le_bytes(), b"x").is_ok());
    assert_eq!(stored.count(), 70, "each slot has its share");
}
