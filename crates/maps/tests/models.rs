//! Every interleaving of the parts that take no lock, tried by loom:
//! `cargo test -p weir-maps --features loom --test models --release`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;
use weir_maps::budget::{Account, Amount};
use weir_maps::gate::Gate;

/// Two entries as a reader finds them, and the locks of their shards.
#[derive(Default)]
struct Two {
    gate: Gate,
    values: [AtomicU64; 2],
    shards: [Mutex<()>; 2],
}

impl Two {
    fn batch(&self, value: u64) {
        let first = self.shards[0].lock().unwrap();
        let second = self.shards[1].lock().unwrap();
        let closed = self.gate.close();
        // As the table publishes records: with release, and nothing stronger.
        for entry in &self.values {
            entry.store(value, Ordering::Release);
        }
        drop(closed);
        drop((second, first));
    }

    fn read(&self, entry: usize) -> u64 {
        if !self.gate.is_open() {
            drop(self.shards[entry].lock().unwrap());
        }
        self.values[entry].load(Ordering::Acquire)
    }
}

/// Who has read an entry of a batch reads no older entry after it, in either order.
#[test]
fn a_reader_sees_no_half_batch() {
    for order in [[0, 1], [1, 0]] {
        loom::model(move || {
            let two = Arc::new(Two::default());
            let writer = {
                let two = Arc::clone(&two);
                thread::spawn(move || two.batch(1))
            };
            let (first, second) = (two.read(order[0]), two.read(order[1]));
            assert!(second >= first, "{second} after {first}");
            writer.join().unwrap();
            assert_eq!((two.read(0), two.read(1)), (1, 1));
        });
    }
}

/// What one reader has seen is there for another one that begins later.
#[test]
fn readers_agree_on_the_order() {
    loom::model(|| {
        let two = Arc::new(Two::default());
        let seen = Arc::new(AtomicU64::new(0));
        let writer = {
            let two = Arc::clone(&two);
            thread::spawn(move || two.batch(1))
        };
        let reader = {
            let (two, seen) = (Arc::clone(&two), Arc::clone(&seen));
            thread::spawn(move || seen.store(two.read(0), Ordering::Release))
        };
        let before = seen.load(Ordering::Acquire);
        assert!(two.read(1) >= before);
        writer.join().unwrap();
        reader.join().unwrap();
    });
}

/// Batches that have no shard in common close the gate at the same time: while one of them is being
/// stored, the end of another one does not open it.
#[test]
fn the_end_of_one_batch_does_not_uncover_another() {
    // Three threads: all interleavings take minutes, those with three preemptions seconds.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let two = Arc::new(Two::default());
        let batch = {
            let two = Arc::clone(&two);
            thread::spawn(move || two.batch(1))
        };
        let other = {
            let two = Arc::clone(&two);
            thread::spawn(move || drop(two.gate.close()))
        };
        let first = two.read(0);
        assert!(two.read(1) >= first);
        batch.join().unwrap();
        other.join().unwrap();
        assert!(two.gate.is_open());
    });
}

fn amount(entries: u64, bytes: u64) -> Amount {
    Amount { entries, bytes }
}

/// Two writers, of whom one must be refused, and one who frees what was there: the limit holds, and
/// a refusal leaves nothing behind.
#[test]
fn an_account_never_exceeds_its_limit() {
    loom::model(|| {
        let account = Arc::new(Account::new(amount(3, 8)));
        account.change(Amount::default(), amount(1, 2)).unwrap();
        let writers = [3, 6].map(|bytes| {
            let account = Arc::clone(&account);
            let new = amount(1, bytes);
            thread::spawn(move || account.change(Amount::default(), new).map_or(0, |()| bytes))
        });
        account.change(amount(1, 2), Amount::default()).unwrap();
        let admitted = writers.map(|writer| writer.join().unwrap());
        let entries = admitted.iter().filter(|bytes| **bytes > 0).count() as u64;
        let used = account.used();
        assert_eq!(used, amount(entries, admitted.iter().sum()));
        assert!(used.bytes <= 8, "{used:?}");
    });
}

/// Two writers of whom only one finds a free entry: the other one's bytes are taken back.
#[test]
fn a_refused_change_is_taken_back() {
    loom::model(|| {
        let account = Arc::new(Account::new(amount(1, 100)));
        let writers = [3, 6].map(|bytes| {
            let account = Arc::clone(&account);
            let new = amount(1, bytes);
            thread::spawn(move || account.change(Amount::default(), new).map_or(0, |()| bytes))
        });
        let admitted: u64 = writers.map(|writer| writer.join().unwrap()).iter().sum();
        assert!(admitted == 3 || admitted == 6);
        assert_eq!(account.used(), amount(1, admitted));
    });
}
