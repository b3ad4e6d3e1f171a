//! Keys and values of people, and what bounds schemas of strangers.

use serde_json::{Value as Json, json};
use weir_bindgen::Schema;
use weir_bindgen::schema::{compatible, covers};
use weir_bindgen::typed::Typed;

use crate::support::{demo, schema};

fn typed(map: &str) -> Typed {
    Typed::of(&demo(), map).unwrap()
}

#[track_caller]
fn check_key(map: &str, text: &[u8], bytes: &[u8], shown: &Json) {
    let typed = typed(map);
    assert_eq!(typed.key(text).unwrap(), bytes);
    assert_eq!(typed.show_key(bytes).unwrap(), *shown);
}

#[test]
fn keys_are_written_as_their_types_are() {
    check_key("users", "ä b".as_bytes(), "ä b".as_bytes(), &json!("ä b"));
    check_key("shapes", b"-1", b"\x7f\xff\xff\xff", &json!(-1));
    check_key("frames", b"258", b"\x01\x02", &json!(258));
    check_key("lists", b"true", b"\x01", &json!(true));
    check_key("notes", b"\xff\0", b"\xff\0", &json!("/wA="));
    let told = |map: &str, text: &[u8]| typed(map).key(text).unwrap_err().to_string();
    let expected = "\"-1\" is no key of the map `frames`, whose keys are u16";
    assert_eq!(told("frames", b"-1"), expected);
    for (map, text) in [
        ("frames", &b"65536"[..]),
        ("lists", b"1"),
        ("users", b"\xff"),
        ("shapes", b""),
    ] {
        told(map, text);
    }
    assert!(typed("frames").show_key(b"1").is_err());
}

