//! Regions mapped into guests: what they see, and that nothing of it is left, however a guest ends.

mod ends;
mod files;

use std::sync::Arc;

use weir_guest::door::{Call, Event};
use weir_guest::files::{Files, Folders};
use weir_guest::{Answer, Failure, Host, Program, Reply, Stop, Vm, World};
use weir_maps::budget::{Account, Amount};
use weir_maps::call::{Called, MapCall, MapReply};
use weir_maps::region::Access;
use weir_maps::{Ends, Engine, Grants, Handles, Identity, ManualClock, MapOptions, Rights};
use weir_model::{FileAccess, FileGrant, GuestLimits};
use weir_testkit::program;
use weir_testkit::run::{CALL, engine};

use crate::common::{MARKER, import, import_as, wasi};

/// A page of WebAssembly.
const GRAIN: i32 = 64 << 10;
/// Bytes of the region `k`.
const LENGTH: i32 = 2 * GRAIN + 100;
/// What stands in every byte of it.
const SECRET: u8 = 0x5e;
/// Bytes of the guest's own memory.
const OWN: i32 = 2 * GRAIN;

/// What the guest is told to do.
#[derive(Clone, Copy)]
enum Do {
    Open = 0,
    Create,
    /// All of the region, for reading.
    Map,
    /// The same for writing.
    MapToWrite,
    /// Puts a two into every byte of what was mapped last.
    Fill,
    Trap,
    Spin,
    Unmap,
    /// Counts the words of the memory that hold the secret, or twos.
    Count,
    Grow,
    /// The first word of what was mapped last.
    Look,
    Size,
    /// Asks something that the test's world answers later.
    Wait,
    /// Maps a file.
    MapFile,
    UnmapFile,
    /// Bytes of what was mapped last that are not zero.
    CountMapped,
}

/// A guest that does one thing for each event. Addresses that it got stand at 4.
fn text() -> String {
    let maps = [
        "open",
        "region_create",
        "region_map",
        "region_unmap",
        "stat",
    ];
    let mut imports: String = maps
        .iter()
        .map(|name| import_as("wasi_map_v1", name, &format!("${name}")))
        .collect();
    imports += &wasi(&["memory_map", "memory_unmap", "path_open"]);
    let call_map = |prot: i32| {
        format!(
            "(call $region_map (i32.load (i32.const 0)) (i32.const 32) (i32.const 1)
               (i64.const 0) (i32.const {LENGTH}) (i32.const {prot}) (i32.const 4))"
        )
    };
    let steps = [
        "(call $open (i32.const 16) (i32.const 5) (i64.const 1023) (i32.const 0))".to_owned(),
        format!(
            "(call $region_create (i32.load (i32.const 0)) (i32.const 32) (i32.const 1)
               (i64.const {LENGTH}))"
        ),
        call_map(1),
        call_map(3),
        format!(
            "(memory.fill (i32.load (i32.const 4)) (i32.const 2) (i32.const {LENGTH}))
             (i32.const 0)"
        ),
        "(unreachable)".to_owned(),
        "(loop $for_ever (br $for_ever)) (unreachable)".to_owned(),
        format!("(call $region_unmap (i32.load (i32.const 4)) (i32.const {LENGTH}))"),
        "(call $count)".to_owned(),
        "(memory.grow (i32.const 8))".to_owned(),
        "(i32.load (i32.load (i32.const 4)))".to_owned(),
        "(memory.size)".to_owned(),
        "(call $stat (i32.load (i32.const 0)) (i32.const 64))".to_owned(),
        "(call $map_file (local.get 0))".to_owned(),
        "(call $memory_unmap (i32.load (i32.const 4)) (local.get 0))".to_owned(),
        "(call $count_mapped (local.get 0))".to_owned(),
    ];
    let step = |(number, step): (usize, &String)| {
        format!("(if (i32.eq (local.get 1) (i32.const {number})) (then (return {step})))\n")
    };
    let steps: Vec<String> = steps.iter().enumerate().map(step).collect();
    let steps = steps.concat();
    format!(
        r#"(module {imports} {MARKER}
        (memory (export "memory") 2 200)
        (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (data (i32.const 16) "cache") (data (i32.const 32) "k") (data (i32.const 40) "file")
        (func $count (result i32) (local $at i32) (local $found i32)
            (local.set $at (i32.const 64))
            (loop $next
                (local.set $found (i32.add (local.get $found) (i32.or
                    (i32.eq (i32.load (local.get $at)) (i32.const 0x5e5e5e5e))
                    (i32.eq (i32.load (local.get $at)) (i32.const 0x02020202)))))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (br_if $next (i32.lt_u (local.get $at)
                    (i32.mul (memory.size) (i32.const 65536)))))
            (local.get $found))
        (func $count_mapped (param $bytes i32) (result i32) (local $at i32) (local $found i32)
            (local.set $at (i32.load (i32.const 4)))
            (local.set $bytes (i32.add (local.get $bytes) (local.get $at)))
            (loop $next
                (local.set $found (i32.add (local.get $found)
                    (i32.ne (i32.load8_u (local.get $at)) (i32.const 0))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $at) (local.get $bytes))))
            (local.get $found))
        {FILES}
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            {steps} (i32.const -1)))"#
    )
}

