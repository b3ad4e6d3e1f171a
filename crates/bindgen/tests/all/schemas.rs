//! From sources to schemas, their layouts, their changes.

use weir_bindgen::Schema;
use weir_bindgen::read::{Sources, read};
use weir_bindgen::schema::{Kind, compatible, layout};

use crate::support::{DEMO_WIT, demo, schema, source, sources, type_id, users};

#[track_caller]
fn check_refused(files: &[(&str, &str)], expected: &[&str]) {
    let problems = read(&sources(files)).unwrap_err();
    let told: Vec<_> = problems.0.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected);
}

#[test]
fn fields_have_the_numbers_that_they_are_given() {
    let demo = demo();
    let Kind::Record(sample) = &demo.definition(type_id(&demo, "sample")).kind else {
        panic!("a record");
    };
    let last = sample.fields.last().unwrap();
    assert_eq!((last.name.as_str(), last.number), ("type", 100));
    assert_eq!(last.docs, "Given later.");
    assert_eq!(sample.fields[0].number, 1);
    let Kind::Enum(colours) = &demo.definition(type_id(&demo, "colour")).kind else {
        panic!("an enum");
    };
    assert_eq!(
        colours.iter().map(|name| name.number).collect::<Vec<_>>(),
        [0, 1, 7]
    );
}

#[test]
fn wrong_numbers_are_refused() {
    let wit = "interface types { record a { x: u8, /// @1\n y: u8, /// @0\n z: u8, /// @x\n w: u8 } enum b { /// @1\n c } }";
    check_refused(
        &[
            ("a.map", "use types.{a, b};\nmap<u8, a> m; map<u8, b> n;"),
            ("a.wit", wit),
        ],
        &["a.wit:1:26: `@x` is no number of a field; expected `@` and a number, as in `/// @3`"],
    );
    let wit = wit.replace("@x", "@19000");
    check_refused(
        &[
            ("a.map", "use types.{a, b};\nmap<u8, a> m; map<u8, b> n;"),
            ("a.wit", &wit),
        ],
        &[
            "a.wit:1:26: `w` of `a` has the number 19000; expected none of 19000 to 19999",
            "a.wit:1:26: `x` and `y` of `a` have the same number 1; expected another number: `/// @n` on a line above one of them",
            "a.wit:1:26: `z` of `a` has the number 0; expected 1 to 536870911",
            "a.wit:4:15: no case of `b` has the number 0; expected one: it is what a field holds that is not stored",
        ],
    );
}

#[test]
fn names_that_lead_nowhere_are_told_with_those_that_do() {
    check_refused(
        &[
            (
                "a.map",
                "use typs.{user};\nuse types.{usr};\nmap<u8, user> a;",
            ),
            ("a.wit", "interface types { record user { x: u8 } }"),
        ],
        &[
            "a.map:1:5: there is no interface `typs`; expected one of weir:types/types",
            "a.map:2:12: there is no type `usr` in `typs`; expected one of user"
                .replace("typs", "types")
                .as_str(),
            "a.map:3:9: there is no type `user`; expected a type that `use` names, as in `use types.{user};`",
        ],
    );
}

#[test]
fn what_cannot_be_kept_or_ordered_is_refused() {
    let wit = "interface types { resource r; record a { x: borrow<r> } record b { y: stream<u8>, } record c { t: string } }";
    check_refused(
        &[
            (
                "a.map",
                "use types.{c};\nmap<f32, c> m { encoding = \"c\"; }\nmap<c, u8> n { encoding = \"raw\"; }",
            ),
            ("a.wit", wit),
        ],
        &[
            "a.wit:1:38: a borrow cannot be kept in a map; expected records, variants, enums, flags, tuples, lists, options, results, numbers or text",
            "a.wit:1:64: a stream cannot be kept in a map; expected records, variants, enums, flags, tuples, lists, options, results, numbers or text",
        ],
    );
    check_refused(
        &[
            (
                "a.map",
                "use types.{c};\nmap<f32, c> m { encoding = \"c\"; }\nmap<c, u8> n { encoding = \"raw\"; }",
            ),
            ("a.wit", "interface types { record c { t: string } }"),
        ],
        &[
            "a.map:2:5: this cannot be the type of keys; expected `string`, `list<u8>`, `bool` or an integer: they have an order in bytes",
            "a.map:2:28: `t` of `c` has no fixed size; expected a record of numbers, bools, enums, flags and such records",
            "a.map:3:5: this cannot be the type of keys; expected `string`, `list<u8>`, `bool` or an integer: they have an order in bytes",
            "a.map:3:27: values of this type cannot be stored raw; expected `list<u8>`, `string` or `s64` (a counter)",
        ],
    );
}

