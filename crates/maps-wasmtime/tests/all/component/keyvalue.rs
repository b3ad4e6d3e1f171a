//! `wasi:keyvalue` in both drafts, over the same maps.

use weir_maps::{Rights, Store, Value};

use super::{player, player_with};
use crate::house::House;

const BOTH: [&str; 2] = ["kv", "kv2"];

/// Plays lines in both drafts: `{kv}` is the draft.
#[track_caller]
fn both(lines: &[(&str, &str)]) {
    for draft in BOTH {
        let house = House::new();
        let mut guest = player(&house);
        for (line, expected) in lines {
            guest.expect(&[(&line.replace("{kv}", draft), expected)]);
        }
    }
}

#[test]
fn buckets_are_maps() {
    both(&[
        ("{kv}.open cache", "0"),
        ("{kv}.get 0 key", "none"),
        ("{kv}.set 0 key value", "done"),
        ("{kv}.get 0 key", "value"),
        ("{kv}.exists 0 key", "true"),
        ("{kv}.add 0 hits 2", "2"),
        ("{kv}.add 0 hits 3", "5"),
        ("{kv}.set-many 0 a=1 b=2 c=", "done"),
        ("{kv}.delete 0 key", "done"),
        ("{kv}.delete 0 key", "done"),
        ("{kv}.delete-many 0 a nokey", "done"),
        ("{kv}.keys 0 -", "b c hits None"),
        // The same map by its other interface, and the default.
        ("open cache 1023", "1"),
        ("get 1 b", "2@5"),
        ("{kv}.open -", "2"),
        ("{kv}.get 2 b", "2"),
        ("drop 0", "done"),
        ("{kv}.get 2 c", ""),
    ]);
}

#[test]
fn each_draft_has_its_own_form_of_many() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[
        ("kv.open cache", "0"),
        ("kv2.open cache", "1"),
        ("kv.set-many 0 a=1 b=2", "done"),
        ("kv.get-many 0 b nokey a", "b=2 none a=1"),
        ("kv2.get-many 1 b nokey a", "b=2 nokey=none a=1"),
        ("kv2.add 1 n -3", "-3"),
        ("kv.add 0 n 1", "18446744073709551614"),
    ]);
}

#[test]
fn keys_come_page_by_page_and_a_cursor_is_good_once() {
    for draft in BOTH {
        let house = House::new();
        let map = house.engine.find("tenant", "cache").unwrap();
        for number in 0..1500 {
            let key = format!("key{number:04}");
            map.map().store().add(key.as_bytes(), 1).now().unwrap();
        }
        let terms = weir_maps::Terms::default();
        let value = Value::copy_of(b"v");
        // No text, so no key of a component.
        map.map()
            .store()
            .write(b"key1\xff", value, terms)
            .now()
            .unwrap();
        let mut guest = player(&house);
        guest.play(&format!("{draft}.open cache"));
        let (mut keys, mut cursor, mut pages) = (Vec::new(), "-".to_owned(), 0);
        loop {
            let told = guest.play(&format!("{draft}.keys 0 {cursor}"));
            pages += 1;
            if cursor != "-" {
                let again = guest.play(&format!("{draft}.keys 0 {cursor}"));
                assert!(again.starts_with("error other the "), "{again}");
            }
            let (page, next) = told.rsplit_once(' ').unwrap();
            keys.extend(page.split(' ').map(str::to_owned));
            match next.strip_prefix("Some(") {
                Some(next) => cursor = next.trim_matches(['"', ')']).to_owned(),
                None => break,
            }
        }
        assert!(pages > 1);
        let all: Vec<_> = (0..1500).map(|number| format!("key{number:04}")).collect();
        assert_eq!(keys, all);
    }
}

#[test]
fn entries_are_compared_and_swapped() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[
        ("kv2.open cache", "0"),
        ("kv2.cas 0 key", "1"),
        ("kv2.current 1", "none"),
        ("kv2.swap 1 one", "done"),
        ("kv2.cas 0 key", "2"),
        ("kv2.set 0 key two", "done"),
        ("kv2.swap 2 three", "failed 3"),
        ("kv2.get 0 key", "two"),
        ("kv2.current 3", "two"),
        ("kv2.swap 3 three", "done"),
        ("kv2.get 0 key", "three"),
        // Somebody is faster, and it is tried again without another look.
        ("kv2.cas 0 key", "4"),
        ("kv2.delete 0 key", "done"),
        ("kv2.swap 4 four", "failed 5"),
        ("kv2.swap 5 four", "done"),
        ("kv2.get 0 key", "four"),
        ("kv2.cas 0 key", "6"),
        (
            "kv2.swap 6 x*1001",
            "error other the room of this map is used up",
        ),
    ]);
    assert_eq!(guest.handles().len(), 1);
}

