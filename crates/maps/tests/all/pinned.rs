//! Maps in a file: the rows of the suite that a file can do, and what is its own.
//!
//! Rows that need hours to pass, watches, long keys or exact quotas are not for a file, whose clock is the
//! machine's and whose room is its shape.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use weir_maps::store::{Condition, Op, Range, Terms};
use weir_maps::{
    Called, Ends, Grants, Handles, Identity, MapCall, MapError, MapOptions, MapReply, PinnedStore,
    Rights, Store, Value,
};
use weir_pinned::{Access, Pinned, Shape};

use crate::handles::House;
use crate::memory::unlimited;
use crate::suite::{Backend, Plain, Row, table};

const SHAPE: Shape = Shape {
    buckets: 512,
    slots: 16,
    key_bytes: 64,
    value_bytes: 1024,
};

/// Files of one folder.
pub(crate) struct Files {
    folder: TempDir,
    made: Cell<u32>,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            made: Cell::new(0),
        }
    }
}

impl Backend for Files {
    type Store = PinnedStore;

    fn open(&self, options: MapOptions) -> PinnedStore {
        let number = self.made.replace(self.made.get() + 1);
        let path = self.folder.path().join(number.to_string());
        PinnedStore::make(&path, &SHAPE, options).unwrap()
    }

    fn pass(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The rows that a file can do.
macro_rules! rows_of_files {
    ($what:ident) => {
        crate::suite::$what! { { crate::pinned::Files }
            entries {
                absent_is_none what_is_set_is_read_back
                a_removed_entry_is_gone versions_increase_and_outlive_the_entry
                clear_removes_everything_once maps_do_not_see_each_other
            }
            conditions {
                absent_stores_once a_version_stores_once zero_means_absent
                a_version_of_before_a_removal_never_holds
                removal_can_be_conditional
            }
            counters {
                a_counter_begins_at_zero an_overflow_changes_nothing only_eight_bytes_count
            }
            scans {
                pages_come_in_order a_prefix_limits_a_scan a_page_has_a_limit_in_bytes
                an_entry_too_large_for_the_page_says_so a_cursor_survives_its_entry
            }
        }
    };
}

mod behaviour {
    rows_of_files!(behaves);
}

/// Each of them is a test of its own: files are slow.
#[test]
fn rows_of_files_are_those_of_the_table() {
    let rows: Vec<Row<Files>> = rows_of_files!(listed);
    table::check("pinned", &table::names(&rows));
}

#[test]
fn entries_end_by_the_machines_clock() {
    let files = Files::default();
    let map = files.open(MapOptions {
        ttl: Some(Duration::from_millis(40)),
        ..MapOptions::default()
    });
    map.set(b"a", b"1").unwrap();
    map.plus(b"n", 1).unwrap();
    let stays = Terms::lasting(Duration::from_secs(1000));
    map.write(b"b", Value::copy_of(b"2"), stays).now().unwrap();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!((map.entry(b"a"), map.entry(b"n")), (None, None));
    assert_eq!(map.text(b"b").as_deref(), Some("2"));
    assert_eq!(map.tend().unwrap().ended, 2);
    assert_eq!(map.stat().now().unwrap().entries, 1);
}

#[test]
fn what_a_file_cannot_do_is_not_supported() {
    let map = Files::default().open(MapOptions::default());
    let ops = [Op::Delete("k".into())];
    let not = |error| matches!(error, Some(MapError::NotSupported(_)));
    assert!(not(map.batch(&ops).now().err()));
    assert!(not(map.watch(b"").now().err()));
    let reference = Value::map(weir_maps::MapId(1), Rights::ALL);
    assert!(not(map
        .write(b"k", reference, Terms::default())
        .now()
        .err()));
}

#[test]
fn room_is_the_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape {
        buckets: 1,
        slots: 2,
        ..SHAPE
    };
    let map = PinnedStore::make(&folder.path().join("map"), &shape, MapOptions::default());
    let map = map.unwrap();
    map.set(b"a", b"").unwrap();
    map.set(b"b", b"").unwrap();
    assert!(matches!(
        map.set(b"c", b""),
        Err(MapError::NoSpace { max: 2, .. })
    ));
    assert!(matches!(map.set(&[1; 65], b""), Err(MapError::Invalid(_))));
    assert_eq!(map.entry(&[1; 65]), None);
    assert_eq!(map.delete(&[1; 65]), Err(MapError::NoEntry));
    assert!(matches!(
        map.set(b"a", &[0; 1025]),
        Err(MapError::NoSpace { max: 1024, .. })
    ));
    map.set(b"a", &[7; 1024]).unwrap();
}

/// A guest's writes are seen by a native process, and the other way round.
#[test]
fn guests_and_native_processes_share_a_file() {
    let house = House::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    let store = PinnedStore::make(&path, &SHAPE, MapOptions::default()).unwrap();
    house
        .engine
        .define_with("tenant", "shared", (MapOptions::default(), Arc::new(store)))
        .unwrap();
    let native = Pinned::open(&path, Access::Write).unwrap();
    let identity = Identity {
        in_use: "filter".into(),
        grants: Arc::new(Grants::of("tenant").with("shared", Rights::ALL)),
        owner: Arc::new(unlimited()),
        meter: Arc::default(),
    };
    let mut guest = Handles::new(&house.engine, identity);
    let handle = guest.open(b"shared", Rights::ALL).unwrap();
    let mut call = |call| match guest.call(call, Ends::WithInstance) {
        Called::Now(reply) => reply,
        Called::Later(_) => panic!("at once"),
    };
    let (key, value) = (&b"k"[..], &b"of a guest"[..]);
    let terms = Terms::on(Condition::Absent);
    let set = MapCall::Set {
        handle,
        key,
        value,
        terms,
    };
    let MapReply::Number(version) = call(set) else {
        panic!("stored")
    };
    let mut bytes = Vec::new();
    let found = native.get(key, &mut bytes).unwrap().unwrap();
    assert_eq!((&*bytes, found.version), (value, version));
    let always = (None, weir_pinned::Condition::Always);
    let version = native.set(key, b"of a process", always).unwrap();
    let entry = MapReply::Entry(Value::copy_of(b"of a process"), version);
    assert_eq!(call(MapCall::Get { handle, key }), entry);
    let create = MapCall::RegionCreate {
        handle,
        key,
        bytes: 10,
    };
    assert_eq!(call(create).errno(), 58);
    let range = Range {
        prefix: b"",
        after: None,
        entries: 10,
        bytes: 1000,
    };
    let root = house.engine.find("tenant", "shared").unwrap();
    assert_eq!(root.map().store().scan(range).now().unwrap().items.len(), 1);
}
