//! The examples that are plain modules do what they say.

use std::time::Duration;

use weir_maps::{MapCall, MapReply, Rights};

use crate::house::{self, Guest, House};

fn start(house: &House, example: &str) -> Guest {
    let binary = house::repository(&format!("examples/maps/{example}.wasm"));
    house.start(&house::module(&binary), example)
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

#[test]
fn rust_and_c_exchange_a_struct_through_a_map() {
    let house = House::new(&[("packets", Rights::ALL)]);
    let mut rust = start(&house, "rust/packet/packet");
    let mut c = start(&house, "c/packet");
    assert_eq!(rust.call::<_, i32>("send_packet", (7, 20.75)), 0);
    let key = 7_u32.to_le_bytes();
    let MapReply::Entry(value, _) =
        house.ask("packets", |handle| MapCall::Get { handle, key: &key })
    else {
        panic!("there is no packet 7");
    };
    // { u32 id; f64 value }, as both languages lay it out.
    let expected = [&7_u64.to_le_bytes()[..], &20.75_f64.to_le_bytes()].concat();
    assert_eq!(value.bytes(), Some(&expected[..]));
    assert_eq!(c.call::<_, i32>("process_packet", 7), 0);
    near(rust.call("packet_value", 7), 41.5);
    let none = 44;
    assert_eq!(c.call::<_, i32>("process_packet", 8), none);
    assert!(rust.call::<_, f64>("packet_value", 8).is_nan());
    house.set("packets", &8_u32.to_le_bytes(), b"no packet");
    let invalid = 28;
    assert_eq!(c.call::<_, i32>("process_packet", 8), invalid);
    assert!(rust.call::<_, f64>("packet_value", 8).is_nan());
}

#[test]
fn rust_and_c_exchange_a_struct_through_a_region() {
    let house = House::new(&[("packets", Rights::ALL)]);
    let mut rust = start(&house, "rust/packet/packet");
    let mut c = start(&house, "c/packet");
    assert_eq!(rust.call::<_, i32>("send_packet_region", (7, 20.75)), 0);
    assert_eq!(c.call::<_, i32>("process_packet_region", 7), 0);
    near(rust.call("packet_value_region", 7), 41.5);
    // What is a region is read by copying too.
    near(rust.call("packet_value", 7), 41.5);
    let none = 44;
    assert_eq!(c.call::<_, i32>("process_packet_region", 8), none);
}

#[test]
fn words_are_counted_for_everybody() {
    let house = House::new(&[("words", Rights::ALL)]);
    let mut one = start(&house, "cpp/words");
    let mut other = start(&house, "cpp/words");
    assert_eq!(count(&mut one, "the map, the host and the guest"), 5);
    assert_eq!(count(&mut other, "A host, a HOST and the host. Größe!"), 5);
    assert_eq!(most_frequent(&mut one), "host=4");
    assert_eq!(most_frequent(&mut other), "host=4");
    assert_eq!(count(&mut other, " ,. "), 0);
}

#[test]
fn a_word_that_is_no_counter_changes_nothing() {
    let house = House::new(&[("words", Rights::ALL)]);
    house.set("words", b"broken", b"no counter");
    let mut guest = start(&house, "cpp/words");
    let invalid = 28;
    assert_eq!(count(&mut guest, "a broken word"), -invalid);
    assert_eq!(most_frequent(&mut guest), "");
}

#[test]
fn nobody_is_first_twice_within_the_hour() {
    let house = House::new(&[("seen", Rights::ALL)]);
    let mut one = start(&house, "assemblyscript/once");
    let mut other = start(&house, "assemblyscript/once");
    assert_eq!(one.call::<_, i32>("first", u64::MAX), 1);
    assert_eq!(other.call::<_, i32>("first", u64::MAX), 0);
    assert_eq!(other.call::<_, i32>("first", 3_u64), 1);
    assert_eq!(one.call::<_, i64>("seen_count", ()), 2);
    house.clock.advance(Duration::from_hours(1));
    assert_eq!(one.call::<_, i32>("first", u64::MAX), 1);
}

#[test]
fn examples_without_a_grant_say_so() {
    let house = House::new(&[("other", Rights::ALL)]);
    let none = 44;
    let mut once = start(&house, "assemblyscript/once");
    assert_eq!(once.call::<_, i32>("first", 1_u64), -none);
    assert_eq!(count(&mut start(&house, "cpp/words"), "word"), -none);
    let mut rust = start(&house, "rust/packet/packet");
    assert_eq!(rust.call::<_, i32>("send_packet", (7, 1.0)), none);
}

fn count(guest: &mut Guest, text: &str) -> i32 {
    let length = i32::try_from(text.len()).unwrap();
    let room: i32 = guest.call("room", length);
    let room = usize::try_from(room).unwrap();
    guest.memory()[room..room + text.len()].copy_from_slice(text.as_bytes());
    guest.call("count_words", length)
}

fn most_frequent(guest: &mut Guest) -> String {
    let at: i32 = guest.call("most_frequent", ());
    let text = &guest.memory()[usize::try_from(at).unwrap()..];
    let end = text.iter().position(|byte| *byte == 0).unwrap();
    String::from_utf8(text[..end].to_vec()).unwrap()
}
