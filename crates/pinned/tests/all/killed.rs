//! Processes that die while they write: no reader sees a part of what they wrote, and what they held
//! is given back.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use weir_pinned::{Access, Condition, PinError, Pinned, Shape};

use crate::behaviour::place;

/// Few buckets and long values, so that writers meet readers and each other.
const SHAPE: Shape = Shape {
    buckets: 4,
    slots: 16,
    key_bytes: 16,
    value_bytes: 2048,
};
const KEYS: u64 = 20;

/// A process of its own that writes until it is killed.
fn writer(path: &Path, seed: u64) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir-test-pinned"))
        .arg(path)
        .args([KEYS.to_string(), seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert_eq!(line, "writing\n");
    child
}

/// Reads all keys and answers how many were there; panics if one is torn.
fn read_all(map: &Pinned, value: &mut Vec<u8>) -> u64 {
    let mut found = 0;
    for number in 0..KEYS {
        let key = format!("key-{number}");
        match map.get(key.as_bytes(), value) {
            Ok(Some(_)) => {
                check(&key, value);
                found += 1;
            }
            Ok(None) | Err(PinError::Busy) => {}
            Err(error) => panic!("{error}"),
        }
    }
    found
}

/// All words of a value are the same, and say how many there are.
pub(crate) fn check(key: &str, value: &[u8]) {
    let (words, rest) = value.as_chunks::<8>();
    let word = u64::from_le_bytes(words[0]);
    let length = usize::try_from(word >> 40 & 255).unwrap() + 1;
    let is_whole =
        rest.is_empty() && words.len() == length && words.iter().all(|it| *it == words[0]);
    assert!(is_whole, "{key} is torn: {value:?}");
}

#[test]
fn writers_killed_at_any_moment_tear_nothing_and_keep_nothing() {
    const ROUNDS: u64 = 60;
    let (_folder, path) = place();
    let gateway = Pinned::make(&path, &SHAPE).unwrap();
    let (is_over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut repaired, mut lost) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let reader = Pinned::open(&path, Access::Read).unwrap();
            let mut value = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                reads.fetch_add(read_all(&reader, &mut value), Ordering::Relaxed);
            }
        });
        for round in 0..ROUNDS {
            let mut writers = [0, 1].map(|number| writer(&path, round * 2 + number));
            std::thread::sleep(Duration::from_micros(500 + round * 137 % 5000));
            for writer in &mut writers {
                writer.kill().unwrap();
                writer.wait().unwrap();
            }
            let tended = gateway.tend().unwrap();
            repaired += tended.repaired;
            lost += tended.lost;
            // Nobody is kept out by the dead.
            let begun = Instant::now();
            for number in 0..KEYS {
                let key = format!("key-{number}");
                let word = 1_u64.to_le_bytes();
                let set = gateway.set(key.as_bytes(), &word, (None, Condition::Always));
                set.unwrap();
            }
            assert!(begun.elapsed() < Duration::from_secs(1));
            let mut value = Vec::new();
            assert_eq!(read_all(&gateway, &mut value), KEYS);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(repaired >= lost);
    assert!(reads.into_inner() > 1000);
    // Without this the test would show nothing: some died inside a write.
    assert!(lost > 0, "nobody died while writing");
}

/// While the dead one's slot is hidden, all others can be read; who takes its number repairs it too.
#[test]
fn the_dead_hide_one_slot_until_somebody_has_their_number() {
    let (_folder, path) = place();
    let gateway = Pinned::make(&path, &SHAPE).unwrap();
    let reader = Pinned::open(&path, Access::Read).unwrap();
    for round in 0..400 {
        let word = 1_u64.to_le_bytes();
        for number in 0..KEYS {
            let key = format!("key-{number}");
            gateway
                .set(key.as_bytes(), &word, (None, Condition::Always))
                .unwrap();
        }
        let mut child = writer(&path, round);
        std::thread::sleep(Duration::from_micros(300));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut value = Vec::new();
        let seen = read_all(&reader, &mut value);
        assert!(seen + 1 >= KEYS, "{seen} of {KEYS} can be read");
        if seen == KEYS {
            // It may have died with a lock, before it wrote anything.
            gateway.tend().unwrap();
            continue;
        }
        // The number is free, and the lowest.
        drop(Pinned::open(&path, Access::Write).unwrap());
        assert_eq!(gateway.stat().lost, 1);
        assert_eq!(
            gateway.tend().unwrap().repaired,
            0,
            "it was repaired already"
        );
        return;
    }
    panic!("nobody died while writing");
}
