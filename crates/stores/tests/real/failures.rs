//! Servers that fail: what is answered then, how soon, and that nothing is done twice.

mod moving;

use std::time::{Duration, Instant};

use weir_maps::{Change, MapError, MapOptions, Store as _};
use weir_stores::redis::{RedisMap, RedisStore, RedisStoreConfig, RedisStores};

use crate::servers::{Program, Server, Wire, until};
use crate::suite::{Plain, wait};

const DEADLINE: Duration = Duration::from_millis(500);

fn stores(mut config: RedisStoreConfig) -> RedisStores {
    config.deadline = DEADLINE;
    RedisStores::open(config).unwrap()
}

fn named(stores: &RedisStores, name: &str, slots: u16) -> RedisStore {
    let scope = "failures";
    stores
        .map(RedisMap { scope, name, slots }, MapOptions::default())
        .unwrap()
}

fn alone(server: &Server) -> RedisStore {
    named(&stores(server.config()), "map", 1)
}

/// Runs an operation, which must not take longer than its deadline, and a little for a busy machine.
fn in_time<T>(operation: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = operation();
    let took = begun.elapsed();
    assert!(took < DEADLINE + Duration::from_millis(400), "{took:?}");
    result
}

#[test]
fn a_server_that_is_not_there_is_io() {
    let server = Server::start(Program::Redis, &[]);
    let config = server.config();
    drop(server);
    let map = named(&stores(config), "map", 1);
    let refused = in_time(|| map.set(b"k", b"x"));
    assert!(
        matches!(&refused, Err(MapError::Io(why)) if why.contains("refused")),
        "{refused:?}"
    );
    assert!(matches!(
        in_time(|| wait(map.watch(b""))),
        Err(MapError::Io(_))
    ));
    assert!(matches!(in_time(|| wait(map.stat())), Err(MapError::Io(_))));
}

#[test]
fn a_silent_server_is_timed_out_and_comes_back() {
    let server = Server::start(Program::Redis, &[]);
    let map = alone(&server);
    map.plus(b"n", 1).unwrap();
    server.freeze();
    assert_eq!(in_time(|| map.plus(b"n", 1)), Err(MapError::TimedOut));
    assert!(in_time(|| map.plus(b"n", 1)).is_err());
    server.thaw();
    until("it answers again", || map.plus(b"other", 1).is_ok());
    let count = map.plus(b"n", 0).unwrap().value;
    assert!(
        (1..=3).contains(&count),
        "none of them is done twice: {count}"
    );
}

/// The server did it, and the answer is lost: nobody may do it again.
#[test]
fn a_change_whose_answer_is_lost_is_not_sent_again() {
    let server = Server::start(Program::Redis, &[]);
    let wire = Wire::to(&server);
    let map = named(&stores(RedisStoreConfig::single(&wire.address())), "map", 1);
    let direct = alone(&server);
    map.plus(b"n", 1).unwrap();
    for round in 2..6 {
        wire.cut();
        let lost = in_time(|| map.plus(b"n", 1));
        assert!(
            matches!(&lost, Err(MapError::Io(why)) if why.contains("may have been done")),
            "{lost:?}"
        );
        assert_eq!(
            direct.plus(b"n", 0).unwrap().value,
            round,
            "once, and no more"
        );
        // What only reads is asked again.
        wire.cut();
        assert_eq!(map.entry(b"n").unwrap().value.as_number(), Ok(round));
    }
}

#[test]
fn a_connection_that_fell_silent_is_replaced() {
    let server = Server::start(Program::Redis, &[]);
    let wire = Wire::to(&server);
    let map = named(&stores(RedisStoreConfig::single(&wire.address())), "map", 1);
    map.plus(b"n", 1).unwrap();
    wire.swallow();
    assert_eq!(in_time(|| map.plus(b"n", 1)), Err(MapError::TimedOut));
    until("there is another connection", || map.plus(b"n", 0).is_ok());
    assert_eq!(map.plus(b"n", 0).unwrap().value, 2);
}

#[test]
fn a_wrong_password_is_said() {
    let server = Server::start(Program::Redis, &["--requirepass", "right"]);
    let mut config = server.config();
    config.password = Some("wrong".into());
    let refused = named(&stores(config), "map", 1).set(b"k", b"x");
    let said = matches!(&refused, Err(MapError::Io(why)) if why.to_lowercase().contains("pass") && !why.contains("wrong\""));
    assert!(said, "{refused:?}");
}

