//! Every host function: allowed by its name it works, not listed it answers as documented, and
//! nothing of what it would do is done.

use std::collections::BTreeSet;

use weir_guest::abi::{HOST_FUNCTIONS, Namespace, Topic};
use weir_model::Strictness;

use super::rows::{ENVOY, HIGRESS, Row, WASI, refused, status};
use crate::guest::guest;
use crate::stage::{GET, Stage, is_oracle, with};

/// What has no status to be told by the others: `proxy_log` tells it, and `proc_exit` has none.
const APART: [&str; 2] = ["proxy_log", "proc_exit"];

const TOLD_BY: [&str; 2] = ["proxy_log", "proxy_on_request_headers"];

fn stage(script: &str, capabilities: &[&str]) -> Stage {
    let names = TOLD_BY.iter().chain(capabilities);
    let names = names.map(|name| (*name).to_owned()).collect();
    let script = format!("(request_headers (say \"begin\") {script})");
    with(guest(&script)).tune(|filter| {
        filter.capabilities = Some(names);
        filter.strictness = Strictness::Tolerant;
    })
}

/// The statuses in the lines behind the first: the second word of each.
fn statuses(lines: &[String]) -> Vec<i32> {
    lines
        .iter()
        .skip(1)
        .map(|line| status(line).unwrap_or_else(|| panic!("no status in {line:?}")))
        .collect()
}

#[test]
fn the_table_has_every_host_function() {
    let all = HOST_FUNCTIONS
        .iter()
        .filter(|function| function.topic != Topic::Runtime);
    let all: BTreeSet<&str> = all.map(|function| function.name).collect();
    let rows = [ENVOY, HIGRESS, WASI].concat();
    let rows: BTreeSet<&str> = rows.iter().map(|row| row.0).chain(APART).collect();
    assert_eq!(all, rows);
}

#[test]
fn each_function_works_by_its_name() {
    if is_oracle() {
        return;
    }
    for (name, script, expected) in [ENVOY, HIGRESS, WASI].concat() {
        let gateway = stage(script, &[name]).start();
        gateway.ask(GET);
        let lines = gateway.logs_when(0, 2);
        assert_eq!(statuses(&lines), [expected], "{name}: {lines:?}");
    }
}

/// All rows in one guest that may call none of them.
fn check_none(rows: &[Row], namespace: Namespace) {
    let expected = match namespace {
        Namespace::Env => 10,
        Namespace::Wasi | Namespace::Maps | Namespace::DraftMaps => 76,
    };
    let script: String = rows.iter().map(|row| row.1).collect();
    let gateway = stage(&script, &[]).start();
    let response = gateway.ask("GET /p HTTP/1.1\r\nhost: h\r\nx-kept: 1\r\n\r\n");
    assert_eq!(response.brief(), (200, "ok"));
    let lines = gateway.logs_when(0, rows.len() + 1);
    let answers: Vec<i32> = rows.iter().map(|row| refused(row, expected)).collect();
    assert_eq!(statuses(&lines), answers, "{lines:#?}");
    // Nothing of it was done: the request goes as it came, and no callout was sent.
    let request = gateway.upstream.until(|_| true).head;
    assert!(request.contains("x-kept: 1"), "{request}");
    assert!(!request.contains("leak"), "{request}");
    assert!(gateway.side.seen().is_empty());
    // Each is noted by its name, and nothing else.
    let touched = gateway.touched(0);
    let noted: BTreeSet<String> = touched.into_iter().map(|(_, name, _)| name).collect();
    let names: BTreeSet<String> = rows.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(noted, names);
}

#[test]
fn functions_that_are_not_listed_do_nothing() {
    if is_oracle() {
        return;
    }
    check_none(ENVOY, Namespace::Env);
    check_none(HIGRESS, Namespace::Env);
    check_none(WASI, Namespace::Wasi);
}

#[test]
fn logging_and_exit_are_functions_like_others() {
    let script = r#"(request_headers (log_at 2 "leak")
        (if (i32.eq (global.get $status) 10) (then (!add 0 "x-log" "10"))))"#;
    let may = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        with(guest(script)).tune(|filter| filter.capabilities = Some(names))
    };
    let gateway = may(&["proxy_on_request_headers", "proxy_add_header_map_value"]).start();
    gateway.ask(GET);
    let request = gateway.upstream.until(|_| true).head;
    assert!(request.contains("x-log: 10"), "{request}");
    gateway.check(0, &[]);
    if is_oracle() {
        return;
    }
    let exits = "(request_headers (wasi proc_exit 3) (say \"on\"))";
    let lines = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let stage = with(guest(exits)).tune(|filter| filter.capabilities = Some(names));
        let gateway = stage.start();
        gateway.ask(GET);
        gateway.logs_when(0, 1)
    };
    assert_eq!(lines(&TOLD_BY), ["on"]);
    let granted = lines(&["proxy_log", "proxy_on_request_headers", "proc_exit"]);
    assert_eq!(granted.len(), 2, "{granted:?}");
}
