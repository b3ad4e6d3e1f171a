//! What ends with an exchange, and guests beside the chain.

use crate::guest::guest;
use crate::stage::{GET, Role, Stage, is_oracle, with};
use crate::upstream::Answers;

const CALL: &str = r#"(!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000)"#;

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

#[test]
fn a_reply_while_the_upstream_is_silent_frees_it() {
    let script = format!(
        r#"(request_headers {CALL} (set a $ctx) 0)
           (http_call_response (!effective @a) (reply 403 "d" "no" "" -1))"#
    );
    let gateway = with(guest(&script)).answers(Answers::Never).start();
    assert_eq!(gateway.ask(GET).brief(), (403, "no"));
    gateway.upstream.until(|seen| seen.broke_off);
    assert!(is_oracle() || gateway.details() == "d");
}

#[test]
fn log_filters_see_every_exchange_with_its_maps() {
    let gateway = Stage::new()
        .filter(guest(r#"(log (show "log" $ctx) (get 0 ":path") (get 2 ":status") (prop_number "response\00code") (prop "xds\00route_name"))"#))
        .role(Role::Log)
        .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &[
            "log 1",
            "get 0 /p?q=1",
            "get 0 200",
            "prop_number 0 200",
            "prop 0 main",
        ],
    );
}

#[test]
fn background_plugins_run_once_without_traffic() {
    let gateway = Stage::new()
        .filter(guest(
            r#"(configure (tick_every 20) 1)
               (tick (bump a) (if (i32.eq @a 1) (then (show "tick" $ctx)
                 (call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000))))
               (http_call_response (get 6 ":status") (prop "plugin_name"))"#,
        ))
        .role(Role::Background)
        .workers(2)
        .start();
    let name = format!("prop 0 {}", gateway.name(0));
    gateway.until(0, &name);
    let logs = gateway.logs(0);
    assert_eq!(
        logs[logs.len() - 5..],
        ["tick_every 0", "tick 1", "call 0 4", "get 0 200", &name]
    );
}

/// Behind the unread rest of a request nobody saw that the client had gone.
#[test]
fn a_client_that_goes_while_its_answer_is_held_is_noticed() {
    for rest in ["3\r\nabc\r\n0\r\n\r\n", "3\r\na"] {
        let gateway = with(guest(
            r#"(response_body (say "held") 1) (log (say "over"))"#,
        ))
        .start();
        let mut client = gateway.client();
        client.send("POST /other HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n");
        gateway.until(0, "held");
        client.send(rest);
        client.hang_up();
        gateway.until(0, "over");
        assert_eq!(gateway.details(), "downstream_remote_disconnect");
    }
}
