//! What a call through the door costs: `cargo bench -p weir-guest`.
//!
//! Every figure is the median of several rounds, in nanoseconds, the loop of the guest included.

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use weir_guest::door::{Answer, Call, Event, MapKind, Reply, Stop, World};
use weir_guest::{Host, OnThread, WaitingHost};
use weir_model::GuestLimits;
use weir_testkit::program;
use weir_testkit::run::engine;

const CALLS: u32 = 100_000;
const ROUNDS: usize = 15;
const LIMIT: Duration = Duration::from_mins(1);
const EVENT: Event = Event::RequestHeaders {
    context: 2,
    count: 0,
    end: true,
};

/// Answers everything alike; values of response headers are there only at the second look.
struct Constant;

impl World for Constant {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        let value = || Reply::Bytes("value".into());
        Ok(match call {
            Call::Header {
                map: MapKind::ResponseHeaders,
                ..
            } => Answer::Pending(Box::pin(async move {
                tokio::task::yield_now().await;
                value()
            })),
            Call::Header { .. } => value().into(),
            _ => Reply::Done.into(),
        })
    }
}

/// A guest that does one thing `calls` times in one event.
fn looping(calls: u32, body: &str) -> String {
    format!(
        r#"(module
          (import "env" "proxy_clear_route_cache" (func $prompt (result i32)))
          (import "env" "proxy_get_header_map_value"
            (func $header (param i32 i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "malloc") (param i32) (result i32) (i32.const 1024))
          (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (local $n i32) (local.set $n (i32.const {calls}))
            (block (loop
              (br_if 1 (i32.eqz (local.get $n)))
              (drop {body})
              (local.set $n (i32.sub (local.get $n) (i32.const 1)))
              (br 0)))
            (i32.const 0)))"#
    )
}

fn header(map: MapKind) -> String {
    let map = map as u8;
    format!(
        "(call $header (i32.const {map}) (i32.const 0) (i32.const 4) (i32.const 64) (i32.const 68))"
    )
}

/// The median time of a round, divided by the calls in it.
fn median(calls: u32, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            round();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(calls)
}

fn prompt(calls: u32, events: u32, body: &str) -> f64 {
    let program = program(looping(calls, body));
    let host = Host::new(engine()).expect("a host");
    let mut vm = host
        .start(&program, Constant, &GuestLimits::default())
        .expect("a guest");
    median(calls.max(1) * events, || {
        for _ in 0..events {
            vm.deliver(&EVENT, LIMIT).expect("it runs");
        }
    })
}

fn waiting(runtime: &Runtime, calls: u32, events: u32, body: &str) -> f64 {
    let program = program(looping(calls, body));
    let host = WaitingHost::new(engine()).expect("a host");
    let world = OnThread::new(Constant);
    let started = runtime.block_on(host.start(&program, world, &GuestLimits::default()));
    let mut vm = started.expect("a guest");
    median(calls.max(1) * events, || {
        runtime.block_on(async {
            for _ in 0..events {
                vm.deliver(&EVENT, LIMIT).await.expect("it runs");
            }
        });
    })
}

fn main() -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().build()?;
    let (here, later) = (
        header(MapKind::RequestHeaders),
        header(MapKind::ResponseHeaders),
    );
    let simple = "(call $prompt)";
    let rows = [
        ("host, a call without bytes", prompt(CALLS, 1, simple)),
        ("host, a call that gives bytes", prompt(CALLS, 1, &here)),
        ("host, an event", prompt(0, CALLS, simple)),
        (
            "waiting host, a call without bytes",
            waiting(&runtime, CALLS, 1, simple),
        ),
        (
            "waiting host, a call that gives bytes at once",
            waiting(&runtime, CALLS, 1, &here),
        ),
        (
            "waiting host, a call that waits for one poll",
            waiting(&runtime, CALLS, 1, &later),
        ),
        (
            "waiting host, an event",
            waiting(&runtime, 0, CALLS, simple),
        ),
    ];
    let mut out = std::io::stdout().lock();
    for (what, nanos) in rows {
        writeln!(out, "{nanos:9.1} ns  {what}")?;
    }
    Ok(())
}
