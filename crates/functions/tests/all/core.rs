//! Core modules with the plain ABI.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use http_body_util::BodyExt as _;
use weir_functions::{BodyError, FaultKind, FetchError, Kind, LoadError, Loaded, Response, Stream};
use weir_model::{Function, FunctionKind, Variable};

use crate::world::{World, answer, body, function, get, on_worker, runtime};

/// All calls, a memory of two pages, and what the parts of a guest need.
const IMPORTS: &str = r#"
    (import "weir_v1" "log" (func $log (param i32 i32 i32) (result i32)))
    (import "weir_v1" "clock_wall" (func $clock_wall (result i64)))
    (import "weir_v1" "clock_monotonic" (func $clock_monotonic (result i64)))
    (import "weir_v1" "random" (func $random (param i32 i32) (result i32)))
    (import "weir_v1" "setting" (func $setting (param i32 i32 i32) (result i32)))
    (import "weir_v1" "respond_status" (func $status (param i32) (result i32)))
    (import "weir_v1" "respond_header" (func $header (param i32 i32 i32 i32) (result i32)))
    (import "weir_v1" "respond_write" (func $write (param i32 i32) (result i32)))
    (import "weir_v1" "fetch"
        (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;

/// An allocator that hands out what is behind the first page.
const MALLOC: &str = r#"
    (global $next (mut i32) (i32.const 65536))
    (func (export "malloc") (param $bytes i32) (result i32)
        (local $at i32)
        (local.set $at (global.get $next))
        (global.set $next (i32.add (global.get $next) (local.get $bytes)))
        (block $fits
            (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
            (drop (memory.grow (i32.const 64))))
        (local.get $at))"#;

/// A module that handles requests so.
fn module(parts: &str, handle: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {IMPORTS} (memory (export "memory") 2) {parts}
            (func (export "handle")
                (param $m i32) (param $ml i32) (param $p i32) (param $pl i32)
                (param $h i32) (param $hl i32) (param $b i32) (param $bl i32) (result i32)
                {handle}))"#
    );
    wat::parse_str(text).unwrap()
}

fn loaded(parts: &str, handle: &str) -> Loaded {
    load(&function(FunctionKind::Core), &module(parts, handle)).unwrap()
}

fn load(function: &Function, module: &[u8]) -> Result<Loaded, LoadError> {
    Loaded::new(runtime(), function, module)
}

/// What comes of a request.
#[track_caller]
fn check(parts: &str, handle: &str, expected: Result<(u16, &str), (FaultKind, &str)>) {
    let told = answer(&loaded(parts, handle), get("/path?query"));
    match (told, expected) {
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

/// Answers a part of the request.
const PATH: &str = "(drop (call $write (local.get $p) (local.get $pl))) (i32.const 0)";

#[test]
fn a_request_is_seen_whole() {
    let say = |part: &str| format!("(drop (call $write (local.get ${part}) (local.get ${part}l)))");
    let handle = format!(
        "{}{}{}{} (i32.const 0)",
        say("m"),
        say("p"),
        say("h"),
        say("b")
    );
    let loaded = loaded(MALLOC, &handle);
    assert_eq!(loaded.kind(), Kind::Core);
    let request = http::Request::post("http://here.example/path?query");
    let request = request
        .header("x-y", "z\u{e9}")
        .body(body("input"))
        .unwrap();
    let (status, told) = answer(&loaded, request).unwrap();
    assert_eq!(status, 200);
    let expected = "POST/path?queryx-y: z\u{e9}\nhost: here.example\ninput";
    assert_eq!(told, expected.as_bytes());
}

#[test]
fn memory_for_a_request_comes_from_whatever_allocates() {
    let alloc = |name: &str| MALLOC.replace("malloc", name);
    for name in ["malloc", "proxy_on_memory_allocate", "alloc"] {
        check(&alloc(name), PATH, Ok((200, "/path?query")));
    }
    let realloc = alloc("cabi_realloc").replace(
        "(param $bytes i32)",
        "(param i32) (param i32) (param i32) (param $bytes i32)",
    );
    check(&realloc, PATH, Ok((200, "/path?query")));
    // None, or one of another type: memory is grown.
    check("", PATH, Ok((200, "/path?query")));
    let other = r#"(func (export "malloc") (param i64) (result i64) (unreachable))"#;
    check(other, PATH, Ok((200, "/path?query")));
}

#[test]
fn no_answer_of_an_allocator_is_believed() {
    let answers =
        |text: &str| format!(r#"(func (export "malloc") (param i32) (result i32) {text})"#);
    let check = |text: &str, kind, part| check(&answers(text), PATH, Err((kind, part)));
    check(
        "(i32.const -8)",
        FaultKind::Trap,
        "`malloc` answered 0xfffffff8 for",
    );
    check(
        "(i32.const 131072)",
        FaultKind::Trap,
        "but its memory ends at 0x20000",
    );
    check("(i32.const 131071)", FaultKind::Trap, "`malloc` answered");
    check(
        "(i32.const 0)",
        FaultKind::Limit,
        "it gave no memory for the",
    );
    check("(unreachable)", FaultKind::Trap, "unreachable");
    check(
        "(loop $for_ever (br $for_ever)) (i32.const 0)",
        FaultKind::Deadline,
        "ran longer",
    );
}

#[test]
fn a_memory_that_cannot_grow_has_no_room() {
    let text = r#"(module (memory (export "memory") 1 1)
        (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (i32.const 200)))"#;
    let module = wat::parse_str(text).unwrap();
    let loaded = load(&function(FunctionKind::Auto), &module).unwrap();
    let fault = answer(&loaded, get("/")).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit, "{fault}");
}

#[test]
fn a_response_is_what_the_guest_composes() {
    let texts = r#"(data (i32.const 0) "x-y1transfer-encodingb c")"#;
    let handle = r#"
        (if (call $status (i32.const 404)) (then unreachable))
        (if (call $header (i32.const 0) (i32.const 3) (i32.const 3) (i32.const 1))
            (then unreachable))
        (if (i32.ne (call $status (i32.const 100)) (i32.const 28)) (then unreachable))
        (if (i32.ne (call $status (i32.const 99999)) (i32.const 28)) (then unreachable))
        (if (i32.ne (call $header (i32.const 4) (i32.const 17) (i32.const 3) (i32.const 1))
            (i32.const 28)) (then unreachable))
        (if (i32.ne (call $header (i32.const 21) (i32.const 3) (i32.const 3) (i32.const 1))
            (i32.const 28)) (then unreachable))
        (if (call $write (i32.const 0) (i32.const 4)) (then unreachable))
        (if (i32.ne (call $status (i32.const 200)) (i32.const 7)) (then unreachable))
        (i32.const 0)"#;
    let loaded = loaded(texts, handle);
    let (world, _) = World::new();
    on_worker(async {
        let response = loaded.call(get("/"), world).await.unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["x-y"], "1");
        assert_eq!(response.headers().len(), 1);
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "x-y1");
    });
}

