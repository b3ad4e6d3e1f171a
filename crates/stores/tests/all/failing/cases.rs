//! What each case does on its disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weir_maps::store::{Condition, Op, Terms};
use weir_maps::{MapError, MapOptions, Value};
use weir_stores::disk::{DiskStore, OpenError};
use weir_stores::durable::{DurableConfig, DurableMaps};

use super::DISK;
use crate::behaviour::unlimited;
use crate::suite::{Plain as _, wait};

const LAG: Duration = Duration::from_millis(5);
const VALUE: usize = 20_000;

fn disk() -> PathBuf {
    std::env::var_os(DISK).unwrap().into()
}

fn try_open(config: DurableConfig, name: &str) -> Result<DiskStore, OpenError> {
    DurableMaps::new(config).open("", name, (MapOptions::default(), unlimited()))
}

fn open(config: DurableConfig) -> DiskStore {
    try_open(config, "map").unwrap()
}

fn key(number: usize) -> Vec<u8> {
    format!("key {number:05}").into_bytes()
}

fn value(number: usize) -> Vec<u8> {
    vec![number.to_le_bytes()[0]; VALUE]
}

/// Sets entries until one is refused. Answers how many there are then.
fn fill(map: &DiskStore, from: usize) -> (usize, MapError) {
    for number in from..10_000 {
        if let Err(error) = map.set(&key(number), &value(number)) {
            return (number, error);
        }
    }
    panic!("the disk is never full");
}

fn check(map: &DiskStore, count: usize) {
    let keys: Vec<Vec<u8>> = (0..count).map(key).collect();
    assert_eq!(map.keys(b"key", 1000), keys);
    for (number, key) in keys.iter().enumerate() {
        let found = map.entry(key).unwrap();
        assert_eq!(found.value.bytes(), Some(&value(number)[..]), "{number}");
    }
    assert_eq!(map.used().0, count as u64);
}

fn ballast(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 3 << 20]).unwrap();
    ballast
}

#[test]
#[ignore = "it needs a small disk"]
fn full_when_synced() {
    let ballast = ballast(&disk());
    let map = open(DurableConfig::synced(&disk()));
    map.plus(b"counter", 7).unwrap();
    map.delete(b"counter").unwrap();
    let (count, error) = fill(&map, 0);
    assert_eq!(error.errno(), 51, "{error}");
    assert!(count > 20, "{count}");
    let watch = map.follow(b"");
    let version = map.entry(&key(0)).unwrap().version;
    for number in [0, count] {
        let refused = map.set(&key(number), &value(77)).unwrap_err();
        assert_eq!(refused.errno(), 51, "{refused}");
    }
    let large = Value::copy_of(&vec![1; 200_000]);
    let set = Op::Set(b"new".as_slice().into(), large, Terms::default());
    assert!(map.all(&[set, Op::Delete(key(0).into())]).is_err());
    assert_eq!(map.entry(&key(0)).unwrap().version, version);
    assert_eq!(watch.try_next(), None, "nothing has changed");
    check(&map, count);
    let stale = map.set_on(&key(0), b"x", Terms::on(Condition::Absent));
    assert_eq!(
        stale,
        Err(MapError::Again { current: version }),
        "conditions are decided all the same"
    );
    // What takes no room is possible on a full disk.
    map.delete(&key(count - 1)).unwrap();
    check(&map, count - 1);
    fs::remove_file(ballast).unwrap();
    let (more, _) = fill(&map, count - 1);
    assert!(more > count + 20, "{more} after {count}");
    check(&map, more);
    wait(map.close()).unwrap();
    let map = open(DurableConfig::synced(&disk()));
    check(&map, more);
    assert_eq!(wait(weir_maps::Store::clear(&map)), Ok(more as u64));
}

