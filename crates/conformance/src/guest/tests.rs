//! Scripts that are right, and what is said of those that are not.

//! What becomes a module, and what is told of scripts that do not.

use super::*;

fn check(script: &str) {
    for abi in ABIS {
        if let Err(flaw) = compile(abi, script) {
            panic!("{abi}: line {}: {}", flaw.line, flaw.what);
        }
    }
}

fn check_flaw(script: &str, line: usize, what: &str) {
    let flaw = compile("0.2.1", script).unwrap_err();
    assert_eq!(flaw.line, line, "{}", flaw.what);
    assert!(flaw.what.contains(what), "{}", flaw.what);
}

#[test]
fn scripts_become_modules() {
    check("(trace)");
    check(r#"(request_headers (get 0 ":path") (show "n" $n) 1)"#);
    check(r#"(request_body (if (i32.eqz @b) (then (show "size" $size))) (set b 1))"#);
    check(r#"(tick (wasi clock_time_get 0 1000 64) (!wasi_unstable fd_write 1 100 1 64))"#);
    check(r#"(import "env" "proxy_done" (func $d (result i32))) (tick (show "d" (call $d)))"#);
    check(r#"(log (local $x i64) (local.set $x (i64.const 5)) (show64 "x" (local.get $x)))"#);
    check(
        r#"(grpc_close (show "s" $status) (show "t" $token)) (downstream_connection_close (show "p" $peer))"#,
    );
    check(
        r#"(func (export "malloc") (param i32) (result i32) (i32.const 0)) (configure (increment 1 -1))"#,
    );
    check(r#"(request_headers (grpc_call "side" "s" "m" "" "x" 1000) (redis_call "c" "q"))"#);
}

#[test]
fn flaws_are_told_with_their_line() {
    check_flaw("(request_headers\n  (get 0 x))", 2, "`x` is no value");
    check_flaw("(request_headers)\n(nosuch)", 2, "nosuch");
    check_flaw("(log 1)", 1, "returns nothing");
    check_flaw("(log (get 1))", 1, "takes 5 numbers");
    check_flaw("(log (wasi nosuch))", 1, "nosuch");
    check_flaw("(log (!nosuch))", 1, "no host call");
    check_flaw("(log", 1, "never closed");
    check_flaw("\"x\"", 1, "callback in brackets");
}
