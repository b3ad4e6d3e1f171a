//! The security of mappings: however a guest ends, regions are free again and no later guest sees a
//! page of them, nor what was written to private copies.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use weir_guest::{FailureKind, OnThread, Reset, SnapshotError, WaitingHost};
use weir_model::GuestLimits;
use weir_testkit::run::{CALL, engine};

use super::{Do, House, LENGTH, SECRET, Vm, did, does, event, number};
use crate::regions::Shelf;

/// Guests that are started after all this: enough that they get all addresses that were used.
const LATER: usize = 6;

/// Looks through all memory of guests that come later, also through what they grow.
fn check_later(house: &House) {
    let mut later: Vec<_> = (0..LATER).map(|_| house.start()).collect();
    for vm in &mut later {
        assert_eq!(number(vm, Do::Count), 0, "a fresh guest");
        for _ in 0..3 {
            assert!(number(vm, Do::Grow) > 0);
        }
        assert_eq!(number(vm, Do::Count), 0, "what it grew");
        assert_eq!(vm.memory_bytes(), 26 << 16);
    }
}

/// Guests with a region mapped for reading and scribbled over, and one mapped for writing, end in
/// some way.
fn check(end: impl Fn(Vm<Shelf>)) {
    let house = House::new();
    for round in 0..3 {
        let readers = [(); 3].map(|()| {
            let mut vm = house.start();
            did(&mut vm, &[Do::Open, Do::Map, Do::Map, Do::Fill]);
            assert_eq!(number(&mut vm, Do::Count), LENGTH / 4 * 2);
            vm
        });
        readers.into_iter().for_each(&end);
        assert_eq!(house.first(), SECRET, "private pages");
        let mut writer = house.start();
        did(&mut writer, &[Do::Open, Do::MapToWrite, Do::Fill]);
        end(writer);
        // The region is free, and holds what was written.
        assert_eq!(house.first(), 2, "round {round}");
        house.fill(SECRET);
        check_later(&house);
    }
}

#[test]
fn nothing_is_left_by_guests_that_return() {
    check(drop);
}

#[test]
fn nothing_is_left_by_guests_that_trap() {
    check(|mut vm| {
        let failure = does(&mut vm, Do::Trap).expect_err("a trap");
        assert_eq!(failure.kind(), FailureKind::Trap);
        // It is never entered again, and may lie about for a while.
        does(&mut vm, Do::Look).expect_err("gone");
    });
}

#[test]
fn nothing_is_left_by_guests_that_run_too_long() {
    check(|mut vm| {
        let spun = vm.deliver(&event(Do::Spin, 0), Duration::from_millis(5));
        let failure = spun.expect_err("a deadline");
        assert_eq!(failure.kind(), FailureKind::Deadline);
    });
}

#[test]
fn nothing_is_left_by_guests_whose_threads_end() {
    // A worker that ends takes its guests along.
    check(|vm| {
        let ending = std::panic::AssertUnwindSafe(move || {
            let _vm = vm;
            std::panic::resume_unwind(Box::new("the worker's end"));
        });
        std::panic::catch_unwind(ending).expect_err("it ends");
    });
}