#[test]
fn values_of_every_kind_of_map_are_json() {
    for (map, text) in [
        ("users", r#"{"name":"Ann","id":-7}"#),
        ("shapes", r#"{"circle":0.5}"#),
        ("packets", r#"{"id":7,"value":0.5}"#),
        // Found by the fuzz target: read carelessly, it became its neighbour.
        ("packets", r#"{"id":7,"value":-1.4065146914873753e-95}"#),
        ("thumbs", r#""AQI=""#),
        ("notes", r#""text""#),
        ("counters", "-3"),
        ("lists", "[1,2]"),
    ] {
        let typed = typed(map);
        let bytes = typed.read(text.as_bytes()).unwrap();
        assert_eq!(typed.show(&bytes).unwrap().to_string(), text, "{map}");
    }
    let told = typed("packets").show(b"short").unwrap_err().to_string();
    assert!(
        told.contains("the map `packets`: 5 bytes where C's layout has 16"),
        "{told}"
    );
    let told = typed("users")
        .read(b"{\"id\": 1.5}")
        .unwrap_err()
        .to_string();
    assert!(told.contains("id: a value of the type s32"), "{told}");
    assert!(Typed::of(&demo(), "nobody").is_none());
}

/// Types that each hold the one before twice, in fields that are always there.
fn doubled(count: usize, rule: &str) -> Json {
    let types: Vec<Json> = (0..count)
        .map(|at| {
            let ty = at.checked_sub(1).map_or(json!("bool"), |before| json!(before));
            let field = |name: &str, number: u32| {
                json!({ "name": name, "number": number, "rule": rule, "type": ty })
            };
            json!({ "name": format!("t{at}"), "kind": "record", "parts": [field("a", 1), field("b", 2)] })
        })
        .collect();
    let map = json!({ "name": "m", "key": "bool", "value": "message", "type": count - 1 });
    json!({ "weir-schema": 1, "types": types, "maps": [map] })
}

#[test]
fn a_default_value_has_a_size() {
    Schema::from_json(&doubled(14, "plain")).unwrap();
    let told = Schema::from_json(&doubled(40, "plain"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        told,
        "this is no schema: types[15] is not of at most 65536 values"
    );
    let records: Vec<String> = (1..40)
        .map(|at| format!("record t{at} {{ a: t{}, b: t{} }}\n", at - 1, at - 1))
        .collect();
    let records = records.concat();
    let wit = format!("interface types {{ record t0 {{ a: bool, b: bool }}\n{records} }}");
    let sources = crate::support::sources(&[("a.wit", &wit)]);
    let told = weir_bindgen::read::read(&sources).unwrap_err().to_string();
    assert_eq!(told.matches("a default").count(), 2, "{told}");
    assert!(
        told.contains("a default `t15` would have 131071 values; expected at most 65536"),
        "{told}"
    );
}

/// Two bytes of a message can be a record of a thousand defaults. Once an entry of a mebibyte came to
/// gigabytes when somebody looked at it.
#[test]
fn a_value_that_is_shown_has_a_size() {
    let fields: Vec<Json> = (1..=1000)
        .map(|number| {
            let name = format!("f{number}");
            json!({ "name": name, "number": number, "rule": "plain", "type": "bool" })
        })
        .collect();
    let list = json!({ "name": "all", "number": 1, "rule": "repeated", "type": 0 });
    let schema = Schema::from_json(&json!({
        "weir-schema": 1,
        "types": [
            { "name": "one", "kind": "record", "parts": fields },
            { "name": "many", "kind": "record", "parts": [list] },
        ],
        "maps": [{ "name": "m", "key": "bool", "value": "message", "type": 1 }],
    }))
    .unwrap();
    let typed = Typed::of(&schema, "m").unwrap();
    let shown = typed.show(&[0x0a, 0].repeat(500)).unwrap();
    assert_eq!(shown["all"].as_array().unwrap().len(), 500);
    let told = typed.show(&[0x0a, 0].repeat(2000)).unwrap_err().to_string();
    assert!(told.contains("made of more than 1048576 values"), "{told}");
}

/// Without remembering what was compared this would take 2^60 steps.
#[test]
fn schemas_are_compared_once_for_each_pair_of_types() {
    let schema = Schema::from_json(&doubled(60, "optional")).unwrap();
    assert_eq!(compatible(&schema, &schema), []);
    assert!(covers(&schema, &schema));
}

#[test]
fn schemas_have_a_breadth() {
    let names = |count: usize| -> Vec<Json> {
        (0..count)
            .map(|at| json!({ "name": format!("n{at}"), "number": at }))
            .collect()
    };
    let of = |count: usize| {
        let ty = json!({ "name": "t", "kind": "enum", "parts": names(count) });
        Schema::from_json(&json!({ "weir-schema": 1, "types": [ty], "maps": [] }))
    };
    assert!(of(1024).is_ok());
    let told = of(1025).unwrap_err().to_string();
    assert_eq!(
        told,
        "this is no schema: types[0].parts is not a list of at most 1024"
    );
    let maps = |count: usize| {
        let map = |at: usize| json!({ "name": format!("m{at}"), "key": "bool", "value": "bytes" });
        let maps: Vec<Json> = (0..count).map(map).collect();
        Schema::from_json(&json!({ "weir-schema": 1, "types": [], "maps": maps }))
    };
    assert!(maps(1024).is_ok() && maps(1025).is_err());
    let twins = json!([{ "name": "m", "key": "bool", "value": "bytes" }, { "name": "m", "key": "u8", "value": "text" }]);
    let told = Schema::from_json(&json!({ "weir-schema": 1, "types": [], "maps": twins }));
    assert_eq!(
        told.unwrap_err().to_string(),
        "this is no schema: maps[1].name is not a new name"
    );
    let many: Vec<String> = (0..1025)
        .map(|at| format!("map<u8, s64> m{at} {{}}\n"))
        .collect();
    let sources = crate::support::sources(&[("a.map", &many.concat())]);
    let told = weir_bindgen::read::read(&sources).unwrap_err().to_string();
    assert!(
        told.contains("a.map:1025:") && told.contains("too many maps"),
        "{told}"
    );
    let wide: Vec<String> = (0..1025).map(|at| format!("v{at}: bool, ")).collect();
    let wide = wide.concat();
    let wit = format!("interface types {{ record t {{ {wide} }} }}");
    let sources = crate::support::sources(&[("a.wit", &wit)]);
    let told = weir_bindgen::read::read(&sources).unwrap_err().to_string();
    assert!(
        told.contains("`t` has 1025 parts; expected at most 1024"),
        "{told}"
    );
}

#[test]
fn names_of_a_schema_are_told_apart_in_every_language() {
    let of = |kind: &str, names: [&str; 2]| {
        let part = |at: usize| json!({ "name": names[at], "number": at + 1, "rule": "plain", "type": "bool" });
        let ty = json!({ "name": "t", "kind": kind, "parts": [part(0), part(1)] });
        Schema::from_json(&json!({ "weir-schema": 1, "types": [ty], "maps": [] }))
    };
    for kind in ["record", "variant", "enum", "flags"] {
        assert!(of(kind, ["a", "b-2"]).is_ok(), "{kind}");
        for names in [
            ["a", "a"],
            ["a-1", "a1"],
            ["a", ""],
            ["a", "B"],
            ["a", "b--c"],
            ["a", "b c"],
            ["a", "(unknown)"],
        ] {
            let told = of(kind, names).unwrap_err().to_string();
            assert!(
                told.contains("named in kebab case without twins"),
                "{kind} {names:?}: {told}"
            );
        }
    }
    // The JSON of flags has numbers for those without a name; names of enums may be numbers.
    assert!(of("flags", ["a", "1"]).is_err() && of("enum", ["a", "1"]).is_ok());
}

#[test]
fn a_schema_covers_those_whose_fields_it_has() {
    let of = |fields: &str| {
        schema(
            "use types.{a};\nmap<u8, a> m;",
            &format!("record a {{ {fields} }}"),
        )
    };
    let (small, large) = (of("x: u8"), of("x: u8, y: string"));
    assert!(covers(&large, &small) && !covers(&small, &large));
    // Going is fine for entries, and yet not forgotten.
    assert_eq!(compatible(&large, &small), []);
    let other = schema("map<u8, s64> n;", "");
    assert!(!covers(&other, &small), "another map");
}
