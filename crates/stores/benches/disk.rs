//! What maps over a file do in a second, what their syncs are shared by, and how long they take to
//! open: `cargo bench -p weir-stores --bench disk [-- SECONDS] [PART OF A ROW'S NAME]`.
//!
//! The file is in the folder that `TMPDIR` names, or the system's: its disk is what is measured.

#![expect(clippy::print_stdout, reason = "its output")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![expect(clippy::cast_precision_loss, reason = "rates for people")]

use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use weir_maps::budget::{Account, Amount};
use weir_maps::store::{Found, Op, Terms};
use weir_maps::{Answer, MapError, MapOptions, Store, Value};
use weir_stores::disk::DiskStore;
use weir_stores::durable::{DurableConfig, DurableMaps};

fn main() {
    if let Some(folder) = std::env::var_os(OPENED) {
        return only_open(Path::new(&folder));
    }
    // `cargo bench` hands over `--bench`; `cargo test --benches` does not: one short round then.
    let seconds = std::env::args().find_map(|argument| argument.parse().ok());
    let named = |argument: &String| !argument.starts_with('-') && argument.parse::<f64>().is_err();
    let run = Run {
        rows: std::env::args().skip(1).find(named).unwrap_or_default(),
        time: Duration::from_secs_f64(seconds.unwrap_or(0.2)),
        entries: if seconds.is_some() { 1_000_000 } else { 1000 },
    };
    hot(&run);
    synced(&run);
    relaxed(&run);
    recovery(&run);
}

struct Run {
    rows: String,
    time: Duration,
    entries: u64,
}

impl Run {
    fn is_asked(&self, name: &str) -> bool {
        name.contains(&self.rows)
    }
}

fn open(config: DurableConfig) -> DiskStore {
    let all = Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    };
    let options = MapOptions {
        entries_max: u64::MAX,
        bytes_max: u64::MAX,
        ..MapOptions::default()
    };
    let maps = DurableMaps::new(config);
    maps.open("", "bench", (options, Arc::new(Account::new(all))))
        .unwrap()
}

/// 16 bytes, as a client's address or an id has.
fn key(number: u64) -> [u8; 16] {
    let mut key = *b"client/00000000/";
    key[7..15].copy_from_slice(format!("{number:08}").as_bytes());
    key
}

fn fill(map: &DiskStore, entries: u64, value: &[u8]) {
    for first in (0..entries).step_by(1000) {
        let set = |number: u64| {
            let key = key(number).to_vec();
            Op::Set(key.into(), Value::copy_of(value), Terms::default())
        };
        let ops: Vec<Op> = (first..(first + 1000).min(entries)).map(set).collect();
        wait(map.batch(&ops)).unwrap();
    }
}

/// Reads of 64 bytes that are in memory.
fn hot(run: &Run) {
    if !run.is_asked("get") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let map = open(DurableConfig::synced(folder.path()));
    fill(&map, 100_000.min(run.entries), &[7; 64]);
    let all: Vec<[u8; 16]> = (0..100_000.min(run.entries)).map(key).collect();
    for (name, keys) in [("get 64 B, hot", 1), ("get 64 B, 100 000 keys", all.len())] {
        for threads in [1, 2] {
            let count = rate(run, threads, |number| {
                let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
                let key = &all[usize::try_from(number).unwrap_or_default() % keys];
                let seen = map.read(key, &mut |seen| Found::from(seen));
                assert!(matches!(seen, Answer::Now(Ok(Some(_)))));
                black_box(&seen);
            });
            println!("{name}, {threads} threads: {:.2} M/s", count / 1e6);
        }
    }
}

fn rate(run: &Run, threads: u64, work: impl Fn(u64) + Sync) -> f64 {
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (stop, count, work) = (&stop, &count, &work);
            scope.spawn(move || {
                let mut done = 0;
                while !stop.load(Ordering::Relaxed) {
                    (0..100).for_each(|step| work((thread << 40) + done + step));
                    done += 100;
                }
                count.fetch_add(done, Ordering::Relaxed);
            });
        }
        std::thread::sleep(run.time);
        stop.store(true, Ordering::Relaxed);
    });
    count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

