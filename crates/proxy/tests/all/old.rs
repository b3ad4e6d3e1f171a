//! Guests of ABI 0.1.0 and 0.2.0: statements 5, 15 and 16.

use weir_guest::abi::AbiVersion;

use crate::guest::guest_of;
use crate::stage::{GET, is_oracle, with};

#[test]
fn s005_s015_headers_callbacks_with_two_arguments() {
    let script = r#"(configure (configuration) 1)
        (request_headers (show "n" (i32.ne $n 0)) (configuration) (get 0 "x-absent") (get 2 ":status") (clear_route))
        (response_headers (get 2 ":status") (get 2 "x-absent"))
        (log (get 0 "x-absent") (get 1 "x-absent"))"#;
    let gateway = with(guest_of(AbiVersion::V0_1_0, script))
        .tune(|filter| {
            filter.configuration = "plugin".into();
            filter.vm_configuration = "vm".into();
        })
        .start();
    assert_eq!(gateway.ask(GET).brief(), (200, "ok"));
    let expected = [
        "configuration 0 plugin",
        "n 1",
        "configuration 0 vm",
        "get 0 -",
        "get 2",
        "clear_route 0",
        "get 0 200",
        "get 0 -",
        "get 0 -",
        "get 0 -",
    ];
    let logs = gateway.logs_when(0, if is_oracle() { 11 } else { 10 });
    assert_eq!(logs[logs.len() - 10..], expected);
}

#[test]
fn old_guests_resume_by_their_own_functions() {
    let script = r#"(request_headers (!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000) (set a $ctx) 1)
        (http_call_response (!effective @a) (if (i32.eqz @b) (then (continue_request)) (else (continue_response))) (bump b))
        (response_headers (!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000) 1)"#;
    let gateway = with(guest_of(AbiVersion::V0_1_0, script)).start();
    assert_eq!(gateway.ask(GET).brief(), (200, "ok"));
    gateway.check(0, &["continue_request 0", "continue_response 0"]);
}

#[test]
fn s005_guests_of_0_2_0() {
    let gateway = with(guest_of(
        AbiVersion::V0_2_0,
        r#"(request_headers (show "end" $end) (get 0 "x-absent"))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).brief(), (200, "ok"));
    gateway.check(0, &["end 1", "get 1"]);
}

#[test]
fn s110_old_guests_clear_the_route_by_a_call() {
    let script = r#"(request_headers (!add 0 "x-route" "side") (clear_route))"#;
    let gateway = with(guest_of(AbiVersion::V0_1_0, script)).start();
    assert_eq!(gateway.ask(GET).status, 200);
    assert_eq!(
        (gateway.upstream.seen().len(), gateway.side.seen().len()),
        (0, 1)
    );
}
