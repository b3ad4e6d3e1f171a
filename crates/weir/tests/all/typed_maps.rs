//! Declared maps as operators meet them: what is checked before anything is served or stored, and
//! values as JSON.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use weir::Outcome;
use weir_bindgen::read::{Source, Sources, read};
use weir_bindgen::section;

use crate::harness::{Gateway, refused, until};
use crate::{Folder, Told};

const WIT: &str = "interface types {\n  record user {\n    name: string,\n    id: s32,\n  }\n}\n";
const MAP: &str = "use types.{user};\n\nmap<s32, user> users {\n    ttl = \"1h\";\n}\n";

const SITE: &str = "listeners:
  - address: 127.0.0.1:0
    routes:
      - filters: [one]
        respond: { status: 200 }
modules:
  m: { file: \"FOLDER/m.wasm\" }
filters:
  one: { module: m, grants: { maps: { users: [read, write] } } }
maps:
  users: { declaration: \"FOLDER/users.map\", STORE }
stores:
  disk: { durable: { path: \"FOLDER/state\" } }
code_cache: off
";

fn guest() -> Vec<u8> {
    let script = r#"
(import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
(request_headers
  (show "open" (call $open (ptr "users") (len "users") (i64.const 2) 60000)))"#;
    weir_conformance::guest("0.2.1", script).unwrap_or_else(|flaw| panic!("{flaw}"))
}

/// The guest, as if it had been built with these types.
fn built_with(wit: &str) -> Vec<u8> {
    with_schema(&guest(), wit)
}

fn with_schema(module: &[u8], wit: &str) -> Vec<u8> {
    let source = |name: &str, text: &str| Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let given = vec![source("users.map", MAP), source("types.wit", wit)];
    let beside = Vec::new();
    let schema = read(&Sources { given, beside }).expect("the sources are right");
    section::embed(module, &schema).expect("it is a module")
}

fn folder(store: &str) -> Folder {
    let folder = Folder::new()
        .with("m.wasm", built_with(WIT))
        .with("types.wit", WIT)
        .with("users.map", MAP);
    let site = SITE
        .replace("FOLDER", &folder.path("").display().to_string())
        .replace("STORE", store);
    folder.with("weir.yaml", site)
}

fn text(folder: &Folder) -> String {
    fs::read_to_string(folder.path("weir.yaml")).expect("it is there")
}

#[track_caller]
fn check(folder: &Folder, outcome: Outcome, parts: &[&str]) -> Told {
    folder.run("check @weir.yaml").expect(outcome, parts)
}

#[test]
fn a_wrong_declaration_is_told_with_its_place() {
    let folder = folder("").with("users.map", "use types.{user};\nmap<s32, usr> users {}\n");
    let parts = ["map users: its declaration", "users.map:2:", "`usr`"];
    check(&folder, Outcome::Problem, &parts);
    let folder = folder.with(
        "users.map",
        "map<s32, string> people {}\nmap<u8, s64> hits {}\n",
    );
    let parts = ["does not declare it; it declares people, hits"];
    check(&folder, Outcome::Problem, &parts);
    let folder = folder
        .with("users.map", MAP)
        .with("types.wit", "interface x {}");
    let parts = ["there is no interface `types`"];
    check(&folder, Outcome::Problem, &parts);
    let folder = folder.with("types.wit", WIT);
    check(&folder, Outcome::Fine, &["is fine"]);
    let long = folder.with("users.map", MAP.replace("1h", "4000d"));
    check(
        &long,
        Outcome::Problem,
        &["345600000000 ms", "expected at most"],
    );
}

#[test]
fn a_module_that_was_built_for_another_schema_is_refused() {
    let folder = folder("");
    // Older and newer ones are fine: they keep what they do not know.
    let older = WIT.replace("    id: s32,\n", "");
    let newer = WIT.replace("id: s32,", "id: s32,\n    mail: option<string>,");
    for wit in [older.as_str(), newer.as_str(), WIT] {
        fs::write(folder.path("m.wasm"), built_with(wit)).unwrap();
        check(&folder, Outcome::Fine, &["is fine"]);
    }
    let other = built_with(&WIT.replace("id: s32", "id: string"));
    let folder = folder.with("m.wasm", other);
    let parts = [
        "filter one: module m was built for another schema of the map users",
        "users.map says",
        "user.id: was string and is s32",
    ];
    check(&folder, Outcome::Problem, &parts);
    let (code, told) = refused(&text(&folder));
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("user.id: was string and is s32"), "{told}");
    // A section that is broken is told as such.
    let mut broken = guest();
    broken.extend_from_slice(b"\0\x11\x0fweir:map-schema{");
    let folder = folder.with("m.wasm", broken);
    let parts = ["module m: the section `weir:map-schema` holds no JSON"];
    check(&folder, Outcome::Problem, &parts);
}

/// A component of `wasi:http`: its section stands behind those of its parts.
#[test]
fn a_function_that_was_built_for_another_schema_is_refused() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../guests/prebuilt/handler.wasm"
    );
    let handler = fs::read(file).unwrap();
    let folder = folder("").with("h.wasm", with_schema(&handler, WIT));
    let more = format!(
        "functions:\n  f: {{ module: h, grants: {{ maps: {{ users: [read] }} }} }}\nmodules:\n  \
         h: {{ file: \"{}\" }}",
        folder.path("h.wasm").display()
    );
    let site = text(&folder).replace("modules:", &more);
    let folder = folder.with("weir.yaml", site);
    check(&folder, Outcome::Fine, &["is fine"]);
    let other = WIT.replace("id: s32", "id: string");
    let folder = folder.with("h.wasm", with_schema(&handler, &other));
    let parts = [
        "function f: module h was built for another schema of the map users",
        "user.id: was string and is s32",
    ];
    check(&folder, Outcome::Problem, &parts);
}

#[test]
fn pinned_maps_say_what_they_hold_too() {
    let folder = folder("PIN");
    let pin = format!("pin: \"{}\"", folder.path("users.pin").display());
    let site = text(&folder).replace("PIN", &pin);
    let folder = folder.with("weir.yaml", &site);
    check(&folder, Outcome::Fine, &["is fine"]);
    let mark = folder.path("users.pin.schema");
    assert!(!mark.exists());
    let gateway = Gateway::start(&site);
    let stat = map(&gateway, "stat users --json");
    assert_eq!(stat.expect(Outcome::Fine, &[]).json()["ttl_ms"], 3_600_000);
    gateway.end();
    assert_eq!(fs::read_to_string(&mark).unwrap().lines().count(), 1);
    let other = WIT.replace("id: s32", "id: string");
    let folder = folder
        .with("types.wit", &other)
        .with("m.wasm", built_with(&other));
    let parts = [
        "users.pin.schema",
        "user.id: was s32 (zigzag) and is string",
    ];
    check(&folder, Outcome::Problem, &parts);
}

#[test]
fn entries_of_another_schema_are_not_overwritten() {
    let folder = folder("store: disk");
    Gateway::start(&text(&folder)).end();
    let mark = folder.path("state").join("_").join("users.durable.schema");
    let first = fs::read_to_string(&mark).unwrap();
    assert_eq!(first.lines().count(), 1, "{first}");

    // A field more: what was known is known, so one line is enough.
    let more = WIT.replace("id: s32,", "id: s32,\n    mail: string,");
    let folder = folder.with("types.wit", &more);
    Gateway::start(&text(&folder)).end();
    let second = fs::read_to_string(&mark).unwrap();
    assert_ne!(first, second);
    assert_eq!(second.lines().count(), 1, "{second}");

    // A field less: the old schema is kept, and with it the number.
    let folder = folder.with("types.wit", WIT);
    Gateway::start(&text(&folder)).end();
    let third = fs::read_to_string(&mark).unwrap();
    assert_eq!(third.lines().count(), 2, "{third}");

    // The number comes back as something else: refused, by a check too, and nothing is written.
    let other = WIT.replace("id: s32,", "id: s32,\n    phone: string,");
    let folder = folder.with("types.wit", other);
    let parts = [
        "map users: its entries were stored under a schema that",
        "users.map contradicts",
        "users.durable.schema",
        "user.mail: its number 3 is now that of `phone`",
    ];
    check(&folder, Outcome::Problem, &parts);
    let (code, told) = refused(&text(&folder));
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(parts[3]), "{told}");
    assert_eq!(fs::read_to_string(&mark).unwrap(), third);
}

#[test]
fn a_check_writes_nothing() {
    let folder = folder("store: disk");
    check(&folder, Outcome::Fine, &["is fine"]);
    assert!(!folder.path("state").exists());
}

#[test]
fn a_mark_that_is_no_schema_is_told() {
    let folder = folder("store: disk");
    let state = folder.path("state").join("_");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("users.durable.schema"), "{}\n").unwrap();
    check(
        &folder,
        Outcome::Problem,
        &["users.durable.schema holds no schema"],
    );
}

