//! What components do with maps when all is well.

use std::time::Duration;

use weir_maps::{MapError, Rights, Store, Value};

use super::player;
use super::table::prepare;
use crate::house::House;
use crate::waiting::slow;

#[test]
fn entries_are_what_core_modules_see() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[
        ("open cache 1023", "0"),
        ("get 0 page", "none"),
        ("set 0 page text", "done"),
        ("get 0 page", "text@1"),
        ("set 0 - -", "done"),
        ("get 0 -", "@2"),
        ("add 0 hits 5", "5"),
        ("add 0 hits -7", "-2"),
        ("set-with 0 short v absent 100", "5"),
    ]);
    let mut other = house.handles("other");
    let map = other.open(b"cache", Rights::ALL).unwrap();
    let map = other.map(map, Rights::READ).unwrap();
    let page = map.store().read(b"page", &mut |seen| seen.value.clone());
    assert_eq!(page.now().unwrap(), Some(Value::copy_of(b"text")));
    house.clock.advance(Duration::from_millis(100));
    guest.expect(&[
        ("exists 0 short", "false"),
        ("clear 0", "done"),
        ("get 0 page", "none"),
    ]);
}

#[test]
fn a_scan_goes_on_page_by_page_and_without_its_map() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[
        ("open cache 1023", "0"),
        ("set 0 a1 one", "done"),
        ("set 0 a2 two", "done"),
        ("set 0 b1 no", "done"),
        ("scan 0 a", "1"),
        ("drop 0", "done"),
        // Another map gets the first one's number, and the scan is none of its.
        ("open small 1023", "2"),
        ("next 1 24", "a1=one"),
        ("next 1 4096", "a2=two"),
        ("next 1 4096", ""),
        ("next 1 4096", ""),
    ]);
}

#[test]
fn an_entry_that_is_longer_than_pages_is_listed_all_the_same() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[
        ("create - - 3000000 - refuse", "0"),
        ("set 0 long x*2000000", "done"),
        ("scan 0 -", "1"),
        ("next 1 1000", "error overflow 2000024"),
    ]);
    let told = guest.play("next 1 2000024");
    assert_eq!(told.len(), "long=".len() + 2_000_000);
    guest.expect(&[("next 1 1000", "")]);
}

#[test]
fn pollables_are_ready_when_there_is_a_change_and_take_none_away() {
    let house = House::new();
    let (mut guest, _) = prepare(&house);
    guest.expect(&[
        ("block 4", "true"),
        ("changes 2 1000", "stored:count stored:area"),
        ("ready 4", "false"),
        ("changes 2 1000", "error again 0"),
        ("subscribe 2", "5"),
        ("drop 5", "done"),
        ("ready 4", "false"),
    ]);
    let map = house.engine.find("tenant", "cache").unwrap();
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        map.map().store().add(b"late", 1).now().unwrap();
    });
    guest.expect(&[
        ("block 4", "true"),
        ("ready 4", "true"),
        ("changes 2 1000", "stored:late"),
        ("ready 4", "false"),
        // Watching goes on without the map, and a pollable may be left over.
        ("drop 0", "done"),
        ("drop 2", "done"),
    ]);
    writer.join().unwrap();
    guest.expect(&[("drop 4", "done")]);
}

#[test]
fn maps_are_lent_moved_and_come_back() {
    let house = House::new();
    let mut guest = player(&house);
    let ticket = |text: String| {
        let mut numbers = text.split(' ').map(|number| number.parse::<u64>().unwrap());
        let (low, high) = (numbers.next().unwrap(), numbers.next().unwrap());
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    };
    guest.expect(&[("create - - - - refuse", "0"), ("set 0 key v", "done")]);
    let lent = ticket(guest.play("lend 0 1 other"));
    let mut other = house.handles("other");
    let borrowed = other.accept(&lent).unwrap();
    assert_eq!(other.rights(borrowed), Ok(Rights::READ));
    // The loan ends with the handle that it was made from.
    guest.expect(&[("dup 0 1023", "1"), ("drop 0", "done")]);
    assert_eq!(other.rights(borrowed), Err(MapError::Stale));
    let moved = ticket(guest.play("transfer 1 other"));
    assert!(guest.handles().is_empty());
    let owned = other.accept(&moved).unwrap();
    assert_eq!(other.rights(owned), Ok(Rights::ALL));
    // And with the instance.
    guest.expect(&[("open cache 1023", "2")]);
    let lent = ticket(guest.play("lend 2 3 other"));
    let borrowed = other.accept(&lent).unwrap();
    drop(guest);
    assert_eq!(other.rights(borrowed), Err(MapError::Stale));
}

#[test]
fn regions_are_read_written_and_handed_on() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[
        ("open cache 1023", "0"),
        ("create - - - - refuse", "1"),
        ("region-create 0 area 100000", "done"),
        ("region-write 0 area 65535 text", "done"),
        ("region-hand 0 area 1 copy", "done"),
        ("region-length 1 copy", "100000"),
        ("region-read 1 copy 65534 6", "\\x00text\\x00"),
        ("region-write 1 copy 0 both", "done"),
        ("region-read 0 area 0 4", "both"),
        ("region-read 0 area 100000 0", ""),
        ("region-read 0 area 100000 1", "error invalid"),
        ("region-read 0 area 99999 1", "\\x00"),
        ("delete 0 area", "done"),
        ("region-read 1 copy 0 4", "both"),
        ("create - 50000 - - refuse", "2"),
        ("region-hand 1 copy 2 copy", "error no-space"),
        ("scan 1 -", "3"),
        ("next 3 1000", "copy=>region"),
    ]);
    assert_eq!(house.engine.regions().count(), 1);
    guest.expect(&[("drop 1", "done"), ("drop 3", "done")]);
    assert_eq!(house.engine.regions().count(), 0);
}

#[test]
fn a_component_is_suspended_until_the_answer_is_there() {
    let house = slow();
    let mut guest = player(&house);
    guest.expect(&[
        ("open small 1023", "0"),
        ("get 0 key", "none"),
        ("set 0 key v", "done"),
        ("get 0 key", "v@1"),
        ("swap 0 key 0 v", "error again 1"),
        ("add 0 key 1", "error invalid"),
        ("scan 0 -", "1"),
        ("next 1 1000", "key=v"),
        ("watch 0 -", "2"),
        ("subscribe 2", "3"),
        ("set 0 key w", "done"),
        ("block 3", "true"),
        ("changes 2 1000", "stored:key"),
        ("batch 0 delete:key", "error not-supported"),
        ("put-map 0 child 0", "error not-supported"),
        ("region-create 0 area 1", "error not-supported"),
        // What the back end cannot do as one step is done one by one.
        ("kv2.open small", "4"),
        ("kv2.set-many 4 a=1 b=2", "done"),
        ("kv2.get-many 4 a b c", "a=1 b=2 c=none"),
        ("kv2.delete-many 4 a c", "done"),
        ("kv2.exists 4 a", "false"),
        ("clear 0", "done"),
    ]);
    assert!(guest.store.data().door.waits > 15);
}