/// Writes that wait for the disk, with so many at once, as the guests of one worker are.
fn synced(run: &Run) {
    for writers in [1, 32, 256] {
        let name = format!("set 64 B, synced, {writers} at once");
        if !run.is_asked(&name) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let map = open(DurableConfig::synced(folder.path()));
        fill(&map, 10_000.min(run.entries), &[7; 64]);
        let before = map.syncs();
        let (count, times) = many(run, writers, |number| {
            let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            map.write(
                &key(number % 10_000),
                Value::copy_of(&[8; 64]),
                Terms::default(),
            )
        });
        let syncs = map.syncs() - before;
        println!(
            "{name}: {:.0}/s, {:.1} for each sync, median {:?}, worst {:?}",
            count as f64 / run.time.as_secs_f64(),
            count as f64 / syncs.max(1) as f64,
            times[times.len() / 2],
            times[times.len() - 1],
        );
    }
}

fn relaxed(run: &Run) {
    if !run.is_asked("set 64 B, relaxed") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lag = Duration::from_millis(100);
    let map = open(DurableConfig::relaxed(folder.path(), lag));
    fill(&map, 10_000.min(run.entries), &[7; 64]);
    for threads in [1, 2] {
        let count = rate(run, threads, |number| {
            let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            let value = Value::copy_of(&[8; 64]);
            wait(map.write(&key(number % 10_000), value, Terms::default())).unwrap();
        });
        println!(
            "set 64 B, relaxed, {threads} threads: {:.3} M/s",
            count / 1e6
        );
    }
}

/// How long opening takes, after an orderly end and after none, and what it all takes of memory.
fn recovery(run: &Run) {
    if !run.is_asked("open") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = DurableConfig::synced(folder.path());
    let map = open(config);
    fill(&map, run.entries, &[7; 64]);
    let path = map.path().to_path_buf();
    let length = std::fs::metadata(&path).unwrap().len();
    // As a crash leaves it: the file while it is open.
    let crashed = folder.path().join("crashed");
    copy(&path, &crashed);
    wait(map.close()).unwrap();
    for (name, path) in [("in order", None), ("after a crash", Some(crashed))] {
        if let Some(crashed) = path {
            copy(&crashed, &folder.path().join("_/bench.durable"));
        }
        // In a process of its own, whose memory is then the map's.
        let mut child = Command::new(std::env::current_exe().unwrap());
        let told = child.env(OPENED, folder.path()).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        println!(
            "open {} entries of 80 B, {name}: {}; {length} bytes of file",
            run.entries,
            told.trim()
        );
    }
}

/// Tells a process to open a map in this folder, and nothing else.
const OPENED: &str = "WEIR_BENCH_OPENED";

fn only_open(folder: &Path) {
    let before = resident();
    let start = Instant::now();
    let map = open(DurableConfig::synced(folder));
    let time = start.elapsed();
    let entries = wait(map.stat()).unwrap().entries;
    let memory = resident().saturating_sub(before);
    println!("{time:?}, {} bytes of memory for each", memory / entries);
    wait(map.close()).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

/// Bytes of memory that the process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse::<u64>().unwrap() << 10
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an answer on this thread.
fn wait<T>(answer: Answer<T>) -> Result<T, MapError> {
    let mut answer = match answer {
        Answer::Now(result) => return result,
        Answer::Later(later) => later,
    };
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match pin!(&mut answer).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// So many operations at a time, all on this thread. Answers how many were done, and how long each
/// of them took, in order.
fn many(run: &Run, writers: u64, ask: impl Fn(u64) -> Answer<u64>) -> (u64, Vec<Duration>) {
    let later = |answer| match answer {
        Answer::Later(later) => (later, Instant::now()),
        Answer::Now(_) => panic!("synced writes come later"),
    };
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut open: Vec<_> = (0..writers).map(|number| later(ask(number))).collect();
    let (mut asked, mut times) = (writers, Vec::new());
    let start = Instant::now();
    while start.elapsed() < run.time {
        let mut ready = false;
        for (answer, since) in &mut open {
            let poll = answer.as_mut().poll(&mut Context::from_waker(&waker));
            if poll.map(Result::unwrap).is_ready() {
                times.push(since.elapsed());
                (*answer, *since) = later(ask(asked));
                asked += 1;
                ready = true;
            }
        }
        if !ready {
            std::thread::park_timeout(run.time);
        }
    }
    times.sort();
    (times.len() as u64, times)
}
