//! The command line as its user meets it: text out, exit code, files.

mod apart;
mod capsules;
mod code;
mod conformance;
mod copies;
mod dashboard;
mod dev;
mod faults;
mod flow;
mod forged;
mod functions;
mod gateway;
mod grants;
mod guests;
mod harness;
mod life;
mod limiter;
mod load;
mod malformed;
mod map_command;
mod maps;
mod new;
mod pinned;
mod pipeline;
mod remarks;
mod run;
mod settings;
mod stores;
mod tcp;
mod typed_maps;
mod upstreams;
mod walls;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use weir::{Outcome, Terminal};

/// A plugin with one import that no host knows.
const PLUGIN: &str = r#"(module
    (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
    (import "env" "no_such_function" (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) i32.const 0))"#;

const FINE: &str = "listeners:
  - address: 127.0.0.1:0
    routes:
      - respond: { status: 200, body: \"hello\\n\" }
";

const WITH_PLUGIN: &str = "listeners:
  - address: 127.0.0.1:0
    routes:
      - filters: [f]
        respond: { status: 200, body: \"hello\\n\" }
modules:
  m: { file: plugin.wasm }
filters:
  f: { module: m, strict_imports: STRICT }
code_cache: off
";

/// A folder with the files of a test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder can be made"))
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), content).expect("the folder can be written");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a command in which `@name` is a file of this folder.
    fn run(&self, line: &str) -> Told {
        let words = std::iter::once("weir").chain(line.split_whitespace());
        let arguments: Vec<OsString> = words
            .map(|word| {
                word.strip_prefix('@')
                    .map_or_else(|| word.into(), |n| self.path(n).into())
            })
            .collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = weir::run(arguments, &mut Terminal::plain(&mut out, &mut err));
        let text = |bytes| String::from_utf8(bytes).expect("weir speaks UTF-8");
        Told {
            outcome,
            out: text(out),
            err: text(err),
        }
    }
}

/// What a command told.
#[derive(Debug)]
struct Told {
    outcome: Outcome,
    out: String,
    err: String,
}

impl Told {
    #[track_caller]
    fn expect(self, outcome: Outcome, parts: &[&str]) -> Self {
        assert_eq!(self.outcome, outcome, "{self:?}");
        for part in parts {
            let is_told = self.out.contains(part) || self.err.contains(part);
            assert!(is_told, "{part:?} is missing:\n{}\n{}", self.out, self.err);
        }
        self
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).expect("the output is JSON")
    }
}

fn plugin() -> Vec<u8> {
    wat::parse_str(PLUGIN).expect("the test's text is valid")
}

#[test]
fn help_and_version_go_to_standard_output() {
    let told = Folder::new()
        .run("--help")
        .expect(Outcome::Fine, &["serve", "inspect", "--log"]);
    assert!(told.err.is_empty());
    Folder::new()
        .run("--version")
        .expect(Outcome::Fine, &[env!("CARGO_PKG_VERSION")]);
}

#[test]
fn wrong_use_ends_with_2_and_a_suggestion() {
    let told = Folder::new()
        .run("serv x")
        .expect(Outcome::WrongUse, &["serve"]);
    assert!(told.out.is_empty());
    Folder::new()
        .run("schema --log inof")
        .expect(Outcome::WrongUse, &["expected one of off"]);
}

#[test]
fn a_page_on_a_module() {
    Folder::new()
        .with("plugin.wasm", plugin())
        .run("inspect @plugin.wasm")
        .expect(
            Outcome::Fine,
            &[
                "a Proxy-Wasm plugin",
                "0.2.1",
                "Weir loads it as a filter: yes, but",
                "A strict host (Envoy) loads it: no",
                "env.no_such_function (i32) -> i32",
                "Needs no grants",
            ],
        );
}

#[test]
fn a_report_on_a_module_in_json() {
    let folder = Folder::new().with("plugin.wasm", plugin());
    let report = folder
        .run("inspect --json @plugin.wasm")
        .expect(Outcome::Fine, &[])
        .json();
    assert_eq!(report["abi"]["version"], "0.2.1");
    assert_eq!(report["dialect"]["name"], "envoy");
    assert_eq!(report["in_weir"]["loads"], true);
    let unknown = &report["imports"][1]["imports"][0];
    assert_eq!(unknown["standing"], "unknown");
    assert_eq!(unknown["signature"], "(i32) -> i32");
}

