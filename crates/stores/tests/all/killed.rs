//! What was acknowledged is there after `kill -9`, whenever that comes.
//!
//! A child process, which is this program again, writes with eight threads and tells each
//! acknowledgement through a pipe. The parent kills it, opens the map, and compares. `WEIR_KILLS`
//! says how often (10 times if it does not), `WEIR_KILL_ENTRIES` how many other entries the map has.

mod child;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use weir_maps::store::{Found, Op, Terms};
use weir_maps::{MapOptions, Value};
use weir_stores::disk::DiskStore;
use weir_stores::durable::{DurableConfig, DurableMaps};

use crate::behaviour::unlimited;
use crate::suite::random::Dice;
use crate::suite::{Plain as _, wait};
use child::{BATCH, BATCHED, COUNTERS, Step, THREADS, WRITERS, content};

/// Where the child finds what it needs to know.
const FOLDER: &str = "WEIR_KILLED_FOLDER";
const FIRST: &str = "WEIR_KILLED_FIRST";
const LAG: &str = "WEIR_KILLED_LAG_MS";

/// A relaxed map's lag in these tests.
const SHORT: Duration = Duration::from_millis(20);

/// An acknowledgement: who, which step, and the version or number that was answered.
#[derive(Clone, Copy, Debug)]
struct Told {
    step: u64,
    answer: u64,
}

/// What is known of a map between two children.
#[derive(Default)]
struct Known {
    /// By writer and key: the step that stored it, and its version. Not there: removed.
    entries: BTreeMap<(u64, u64), (u64, u64)>,
    counter: u64,
    batch: u64,
    first: u64,
    version: u64,
}

fn maps(folder: &Path, lag: Option<Duration>) -> DurableMaps {
    let synced = DurableConfig::synced(folder);
    DurableMaps::new(lag.map_or(synced, |lag| DurableConfig::relaxed(folder, lag)))
}

fn open(folder: &Path, lag: Option<Duration>) -> DiskStore {
    let options = (MapOptions::default(), unlimited());
    maps(folder, lag).open("tenant", "killed", options).unwrap()
}

fn number(name: &str, or: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(or, |text| text.parse().unwrap())
}

/// Starts a child and kills it after a while. Answers what it told of each of its threads.
fn run(folder: &Path, known: &Known, (lag, time): (Option<Duration>, Duration)) -> Vec<Vec<Told>> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "--ignored",
            "--nocapture",
            "killed::child::writes_until_it_is_killed",
        ])
        .env(FOLDER, folder)
        .env(FIRST, known.first.to_string())
        .stdout(Stdio::piped());
    if let Some(lag) = lag {
        command.env(LAG, lag.as_millis().to_string());
    }
    let mut child: Child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line != "ready\n" {
        line.clear();
        assert!(
            lines.read_line(&mut line).unwrap() > 0,
            "the child did not begin"
        );
    }
    let killer = std::thread::spawn(move || {
        std::thread::sleep(time);
        child.kill().unwrap();
        child.wait().unwrap()
    });
    let mut told = vec![Vec::new(); usize::try_from(THREADS).unwrap()];
    loop {
        line.clear();
        lines.read_line(&mut line).unwrap();
        // The last line may be cut: it was not told then.
        let Some(whole) = line.strip_suffix('\n') else {
            break;
        };
        let numbers: Vec<u64> = whole.split(' ').filter_map(|it| it.parse().ok()).collect();
        let &[thread, step, answer] = &numbers[..] else {
            panic!("the child says {whole}");
        };
        told[usize::try_from(thread).unwrap()].push(Told { step, answer });
    }
    assert!(!killer.join().unwrap().success(), "it ended by itself");
    told
}

/// Compares the map with what was told, and learns what became of the steps that were under way.
fn compare(map: &DiskStore, known: &mut Known, told: &[Vec<Told>], lag: Option<Duration>) {
    for writer in 0..WRITERS {
        writes(
            map,
            known,
            (writer, &told[usize::try_from(writer).unwrap()]),
            lag,
        );
    }
    let counters = &told[usize::try_from(WRITERS).unwrap()..][..usize::try_from(COUNTERS).unwrap()];
    let counted = counters.iter().map(|told| told.len() as u64).sum::<u64>();
    let counter = u64::try_from(map.plus(b"counter", 0).unwrap().value).unwrap();
    let (least, most) = (known.counter + counted, known.counter + counted + COUNTERS);
    let least = if lag.is_some() { known.counter } else { least };
    assert!(
        (least..=most).contains(&counter),
        "{least} <= {counter} <= {most}"
    );
    known.counter = counter;
    let by = usize::try_from(BATCH).unwrap();
    batches(map, known, &told[by], lag);
    let seen = told[by + 1].last().map_or(0, |told| told.step);
    assert!(
        lag.is_some() || seen <= known.batch,
        "{seen} was seen and is not there"
    );
    let last = told.iter().flatten().map(|told| told.step).max();
    // Every thread may have been one step further than it told.
    known.first = last.unwrap_or_default().max(known.first) + 2;
    let version = map.set(b"next", b"x").unwrap();
    let highest = known.version;
    assert!(version > highest, "version {version} after {highest}");
    known.version = version;
}

