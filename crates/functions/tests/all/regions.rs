//! Regions in core modules: what they see, and that nothing of it is left, however a call ends.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use weir_functions::{
    Fault, FaultKind, Fetch, FetchError, Later, Loaded, MapAnswer, Response, Stream, Surroundings,
};
use weir_maps::budget::{Account, Amount};
use weir_maps::{
    Called, Ends, Engine, Grants, Handles, Identity, ManualClock, MapCall, MapOptions, MapReply,
    Rights,
};
use weir_model::FunctionKind;

use crate::world::{function, get, on_worker, runtime};

/// Bytes of the region `k` of the map `cache`.
const LENGTH: u32 = 2 * (64 << 10) + 100;
/// What stands in every byte of it.
const SECRET: u8 = 0x5e;
/// Instances that run after all this: enough that they get all addresses that were used.
const LATER: usize = 6;

/// Does what the letters of the path say, one after the other, and answers 200 and four bytes: what the
/// last count found. A map that refuses is status 400 and its number.
const SCRIPT: &str = r#"(module
    (import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
    (import "wasi_map_v1" "region_map"
        (func $region_map (param i32 i32 i32 i64 i32 i32 i32) (result i32)))
    (import "wasi_map_v1" "region_unmap" (func $region_unmap (param i32 i32) (result i32)))
    (import "weir_v1" "respond_write" (func $write (param i32 i32) (result i32)))
    (import "weir_v1" "fetch"
        (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1 200)
    (data (i32.const 16) "cache") (data (i32.const 32) "k")
    (data (i32.const 40) "GET") (data (i32.const 48) "http://far.example/")
    ;; The request lies in the first page, too.
    (func (export "malloc") (param i32) (result i32) (i32.const 32768))
    (func $map (param $prot i32) (result i32)
        (local $error i32)
        (local.set $error (call $open (i32.const 16) (i32.const 5) (i64.const 1023) (i32.const 0)))
        (if (local.get $error) (then (return (local.get $error))))
        (call $region_map (i32.load (i32.const 0)) (i32.const 32) (i32.const 1)
            (i64.const 0) (i32.const LENGTH) (local.get $prot) (i32.const 4)))
    ;; Words behind the first page that are not zero.
    (func $count (local $at i32) (local $found i32)
        (local.set $at (i32.const 65536))
        (block $end
            (loop $next
                (br_if $end (i32.ge_u (local.get $at)
                    (i32.mul (memory.size) (i32.const 65536))))
                (local.set $found (i32.add (local.get $found)
                    (i32.ne (i32.load (local.get $at)) (i32.const 0))))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (br $next)))
        (i32.store (i32.const 8) (local.get $found)))
    (func $do (param $step i32) (result i32)
        (if (i32.eq (local.get $step) (i32.const 0x72 (;r;)))
            (then (return (call $map (i32.const 1)))))
        (if (i32.eq (local.get $step) (i32.const 0x77 (;w;)))
            (then (return (call $map (i32.const 3)))))
        (if (i32.eq (local.get $step) (i32.const 0x66 (;f;)))
            (then (memory.fill (i32.load (i32.const 4)) (i32.const 2) (i32.const LENGTH))))
        (if (i32.eq (local.get $step) (i32.const 0x75 (;u;)))
            (then (return (call $region_unmap (i32.load (i32.const 4)) (i32.const LENGTH)))))
        (if (i32.eq (local.get $step) (i32.const 0x67 (;g;)))
            (then (drop (memory.grow (i32.const 8)))))
        (if (i32.eq (local.get $step) (i32.const 0x63 (;c;)))
            (then (call $count)))
        (if (i32.eq (local.get $step) (i32.const 0x74 (;t;)))
            (then (unreachable)))
        (if (i32.eq (local.get $step) (i32.const 0x73 (;s;)))
            (then (loop $for_ever (br $for_ever))))
        (if (i32.eq (local.get $step) (i32.const 0x62 (;b;)))
            (then (drop (call $write (i32.const 8) (i32.const 4)))))
        (if (i32.eq (local.get $step) (i32.const 0x68 (;h;)))
            (then (return (call $fetch (i32.const 40) (i32.const 3) (i32.const 48) (i32.const 19)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))))
        (i32.const 0))
    (func (export "handle")
        (param i32 i32) (param $path i32) (param $bytes i32) (param i32 i32 i32 i32) (result i32)
        (local $error i32)
        (local.set $bytes (i32.add (local.get $path) (local.get $bytes)))
        (loop $next
            (local.set $path (i32.add (local.get $path) (i32.const 1)))
            (if (i32.lt_u (local.get $path) (local.get $bytes))
                (then
                    (local.set $error (call $do (i32.load8_u (local.get $path))))
                    (if (local.get $error)
                        (then (return (i32.add (i32.const 400) (local.get $error)))))
                    (br $next))))
        (drop (call $write (i32.const 8) (i32.const 4)))
        (i32.const 200)))"#;

struct World(Handles);

impl Surroundings for World {
    fn log(&mut self, _: Stream, _: &[u8]) {}

    fn wall_clock(&mut self) -> Duration {
        Duration::ZERO
    }

    fn monotonic_clock(&mut self) -> Duration {
        Duration::ZERO
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    /// No answer ever comes.
    fn fetch(&mut self, _: Fetch) -> Later<Result<Response, FetchError>> {
        Box::pin(pending())
    }

    fn map_call(&mut self, call: MapCall<'_>) -> MapAnswer {
        match self.0.call(call, Ends::WithInstance) {
            Called::Now(reply) => MapAnswer::Ready(reply),
            Called::Later(_) => unreachable!("maps in memory answer at once"),
        }
    }
}

/// A function and the map that it may use.
struct House {
    engine: Engine,
    function: Loaded,
}

fn account() -> Arc<Account> {
    Arc::new(Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    }))
}