#[test]
fn a_page_on_a_function() {
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/prebuilt");
    let told = Folder::new().run(&format!("inspect {guests}/handler.wasm"));
    told.expect(
        Outcome::Fine,
        &[
            "a component",
            "Weir runs it as a function: yes",
            "kind: http (it exports wasi:http/incoming-handler@0.2",
            "it may ask for requests to servers and functions: grants.http, grants.functions",
            "it may ask for settings",
        ],
    );
    let report = Folder::new().run(&format!("inspect --json {guests}/typed.wasm"));
    let function = &report.expect(Outcome::Fine, &[]).json()["function"];
    assert_eq!(function["kinds"][0]["kind"], "export", "{function}");
    let why = function["kinds"][0]["because"].as_str().expect("a text");
    assert!(
        why.contains("weir:typed/shapes@1.0.0") && why.contains("process-data"),
        "{why}"
    );
    let text = r#"(module (import "no" "such" (func)) (func (export "_start")))"#;
    let folder = Folder::new().with("it.wasm", wat::parse_str(text).expect("a module"));
    folder.run("inspect @it.wasm").expect(
        Outcome::Fine,
        &[
            "Weir runs it as a function: no",
            "kind: command",
            "the host does not offer no.such",
        ],
    );
}

#[test]
fn a_function_that_is_granted_no_map_is_told() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/maps/rust");
    let site = |grants: &str| {
        format!(
            "listeners: [{{ address: \"127.0.0.1:0\", routes: [{{ function: f }}] }}]\nmodules: {{ m: {{ \
             file: {examples}/dashboard/dashboard.wasm }} }}\nfunctions: {{ f: {{ module: m{grants} }} \
             }}\nmaps: {{ a: {{}} }}\n"
        )
    };
    let check = |grants| {
        Folder::new()
            .with("weir.yaml", site(grants))
            .run("check @weir.yaml")
    };
    let warning = "function f may ask for shared maps: grants.maps; nothing of that is granted";
    check("").expect(Outcome::Fine, &["warning:", warning]);
    let told = check(", grants: { maps: { a: [read] } }");
    let told = told.expect(Outcome::Fine, &["is fine"]);
    assert!(!told.out.contains("warning:"), "{told:?}");
}

#[test]
fn what_is_no_module_is_explained() {
    let folder = Folder::new().with("plugin.wat", PLUGIN);
    let causes = [
        "is no valid module",
        "because: this is WebAssembly text",
        "hint:",
    ];
    folder
        .run("inspect @plugin.wat")
        .expect(Outcome::Problem, &causes);
    let causes = ["weir: cannot read", "because:", "hint:"];
    folder
        .run("inspect @nowhere.wasm")
        .expect(Outcome::Problem, &causes);
}

#[test]
fn a_fine_configuration_is_summed_up() {
    let folder = Folder::new().with("weir.yaml", FINE);
    folder
        .run("check @weir.yaml")
        .expect(Outcome::Fine, &["is fine: 1 listener, 1 route"]);
    let report = folder
        .run("check --json @weir.yaml")
        .expect(Outcome::Fine, &[])
        .json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["summary"]["routes"], 1);
}

#[test]
fn problems_of_a_configuration_are_shown_in_its_text() {
    let folder = Folder::new().with("weir.yaml", FINE.replace("listeners", "listenerz"));
    let told = folder.run("check @weir.yaml");
    told.expect(Outcome::Problem, &["weir.yaml:1:1:", "listenerz", "^^^^"]);
    let report = folder
        .run("check --json @weir.yaml")
        .expect(Outcome::Problem, &[])
        .json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["problems"][0]["line"], 1);
    folder
        .run("serve @weir.yaml")
        .expect(Outcome::Problem, &["listenerz", "^^^^"]);
}

#[test]
fn modules_are_checked_with_their_configuration() {
    let with = |strict: &str| WITH_PLUGIN.replace("STRICT", strict);
    let folder = Folder::new()
        .with("plugin.wasm", plugin())
        .with("weir.yaml", with("false"));
    let parts = ["warning: module m", "env.no_such_function", "is fine"];
    folder.run("check @weir.yaml").expect(Outcome::Fine, &parts);
    let folder = folder.with("weir.yaml", with("true"));
    let parts = ["problem: module m", "strict_imports", "1 problem"];
    folder
        .run("check @weir.yaml")
        .expect(Outcome::Problem, &parts);
    let folder = folder.with("plugin.wasm", b"\x1f\x8b\x08");
    folder
        .run("check @weir.yaml")
        .expect(Outcome::Problem, &["gzip"]);
}

#[test]
fn the_schema_is_json() {
    let schema = Folder::new()
        .run("schema")
        .expect(Outcome::Fine, &[])
        .json();
    assert_eq!(schema["type"], "object");
}

#[test]
fn completions_and_pages_come_from_the_definition() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        folder
            .run(&format!("completions {shell}"))
            .expect(Outcome::Fine, &["inspect"]);
    }
    folder.run("man").expect(Outcome::Fine, &[".TH weir 1"]);
    folder.run("man @pages").expect(Outcome::Fine, &["pages"]);
    for page in ["weir.1", "weir-serve.1", "weir-inspect.1"] {
        assert!(folder.path("pages").join(page).is_file(), "{page}");
    }
}
