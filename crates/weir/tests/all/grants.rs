//! Grants as operators meet them: a dry run and its page, refusals in the log and the metrics, what
//! `check` and `inspect` say.

use weir::Outcome;

use crate::Folder;
use crate::harness::{Gateway, Upstream, refused, site};

const SCRIPT: &str = r#"{ "request_headers": [
    { "add": ["request", "x-secure", "mine"] }, { "add": ["request", "x-free", "1"] },
    { "log": "saw {request::path} and {request:authorization}" } ] }"#;

fn filters(more: &str) -> String {
    let script = SCRIPT.replace('\n', " ");
    format!("filters:\n  one: {{ module: probe, configuration: {script}, {more} }}\n")
}

const ALL: &str = "      - { filters: [one], forward: up }";

#[test]
fn a_dry_run_shows_what_a_plugin_touches() {
    let (upstream, seen) = Upstream::echoing();
    let more = "capabilities: [proxy_log], grants: { mode: dry_run, protected_headers: [x-secure], clusters: [] }";
    let gateway = Gateway::start(&site(upstream.address, ALL, &filters(more)));
    assert_eq!(gateway.get("/p", "").status(), 200);
    let request = seen.last();
    let secure = request.headers.iter().find(|(name, _)| name == "x-secure");
    assert_eq!(
        secure.map(|(_, value)| value.as_str()),
        Some("mine"),
        "it is let"
    );
    let page = gateway.admin("/plugins/one/touched");
    assert_eq!(page.status(), 200);
    let page = page.text();
    for part in [
        "capabilities: [",
        "\"proxy_on_request_headers\"",
        "\"proxy_add_header_map_value\"",
        "  write_headers: [\"x-secure\"]\n",
        "  clusters: []\n",
        "#   written headers: [\"x-free\", \"x-secure\"]\n",
        "#   written_header \"x-secure\": 1\n",
    ] {
        assert!(page.contains(part), "no {part:?} in\n{page}");
    }
    let line = gateway.logged("touched what is not granted");
    assert!(line.contains("one"), "{line}");
    let metrics = gateway.admin("/metrics").text();
    let counted = "weir_filter_not_granted_total{filter=\"one\",kind=\"written_header\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    assert_eq!(gateway.admin("/plugins/two/touched").status(), 404);
    gateway.end();
}

/// The page of a dry run fits into the configuration, and lets the plugin do what it did.
#[test]
fn the_page_of_a_dry_run_is_a_configuration() {
    let (upstream, seen) = Upstream::echoing();
    let more = "grants: { mode: dry_run, protected_headers: [x-secure], clusters: [] }";
    let gateway = Gateway::start(&site(upstream.address, ALL, &filters(more)));
    assert_eq!(gateway.get("/p", "").status(), 200);
    let page = gateway.admin("/plugins/one/touched").text();
    gateway.end();
    let indented = format!("    {}\n", page.trim_end().replace('\n', "\n    "));
    let pasted = indented.replace(
        "    grants:\n",
        "    grants:\n      protected_headers: [x-secure]\n",
    );
    let script = SCRIPT.replace('\n', " ");
    let filters =
        format!("filters:\n  one:\n    module: probe\n    configuration: {script}\n{pasted}");
    let gateway = Gateway::start(&site(upstream.address, ALL, &filters));
    assert_eq!(gateway.get("/p", "").status(), 200);
    let request = seen.last();
    assert!(
        request
            .headers
            .iter()
            .any(|(name, value)| name == "x-secure" && value == "mine")
    );
    let metrics = gateway.admin("/metrics").text();
    assert!(
        !metrics.contains("weir_filter_not_granted_total{"),
        "{metrics}"
    );
    gateway.end();
}

#[test]
fn a_refusal_is_told_once_and_counted() {
    let (upstream, seen) = Upstream::echoing();
    let more = "grants: { protected_headers: [x-secure] }, sees: { request_headers: { authorization: hide } }";
    let gateway = Gateway::start(&site(upstream.address, ALL, &filters(more)));
    for _ in 0..5 {
        let answer = gateway.get("/p", "authorization: hunter2\r\n");
        assert_eq!(answer.status(), 200);
    }
    let request = seen.last();
    let value = |wanted: &str| {
        let mut found = request.headers.iter().filter(|(name, _)| name == wanted);
        found.next().map(|(_, value)| value.clone())
    };
    assert_eq!(
        (value("x-secure"), value("x-free")),
        (None, Some("1".into()))
    );
    assert_eq!(value("authorization").as_deref(), Some("hunter2"));
    gateway.logged("refused what is not granted");
    let metrics = gateway.admin("/metrics").text();
    let counted = "weir_filter_not_granted_total{filter=\"one\",kind=\"written_header\"} 5";
    assert!(metrics.contains(counted), "{metrics}");
    let log = gateway.log();
    assert_eq!(
        log.matches("refused what is not granted").count(),
        1,
        "{log}"
    );
    let page = gateway.admin("/plugins/one/touched").text();
    for text in [log, metrics, page, gateway.admin("/config").text()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    gateway.end();
}

#[test]
fn a_key_of_hashes_that_is_not_set_refuses_the_start() {
    let (upstream, _) = Upstream::echoing();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/prebuilt");
    let modules = format!("modules: {{ probe: {{ file: {folder}/probe.wasm }} }}\n");
    let more = "sees: { hash_key: { from: WEIR_TEST_IS_NOT_SET } }";
    let text = site(upstream.address, ALL, &(filters(more) + &modules));
    let (code, told) = refused(&text);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("WEIR_TEST_IS_NOT_SET"), "{told}");
}

