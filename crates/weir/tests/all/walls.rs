//! The fault table: what a plugin can do wrong, and what it costs whom.
//!
//! Each row is a test with the real program. In each, others are served meanwhile or afterwards, what
//! failed is counted, and the gateway ends in peace; `ends.rs` has SIGTERM in the middle of each.

mod bombs;
mod callbacks;
mod crashes;
mod ends;
mod names;
mod pairs;
mod recursion;
mod starts;
mod storms;

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Gateway, Upstream, refused};

/// Within this a failed VM has another in its place.
const SOON: std::time::Duration = std::time::Duration::from_secs(10);

/// A gateway with one filter, `f`, on the way to an upstream; `/well` has no filter.
struct Walls {
    folder: TempDir,
    upstream: Option<String>,
    module: Vec<u8>,
    filter: String,
    workers: usize,
    more: String,
    is_tcp: bool,
}

/// A filter in the conformance kit's small language.
fn script(script: &str) -> Walls {
    let code = weir_conformance::guest("0.2.1", script);
    Walls::of(code.unwrap_or_else(|flaw| panic!("{flaw}\n{script}")))
}

/// A filter in WebAssembly text: `body` stands beside memory, marker and allocator.
fn text(body: &str) -> Walls {
    let module = format!(
        r#"(module {body}
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024)))"#
    );
    Walls::of(wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}")))
}

impl Walls {
    fn of(module: Vec<u8>) -> Self {
        Self {
            folder: TempDir::new().expect("a folder can be made"),
            upstream: None,
            module,
            filter: String::new(),
            workers: 1,
            more: String::new(),
            is_tcp: false,
        }
    }

    /// Forwards to this upstream; without one the gateway answers itself.
    fn before(mut self, upstream: &Upstream) -> Self {
        self.upstream = Some(upstream.address.to_string());
        self
    }

    /// Limits of the filter.
    fn limits(self, limits: &str) -> Self {
        self.keys(&format!("limits: {{ {limits} }}"))
    }

    /// Further keys of the filter.
    fn keys(mut self, keys: &str) -> Self {
        self.filter += ", ";
        self.filter += keys;
        self
    }

    fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Further top-level keys.
    fn and(mut self, more: &str) -> Self {
        self.more += more;
        self.more += "\n";
        self
    }

    fn tcp(mut self) -> Self {
        self.is_tcp = true;
        self
    }

    fn site(&self) -> String {
        let file = self.folder.path().join("f.wasm");
        fs::write(&file, &self.module).expect("the folder can be written");
        let (file, workers) = (file.display(), self.workers);
        let upstream = self.upstream.as_deref().unwrap_or("127.0.0.1:9");
        let action = match self.upstream {
            Some(_) => "forward: up",
            None => "respond: { status: 200, body: fine }",
        };
        let serve = if self.is_tcp {
            "    tcp: { cluster: up, filters: [f] }\n".to_owned()
        } else {
            format!(
                "    routes:\n      - {{ match: {{ path: /well }}, respond: {{ status: 200, body: well }} }}\n      \
                 - {{ filters: [f], {action} }}\n"
            )
        };
        format!(
            "workers: {workers}\nlisteners:\n  - address: 127.0.0.1:0\n    name: main\n{serve}\
             clusters:\n  up: {{ endpoints: [\"{upstream}\"], ejection: off }}\n\
             modules:\n  m: {{ file: {file} }}\n\
             filters:\n  f: {{ module: m{} }}\n{}",
            self.filter, self.more
        )
    }

    fn start(&self) -> Gateway {
        Gateway::start(&self.site())
    }

    /// The gateway must not start: what it says.
    #[track_caller]
    fn refused(&self) -> String {
        let site = format!("admin: {{ address: \"127.0.0.1:0\" }}\n{}", self.site());
        let (code, text) = refused(&site);
        assert_eq!(code, Some(1), "{text}");
        text
    }
}

/// What the statistics say of the filter.
fn filter(gateway: &Gateway) -> Value {
    gateway.stats()["filters"][0].clone()
}

/// Failures, and VMs that took the place of failed ones: at the next request, or a little later.
#[track_caller]
fn check_counts(gateway: &Gateway, failures: u64, replacements: u64) {
    let expected = [Some(failures), Some(replacements)];
    let counts = |filter: &Value| [&filter["failures"], &filter["replacements"]].map(Value::as_u64);
    let begun = std::time::Instant::now();
    let mut seen = filter(gateway);
    while counts(&seen) != expected && begun.elapsed() < SOON {
        std::thread::sleep(std::time::Duration::from_millis(5));
        seen = filter(gateway);
    }
    assert_eq!(counts(&seen), expected, "{seen}");
}

/// How often a limit was hit.
fn hits(gateway: &Gateway, limit: &str) -> u64 {
    filter(gateway)["limits_hit"][limit].as_u64().unwrap_or(0)
}
