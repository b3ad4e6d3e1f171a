//! A gateway keeps capsules of what its plugins did, and they replay elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use weir::{Outcome, Terminal};

use crate::Told;
use crate::harness::{Gateway, Upstream, get, site};

const ALL: &str = "      - { filters: [probe], forward: up }";

/// Remembers how many requests it saw, asks for time and chance, and fails when asked to.
const SCRIPT: &str = r#"{
    "configure": [{ "log": "{clock} {random}" }],
    "request_headers": [
        { "remember": "seen" },
        { "set": ["request", "x-seen", "{memory:seen} {time}"] },
        { "set": ["request", "x-token", "{request:authorization}"] },
        { "if": { "value": "{request:x-deadly}", "is": "1", "then": [{ "panic": "as asked" }] } }
    ],
    "request_body": [{ "set": ["request", "x-length", "{length:body}"] }],
    "response_headers": [{ "set": ["response", "x-random", "{random}"] }]
}"#;

/// A gateway with one worker whose probe is recorded.
struct Recording {
    gateway: Gateway,
    _upstream: Upstream,
    folder: TempDir,
}

impl Recording {
    fn start(isolation: &str, capsules: &str, more: &str) -> Self {
        let (upstream, _) = Upstream::echoing();
        let folder = TempDir::new().expect("a folder");
        let script = SCRIPT.replace('\n', " ");
        let filter = format!(
            "filters:\n  probe:\n    module: probe\n    configuration: {script}\n    \
             isolation: {isolation}\n    capsules: {capsules}\n\
             capsules: {{ folder: \"{}\"{more} }}\n",
            folder.path().join("kept").display()
        );
        let site = site(upstream.address, ALL, &filter).replace("workers: 2", "workers: 1");
        Self {
            gateway: Gateway::start(&site),
            _upstream: upstream,
            folder,
        }
    }

    fn ask(&self, headers: &str) -> u16 {
        self.gateway.ask(get("/", headers)).status()
    }

    /// Ends the gateway, which writes what waits to be written; gives the capsules by name.
    fn end(self) -> (TempDir, Vec<PathBuf>) {
        self.gateway.end();
        let entries = fs::read_dir(self.folder.path().join("kept")).expect("the folder is made");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut capsules: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|end| end == "weircap"))
            .collect();
        capsules.sort();
        (self.folder, capsules)
    }
}

