//! Stream control and contexts: statements 180 to 196.

use crate::guest::guest;
use crate::stage::{GET, Role, is_oracle, with};
use crate::upstream::Answers;

const CALL: &str = r#"(!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000)"#;

#[test]
fn s180_s181_s185_s186_numbers() {
    let gateway = with(guest(
        r#"(request_headers (continue 4) (continue 3) (continue 2) (close 5) (effective 99) (effective 0) (effective $ctx) (effective 1)
            (prop "request\00path") (effective 0))
           (response_body (if $end (then (continue 0))))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).brief(), (200, "ok"));
    gateway.check(
        0,
        &[
            "continue 2",
            "continue 12",
            "continue 0",
            "close 2",
            "effective 2",
            "effective 0",
            "effective 0",
            "effective 0",
            "prop 1",
            "effective 0",
            "continue 0",
        ],
    );
}

#[test]
fn s182_continue_within_a_callback_that_stops() {
    let gateway = with(guest("(request_headers (!continue 0) 1)")).start();
    assert_eq!(gateway.ask(GET).brief(), (200, "ok"));
    if !is_oracle() {
        let request = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(gateway.ask(request).brief(), (200, "ok"));
    }
}

#[test]
fn s183_s184_closing_resets_the_stream() {
    let gateway = with(guest("(trace) (request_headers (!close 0) 0)")).start();
    let response = gateway.ask(GET);
    assert_eq!((response.status, response.was_cut), (0, true));
    gateway.until(0, "delete 2");
    let logs = gateway.logs(0);
    assert_eq!(
        logs[logs.len() - 4..],
        ["request_headers 2", "log 2", "done 2", "delete 2"]
    );
    assert_eq!(gateway.details(), "wasm_close_stream");
}

#[test]
fn s183_closing_from_a_timer() {
    let gateway = with(guest(
        r#"(configure (!tick_every 30) 1) (request_headers (set a $ctx) 1)
           (tick (if @a (then (effective @a) (close 1) (set a 0))))"#,
    ))
    .start();
    assert!(gateway.ask(GET).was_cut);
    assert_eq!(gateway.details(), "wasm_close_stream");
}

#[test]
fn s187_s188_s251_a_timer_acts_on_a_paused_stream() {
    let gateway = with(guest(
        r#"(request_headers (tick_every 20) (set a $ctx) 1)
           (tick (show "tick" $ctx) (if @a (then (effective @a) (get 0 ":path") (replace 0 ":path" "/new") (!continue 0) (set a 0)
                 (tick_every 0))))
           (response_headers (prop "plugin_name"))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    let name = format!("prop 0 {}", gateway.name(0));
    gateway.check(
        0,
        &[
            "tick_every 0",
            "tick 1",
            "effective 0",
            "get 0 /p?q=1",
            "replace 0",
            "tick_every 0",
            &name,
        ],
    );
    assert_eq!(gateway.forwarded().path(), "/new");
}

#[test]
fn s188_the_effective_context_ends_with_its_callback() {
    let gateway = with(guest(
        r#"(configure (!tick_every 20) 1)
           (request_headers (set a $ctx) 1)
           (tick (if @a (then (if @b (then (get 0 ":path") (!effective @a) (!continue 0) (set a 0))
                                (else (set b 1) (!effective @a) (get 0 ":path"))))))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["get 0 /p?q=1", "get 2"]);
}

#[test]
fn s189_callouts_report_to_the_root() {
    let gateway = with(guest(&format!(
        r#"(request_headers {CALL} (set a $ctx) 1)
           (http_call_response (show "ctx" $ctx) (prop "request\00path") (!effective @a) (prop "request\00path") (!continue 0))"#
    )))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["ctx 1", "prop 1", "prop 0 /p?q=1"]);
}

#[test]
fn s190_to_s192_the_end_of_a_stream() {
    let gateway = with(guest("(trace) (done 0)")).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.until(0, "delete 2");
    let mut logs = gateway.logs(0);
    // Envoy shows the end of a body on its own.
    logs.dedup();
    let at = logs
        .iter()
        .position(|line| line == "context_create 2")
        .expect("a context");
    assert_eq!(
        logs[at..],
        [
            "context_create 2",
            "request_headers 2",
            "response_headers 2",
            "response_body 2",
            "log 2",
            "done 2",
            "delete 2"
        ]
    );
}

#[test]
fn s193_s194_a_root_may_delay_its_end() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(
        r#"(configure (!tick_every 20) (done_now) 1) (done (show "done" $ctx) (set a 1) 0) (delete (show "delete" $ctx))
           (tick (if @a (then (done_now) (done_now) (set a 0) (say "still here"))))"#,
    ))
    .role(Role::Background)
    .start();
    let lines = gateway.lines(0);
    gateway.drain();
    let logs = crate::upstream::locked(&lines).clone();
    assert_eq!(
        logs,
        [
            "done_now 1",
            "done 1",
            "done_now 0",
            "done_now 1",
            "still here",
            "delete 1"
        ]
    );
}

#[test]
fn s195_a_request_that_no_filter_saw() {
    let gateway = with(guest("(trace)")).start();
    let response = gateway.ask("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(response.status, 400);
    let logs = gateway.logs(0);
    assert!(
        !logs.iter().any(|line| line.contains("request_headers")),
        "{logs:?}"
    );
}

#[test]
fn s196_callbacks_never_nest() {
    let enter = r#"(bump b) (if (i32.ne @b 1) (then (say "nested")))"#;
    let leave = "(set b 0)";
    let gateway = with(guest(&format!(
        r#"(request_headers {enter} (!call "dead" "{{:method:GET;:path:/;:authority:s}}" "" "" 1000) {CALL} (set a $ctx) {leave} 1)
           (http_call_response {enter} (!effective @a) (!continue 0) {leave})
           (response_headers {enter} (!continue 1) {leave} 0)
           (response_body {enter} {leave} 0) (log {enter} {leave}) (delete {enter} {leave})"#
    )))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &[]);
}

#[test]
fn a_silent_upstream_does_not_keep_a_closed_stream() {
    let gateway = with(guest(&format!(
        "(request_headers {CALL} (set a $ctx) 0) (http_call_response (!effective @a) (!close 0))"
    )))
    .answers(Answers::Never)
    .start();
    assert!(gateway.ask(GET).was_cut);
    gateway.upstream.until(|seen| seen.broke_off);
}