#[test]
fn what_handle_answers_is_the_status() {
    check("", "(i32.const 204)", Ok((204, "")));
    let written = "(drop (call $write (i32.const 0) (i32.const 0))) (i32.const 0)";
    check("", written, Ok((200, "")));
    check(
        "",
        "(i32.const 0)",
        Err((FaultKind::NoResponse, "composed no response")),
    );
    for wrong in [7, 100, 600, 1000, -1] {
        let text = format!("answered {wrong}, which is no status");
        check(
            "",
            &format!("(i32.const {wrong})"),
            Err((FaultKind::BadResponse, &text)),
        );
    }
    check("", "(unreachable)", Err((FaultKind::Trap, "unreachable")));
    check(
        "",
        "(call $exit (i32.const 3)) (i32.const 0)",
        Err((FaultKind::Trap, "code 3")),
    );
    check(
        "",
        "(call $exit (i32.const 0)) (i32.const 0)",
        Err((FaultKind::NoResponse, "code 0")),
    );
}

/// The body of a response is long, and read while the guest writes it.
#[test]
fn a_body_is_streamed_and_ends_as_its_guest_does() {
    let long = "(drop (call $write (i32.const 0) (i32.const 131072)))";
    let read = |handle: &str| {
        let loaded = loaded("", handle);
        let (world, seen) = World::new();
        on_worker(async {
            let response = loaded.call(get("/"), world).await.unwrap();
            assert!(
                seen.is_over.get().is_none(),
                "the guest waits for its reader"
            );
            let body = response.into_body().collect().await;
            body.map(|body| body.to_bytes().len())
        })
    };
    assert_eq!(
        read(&format!("{long} {long} (i32.const 0)")).unwrap(),
        262_144
    );
    let cut = read(&format!("{long} (unreachable)"))
        .unwrap_err()
        .to_string();
    assert!(cut.contains("unreachable"), "{cut}");
    let exit = read(&format!("{long} (call $exit (i32.const 0)) (i32.const 0)"));
    assert_eq!(exit.unwrap(), 131_072);
}

