//! Every mistake that can be made with an argument of every function: the documented number, no
//! trap, and nothing has changed, in the maps, in the table of handles and in the guest's memory.

mod full;

use std::collections::BTreeSet;

use wasmtime::{Linker, Store};
use weir_maps::handles::Ends;
use weir_maps::{MapOptions, Rights};
use weir_maps_wasmtime::{link_map, link_map_async};

use crate::house::{Contents, Data, Guest, House, MODES, Mode};
use crate::table::{LONG, MEMORY, NAME, ROWS, Role, Row, USE, prepare_with_area as prepare};

/// All that a call could have changed.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    maps: [Contents; 2],
    memory: Vec<u8>,
    handles: usize,
    references: [u64; 2],
    anonymous: usize,
    tickets: usize,
    mapped: usize,
}

pub(crate) fn state(house: &House, guest: &mut Guest) -> State {
    let maps = ["cache", "small"];
    let graph = house.engine.graph();
    State {
        maps: maps.map(|name| house.contents(name)),
        memory: guest.memory.data(&guest.store).to_vec(),
        handles: guest.handles().len(),
        references: maps.map(|name| {
            let root = house.engine.find("tenant", name).unwrap();
            graph.references(root.map().id())
        }),
        anonymous: house.engine.stat().anonymous,
        tickets: house.engine.tickets_open(),
        mapped: guest.store.data().mapped.len(),
    }
}

pub(crate) fn good(row: &Row) -> Vec<i64> {
    row.args.iter().map(|arg| arg.good()).collect()
}

/// Calls a function and expects that it is refused and has changed nothing.
#[track_caller]
pub(crate) fn refused(
    (house, guest): (&House, &mut Guest),
    (name, args): (&str, &[i64]),
    expected: i32,
) {
    let before = state(house, guest);
    let mode = guest.mode;
    assert_eq!(
        guest.call(name, args),
        expected,
        "{mode:?} {name} {args:x?}"
    );
    assert!(state(house, guest) == before, "{mode:?} {name} {args:x?}");
}

fn each(mut check: impl FnMut(Mode, &Row)) {
    for mode in MODES {
        for row in ROWS {
            check(mode, row);
        }
    }
}

/// A function without a row would be one that no mistake is tried with.
#[test]
fn every_function_has_a_row() {
    let rows: BTreeSet<(String, String)> = ROWS.iter().map(typed).collect();
    assert_eq!(rows.len(), ROWS.len(), "no row twice");
    for mode in MODES {
        assert_eq!(offered(mode, "wasi_map_v1"), rows, "{mode:?}");
    }
    let tried = crate::draft::TRIED.map(str::to_owned);
    let draft = offered(Mode::Now, "wasi_map")
        .into_iter()
        .map(|(name, _)| name);
    // `open` is linked for each module, in the form that it imports.
    let draft: BTreeSet<String> = draft.chain(["wasi_map_open".into()]).collect();
    assert_eq!(draft, tried.into(), "the first draft");
}

/// A row's name and the types of its parameters.
fn typed(row: &Row) -> (String, String) {
    let types: String = row.args.iter().map(|arg| arg.ty()).collect();
    (row.name.to_owned(), types)
}

/// The functions that a linker has for a module, and the types of their parameters.
fn offered(mode: Mode, module: &str) -> BTreeSet<(String, String)> {
    let engine = wasmtime::Engine::default();
    let mut linker = Linker::new(&engine);
    match mode {
        Mode::Now => link_map(&mut linker).unwrap(),
        Mode::Later => link_map_async(&mut linker).unwrap(),
    }
    let house = House::new();
    let mut store = Store::new(&engine, Data::new(house.handles("filter")));
    let all: Vec<_> = linker
        .iter(&mut store)
        .filter(|(of, _, _)| *of == module)
        .map(|(_, name, function)| (name.to_owned(), function))
        .collect();
    all.into_iter()
        .map(|(name, function)| {
            let ty = function.ty(&store).unwrap_func().clone();
            let types: Vec<_> = ty.params().map(|ty| format!("{ty} ")).collect();
            (name, types.concat())
        })
        .collect()
}