#[test]
fn mistakes_of_wit_and_proto_have_places() {
    let problems = read(&sources(&[(
        "a.wit",
        "interface types {\n  record a { x u8 }\n}",
    )]))
    .unwrap_err();
    assert!(
        problems.to_string().starts_with("a.wit:2:16: "),
        "{problems}"
    );
    let problems = read(&sources(&[(
        "a.wit",
        "interface types {\n  record a { x: nope }\n}",
    )]))
    .unwrap_err();
    assert!(
        problems.to_string().starts_with("a.wit:2:17: "),
        "{problems}"
    );
    let problems = read(&sources(&[(
        "a.proto",
        "syntax = \"proto3\";\nmessage A { string a = ; }",
    )]))
    .unwrap_err();
    assert!(
        problems.to_string().starts_with("a.proto:2:24: "),
        "{problems}"
    );
    let problems = read(&sources(&[(
        "a.proto",
        "syntax = \"proto3\";\nmessage A { Nope a = 1; }",
    )]))
    .unwrap_err();
    assert!(
        problems.to_string().starts_with("a.proto:2:13: "),
        "{problems}"
    );
    check_refused(
        &[(
            "a.proto",
            "syntax = \"proto3\"; message A { B b = 1; } message B { A a = 1; }",
        )],
        &[
            "a.proto: message `A` contains itself; expected a message that ends: values of maps have a depth that is known",
        ],
    );
    check_refused(
        &[("a.proto", "message A { required int32 a = 1; }")],
        &[
            "a.proto: this file is not in the third version of the language; expected `syntax = \"proto3\";` at its beginning",
        ],
    );
}

#[test]
fn files_beside_a_map_file_have_its_types() {
    let sources = Sources {
        given: vec![source(
            "a.map",
            "use types.{user};\nmap<string, user> users;",
        )],
        beside: vec![source("demo.wit", DEMO_WIT)],
    };
    assert_eq!(read(&sources).unwrap().types.len(), 1);
}

#[test]
fn proto_files_are_schemas_with_services() {
    let users = users();
    assert_eq!(users.services[0].full_name, "demo.v1.UserService");
    assert_eq!(users.services[0].methods[0].docs, "Finds one.");
    let request = &users.definition(users.services[0].methods[0].input).kind;
    assert!(matches!(request, Kind::Variant(cases) if cases.len() == 2));
    let Kind::Enum(roles) = &users.definition(type_id(&users, "role")).kind else {
        panic!("an enum");
    };
    let roles: Vec<_> = roles
        .iter()
        .map(|role| (role.name.as_str(), role.number))
        .collect();
    assert_eq!(roles, [("owner", -2), ("guest", 0), ("member", 1)]);
}

/// Numbers of a C compiler: `offsetof` and `sizeof` on both word sizes, in `tests/real`.
#[test]
fn layouts_are_those_of_c() {
    let demo = demo();
    let packet = layout(&demo, type_id(&demo, "data-packet")).unwrap();
    assert_eq!((packet.size, packet.align), (16, 8));
    assert_eq!(
        packet
            .slots
            .iter()
            .map(|slot| slot.offset)
            .collect::<Vec<_>>(),
        [0, 8]
    );
    let frame = layout(&demo, type_id(&demo, "frame")).unwrap();
    assert_eq!((frame.size, frame.align), (32, 8));
    assert_eq!(
        frame
            .slots
            .iter()
            .map(|slot| slot.offset)
            .collect::<Vec<_>>(),
        [0, 8, 24, 28, 30]
    );
    assert!(layout(&demo, type_id(&demo, "user")).is_err());
}

#[test]
fn schemas_come_back_from_json() {
    let demo = demo();
    let json = demo.to_json();
    let back = Schema::from_json(&json).unwrap();
    assert_eq!(back.to_json(), json);
    for (map, other) in demo.maps.iter().zip(&back.maps) {
        assert_eq!(demo.hash(map), back.hash(other), "{}", map.name);
    }
    for broken in [
        "{}",
        "{\"weir-schema\":1,\"types\":[{\"name\":\"a\",\"kind\":\"record\",\"parts\":[{\"name\":\"x\",\"number\":1,\"rule\":\"plain\",\"type\":0}]}],\"maps\":[]}",
    ] {
        assert!(
            Schema::from_json(&serde_json::from_str(broken).unwrap()).is_err(),
            "{broken}"
        );
    }
}