/// Of what kind a failure in the middle of a body is.
#[track_caller]
fn check_broken(then: &str, expected: FaultKind) {
    let handle =
        format!("(drop (call $write (i32.const 0) (i32.const 131072))) {then} (i32.const 0)");
    let mut function = function(FunctionKind::Core);
    function.limits.memory_bytes = 1 << 20;
    function.limits.time = Duration::from_millis(100);
    let loaded = load(&function, &module("", &handle)).unwrap();
    let (world, _) = World::new();
    let error = on_worker(async {
        let response = loaded.call(get("/"), world).await.unwrap();
        response.into_body().collect().await.unwrap_err()
    });
    match error {
        BodyError::Function { kind, text } => assert_eq!(kind, expected, "{text}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_failure_in_the_body_has_its_kind() {
    check_broken("(unreachable)", FaultKind::Trap);
    check_broken("(call $exit (i32.const 3))", FaultKind::Trap);
    check_broken("(loop $on (br $on))", FaultKind::Deadline);
    let grow = "(if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then unreachable))";
    check_broken(grow, FaultKind::Limit);
}

#[test]
fn a_guest_ends_with_its_reader() {
    let loaded = loaded(
        "",
        "(drop (call $write (i32.const 0) (i32.const 131072))) (i32.const 0)",
    );
    let (world, seen) = World::new();
    on_worker(async {
        drop(loaded.call(get("/"), world).await.unwrap());
        tokio::task::yield_now().await;
        assert!(seen.is_over.get().is_some());
    });
}

#[test]
fn ranges_beyond_memory_are_faults() {
    // The third page is that of the request.
    let calls = [
        "(call $log (i32.const 2) (i32.const 196607) (i32.const 2))",
        "(call $log (i32.const 2) (i32.const -1) (i32.const -1))",
        "(call $random (i32.const 196608) (i32.const 1))",
        "(call $write (i32.const 0) (i32.const -1))",
        "(call $write (i32.const -1) (i32.const 1))",
        "(call $header (i32.const -1) (i32.const 1) (i32.const 0) (i32.const 1))",
        "(call $setting (i32.const -1) (i32.const 1) (i32.const 0))",
        "(call $setting (i32.const 0) (i32.const 1) (i32.const 196604))",
        "(call $fetch (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $fetch (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 196592))",
    ];
    let mut function = function(FunctionKind::Core);
    function.settings = vec![("\0".into(), Variable::Text("value".into()))];
    for call in calls {
        let handle = format!("(i32.add (i32.const 400) {call})");
        let loaded = load(&function, &module("", &handle)).unwrap();
        assert_eq!(answer(&loaded, get("/")).unwrap().0, 421, "{call}");
    }
    let handle = "(i32.add (i32.const 400) (call $log (i32.const 9) (i32.const 0) (i32.const 1)))";
    check("", handle, Ok((428, "")));
    let handle = "(i32.add (i32.const 400) (call $random (i32.const 0) (i32.const 65537)))";
    check("", handle, Ok((422, "")));
}

#[test]
fn clocks_chance_settings_and_the_log_are_the_hosts() {
    let handle = r#"
        (drop (call $log (i32.const 3) (i32.const 0) (i32.const 5)))
        (if (i64.ne (call $clock_wall) (i64.const 1000000000000000000)) (then unreachable))
        (if (i64.ne (call $clock_monotonic) (i64.const 7000000000)) (then unreachable))
        (drop (call $random (i32.const 16) (i32.const 2)))
        (if (i32.ne (i32.load16_u (i32.const 16)) (i32.const 0x0707)) (then unreachable))
        (if (i32.ne (call $setting (i32.const 0) (i32.const 4) (i32.const 32)) (i32.const 44))
            (then unreachable))
        (if (call $setting (i32.const 0) (i32.const 5) (i32.const 32)) (then unreachable))
        (drop (call $write (i32.load (i32.const 32)) (i32.load (i32.const 36))))
        (i32.const 0)"#;
    let mut function = function(FunctionKind::Core);
    function.settings = vec![("hello".into(), Variable::Text("value".into()))];
    let module = module(r#"(data (i32.const 0) "hello")"#, handle);
    let loaded = load(&function, &module).unwrap();
    let (world, seen) = World::new();
    on_worker(async {
        let response = loaded.call(get("/"), world).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "value");
    });
    let lines = seen.lines.lock().unwrap();
    assert_eq!(*lines, [(Stream::Log(3), "hello".into())]);
}

#[test]
fn a_body_that_is_too_long_is_not_handed_over() {
    let mut function = function(FunctionKind::Core);
    function.limits.request_bytes = 4;
    let loaded = load(&function, &module("", "(i32.const 200)")).unwrap();
    let post = |text: &'static str| {
        let request = http::Request::post("http://here.example/");
        answer(&loaded, request.body(body(text)).unwrap())
            .unwrap()
            .0
    };
    assert_eq!(post("four"), 200);
    assert_eq!(post("fives"), 413);
}

/// A client that sends a beginning only would keep its place for ever.
#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let mut function = function(FunctionKind::Core);
    function.limits.timeout = Duration::from_millis(50);
    let loaded = load(&function, &module("", "(i32.const 200)")).unwrap();
    let never = http_body_util::StreamBody::new(stream::pending()).boxed_unsync();
    let request = http::Request::post("http://here.example/").body(never);
    assert_eq!(answer(&loaded, request.unwrap()).unwrap().0, 408);
}

