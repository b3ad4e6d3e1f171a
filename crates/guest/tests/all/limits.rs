//! What a guest may use, and what happens when it uses more.

use std::time::{Duration, Instant};

use weir_guest::door::{Call, Reply};
use weir_guest::{Cause, Host, StartError, Vm};
use weir_model::{GuestLimits, limits};
use weir_testkit::run::{CALL, engine};
use weir_testkit::{Script, program, start};

use crate::common::{REQUEST_HEADERS, answer, cause, env, module, on_request, procedure, words};

const LIMIT: Duration = Duration::from_millis(200);

/// Running time of this thread so far, as the kernel counts it.
fn thread_time() -> Duration {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = line
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

/// Running time of this thread since `began`.
fn since(began: Duration) -> Duration {
    thread_time().saturating_sub(began)
}

fn guest(text: &str) -> Vm<Script> {
    start(&program(text), Script::new()).expect("a guest")
}

#[test]
fn an_endless_loop_ends_within_twice_its_limit() {
    let mut vm = guest(&on_request("", "(loop (br 0)) unreachable"));
    let (began, wall) = (thread_time(), Instant::now());
    assert_eq!(
        cause(vm.deliver(&REQUEST_HEADERS, LIMIT)),
        Some(Cause::Deadline(LIMIT))
    );
    assert!(since(began) <= 2 * LIMIT, "{:?}", since(began));
    assert!(wall.elapsed() >= LIMIT / 2, "{:?}", wall.elapsed());
    assert!(vm.has_failed());
    assert_eq!(vm.deliver(&REQUEST_HEADERS, LIMIT), Err(Cause::Gone.into()));
}

#[test]
fn only_running_time_counts() {
    let text = on_request(
        &env(&["proxy_done"]),
        "(drop (call $proxy_done)) (drop (call $proxy_done)) (i32.const 3)",
    );
    let short = Duration::from_millis(40);
    let world = Script::new().on(move |call| {
        (*call == Call::Done).then(|| {
            // A thread without processor: its clock stands still.
            std::thread::sleep(2 * short);
            Ok(Reply::Done.into())
        })
    });
    let mut vm = start(&program(text), world).expect("a guest");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, short), Ok(3));
}

#[test]
fn every_call_has_its_own_limit() {
    let spin = "(local $n i32) (local.set $n (i32.const 2000000))
        (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i32.const 0)";
    let mut vm = guest(&on_request("", spin));
    let began = thread_time();
    let mut rounds = 0;
    while since(began) < 2 * LIMIT {
        assert_eq!(vm.deliver(&REQUEST_HEADERS, LIMIT), Ok(0));
        rounds += 1;
    }
    assert!(rounds > 1, "one round of spinning is longer than the limit");
}

#[test]
fn an_endless_start_ends() {
    for export in ["_initialize", "_start"] {
        let text = module("", &procedure(export, "(loop (br 0))"));
        let limits = GuestLimits {
            start: LIMIT,
            ..GuestLimits::default()
        };
        let host = Host::new(engine()).expect("a host");
        let error = host
            .start(&program(text), Script::new(), &limits)
            .err()
            .expect("no start");
        let StartError::Start {
            export: named,
            failure,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((named, failure.cause), (export, Cause::Deadline(LIMIT)));
    }
}

/// A start section runs inside instantiation, before any export is called.
#[test]
fn an_endless_start_section_ends() {
    let text = module("", "(func $s (loop (br 0))) (start $s)");
    let limits = GuestLimits {
        start: LIMIT,
        ..GuestLimits::default()
    };
    let host = Host::new(engine()).expect("a host");
    let began = thread_time();
    assert!(host.start(&program(text), Script::new(), &limits).is_err());
    assert!(since(began) <= 2 * LIMIT);
}

fn start_with_memory(text: &str, memory_bytes: u64) -> Result<Vm<Script>, StartError> {
    let limits = GuestLimits {
        memory_bytes,
        ..GuestLimits::default()
    };
    Host::new(engine())?.start(&program(text), Script::new(), &limits)
}

#[test]
fn memory_stops_growing_at_its_limit() {
    let text = on_request("", "(memory.grow (i32.const 4))");
    let mut vm = start_with_memory(&text, 9 << 16).expect("a guest");
    for (expected, pages) in [(1, 5), (5, 9), (-1, 9), (-1, 9)] {
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(expected));
        assert_eq!(vm.memory_bytes(), pages << 16);
    }
    assert!(!vm.has_failed());
}

/// Growth beyond the module's own maximum once counted against the limit, though it failed.
#[test]
fn growth_that_fails_uses_nothing_up() {
    let body = "(drop (memory.grow (i32.const 4))) (drop (memory.grow (i32.const 4)))
        (memory.grow (i32.const 2))";
    let text = on_request("", body).replace("\"memory\") 1", "\"memory\") 1 3");
    let mut vm = start_with_memory(&text, 9 << 16).expect("a guest");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(1));
}

/// Two tables whose sizes add up to more than a number holds.
#[test]
fn huge_tables_are_refused() {
    let body = "(i32.wrap_i64 (table.grow 1 (ref.null func) (i64.const -2)))";
    let tables = "(table 5 funcref) (table i64 1 funcref) (memory";
    let text = on_request("", body).replace("(memory", tables);
    assert_eq!(answer(&text), Ok(-1));
}

