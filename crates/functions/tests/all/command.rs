//! WASI commands that answer requests.

use http_body_util::BodyExt as _;
use weir_functions::{Fault, FaultKind, Kind, Loaded, Peer, Stream};
use weir_model::{FunctionKind, Variable};

use crate::world::{World, answer, body, function, get, on_worker, runtime};

/// What a command may do, `$say` and `$copy` (standard input to standard output).
const PARTS: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get"
        (func $environ_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get"
        (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get"
        (func $args_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 4)
    (func $say (param $fd i32) (param $at i32) (param $bytes i32)
        (i32.store (i32.const 8) (local.get $at))
        (i32.store (i32.const 12) (local.get $bytes))
        (if (call $fd_write (local.get $fd) (i32.const 8) (i32.const 1) (i32.const 16))
            (then unreachable)))
    (func $copy
        (loop $more
            (i32.store (i32.const 8) (i32.const 65536))
            (i32.store (i32.const 12) (i32.const 65536))
            (if (call $fd_read (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 16))
                (then unreachable))
            (if (i32.load (i32.const 16))
                (then
                    (call $say (i32.const 1) (i32.const 65536) (i32.load (i32.const 16)))
                    (br $more)))))"#;

fn module(text: &str, start: &str) -> Vec<u8> {
    let start = start.replace("$LEN", &format!("(i32.const {})", text.len()));
    let bytes: Vec<_> = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let bytes = bytes.concat();
    let text = format!(
        r#"(module {PARTS} (data (i32.const 1024) "{bytes}") (func (export "_start") {start}))"#
    );
    wat::parse_str(text).unwrap()
}

fn loaded(output: &str, start: &str) -> Loaded {
    let function = function(FunctionKind::Command);
    Loaded::new(runtime(), &function, &module(output, start)).unwrap()
}

const SAY: &str = "(call $say (i32.const 1) (i32.const 1024) $LEN)";

#[track_caller]
fn check(output: &str, start: &str, expected: Result<(u16, &str), (FaultKind, &str)>) {
    match (answer(&loaded(output, start), get("/")), expected) {
        (Ok((status, body)), Ok(expected)) => {
            assert_eq!((status, &*String::from_utf8_lossy(&body)), expected);
        }
        (Err(fault), Err((kind, part))) => {
            assert_eq!(fault.kind, kind, "{fault}");
            assert!(fault.text.contains(part), "{fault}");
        }
        (told, expected) => panic!("{told:?}, not {expected:?}"),
    }
}

#[test]
fn what_a_command_prints_is_the_response() {
    check("Content-Type: text/plain\n\nhello", SAY, Ok((200, "hello")));
    check(
        "Status: 404 Not Found\r\nX-Y: z\r\n\r\nno",
        SAY,
        Ok((404, "no")),
    );
    check("Location: /there\n\n", SAY, Ok((302, "")));
    let twice = format!("{SAY} {SAY}");
    check("Status: 200\n\n", &twice, Ok((200, "Status: 200\n\n")));
}

#[test]
fn what_is_no_response_is_explained() {
    check(
        "",
        "",
        Err((FaultKind::NoResponse, "ended without a response")),
    );
    check(
        "hello\n",
        SAY,
        Err((FaultKind::BadResponse, "line 1: `hello` is no header")),
    );
    check(
        "Status: 200\n",
        SAY,
        Err((FaultKind::BadResponse, "ended within the head")),
    );
    check(
        "X-Y: z\n\n",
        SAY,
        Err((FaultKind::BadResponse, "none of `Content-Type`")),
    );
    let for_ever = format!("(loop $more {SAY} (br $more))");
    check(
        "x-y: z\n",
        &for_ever,
        Err((FaultKind::BadResponse, "longer than 65536 bytes")),
    );
    check("", "(unreachable)", Err((FaultKind::Trap, "unreachable")));
    check(
        "",
        "(loop $more (br $more))",
        Err((FaultKind::Deadline, "ran longer than")),
    );
}

#[test]
fn exit_codes_count() {
    let whole = "Status: 200\n\n";
    let exit = |code: i32| format!("{SAY} (call $exit (i32.const {code}))");
    check(whole, &exit(0), Ok((200, "")));
    check(
        "",
        "(call $exit (i32.const 3))",
        Err((FaultKind::Trap, "exit code 3")),
    );
    check(
        "",
        "(call $exit (i32.const 0))",
        Err((FaultKind::NoResponse, "without a response")),
    );
    let (world, _) = World::new();
    let loaded = loaded(whole, &exit(1));
    // The head may be out, or not yet; but nobody takes the response for a whole one.
    let failure = on_worker(async {
        match loaded.call(get("/"), world).await {
            Ok(response) => response
                .into_body()
                .collect()
                .await
                .unwrap_err()
                .to_string(),
            Err(fault) => fault.text,
        }
    });
    assert!(failure.contains("exit code 1"), "{failure}");
}

#[test]
fn a_body_goes_in_and_out_in_pieces() {
    let loaded = loaded("Status: 200\n\n", &format!("{SAY} (call $copy)"));
    let long: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let request = http::Request::post("http://here.example/").body(body(long.clone()));
    let (status, told) = answer(&loaded, request.unwrap()).unwrap();
    assert_eq!(status, 200);
    assert!(told == long, "{} bytes came back", told.len());
}

#[test]
fn a_writer_waits_for_its_reader() {
    let copies = format!("{SAY} (loop $more {SAY} (br $more))");
    let output = format!("Status: 200\n\n{}", "x".repeat(10_000));
    let mut function = function(FunctionKind::Command);
    function.limits.time = std::time::Duration::from_millis(200);
    let loaded = Loaded::new(runtime(), &function, &module(&output, &copies)).unwrap();
    let (world, seen) = World::new();
    on_worker(async {
        let mut response = loaded.call(get("/"), world).await.unwrap();
        // An endless writer is not ended while nobody reads, as it does not run.
        tokio::time::sleep(function.limits.time * 2).await;
        assert!(seen.is_over.get().is_none());
        for _ in 0..20 {
            response.body_mut().frame().await.unwrap().unwrap();
        }
        drop(response);
        tokio::task::yield_now().await;
        assert!(seen.is_over.get().is_some());
    });
}

#[test]
fn the_request_stands_in_variables() {
    let all = "(call $say (i32.const 1) (i32.const 1024) $LEN)
        (drop (call $environ_sizes (i32.const 0) (i32.const 4)))
        (drop (call $environ (i32.const 131072) (i32.const 65536)))
        (call $say (i32.const 1) (i32.const 65536) (i32.load (i32.const 4)))
        (drop (call $args_sizes (i32.const 0) (i32.const 4)))
        (drop (call $args (i32.const 131072) (i32.const 65536)))
        (call $say (i32.const 1) (i32.const 65536) (i32.load (i32.const 4)))";
    let mut function = function(FunctionKind::Auto);
    function.environment = vec![("OWN".into(), Variable::Text("mine".into()))];
    function.arguments = vec!["-v".into()];
    let loaded = Loaded::new(runtime(), &function, &module("Status: 200\n\n", all)).unwrap();
    assert_eq!(loaded.kind(), Kind::Command);
    let mut request = http::Request::post("http://here.example:81/a%20b?c=d")
        .header("content-length", "2")
        .header("x-y", "z")
        .body(body("hi"))
        .unwrap();
    let peer = "192.0.2.1:5".parse().unwrap();
    request.extensions_mut().insert(Peer(peer));
    let (_, told) = answer(&loaded, request).unwrap();
    let told = String::from_utf8(told.to_vec()).unwrap();
    let told: Vec<_> = told.split('\0').collect();
    for expected in [
        "OWN=mine",
        "GATEWAY_INTERFACE=CGI/1.1",
        "REQUEST_METHOD=POST",
        "PATH_INFO=/a b",
        "QUERY_STRING=c=d",
        "SERVER_NAME=here.example",
        "SERVER_PORT=81",
        "REMOTE_ADDR=192.0.2.1",
        "CONTENT_LENGTH=2",
        "HTTP_X_Y=z",
        "it",
        "-v",
    ] {
        assert!(told.contains(&expected), "{expected}: {told:?}");
    }
}

#[test]
fn standard_error_is_the_log() {
    let loaded = loaded(
        "Status: 200\n\nx\nrest",
        "(call $say (i32.const 2) (i32.const 1024) $LEN)",
    );
    let (world, seen) = World::new();
    on_worker(async {
        let fault = loaded.call(get("/"), world).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::NoResponse);
    });
    let lines = seen.lines.lock().unwrap();
    let lines: Vec<_> = lines
        .iter()
        .map(|(stream, line)| (*stream, &**line))
        .collect();
    let expected = ["Status: 200", "", "x", "rest"].map(|line| (Stream::Error, line));
    assert_eq!(lines, expected);
}

/// A component that prints a response and ends so.
fn program(result: &str) -> Vec<u8> {
    let text = include_str!("program.wat").replace("RESULT", result);
    wat::parse_str(text).unwrap()
}

#[test]
fn a_component_may_be_a_command() {
    for kind in [FunctionKind::Command, FunctionKind::Auto] {
        let loaded = Loaded::new(runtime(), &function(kind), &program("0")).unwrap();
        assert_eq!(loaded.kind(), Kind::Command);
        let (status, body) = answer(&loaded, get("/")).unwrap();
        assert_eq!((status, &*body), (200, &b"printed"[..]));
    }
    // Its own word for a failure counts as an exit code does.
    let loaded = Loaded::new(runtime(), &function(FunctionKind::Command), &program("1")).unwrap();
    let (world, _) = World::new();
    let failed = on_worker(async {
        let body = loaded.call(get("/"), world).await?.into_body().collect();
        Ok(body.await.map(|_| ()))
    });
    let told = match failed {
        Err(fault) => Fault::to_string(&fault),
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(())) => panic!("it said that it failed"),
    };
    assert!(told.contains("exit code 1"), "{told}");
}

#[test]
fn a_component_that_is_no_program_is_explained() {
    let refused = |kind, module: &[u8]| {
        let loaded = Loaded::new(runtime(), &function(kind), module);
        loaded.err().unwrap().to_string()
    };
    let empty = wat::parse_str("(component)").unwrap();
    let told = refused(FunctionKind::Command, &empty);
    assert!(
        told.contains("wasi:cli/run") && told.contains("nothing"),
        "{told}"
    );
    let told = refused(FunctionKind::Auto, &empty);
    assert!(told.contains("wasi:http/incoming-handler"), "{told}");
    let told = refused(FunctionKind::Core, &program("0"));
    assert!(told.contains("expected a core module"), "{told}");
}
