//! What a process takes: memory out of its filter's budget, and no time while nothing runs.

use std::sync::Arc;
use std::time::Duration;

use weir_guest::apart::Refuge;
use weir_guest::door::{Call, Cause, Reply};
use weir_guest::{Answer, MemoryBudget, Reset, Stop, World};
use weir_model::{Exceeded, GuestLimits};
use weir_testkit::program;
use weir_testkit::run::CALL;

use super::{LIMIT, REFUGE, apart, kill, launcher};
use crate::common::{REQUEST_HEADERS, cause, on_request};

const PAGE: u64 = 1 << 16;
/// Asks for two pages more.
const GROW: &str = "(memory.grow (i32.const 2))";

/// A world with a budget.
struct Frugal(Arc<MemoryBudget>, Vec<Exceeded>);

impl World for Frugal {
    fn call(&mut self, _: Call<'_>) -> Result<Answer, Stop> {
        Ok(Reply::Done.into())
    }

    fn memory_budget(&self) -> Option<Arc<MemoryBudget>> {
        Some(Arc::clone(&self.0))
    }

    fn exceeded(&mut self, what: Exceeded) {
        self.1.push(what);
    }
}

fn pages(count: u64) -> (Arc<MemoryBudget>, GuestLimits) {
    let limits = GuestLimits {
        total_memory_bytes: count * PAGE,
        ..GuestLimits::default()
    };
    (Arc::new(MemoryBudget::new(count * PAGE)), limits)
}

#[test]
fn processes_share_their_filters_memory() {
    let (budget, limits) = pages(5);
    let text = program(on_request("", GROW));
    let world = || Frugal(Arc::clone(&budget), Vec::new());
    let process = || {
        launcher(&[])
            .launch(&text, &limits, REFUGE)
            .expect("a process")
    };
    let (first, second) = (process(), process());
    let mut one = first.start(world()).expect("one page");
    let mut two = second.start(world()).expect("two pages");
    assert_eq!(one.deliver(&REQUEST_HEADERS, CALL), Ok(1));
    assert_eq!(budget.used_bytes(), 4 * PAGE);
    assert_eq!(two.deliver(&REQUEST_HEADERS, CALL), Ok(-1));
    let told: Vec<String> = two.world().1.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["limits.total_memory: 320KiB"]);
    drop(one);
    assert_eq!(two.deliver(&REQUEST_HEADERS, CALL), Ok(1));
    // A process that is killed gives all back.
    kill(second.id().expect("it runs"));
    assert!(two.deliver(&REQUEST_HEADERS, CALL).is_err());
    drop(two);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn copies_take_what_their_snapshot_has() {
    let (budget, limits) = pages(100);
    let refuge = Refuge { vms: 8, ..REFUGE };
    let text = program(on_request("", GROW));
    let process = launcher(&[])
        .launch(&text, &limits, refuge)
        .expect("a process");
    let world = || Frugal(Arc::clone(&budget), Vec::new());
    let mut root = process.start(world()).expect("a guest");
    root.deliver(&REQUEST_HEADERS, CALL).expect("it grows");
    let snapshot = root.snapshot().expect("a snapshot");
    let mut copy = snapshot.start(world()).expect("a copy");
    assert_eq!(budget.used_bytes(), 6 * PAGE);
    copy.deliver(&REQUEST_HEADERS, CALL).expect("it grows");
    assert_eq!(budget.used_bytes(), 8 * PAGE);
    drop(copy);
    assert_eq!(budget.used_bytes(), 3 * PAGE);
    let mut copy = snapshot.start(world()).expect("a copy");
    assert_eq!(copy.reset(&snapshot), Reset::Done);
    assert_eq!(budget.used_bytes(), 6 * PAGE);
    drop((copy, root));
    assert_eq!(budget.used_bytes(), 0);
}

/// How often the threads of a process have waited so far.
fn waits(id: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).expect("it runs");
    let waits = |task: std::fs::DirEntry| -> Option<u64> {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let lines = status.lines();
        let mut counts = lines.filter_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        counts.next()?.trim().parse().ok()
    };
    tasks.filter_map(|task| waits(task.ok()?)).sum()
}

#[test]
fn nothing_wakes_a_process_that_is_idle() {
    let vm = apart(&on_request("", "(loop (br 0)) (i32.const 0)"));
    let id = vm.process().id().expect("it runs");
    // Twice: a clock that rests must begin again.
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(300));
        let before = waits(id);
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(waits(id), before);
        let mut other = vm
            .process()
            .start(weir_testkit::Script::new())
            .expect("a guest");
        let result = other.deliver(&REQUEST_HEADERS, LIMIT);
        // It is the process that ends its guest: the gateway would end the process.
        assert_eq!(cause(result), Some(Cause::Deadline(LIMIT)));
        assert_eq!(vm.process().id(), Some(id));
    }
}