#[test]
fn a_module_larger_than_its_limit_does_not_start() {
    let text = on_request("", "i32.const 0").replace("\"memory\") 1", "\"memory\") 10");
    assert!(start_with_memory(&text, 10 << 16).is_ok());
    assert!(start_with_memory(&text, 9 << 16).is_err());
}

#[test]
fn tables_stop_growing_at_their_limit() {
    let grow = |elements: u64| {
        let instructions = format!("(table.grow 0 (ref.null func) (i32.const {elements}))");
        answer(&on_request("", &instructions).replace("(memory", "(table 1 funcref) (memory"))
    };
    assert_eq!(grow(limits::guest::GUEST_TABLE_ELEMENTS - 1), Ok(1));
    assert_eq!(grow(limits::guest::GUEST_TABLE_ELEMENTS), Ok(-1));
}

#[test]
fn deep_recursion_ends_the_guest_only() {
    let text = on_request("", "(call $deep (i32.const 0))").replace(
        "(memory",
        "(func $deep (param i32) (result i32)
            (i32.add (i32.const 1) (call $deep (local.get 0)))) (memory",
    );
    let mut vm = guest(&text);
    let result = vm.deliver(&REQUEST_HEADERS, CALL);
    assert!(
        words(&result).contains("call stack exhausted"),
        "{result:?}"
    );
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Err(Cause::Gone.into()));
    assert_eq!(
        guest(&on_request("", "i32.const 4")).deliver(&REQUEST_HEADERS, CALL),
        Ok(4)
    );
}

#[test]
fn a_guest_that_trapped_is_never_entered_again() {
    let text = on_request("", "unreachable");
    let mut vm = guest(&text);
    assert!(words(&vm.deliver(&REQUEST_HEADERS, CALL)).contains("unreachable"));
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Err(Cause::Gone.into()));
    assert_eq!(vm.world().events.len(), 1);
}

fn start_within(text: &str, limits: &GuestLimits) -> Result<Vm<Script>, StartError> {
    Host::new(engine())?.start(&program(text), Script::new(), limits)
}

/// The limit that refused a start.
#[track_caller]
fn check_too_large(text: &str, limits: &GuestLimits, expected: &str) {
    match start_within(text, limits) {
        Err(StartError::TooLarge(exceeded)) => assert_eq!(exceeded.to_string(), expected),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it starts"),
    }
}

#[test]
fn a_module_that_is_too_large_from_the_start_is_refused_by_name() {
    let limits = GuestLimits {
        memory_bytes: 2 << 16,
        memories: 1,
        tables: 1,
        table_elements: 10,
        ..GuestLimits::default()
    };
    let with = |what: &str| module("", what);
    assert!(start_within(&with(""), &limits).is_ok());
    let large = with("").replace("\"memory\") 1", "\"memory\") 3");
    check_too_large(&large, &limits, "limits.memory: 128KiB");
    check_too_large(&with("(memory 0)"), &limits, "limits.memories: 1");
    check_too_large(
        &with("(table 0 funcref) (table 0 funcref)"),
        &limits,
        "limits.tables: 1",
    );
    check_too_large(
        &with("(table 11 funcref)"),
        &limits,
        "limits.table_elements: 10",
    );
    let imported = r#"(import "env" "m" (memory 2))"#;
    let two = GuestLimits {
        memories: 2,
        ..limits
    };
    check_too_large(&module(imported, ""), &two, "limits.memory: 128KiB");
}

/// A world with a budget.
struct Frugal(
    std::sync::Arc<weir_guest::MemoryBudget>,
    Vec<weir_model::Exceeded>,
);

impl weir_guest::World for Frugal {
    fn call(&mut self, _: Call<'_>) -> Result<weir_guest::Answer, weir_guest::Stop> {
        Ok(Reply::Done.into())
    }

    fn memory_budget(&self) -> Option<std::sync::Arc<weir_guest::MemoryBudget>> {
        Some(std::sync::Arc::clone(&self.0))
    }

    fn exceeded(&mut self, what: weir_model::Exceeded) {
        self.1.push(what);
    }
}

#[test]
fn guests_of_one_budget_share_it_and_give_it_back() {
    let budget = std::sync::Arc::new(weir_guest::MemoryBudget::new(5 << 16));
    let limits = GuestLimits {
        total_memory_bytes: 5 << 16,
        ..GuestLimits::default()
    };
    let text = program(on_request("", "(memory.grow (i32.const 2))"));
    let host = Host::new(engine()).expect("a host");
    let world = || Frugal(std::sync::Arc::clone(&budget), Vec::new());
    let mut one = host.start(&text, world(), &limits).expect("one page");
    let mut two = host.start(&text, world(), &limits).expect("two pages");
    assert_eq!(one.deliver(&REQUEST_HEADERS, CALL), Ok(1));
    assert_eq!(budget.used_bytes(), 4 << 16);
    assert_eq!(two.deliver(&REQUEST_HEADERS, CALL), Ok(-1));
    let told: Vec<String> = two.world().1.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["limits.total_memory: 320KiB"]);
    assert!(one.world().1.is_empty());
    drop(one);
    assert_eq!(two.deliver(&REQUEST_HEADERS, CALL), Ok(1));
    assert_eq!(two.world().1.len(), 1, "told once");
    drop(two);
    assert_eq!(budget.used_bytes(), 0);
}