/// A plugin that asks for more than it may be granted.
const GREEDY: &str = r#"(module
    (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
    (import "env" "proxy_http_call" (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_call_foreign_function" (func (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0)
    (func (export "malloc") (param i32) (result i32) i32.const 0))"#;

fn greedy(more: &str) -> Folder {
    let text = format!(
        "listeners:\n  - address: 127.0.0.1:0\n    routes:\n      - {{ filters: [f], echo: true }}\n\
         modules:\n  m: {{ file: plugin.wasm }}\nfilters:\n  f: {{ module: m{more} }}\n"
    );
    let module = wat::parse_str(GREEDY).expect("the test's text is valid");
    Folder::new()
        .with("weir.yaml", text)
        .with("plugin.wasm", module)
}

#[test]
fn check_says_what_a_use_lacks() {
    let told = greedy("")
        .run("check @weir.yaml")
        .expect(Outcome::Fine, &["is fine"]);
    assert!(!told.out.contains("warning"), "{told:?}");
    let more = ", capabilities: [proxy_log], grants: { clusters: [], random: false, \
                foreign_functions: [compres], vm_ids: [nobody] }";
    greedy(more).run("check @weir.yaml").expect(
        Outcome::Fine,
        &[
            "will be refused it: proxy_http_call, proxy_call_foreign_function, random_get",
            "callbacks that its capabilities do not list, and that are not called: proxy_on_request_headers",
            "imports random_get, which random: false makes fail",
            "sends calls, and its grants name no cluster",
            "the foreign function \"compres\", which this host does not have; did you mean \"compress\"?",
            "the vm_id \"nobody\", which no filter has",
        ],
    );
    greedy(", grants: { clusters: [nowhere] }")
        .run("check @weir.yaml")
        .expect(Outcome::Problem, &["nowhere"]);
}

#[test]
fn check_says_which_rules_of_sight_do_nothing() {
    let more = ", sees: { properties: { request.pth: hide, sourceaddress: hide, source.port: hide, mine: hide }, \
                request_headers: { \"x-*\": show, x-secret: hide, authorization: hide } }";
    let told = greedy(more).run("check @weir.yaml").expect(
        Outcome::Fine,
        &[
            "names \"request.pth\", which is no property of this host; did you mean \"request.path\"?",
            "names \"sourceaddress\", which is no property of this host; did you mean \"source.address\"?",
            "the rule for \"x-secret\" never counts, as the one for \"x-*\" stands before it",
        ],
    );
    assert_eq!(told.out.matches("sees.").count(), 3, "{told:?}");
}

#[test]
fn inspect_prints_settings_that_fit() {
    let told = greedy("").run("inspect @plugin.wasm").expect(
        Outcome::Fine,
        &[
            "    capabilities:\n",
            "      - proxy_http_call\n",
            "      - proxy_on_request_headers\n",
            "      clusters: [] # it sends calls: name the clusters\n",
            "      random: true\n",
        ],
    );
    let settings = told
        .out
        .split("As settings of a filter")
        .nth(1)
        .expect("settings");
    let settings: Vec<&str> = settings
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("    "))
        .collect();
    let settings = settings.join("\n");
    let text = format!(
        "listeners:\n  - address: 127.0.0.1:0\n    routes:\n      - {{ filters: [f], echo: true }}\n\
         modules:\n  m: {{ file: plugin.wasm }}\nfilters:\n  f:\n    module: m\n{settings}\n"
    );
    let module = wat::parse_str(GREEDY).expect("the test's text is valid");
    let folder = Folder::new()
        .with("weir.yaml", text)
        .with("plugin.wasm", module);
    let told = folder
        .run("check @weir.yaml")
        .expect(Outcome::Fine, &["is fine"]);
    assert!(!told.out.contains("will be refused"), "{told:?}");
    let json = greedy("").run("inspect --json @plugin.wasm").json();
    assert_eq!(json["needs"]["random"], true);
    assert_eq!(json["needs"]["capabilities"][0], "proxy_log");
}
