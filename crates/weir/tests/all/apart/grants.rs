//! Grants, `sees`, files and dry runs of a filter in a process: all as in the gateway itself.
//!
//! Each scene is played in the gateway, whose behaviour other tests hold, and in processes: what the
//! filter logs, what upstreams get, what the client gets and what is noted must be the same.

mod files;
mod maps;
#[path = "../../../../proxy/tests/all/capabilities/rows.rs"]
mod rows;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::harness::{Gateway, Upstream, get, until};
use rows::{ENVOY, HIGRESS, WASI, refused, status};

const HERE: &str = "plugin";
const APART: [&str; 2] = [
    "{ process: { inside: plugin } }",
    "{ process: { inside: request } }",
];

/// A filter, and one request through it.
struct Scene<'s> {
    script: &'s str,
    /// Further keys of the filter; `DATA` stands for a folder with `table.txt`.
    keys: String,
    request: String,
    /// Lines that the filter logs at least.
    lines: usize,
    /// Another filter, before it.
    neighbour: Option<&'s str>,
}

/// What came of it.
#[derive(Debug, PartialEq)]
struct Played {
    lines: Vec<String>,
    /// What upstreams got: first lines, and headers that begin with `x-` or are told here.
    sent: Vec<String>,
    client: (u16, String),
    /// The page of what it touched or was refused.
    page: String,
    counted: Vec<String>,
    /// Names of the files in the folder.
    files: Vec<String>,
}

impl Scene<'_> {
    fn play(&self, isolation: &str) -> Played {
        let (upstream, seen) = Upstream::echoing();
        let folder = TempDir::new().expect("a folder can be made");
        let granted = folder.path().join("data");
        fs::create_dir(&granted).expect("the folder can be written");
        fs::write(granted.join("table.txt"), "a=1\nb=2\n").expect("the folder can be written");
        let gateway = Gateway::start(&self.site(&upstream, folder.path(), isolation));
        let answer = gateway.ask(&self.request);
        let lines = || lines_of(&gateway.log(), "one");
        until("the filter has logged", || lines().len() >= self.lines);
        let client = (answer.status(), answer.text());
        gateway.settle();
        let page = gateway.admin("/plugins/one/touched").text();
        let metrics = gateway.admin("/metrics").text();
        let counted = metrics
            .lines()
            .filter(|line| line.contains("not_granted_total{"));
        let mut sent: Vec<String> = seen.take().iter().map(told).collect();
        sent.sort();
        let files = fs::read_dir(&granted)
            .expect("the folder is there")
            .flatten();
        let files = files.map(|file| file.file_name().to_string_lossy().into_owned());
        let played = Played {
            lines: lines(),
            sent,
            client,
            page,
            counted: counted.map(str::to_owned).collect(),
            files: files.collect(),
        };
        let failures = &gateway.stats()["filters"][0]["failures"];
        assert_eq!(failures, 0, "{isolation}: {}", gateway.log());
        gateway.end();
        played
    }

    fn site(&self, upstream: &Upstream, folder: &Path, isolation: &str) -> String {
        let mut modules = String::new();
        let mut filters = String::new();
        let mut chain = Vec::new();
        let all = [("owner", self.neighbour), ("one", Some(self.script))];
        for (name, script) in all.into_iter().filter_map(|(name, it)| Some((name, it?))) {
            let file = module(folder, name, script);
            let _ = writeln!(modules, "  {name}: {{ file: {file} }}");
            let keys = match name {
                "one" => self
                    .keys
                    .replace("DATA", &folder.join("data").to_string_lossy()),
                _ => String::new(),
            };
            let _ = writeln!(
                filters,
                "  {name}: {{ module: {name}, isolation: {isolation}{keys} }}"
            );
            chain.push(name);
        }
        let has_maps = self.keys.contains("maps:");
        let maps = if has_maps { "maps: { m: {} }\n" } else { "" };
        let (address, chain) = (upstream.address, chain.join(", "));
        format!(
            "workers: 1\nlisteners:\n  - address: 127.0.0.1:0\n    routes:\n      - {{ filters: [{chain}], forward: up }}\n\
             clusters:\n  up: {{ endpoints: [\"{address}\"], ejection: off }}\n  \
             side: {{ endpoints: [\"{address}\"], ejection: off }}\n  \
             dead2: {{ endpoints: [\"127.0.0.1:1\"], ejection: off, protocol: http2 }}\n\
             modules:\n{modules}filters:\n{filters}{maps}"
        )
    }
}

