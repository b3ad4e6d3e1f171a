//! The lock of a bucket under loom: interleavings of two threads.
//!
//! `cargo test -p weir-pinned --features loom --test models`

#![cfg(feature = "loom")]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use weir_pinned::bucket::{Bucket, Change, Entry, Look};
use weir_pinned::layout::{AT_OWNER, BUCKET_HEADER_BYTES, NEVER};

/// A version, an end, lengths, a hash, a key and a value of one word.
const SLOT_WORDS: usize = 6;

/// All interleavings in which threads are interrupted at most three times where they could go on.
fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

struct Words(Vec<AtomicU64>);

impl Words {
    fn new(slots: usize) -> Arc<Self> {
        let words = BUCKET_HEADER_BYTES / 8 + slots * SLOT_WORDS;
        Arc::new(Self((0..words).map(|_| AtomicU64::new(0)).collect()))
    }

    fn bucket(&self) -> Bucket<'_> {
        Bucket::new(&self.0, (SLOT_WORDS, 1))
    }
}

fn entry(key: &[u8]) -> Entry<'_> {
    Entry {
        hash: 7,
        key,
        now_ms: 0,
    }
}

/// A value that is the version.
fn put(bucket: Bucket<'_>, slot: usize, (key, word): (&[u8], u64)) {
    let value = word.to_le_bytes();
    let change = Change {
        version: word,
        ends_ms: NEVER,
        value: &value,
    };
    bucket.write(slot, entry(key), change);
}

fn check(bucket: Bucket<'_>, key: &[u8]) -> Look {
    let mut value = Vec::new();
    let look = bucket.read(entry(key), &mut value);
    if let Look::Found { version, .. } = look {
        assert_eq!(value, version.to_le_bytes(), "torn");
    }
    look
}

#[test]
fn readers_see_whole_entries_only() {
    model(|| {
        let words = Words::new(1);
        put(words.bucket(), 0, (b"k", 1));
        let theirs = Arc::clone(&words);
        let writer = thread::spawn(move || {
            assert!(theirs.bucket().lock(1));
            put(theirs.bucket(), 0, (b"k", 2));
            theirs.bucket().unlock();
        });
        let look = check(words.bucket(), b"k");
        assert_ne!(look, Look::Absent);
        writer.join().unwrap();
        assert!(matches!(
            check(words.bucket(), b"k"),
            Look::Found { version: 2, .. }
        ));
    });
}

/// Two writes in a row: what is read while the first one's slot is hidden must not be what the second
/// one writes.
#[test]
fn an_entry_beside_the_one_that_is_written_is_whole_too() {
    model(|| {
        let words = Words::new(2);
        put(words.bucket(), 0, (b"a", 1));
        put(words.bucket(), 1, (b"b", 2));
        let theirs = Arc::clone(&words);
        let writer = thread::spawn(move || {
            put(theirs.bucket(), 0, (b"a", 3));
            put(theirs.bucket(), 1, (b"b", 4));
        });
        check(words.bucket(), b"b");
        writer.join().unwrap();
    });
}

#[test]
fn writers_exclude_each_other() {
    model(|| {
        let words = Words::new(1);
        put(words.bucket(), 0, (b"k", 1));
        let write = |words: &Words, me: u64| {
            if !words.bucket().lock(me) {
                return false;
            }
            let (version, _) = words.bucket().peek(0, &mut Vec::new());
            put(words.bucket(), 0, (b"k", version + 1));
            words.bucket().unlock();
            true
        };
        let theirs = Arc::clone(&words);
        let other = thread::spawn(move || u64::from(write(&theirs, 1)));
        let wrote = u64::from(write(&words, 2)) + other.join().unwrap();
        let look = check(words.bucket(), b"k");
        let version = 1 + wrote;
        assert!(matches!(look, Look::Found { version: found, .. } if found == version));
        assert_eq!(words.0[AT_OWNER].load(Ordering::Relaxed), 0);
    });
}