fn writes(
    map: &DiskStore,
    known: &mut Known,
    (writer, told): (u64, &[Told]),
    lag: Option<Duration>,
) {
    let before = known.entries.clone();
    for told in told {
        let step = Step::of(writer, told.step);
        let version = if step.removes { 0 } else { told.answer };
        known.version = known.version.max(version);
        if step.removes {
            known.entries.remove(&(writer, step.key));
        } else {
            known
                .entries
                .insert((writer, step.key), (told.step, version));
        }
    }
    let open = Step::of(
        writer,
        told.last().map_or(known.first, |told| told.step + 1),
    );
    for key in 0..Step::KEYS {
        let place = (writer, key);
        let found = map.entry(&Step::name(writer, key));
        let there = found.as_ref().map(|found| (stored(found), found.version));
        let expected = known.entries.get(&place).copied();
        let under_way = key == open.key
            && match there {
                None => open.removes,
                Some((step, version)) => {
                    step == open.number && expected.is_none_or(|(_, last)| version > last)
                }
            };
        // A relaxed map may have fallen back to an earlier step, whole.
        let earlier = lag.is_some()
            && match there {
                None => true,
                Some((step, _)) => before.get(&place).is_none_or(|(old, _)| step >= *old),
            };
        assert!(
            there == expected || under_way || earlier,
            "{place:?}: {there:?} instead of {expected:?}, {open:?} under way"
        );
        match there {
            Some(there) => known.entries.insert(place, there),
            None => known.entries.remove(&place),
        };
    }
}

/// The step that an entry was stored by. All of its bytes must be of that step.
fn stored(found: &Found) -> u64 {
    let bytes = found.value.bytes().unwrap();
    let step = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(bytes, content(step), "an entry is torn");
    step
}

fn batches(map: &DiskStore, known: &mut Known, told: &[Told], lag: Option<Duration>) {
    let read = |key: u64| {
        let entry = map.entry(format!("batch {key}").as_bytes());
        entry.map_or(0, |found| stored(&found))
    };
    let batch = read(0);
    for key in 1..BATCHED {
        assert_eq!(read(key), batch, "a batch is whole");
    }
    let last = told.last().map_or(known.batch, |told| told.step);
    let next = told.last().map_or(known.first, |told| told.step + 1);
    let earlier = lag.is_some() && batch >= known.batch && batch < last;
    assert!(
        batch == last || batch == next || earlier,
        "{batch}: {last} was told"
    );
    known.batch = batch;
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let (kills, entries) = (number("WEIR_KILLS", 10), number("WEIR_KILL_ENTRIES", 1000));
    let folder = tempfile::tempdir().unwrap();
    let map = open(folder.path(), None);
    let other = |number: u64| {
        let key = format!("other {number:08}").into_bytes();
        Op::Set(
            key.into(),
            Value::copy_of(&content(number)),
            Terms::default(),
        )
    };
    for first in (0..entries).step_by(1000) {
        let ops: Vec<Op> = (first..(first + 1000).min(entries)).map(other).collect();
        map.all(&ops).unwrap();
    }
    wait(map.close()).unwrap();
    let (mut known, mut dice) = (
        Known {
            first: 1,
            ..Known::default()
        },
        Dice::new(kills),
    );
    let (mut times, mut acknowledged) = (Vec::new(), 0);
    for round in 0..kills {
        // Every fourth one is relaxed: it may fall back, but never to something that never was.
        let lag = (round % 4 == 3).then_some(SHORT);
        let time = Duration::from_millis(5 + dice.below(200));
        let told = run(folder.path(), &known, (lag, time));
        acknowledged += told.iter().map(Vec::len).sum::<usize>();
        let start = Instant::now();
        let map = open(folder.path(), None);
        times.push(start.elapsed());
        compare(&map, &mut known, &told, lag);
        assert_eq!(map.keys(b"other ", 1000).len() as u64, entries);
        wait(map.close()).unwrap();
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    let summary = format!(
        "{kills} kills, {acknowledged} acknowledged writes, all there; {entries} other entries; opening took {median:?} (median), {worst:?} (worst)"
    );
    std::fs::write(
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("kills.txt"),
        &summary,
    )
    .unwrap();
    assert!(acknowledged > usize::try_from(kills).unwrap(), "{summary}");
}