fn module(folder: &Path, name: &str, script: &str) -> String {
    let code = weir_conformance::guest("0.2.1", script);
    let code = code.unwrap_or_else(|flaw| panic!("{flaw}\n{script}"));
    let file = folder.join(name).with_extension("wasm");
    fs::write(&file, code).expect("the folder can be written");
    file.display().to_string()
}

/// What a filter has logged.
fn lines_of(log: &str, filter: &str) -> Vec<String> {
    let mark = format!(" plugin=\"{filter}\"");
    let text = |line: &str| {
        Some(
            line.split_once(" wasm: ")?
                .1
                .strip_suffix(&mark)?
                .to_owned(),
        )
    };
    log.lines().filter_map(text).collect()
}

/// A request as an upstream got it.
fn told(message: &crate::harness::Message) -> String {
    let is_told = |name: &str| {
        let is_ours = name.starts_with("x-") && !name.starts_with("x-request-id");
        is_ours && !name.starts_with("x-forwarded") || name == "authorization" || name == "te"
    };
    let headers = message.headers.iter().filter(|(name, _)| is_told(name));
    let headers: Vec<String> = headers.map(|(n, v)| format!("{n}: {v}")).collect();
    format!("{} {headers:?} {:?}", message.line, message.text())
}

fn scene(script: &str, keys: impl Into<String>, lines: usize) -> Scene<'_> {
    let request = get(
        "/p?q=1&token=secret",
        "x-a: 1\r\nx-secure: was\r\nauthorization: secret\r\n",
    );
    Scene {
        script,
        keys: keys.into(),
        request,
        lines,
        neighbour: None,
    }
}

/// All is as in the gateway, and there it is as expected: these lines are logged among others.
#[track_caller]
fn check(scene: &Scene<'_>, expected: &[&str]) -> Played {
    let here = scene.play(HERE);
    for line in expected {
        assert!(
            here.lines.iter().any(|known| known == line),
            "no {line:?}: {here:#?}"
        );
    }
    for isolation in APART {
        assert_eq!(scene.play(isolation), here, "{isolation}");
    }
    here
}

const CAPABILITIES: &str = "proxy_log, proxy_on_request_headers";

#[test]
fn what_is_not_listed_does_nothing() {
    for (rows, answer) in [(ENVOY, 10), (HIGRESS, 10), (WASI, 76)] {
        let calls: String = rows.iter().map(|row| row.1).collect();
        let script = format!("(request_headers {calls})");
        let keys = format!(", capabilities: [{CAPABILITIES}]");
        let played = check(&scene(&script, keys, rows.len()), &[]);
        let answers: Vec<_> = played.lines.iter().map(|line| status(line)).collect();
        let expected: Vec<_> = rows.iter().map(|row| Some(refused(row, answer))).collect();
        assert_eq!(answers, expected, "{:#?}", played.lines);
    }
}

