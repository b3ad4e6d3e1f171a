//! Every mistake that a component can make with each function: the documented refusal, no trap, and
//! nothing has changed.

use weir_maps::Rights;
use weir_maps::handles::Ends;

use super::table::{ROWS, Row, prepare, with_map};
use super::{Guest, player};
use crate::house::{Contents, House};

/// All that a line could have changed.
#[derive(Debug, PartialEq)]
struct State {
    maps: [Contents; 2],
    handles: usize,
    references: [u64; 2],
    anonymous: usize,
    tickets: usize,
}

fn state(house: &House, guest: &mut Guest) -> State {
    let maps = ["cache", "small"];
    let graph = house.engine.graph();
    State {
        maps: maps.map(|name| house.contents(name)),
        handles: guest.handles().len(),
        references: maps.map(|name| {
            let root = house.engine.find("tenant", name).unwrap();
            graph.references(root.map().id())
        }),
        anonymous: house.engine.stat().anonymous,
        tickets: house.engine.tickets_open(),
    }
}

#[track_caller]
fn refused(house: &House, guest: &mut Guest, (line, expected): (&str, &str)) {
    let before = state(house, guest);
    let told = guest.play(line);
    assert!(told.starts_with(expected), "{line}: {told}, not {expected}");
    assert!(state(house, guest) == before, "{line}: something changed");
}

/// Each row's good line does what it should, or the other tests prove nothing.
#[test]
fn good_lines_succeed() {
    for row in ROWS {
        let house = House::new();
        let (mut guest, ticket) = prepare(&house);
        let line = with_map(row.line, "0").replace("{ticket}", &ticket);
        guest.expect(&[(&line, row.tells)]);
    }
}

#[test]
fn every_argument_is_checked_before_anything_happens() {
    let mut cases = 0;
    for row in ROWS {
        for (line, expected) in row.mistakes {
            let house = House::new();
            let (mut guest, _) = prepare(&house);
            refused(&house, &mut guest, (&with_map(line, "0"), expected));
            cases += 1;
        }
    }
    assert!(cases > 50, "{cases}");
}

fn with_handle(row: &Row, make: impl Fn(&House, &mut Guest) -> String, expected: &str) {
    if !row.line.contains("{m}") {
        return;
    }
    let house = House::new();
    let (mut guest, _) = prepare(&house);
    let map = make(&house, &mut guest);
    refused(&house, &mut guest, (&with_map(row.line, &map), expected));
}

#[test]
fn each_missing_right_is_told() {
    let mut cases = 0;
    for row in ROWS {
        let missing = (0..10).map(|bit| 1 << bit);
        for missing in missing.filter(|bit| row.needs & bit != 0) {
            cases += 1;
            let few = 1023 & !missing;
            let dup = |_: &House, guest: &mut Guest| guest.play(&format!("dup 0 {few}"));
            with_handle(row, dup, "error not-capable");
        }
    }
    assert_eq!(cases, 28);
}

#[test]
fn a_borrowed_map_is_stale_once_its_lender_has_ended() {
    for row in ROWS {
        let borrow = |house: &House, guest: &mut Guest| {
            let mut lender = house.handles("other");
            let lent = lender.open(b"cache", Rights::ALL).unwrap();
            let to = ("filter", Ends::WithInstance);
            let ticket = lender.lend(lent, Rights::ALL, to).unwrap();
            let number = u128::from_le_bytes(ticket);
            let (low, high) = (number & u128::from(u64::MAX), number >> 64);
            guest.play(&format!("accept {low} {high}"))
        };
        with_handle(row, borrow, "error stale");
    }
}

#[test]
fn rights_do_not_grow() {
    let house = House::new();
    let (mut guest, _) = prepare(&house);
    guest.expect(&[("dup 0 1", "5")]);
    refused(&house, &mut guest, ("dup 5 3", "error not-capable"));
    refused(&house, &mut guest, ("lend 0 1023 -", "error invalid"));
    refused(&house, &mut guest, ("put-map 0 new 5", "error not-capable"));
    // A region may be handed on by who may write it only.
    guest.expect(&[("dup 0 129", "6")]);
    refused(
        &house,
        &mut guest,
        ("region-hand 6 area 1 x", "error not-capable"),
    );
}

/// The instance's table was emptied below it.
#[test]
fn handles_that_the_host_took_are_stale_and_nothing_panics() {
    let house = House::new();
    let (mut guest, _) = prepare(&house);
    *guest.handles() = house.handles("filter");
    for row in ROWS.iter().filter(|row| row.line.contains("{m}")) {
        let told = guest.play(&with_map(row.line, "0"));
        assert!(told.starts_with("error stale"), "{}: {told}", row.line);
        // A refused transfer has given the map a new number.
        if row.line.starts_with("transfer") {
            break;
        }
    }
    guest.expect(&[
        ("next 3 1000", "error stale"),
        ("changes 2 1000", "error stale"),
        ("drop 1", "done"),
        ("drop 2", "done"),
        ("drop 3", "done"),
    ]);
}

#[test]
fn what_an_instance_begins_is_bounded() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[("open cache 1023", "0")]);
    for _ in 0..64 {
        guest.expect(&[("scan 0 -", "*"), ("watch 0 -", "*")]);
    }
    refused(&house, &mut guest, ("scan 0 -", "error no-memory"));
    refused(&house, &mut guest, ("watch 0 -", "error no-memory"));
    guest.expect(&[
        ("drop 1", "done"),
        ("scan 0 -", "*"),
        ("drop 2", "done"),
        ("watch 0 -", "*"),
    ]);
    let left = 4096 - guest.handles().len();
    for _ in 0..left {
        guest.handles().dup(1, Rights::READ).unwrap();
    }
    for line in ["open cache 1", "create - - - - lru", "dup 0 1", "scan 0 -"] {
        refused(&house, &mut guest, (line, "error no-memory"));
    }
    refused(
        &house,
        &mut guest,
        ("kv.open cache", "error other too many"),
    );
}

#[test]
fn pollables_are_bounded_too() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[("open cache 1023", "0"), ("watch 0 -", "1")]);
    for _ in 0..16 {
        guest.expect(&[("subscribe 1", "*")]);
    }
    guest.expect(&[("drop 2", "done"), ("subscribe 1", "*")]);
    let error = guest.try_play("subscribe 1").unwrap_err();
    assert!(
        format!("{error:?}").contains("16 pollables at most"),
        "{error:?}"
    );
}
