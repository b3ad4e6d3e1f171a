//! The process that is killed.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weir_maps::Value;
use weir_maps::store::{Op, Terms};
use weir_stores::disk::DiskStore;

use super::{FIRST, FOLDER, LAG, number, open};
use crate::suite::Plain as _;

/// Threads that set and remove, each its own keys.
pub(super) const WRITERS: u64 = 5;
/// Threads that add to one counter.
pub(super) const COUNTERS: u64 = 2;
/// The thread that sets entries together; one more reads what it did.
pub(super) const BATCH: u64 = WRITERS + COUNTERS;
/// All of them.
pub(super) const THREADS: u64 = BATCH + 2;
/// Entries that are always set together.
pub(super) const BATCHED: u64 = 10;

/// What a writer does at one step: parent and child agree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) number: u64,
    pub(super) key: u64,
    pub(super) removes: bool,
}

impl Step {
    /// Keys of one writer.
    pub(super) const KEYS: u64 = 30;

    pub(super) fn of(writer: u64, number: u64) -> Self {
        let mixed = (number + writer).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self {
            number,
            key: (mixed >> 32) % Self::KEYS,
            removes: (mixed >> 20).is_multiple_of(7),
        }
    }

    pub(super) fn name(writer: u64, key: u64) -> Vec<u8> {
        format!("writer {writer} key {key}").into_bytes()
    }
}

/// The value of a step: its number, and bytes that say it again.
pub(super) fn content(step: u64) -> Vec<u8> {
    let length = usize::try_from(step.wrapping_mul(0x9E37_79B9) % 3000).unwrap();
    let mut content = step.to_le_bytes().to_vec();
    content.resize(8 + length, step.to_le_bytes()[0]);
    content
}

/// Tells what a reader sees, each time that it changes.
fn read(map: &DiskStore, thread: u64) {
    let mut last = 0;
    loop {
        let seen = map
            .entry(b"batch 0")
            .map_or(0, |found| super::stored(&found));
        if seen != last {
            tell(thread, seen, 0);
            last = seen;
        }
    }
}

fn tell(thread: u64, step: u64, answer: u64) {
    let line = format!("{thread} {step} {answer}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

fn write(map: &DiskStore, thread: u64, first: u64) {
    for number in first.. {
        let step = Step::of(thread, number);
        let name = Step::name(thread, step.key);
        let version = if step.removes {
            // It may not be there.
            map.delete(&name).ok();
            0
        } else {
            let lasting = Terms::lasting(Duration::from_hours(1));
            map.set_on(&name, &content(number), lasting).unwrap()
        };
        tell(thread, number, version);
    }
}

fn count(map: &DiskStore, thread: u64, first: u64) {
    for number in first.. {
        let value = map.plus(b"counter", 1).unwrap().value;
        tell(thread, number, u64::try_from(value).unwrap());
    }
}

fn batch(map: &DiskStore, thread: u64, first: u64) {
    for number in first.. {
        let value = Value::copy_of(&content(number));
        let set = |key: u64| {
            let key = format!("batch {key}").into_bytes();
            Op::Set(key.into(), value.clone(), Terms::default())
        };
        let ops: Vec<Op> = (0..BATCHED).map(set).collect();
        map.all(&ops).unwrap();
        tell(thread, number, 0);
    }
}

#[test]
#[ignore = "it is started by the other test of this module, and killed"]
fn writes_until_it_is_killed() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let lag = number(LAG, 0);
    let lag = (lag > 0).then(|| Duration::from_millis(lag));
    let map = Arc::new(open(&folder, lag));
    let first = number(FIRST, 1);
    std::io::stdout().lock().write_all(b"ready\n").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let map = &map;
            scope.spawn(move || match thread {
                0..WRITERS => write(map, thread, first),
                WRITERS..BATCH => count(map, thread, first),
                BATCH => batch(map, thread, first),
                _ => read(map, thread),
            });
        }
    });
}
