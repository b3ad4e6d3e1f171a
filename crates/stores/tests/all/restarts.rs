//! What a map is after it was closed and opened again.

use std::time::Duration;

use weir_maps::store::{Op, Terms};
use weir_maps::{Change, Eviction, MapOptions, Store as _, Value};
use weir_stores::disk::{DiskStore, Durability};
use weir_stores::ssd::{SsdConfig, SsdMaps};

use crate::behaviour::{Durable, unlimited};
use crate::suite::{Plain as _, wait};

const SECOND: Duration = Duration::from_secs(1);
const LAG: Duration = Duration::from_millis(5);

fn every() -> [Durable; 3] {
    [
        Durable::with(Durability::Synced, 1 << 20),
        Durable::with(Durability::Synced, 0),
        Durable::with(Durability::Relaxed(LAG), 100),
    ]
}

fn again(durable: &Durable, map: &DiskStore) -> DiskStore {
    wait(map.close()).unwrap();
    durable.named("map", MapOptions::default())
}

#[test]
fn entries_counters_and_versions_go_on() {
    for durable in every() {
        let map = durable.named("map", MapOptions::default());
        let long = vec![b'x'; 100_000];
        let version = map.set(b"long", &long).unwrap();
        map.plus(b"n", 41).unwrap();
        map.set(b"gone", b"x").unwrap();
        map.delete(b"gone").unwrap();
        let used = map.used();
        let last = wait(map.stat()).unwrap().version;
        let map = again(&durable, &map);
        let found = map.entry(b"long").unwrap();
        assert_eq!(
            (found.value.bytes(), found.version),
            (Some(&long[..]), version)
        );
        assert_eq!(map.entry(b"gone"), None);
        assert_eq!(map.used(), used);
        let counted = map.plus(b"n", 1).unwrap();
        assert_eq!(counted.value, 42);
        assert!(counted.version > last, "{} after {last}", counted.version);
        assert!(
            counted.version < last + 10,
            "an orderly end wastes no versions"
        );
        assert!(map.cas(b"long", version, b"short").is_ok());
    }
}

#[test]
fn a_cleared_map_stays_clear() {
    for durable in every() {
        let map = durable.named("map", MapOptions::default());
        for number in 0..100_u8 {
            map.set(&[number], &[number; 100]).unwrap();
        }
        assert_eq!(wait(map.clear()), Ok(100));
        map.set(b"new", b"x").unwrap();
        let map = again(&durable, &map);
        assert_eq!(map.keys(b"", 10), [b"new"]);
        assert_eq!(map.used().0, 1);
    }
}

#[test]
fn time_goes_on_while_nobody_is_there() {
    for durable in every() {
        let map = durable.named("map", MapOptions::default());
        let lasting = |seconds| Terms::lasting(SECOND * seconds);
        map.set_on(b"short", b"x", lasting(10)).unwrap();
        map.set_on(b"long", b"x", lasting(30)).unwrap();
        wait(map.close()).unwrap();
        durable.clock.advance(SECOND * 10);
        let map = durable.named("map", MapOptions::default());
        assert_eq!(map.entry(b"short"), None);
        assert_eq!(map.keys(b"", 10), [b"long"]);
        durable.clock.advance(Duration::from_millis(19_999));
        assert!(map.entry(b"long").is_some());
        durable.clock.advance(Duration::from_millis(1));
        assert_eq!(map.entry(b"long"), None);
        let swept = wait(map.tend(10)).unwrap();
        assert!(swept <= 2, "the thread of the map may have been faster");
        assert_eq!(map.used(), (0, 0));
        let map = again(&durable, &map);
        assert_eq!(map.used(), (0, 0), "what ended is gone from the disk too");
    }
}

#[test]
fn a_process_can_wait_for_its_end() {
    for durable in every() {
        let map = durable.named("map", MapOptions::default());
        for number in 0..100_u8 {
            map.set(&[number], &[number; 100]).unwrap();
        }
        assert_eq!(map.close_within(SECOND * 20), Ok(()));
        assert_eq!(wait(map.close()), Ok(()), "twice is once");
        assert!(map.set(b"late", b"x").is_err());
        let map = durable.named("map", MapOptions::default());
        assert_eq!(map.used().0, 100);
    }
}

#[test]
fn a_smaller_quota_keeps_what_is_there_and_takes_nothing_new() {
    for durable in every() {
        let map = durable.named("map", MapOptions::default());
        for number in 0..10_u8 {
            map.set(&[number], b"x").unwrap();
        }
        wait(map.close()).unwrap();
        let options = MapOptions {
            entries_max: 5,
            ..MapOptions::default()
        };
        let map = durable.named("map", options);
        assert_eq!(map.used().0, 10);
        assert!(map.set(b"new", b"x").is_err());
        map.set(&[1], b"y").unwrap();
        for number in 0..6_u8 {
            map.delete(&[number]).unwrap();
        }
        map.set(b"new", b"x").unwrap();
    }
}