/// The engine makes random bytes one by one, and nobody else of the worker runs meanwhile.
#[test]
fn nobody_waits_for_millions_of_random_bytes() {
    let ask = |bytes: u32| {
        let import = r#"(import "wasi_snapshot_preview1" "random_get"
            (func $get (param i32 i32) (result i32)))"#;
        let text = format!(
            r#"(module {import} (memory (export "memory") 1100)
            (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (i32.add (i32.const 200) (call $get (i32.const 0) (i32.const {bytes})))))"#
        );
        let module = wat::parse_str(text).unwrap();
        answer(
            &load(&function(FunctionKind::Core), &module).unwrap(),
            get("/"),
        )
    };
    assert_eq!(ask(1 << 20).unwrap().0, 200);
    let fault = ask(64 << 20).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.text.contains("exceeds limit 1048576"), "{fault}");
}

/// GET of an URL at 0; the answer's place is at 64.
const FETCH: &str = r#"(call $fetch (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 22)
    (i32.const 40) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 64))"#;
const FETCHED: &str = r#"(data (i32.const 0) "http://there.example/x")
    (data (i32.const 32) "GET") (data (i32.const 40) "a: b\n\n")"#;

/// The status, headers and body of a fetch, whose server answers so; or the number that it answered,
/// and the reason.
fn fetched(bytes: usize, granted: bool, parts: &str) -> (u16, String) {
    let mut function = function(FunctionKind::Core);
    function.limits.response_bytes = 100_000;
    let parts = format!("{FETCHED} {parts}");
    let handle = format!(
        "(drop (call $status (i32.add (i32.const 400) {FETCH})))
        (drop (call $write (i32.load (i32.const 68)) (i32.load (i32.const 72))))
        (drop (call $write (i32.load (i32.const 76)) (i32.load (i32.const 80))))
        (i32.const 0)"
    );
    let loaded = load(&function, &module(&parts, &handle)).unwrap();
    let (mut world, _) = World::new();
    let asked = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&asked);
    world.fetcher = Box::new(move |fetch| {
        let request = &fetch.request;
        *told.lock().unwrap() = format!(
            "{} {} {:?}",
            request.method(),
            request.uri(),
            request.headers()
        );
        Box::pin(async move {
            if !granted {
                return Err(FetchError::NotGranted("there.example".into()));
            }
            let mut response = Response::new(body(vec![b'x'; bytes]));
            response.headers_mut().insert("c", "d".parse().unwrap());
            Ok(response)
        })
    });
    on_worker(async {
        let response = loaded.call(get("/"), world).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(
            *asked.lock().unwrap(),
            "GET http://there.example/x {\"a\": \"b\"}"
        );
        (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
    })
}

