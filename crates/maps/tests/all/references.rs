//! References between maps: live maps are those that a root reaches, after any operations and
//! crashes.

mod model;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use weir_maps::handles::Ends;
use weir_maps::{Handles, MapError, MapOptions, Rights, Store};

use crate::handles::House;
use crate::suite::Plain;

fn anonymous(house: &House) -> usize {
    house.engine.stat().anonymous
}

#[test]
fn the_last_reference_frees_at_once() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let parent = one.create(MapOptions::anonymous()).unwrap();
    let child = one.create(MapOptions::anonymous()).unwrap();
    one.put_map(parent, b"k", child).unwrap();
    let twice = one.create(MapOptions::anonymous()).unwrap();
    one.put_map(twice, b"a", parent).unwrap();
    one.put_map(twice, b"b", parent).unwrap();
    one.put_map(twice, b"c", twice).unwrap();
    one.map(twice, Rights::DELETE)
        .unwrap()
        .store()
        .delete(b"c")
        .unwrap();
    one.close(child).unwrap();
    assert_eq!(anonymous(&house), 3);
    let kept = one.dup(parent, Rights::ALL).unwrap();
    one.close(parent).unwrap();
    one.close(twice).unwrap();
    assert_eq!(anonymous(&house), 2);
    let parent = one.create(MapOptions::anonymous()).unwrap();
    one.put_map(parent, b"a", kept).unwrap();
    one.put_map(parent, b"b", kept).unwrap();
    one.close(kept).unwrap();
    one.close(parent).unwrap();
    assert_eq!(anonymous(&house), 0, "two references from one map");
    let parent = one.create(MapOptions::anonymous()).unwrap();
    let child = one.create(MapOptions::anonymous()).unwrap();
    one.put_map(parent, b"k", child).unwrap();
    one.close(child).unwrap();
    let again = one.get_map(parent, b"k").unwrap();
    one.map(parent, Rights::DELETE)
        .unwrap()
        .store()
        .delete(b"k")
        .unwrap();
    one.settle();
    assert_eq!(
        (anonymous(&house), one.get_map(parent, b"k")),
        (2, Err(MapError::NoEntry))
    );
    one.close(again).unwrap();
    assert_eq!(anonymous(&house), 1);
}

#[test]
fn a_reference_is_dropped_by_whatever_drops_its_entry() {
    let second = Duration::from_secs(1);
    let drops: [fn(&Handles, u32); 4] = [
        |one, map| drop(one.map(map, Rights::WRITE).unwrap().store().set(b"k", b"x")),
        |one, map| drop(one.map(map, Rights::WRITE).unwrap().store().clear()),
        |one, map| drop(one.map(map, Rights::DELETE).unwrap().store().delete(b"k")),
        |_, _| {},
    ];
    for (case, let_go) in drops.into_iter().enumerate() {
        let house = House::new();
        let mut one = house.instance("filter", Rights::ALL);
        let options = MapOptions {
            ttl: Some(second),
            ..MapOptions::anonymous()
        };
        let parent = one.create(options).unwrap();
        let child = one.create(MapOptions::anonymous()).unwrap();
        one.put_map(parent, b"k", child).unwrap();
        one.close(child).unwrap();
        house.rest();
        assert_eq!(anonymous(&house), 2);
        let_go(&one, parent);
        if case == 3 {
            house.clock.advance(second);
        }
        house.rest();
        assert_eq!(anonymous(&house), 1, "case {case}");
    }
}

#[test]
fn what_ends_one_after_the_other_is_all_swept() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let half = Duration::from_millis(500);
    let options = MapOptions {
        ttl: Some(half * 2),
        ..MapOptions::anonymous()
    };
    let parent = one.create(options).unwrap();
    for key in 0..4_u8 {
        let child = one.create(MapOptions::anonymous()).unwrap();
        one.put_map(parent, &[key], child).unwrap();
        one.close(child).unwrap();
        house.clock.advance(half);
        house.rest();
        assert_eq!(anonymous(&house), 2, "the last one is there after {key}");
    }
    house.clock.advance(half);
    house.rest();
    assert_eq!(anonymous(&house), 1);
}

#[test]
fn a_long_chain_is_freed_in_slices() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let mut head = one.create(MapOptions::anonymous()).unwrap();
    for _ in 0..10_000 {
        let next = one.create(MapOptions::anonymous()).unwrap();
        one.put_map(next, b"next", head).unwrap();
        one.close(head).unwrap();
        head = next;
    }
    assert_eq!(anonymous(&house), 10_001);
    one.close(head).unwrap();
    let left = anonymous(&house);
    assert!(
        (1000..10_000).contains(&left),
        "some at once, the rest later: {left}"
    );
    house.rest();
    let stat = house.engine.stat();
    assert_eq!((stat.anonymous, stat.freeing), (0, 0));
}

#[test]
fn cycles_are_found_within_one_cycle_of_the_collector() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let ring: Vec<u32> = (0..100)
        .map(|_| one.create(MapOptions::anonymous()).unwrap())
        .collect();
    for (place, map) in ring.iter().enumerate() {
        one.put_map(*map, b"next", ring[(place + 1) % ring.len()])
            .unwrap();
    }
    let lonely = one.create(MapOptions::anonymous()).unwrap();
    one.put_map(lonely, b"itself", lonely).unwrap();
    ring[1..].iter().for_each(|map| one.close(*map).unwrap());
    house.rest();
    assert_eq!(anonymous(&house), 101, "one handle holds the ring");
    let before = house.engine.stat().cycles;
    drop(one);
    assert_eq!(anonymous(&house), 101);
    house.rest();
    let stat = house.engine.stat();
    assert_eq!((stat.anonymous, stat.freeing, stat.collected), (0, 0, 101));
    assert_eq!(stat.cycles, before + 1);
}

#[test]
fn the_collector_rests_when_nothing_can_be_unreachable() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    for _ in 0..100 {
        let map = one.create(MapOptions::anonymous()).unwrap();
        one.close(map).unwrap();
    }
    assert!(!house.engine.tend(10));
    assert_eq!(house.engine.stat().cycles, 0);
}

#[test]
fn uses_that_ask_are_told_what_is_gone() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let mut deaf = house.instance("deaf", Rights::ALL);
    house.engine.graph().listen(&Arc::from("filter"));
    let parent = one.create(MapOptions::anonymous()).unwrap();
    let child = one.create(MapOptions::anonymous()).unwrap();
    let id = one.id(child).unwrap();
    one.put_map(parent, b"k", child).unwrap();
    let lent = deaf.create(MapOptions::anonymous()).unwrap();
    let lent_id = deaf.id(lent).unwrap();
    let ticket = deaf
        .lend(lent, Rights::READ, ("filter", Ends::WithInstance))
        .unwrap();
    one.accept(&ticket).unwrap();
    let released = || house.engine.graph().released("filter");
    assert_eq!(released(), (vec![], 0));
    one.close(child).unwrap();
    one.close(parent).unwrap();
    assert_eq!(released(), (vec![id], 0));
    drop(deaf);
    assert_eq!(released(), (vec![lent_id], 0));
    assert_eq!(released(), (vec![], 0), "once");
    assert_eq!(house.engine.graph().released("deaf"), (vec![], 0));
}
