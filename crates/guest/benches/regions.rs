//! What handing 8 MiB from one module to the next costs: `cargo bench -p weir-guest --bench regions`.
//!
//! Every figure is the median of several rounds, in microseconds of the thread's processor time, the
//! guest's own instructions included. *Handed on* is what the receiver pays to have the bytes in its
//! memory; *read* includes reading all of them, eight at a time. *Warm* is memory that the guest has
//! written to before, *fresh* that of a guest that was just made.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use weir_guest::door::{Answer, Call, Event, Reply, Stop, World};
use weir_guest::{Host, Program, Vm, thread_time};
use weir_maps::budget::{Account, Amount};
use weir_maps::call::{Called, MapReply};
use weir_maps::{Ends, Engine, Grants, Handles, Identity, MapOptions, Rights, SystemClock};
use weir_model::GuestLimits;
use weir_testkit::program;
use weir_testkit::run::engine;

const ROUNDS: usize = 41;
const LIMIT: Duration = Duration::from_mins(1);
const BYTES: u64 = 8 << 20;

/// What the guest does.
#[derive(Clone, Copy)]
enum Do {
    Open,
    CreateRegion,
    /// Stores its own 8 MiB as a value.
    Set,
    /// Copies the value to where its own 8 MiB are.
    Get,
    GetRegion,
    Map,
    MapToWrite,
    Unmap,
    ReadOwn,
    ReadMapped,
    FillOwn,
    FillMapped,
}

