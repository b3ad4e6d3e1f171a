//! Files mapped by `memory_map`: copies, which nobody can pull from under the guest.

use std::os::unix::fs::FileExt;

use weir_model::GuestLimits;
use weir_testkit::program;
use weir_testkit::run::CALL;

use super::{Do, GRAIN, House, OWN, Shelf, Vm, event, grant, number};

/// Of the file: a page of WebAssembly and some.
const LENGTH: i32 = GRAIN + 1000;

struct Desk {
    house: House,
    folder: tempfile::TempDir,
}

impl Desk {
    /// A folder with a file of ones.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = vec![1; usize::try_from(LENGTH).expect("positive")];
        std::fs::write(folder.path().join("file"), bytes).expect("a file");
        Self {
            house: House::new(),
            folder,
        }
    }

    /// A guest that maps from this offset on, with protection and flags.
    fn guest(&self, (offset, prot, flags): (i32, u8, u8)) -> Vm<Shelf> {
        let places = format!(
            "(data (i32.const 8) \"{}\") (data (i32.const 12) \"\\{prot:02x}\\{flags:02x}\") (data (i32.const 40) \"file\")",
            offset
                .to_le_bytes()
                .map(|byte| format!("\\{byte:02x}"))
                .concat()
        );
        let text = super::text().replace("(data (i32.const 40) \"file\")", &places);
        let world = Shelf {
            files: grant(self.folder.path()),
            has_files: true,
            ..self.house.world()
        };
        let limits = GuestLimits::default();
        let vm = self.house.host.start(&program(text), world, &limits);
        vm.expect("a guest")
    }
}

fn with(vm: &mut Vm<Shelf>, step: Do, bytes: i32) -> i32 {
    vm.deliver(&event(step, bytes), CALL).expect("no failure")
}

#[test]
fn a_file_is_mapped_and_zeros_are_behind_its_end() {
    let desk = Desk::new();
    let mut vm = desk.guest((0, 1, 1));
    assert_eq!(with(&mut vm, Do::MapFile, LENGTH + 5000), 0);
    assert_eq!(with(&mut vm, Do::CountMapped, LENGTH + 5000), LENGTH);
    assert_eq!(with(&mut vm, Do::UnmapFile, LENGTH), 28, "another length");
    assert_eq!(with(&mut vm, Do::UnmapFile, LENGTH + 5000), 0);
    assert_eq!(with(&mut vm, Do::CountMapped, LENGTH + 5000), 0);
    // The next one takes the same range.
    assert_eq!(with(&mut vm, Do::MapFile, 10), 0);
    assert_eq!(with(&mut vm, Do::CountMapped, 20), 10);
    assert_eq!(number(&mut vm, Do::Size), 4);
    let mut vm = desk.guest((GRAIN, 3, 1));
    assert_eq!(with(&mut vm, Do::MapFile, LENGTH), 0);
    assert_eq!(with(&mut vm, Do::CountMapped, LENGTH), 1000);
}

/// This is why a file is copied: its pages could be taken away.
#[test]
fn a_file_that_is_cut_or_changed_stays_what_it_was_for_who_mapped_it() {
    let desk = Desk::new();
    let mut vm = desk.guest((0, 1, 1));
    assert_eq!(with(&mut vm, Do::MapFile, LENGTH), 0);
    let path = desk.folder.path().join("file");
    let file = std::fs::OpenOptions::new().write(true).open(path);
    let file = file.expect("the file");
    file.write_all_at(&[0; 100], 0).expect("written");
    file.set_len(200).expect("cut");
    assert_eq!(with(&mut vm, Do::CountMapped, LENGTH), LENGTH);
    assert_eq!(with(&mut vm, Do::UnmapFile, LENGTH), 0);
    assert_eq!(with(&mut vm, Do::MapFile, LENGTH), 0);
    assert_eq!(with(&mut vm, Do::CountMapped, LENGTH), 100);
}

#[test]
fn what_a_guest_writes_into_a_mapped_file_is_its_own() {
    let desk = Desk::new();
    let mut vm = desk.guest((0, 2, 1));
    assert_eq!(with(&mut vm, Do::MapFile, super::LENGTH), 0);
    assert_eq!(number(&mut vm, Do::Fill), 0);
    let bytes = std::fs::read(desk.folder.path().join("file")).expect("the file");
    assert!(bytes.iter().all(|byte| *byte == 1));
}

#[test]
fn bad_arguments_are_refused_and_grow_nothing() {
    let desk = Desk::new();
    for (arguments, bytes, errno) in [
        ((0, 1, 2), 1, 58),
        ((0, 3, 2), 1, 58),
        ((0, 0, 1), 1, 28),
        ((0, 4, 1), 1, 28),
        ((0, 1, 0), 1, 28),
        ((0, 1, 3), 1, 28),
        ((1, 1, 1), 1, 28),
        ((4096, 1, 1), 1, 28),
        ((0, 1, 1), 0, 28),
        ((0, 1, 1), -1, 48),
        ((0, 1, 1), (64 << 20) + 1, 48),
        ((0, 1, 1), 200 * GRAIN, 48),
    ] {
        let mut vm = desk.guest(arguments);
        assert_eq!(
            with(&mut vm, Do::MapFile, bytes),
            -errno,
            "{arguments:?} {bytes}"
        );
        assert_eq!(number(&mut vm, Do::Size), OWN / GRAIN);
    }
    // Behind the end there are zeros, wherever that is.
    let mut vm = desk.guest((i32::MIN, 1, 1));
    assert_eq!(with(&mut vm, Do::MapFile, 10), 0);
    assert_eq!(with(&mut vm, Do::CountMapped, 10), 0);
}

#[test]
fn without_files_there_is_nothing_to_map() {
    let desk = Desk::new();
    let mut vm = desk.house.start();
    assert_eq!(with(&mut vm, Do::MapFile, 10), -8);
    assert_eq!(with(&mut vm, Do::UnmapFile, 10), 28);
}

/// A process of its own maps no regions, and takes none: the gateway does not even ask. Files are
/// copied anyway.
#[test]
fn a_process_maps_files_and_no_regions() {
    let desk = Desk::new();
    let text = super::text().replace(
        "(data (i32.const 40) \"file\")",
        "(data (i32.const 12) \"\\01\\01\") (data (i32.const 40) \"file\")",
    );
    let world = Shelf {
        files: grant(desk.folder.path()),
        has_files: true,
        ..desk.house.world()
    };
    let process = crate::apart::launch(&program(text));
    let mut vm = process.start(world).expect("a guest");
    let mut does = |step: Do, bytes: i32| {
        let done = vm.deliver(&event(step, bytes), CALL);
        done.expect("no failure")
    };
    assert_eq!(does(Do::Open, 0), 0);
    assert_eq!(does(Do::Create, 0), 0);
    desk.house.fill(super::SECRET);
    assert_eq!(does(Do::Map, 0), 58);
    assert_eq!(does(Do::MapToWrite, 0), 58);
    assert_eq!(does(Do::Unmap, 0), 58);
    assert_eq!(does(Do::Count, 0), 0);
    desk.house.fill(super::SECRET);
    assert_eq!(does(Do::MapFile, LENGTH), 0);
    assert_eq!(does(Do::CountMapped, LENGTH), LENGTH);
    assert_eq!(does(Do::UnmapFile, LENGTH), 0);
    assert_eq!(does(Do::CountMapped, LENGTH), 0);
}