/// Each line, and the right that it needs.
#[rustfmt::skip]
const NEEDS: [(&str, Rights); 9] = [
    ("get 0 key", Rights::READ), ("set 0 key v", Rights::WRITE), ("delete 0 key", Rights::DELETE),
    ("exists 0 key", Rights::READ), ("keys 0 -", Rights::LIST), ("add 0 key 1", Rights::WRITE),
    ("get-many 0 key", Rights::READ), ("set-many 0 key=v", Rights::WRITE),
    ("delete-many 0 key", Rights::DELETE),
];

#[test]
fn a_bucket_allows_what_is_granted() {
    for draft in BOTH {
        for (line, needed) in NEEDS {
            let house = House::new();
            let few = Rights::from_bits(Rights::ALL.bits() & !needed.bits()).unwrap();
            let mut guest = player_with(&house, few);
            let line = format!("{draft}.{line}");
            guest.expect(&[
                (&format!("{draft}.open cache"), "0"),
                (&line, "error access-denied"),
            ]);
            assert!(house.contents("cache").0.is_empty());
        }
    }
    for needed in [Rights::READ, Rights::WRITE] {
        let house = House::new();
        let few = Rights::from_bits(Rights::ALL.bits() & !needed.bits()).unwrap();
        let mut guest = player_with(&house, few);
        guest.expect(&[
            ("kv2.open cache", "0"),
            ("kv2.cas 0 key", "error access-denied"),
        ]);
        assert_eq!(guest.handles().len(), 1);
    }
}

#[test]
fn bad_arguments_are_told_and_change_nothing() {
    for draft in BOTH {
        let house = House::new();
        let mut guest = player(&house);
        guest.play(&format!("{draft}.open cache"));
        for (line, expected) in [
            ("open nosuch", "error no-such-store"),
            ("open x*257", "error other a name"),
            ("get 0 x*65537", "error other an argument"),
            ("set 0 x*65537 v", "error other an argument"),
            ("set 0 key x*1001", "error other the room"),
            ("delete 0 x*65537", "error other an argument"),
            ("exists 0 x*65537", "error other an argument"),
            ("keys 0 7", "error other "),
        ] {
            let told = guest.play(&format!("{draft}.{line}"));
            assert!(told.starts_with(expected), "{draft}.{line}: {told}");
        }
        assert!(house.contents("cache").0.is_empty());
        assert_eq!(guest.handles().len(), 1);
    }
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[
        ("kv.open cache", "0"),
        ("kv.set 0 text abc", "done"),
        ("kv2.open cache", "1"),
    ]);
    let too_much = "error other a counter counts to 2^63 - 1";
    let no_counter = "error other an argument, or the kind of this entry, does not fit";
    guest.expect(&[
        ("kv.add 0 n 9223372036854775808", too_much),
        ("kv.add 0 text 1", no_counter),
        ("kv.add 0 n 9223372036854775807", "9223372036854775807"),
        (
            "kv.add 0 n 1",
            "error other the sum is no number of 64 bits",
        ),
        (
            "kv2.keys 1 00000000000000000000000000000000",
            "error other this is no cursor of list-keys",
        ),
        ("kv2.cas 1 x*65537", no_counter),
    ]);
}

#[test]
fn what_is_not_granted_is_no_store() {
    let house = House::new();
    house
        .engine
        .define(
            "tenant",
            "hidden",
            (weir_maps::MapOptions::default(), &crate::house::unlimited()),
        )
        .unwrap();
    let mut guest = player(&house);
    guest.expect(&[
        ("kv.open hidden", "error no-such-store"),
        ("kv2.open hidden", "error no-such-store"),
        ("open hidden 1", "error no-entry"),
    ]);
}

#[test]
fn comparing_is_bounded_and_so_are_answers() {
    let house = House::new();
    let mut guest = player(&house);
    guest.expect(&[("kv2.open cache", "0"), ("kv2.set 0 key x*1000", "done")]);
    for _ in 0..64 {
        guest.expect(&[("kv2.cas 0 key", "*")]);
    }
    let full = "error other too many handles or operations are open";
    guest.expect(&[
        ("kv2.cas 0 key", full),
        ("drop 1", "done"),
        ("kv2.cas 0 key", "*"),
    ]);
    // 17 000 times a kilobyte.
    let keys = " key".repeat(17_000);
    let told = guest.play(&format!("kv2.get-many 0{keys}"));
    assert_eq!(
        told,
        "error other the values of these keys are longer than 16 MiB"
    );
}
