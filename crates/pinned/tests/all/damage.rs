//! Files that are none, and files that somebody has scribbled in: refused, or wrong, but never the
//! end of this process.

use std::os::unix::fs::{FileExt, FileTypeExt as _};
use std::time::{Duration, Instant};

use weir_pinned::{Access, Condition, PinError, Pinned, Shape, layout};

use crate::behaviour::place;

const SHAPE: Shape = Shape {
    buckets: 4,
    slots: 4,
    key_bytes: 16,
    value_bytes: 64,
};

#[test]
fn other_files_are_refused_and_stay() {
    let (_folder, path) = place();
    std::fs::write(&path, "a letter to a friend".repeat(1000)).unwrap();
    assert!(matches!(
        Pinned::make(&path, &SHAPE),
        Err(PinError::Layout { .. })
    ));
    assert!(matches!(
        Pinned::open(&path, Access::Read),
        Err(PinError::Layout { .. })
    ));
    assert!(std::fs::read(&path).unwrap().starts_with(b"a letter"));
    std::fs::write(&path, "short").unwrap();
    assert!(matches!(
        Pinned::open(&path, Access::Read),
        Err(PinError::File { .. })
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        Pinned::open(&path, Access::Read),
        Err(PinError::File { .. })
    ));
}

#[test]
fn shapes_that_make_no_sense_are_refused() {
    let (_folder, path) = place();
    let wrong = [
        Shape {
            buckets: 3,
            ..SHAPE
        },
        Shape {
            buckets: 0,
            ..SHAPE
        },
        Shape {
            buckets: 1 << 63,
            ..SHAPE
        },
        Shape { slots: 0, ..SHAPE },
        Shape {
            slots: 1 << 20,
            ..SHAPE
        },
        Shape {
            key_bytes: 0,
            ..SHAPE
        },
        Shape {
            value_bytes: u64::MAX,
            ..SHAPE
        },
    ];
    for shape in wrong {
        assert!(
            matches!(Pinned::make(&path, &shape), Err(PinError::Shape(_))),
            "{shape:?}"
        );
    }
    assert!(!path.exists());
}

#[test]
fn a_header_that_does_not_fit_is_refused() {
    let (_folder, path) = place();
    drop(Pinned::make(&path, &SHAPE).unwrap());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    let places = [
        layout::AT_VERSION,
        layout::AT_HEADER_BYTES,
        layout::AT_FILE_BYTES,
        layout::AT_BUCKETS,
        layout::AT_SLOTS,
        layout::AT_SLOT_BYTES,
        layout::AT_KEY_BYTES,
        layout::AT_VALUE_BYTES,
        layout::AT_STATE,
    ];
    for at in places {
        for word in [0, 7, 1 << 40, u64::MAX] {
            file.write_all_at(&word.to_le_bytes(), at as u64 * 8)
                .unwrap();
            assert!(Pinned::open(&path, Access::Read).is_err(), "{word} at {at}");
        }
        file.write_all_at(&good[at * 8..at * 8 + 8], at as u64 * 8)
            .unwrap();
    }
    Pinned::open(&path, Access::Read).unwrap();
    file.set_len(5000).unwrap();
    assert!(Pinned::open(&path, Access::Read).is_err());
}

#[test]
fn any_bytes_in_the_buckets_are_survived() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let bytes = usize::try_from(SHAPE.file_bytes()).unwrap() - layout::HEADER_BYTES;
    let mut seed = 3_u64;
    for _ in 0..200 {
        let noise: Vec<u8> = (0..bytes)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Words of few values, so that some of them mean something.
                let byte = seed.to_be_bytes()[0];
                if byte < 128 { byte % 3 } else { byte }
            })
            .collect();
        file.write_all_at(&noise, layout::HEADER_BYTES as u64)
            .unwrap();
        map.tend().unwrap();
        let mut value = Vec::new();
        for key in [&b"k"[..], b"", &[7; 16]] {
            // Whatever it is, it is an answer.
            let _ = map.get(key, &mut value);
            let _ = map.set(key, b"v", (Some(Duration::from_secs(1)), Condition::Always));
            let _ = map.add(key, (1, None));
            let _ = map.delete(key, Condition::Always);
        }
        let _ = map.keys().count();
        assert!(value.len() <= 64);
    }
}

fn word(path: &std::path::Path, at: usize, word: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&word.to_le_bytes(), at as u64 * 8)
        .unwrap();
}