fn map(gateway: &Gateway, line: &str) -> Told {
    let admin = gateway.admin_address();
    Folder::new().run(&format!("map --admin {admin} {line}"))
}

/// What `weir bindgen --schema` wrote does as well as the sources.
fn with_json(folder: Folder) -> Folder {
    let schema = folder
        .run("bindgen @users.map --schema")
        .expect(Outcome::Fine, &[])
        .out;
    let site = text(&folder).replace("users.map", "users.json");
    fs::remove_file(folder.path("users.map")).expect("it is there");
    fs::remove_file(folder.path("types.wit")).expect("it is there");
    folder.with("users.json", schema).with("weir.yaml", site)
}

#[test]
fn values_of_a_declared_map_are_json_for_operators() {
    for folder in [folder(""), with_json(folder(""))] {
        let gateway = Gateway::start(&text(&folder));
        let map = |line: &str| map(&gateway, line);
        map(r#"set users 7 {"name":"Ann","id":-1}"#).expect(Outcome::Fine, &["version 1"]);
        let told = map("get users 7").expect(Outcome::Fine, &[]);
        assert_eq!(told.json(), serde_json::json!({ "name": "Ann", "id": -1 }));
        let raw = map("get users 7 --raw").expect(Outcome::Fine, &[]);
        assert_eq!(raw.out.as_bytes(), b"\x0a\x03Ann\x10\x01");
        let encoded = map("get users %80%00%00%07 --encoded --raw").expect(Outcome::Fine, &[]);
        assert_eq!(encoded.out, raw.out);
        let all = map("scan users").expect(Outcome::Fine, &[]);
        assert_eq!(all.out, "7  {\"name\":\"Ann\",\"id\":-1}  (version 1)\n");
        changes_are_told_as_they_are_declared(&gateway);
        map("set users 7 {\"nam\":1}").expect(Outcome::Problem, &["nam"]);
        map("set users x {}").expect(Outcome::Problem, &["whose keys are s32"]);
        let stat = map("stat users --json").expect(Outcome::Fine, &[]).json();
        assert_eq!(stat["declared"]["value"], "user");
        // The declaration's time to live, where it is there, and the configuration has none.
        let is_source = folder.path("users.map").exists();
        assert_eq!(
            stat["ttl_ms"],
            if is_source {
                3_600_000.into()
            } else {
                serde_json::Value::Null
            }
        );
        map("delete users 7").expect(Outcome::Fine, &[]);
        gateway.end();
    }
}

/// Keys and values as `get` and `scan` show them; what is no value of the type says so.
fn changes_are_told_as_they_are_declared(gateway: &Gateway) {
    let mut watch = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["map", "--admin", &gateway.admin_address().to_string()])
        .args(["watch", "users"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("weir runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    until("it watches", || {
        map(gateway, "stat users --json").json()["watches"] == 1
    });
    let mut told = |line: &str| {
        map(gateway, line).expect(Outcome::Fine, &[]);
        let line = lines.next().expect("a line").expect("text");
        line.split("  (version")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let set = told(r#"set users 8 {"name":"Bea"}"#);
    assert_eq!(set, r#"set  8  {"name":"Bea","id":0}"#);
    let wrong = told("set users 8 x --raw");
    assert!(wrong.starts_with(r#"set  8  {"error":"#), "{wrong}");
    assert_eq!(told("delete users 8"), "deleted  8");
    watch.kill().expect("it still runs");
    watch.wait().expect("it ends");
}

#[test]
fn modules_carry_the_schema_that_was_put_into_them() {
    let folder = folder("").with("m.wasm", guest());
    let told = folder.run("bindgen @users.map --embed @m.wasm");
    told.expect(Outcome::Fine, &["now carries its schema"]);
    assert_eq!(fs::read(folder.path("m.wasm")).unwrap(), built_with(WIT));
    let folder = folder.with("m.wasm", "(module)");
    let told = folder.run("bindgen @users.map --embed @m.wasm");
    told.expect(Outcome::Problem, &["magic number"]);
    assert_eq!(fs::read(folder.path("m.wasm")).unwrap(), b"(module)");
}
