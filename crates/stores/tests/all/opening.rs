//! Files that are not what they should be are refused with a reason, and left as they are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::TableDefinition;
use weir_maps::MapOptions;
use weir_stores::disk::{Durability, OpenError};
use weir_stores::durable::{DurableConfig, DurableMaps};

use crate::behaviour::{Durable, unlimited};
use crate::suite::{Plain as _, wait};

fn durable() -> Durable {
    Durable::with(Durability::Synced, 1 << 20)
}

fn refused(durable: &Durable, name: &str) -> OpenError {
    let before = fs::read(durable.path(name)).ok();
    let opened = durable
        .maps()
        .open("", name, (MapOptions::default(), unlimited()));
    let error = opened.err().unwrap();
    assert_eq!(fs::read(durable.path(name)).ok(), before, "it is as it was");
    let told = error.to_string();
    let path = durable.path(name).display().to_string();
    assert!(told.contains(&path), "{told}");
    error
}

fn made(durable: &Durable) -> PathBuf {
    let map = durable.named("map", MapOptions::default());
    for number in 0..200_u8 {
        map.set(&[number], &[number; 500]).unwrap();
    }
    wait(map.close()).unwrap();
    durable.path("map")
}

#[test]
fn one_process_at_a_time() {
    let durable = durable();
    let map = durable.named("map", MapOptions::default());
    let start = Instant::now();
    let error = refused(&durable, "map");
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    assert!(error.to_string().contains("only one gateway"), "{error}");
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "it waits a little"
    );
    // The one who comes after the one who goes finds it open.
    let waits = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        map.set(b"last", b"x").unwrap();
        drop(map);
    });
    let map = durable.named("map", MapOptions::default());
    assert!(map.entry(b"last").is_some());
    waits.join().unwrap();
}

#[test]
fn a_file_of_something_else_is_refused() {
    let durable = durable();
    made(&durable);
    let other = durable.path("other");
    for bytes in [&b"not a database"[..], &[0; 4096], &[0xff; 10_000], b"redb"] {
        fs::write(&other, bytes).unwrap();
        let error = refused(&durable, "other");
        let kind = matches!(error, OpenError::Foreign { .. } | OpenError::Damaged { .. });
        assert!(kind, "{error}");
    }
    fs::remove_file(&other).unwrap();
    fs::create_dir(&other).unwrap();
    assert!(matches!(refused(&durable, "other"), OpenError::Io { .. }));
}

#[test]
fn a_database_of_somebody_else_is_refused() {
    let durable = durable();
    let path = made(&durable).with_file_name("other.durable");
    let table: TableDefinition<'_, u64, u64> = TableDefinition::new("theirs");
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(table).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(database);
    // Looking into it for damage may write to it, as any opening does.
    let opened = durable
        .maps()
        .open("", "other", (MapOptions::default(), unlimited()));
    let error = opened.err().unwrap();
    assert!(error.to_string().contains("theirs"), "{error}");
    let database = redb::Database::open(&path).unwrap();
    let read = redb::ReadableDatabase::begin_read(&database).unwrap();
    assert!(read.open_table(table).is_ok(), "it is still theirs");
}

#[test]
fn a_map_of_another_name_or_a_later_version_is_refused() {
    let durable = durable();
    let path = made(&durable);
    fs::copy(&path, durable.path("copy")).unwrap();
    let opened = durable
        .maps()
        .open("", "copy", (MapOptions::default(), unlimited()));
    let error = opened.err().unwrap().to_string();
    assert!(
        error.contains("_/map") && error.contains("_/copy"),
        "{error}"
    );
    let about: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    let later = 2_u64.to_le_bytes();
    write
        .open_table(about)
        .unwrap()
        .insert("format", &later[..])
        .unwrap();
    write.commit().unwrap();
    drop(database);
    let opened = durable
        .maps()
        .open("", "map", (MapOptions::default(), unlimited()));
    let error = opened.err().unwrap();
    let newer = matches!(
        error,
        OpenError::Newer {
            found: 2,
            expected: 1,
            ..
        }
    );
    assert!(newer, "{error}");
}

/// Every damage is found or does no harm: nothing that was not written is ever read.
#[test]
fn damage_is_found() {
    let durable = durable();
    let path = made(&durable);
    let whole = fs::read(&path).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.clone();
        for byte in bytes.iter_mut().skip(at).take(64) {
            *byte ^= 0x5a;
        }
        fs::write(&path, bytes).unwrap();
        let options = (MapOptions::default(), unlimited());
        match durable.maps().open("", "map", options) {
            Err(error) => {
                let told = error.to_string();
                assert!(told.contains("map.durable"), "{told}");
                found += 1;
            }
            Ok(map) => {
                let all = map.list(b"", None, 1000).items;
                let right = |item: &weir_maps::store::Item| {
                    item.value.bytes() == Some(&[item.key[0]; 500][..])
                };
                assert!(all.len() == 200 && all.iter().all(right), "at {at}");
                wait(map.close()).unwrap();
                harmless += 1;
            }
        }
    }
    assert!(found > 10, "{found} found, {harmless} harmless");
    for length in [0_usize, 100, 4096, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let options = (MapOptions::default(), unlimited());
        let opened = durable.maps().open("", "map", options);
        let error = opened.err().unwrap();
        assert!(
            matches!(error, OpenError::Damaged { .. }),
            "{length}: {error}"
        );
    }
}

/// What is left of a process that was killed while it made the file is no map, and in nobody's way.
#[test]
fn half_made_files_are_not_maps() {
    let durable = durable();
    let path = made(&durable);
    let left = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&left, "half").unwrap();
    fs::remove_file(&path).unwrap();
    let map = durable.named("map", MapOptions::default());
    assert_eq!(map.used(), (0, 0));
    assert!(!left.exists());
}

#[test]
fn folders_that_cannot_be_made_or_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.join("maps"), PathBuf::from("/proc/no such folder")] {
        let maps = DurableMaps::new(DurableConfig::synced(&path));
        let opened = maps.open("", "map", (MapOptions::default(), unlimited()));
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains("cannot make this folder"), "{error}");
    }
}

#[test]
fn values_are_for_the_gateway_alone() {
    let durable = durable();
    let path = made(&durable);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}
