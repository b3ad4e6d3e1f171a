//! How long the collector holds everybody up, with a million anonymous maps in cycles:
//! `cargo bench -p weir-maps --bench collect [-- MAPS]`.
//!
//! While one thread does the housekeeping, another one makes, links and closes maps, and measures
//! how long these operations took. The same is measured without housekeeping, because a busy machine
//! has pauses of its own. A slice of housekeeping holds the lock once or twice: what it takes is what
//! it may cost somebody else.

#![expect(clippy::print_stdout, reason = "its output")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use weir_maps::budget::{Account, Amount};
use weir_maps::{Engine, Grants, Handles, Identity, MapOptions, SystemClock};
use weir_model::limits::maps as limits;

/// Maps of one ring.
const RING: usize = 10;

fn main() {
    let maps = std::env::args().find_map(|argument| argument.parse().ok());
    let rings: usize = maps.unwrap_or(1_000_000) / RING;
    let engine = Engine::new(Arc::new(SystemClock::default()));
    let mut keeper = instance(&engine);
    let begin = Instant::now();
    // One ring in two stays reachable, by an entry of a map that has a handle.
    let shelf = keeper.create(wide()).expect("a map");
    for number in 0..rings {
        ring(&mut keeper, (number % 2 == 0).then_some((shelf, number)));
    }
    println!(
        "{} maps in rings made in {:?}",
        engine.stat().anonymous,
        begin.elapsed()
    );

    let quiet = AtomicBool::new(true);
    let alone = std::thread::scope(|scope| {
        let other = scope.spawn(|| work(&engine, &quiet));
        std::thread::sleep(Duration::from_secs(2));
        quiet.store(false, Ordering::Relaxed);
        other.join().expect("no panic")
    });
    println!("without housekeeping: {alone}");

    let running = AtomicBool::new(true);
    let (pauses, slices, took) = std::thread::scope(|scope| {
        let other = scope.spawn(|| work(&engine, &running));
        let begin = Instant::now();
        let mut slices = Vec::new();
        // The other thread makes garbage too, so this never comes to rest by itself.
        while engine.stat().cycles < 2 || engine.stat().freeing > 1000 {
            let begin = Instant::now();
            let _ = engine.tend(limits::COLLECT_STEPS);
            slices.push(begin.elapsed());
        }
        let took = begin.elapsed();
        running.store(false, Ordering::Relaxed);
        (other.join().expect("no panic"), Pauses::of(slices), took)
    });
    println!("with housekeeping:    {pauses}");
    println!("slices of it:         {slices}");
    let stat = engine.stat();
    println!(
        "{} cycles in {took:?}: {} maps collected, {} left",
        stat.cycles, stat.collected, stat.anonymous
    );
}

fn wide() -> MapOptions {
    MapOptions {
        bytes_max: u64::MAX,
        entries_max: u64::MAX,
        ..MapOptions::anonymous()
    }
}

fn instance(engine: &Engine) -> Handles {
    let identity = Identity {
        in_use: "bench".into(),
        grants: Arc::new(Grants::default()),
        owner: Arc::new(Account::new(Amount {
            entries: u64::MAX,
            bytes: u64::MAX,
        })),
        meter: Arc::default(),
    };
    Handles::new(engine, identity)
}

/// Maps that refer to each other in a circle, and to none of which there is a handle in the end.
fn ring(handles: &mut Handles, kept_by: Option<(u32, usize)>) {
    let maps: Vec<u32> = (0..RING)
        .map(|_| handles.create(MapOptions::anonymous()).expect("a map"))
        .collect();
    for (place, map) in maps.iter().enumerate() {
        let next = maps[(place + 1) % RING];
        handles.put_map(*map, b"next", next).expect("an edge");
    }
    if let Some((shelf, number)) = kept_by {
        let key = number.to_le_bytes();
        handles.put_map(shelf, &key, maps[0]).expect("an edge");
    }
    for map in maps {
        handles.close(map).expect("a handle");
    }
}

/// How long some operations took.
struct Pauses {
    count: usize,
    sorted: Vec<Duration>,
}

fn work(engine: &Engine, running: &AtomicBool) -> Pauses {
    let mut handles = instance(engine);
    let mut all = Vec::new();
    let root = handles.create(wide()).expect("a map");
    let mut timed = |operation: &mut dyn FnMut()| {
        let begin = Instant::now();
        operation();
        all.push(begin.elapsed());
    };
    while running.load(Ordering::Relaxed) {
        let mut map = 0;
        timed(&mut || map = handles.create(MapOptions::anonymous()).expect("a map"));
        timed(&mut || drop(handles.put_map(root, b"child", map)));
        timed(&mut || handles.close(map).expect("a handle"));
    }
    Pauses::of(all)
}

impl Pauses {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self {
            count: all.len(),
            sorted: all,
        }
    }
}

impl std::fmt::Display for Pauses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |part: usize| self.sorted.get(self.count * part / 10_000);
        let worst = self.sorted.last();
        write!(
            f,
            "{} operations, median {:?}, 99.99 % within {:?}, worst {:?}",
            self.count,
            at(5000).unwrap_or(&Duration::ZERO),
            at(9999).unwrap_or(&Duration::ZERO),
            worst.unwrap_or(&Duration::ZERO)
        )
    }
}