#[test]
fn nothing_is_left_by_guests_that_are_no_longer_waited_for() {
    let house = House::new();
    let host = WaitingHost::new(engine()).expect("a host");
    for step in [Do::Map, Do::MapToWrite] {
        let limits = GuestLimits::default();
        let world = OnThread::new(house.world());
        let mut vm = ready(host.start(&house.program, world, &limits)).expect("a guest");
        for step in [Do::Open, step, Do::Fill] {
            let done = ready(vm.deliver(&event(step, 0), CALL));
            assert_eq!(done.expect("no failure"), 0);
        }
        {
            let waiting = event(Do::Wait, 0);
            let mut waiting = pin!(vm.deliver(&waiting, CALL));
            let mut context = Context::from_waker(Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
        }
        assert!(vm.has_failed());
        drop(vm);
        house.fill(SECRET);
        check_later(&house);
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing to wait for"),
    }
}

/// A VM that is put back for the next request: the same memory, another guest as far as anybody knows.
#[test]
fn nothing_is_left_to_the_next_request_of_a_virtual_machine() {
    let house = House::new();
    let mut root = house.start();
    let snapshot = root.snapshot().expect("a snapshot");
    let limits = GuestLimits::default();
    let copy = || {
        let vm = house
            .host
            .start_from(&house.program, &snapshot, house.world(), &limits);
        vm.expect("a copy")
    };
    let mut copies = [copy(), copy()];
    for round in 0..20 {
        let step = if round % 2 == 0 {
            Do::Map
        } else {
            Do::MapToWrite
        };
        for vm in &mut copies {
            did(vm, &[Do::Open, step, Do::Fill]);
            if round % 3 == 0 {
                did(vm, &[Do::Unmap]);
                did(vm, &[Do::Map]);
            }
            if round % 5 == 0 {
                assert!(number(vm, Do::Grow) > 0);
            }
            assert_eq!(vm.reset(&snapshot), Reset::Done, "round {round}");
            vm.replace_world(house.world());
            assert_eq!(number(vm, Do::Size), 2, "it is as short as it was");
            assert_eq!(number(vm, Do::Count), 0);
            assert!(number(vm, Do::Grow) == 2);
            assert_eq!(number(vm, Do::Count), 0);
            assert_eq!(vm.reset(&snapshot), Reset::Done);
            house.fill(SECRET);
        }
    }
    let trapped = &mut copies[0];
    did(trapped, &[Do::Open, Do::MapToWrite, Do::Fill]);
    does(trapped, Do::Trap).expect_err("a trap");
    assert_eq!(trapped.reset(&snapshot), Reset::Failed);
    drop(copies);
    house.fill(SECRET);
    check_later(&house);
}

/// Memory that was taken back is none any more: the engine knows.
#[test]
fn memory_that_a_reset_took_is_out_of_bounds() {
    let house = House::new();
    let mut root = house.start();
    let snapshot = root.snapshot().expect("a snapshot");
    did(&mut root, &[Do::Open, Do::Map]);
    assert_eq!(number(&mut root, Do::Look), 0x5e5e_5e5e);
    let limits = GuestLimits::default();
    // The address stays where the guest noted it, but the page is gone.
    let text = super::text().replace(
        "(data (i32.const 40) \"file\")",
        "(data (i32.const 4) \"\\00\\00\\02\\00\") (data (i32.const 40) \"file\")",
    );
    let program = weir_testkit::program(text);
    let vm = house.host.start(&program, house.world(), &limits);
    let mut vm = vm.expect("a guest");
    let own = vm.snapshot().expect("a snapshot");
    does(&mut vm, Do::Open).expect("opened");
    assert_eq!(number(&mut vm, Do::Map), 0);
    assert_eq!(number(&mut vm, Do::Look), 0x5e5e_5e5e);
    assert_eq!(vm.reset(&own), Reset::Done);
    let failure = does(&mut vm, Do::Look).expect_err("out of bounds");
    assert_eq!(failure.kind(), FailureKind::Trap);
    assert_eq!(root.reset(&snapshot), Reset::Done);
}

#[test]
fn mapped_pages_are_in_no_snapshot() {
    let house = House::new();
    let mut root = house.start();
    did(&mut root, &[Do::Open, Do::Map]);
    assert!(matches!(root.snapshot(), Err(SnapshotError::Mapped)));
    did(&mut root, &[Do::Fill, Do::Unmap]);
    let snapshot = root.snapshot().expect("a snapshot");
    assert!(
        snapshot.stored_bytes() < 16 << 10,
        "{}",
        snapshot.stored_bytes()
    );
    let limits = GuestLimits::default();
    let copy = house
        .host
        .start_from(&house.program, &snapshot, house.world(), &limits);
    assert_eq!(number(&mut copy.expect("a copy"), Do::Count), 0);
}

/// Where something was mapped is part of later snapshots, as the guest's own memory.
#[test]
fn a_guest_goes_on_after_a_snapshot_where_something_was_mapped() {
    let house = House::new();
    let mut root = house.start();
    did(&mut root, &[Do::Open, Do::Map, Do::Unmap, Do::Fill]);
    let filled = root.snapshot().expect("a snapshot");
    did(&mut root, &[Do::Map, Do::Unmap]);
    let empty = root.snapshot().expect("a snapshot");
    assert!(!filled.is_same(&empty));
    let limits = GuestLimits::default();
    for (snapshot, words) in [(&filled, LENGTH / 4), (&empty, 0)] {
        let copy = house
            .host
            .start_from(&house.program, snapshot, house.world(), &limits);
        assert_eq!(number(&mut copy.expect("a copy"), Do::Count), words);
    }
    assert_eq!(root.reset(&filled), Reset::Done);
    assert_eq!(number(&mut root, Do::Count), LENGTH / 4);
    did(&mut root, &[Do::Open, Do::Map, Do::Unmap]);
    assert_eq!(root.reset(&filled), Reset::Done);
    assert_eq!(number(&mut root, Do::Count), LENGTH / 4);
}

/// Something was mapped where the image of the snapshot lies, and unmapped: zeros are not the image.
#[test]
fn what_was_mapped_over_an_image_is_put_back() {
    let house = House::new();
    for unmaps in [true, false] {
        let mut root = house.start();
        did(&mut root, &[Do::Open, Do::Map, Do::Unmap, Do::Fill]);
        let filled = root.snapshot().expect("a snapshot");
        did(&mut root, &[Do::Map]);
        if unmaps {
            did(&mut root, &[Do::Unmap]);
        }
        assert_eq!(number(&mut root, Do::Size), 5, "where it was before");
        assert_eq!(root.reset(&filled), Reset::Done);
        assert_eq!(number(&mut root, Do::Count), LENGTH / 4);
        assert_eq!(number(&mut root, Do::Look), 0x0202_0202);
    }
}
