//! What the memory engine does in a second, beside the table it is built on and beside a map behind
//! a lock: `cargo bench -p weir-maps --bench get [-- SECONDS] [PART OF A ROW'S NAME]`.
//!
//! Every row runs on one thread and on two. Rates are by the time that the threads had a processor,
//! so that a machine which does other things too does not make them worse than they are. The keys of the rows "hot" are one; those of the others
//! are 100 000, taken in an order that no cache can guess.

#![expect(clippy::print_stdout, reason = "its output")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use weir_maps::budget::{Account, Amount};
use weir_maps::handles::Ends;
use weir_maps::store::Terms;
use weir_maps::{
    Called, Engine, Grants, Handles, Identity, MapCall, MapOptions, MapReply, MemoryStore,
    MemoryTable, NoEdges, Rights, Store, SystemClock, Value,
};

const KEYS: u64 = 100_000;
/// Operations between two looks at the clock.
const ROUND: u64 = 1000;

fn main() {
    // `cargo bench` hands over `--bench`; `cargo test --benches` does not: one short round then.
    let seconds = std::env::args().find_map(|argument| argument.parse().ok());
    let named = |argument: &String| !argument.starts_with('-') && argument.parse::<f64>().is_err();
    let run = Run {
        rows: std::env::args().skip(1).find(named).unwrap_or_default(),
        time: Duration::from_secs_f64(seconds.unwrap_or(0.5)),
    };
    println!(
        "{:<34}{:>12}{:>12}{:>8}",
        "operations a second", "one thread", "two", "times"
    );
    let keys: Vec<[u8; 16]> = (0..KEYS).map(key).collect();
    engine(&run, &keys);
    calls(&run, &keys);
    others(&run, &keys);
}

/// 16 bytes, as a client's address or an id has.
fn key(number: u64) -> [u8; 16] {
    let mut key = *b"client/00000000/";
    key[7..15].copy_from_slice(format!("{number:08}").as_bytes());
    key
}

fn map(options: MapOptions) -> MemoryStore {
    let table = MemoryTable::new(Arc::new(SystemClock::default()));
    let owner = Arc::new(Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    }));
    MemoryStore::new(&table, options, owner, NoEdges).expect("options that make sense")
}

fn engine(run: &Run, keys: &[[u8; 16]]) {
    let map = map(MapOptions::default());
    let value = Value::copy_of(&[7; 64]);
    for key in keys {
        map.write(key, value.clone(), Terms::default())
            .now()
            .expect("room");
    }
    let read = |key: &[u8]| {
        let mut buffer = [0_u8; 64];
        let mut copy = |seen: weir_maps::store::Seen<'_>| {
            buffer.copy_from_slice(seen.value.bytes().unwrap_or_default());
        };
        map.read(key, &mut copy)
            .now()
            .expect("at once")
            .expect("an entry");
        black_box(buffer);
    };
    run.row("weir get 64 B", |number| read(&keys[spread(number)]));
    run.row("weir get 64 B, 1000 keys", |number| {
        read(&keys[spread(number) % 1000]);
    });
    run.row("weir get 64 B, hot", |_| read(&keys[1]));
    run.row("weir set 64 B", |number| {
        let value = Value::copy_of(&[7; 64]);
        map.write(&keys[spread(number)], value, Terms::default())
            .now()
            .expect("room");
    });
    run.row("weir increment", |number| {
        let mut key = keys[spread(number)];
        key[0] = b'n';
        map.add(&key, 1).now().expect("a counter");
    });
    run.row("weir increment, hot", |_| {
        map.add(b"one counter", 1).now().expect("a counter");
    });
}

