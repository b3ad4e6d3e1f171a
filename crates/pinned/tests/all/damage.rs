//! Files that are none, and files that somebody has scribbled in: refused, or wrong, but never the
//! end of this process.

use std::os::unix::fs::FileExt;
use std::time::Duration;

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
        let _ = map.keys();
        assert!(value.len() <= 64);
    }
}
