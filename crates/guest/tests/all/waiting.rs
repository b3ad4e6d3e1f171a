//! Guests that can be suspended keep every promise of those that cannot.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use weir_guest::door::{Answer, Call, Event, Reply, Stop, World};
use weir_guest::{
    Cause, FailureKind, MemoryBudget, OnThread, Program, Reset, SnapshotError, StartError,
    WaitingHost, WaitingVm,
};
use weir_model::{GuestLimits, Limit};
use weir_testkit::program;
use weir_testkit::run::{CALL, engine};

use crate::common::{MEMORY, REQUEST_HEADERS, env, module, on_request};

/// Lets a guest wait for one turn of the thread each time it asks for shared data.
#[derive(Default)]
struct Slow {
    touched: Vec<String>,
    watches: bool,
    budget: Option<std::sync::Arc<MemoryBudget>>,
    exceeded: Vec<Limit>,
}

impl World for Slow {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        match call {
            Call::SharedEntry { .. } => Ok(Answer::Pending(Box::pin(async {
                tokio::task::yield_now().await;
                Reply::Entry("v".into(), 1)
            }))),
            Call::Touched { function } => {
                self.touched.push(function.to_owned());
                Ok(Reply::Done.into())
            }
            Call::UpstreamHosts => Ok(Reply::Bytes("hosts".into()).into()),
            _ => Ok(Reply::Done.into()),
        }
    }

    fn watches(&self) -> bool {
        self.watches
    }

    fn memory_budget(&self) -> Option<std::sync::Arc<MemoryBudget>> {
        self.budget.clone()
    }

    fn exceeded(&mut self, what: weir_model::Exceeded) {
        self.exceeded.push(what.limit);
    }
}

type Guest = WaitingVm<OnThread<Slow>>;

fn host() -> WaitingHost<OnThread<Slow>> {
    WaitingHost::new(engine()).expect("a host")
}

async fn start_in(program: &Program, world: Slow) -> Result<Guest, StartError> {
    let limits = GuestLimits::default();
    host().start(program, OnThread::new(world), &limits).await
}

async fn start(program: &Program) -> Guest {
    let started = start_in(program, Slow::default()).await;
    started.expect("a guest")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

const WAIT: &str = "(drop (call $proxy_get_shared_data
    (i32.const 0) (i32.const 1) (i32.const 64) (i32.const 68) (i32.const 72)))";

fn shared() -> String {
    env(&["proxy_get_shared_data"])
}

fn request(context: u32) -> Event {
    Event::RequestHeaders {
        context,
        count: 0,
        end: true,
    }
}

