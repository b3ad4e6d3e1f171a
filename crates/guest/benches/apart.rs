//! What a guest in a process of its own costs: `cargo bench -p weir-guest --bench apart`.
//!
//! Every figure is the median of several rounds, in nanoseconds on the wall, the guest's own
//! instructions included. Beside each stands the same guest in this process.

use std::io::Write;
use std::time::{Duration, Instant};

use weir_guest::apart::{Launcher, Refuge};
use weir_guest::door::{Answer, Call, Event, Reply, Stop, World};
use weir_guest::{Failure, Host};
use weir_model::{GuestLimits, limits};
use weir_testkit::program;
use weir_testkit::run::engine;

const EVENTS: u32 = 2_000;
const ROUNDS: usize = 15;
const LIMIT: Duration = Duration::from_mins(1);
const EVENT: Event = Event::RequestHeaders {
    context: 2,
    count: 0,
    end: true,
};

/// Answers everything alike.
struct Constant;

impl World for Constant {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        Ok(match call {
            Call::Header { .. } => Reply::Bytes("value".into()).into(),
            _ => Reply::Done.into(),
        })
    }
}

/// A guest that reads `calls` headers in one event.
fn reading(calls: usize) -> String {
    let read = "(drop (call $header (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 64)
        (i32.const 68)))";
    format!(
        r#"(module
          (import "env" "proxy_get_header_map_value"
            (func $header (param i32 i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "malloc") (param i32) (result i32) (i32.const 1024))
          (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            {} (i32.const 0)))"#,
        read.repeat(calls)
    )
}

/// The median time of an event.
fn median(mut deliver: impl FnMut() -> Result<i32, Failure>) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..EVENTS {
                deliver().expect("it runs");
            }
            began.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(EVENTS)
}

fn main() -> std::io::Result<()> {
    let host = Host::new(engine()).expect("a host");
    let launcher = Launcher::new(env!("CARGO_BIN_EXE_weir-test-plugin").into(), Vec::new());
    let refuge = Refuge {
        user: limits::APART_USER,
        vms: 1,
    };
    let mut out = std::io::stdout().lock();
    let limits = GuestLimits::default();
    for calls in [0, 1, 5, 20] {
        let program = program(reading(calls));
        let mut here = host.start(&program, Constant, &limits).expect("a guest");
        let began = Instant::now();
        let process = launcher.launch(&program, &limits, refuge);
        let process = process.expect("a process");
        let start_ms = began.elapsed().as_secs_f64() * 1e3;
        let mut there = process.start(Constant).expect("a guest");
        let inside = median(|| here.deliver(&EVENT, LIMIT));
        let apart = median(|| there.deliver(&EVENT, LIMIT));
        writeln!(
            out,
            "an event with {calls:2} calls: {inside:8.0} ns here, {apart:8.0} ns in a process \
             (ready after {start_ms:.1} ms)"
        )?;
    }
    Ok(())
}