/// Each row's good arguments do what they should, or the other tests prove nothing.
#[test]
fn good_arguments_succeed() {
    each(|mode, row| {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        let before = state(&house, &mut guest);
        assert_eq!(guest.call(row.name, &good(row)), 0, "{}", row.name);
        let unchanged = state(&house, &mut guest) == before;
        // A watch is no part of the state, and one is always open.
        let is_seen = row.name != "unwatch";
        assert_eq!(unchanged, !is_seen, "{}", row.name);
    });
}

/// What an argument can be instead, and what is answered then.
fn mistakes(row: &Row, place: usize) -> Vec<(i64, i32)> {
    let end = i64::try_from(MEMORY).unwrap();
    let outside = |bytes: usize| {
        let bytes = i64::try_from(bytes).unwrap();
        [
            (-1, 21),
            (i64::from(i32::MAX), 21),
            (i64::from(i32::MIN), 21),
        ]
        .into_iter()
        .chain([(end, 21), (end - bytes + 1, 21)])
    };
    let next = row.args.get(place + 1).map(|arg| arg.good());
    let length = usize::try_from(next.unwrap_or_default()).unwrap_or_default();
    let before = place.checked_sub(1).map(|place| row.args[place]);
    match row.args[place] {
        Role::Handle(_) | Role::Child(_) | Role::Watch(_) => {
            vec![(0, 8), (999, 8), (-1, 8), (i64::from(i32::MIN), 8)]
        }
        Role::Asked(_) => vec![(1024, 28), (-1, 28), (i64::MIN, 28)],
        Role::Fixed(_, bytes) | Role::Out(_, bytes) | Role::Wanted(_, bytes) => {
            outside(bytes).collect()
        }
        Role::List(_, bytes) => outside(bytes * length).collect(),
        Role::Name(_) | Role::Key(_) | Role::Prefix(_) | Role::Bytes(_) | Role::OutList(_) => {
            outside(length).collect()
        }
        Role::Length(_) => {
            let mut mistakes = vec![(-1, 21), (i64::from(i32::MAX), 21), (end, 21)];
            match before {
                Some(Role::Name(_)) => mistakes.extend([(0, 28), (257, 37), (0x10000, 37)]),
                Some(Role::Key(_) | Role::Prefix(_)) => mistakes.push((0x10001, 28)),
                Some(Role::Bytes(_)) => mistakes.push((1001, 51)),
                Some(Role::List(..)) => mistakes.push((1025, 28)),
                _ => {}
            }
            mistakes
        }
        Role::I32(_) | Role::I64(_) => Vec::new(),
    }
}

#[test]
fn every_argument_is_checked_before_anything_happens() {
    let mut cases = 0;
    each(|mode, row| {
        for place in 0..row.args.len() {
            for (instead, expected) in mistakes(row, place) {
                let house = House::new();
                let mut guest = prepare(&house, mode);
                let mut args = good(row);
                args[place] = instead;
                refused((&house, &mut guest), (row.name, &args), expected);
                cases += 1;
            }
        }
    });
    assert!(cases > 800, "{cases}");
}

/// Two mistakes at once: pointers come first.
#[test]
fn a_fault_comes_before_all_else() {
    each(|mode, row| {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        let mut args = good(row);
        let is_pointer = |arg: &Role| matches!(arg, Role::Out(..) | Role::Key(_) | Role::Name(_));
        let Some(pointer) = row.args.iter().position(is_pointer) else {
            return;
        };
        args[pointer] = -8;
        let has_handle = matches!(row.args[0], Role::Handle(_) | Role::Watch(_));
        if has_handle {
            args[0] = 999;
        }
        refused((&house, &mut guest), (row.name, &args), 21);
    });
}

