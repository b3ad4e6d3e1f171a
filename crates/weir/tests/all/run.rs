//! `weir run`: modules by hand, as a shell sees them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Authority, Odd, Upstream};

/// What a run told, and how it ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// Checks code, output and parts of what was told beside it.
    #[track_caller]
    fn expect(&self, code: i32, out: &str, parts: &[&str]) {
        assert_eq!((self.code, &*self.out), (Some(code), out), "{self:?}");
        for part in parts {
            assert!(
                self.err.contains(part),
                "{part:?} is missing:\n{}",
                self.err
            );
        }
    }
}

fn run(module: &Path, before: &[&str], after: &[&str]) -> Ran {
    fed(module, before, after, "")
}

/// Runs a module; options stand before it, and what comes behind it.
fn fed(module: &Path, before: &[&str], after: &[&str], input: &str) -> Ran {
    let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("run")
        .args(before)
        .arg(module)
        .args(after)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A module that reads nothing may be gone already.
    let _ = weir.stdin.take().unwrap().write_all(input.as_bytes());
    let output = weir.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

fn example(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/functions/c");
    Path::new(folder).join(name).with_extension("wasm")
}

/// A module of this text, in a folder of its own.
fn module(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("it.wasm");
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    (folder, path)
}

#[test]
fn the_classic_demonstration_works_both_ways() {
    run(&example("demo"), &[], &[]).expect(0, "the host says 2+3= 5\n", &[]);
    let multiply = ["--invoke", "multiply", "3", "5"];
    run(&example("demo"), &[], &multiply).expect(0, "15\n", &[]);
    let both = ["--start", "--invoke", "multiply", "-3", "5"];
    run(&example("demo"), &[], &both).expect(0, "the host says 2+3= 5\n-15\n", &[]);
}

#[test]
fn text_goes_in_and_out_by_the_guests_allocator() {
    let shout = ["--text", "--invoke", "shout"];
    let said = |text: &str| run(&example("hello"), &shout, &["--", text]);
    // The name of the module comes first.
    said("hello").expect(0, "HELLO\n", &[]);
    said("text:5x").expect(0, "5X\n", &[]);
    said("text:").expect(0, "\n", &[]);
}

#[test]
fn a_command_has_input_variables_and_a_code() {
    let options = ["--env", "REQUEST_METHOD=PUT", "--env", "QUERY_STRING=a=b"];
    let told = fed(&example("command"), &options, &[], "four");
    told.expect(0, "Content-Type: text/plain\n\nPUT ?a=b: 4 bytes\n", &[]);
}

/// A module that ends so.
fn ending(start: &str) -> Ran {
    let (_folder, path) = module(&format!(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") {start}))"#
    ));
    run(&path, &[], &[])
}

#[test]
fn the_exit_code_is_the_modules() {
    ending("").expect(0, "", &[]);
    ending("(call $exit (i32.const 0))").expect(0, "", &[]);
    ending("(call $exit (i32.const 42))").expect(42, "", &[]);
    ending("(call $exit (i32.const 125))").expect(125, "", &[]);
    // Others are the shell's own.
    ending("(call $exit (i32.const 126))").expect(134, "", &["invalid exit status"]);
    ending("(call $exit (i32.const -1))").expect(134, "", &["invalid exit status"]);
    ending("(unreachable)").expect(134, "", &["it failed: wasm trap", "unreachable"]);
}

const TYPES: &str = r#"(module
    (func (export "i32") (param i32) (result i32) (local.get 0))
    (func (export "i64") (param i64) (result i64) (local.get 0))
    (func (export "f32") (param f32) (result f32) (local.get 0))
    (func (export "f64") (param f64 f64) (result f64) (f64.div (local.get 0) (local.get 1)))
    (func (export "two") (result i32 f64) (i32.const 1) (f64.const 2.5))
    (func (export "none"))
    (func (export "v128") (param v128))
    (func (export "zeroes") (result v128) (v128.const i32x4 0 0 0 1))
    (func (export "texts") (param i32 i32 i32) (result i32) (local.get 1)))"#;