/// The same reads as a host makes them for its guests: each thread has handles of its own, behind a
/// lock that nobody else takes.
fn calls(run: &Run, keys: &[[u8; 16]]) {
    let engine = Engine::new(Arc::new(SystemClock::default()));
    let unlimited = Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    };
    let owner = Arc::new(Account::new(unlimited));
    engine
        .define("", "map", (MapOptions::default(), &owner))
        .expect("a map");
    let handles = || {
        let identity = Identity {
            in_use: "bench".into(),
            grants: Arc::new(Grants::of("").with("map", Rights::ALL)),
            owner: Arc::clone(&owner),
            meter: Arc::default(),
        };
        let mut handles = Handles::new(&engine, identity);
        handles.open(b"map", Rights::ALL).expect("granted");
        Mutex::new(handles)
    };
    let threads = [handles(), handles()];
    for key in keys {
        let map = engine.find("", "map").expect("it is there");
        let value = Value::copy_of(&[7; 64]);
        let written = map.map().store().write(key, value, Terms::default());
        written.now().expect("room");
    }
    let read = |number: u64, key: &[u8]| {
        let thread = usize::try_from(number >> 40).unwrap_or_default();
        let mut handles = threads[thread].lock().expect("no panic");
        let get = MapCall::Get { handle: 1, key };
        let Called::Now(MapReply::Entry(value, _)) = handles.call(get, Ends::WithInstance) else {
            panic!("no entry");
        };
        let mut buffer = [0_u8; 64];
        buffer.copy_from_slice(value.bytes().unwrap_or_default());
        black_box(buffer);
    };
    run.row("weir call get 64 B", |number| {
        read(number, &keys[spread(number)]);
    });
    run.row("weir call get 64 B, 1000 keys", |number| {
        read(number, &keys[spread(number) % 1000]);
    });
    run.row("weir call get 64 B, hot", |number| read(number, &keys[1]));
}

fn others(run: &Run, keys: &[[u8; 16]]) {
    let value = Bytes::from(vec![7; 64]);
    let pairs = keys.iter().map(|key| (key.to_vec(), value.clone()));
    let native: papaya::HashMap<Vec<u8>, Bytes> = pairs.clone().collect();
    let locked: RwLock<HashMap<Vec<u8>, Bytes>> = RwLock::new(pairs.collect());
    run.row("papaya get 64 B", |number| {
        let map = native.pin();
        let mut buffer = [0_u8; 64];
        buffer.copy_from_slice(map.get(&keys[spread(number)][..]).expect("an entry"));
        black_box(buffer);
    });
    run.row("papaya set 64 B", |number| {
        let value = Bytes::copy_from_slice(&[7; 64]);
        native.pin().insert(keys[spread(number)].to_vec(), value);
    });
    run.row("RwLock<HashMap> get 64 B", |number| {
        let map = locked.read().expect("no panic");
        let mut buffer = [0_u8; 64];
        buffer.copy_from_slice(&map[&keys[spread(number)][..]]);
        black_box(buffer);
    });
    let counters: papaya::HashMap<Vec<u8>, AtomicU64> = keys
        .iter()
        .map(|key| (key.to_vec(), AtomicU64::new(0)))
        .collect();
    run.row("papaya of atomics, fetch_add", |number| {
        let map = counters.pin();
        let counter = map.get(&keys[spread(number)][..]).expect("an entry");
        counter.fetch_add(1, Ordering::Relaxed);
    });
}

/// An index that jumps about.
fn spread(number: u64) -> usize {
    usize::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33).unwrap_or_default()
        % usize::try_from(KEYS).unwrap_or(1)
}

struct Run {
    time: Duration,
    /// What the names of the rows to be run hold.
    rows: String,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    fn row(&self, name: &str, work: impl Fn(u64) + Sync) {
        if !name.contains(&self.rows) {
            return;
        }
        self.rate(1, &work);
        let one = self.rate(1, &work) as f64;
        let two = self.rate(2, &work) as f64;
        let millions = |rate: f64| format!("{:.2} M", rate / 1e6);
        println!(
            "{name:<34}{:>12}{:>12}{:>8.2}",
            millions(one),
            millions(two),
            two / one
        );
    }

    /// Operations a second of all threads together.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates for people"
    )]
    fn rate(&self, threads: u64, work: &(impl Fn(u64) + Sync)) -> u64 {
        let start = Barrier::new(usize::try_from(threads).unwrap_or(1));
        let stop = AtomicBool::new(false);
        let done = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (start, stop, done) = (&start, &stop, &done);
                scope.spawn(move || {
                    start.wait();
                    let begin = Instant::now();
                    let on_processor = processor_time();
                    let mut number = thread << 40;
                    while begin.elapsed() < self.time && !stop.load(Ordering::Relaxed) {
                        (number..number + ROUND).for_each(work);
                        number += ROUND;
                    }
                    stop.store(true, Ordering::Relaxed);
                    let count = (number - (thread << 40)) as f64;
                    let time = processor_time().zip(on_processor);
                    let time =
                        time.map_or(begin.elapsed(), |(end, begin)| end.saturating_sub(begin));
                    let rate = count / time.as_secs_f64();
                    done.fetch_add(rate as u64, Ordering::Relaxed);
                });
            }
        });
        done.load(Ordering::Relaxed)
    }
}

/// How long this thread has had a processor, where the system tells.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