/// Its own 8 MiB begin at 64 KiB.
fn text() -> String {
    let get = |key: u32| {
        format!(
            "(call $get (i32.load (i32.const 0)) (i32.const {key}) (i32.const 1)
               (i32.const 65536) (i32.const {BYTES}) (i32.const 16) (i32.const 0))"
        )
    };
    let map = |prot: u32| {
        format!(
            "(call $map (i32.load (i32.const 0)) (i32.const 41) (i32.const 1) (i64.const 0)
               (i32.const {BYTES}) (i32.const {prot}) (i32.const 4))"
        )
    };
    let read = |from: &str| format!("(call $read {from})");
    let fill = |from: &str| {
        format!("(memory.fill {from} (i32.const 7) (i32.const {BYTES})) (i32.const 0)")
    };
    let (own, mapped) = ("(i32.const 65536)", "(i32.load (i32.const 4))");
    let steps = [
        "(call $open (i32.const 32) (i32.const 5) (i64.const 1023) (i32.const 0))".to_owned(),
        format!(
            "(call $create (i32.load (i32.const 0)) (i32.const 41) (i32.const 1) (i64.const {BYTES}))"
        ),
        format!(
            "(call $set (i32.load (i32.const 0)) (i32.const 40) (i32.const 1)
               (i32.const 65536) (i32.const {BYTES}))"
        ),
        get(40),
        get(41),
        map(1),
        map(3),
        format!("(call $unmap (i32.load (i32.const 4)) (i32.const {BYTES}))"),
        read(own),
        read(mapped),
        fill(own),
        fill(mapped),
    ];
    let step = |(number, step): (usize, &String)| {
        format!("(if (i32.eq (local.get 1) (i32.const {number})) (then (return {step})))\n")
    };
    let steps: Vec<String> = steps.iter().enumerate().map(step).collect();
    let steps = steps.concat();
    format!(
        r#"(module
        (import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
        (import "wasi_map_v1" "region_create" (func $create (param i32 i32 i32 i64) (result i32)))
        (import "wasi_map_v1" "set" (func $set (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_map_v1" "get" (func $get (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_map_v1" "region_map"
            (func $map (param i32 i32 i32 i64 i32 i32 i32) (result i32)))
        (import "wasi_map_v1" "region_unmap" (func $unmap (param i32 i32) (result i32)))
        (memory (export "memory") 130 1024)
        (data (i32.const 32) "cache") (data (i32.const 40) "vr")
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (func $read (param $at i32) (result i32) (local $end i32) (local $sum i64)
            (local.set $end (i32.add (local.get $at) (i32.const {BYTES})))
            (loop $next
                (local.set $sum (i64.xor (local.get $sum) (i64.load (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
            (i64.store (i32.const 24) (local.get $sum))
            (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
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
    host: Host<Shelf>,
}

impl Bench {
    fn new() -> Self {
        let maps = Engine::new(Arc::new(SystemClock::default()));
        let room = Amount {
            entries: 1000,
            bytes: 1 << 30,
        };
        let options = MapOptions {
            value_bytes_max: 16 << 20,
            ..MapOptions::default()
        };
        maps.define("", "cache", (options, &Arc::new(Account::new(room))))
            .expect("a map");
        Self {
            maps,
            program: program(text()),
            host: Host::new(engine()).expect("a host"),
        }
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
        let limits = GuestLimits::default();
        let vm = self.host.start(&self.program, world, &limits);
        let mut vm = vm.expect("a guest");
        does(&mut vm, Do::Open);
        vm
    }

    /// The median of what these steps take together, with others before and after each round.
    fn warm(&self, (before, steps, after): (&[Do], &[Do], &[Do])) -> f64 {
        let mut vm = self.guest();
        does(&mut vm, Do::FillOwn);
        let round = || {
            do_all(&mut vm, before);
            let began = thread_time();
            do_all(&mut vm, steps);
            let took = thread_time().saturating_sub(began);
            do_all(&mut vm, after);
            took
        };
        median(round)
    }

    /// The same, in a fresh guest each round.
    fn fresh(&self, steps: &[Do]) -> f64 {
        median(|| {
            let mut vm = self.guest();
            let began = thread_time();
            do_all(&mut vm, steps);
            thread_time().saturating_sub(began)
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

fn do_all(vm: &mut Vm<Shelf>, steps: &[Do]) {
    for step in steps {
        does(vm, *step);
    }
}

fn median(mut round: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| round()).collect();
    times.sort();
    times[ROUNDS / 2].as_secs_f64() * 1e6
}

fn main() {
    let bench = Bench::new();
    let mut first = bench.guest();
    does(&mut first, Do::FillOwn);
    does(&mut first, Do::Set);
    does(&mut first, Do::CreateRegion);
    does(&mut first, Do::MapToWrite);
    does(&mut first, Do::FillMapped);
    does(&mut first, Do::Unmap);
    drop(first);
    let none: &[Do] = &[];
    let rows = [
        (
            "handed on, warm",
            bench.warm((none, &[Do::Get], none)),
            bench.warm((none, &[Do::GetRegion], none)),
            bench.warm((none, &[Do::Map], &[Do::Unmap])),
        ),
        (
            "handed on and given back, warm",
            bench.warm((none, &[Do::Get], none)),
            bench.warm((none, &[Do::GetRegion], none)),
            bench.warm((none, &[Do::Map, Do::Unmap], none)),
        ),
        (
            "handed on and read, warm",
            bench.warm((none, &[Do::Get, Do::ReadOwn], none)),
            bench.warm((none, &[Do::GetRegion, Do::ReadOwn], none)),
            bench.warm((none, &[Do::Map, Do::ReadMapped], &[Do::Unmap])),
        ),
        (
            "handed on, fresh",
            bench.fresh(&[Do::Get]),
            bench.fresh(&[Do::GetRegion]),
            bench.fresh(&[Do::Map]),
        ),
        (
            "handed on and read, fresh",
            bench.fresh(&[Do::Get, Do::ReadOwn]),
            bench.fresh(&[Do::GetRegion, Do::ReadOwn]),
            bench.fresh(&[Do::Map, Do::ReadMapped]),
        ),
    ];
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "8 MiB, µs{:<24}{:>12}{:>16}{:>10}{:>8}",
        "", "copy (get)", "copy of region", "mapped", "ratio"
    );
    for (what, copied, copied_region, mapped) in rows {
        let ratio = mapped / copied;
        let _ = writeln!(
            out,
            "{what:<33}{copied:>12.1}{copied_region:>16.1}{mapped:>10.1}{ratio:>8.3}"
        );
    }
    let filled = bench.warm((none, &[Do::FillOwn, Do::Set], none));
    let mapped = bench.warm((none, &[Do::MapToWrite, Do::FillMapped, Do::Unmap], none));
    let made = bench.warm((none, &[Do::CreateRegion], none));
    let read = bench.warm((none, &[Do::ReadOwn], none));
    let _ = writeln!(
        out,
        "\nfilled and set {filled:.1}; filled in a mapping {mapped:.1}; a region made {made:.1}; \
         its own memory read {read:.1}"
    );
}