/// One gateway, with a filter and a route for each function.
#[test]
fn each_function_works_by_its_name_alone() {
    let rows = [ENVOY, HIGRESS, WASI].concat();
    let (upstream, _) = Upstream::echoing();
    let folder = TempDir::new().expect("a folder can be made");
    let (mut routes, mut modules, mut filters) = (String::new(), String::new(), String::new());
    for (name, call, _) in &rows {
        let script = format!("(request_headers {call})");
        let file = module(folder.path(), name, &script);
        let _ = writeln!(modules, "  {name}: {{ file: {file} }}");
        let _ = writeln!(
            filters,
            "  {name}: {{ module: {name}, isolation: {}, capabilities: [{CAPABILITIES}, {name}] }}",
            APART[0]
        );
        let _ = writeln!(
            routes,
            "      - {{ match: {{ path: /{name} }}, filters: [{name}], forward: side }}"
        );
    }
    let address = upstream.address;
    let gateway = Gateway::start(&format!(
        "workers: 1\nlisteners:\n  - address: 127.0.0.1:0\n    routes:\n{routes}\
         clusters:\n  side: {{ endpoints: [\"{address}\"], ejection: off }}\n  \
         dead2: {{ endpoints: [\"127.0.0.1:1\"], ejection: off, protocol: http2 }}\n\
         modules:\n{modules}filters:\n{filters}"
    ));
    for (name, _, expected) in &rows {
        let mut wire = gateway.connect();
        wire.send(get(&format!("/{name}"), ""));
        until("the function has answered", || {
            !lines_of(&gateway.log(), name).is_empty()
        });
        let lines = lines_of(&gateway.log(), name);
        assert_eq!(status(&lines[0]), Some(*expected), "{name}: {lines:?}");
    }
    let stats = gateway.stats();
    let filters = stats["filters"].as_array().expect("a list");
    assert!(
        filters.iter().all(|filter| filter["failures"] == 0),
        "{stats}"
    );
    gateway.finish();
}

#[test]
fn clusters_are_granted_alike() {
    let script = r#"(request_headers
        (call "side" "{:method:GET;:path:/c;:authority:s}" "" "" 1000)
        (grpc_call "side" "s" "m" "" "" 1000) (grpc_stream "side" "s" "m" "")
        (redis_init "side" "" "" 100) (redis_call "side" "*1\0d\0a$4\0d\0aPING\0d\0a"))"#;
    let refused = [
        "call 2 0",
        "grpc_call 4 0",
        "grpc_stream 4 0",
        "redis_call 2 0",
    ];
    check(&scene(script, ", grants: { clusters: [up] }", 5), &refused);
    let one = r#"(request_headers
        (call "side" "{:method:GET;:path:/c;:authority:s}" "" "" 1000) (if (i32.eqz (global.get $status)) (then (return (i32.const 1)))))
        (http_call_response (say "answered") (effective 2) (continue 0))"#;
    let played = check(
        &scene(one, ", grants: { clusters: [side] }", 2),
        &["call 0 4", "answered"],
    );
    assert_eq!(played.sent.len(), 2, "{played:#?}");
}

#[test]
fn queues_foreign_functions_and_variables_are_granted_alike() {
    let script = r#"(request_headers
        (resolve "owner" "q") (resolve "owner" "none") (enqueue 1 "x") (dequeue 1))"#;
    let with_owner = |keys: &str| Scene {
        neighbour: Some(r#"(vm_start (register "q") 1)"#),
        ..scene(script, keys, 4)
    };
    check(
        &with_owner(", grants: { vm_ids: [owner] }"),
        &["resolve 0 1", "dequeue 0 x"],
    );
    let closed = ["resolve 1", "enqueue 1", "dequeue 1"];
    let played = check(&with_owner(", grants: { vm_ids: [] }"), &closed);
    assert!(played.page.contains("vm_id \"owner\""), "{}", played.page);
    let script = r#"(request_headers (foreign "compress" "x") (foreign "clear_route_cache" "")
        (wasi environ_sizes_get 64 72) (show "variables" (i32.load 64)))"#;
    let keys = ", environment: { A: b, C: d }, grants: { foreign_functions: [clear_route_cache] }";
    check(
        &scene(script, keys, 4),
        &["foreign 1 -", "foreign 0 -", "variables 2"],
    );
}

#[test]
fn clocks_and_randomness_are_granted_alike() {
    let script = r#"(request_headers
        (wasi clock_time_get 0 0 64) (show64 "wall" (i64.rem_u (i64.load 64) (i64.const 1000000000)))
        (wasi clock_time_get 1 0 64) (show64 "monotonic" (i64.rem_u (i64.load 64) (i64.const 1000000000)))
        (wasi clock_res_get 0 64) (show64 "step" (i64.load 64))
        (i64.store 64 (i64.const 7)) (wasi random_get 64 8)
        (if (i64.eq (i64.load 64) (i64.const 7)) (then (say "untouched"))))"#;
    let keys = ", grants: { clock: { resolution: 1s }, random: false }";
    let coarse = [
        "wall 0",
        "monotonic 0",
        "step 1000000000",
        "random_get 76",
        "untouched",
    ];
    check(&scene(script, keys, 8), &coarse);
    let fine = r#"(request_headers (wasi clock_res_get 0 64) (show64 "step" (i64.load 64))
        (wasi random_get 64 8))"#;
    check(&scene(fine, "", 3), &["step 1", "random_get 0"]);
}