#[test]
fn a_full_server_is_no_space() {
    let server = Server::start(Program::Redis, &[]);
    let map = alone(&server);
    map.set(b"k", b"before").unwrap();
    let watch = map.follow(b"");
    server.tell(&["config", "set", "maxmemory", "1"]);
    assert!(matches!(
        map.set(b"k", b"after"),
        Err(MapError::NoSpace { .. })
    ));
    assert!(matches!(map.plus(b"n", 1), Err(MapError::NoSpace { .. })));
    assert_eq!(map.text(b"k").as_deref(), Some("before"));
    server.tell(&["config", "set", "maxmemory", "0"]);
    map.set(b"k", b"after").unwrap();
    until("the change is told", || watch.try_next().is_some());
}

/// Scripts are gone with a restart, and by a command; both are nothing to the caller.
#[test]
fn forgotten_scripts_are_loaded_again() {
    let server = Server::start(Program::Redis, &[]);
    let map = alone(&server);
    for round in 1..4 {
        assert_eq!(map.plus(b"n", 1).unwrap().value, round);
        assert_eq!(server.tell(&["script", "flush"]), "OK");
    }
    let server = server.revive();
    until("it answers again", || map.plus(b"n", 1).is_ok());
    drop(server);
}

/// What is stored elsewhere is not looked for here.
#[test]
fn another_number_of_slots_is_refused() {
    let server = Server::start(Program::Redis, &[]);
    let stores = stores(server.config());
    named(&stores, "map", 2).set(b"k", b"x").unwrap();
    let refused = named(&stores, "map", 3).set(b"k", b"x");
    assert!(
        matches!(&refused, Err(MapError::Io(why)) if why.contains("over 2 slots")),
        "{refused:?}"
    );
    assert_eq!(named(&stores, "map", 2).text(b"k").as_deref(), Some("x"));
}

#[test]
fn a_lost_subscription_is_a_gap() {
    let server = Server::start(Program::Redis, &[]);
    let map = alone(&server);
    let watch = map.follow(b"");
    assert_eq!(server.tell(&["client", "kill", "type", "pubsub"]), "1");
    map.set(b"k", b"x").unwrap();
    let mut told = vec![];
    let resync = |told: &[Change]| told.contains(&Change::Resync);
    let begun = Instant::now();
    while !resync(&told) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{told:?}");
        told.extend(watch.try_next());
        std::thread::sleep(Duration::from_millis(5));
    }
    map.set(b"after", b"x").unwrap();
    until(
        "changes are told again",
        || matches!(watch.try_next(), Some(Change::Entry { key, .. }) if key.bytes() == b"after"),
    );
}

/// The lease is what makes scripts publish: without it changes would be lost in silence.
#[test]
fn a_lost_lease_is_a_gap() {
    let server = Server::start(Program::Redis, &[]);
    let map = alone(&server);
    let watch = map.follow(b"");
    server.tell(&["flushall"]);
    map.set(b"unseen", b"x").unwrap();
    until("the gap is told", || {
        watch.try_next() == Some(Change::Resync)
    });
    map.set(b"after", b"x").unwrap();
    until("changes are told again", || watch.try_next().is_some());
}

#[test]
fn what_ends_is_told_when_nobody_writes() {
    let server = Server::start(Program::Redis, &[]);
    let map = alone(&server);
    let watch = map.follow(b"");
    let terms = weir_maps::Terms::lasting(Duration::from_millis(200));
    map.set_on(b"k", b"x", terms).unwrap();
    let expired = |change: Change| {
        matches!(
            change,
            Change::Entry {
                event: weir_maps::Event::Expired,
                ..
            }
        )
    };
    until("the end is told", || watch.try_next().is_some_and(expired));
    assert_eq!(map.used(), (0, 0));
}

#[test]
fn nothing_waits_without_a_limit() {
    let server = Server::start(Program::Redis, &[]);
    let mut config = server.config();
    config.deadline = Duration::from_secs(20);
    let map = named(&RedisStores::open(config).unwrap(), "map", 1);
    map.plus(b"n", 1).unwrap();
    server.freeze();
    let max = weir_model::limits::redis::IN_FLIGHT_MAX;
    let waiting: Vec<_> = (0..max).map(|_| map.add(b"n", 1)).collect();
    let refused = map.plus(b"n", 1);
    assert!(
        matches!(refused, Err(MapError::NoMemory { .. })),
        "{refused:?}"
    );
    server.thaw();
    for answer in waiting {
        wait(answer).unwrap();
    }
    assert_eq!(
        map.plus(b"n", 0).unwrap().value,
        1 + i64::try_from(max).unwrap()
    );
}
