//! Rules on values, without a gateway.

use weir_model::{Pattern, Sees, Showing};

use super::*;

fn rules(rules: &[(&str, Showing)]) -> Vec<(Pattern, Showing)> {
    let rule = |(name, showing): &(&str, Showing)| (Pattern::of(name), showing.clone());
    rules.iter().map(rule).collect()
}

fn sight(sees: &Sees) -> Sight {
    Sight::of(sees, Key::of(b"k"))
}

fn of_query(list: &[(&str, Showing)]) -> Sight {
    sight(&Sees {
        query: rules(list),
        ..Sees::default()
    })
}

fn of_properties(list: &[(&str, Showing)]) -> Sight {
    sight(&Sees {
        properties: rules(list),
        ..Sees::default()
    })
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn redacted() -> Showing {
    Showing::Text("***".to_owned())
}

#[test]
fn queries_lose_what_is_hidden() {
    let sight = of_query(&[
        ("t", Showing::Hide),
        ("k", redacted()),
        ("in*", Showing::Hide),
    ]);
    let check = |path: &str, expected: &str| {
        let seen = sight.seen_path(path.as_bytes());
        assert_eq!(String::from_utf8(seen).unwrap(), expected, "{path}");
    };
    check("/p", "/p");
    check("/p?", "/p");
    check("/p?t=1", "/p");
    check("/p?a=1&t=1&b", "/p?a=1&b");
    check("/p?t&t=2&t=", "/p");
    check("/p?k=1&k", "/p?k=***&k");
    check("/p?inside=1&i=2", "/p?i=2");
    check("/p?%74=1", "/p");
    check("/p?a=t=1", "/p?a=t=1");
    check("/p?a=1;t=1", "/p?a=1");
    check("/p?t=1;a=1&b=1", "/p?b=1");
    check("/p?a=1;k=1;b=2&c", "/p?a=1;k=***&c");
    check("/p?;t=1&;a", "/p?;a");
}

#[test]
fn written_paths_get_back_what_was_not_seen() {
    let sight = of_query(&[("t", Showing::Hide), ("k", redacted())]);
    let check = |written: &str, original: &str, expected: &str| {
        let path = sight.restored_path(written.as_bytes(), original.as_bytes());
        assert_eq!(String::from_utf8(path).unwrap(), expected, "{written}");
    };
    check("/n", "/p", "/n");
    check("/n", "/p?t=1", "/n?t=1");
    check("/n?a=1", "/p?t=1&t=2", "/n?a=1&t=1&t=2");
    check("/n?k=***", "/p?k=secret", "/n?k=secret");
    check("/n?k=***&k=***", "/p?k=1&k=2", "/n?k=1&k=2");
    // Dropped and put back, whatever was written in its place.
    check("/n", "/p?k=secret", "/n?k=secret");
    check("/n?k=mine", "/p?k=secret", "/n?k=secret");
    check("/n?%6b=mine&a", "/p?k=secret", "/n?k=secret&a");
    check("/n?k=mine", "/p", "/n");
    check("/n?t=mine&a", "/p", "/n?a");
    check("/n?t=mine&t=mine", "/p?%74=1", "/n?%74=1");
    check("/n?k=1&k=2&k=3", "/p?k=a&k=b", "/n?k=a&k=b");
    // Fragments are cut before.
    check("/n?a=1#", "/p?t=1", "/n?a=1&t=1");
    check("/n#f?a=1", "/p?t=1&k=2", "/n?t=1&k=2");
    // Servers that part at semicolons, and those that do not.
    check("/n?a=1;t=mine", "/p", "/n?a=1");
    check("/n?a=1", "/p?a=1;t=1;b=2", "/n?a=1&t=1;b=2");
    check("/n?a=1;k=***", "/p?a=1;k=1", "/n?a=1;k=1");
    check("", "/p?t=1", "?t=1");
}

#[test]
fn the_first_rule_that_fits_counts() {
    let sight = sight(&Sees {
        request_headers: rules(&[
            ("x-public-*", Showing::Show),
            ("host", Showing::Hide),
            ("x-*", Showing::Hide),
        ]),
        ..Sees::default()
    });
    assert!(!sight.covers(Side::Request, b"x-public-a"));
    assert!(sight.covers(Side::Request, b"x-secret"));
    assert!(
        sight.covers(Side::Request, b":authority"),
        "`host` means it"
    );
    assert!(!sight.covers(Side::Request, b"accept"));
    assert!(!sight.covers(Side::Response, b"x-secret"));
}

#[test]
fn maps_lose_their_hidden_entries() {
    let sight = of_properties(&[("node.metadata.a", Showing::Hide)]);
    let map = Value::Map(vec![("a".into(), text("1")), ("b".into(), text("2"))]);
    let seen = sight.value(&names_of(&[b"xds", b"node", b"metadata"]), map);
    assert_eq!(seen, Some(Value::Map(vec![("b".into(), text("2"))])));
}

#[test]
fn all_paths_to_a_value_are_its_names() {
    let check = |pattern: &str, path: &[&[u8]]| {
        let sight = of_properties(&[(pattern, Showing::Hide)]);
        let is_hidden = sight.value(&names_of(path), Value::Int(1)).is_none();
        assert!(is_hidden, "{pattern} hides {path:?}");
    };
    check("xds.route_name", &[b"route_name"]);
    check("route_name", &[b"xds", b"route_name"]);
    check("connection.id", &[b"connection_id"]);
    check("node.id", &[b"xds", b"node", b"id"]);
    check("metadata.*", &[b"xds", b"listener_metadata", b"a"]);
    check("xds.listener_metadata*", &[b"metadata"]);
    check("source.*", &[b"source", b"port"]);
    let sight = of_properties(&[("login", Showing::Hide)]);
    for name in [&b"login"[..], b"filter_state\0wasm.login"] {
        assert!(sight.covers_property(&names_of_state(name)), "{name:?}");
    }
}

#[test]
fn numbers_are_hashed_by_their_bytes() {
    let sight = of_properties(&[("source.port", Showing::Hash)]);
    let names = names_of(&[b"source", b"port"]);
    let one = sight.value(&names, Value::Int(1));
    assert_eq!(one, sight.value(&names, Value::Int(1)));
    assert_ne!(one, sight.value(&names, Value::Int(2)));
    assert!(matches!(one, Some(Value::String(hash)) if hash.len() == 64));
}

#[test]
fn short_values_show_no_ends() {
    assert_eq!(ends(b"abcdef", 2, 2), b"ab***ef");
    assert_eq!(ends(b"abcd", 2, 2), b"***");
    assert_eq!(ends(b"", 0, 0), b"***");
    assert_eq!(ends(b"abc", usize::MAX, 1), b"***");
}
