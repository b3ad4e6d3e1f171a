//! What recording costs a guest: `cargo bench -p weir-capsule`.
//!
//! A million calls in events of three calls each, which is what a small filter makes, with and without
//! a recorder around the same world. Figures are medians of rounds that take turns.

use std::io::Write;
use std::time::{Duration, Instant};

use weir_capsule::{Recorder, Tape};
use weir_guest::door::{Answer, Call, Event, Reply, Stop, World};
use weir_guest::{Host, Program, Vm};
use weir_model::GuestLimits;
use weir_testkit::program;
use weir_testkit::run::engine;

const CALLS: u32 = 1_000_000;
const CALLS_PER_EVENT: u32 = 3;
const ROUNDS: usize = 9;
const LIMIT: Duration = Duration::from_mins(1);
/// Bytes of a tape, as by default.
const LOG_BYTES: usize = 1 << 20;
const EVENT: Event = Event::RequestHeaders {
    context: 2,
    count: 0,
    end: true,
};

/// Two reads of a header, and one that is added.
const GUEST: &str = r#"(module
  (import "env" "proxy_get_header_map_value"
    (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) ":path")
  (data (i32.const 16) "x-original-path")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func $read (drop (call $header
    (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 64) (i32.const 68))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $read) (call $read)
    (drop (call $add (i32.const 0) (i32.const 16) (i32.const 15)
      (i32.load (i32.const 64)) (i32.load (i32.const 68))))
    (i32.const 0)))"#;

/// Answers as a gateway with little to do.
struct Quick;

impl World for Quick {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        Ok(match call {
            Call::Header { .. } => Reply::Bytes("/some/path/of/a/request".into()).into(),
            _ => Reply::Done.into(),
        })
    }
}

fn start<W: World>(program: &Program, world: W) -> Vm<W> {
    let host = Host::new(engine()).expect("a host");
    host.start(program, world, &GuestLimits::default())
        .expect("a guest")
}

/// Nanoseconds of a call, the events around them included.
fn round(mut deliver: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..CALLS / CALLS_PER_EVENT {
        deliver();
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let program = program(GUEST);
    let mut plain = start(&program, Quick);
    let tape = Tape::new(LOG_BYTES);
    let mut recorded = start(&program, Recorder::new(Quick, tape));
    recorded.world().tape.started();
    let mut images = 0;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(round(|| {
            plain.deliver(&EVENT, LIMIT).expect("it runs");
        }));
        with.push(round(|| {
            recorded.deliver(&EVENT, LIMIT).expect("it runs");
            if recorded.world().tape.wants_image() {
                let image = recorded.snapshot().expect("an image");
                recorded.world().tape.set_image(image);
                images += 1;
            }
        }));
    }
    let (without, with) = (median(without), median(with));
    let mut out = std::io::stdout().lock();
    let more = with - without;
    writeln!(
        out,
        "a call of {CALLS}: {without:.1} ns, recorded {with:.1} ns ({more:+.1} ns, {images} images)"
    )
    .expect("the terminal is there");
}