#[test]
#[ignore = "it needs a small disk"]
fn full_when_relaxed() {
    let ballast = ballast(&disk());
    let map = open(DurableConfig::relaxed(&disk(), LAG));
    let fill = |from: usize| {
        for number in from..10_000 {
            if let Err(error) = map.set(&key(number), &value(number)) {
                return (number, error);
            }
            std::thread::sleep(LAG);
        }
        panic!("the disk is never full");
    };
    let (count, error) = fill(0);
    assert_eq!(error.errno(), 51, "{error}");
    check(&map, count);
    assert!(map.set(&key(count), b"x").is_err());
    check(&map, count);
    fs::remove_file(&ballast).unwrap();
    let (more, _) = fill(count);
    assert!(more > count + 20, "{more} after {count}");
    check(&map, more);
    // What was acknowledged and does not fit is told when the map is closed.
    let left = fs::read_dir(disk()).unwrap().count();
    assert_eq!(left, 1, "the folder of the map");
    map.delete(&key(more - 1)).unwrap_err();
    assert_eq!(wait(map.close()).unwrap_err().errno(), 51);
    let map = open(DurableConfig::synced(&disk()));
    let there = map.used().0;
    assert!(there + 3 >= more as u64, "{there} of {more}");
    check(&map, usize::try_from(there).unwrap());
}

#[test]
#[ignore = "it needs a small disk"]
fn full_at_opening() {
    let map = open(DurableConfig::synced(&disk()));
    fill(&map, 0);
    wait(map.close()).unwrap();
    let rest = disk().join("rest");
    // Fails when there is nothing left, having written what there was.
    fs::write(&rest, vec![1; 16 << 20]).unwrap_err();
    let error = try_open(DurableConfig::synced(&disk()), "new").unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("new") && told.contains("No space left"),
        "{told}"
    );
    fs::remove_file(rest).unwrap();
    let folder = fs::read_dir(disk().join("_")).unwrap();
    assert_eq!(folder.count(), 1, "nothing is left of what was not made");
    let map = open(DurableConfig::synced(&disk()));
    assert!(map.used().0 > 100);
    try_open(DurableConfig::synced(&disk()), "new").unwrap();
}

#[test]
#[ignore = "it needs a signal to be ignored"]
fn cut_off() {
    let map = open(DurableConfig::synced(&disk()));
    for number in 0..20 {
        map.set(&key(number), &value(number)).unwrap();
    }
    let before = getrlimit(Resource::Fsize);
    let limit = Rlimit {
        current: Some(1 << 20),
        ..before
    };
    setrlimit(Resource::Fsize, limit).unwrap();
    let (count, error) = fill(&map, 20);
    assert_eq!(error.errno(), 51, "{error}");
    for _ in 0..3 {
        assert_eq!(map.set(&key(count), &value(count)).unwrap_err().errno(), 51);
        check(&map, count);
    }
    setrlimit(Resource::Fsize, before).unwrap();
    for number in count..count + 20 {
        map.set(&key(number), &value(number)).unwrap();
    }
    check(&map, count + 20);
    wait(map.close()).unwrap();
    let map = open(DurableConfig::synced(&disk()));
    check(&map, count + 20);
}

#[test]
#[ignore = "it needs a disk that is read-only"]
fn read_only() {
    let writable = open(DurableConfig::synced(&disk().join("w")));
    writable.set(b"k", b"x").unwrap();
    wait(writable.close()).unwrap();
    for name in ["map", "new"] {
        let error = try_open(DurableConfig::synced(&disk().join("r")), name).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("Read-only file system"), "{told}");
        assert!(told.contains(name) && told.contains("/r/"), "{told}");
    }
    let map = open(DurableConfig::synced(&disk().join("w")));
    assert_eq!(map.text(b"k").as_deref(), Some("x"));
}

#[test]
#[ignore = "it needs to be without some rights"]
fn not_permitted() {
    let maps = disk().join("maps");
    wait(open(DurableConfig::synced(&maps)).close()).unwrap();
    let file = maps.join("_/map.durable");
    for (path, mode, name) in [(file.as_path(), 0o400, "map"), (maps.as_path(), 0o500, "")] {
        let whole = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let maps = DurableMaps::new(DurableConfig::synced(&maps));
        let options = (MapOptions::default(), unlimited());
        let scope = if name.is_empty() { "new" } else { "" };
        let error = maps.open(scope, "map", options).unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("Permission denied") && told.contains("maps/"),
            "{told}"
        );
        fs::set_permissions(path, whole).unwrap();
    }
    open(DurableConfig::synced(&maps));
}
