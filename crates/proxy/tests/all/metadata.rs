//! Statements 212, 213 and 215: dynamic metadata, and that of listener, route and cluster.

use weir_model::{Json, Metadata};

use crate::guest::guest;
use crate::stage::{GET, is_oracle, with};

fn entries(entries: &[(&str, Json)]) -> Vec<(String, Json)> {
    let entries = entries.iter();
    entries
        .map(|(key, json)| ((*key).to_owned(), json.clone()))
        .collect()
}

fn facts() -> Metadata {
    let text = |text: &str| Json::Text(text.to_owned());
    let of_kinds = entries(&[
        ("text", text("a")),
        ("number", Json::Number(1.5)),
        ("truth", Json::Bool(true)),
        ("nothing", Json::Null),
        ("map", Json::Map(entries(&[("k", text("v"))]))),
        ("list", Json::List(vec![text("x"), Json::Bool(false)])),
        ("empty", Json::Map(Vec::new())),
        ("none", Json::List(Vec::new())),
    ]);
    Metadata {
        namespaces: vec![
            ("ns".to_owned(), of_kinds),
            ("one".to_owned(), entries(&[("k", text("v"))])),
        ],
    }
}

/// What a guest reads in its request callback, with these facts everywhere.
#[track_caller]
fn check(steps: &str, expected: &[&str]) {
    let mut stage = with(guest(&format!("(request_headers {steps})")));
    stage.metadata = facts();
    let gateway = stage.start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, expected);
}

#[test]
fn s212_values_have_the_byte_forms_of_their_kinds() {
    check(
        r#"(prop "metadata\00filter_metadata\00ns\00text")
           (prop_number "metadata\00filter_metadata\00ns\00number")
           (prop_number "metadata\00filter_metadata\00ns\00truth")
           (prop_pairs "metadata\00filter_metadata\00ns\00map")
           (prop "metadata\00filter_metadata\00ns\00map\00k")
           (prop_number "metadata\00filter_metadata\00ns\00list\001")
           (prop "metadata\00filter_metadata\00ns\00list\000")
           (prop_number "metadata\00filter_metadata\00ns\00empty")
           (prop_number "metadata\00filter_metadata\00ns\00none")
           (prop_pairs "metadata\00filter_metadata\00one")"#,
        &[
            "prop 0 a",
            "prop_number 0 4609434218613702656",
            "prop_number 0 1",
            "prop_pairs 0 k=v;",
            "prop 0 v",
            "prop_number 0 0",
            "prop 0 x",
            "prop_number 0 0",
            "prop_number 0 0",
            "prop_pairs 0 k=v;",
        ],
    );
}

#[test]
fn s212_a_list_is_pairs_with_empty_values() {
    check(
        r#"(prop_pairs "metadata\00filter_metadata\00ns\00list")"#,
        &["prop_pairs 0 x=;\0=;"],
    );
}

#[test]
fn s213_s215_what_has_no_form_or_is_not_there() {
    check(
        r#"(prop "metadata\00filter_metadata\00ns\00nothing")
           (prop "metadata\00filter_metadata\00ns")
           (prop "metadata\00filter_metadata\00other")
           (prop "metadata\00filter_metadata\00ns\00other")
           (prop "metadata\00filter_metadata\00ns\00text\00k")
           (prop "metadata\00filter_metadata\00ns\00list\007")
           (prop "metadata\00other")
           (prop_number "metadata\00typed_filter_metadata")"#,
        &[
            "prop 3",
            "prop 3",
            "prop 1",
            "prop 1",
            "prop 1",
            "prop 1",
            "prop 1",
            "prop_number 0 0",
        ],
    );
}

#[test]
fn s212_route_cluster_and_listener_have_their_own() {
    check(
        r#"(prop "xds\00route_metadata\00filter_metadata\00one\00k")
           (prop "xds\00cluster_metadata\00filter_metadata\00one\00k")
           (prop "xds\00listener_metadata\00filter_metadata\00one\00k")
           (prop "xds\00route_metadata\00filter_metadata\00ns\00nothing")
           (prop "xds\00upstream_host_metadata")
           (prop "xds\00virtual_host_metadata")"#,
        &[
            "prop 0 v", "prop 0 v", "prop 0 v", "prop 3", "prop 1", "prop 0 -",
        ],
    );
}

#[test]
fn s212_the_whole_is_a_message() {
    let mut stage = with(guest(
        r#"(request_headers (prop "metadata") (prop "xds\00route_metadata") (prop "xds\00cluster_metadata") (prop "xds\00listener_metadata"))"#,
    ));
    stage.metadata = Metadata {
        namespaces: vec![(
            "one".to_owned(),
            entries(&[("k", Json::Text("v".to_owned()))]),
        )],
    };
    let gateway = stage.start();
    gateway.ask(GET);
    if is_oracle() {
        // A line break in a message ends the line that Envoy logs.
        gateway.check(0, &["prop 0 "; 4]);
        return;
    }
    let message = "\n\u{11}\n\u{3}one\u{12}\n\n\u{8}\n\u{1}k\u{12}\u{3}\u{1a}\u{1}v";
    let line = format!("prop 0 {message}");
    gateway.check(0, &[line.as_str(); 4]);
}

#[test]
fn s212_metadata_that_was_never_given_is_an_empty_message() {
    let gateway = with(guest(
        r#"(request_headers (prop "metadata") (prop_number "metadata\00filter_metadata") (prop "xds\00route_metadata") (prop "xds\00cluster_metadata")
             (prop "xds\00listener_metadata") (prop "xds\00upstream_host_metadata"))
           (response_headers (prop "xds\00upstream_host_metadata") (prop "xds\00upstream_host_metadata\00filter_metadata\00one")
             (prop "xds\00upstream_host_locality_metadata") (prop "metadata"))"#,
    ))
    .start();
    gateway.ask(GET);
    gateway.check(
        0,
        &[
            "prop 0 -",
            "prop_number 0 0",
            "prop 0 -",
            "prop 0 -",
            "prop 0 -",
            "prop 1",
            "prop 3",
            "prop 1",
            "prop 3",
            "prop 0 -",
        ],
    );
}

#[test]
fn s222_there_is_no_metadata_without_an_exchange() {
    if is_oracle() {
        // Its main thread has a VM of its own that logs, too.
        return;
    }
    let gateway = with(guest(
        r#"(configure (prop "metadata") (prop "xds\00listener_metadata") 1)"#,
    ))
    .start();
    gateway.check(0, &["prop 1", "prop 1"]);
}