/// JSON of records, each with the one before as its field.
fn records_in_each_other(count: usize) -> serde_json::Value {
    let records = (0..count).map(|at| {
        let before = at.checked_sub(1);
        let ty = before.map_or_else(|| serde_json::json!("bool"), serde_json::Value::from);
        let part = serde_json::json!({ "name": "x", "number": 1, "rule": "plain", "type": ty });
        serde_json::json!({ "name": format!("r{at}"), "kind": "record", "parts": [part] })
    });
    let types: serde_json::Value = records.collect();
    serde_json::json!({ "weir-schema": 1, "types": types, "maps": [] })
}

#[test]
fn schemas_of_json_have_a_depth_and_a_size() {
    assert_eq!(
        Schema::from_json(&records_in_each_other(64))
            .unwrap()
            .types
            .len(),
        64
    );
    let check = |count, expected: &str| {
        let refused = Schema::from_json(&records_in_each_other(count)).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    };
    check(
        65,
        "this is no schema: types[64] is not at most 64 types in each other",
    );
    check(
        4097,
        "this is no schema: types is not a list of at most 4096",
    );
}

#[test]
fn a_hash_changes_with_what_is_stored_and_with_nothing_else() {
    let map = "use types.{a};\nmap<u8, a> m;";
    let hash = |wit: &str| {
        let schema = schema(map, wit);
        schema.hash(&schema.maps[0]).to_string()
    };
    let first = hash("record a { x: u8 }");
    assert_eq!(
        first,
        hash("/// Said.\n record a { x: u8 } record b { y: u8 }")
    );
    assert_ne!(first, hash("record a { x: u16 }"));
    assert_ne!(first, hash("record a { x: u8, y: u8 }"));
}

#[track_caller]
fn check_change(old: &str, new: &str, expected: &[&str]) {
    let map = "use types.{a};\nmap<u8, a> m;";
    let breaks = compatible(&schema(map, old), &schema(map, new));
    let told: Vec<_> = breaks.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected, "{old} -> {new}");
}

#[test]
fn new_fields_and_cases_are_compatible() {
    check_change("record a { x: u8 }", "record a { x: u8, y: string }", &[]);
    check_change("record a { x: u8, y: u8 }", "record a { x: u8 }", &[]);
    check_change(
        "enum b { c } record a { x: b }",
        "enum b { c, d } record a { x: b }",
        &[],
    );
    check_change("variant a { c }", "variant a { c, d(u8) }", &[]);
    check_change(
        "record a { x: u8, y: string }",
        "record a { /// @2\n y: string, /// @1\n x: u8 }",
        &[],
    );
}

#[test]
fn changed_types_and_numbers_are_refused_with_their_field() {
    check_change(
        "record a { x: u8 }",
        "record a { x: string }",
        &["map `m`: a.x: was u8 and is string"],
    );
    check_change(
        "record a { x: u8 }",
        "record a { x: option<u8> }",
        &["map `m`: a.x: was always there and is optional"],
    );
    check_change(
        "record a { x: u8 }",
        "record a { /// @2\n x: u8 }",
        &["map `m`: a.x: its number was 1 and is 2"],
    );
    check_change(
        "record a { x: u8 }",
        "record a { z: u8 }",
        &["map `m`: a.x: its number 1 is now that of `z`; give that one a new number"],
    );
    check_change(
        "record b { y: list<string> } record a { x: option<b> }",
        "record b { y: list<u32> } record a { x: option<b> }",
        &["map `m`: a.x.y: was string and is u32"],
    );
    check_change(
        "enum b { c, d } record a { x: b }",
        "enum b { c } record a { x: b }",
        &["map `m`: a.x.d: is gone, and entries may hold it"],
    );
    check_change(
        "variant a { c(u8) }",
        "variant a { c }",
        &["map `m`: a.c: was u8 and is without a value"],
    );
    check_change(
        "record a { x: u8 }",
        "variant a { x(u8) }",
        &["map `m`: a: was a record and is a variant"],
    );
    check_change(
        "type a = s64;",
        "type a = string;",
        &["map `m`: value: was a counter and is text"],
    );
    let laid = |wit: &str| schema("use types.{a};\nmap<u8, a> m { encoding = \"c\"; }", wit);
    let breaks = compatible(
        &laid("record a { x: u8 }"),
        &laid("record a { x: u8, y: u8 }"),
    );
    assert_eq!(
        breaks[0].to_string(),
        "map `m`: a: its size changed, and C's layout has no room for that"
    );
}