#[test]
fn arguments_are_of_the_exports_types() {
    let (_folder, path) = module(TYPES);
    let call = |words: &[&str]| {
        let mut after = vec!["--invoke"];
        after.extend(words);
        run(&path, &[], &after)
    };
    call(&["i32", "-7"]).expect(0, "-7\n", &[]);
    call(&["i32", "0xffffffff"]).expect(0, "-1\n", &[]);
    call(&["i64", "9223372036854775807"]).expect(0, "9223372036854775807\n", &[]);
    call(&["f32", "0.1"]).expect(0, "0.1\n", &[]);
    call(&["f64", "1", "4"]).expect(0, "0.25\n", &[]);
    call(&["two"]).expect(0, "1\n2.5\n", &[]);
    call(&["none"]).expect(0, "", &[]);
    call(&["zeroes"]).expect(0, "0x00000001000000000000000000000000\n", &[]);
    call(&["i32", "x"]).expect(1, "", &["argument 1 of i32: \"x\" is no i32"]);
    call(&["i32"]).expect(1, "", &["0 arguments do not fit its 1 parameters"]);
    // Not a text that leaves the second parameter without an argument.
    let large = "argument 1 of texts: \"4294967296\" is no i32";
    call(&["texts", "4294967296", "1"]).expect(1, "", &[large]);
    call(&["texts", "1.5", "1"]).expect(1, "", &["\"1.5\" is no i32"]);
    call(&["i32", "1", "2"]).expect(1, "", &["2 arguments do not fit"]);
    call(&["v128", "1"]).expect(1, "", &["a v128 cannot be given"]);
    call(&["nothing"]).expect(1, "", &["exports no function nothing, but i32", "hint:"]);
    // There is no memory for it.
    call(&["texts", "text", "1"]).expect(134, "", &["no memory for the 4 bytes"]);
    run(&path, &["--text"], &["--invoke", "i32", "1"]).expect(1, "", &["is no text"]);
}

#[test]
fn what_cannot_be_run_is_explained() {
    let (folder, path) = module("(module)");
    run(&path, &[], &[]).expect(1, "", &["exports no function _start, but no function"]);
    let (_folder, path) = module(r#"(module (import "a" "b" (func)) (func (export "_start")))"#);
    run(&path, &[], &[]).expect(1, "", &["the host does not offer", "a::b"]);
    let text = folder.path().join("text");
    std::fs::write(&text, "no module").unwrap();
    run(&text, &[], &[]).expect(1, "", &["it is no valid module"]);
    run(&folder.path().join("none"), &[], &[]).expect(1, "", &["cannot read"]);
    run(&path, &["--dir", "/no/such/folder"], &[]).expect(1, "", &["/no/such/folder cannot be"]);
    run(&path, &["--env", "novalue"], &[]).expect(2, "", &["expected NAME=VALUE"]);
    let (_folder, path) = module("(component)");
    run(&path, &[], &[]).expect(1, "", &["exports no wasi:cli/run"]);
    run(&path, &[], &["--invoke", "f"]).expect(1, "", &["exports no function f"]);
    run(&path, &["--text"], &["--invoke", "f"]).expect(1, "", &["are for core modules"]);
}

fn prebuilt(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/prebuilt");
    Path::new(folder).join(name).with_extension("wasm")
}

#[test]
fn functions_of_components_take_and_give_values_of_their_types() {
    const SHAPES: &str = "weir:typed/shapes@1.0.0#";
    let call = |words: &[&str]| {
        let after = [&["--invoke"], words].concat();
        run(&prebuilt("typed"), &[], &after)
    };
    call(&["process-data", "5 grüße"]).expect(0, "5 GRÜSSE\n", &[]);
    // Bytes stay what they are, without an end of a line.
    call(&["reverse", "abc"]).expect(0, "cba", &[]);
    call(&["answer"]).expect(0, "42\n", &[]);
    call(&["divide", "7", "2"]).expect(0, "3\n", &[]);
    call(&["divide", "7", "0"]).expect(1, "", &["7 cannot be divided by nothing"]);
    call(&["forget", "this"]).expect(0, "forgot 4 bytes\n", &[]);
    call(&["fail", "reasons"]).expect(134, "", &["it failed: wasm trap"]);
    let moved = format!("{SHAPES}moved");
    let point = r#"{"x": 1, "y": -2}"#;
    call(&[&moved, point, "5"]).expect(0, "{\"x\":6,\"y\":3}\n", &[]);
    let points = format!("[{point}, {{\"x\": 9, \"y\": 0}}]");
    let farthest = format!("{SHAPES}farthest");
    call(&[&farthest, &points]).expect(0, "{\"x\":9,\"y\":0}\n", &[]);
    call(&[&farthest, "[]"]).expect(0, "null\n", &[]);
    // What does not fit is told before anything runs.
    let odd = call(&[&moved, r#"{"x": 1, "y": "b"}"#, "5"]);
    odd.expect(1, "", &["point.y: expected s32, but found \"b\""]);
    let few = call(&[&moved, point]);
    few.expect(
        1,
        "",
        &["func(point: an object with x, y, by: s32)", "1 arguments"],
    );
    call(&["none"]).expect(1, "", &["exports no function none, but", "process-data"]);
    call(&["none"]).expect(1, "", &[&*moved]);
}

/// Reads a file of a folder that is given to it, and prints it.
const READER: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "file")
    (func (export "_start")
        (local $errno i32)
        (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4)
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
        (if (local.get $errno) (then (call $exit (local.get $errno))))
        (i32.store (i32.const 8) (i32.const 128))
        (i32.store (i32.const 12) (i32.const 100))
        (drop (call $read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 12)))
        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#;

#[test]
fn folders_are_seen_only_if_they_are_given() {
    let (folder, path) = module(READER);
    std::fs::write(folder.path().join("file"), "what it says").unwrap();
    let given = format!("{}::/in", folder.path().display());
    run(&path, &["--dir", &given], &[]).expect(0, "what it says", &[]);
    // Preview 1's *badf*.
    run(&path, &[], &[]).expect(8, "", &[]);
}

/// Fetches what its argument names, and answers it as text.
const FETCHER: &str = r#"(module
    (import "env" "main.getHttpResp" (func $get (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "get") (param i32 i32) (result i32 i32)
        (if (i32.eqz (call $get (local.get 0) (local.get 1) (i32.const 0) (i32.const 4)
                (i32.const 0) (i32.const 0)))
            (then (return (i32.const 0) (i32.const 0))))
        (i32.load (i32.const 0)) (i32.load (i32.const 4))))"#;

#[test]
fn only_hosts_that_are_allowed_are_asked() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = server.local_addr().unwrap().to_string();
    let long = "x".repeat(100_000);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}",
        long.len()
    );
    let serving = std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let mut asked = [0; 4096];
        let length = client.read(&mut asked).unwrap();
        client.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    let (_folder, path) = module(FETCHER);
    let get = ["--invoke", "get"];
    for never in [
        "http://127.0.0.1",
        "127.0.0.1:99999",
        "127.0.0.1:",
        "a/b",
        "u@a",
        "",
    ] {
        let refused = run(&path, &["--allow", never, "--invoke", "get"], &["x"]);
        refused.expect(2, "", &["expected a host, or a host and a port"]);
    }
    let url = format!("http://{target}/path");
    let refused = run(&path, &["--text", "--invoke", "get"], &[&url]);
    refused.expect(0, "\n", &["no grant lets this function reach", "--allow"]);
    let allowed = run(
        &path,
        &["--text", "--allow", &target, get[0], get[1]],
        &[&url],
    );
    assert_eq!(allowed.out.len(), long.len() + 1, "{}", allowed.err);
    let asked = serving.join().unwrap();
    assert!(asked.starts_with("GET /path HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {target}")), "{asked}");
}