#[test]
fn what_is_not_in_memory_is_read_and_listed() {
    let durable = Durable::with(Durability::Synced, 10_000);
    let map = durable.named("map", MapOptions::default());
    let value = |number: u8| vec![number; 1000];
    let set = |number: u8| {
        let value = Value::copy_of(&value(number));
        Op::Set(vec![number].into(), value, Terms::default())
    };
    map.all(&(0..100).map(set).collect::<Vec<_>>()).unwrap();
    let watch = map.follow(b"");
    for round in 0..3 {
        for number in 0..100 {
            let found = map.entry(&[number]).unwrap();
            assert_eq!(
                found.value.bytes(),
                Some(&value(number)[..]),
                "round {round}"
            );
        }
    }
    let page = map.list(b"", None, 100);
    assert_eq!((page.items.len(), page.more), (100, false));
    let right = |(number, item): (u8, &weir_maps::store::Item)| {
        item.key[..] == [number] && item.value.bytes() == Some(&value(number)[..])
    };
    assert!((0..100).zip(&page.items).all(right));
    assert_eq!(watch.try_next(), None::<Change>, "reading changes nothing");
    let stale = map.plus(&[3], 1);
    assert!(
        stale.is_err(),
        "a thousand bytes are no counter, wherever they are"
    );
}

#[test]
fn a_cache_stays_within_its_bounds_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let config = SsdConfig {
        memory_bytes: 100_000,
        lag: LAG,
        ..SsdConfig::of(folder.path())
    };
    let options = MapOptions {
        bytes_max: 2_000_000,
        eviction: Eviction::Lru,
        ..MapOptions::default()
    };
    let maps = SsdMaps::new(config);
    let map = maps.open("", "cache", (options, unlimited())).unwrap();
    for number in 0..20_000_u32 {
        map.set(&number.to_be_bytes(), &[7; 1000]).unwrap();
        if number % 10 == 0 {
            let hot = map.entry(&0_u32.to_be_bytes());
            assert!(hot.is_some(), "what is used stays ({number})");
        }
    }
    let stat = wait(map.stat()).unwrap();
    assert!(stat.bytes <= 2_000_000 && stat.entries > 1000, "{stat:?}");
    assert_eq!(stat.evicted, 20_000 - stat.entries);
    assert!(map.entry(&19_999_u32.to_be_bytes()).is_some());
    wait(map.close()).unwrap();
    let length = std::fs::metadata(maps.path("", "cache")).unwrap().len();
    assert!(length < 12_000_000, "{length} bytes for 2 000 000");
    let map = maps.open("", "cache", (options, unlimited())).unwrap();
    assert_eq!(map.used(), (stat.entries, stat.bytes));
}

/// Its changes may be missing on the disk for a long time; closing it writes them.
#[test]
fn closing_a_cache_writes_what_its_disk_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let config = SsdConfig {
        memory_bytes: 10_000,
        lag: SECOND * 3600,
        ..SsdConfig::of(folder.path())
    };
    let open = || {
        let options = (MapOptions::default(), unlimited());
        SsdMaps::new(config.clone()).open("", "cache", options)
    };
    let map = open().unwrap();
    let begun = map.syncs();
    for number in 0..100_u8 {
        map.set(&[number], &[number; 1000]).unwrap();
    }
    map.plus(b"n", 41).unwrap();
    map.delete(&[7]).unwrap();
    let used = map.used();
    assert!(map.syncs() <= begun + 1, "the disk was not waited for");
    let told = open().unwrap_err().to_string();
    assert!(told.contains("cache"), "it is in use: {told}");
    assert_eq!(map.close_within(SECOND * 20), Ok(()));
    assert_eq!(wait(map.close()), Ok(()), "twice is once");
    assert!(map.set(b"late", b"x").is_err());
    let map = open().unwrap();
    assert_eq!(map.used(), used);
    for number in (0..100_u8).filter(|number| *number != 7) {
        let found = map.entry(&[number]).unwrap();
        assert_eq!(found.value.bytes(), Some(&[number; 1000][..]));
    }
    assert_eq!((map.entry(&[7]), map.entry(b"late")), (None, None));
    assert_eq!(map.plus(b"n", 1).unwrap().value, 42);
}

#[test]
fn what_is_relaxed_is_on_the_disk_after_its_lag() {
    let durable = Durable::with(Durability::Relaxed(LAG), 1 << 20);
    let map = durable.named("map", MapOptions::default());
    map.set(b"first", b"x").unwrap();
    let before = map.syncs();
    for number in 0..1000_u32 {
        map.set(&number.to_be_bytes(), b"x").unwrap();
    }
    let written = (0..1000).any(|_| {
        std::thread::sleep(LAG);
        // A copy of the file while it is open is what a crash leaves.
        map.syncs() > before && crashed(&durable) == 1001
    });
    assert!(written);
    assert!(
        map.syncs() - before < 100,
        "a sync is for many: {}",
        map.syncs()
    );
}

/// Entries that would be there if the process ended now.
fn crashed(durable: &Durable) -> u64 {
    let copy = durable.path("copy");
    std::fs::copy(durable.path("map"), &copy).unwrap();
    // The file says which map it holds, so the copy takes the place of it, elsewhere.
    let other = Durable::with(Durability::Synced, 0);
    std::fs::create_dir_all(other.path("map").parent().unwrap()).unwrap();
    std::fs::rename(&copy, other.path("map")).unwrap();
    let options = (MapOptions::default(), unlimited());
    let map = other.maps().open("", "map", options);
    map.map_or(0, |map| map.used().0)
}
