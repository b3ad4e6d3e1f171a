//! `weir map` against a running gateway: what operators see of maps, and change in them.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use weir::Outcome;

use crate::harness::{Gateway, Upstream, site};
use crate::{Folder, Told};

/// A plugin that puts the path of each request into its shared data and shows what is there.
const PLUGIN: &str = r#"{ "request_headers": [
    { "share": ["last", "{request::path}"] }, { "add": ["request", "x-limit", "{shared:limit}"] } ] }"#;

fn gateway() -> (Gateway, crate::harness::Seen) {
    let (upstream, seen) = Upstream::echoing();
    let script = PLUGIN.replace('\n', " ");
    let more = format!(
        "maps:\n  rules: {{ entries: 2 }}\n\
         filters:\n  one: {{ module: probe, configuration: {script}, vm_id: state }}\n"
    );
    let routes = "      - { filters: [one], forward: up }";
    (Gateway::start(&site(upstream.address, routes, &more)), seen)
}

fn map(gateway: &Gateway, line: &str) -> Told {
    let admin = gateway.admin_address();
    Folder::new().run(&format!("map --admin {admin} {line}"))
}

#[test]
fn what_a_plugin_shares_is_a_map_for_operators() {
    let (gateway, seen) = gateway();
    let map = |line: &str| map(&gateway, line);
    map("ls").expect(Outcome::Fine, &["map ", "rules", "proxy-wasm.state"]);
    map("set proxy-wasm.state limit 10").expect(Outcome::Fine, &["version 1"]);
    assert_eq!(gateway.get("/first", "").status(), 200);
    let limit = seen.last().header("x-limit").map(str::to_owned);
    assert_eq!(limit.as_deref(), Some("10"));
    let last = map("get proxy-wasm.state last").expect(Outcome::Fine, &[]);
    assert_eq!(last.out, "/first");
    let stat = map("stat proxy-wasm.state --json").expect(Outcome::Fine, &[]);
    assert_eq!(stat.json()["entries"], 2);
    gateway.end();
}

#[test]
fn entries_are_changed_and_listed() {
    let (gateway, _) = gateway();
    let map = |line: &str| map(&gateway, line);
    map("set rules a/1 x").expect(Outcome::Fine, &["version 1"]);
    map("set rules a/2 --number -7 --if-absent").expect(Outcome::Fine, &["version 2"]);
    map("set rules a/2 y --if-absent").expect(Outcome::Problem, &["version 2"]);
    map("set rules b z").expect(Outcome::Problem, &["used up"]);
    let all = map("scan rules").expect(Outcome::Fine, &[]);
    assert_eq!(
        all.out,
        "a/1  x  (version 1)\na/2  counter -7  (version 2)\n"
    );
    let one = map("scan rules a/ --limit 1 --json").expect(Outcome::Fine, &[]);
    assert_eq!(one.json()["key"], "a/1");
    map("delete rules a/1 --if-version 2").expect(Outcome::Problem, &["version 1"]);
    map("delete rules a/1").expect(Outcome::Fine, &[]);
    map("get rules a/1").expect(Outcome::Problem, &["no such entry"]);
    map("set rules %00%ff v --encoded").expect(Outcome::Fine, &[]);
    map("scan rules").expect(Outcome::Fine, &["\\x00\\xff  v"]);
    map("get rules %00%FF --encoded").expect(Outcome::Fine, &["v"]);
    map("get nosuch k").expect(Outcome::Problem, &["there is no map", "nosuch"]);
    map("set rules k v --ttl 0").expect(Outcome::Problem, &["at least 1 ms"]);
    map("set rules k v --number 1").expect(Outcome::WrongUse, &["cannot be used with"]);
    gateway.end();
}

#[test]
fn changes_are_told_while_they_happen() {
    let (gateway, _) = gateway();
    let admin = gateway.admin_address().to_string();
    let mut watch = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["map", "--admin", &admin, "watch", "rules", "a"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("weir runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    crate::harness::until("it watches", || {
        map(&gateway, "stat rules --json").json()["watches"] == 1
    });
    map(&gateway, "set rules b 1").expect(Outcome::Fine, &[]);
    map(&gateway, "set rules a 1").expect(Outcome::Fine, &[]);
    let line = lines.next().expect("a line").expect("text");
    assert_eq!(line, "set  a  (version 2)");
    watch.kill().expect("it still runs");
    watch.wait().expect("it ends");
    gateway.end();
}

#[test]
fn a_gateway_that_is_not_there_is_told_with_a_hint() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("it is bound");
    drop(free);
    let told = Folder::new().run(&format!("map ls --admin {address}"));
    told.expect(Outcome::Problem, &["cannot connect", "--admin"]);
    Folder::new()
        .run("map ls --admin nowhere")
        .expect(Outcome::WrongUse, &["--admin"]);
}