#[test]
fn headers_are_protected_alike() {
    let script = r#"(request_headers (replace 0 "X-Secure" "2") (add 0 "x-internal-a" "3")
        (add 0 "te" "x") (add 0 "x-free" "1"))
        (response_headers (add 2 "x-secure" "4"))"#;
    let sent = |write: &str| {
        let keys = format!(
            ", grants: {{ protected_headers: [x-secure, x-internal-*], write_headers: [{write}] }}"
        );
        check(&scene(script, keys, 5), &["replace 0", "add 0"])
            .sent
            .join("\n")
    };
    let kept = sent("");
    assert!(
        kept.contains("x-secure: was") && kept.contains("x-free: 1"),
        "{kept}"
    );
    assert!(!kept.contains("x-internal-a"), "{kept}");
    let changed = sent("x-secure, x-internal-a");
    assert!(
        changed.contains("x-secure: 2") && changed.contains("x-internal-a: 3"),
        "{changed}"
    );
    let reply =
        r#"(request_headers (reply 403 "" "no" "{connection:close;x-secure:1;x-free:1}" -1))"#;
    let played = check(
        &scene(reply, ", grants: { protected_headers: [x-secure] }", 1),
        &[],
    );
    assert_eq!(played.client, (403, "no".to_owned()));
}

/// Every road on which a request header could come to a filter.
const ROADS: &str = r#"(get 0 "authorization") (pairs 0) (bytes_of 0) (get 0 ":path")
    (prop "request\00headers\00authorization") (prop_pairs "request\00headers")
    (prop "request\00query") (prop "source\00address") (prop "node\00id")
    (foreign_number "expr_create" "request.headers['authorization']")
    (replace 0 "authorization" "mine") (add 0 "x-a" "mine")"#;

#[test]
fn what_a_filter_sees_is_alike() {
    let script = format!(
        r#"(request_headers (show "n" $n) {ROADS}) (response_headers (get 2 "x-line") (pairs 2))
        (log (get 0 "authorization") (get 2 "x-line"))"#
    );
    for showing in ["hide", "hash", "redact", "{ first: 1, last: 1 }"] {
        let keys = format!(
            ", sees: {{ request_headers: {{ authorization: {showing}, x-a: show, x-*: hide }}, \
             response_headers: {{ x-line: {showing} }}, query: {{ token: {showing} }}, \
             properties: {{ source.*: hide, node.id: {showing} }}, hash_key: k }}"
        );
        let played = check(&scene(&script, keys, 16), &["replace 0"]);
        let told = played.lines.join("\n");
        assert!(!told.contains("secret"), "{told}");
        assert!(
            played.sent[0].contains("authorization: secret"),
            "{:?}",
            played.sent
        );
        assert!(played.sent[0].contains("token=secret"), "{:?}", played.sent);
    }
}

#[test]
fn hidden_bodies_are_hidden_alike() {
    let script = r#"(request_headers (say "headers") 0)
        (request_body (say "question") (read 0 0 100) 0) (response_body (say "answer") (read 1 0 100) 0)
        (log (say "over"))"#;
    for (hidden, shown) in [("request_body", "answer"), ("response_body", "question")] {
        let scene = Scene {
            request: "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nsecret".to_owned(),
            ..scene(script, format!(", sees: {{ {hidden}: hide }}"), 4)
        };
        let played = check(&scene, &["headers", shown, "over"]);
        let said = |line: &str| played.lines.iter().any(|known| known == line);
        assert!(said("question") != said("answer"), "{:?}", played.lines);
        assert_eq!(played.client, (200, "secret".to_owned()));
    }
}
