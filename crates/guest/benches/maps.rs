//! What a guest pays for a shared map in memory: `cargo bench -p weir-guest --bench maps`.
//!
//! Every figure is the median of several rounds, in nanoseconds of the thread's processor time for
//! one call, the guest's loop included. *Bare* is a call of the host that does nothing. Values have
//! 64 bytes, keys 8, and which key comes next is a matter of chance.

use std::io::Write;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use weir_guest::door::{Answer, Call, Event, Reply, Stop, World};
use weir_guest::{Host, Program, Vm, thread_time};
use weir_maps::budget::{Account, Amount};
use weir_maps::call::{Called, MapReply};
use weir_maps::{Ends, Engine, Grants, Handles, Identity, MapOptions, Rights, SystemClock};
use weir_model::GuestLimits;
use weir_testkit::program;
use weir_testkit::run::engine;

const ROUNDS: u16 = 15;
const CALLS: u32 = 200_000;
const LIMIT: Duration = Duration::from_mins(1);

/// What the guest does in one event.
#[derive(Clone, Copy)]
enum Do {
    Open,
    Fill,
    Bare,
    Get,
    Set,
    Increment,
}

/// The key is at 48, the value at 128, what is read goes to 256.
fn text(keys: u32) -> String {
    let key = "(i32.load (i32.const 0)) (i32.const 48) (i32.const 8)";
    let each = |times: u32, step: &str, body: &str| {
        format!(
            "(local.set $left (i32.const {times}))
             (loop $next
               {step}
               (if {body} (then (unreachable)))
               (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
             (return (i32.const 0))"
        )
    };
    // Knuth's generator; its upper bits choose the key.
    let any = format!(
        "(global.set $seed (i64.add (i64.mul (global.get $seed) (i64.const 6364136223846793005))
           (i64.const 1442695040888963407)))
         (i64.store (i32.const 48)
           (i64.rem_u (i64.shr_u (global.get $seed) (i64.const 33)) (i64.const {keys})))"
    );
    let in_turn =
        "(i64.store (i32.const 48) (i64.extend_i32_u (i32.sub (local.get $left) (i32.const 1))))";
    let set = format!("(call $set {key} (i32.const 128) (i32.const 64))");
    let steps = [
        "(return (call $open (i32.const 32) (i32.const 5) (i64.const 1023) (i32.const 0)))"
            .to_owned(),
        each(keys, in_turn, &set),
        each(CALLS, &any, "(call $bare)"),
        each(
            CALLS,
            &any,
            &format!(
                "(call $get {key} (i32.const 256) (i32.const 64) (i32.const 16) (i32.const 0))"
            ),
        ),
        each(CALLS, &any, &set),
        each(
            CALLS,
            "(i64.store (i32.const 48) (i64.const -1))",
            &format!("(call $increment {key} (i64.const 1) (i32.const 24))"),
        ),
    ];
    let step = |(number, step): (usize, &String)| {
        format!("(if (i32.eq (local.get 1) (i32.const {number})) (then {step}))\n")
    };
    let steps: Vec<String> = steps.iter().enumerate().map(step).collect();
    let steps = steps.concat();
    format!(
        r#"(module
        (import "env" "proxy_clear_route_cache" (func $bare (result i32)))
        (import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
        (import "wasi_map_v1" "set" (func $set (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_map_v1" "get" (func $get (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_map_v1" "increment"
            (func $increment (param i32 i32 i32 i64 i32) (result i32)))
        (memory (export "memory") 1)
        (global $seed (mut i64) (i64.const 1))
        (data (i32.const 32) "cache")
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (local $left i32)
            {steps} (unreachable)))"#
    )
}

struct Shelf(Handles);

impl World for Shelf {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        let Call::Map(call) = call else {
            return Ok(Reply::Done.into());
        };
        Ok(match self.0.call(call, Ends::WithInstance) {
            Called::Now(reply) => Reply::Map(reply).into(),
            Called::Later(_) => Reply::Map(MapReply::TIMED_OUT).into(),
        })
    }
}

struct Bench {
    maps: Engine,
    program: Program,
}

impl Bench {
    /// A map with so many entries.
    fn new(keys: u32) -> Self {
        let maps = Engine::new(Arc::new(SystemClock::default()));
        let room = Amount {
            entries: u64::from(keys) + 1,
            bytes: 1 << 30,
        };
        maps.define(
            "",
            "cache",
            (MapOptions::default(), &Arc::new(Account::new(room))),
        )
        .expect("a map");
        let bench = Self {
            maps,
            program: program(text(keys)),
        };
        does(&mut bench.guest(), Do::Fill);
        bench
    }

    /// A guest with the map open.
    fn guest(&self) -> Vm<Shelf> {
        let identity = Identity {
            in_use: "filter".into(),
            grants: Arc::new(Grants::of("").with("cache", Rights::ALL)),
            owner: Arc::new(Account::new(Amount::default())),
            meter: Arc::default(),
        };
        let world = Shelf(Handles::new(&self.maps, identity));
        let host = Host::new(engine()).expect("a host");
        let vm = host.start(&self.program, world, &GuestLimits::default());
        let mut vm = vm.expect("a guest");
        does(&mut vm, Do::Open);
        vm
    }

    fn nanos(&self, step: Do) -> f64 {
        let mut vm = self.guest();
        does(&mut vm, step);
        median(|| {
            let began = thread_time();
            does(&mut vm, step);
            thread_time().saturating_sub(began)
        })
    }

    /// Calls per second of so many threads together, by the clock on the wall.
    fn rate(&self, step: Do, threads: u16) -> f64 {
        let gate = Barrier::new(usize::from(threads) + 1);
        thread::scope(|scope| {
            let gate = &gate;
            let all: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(move || {
                        let mut vm = self.guest();
                        does(&mut vm, step);
                        gate.wait();
                        for _ in 0..ROUNDS {
                            does(&mut vm, step);
                        }
                    })
                })
                .collect();
            gate.wait();
            let began = Instant::now();
            for one in all {
                one.join().expect("it ran");
            }
            let calls = f64::from(CALLS) * f64::from(ROUNDS) * f64::from(threads);
            calls / began.elapsed().as_secs_f64()
        })
    }
}

fn does(vm: &mut Vm<Shelf>, step: Do) {
    let event = Event::RequestHeaders {
        context: 2,
        count: step as u32,
        end: true,
    };
    assert_eq!(vm.deliver(&event, LIMIT), Ok(0), "{}", step as u32);
}

/// Of one call.
fn median(mut round: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| round()).collect();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for keys in [1000, 100_000] {
        let bench = Bench::new(keys);
        let bare = bench.nanos(Do::Bare);
        writeln!(out, "{keys} keys\n{bare:9.1} ns  bare")?;
        let steps = [
            ("get", Do::Get),
            ("set", Do::Set),
            ("increment", Do::Increment),
        ];
        for (name, step) in steps {
            let nanos = bench.nanos(step);
            let over = nanos - bare;
            writeln!(out, "{nanos:9.1} ns  {name}, {over:.1} over a bare call")?;
        }
        for (name, step) in steps {
            let (one, two) = (bench.rate(step, 1), bench.rate(step, 2));
            let (one, two, gain) = (one / 1e6, two / 1e6, two / one);
            writeln!(
                out,
                "{one:9.2} M/s {name} in one thread, {two:.2} in two: {gain:.2} times"
            )?;
        }
    }
    Ok(())
}