/// Its memory is so large that a reset asks first whether there can be pages to put back. It looks at
/// all of them, writes to one, waits, and writes to the next.
fn rememberer() -> Program {
    let callback = format!(
        r#"(data (i32.const 2097148) "\01\02\03\04")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (local $found i32) (local $place i32)
            (loop $pages
                (local.set $found (i32.or (local.get $found) (i32.load offset=8 (local.get $place))))
                (local.set $place (i32.add (local.get $place) (i32.const 4096)))
                (br_if $pages (i32.lt_u (local.get $place) (i32.const 4194304))))
            (i32.store offset=8 (i32.shl (local.get 0) (i32.const 12)) (local.get 0))
            {WAIT}
            (local.get $found))"#
    );
    let text = module(&shared(), &callback);
    program(text.replace(MEMORY, r#"(memory (export "memory") 64)"#))
}

#[test]
fn what_it_wrote_before_it_waited_is_gone_after_a_reset_whoever_ran_meanwhile() {
    let program = rememberer();
    let host = host();
    let from = |snapshot: &_| {
        let (world, limits) = (OnThread::new(Slow::default()), GuestLimits::default());
        let vm = host.start_from(&program, snapshot, world, &limits);
        vm.expect("a guest")
    };
    run(async {
        let empty = start(&program).await.snapshot().expect("a snapshot");
        let (mut one, mut two) = (from(&empty), from(&empty));
        for round in 1..60 {
            // New pages each time; both run in turns.
            let page = 1 + round * 7 % 1000;
            let (event, other) = (request(page), request(page + 1));
            let found = tokio::join!(one.deliver(&event, CALL), two.deliver(&other, CALL));
            assert_eq!(found, (Ok(0), Ok(0)), "round {round}");
            // It does remember within its own life, so the next round proves something.
            assert_eq!(one.deliver(&event, CALL).await, Ok(page.cast_signed()));
            assert_eq!(one.reset(&empty), Reset::Done);
            assert_eq!(two.reset(&empty), Reset::Done);
        }
    });
}

#[test]
fn snapshots_pass_between_guests_that_wait_and_those_that_do_not() {
    let body = r#"(global $n (mut i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))"#;
    let program = program(module("", body));
    let limits = GuestLimits::default();
    run(async {
        let mut waiting = start(&program).await;
        assert_eq!(waiting.deliver(&REQUEST_HEADERS, CALL).await, Ok(1));
        let snapshot = waiting.snapshot().expect("a snapshot");
        let prompt = weir_guest::Host::new(engine()).expect("a host");
        let made = prompt.start_from(&program, &snapshot, Slow::default(), &limits);
        let mut prompt = made.expect("a guest");
        assert_eq!(prompt.deliver(&REQUEST_HEADERS, CALL), Ok(2));
        let snapshot = prompt.snapshot().expect("a snapshot");
        let world = OnThread::new(Slow::default());
        let made = host().start_from(&program, &snapshot, world, &limits);
        let mut waiting = made.expect("a guest");
        assert_eq!(waiting.deliver(&REQUEST_HEADERS, CALL).await, Ok(3));
    });
}

#[test]
fn a_guest_that_nobody_waits_for_any_more_gives_nothing_and_takes_nothing() {
    let program = program(on_request(&shared(), &format!("{WAIT} (i32.const 0)")));
    run(async {
        let mut vm = start(&program).await;
        let snapshot = vm.snapshot().expect("a snapshot");
        {
            let mut delivery = std::pin::pin!(vm.deliver(&REQUEST_HEADERS, CALL));
            let mut context = Context::from_waker(Waker::noop());
            assert!(matches!(
                delivery.as_mut().poll(&mut context),
                Poll::Pending
            ));
        }
        assert!(vm.has_failed());
        assert!(matches!(vm.snapshot(), Err(SnapshotError::Failed)));
        assert_eq!(vm.reset(&snapshot), Reset::Failed);
        assert_eq!(
            vm.deliver(&REQUEST_HEADERS, CALL).await,
            Err(Cause::Gone.into())
        );
    });
}

#[test]
fn a_trap_after_waiting_tells_where_it_was() {
    let text = on_request(&shared(), &format!("{WAIT} unreachable")).replace(
        "(func (export \"proxy_on_request_headers\")",
        "(func $request (export \"proxy_on_request_headers\")",
    );
    run(async {
        let mut vm = start(&program(text)).await;
        let failure = vm.deliver(&REQUEST_HEADERS, CALL).await;
        let failure = failure.expect_err("a trap");
        assert_eq!(failure.kind(), FailureKind::Trap);
        assert!(
            failure.to_string().contains("; in request (at 0x"),
            "{failure}"
        );
        assert!(vm.has_failed());
    });
}

/// Each wait would begin the limit anew if the clock did not go on where it stood still.
#[test]
fn running_between_waits_counts_together() {
    let busy = "(local.set $n (i32.const 3000000))
        (loop $busy (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $busy (local.get $n)))";
    let body = format!("(local $n i32) (loop $ever {WAIT} {busy} (br $ever)) unreachable");
    let limit = Duration::from_millis(60);
    run(async {
        let mut vm = start(&program(on_request(&shared(), &body))).await;
        let failure = vm.deliver(&REQUEST_HEADERS, limit).await;
        assert_eq!(failure.expect_err("it ends").cause, Cause::Deadline(limit));
    });
}

#[test]
fn a_watched_function_may_wait_too() {
    let program = program(on_request(
        &shared(),
        &format!("{WAIT} (i32.load (i32.const 68))"),
    ));
    run(async {
        let world = Slow {
            watches: true,
            ..Slow::default()
        };
        let mut vm = start_in(&program, world).await.expect("a guest");
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL).await, Ok(1));
        assert_eq!(vm.world().get().touched, ["proxy_get_shared_data"]);
    });
}

#[test]
fn the_memory_that_a_filter_may_use_in_all_holds_for_it() {
    let program = program(on_request("", "(memory.grow (i32.const 1))"));
    run(async {
        let budget = std::sync::Arc::new(MemoryBudget::new(1 << 16));
        let world = Slow {
            budget: Some(std::sync::Arc::clone(&budget)),
            ..Slow::default()
        };
        let mut vm = start_in(&program, world).await.expect("a guest");
        assert_eq!(budget.used_bytes(), 1 << 16);
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL).await, Ok(-1));
        assert_eq!(vm.world().get().exceeded, [Limit::TotalMemory]);
    });
}

#[test]
fn what_only_higress_has_hands_bytes_to_it_too() {
    let import =
        r#"(import "env" "proxy_get_upstream_hosts" (func $hosts (param i32 i32) (result i32)))"#;
    let body = "(drop (call $hosts (i32.const 64) (i32.const 68))) (i32.load (i32.const 68))";
    let options = weir_guest::ProgramOptions {
        dialect: weir_model::Dialect::Higress,
        ..weir_guest::ProgramOptions::default()
    };
    let program = weir_testkit::run::load(on_request(import, body).as_bytes(), options);
    let program = program.expect("a module that loads");
    run(async {
        let mut vm = start(&program).await;
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL).await, Ok(5));
    });
}
