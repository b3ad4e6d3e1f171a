//! Buffers: statements 114 to 126.

use crate::guest::guest;
use crate::stage::{GET, is_oracle, with};

const POST: &str = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nabcdef";

/// What the steps log when they see a whole body, `abcdef`, and what the upstream gets then.
#[track_caller]
fn check(steps: &str, expected: &[&str], body: &str) {
    let script = format!(
        r#"(request_headers (!remove 0 "content-length"))
           (request_body (if (i32.eqz $end) (then (return 1))) {steps})"#
    );
    let gateway = with(guest(&script)).start();
    assert_eq!(gateway.ask(POST).status, 200);
    gateway.check(0, expected);
    let seen = gateway.forwarded();
    let framing = if body.is_empty() && !is_oracle() {
        vec![]
    } else {
        vec!["chunked"]
    };
    assert_eq!(
        (&*seen.body, seen.all("transfer-encoding")),
        (body, framing)
    );
}

#[test]
fn s114_to_s116_s118_reading() {
    check(
        r#"(read 0 0 -1) (read 0 0 0x7fffffff) (read 0 7 1) (read 0 6 1) (read 0 2 3) (read 0 2 0) (length 0) (read 1 0 9) (length 1)"#,
        &[
            "read 0 abcdef",
            "read 0 abcdef",
            "read 0 -",
            "read 0 -",
            "read 0 cde",
            "read 0 -",
            "length 0 6 0",
            "read 0 -",
            "length 0 0 0",
        ],
        "abcdef",
    );
}

#[test]
fn s117_there_is_no_body_in_headers() {
    let gateway = with(guest(r#"(request_headers (read 0 0 -1) (length 0) (write 0 0 0 "x") (read 1 0 9) (write 1 0 0 "x"))"#)).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &["read 0 -", "length 0 0 0", "write 2", "read 0 -", "write 2"],
    );
}

#[test]
fn s119_s124_other_buffers() {
    let gateway = with(guest(
        r#"(request_headers (read 9 0 9) (read 10 0 9) (write 9 0 0 "x") (length 9)
            (write 2 0 0 "x") (write 3 0 0 "x") (write 4 0 0 "x") (write 5 0 0 "x") (write 6 0 0 "x") (write 7 0 0 "x") (write 8 0 0 "x")
            (read 2 0 9) (read 3 0 9) (read 4 0 9) (read 5 0 9) (read 6 0 9) (read 7 0 9))"#,
    ))
    .tune(|filter| filter.vm_configuration = "vm".into())
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &[
            "read 2",
            "read 2",
            "write 2",
            "length 2",
            "write 2",
            "write 2",
            "write 1",
            "write 2",
            "write 2",
            "write 1",
            "write 2",
            "read 0 -",
            "read 0 -",
            "read 1",
            "read 0 -",
            "read 0 vm",
            "read 1",
        ],
    );
}

#[test]
fn s120_to_s122_writing() {
    check(
        r#"(write 0 0 0 "x") (read 0 0 9)"#,
        &["write 0", "read 0 xabcdef"],
        "xabcdef",
    );
    check(r#"(write 0 6 0 "x")"#, &["write 0"], "abcdefx");
    check(r#"(write 0 0x7fffffff 0 "x")"#, &["write 0"], "abcdefx");
    check(r#"(write 0 0 6 "x")"#, &["write 0"], "x");
    check(r#"(write 0 0 0x7fffffff "x")"#, &["write 0"], "x");
    check(
        r#"(write 0 0 4 "x") (length 0)"#,
        &["write 0", "length 0 3 0"],
        "xef",
    );
    check(
        r#"(write 0 3 1 "x") (read 0 0 9)"#,
        &["write 2", "read 0 abcdef"],
        "abcdef",
    );
}

#[test]
fn s123_an_emptied_body_arrives_empty() {
    check(
        r#"(write 0 0 6 "") (length 0)"#,
        &["write 0", "length 0 0 0"],
        "",
    );
}

#[test]
fn s125_an_edited_response_arrives_whole() {
    let gateway = with(guest(
        r#"(response_headers (!remove 2 "content-length"))
           (response_body (if (i32.eqz $end) (then (return 1))) (read 1 0 -1) (write 1 0 -1 "longer than before"))"#,
    ))
    .start();
    let response = gateway.ask(GET);
    assert_eq!(
        (response.brief(), response.field("content-length")),
        ((200, "longer than before"), "")
    );
    gateway.check(0, &["read 0 ok", "write 0"]);
}

#[test]
fn s126_the_content_length_is_the_guests_affair() {
    let gateway = with(guest(r#"(response_body (if (i32.eqz $end) (then (return 1))) (write 1 0 -1 "longer") (get 2 "content-length"))"#)).start();
    let response = gateway.ask(GET);
    assert_eq!(response.field("content-length"), "2");
}