impl House {
    fn new() -> Self {
        Self::with_memory(64 << 20)
    }

    fn with_memory(bytes: u64) -> Self {
        let text = SCRIPT.replace("LENGTH", &LENGTH.to_string());
        let mut function = function(FunctionKind::Core);
        function.limits.memory_bytes = bytes;
        function.limits.time = Duration::from_millis(100);
        let module = wat::parse_str(text).unwrap();
        let function = Loaded::new(runtime(), &function, &module).unwrap();
        let engine = Engine::new(Arc::new(ManualClock::default()));
        let options = MapOptions::default();
        engine.define("", "cache", (options, &account())).unwrap();
        let house = Self { engine, function };
        let (mut host, handle) = house.host();
        let (key, bytes) = (&b"k"[..], u64::from(LENGTH));
        let call = MapCall::RegionCreate { handle, key, bytes };
        let made = host.call(call, Ends::WithInstance);
        assert!(matches!(made, Called::Now(MapReply::Number(_))), "{made:?}");
        house.fill(SECRET);
        house
    }

    fn handles(&self) -> Handles {
        let identity = Identity {
            in_use: "it".into(),
            grants: Arc::new(Grants::of("").with("cache", Rights::ALL)),
            owner: account(),
            meter: Arc::default(),
        };
        Handles::new(&self.engine, identity)
    }

    fn host(&self) -> (Handles, u32) {
        let mut handles = self.handles();
        let handle = handles.open(b"cache", Rights::ALL).unwrap();
        (handles, handle)
    }

    /// Takes the region, which nobody else may have then.
    #[track_caller]
    fn lease(&self, prot: u32) -> Arc<weir_maps::region::Lease> {
        let (mut host, handle) = self.host();
        let call = MapCall::RegionMap {
            handle,
            key: b"k",
            offset: 0,
            bytes: LENGTH,
            prot,
        };
        match host.call(call, Ends::WithInstance) {
            Called::Now(MapReply::Region(lease)) => lease,
            Called::Now(other) => panic!("somebody has the region: {other:?}"),
            Called::Later(_) => unreachable!("it is in memory"),
        }
    }

    #[track_caller]
    fn fill(&self, byte: u8) {
        let bytes = vec![byte; LENGTH as usize];
        self.lease(3).write(0, &bytes).unwrap();
    }

    #[track_caller]
    fn first(&self) -> u8 {
        let mut byte = [0];
        self.lease(1).read(0, &mut byte).unwrap();
        byte[0]
    }