fn weir(arguments: &[&str]) -> Told {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let words = std::iter::once("weir").chain(arguments.iter().copied());
    let words: Vec<std::ffi::OsString> = words.map(Into::into).collect();
    let outcome = weir::run(words, &mut Terminal::plain(&mut out, &mut err));
    let text = |bytes| String::from_utf8(bytes).expect("weir speaks UTF-8");
    Told {
        outcome,
        out: text(out),
        err: text(err),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn check_failure(isolation: &str) -> String {
    let recording = Recording::start(isolation, "{ on_failure: true }", "");
    for _ in 0..3 {
        assert_eq!(recording.ask("authorization: Bearer s3cret-Value\r\n"), 200);
    }
    assert_eq!(recording.ask("x-deadly: 1\r\n"), 503);
    let told = recording.gateway.logged("a capsule was written");
    let metrics = recording.gateway.admin("/metrics").text();
    assert!(
        metrics.contains("weir_capsules_written_total 1\n"),
        "{metrics}"
    );
    let (_folder, capsules) = recording.end();
    let [capsule] = &capsules[..] else {
        panic!("not one capsule: {capsules:?}");
    };
    assert!(told.contains(text(capsule)), "{told}");
    weir(&["replay", text(capsule)]).expect(Outcome::Fine, &["same", "calls"]);
    let shown = weir(&["capsule", "show", text(capsule)]).expect(
        Outcome::Fine,
        &["unreachable", "proxy_on_request_headers", "x-deadly"],
    );
    assert!(!shown.out.contains("s3cret-Value"), "{}", shown.out);
    shown.out
}

#[test]
fn a_failure_in_a_shared_vm_is_kept_and_replays() {
    let shown = check_failure("plugin");
    // What came before is what made the VM what it is.
    assert!(
        shown.matches("proxy_on_response_headers").count() >= 3,
        "{shown}"
    );
    check_failure("module");
}

#[test]
fn a_failure_in_a_vm_of_one_request_is_kept_with_that_request_alone() {
    let shown = check_failure("request");
    assert_eq!(
        shown.matches("proxy_on_request_headers").count(),
        1,
        "{shown}"
    );
    assert!(shown.contains("proxy_on_configure"), "{shown}");
}

#[test]
fn a_failure_in_a_process_is_kept_and_replays() {
    check_failure("{ process: { inside: plugin } }");
    check_failure("{ process: { inside: request } }");
}

#[test]
fn requests_are_kept_that_say_the_secret() {
    let rules = "{ on_failure: false, header: true }";
    let recording = Recording::start("plugin", rules, ", secret: open-Sesame");
    assert_eq!(recording.ask("x-weir-capture: open-sesame\r\n"), 200);
    assert_eq!(recording.ask("x-weir-capture: open-Sesame\r\n"), 200);
    assert_eq!(recording.ask("x-deadly: 1\r\n"), 503);
    let (_folder, capsules) = recording.end();
    let [capsule] = &capsules[..] else {
        panic!("not one capsule: {capsules:?}");
    };
    weir(&["replay", text(capsule)]).expect(Outcome::Fine, &["same"]);
    let shown = weir(&["capsule", "show", text(capsule)])
        .expect(Outcome::Fine, &["the request asked for it"]);
    assert!(!shown.out.contains("open-Sesame"), "{}", shown.out);
}

#[test]
fn every_so_many_requests_are_kept_within_the_budget() {
    let rules = "{ sample: 2, log: 16KiB }";
    let recording = Recording::start("plugin", rules, ", files: 3");
    for _ in 0..90 {
        assert_eq!(recording.ask("authorization: Bearer s3cret-Value\r\n"), 200);
    }
    let (folder, capsules) = recording.end();
    assert_eq!(capsules.len(), 3, "{capsules:?}");
    let report = folder.path().join("report.xml");
    let kept = folder.path().join("kept");
    weir(&["replay", text(&kept), "--junit", text(&report)]).expect(Outcome::Fine, &["same"]);
    let report = fs::read_to_string(report).expect("a report");
    assert!(report.contains("tests=\"3\" failures=\"0\""), "{report}");
    // By now so much was recorded that an image took its place.
    let last = capsules.last().expect("three");
    weir(&["capsule", "show", text(last)]).expect(Outcome::Fine, &["an image of the VM"]);
    // Whoever put it there, a file that is no capsule is a problem.
    fs::write(kept.join("x.weircap"), "nothing").expect("written");
    weir(&["replay", text(&kept)]).expect(Outcome::Problem, &["problem", "no capsule"]);
}

#[test]
fn another_module_is_told_where_it_differs() {
    let recording = Recording::start("request", "{ always: true }", "");
    assert_eq!(recording.ask(""), 200);
    let (_folder, capsules) = recording.end();
    let [capsule] = &capsules[..] else {
        panic!("not one capsule: {capsules:?}");
    };
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/prebuilt/hello.wasm");
    weir(&["replay", text(capsule), "--module", text(&other)])
        .expect(Outcome::Problem, &["differs", "expected", "got"]);
    let moved = capsule.with_file_name("sub");
    fs::create_dir(&moved).expect("a folder");
    let moved = moved.join("c.weircap");
    fs::rename(capsule, &moved).expect("moved");
    weir(&["replay", text(&moved)]).expect(Outcome::Problem, &["not beside it", "--module"]);
}

#[test]
fn nothing_is_kept_where_nothing_is_asked_for() {
    let recording = Recording::start("plugin", "off", "");
    assert_eq!(recording.ask("x-deadly: 1\r\n"), 503);
    let (_folder, capsules) = recording.end();
    assert!(capsules.is_empty(), "{capsules:?}");
}