/// Opens `file` at the first need, and maps as many bytes of it as it is told, from the offset at 8,
/// with protection and flags at 12 and 13. Answers 0 or the error below 0.
const FILES: &str = r#"
    (func $map_file (param $bytes i32) (result i32) (local $got i32)
        (if (i32.eqz (i32.load (i32.const 48))) (then
            (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 40) (i32.const 4)
                (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 48)))))
        (local.set $got (call $memory_map (i32.load (i32.const 48)) (i32.load (i32.const 8))
            (local.get $bytes) (i32.load8_u (i32.const 12)) (i32.load8_u (i32.const 13))))
        (if (i32.lt_s (local.get $got) (i32.const 0)) (then (return (local.get $got))))
        (i32.store (i32.const 4) (local.get $got))
        (i32.const 0))"#;

/// Maps and files, without a gateway around them.
struct Shelf {
    handles: Handles,
    files: Files,
    has_files: bool,
}

impl World for Shelf {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        let reply = match call {
            Call::Map(MapCall::Stat { .. }) => {
                return Ok(Answer::Pending(Box::pin(std::future::pending())));
            }
            Call::Map(call) => match self.handles.call(call, Ends::WithInstance) {
                Called::Now(reply) => Reply::Map(reply),
                Called::Later(_) => Reply::Map(MapReply::TIMED_OUT),
            },
            Call::File(call) => self.files.answer(&call).into_reply(),
            _ => Reply::Done,
        };
        Ok(reply.into())
    }

    fn has_files(&self) -> bool {
        self.has_files
    }
}

/// An engine with a map, and what guests of one program need.
struct House {
    engine: Engine,
    program: Program,
    host: Host<Shelf>,
}

impl House {
    /// The map holds a region of secrets.
    fn new() -> Self {
        let amount = Amount {
            entries: u64::MAX,
            bytes: u64::MAX,
        };
        let engine_of_maps = Engine::new(Arc::new(ManualClock::default()));
        let owner = Arc::new(Account::new(amount));
        let options = MapOptions::default();
        engine_of_maps
            .define("", "cache", (options, &owner))
            .expect("a map");
        let house = Self {
            engine: engine_of_maps,
            program: program(text()),
            host: Host::new(engine()).expect("a host"),
        };
        let (handles, map) = house.handles();
        let length = u64::try_from(LENGTH).expect("positive");
        handles.region_create(map, b"k", length).expect("a region");
        house.fill(SECRET);
        house
    }

    /// Writes a byte everywhere in the region. Panics if somebody has it.
    fn fill(&self, byte: u8) {
        let (handles, map) = self.handles();
        let bytes = [byte].repeat(usize::try_from(LENGTH).expect("positive"));
        let lease = handles.region(map, b"k", (Access::Write, 0..0));
        lease.expect("free").write(0, &bytes).expect("written");
    }

    /// The first byte of the region. Panics if somebody writes to it.
    fn first(&self) -> u8 {
        let (handles, map) = self.handles();
        let mut byte = [0];
        let lease = handles.region(map, b"k", (Access::Read, 0..0));
        lease.expect("free").read(0, &mut byte).expect("read");
        byte[0]
    }

    fn handles(&self) -> (Handles, u32) {
        let grants = Grants::of("").with("cache", Rights::ALL);
        let identity = Identity {
            in_use: "filter".into(),
            grants: Arc::new(grants),
            owner: Arc::new(Account::new(Amount::default())),
            meter: Arc::default(),
        };
        let mut handles = Handles::new(&self.engine, identity);
        let map = handles.open(b"cache", Rights::ALL).expect("granted");
        (handles, map)
    }

    fn world(&self) -> Shelf {
        let (mut handles, map) = self.handles();
        handles.close(map).expect("open");
        Shelf {
            handles,
            files: Files::default(),
            has_files: false,
        }
    }

    fn start(&self) -> Vm<Shelf> {
        self.start_in(self.world(), &GuestLimits::default())
    }

    fn start_in(&self, world: Shelf, limits: &GuestLimits) -> Vm<Shelf> {
        let vm = self.host.start(&self.program, world, limits);
        vm.expect("a guest")
    }
}

fn event(step: Do, context: i32) -> Event {
    Event::RequestHeaders {
        context: context.cast_unsigned(),
        count: step as u32,
        end: true,
    }
}

fn does(vm: &mut Vm<Shelf>, step: Do) -> Result<i32, Failure> {
    vm.deliver(&event(step, 0), CALL)
}

/// Does these things, each with success.
fn did(vm: &mut Vm<Shelf>, steps: &[Do]) {
    for step in steps {
        let number = does(vm, *step).expect("no failure");
        assert_eq!(number, 0, "step {}", *step as u32);
    }
}

fn number(vm: &mut Vm<Shelf>, step: Do) -> i32 {
    does(vm, step).expect("no failure")
}