#[test]
fn servers_of_https_are_asked_for_a_certificate() {
    let (plain, seen) = Upstream::echoing();
    let authority = Authority::new();
    let server = authority.serve(&["localhost"], Odd::Nothing, plain.address);
    let target = format!("localhost:{}", server.address.port());
    let url = format!("https://{target}/path");
    let (_folder, path) = module(FETCHER);
    let get = |options: &[&str]| {
        let options = [options, &["--text", "--allow", &target, "--invoke", "get"]].concat();
        run(&path, &options, &[&url])
    };
    get(&[]).expect(0, "\n", &["certificate is refused"]);
    assert_eq!(seen.take().len(), 0);
    get(&["--ca", &authority.file()]).expect(0, "\n", &[]);
    assert_eq!(seen.last().path(), "/path");
    let none = run(&path, &["--ca", "/nowhere.pem"], &[]);
    none.expect(1, "", &["--ca /nowhere.pem"]);
}

/// Output is there when it is written, not when the module has ended.
#[test]
fn output_comes_while_the_module_runs() {
    let (_folder, path) = module(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 8) "\20\00\00\00\05\00\00\00") (data (i32.const 32) "early")
            (func (export "_start")
                (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))
                (loop $for_ever (br $for_ever))))"#,
    );
    let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("run")
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut early = [0; 5];
    let read = weir.stdout.take().unwrap().read_exact(&mut early);
    weir.kill().unwrap();
    weir.wait().unwrap();
    read.unwrap();
    assert_eq!(&early, b"early");
}