/// The last version can be anything, and the one after it was 0 once: what was stored was a free slot.
#[test]
fn no_entry_has_the_version_0() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    word(&path, layout::AT_LAST_VERSION, u64::MAX);
    let stored = map.set(b"k", b"v", (None, Condition::Always)).unwrap();
    assert_eq!(stored, 1);
    assert!(map.get(b"k", &mut Vec::new()).unwrap().is_some());
}

/// Each bucket says that somebody else has it who cannot be: once each of them was looked for in all
/// buckets.
#[test]
fn any_owners_are_repaired_in_one_walk() {
    let (_folder, path) = place();
    let shape = Shape {
        buckets: 1 << 14,
        slots: 1,
        key_bytes: 8,
        value_bytes: 8,
    };
    let map = Pinned::make(&path, &shape).unwrap();
    for bucket in 0..shape.buckets {
        let start = layout::HEADER_BYTES as u64 + bucket * shape.bucket_bytes();
        let at = usize::try_from(start / 8).unwrap() + layout::AT_OWNER;
        word(&path, at, 1000 + bucket);
    }
    let begun = Instant::now();
    assert_eq!(map.tend().unwrap().repaired, shape.buckets);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

/// A writer that was stopped keeps its bucket. Who looks after the map waits for it once, and not again
/// until it has looked after the map.
#[test]
fn nobody_waits_for_long_again_and_again() {
    let (_folder, path) = place();
    let shape = Shape {
        buckets: 1,
        ..SHAPE
    };
    let map = Pinned::make(&path, &shape).unwrap();
    let other = Pinned::open(&path, Access::Write).unwrap();
    let stopped = layout::HEADER_BYTES / 8 + layout::AT_OWNER;
    word(&path, stopped, 2);
    let set = || map.set(b"k", b"v", (None, Condition::Always));
    assert!(matches!(set(), Err(PinError::Busy)));
    let begun = Instant::now();
    for _ in 0..500 {
        assert!(matches!(set(), Err(PinError::Busy)));
    }
    // Ten thousand looks each took seconds here.
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    map.tend().unwrap();
    assert!(matches!(set(), Err(PinError::Busy)), "it is not dead");
    drop(other);
    map.tend().unwrap();
    set().unwrap();
}

/// A file that is cut took the gateway with it once.
#[test]
fn a_file_that_is_cut_is_used_no_more() {
    for length in [0, 4096, 5000] {
        let (_folder, path) = place();
        let shape = Shape {
            buckets: 256,
            ..SHAPE
        };
        let map = Pinned::make(&path, &shape).unwrap();
        for key in 0..200_u8 {
            let _ = map.set(&[key], b"v", (None, Condition::Always));
        }
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(length).unwrap();
        let mut value = Vec::new();
        let mut cut = 0;
        for key in 0..200_u8 {
            cut += u32::from(matches!(map.get(&[key], &mut value), Err(PinError::Cut)));
        }
        assert!(cut > 100, "{cut}");
        let set = map.set(b"k", b"v", (None, Condition::Always));
        assert!(matches!(set, Err(PinError::Cut)), "{set:?}");
        assert!(matches!(map.add(b"k", (1, None)), Err(PinError::Cut)));
        assert!(matches!(
            map.delete(b"k", Condition::Always),
            Err(PinError::Cut)
        ));
        assert!(matches!(map.tend(), Err(PinError::Cut)));
        assert!(matches!(map.keys().next(), Some(Err(PinError::Cut))));
        drop(map);
        if length == 0 {
            std::fs::remove_file(&path).unwrap();
        }
        // The next start makes it anew.
        let map = Pinned::make(&path, &shape).unwrap();
        map.set(b"k", b"v", (None, Condition::Always)).unwrap();
    }
}

/// Only files are replaced, and nobody else chooses which one is written to meanwhile.
#[test]
fn links_and_devices_are_left_alone() {
    let (folder, path) = place();
    let precious = folder.path().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    let name = format!("{}.new-{}", path.display(), std::process::id());
    std::os::unix::fs::symlink(&precious, &name).unwrap();
    drop(Pinned::make(&path, &SHAPE).unwrap());
    assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let made = Pinned::make(&fifo, &SHAPE);
    assert!(matches!(made, Err(PinError::Layout { .. })), "{made:?}");
    let still = std::fs::symlink_metadata(&fifo).unwrap();
    assert!(still.file_type().is_fifo());
}