#[test]
fn a_region_is_handed_on_without_copying() {
    let house = House::new();
    let (mut one, mut two) = (house.start(), house.start());
    did(&mut one, &[Do::Open, Do::Create, Do::MapToWrite, Do::Fill]);
    did(&mut two, &[Do::Open]);
    assert_eq!(number(&mut two, Do::Map), 6, "somebody writes");
    did(&mut one, &[Do::Unmap]);
    did(&mut two, &[Do::Map]);
    assert_eq!(number(&mut two, Do::Look), 0x0202_0202);
    assert_eq!(number(&mut two, Do::Count), LENGTH / 4);
    assert_eq!(number(&mut one, Do::MapToWrite), 6, "somebody reads");
    assert_eq!(number(&mut one, Do::Count), 0, "unmapped is zero");
    did(&mut one, &[Do::Map, Do::Unmap]);
}

#[test]
fn what_a_reader_writes_is_its_own() {
    let house = House::new();
    let (mut one, mut two) = (house.start(), house.start());
    did(&mut one, &[Do::Open, Do::Map]);
    did(&mut two, &[Do::Open, Do::Map]);
    did(&mut one, &[Do::Fill]);
    assert_eq!(number(&mut one, Do::Look), 0x0202_0202);
    assert_eq!(number(&mut two, Do::Look), 0x5e5e_5e5e);
    assert_eq!(house.first(), SECRET);
    did(&mut one, &[Do::Unmap, Do::Map]);
    assert_eq!(number(&mut one, Do::Look), 0x5e5e_5e5e);
}

#[test]
fn mapping_again_and_again_does_not_grow_the_memory() {
    let house = House::new();
    let mut vm = house.start();
    did(&mut vm, &[Do::Open]);
    for _ in 0..100 {
        did(&mut vm, &[Do::Map, Do::Fill, Do::Unmap]);
        assert_eq!(number(&mut vm, Do::Size), 2 + 3);
        assert_eq!(number(&mut vm, Do::Count), 0);
    }
    // What the guest grows itself comes behind it, and the next mapping fits where the last was.
    assert_eq!(number(&mut vm, Do::Grow), 5);
    did(&mut vm, &[Do::Map]);
    assert_eq!(number(&mut vm, Do::Size), 13);
    assert_eq!(number(&mut vm, Do::Count), LENGTH / 4);
}

#[test]
fn only_what_is_mapped_is_unmapped() {
    let house = House::new();
    let mut vm = house.start();
    did(&mut vm, &[Do::Open]);
    assert_eq!(number(&mut vm, Do::Unmap), 28);
    did(&mut vm, &[Do::Map, Do::Unmap]);
    assert_eq!(number(&mut vm, Do::Unmap), 28);
}

/// The module may have 200 pages; its limit may say less.
#[test]
fn mappings_count_as_memory_and_end_where_memory_ends() {
    let house = House::new();
    let limits = GuestLimits {
        memory_bytes: 9 << 16,
        ..GuestLimits::default()
    };
    for (limits, room) in [(limits, 2), (GuestLimits::default(), 64)] {
        let mut vm = house.start_in(house.world(), &limits);
        did(&mut vm, &[Do::Open]);
        for _ in 0..room {
            did(&mut vm, &[Do::Map]);
        }
        for _ in 0..3 {
            assert_eq!(number(&mut vm, Do::Map), 48);
            assert_eq!(number(&mut vm, Do::Size), 2 + 3 * room);
        }
        // One of them was refused the region that it had taken already: it was given back.
        drop(vm);
        house.fill(SECRET);
    }
    let small = text().replace("2 200)", "2 4)");
    let program = program(small);
    let vm = house
        .host
        .start(&program, house.world(), &GuestLimits::default());
    let mut vm = vm.expect("a guest");
    did(&mut vm, &[Do::Open]);
    assert_eq!(number(&mut vm, Do::Map), 48, "the module's own maximum");
}

/// Wherever the address is to be written: out of memory is refused before anything happens.
#[test]
fn bad_pointers_take_no_region() {
    let house = House::new();
    let far = text().replace("(i32.const 4))\"", "(i32.const -2))\"");
    let far = far.replace(
        "(i32.const 3) (i32.const 4))",
        "(i32.const 3) (i32.const -2))",
    );
    let program = program(far);
    let vm = house
        .host
        .start(&program, house.world(), &GuestLimits::default());
    let mut vm = vm.expect("a guest");
    did(&mut vm, &[Do::Open]);
    assert_eq!(number(&mut vm, Do::MapToWrite), 21);
    assert_eq!(number(&mut vm, Do::Size), 2);
    house.fill(SECRET);
}

#[test]
fn the_abi_has_the_functions_of_files() {
    for name in ["memory_map", "memory_unmap"] {
        assert!(import("wasi_snapshot_preview1", name).contains("(result i32)"));
    }
}

fn grant(folder: &std::path::Path) -> Files {
    let grant = FileGrant {
        host: folder.to_owned(),
        guest: "/data".to_owned(),
        access: FileAccess::Read,
    };
    Files::new(Folders::open(&[grant]).expect("a folder"))
}