#[test]
fn what_is_fetched_lies_in_memory_whole() {
    for parts in ["", MALLOC] {
        let (code, text) = fetched(100_000, true, parts);
        assert_eq!(code, 400);
        assert_eq!(text, format!("c: d\n{}", "x".repeat(100_000)));
        let (code, text) = fetched(100_001, true, parts);
        assert_eq!(
            (code, text.contains("limits.response_bytes")),
            (422, true),
            "{text}"
        );
        let (code, text) = fetched(1, false, parts);
        assert_eq!((code, text.contains("no grant")), (402, true), "{text}");
    }
}

/// A guest of the demonstrations: fetches a URL as its parameters say, and answers what came.
fn demonstrated(name: &str, added: &str, parts: &str, granted: bool) -> (u16, usize) {
    let types = if added.is_empty() { "" } else { " i32 i32" };
    let text = format!(
        r#"(module {IMPORTS}
            (import "env" "{name}" (func $get (param i32 i32 i32 i32{types}) (result i32)))
            (memory (export "memory") 2) {FETCHED} {parts}
            (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (i32.store (i32.const 72) (i32.const 0x5a5a5a5a))
                (if (i32.eqz (call $get (i32.const 0) (i32.const 22) (i32.const 64)
                        (i32.const 68) {added}))
                    (then (return (i32.const 502))))
                (if (i32.ne (i32.load (i32.const 72)) (i32.const 0x5a5a5a5a)) (then unreachable))
                (drop (call $write (i32.load (i32.const 64)) (i32.load (i32.const 68))))
                (i32.const 0)))"#
    );
    let module = wat::parse_str(text).unwrap();
    let loaded = load(&function(FunctionKind::Core), &module).unwrap();
    let (mut world, seen) = World::new();
    if granted {
        world.fetcher = Box::new(|_| Box::pin(async { Ok(Response::new(body(vec![1; 300_000]))) }));
    }
    let told = on_worker(async {
        let response = loaded.call(get("/"), world).await.unwrap();
        let status = response.status().as_u16();
        (
            status,
            response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .len(),
        )
    });
    let lines = seen.lines.lock().unwrap();
    assert_eq!(lines.is_empty(), granted, "{lines:?}");
    told
}

#[test]
fn the_demonstration_fetches_without_a_cut() {
    for name in ["main.getHttpResp", "get_http_resp"] {
        for added in ["", "(i32.const 0) (i32.const 0)"] {
            for parts in ["", MALLOC] {
                assert_eq!(demonstrated(name, added, parts, true), (200, 300_000));
                assert_eq!(demonstrated(name, added, parts, false), (502, 0));
            }
        }
    }
}

#[track_caller]
fn check_refused(kind: FunctionKind, text: &str, expected: &str) {
    let refused = load(&function(kind), &wat::parse_str(text).unwrap());
    let told = refused.map(|_| ()).unwrap_err().to_string();
    assert!(told.contains(expected), "{told}");
}

#[test]
fn modules_that_cannot_be_called_are_explained() {
    let handle = r#"(func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (i32.const 0))"#;
    let memory = r#"(memory (export "memory") 1)"#;
    let check =
        |text: &str, part| check_refused(FunctionKind::Core, &format!("(module {text})"), part);
    check(
        memory,
        "expected a function handle (i32 × 8) -> (i32); the module exports no function",
    );
    let other = r#"(func (export "handle") (param i64)) (func (export "f"))"#;
    check(&format!("{memory} {other}"), "the module exports handle");
    check(handle, "a memory of 32-bit addresses");
    check(
        &format!(r#"(memory (export "memory") i64 1) {handle}"#),
        "a memory of 32-bit addresses",
    );
    let add = r#"(import "env" "add" (func (param f64 f64) (result f64)))"#;
    check(
        &format!("{add} {memory} {handle}"),
        "imports env \"add\" as",
    );
    let none = r#"(import "env" "no_such" (func))"#;
    check(&format!("{none} {memory} {handle}"), "no_such");
    check_refused(
        FunctionKind::Command,
        "(module)",
        "expected a function _start",
    );
    check_refused(FunctionKind::Core, "(component)", "expected a core module");
}