    fn world(&self) -> Box<World> {
        Box::new(World(self.handles()))
    }

    /// Status and number of a call.
    fn ask(&self, steps: &str) -> Result<(u16, u32), Fault> {
        on_worker(async {
            let called = self.function.call(get(&format!("/{steps}")), self.world());
            let response = called.await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let number = body
                .first_chunk()
                .map_or(0, |bytes| u32::from_le_bytes(*bytes));
            Ok((status, number))
        })
    }

    /// Looks through all memory of instances that come later, also through what they grow.
    #[track_caller]
    fn check_later(&self) {
        for _ in 0..LATER {
            assert_eq!(self.ask("cgcgc").unwrap(), (200, 0), "a fresh instance");
        }
    }
}

#[test]
fn too_many_memories_are_refused() {
    let memories = "(memory 1)".repeat(8);
    let text = SCRIPT.replace("LENGTH", "1");
    let text = text.replace(
        "(data (i32.const 16)",
        &format!("{memories} (data (i32.const 16)"),
    );
    let module = wat::parse_str(text).unwrap();
    let refused = Loaded::new(runtime(), &function(FunctionKind::Core), &module);
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("9 memories"), "{refused}");
}

/// Calls with the region mapped for reading and scribbled over, and with it mapped for writing, end
/// in some way.
fn check(end: impl Fn(&House, &str)) {
    let house = House::new();
    for round in 0..3 {
        for _ in 0..3 {
            end(&house, "rrf");
        }
        assert_eq!(house.first(), SECRET, "private pages");
        end(&house, "wf");
        // The region is free, and holds what was written.
        assert_eq!(house.first(), 2, "round {round}");
        house.fill(SECRET);
        house.check_later();
    }
}

#[test]
fn a_core_module_maps_a_region() {
    let house = House::new();
    let words = LENGTH / 4;
    assert_eq!(house.ask("rc").unwrap(), (200, words));
    assert_eq!(house.ask("rfc").unwrap(), (200, words));
    assert_eq!(house.first(), SECRET, "its own pages only");
    assert_eq!(house.ask("ruc").unwrap(), (200, 0));
    assert_eq!(house.ask("wf").unwrap().0, 200);
    assert_eq!(house.first(), 2);
    // Twice to write is *again*, and what is no mapping is *inval*.
    assert_eq!(house.ask("ww").unwrap().0, 406);
    assert_eq!(house.ask("u").unwrap().0, 428);
}

#[test]
fn what_is_mapped_counts_as_memory() {
    // One page of its own, three for the region.
    let house = House::with_memory(4 << 16);
    assert_eq!(house.ask("r").unwrap().0, 200);
    assert_eq!(house.ask("rr").unwrap().0, 448);
    assert_eq!(house.ask("rur").unwrap().0, 200);
}

#[test]
fn nothing_is_left_by_calls_that_return() {
    check(|house, steps| {
        assert_eq!(house.ask(steps).unwrap().0, 200);
    });
}

#[test]
fn nothing_is_left_by_calls_that_trap() {
    check(|house, steps| {
        let fault = house.ask(&format!("{steps}t")).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Trap);
    });
}

#[test]
fn nothing_is_left_by_calls_that_run_too_long() {
    check(|house, steps| {
        let fault = house.ask(&format!("{steps}s")).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Deadline);
    });
}

#[test]
fn nothing_is_left_by_calls_whose_client_is_gone() {
    check(|house, steps| {
        on_worker(async {
            // While it waits for somebody else, before its head.
            let path = format!("/{steps}h");
            let call = house.function.call(get(&path), house.world());
            let waited = tokio::time::timeout(Duration::from_millis(5), call).await;
            assert!(waited.is_err(), "it hangs");
        });
    });
}

#[test]
fn nothing_is_left_by_calls_whose_client_is_gone_in_the_middle() {
    check(|house, steps| {
        on_worker(async {
            let path = format!("/{steps}bh");
            let call = house.function.call(get(&path), house.world());
            let mut response = call.await.unwrap();
            assert!(response.body_mut().frame().await.unwrap().is_ok());
            drop(response);
            // Its task ends at the next occasion.
            tokio::time::sleep(Duration::from_millis(5)).await;
        });
    });
}