#[test]
fn names_are_text() {
    for (name, at) in [("open", NAME), ("lend", USE), ("transfer", USE)] {
        for mode in MODES {
            let house = House::new();
            let mut guest = prepare(&house, mode);
            guest.write(at, b"\xff");
            let row = ROWS.iter().find(|row| row.name == name).unwrap();
            refused((&house, &mut guest), (name, &good(row)), 28);
        }
    }
}

#[test]
fn a_map_that_is_not_granted_is_not_there() {
    for mode in MODES {
        let house = House::new();
        house
            .engine
            .define(
                "tenant",
                "hidden",
                (MapOptions::default(), &crate::house::unlimited()),
            )
            .unwrap();
        let mut guest = prepare(&house, mode);
        for name in [&b"hidden"[..], b"nosuch"] {
            guest.write(NAME, name);
            let out = 0x400;
            let args = [0x100, 6, 1, out];
            refused((&house, &mut guest), ("open", &args), 44);
        }
    }
}

/// Handles by whom, for rows whose first argument is one.
fn with_handle(row: &Row, make: impl Fn(&House, &mut Guest) -> (u32, i32)) {
    if !matches!(row.args.first(), Some(Role::Handle(_))) {
        return;
    }
    for mode in MODES {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        let (handle, expected) = make(&house, &mut guest);
        let mut args = good(row);
        args[0] = i64::from(handle);
        refused((&house, &mut guest), (row.name, &args), expected);
    }
}

#[test]
fn a_closed_handle_is_no_handle() {
    for row in ROWS {
        with_handle(row, |_, guest| {
            let handle = guest.handles().dup(1, Rights::ALL).unwrap();
            guest.handles().close(handle).unwrap();
            (handle, 8)
        });
    }
}

#[test]
fn a_moved_handle_is_no_handle() {
    for row in ROWS {
        with_handle(row, |_, guest| {
            let handle = guest.handles().dup(1, Rights::ALL).unwrap();
            guest.handles().transfer(handle, "other").unwrap();
            (handle, 8)
        });
    }
}

#[test]
fn a_borrowed_handle_is_stale_once_its_lender_has_ended() {
    for row in ROWS.iter().filter(|row| row.name != "close") {
        with_handle(row, |house, guest| {
            let mut lender = house.handles("other");
            let lent = lender.open(b"cache", Rights::ALL).unwrap();
            let to = ("filter", Ends::WithInstance);
            let ticket = lender.lend(lent, Rights::ALL, to).unwrap();
            let handle = guest.handles().accept(&ticket).unwrap();
            drop(lender);
            (handle, 72)
        });
    }
}

#[test]
fn each_missing_right_is_told() {
    let mut cases = 0;
    for row in ROWS {
        let missing = (0..10).map(|bit| 1 << bit);
        for missing in missing.filter(|bit| row.needs & bit != 0) {
            cases += 1;
            with_handle(row, |_, guest| {
                let rights = Rights::from_bits(1023 & !missing).unwrap();
                (guest.handles().dup(1, rights).unwrap(), 76)
            });
        }
    }
    assert_eq!(cases, 24);
}

#[test]
fn rights_do_not_grow() {
    for mode in MODES {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        let few = guest.handles().dup(1, Rights::READ).unwrap();
        let handle = i64::from(few);
        refused((&house, &mut guest), ("dup", &[handle, 3, 0x400]), 76);
        let long = i64::try_from(LONG).unwrap();
        let child = i64::from(few);
        refused((&house, &mut guest), ("put_map", &[1, long, 1, child]), 76);
    }
}

#[test]
fn without_an_exported_memory_no_pointer_is_good() {
    for mode in MODES {
        let house = House::new();
        let text = r#"(module
            (import "wasi_map_v1" "rights" (func $rights (param i32 i32) (result i32)))
            (memory (export "another name") 1)
            (func (export "rights") (param i32 i32) (result i32)
                local.get 0 local.get 1 call $rights))"#;
        let mut guest = house.guest_of(mode, text);
        guest.handles().open(b"cache", Rights::ALL).unwrap();
        assert_eq!(guest.call("rights", &[1, 0]), 21);
    }
}
