//! Metrics and foreign functions: statements 265 to 279.

use crate::guest::guest;
use crate::stage::{GET, Stage, is_oracle, with};

/// What a script in the request's headers callback logs for the plain request.
#[track_caller]
fn check(steps: &str, expected: &[&str]) {
    let gateway = with(guest(&format!("(request_headers {steps})"))).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, expected);
}

#[test]
fn s265_to_s270_metrics() {
    check(r#"(define 3 "x")"#, &["define 2"]);
    check(
        r#"(define 0 "c") (set a (out)) (increment @a 5) (metric @a) (increment @a -1) (increment @a 0) (record @a 7) (metric @a)"#,
        &[
            "define 0 4",
            "increment 0",
            "metric 0 5",
            "increment 2",
            "increment 2",
            "record 0",
            "metric 0 12",
        ],
    );
    check(
        r#"(define 1 "g") (set a (out)) (increment @a 5) (increment @a -2) (metric @a) (record @a 9) (metric @a)"#,
        &[
            "define 0 5",
            "increment 0",
            "increment 0",
            "metric 0 3",
            "record 0",
            "metric 0 9",
        ],
    );
    check(
        r#"(define 2 "h") (set a (out)) (record @a 3) (increment @a 1) (metric @a)"#,
        &["define 0 6", "record 0", "increment 2", "metric 2"],
    );
    check(
        r#"(increment 400 1) (record 400 1) (metric 400) (increment 403 1) (metric 403) (record 403 1)"#,
        &[
            "increment 1",
            "record 1",
            "metric 1",
            "increment 2",
            "metric 2",
            "record 1",
        ],
    );
    // Envoy 1.40 gives a new id for the same metric; later ones do not.
    let again = if is_oracle() {
        "define 0 12"
    } else {
        "define 0 4"
    };
    check(
        r#"(define 0 "c") (define 0 "d") (define 1 "c") (define 0 "c")"#,
        &["define 0 4", "define 0 8", "define 0 5", again],
    );
}

#[test]
fn s271_s272_one_name_is_one_metric() {
    let script =
        r#"(configure (!define 0 "hits") 1) (request_headers (!increment 4 2) (metric 4))"#;
    let gateway = Stage::new()
        .filter(guest(script))
        .filter(guest(script))
        .start();
    gateway.ask(GET);
    gateway.check(0, &["metric 0 2"]);
    gateway.check(1, &["metric 0 4"]);
    let text = gateway.metrics_text();
    assert!(is_oracle() || text.contains("hits"), "{text}");
}

#[test]
fn s273_s279_foreign_functions() {
    check(
        r#"(foreign "nosuch" "x") (foreign "compress" "x" 0 0) (foreign "clear_route_cache" "") (foreign "set_envoy_filter_state" "\0a\01x\12\01y")"#,
        &["foreign 1 -", "foreign 0 -", "foreign 0 -", "foreign 1 -"],
    );
}

#[test]
fn s274_compression() {
    check(
        r#"(foreign "uncompress" "\78\9c\4b\4c\4a\06\00\02\4d\01\27") (foreign "uncompress" "rubbish")"#,
        &["foreign 0 abc", "foreign 3 -"],
    );
}

#[test]
fn s275_expressions() {
    check(
        r#"(foreign_number "expr_create" "request.path == '/p?q=1'") (foreign_number "expr_evaluate" "\00\00\00\00")
           (foreign_number "expr_create" "request.method") (foreign "expr_evaluate" "\01\00\00\00")
           (foreign "expr_create" "1 +") (foreign "expr_evaluate" "\07\00\00\00") (foreign "expr_evaluate" "\07")
           (foreign "expr_delete" "\00\00\00\00") (foreign "expr_evaluate" "\00\00\00\00")"#,
        &[
            "foreign_number 0 0",
            "foreign_number 0 1",
            "foreign_number 0 1",
            "foreign 0 GET",
            "foreign 2 -",
            "foreign 1 -",
            "foreign 2 -",
            "foreign 0 -",
            "foreign 1 -",
        ],
    );
}

#[test]
fn s276_a_signature_needs_a_key() {
    check(
        r#"(foreign "verify_signature" "\0a\06sha256") (foreign "verify_signature" "rubbish")"#,
        &["foreign 2 -", "foreign 2 -"],
    );
}
