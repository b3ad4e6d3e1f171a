//! Several filters, and what shares a VM: statements 36 to 45 and 151 to 155.

use weir_model::Isolation;

use crate::guest::guest;
use crate::stage::{GET, Gateway, Role, Stage, is_oracle, with};

const POST: &str = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc";

/// Each filter appends its letter to a header of both sides, and to both bodies.
fn letter(letter: &str) -> Vec<u8> {
    guest(&format!(
        r#"(request_headers (!add 0 "x-order" "{letter}") (!remove 0 "content-length"))
           (request_body (if $end (then (!write 0 0x7fffffff 0 "{letter}") (return 0))) 1)
           (response_headers (!add 2 "x-order" "{letter}") (!remove 2 "content-length"))
           (response_body (if $end (then (!write 1 0x7fffffff 0 "{letter}") (return 0))) 1)"#
    ))
}

#[test]
fn s151_s154_requests_go_in_order_and_responses_backwards() {
    let gateway = Stage::new()
        .filter(letter("A"))
        .filter(letter("B"))
        .filter(letter("C"))
        .start();
    let response = gateway.ask(POST);
    assert_eq!(
        (response.brief(), response.all("x-order")),
        ((200, "okCBA"), vec!["C", "B", "A"])
    );
    let seen = gateway.forwarded();
    assert_eq!(
        (&*seen.body, seen.all("x-order")),
        ("abcABC", vec!["A", "B", "C"])
    );
}

#[test]
fn s152_s153_a_local_reply_passes_the_filters_that_saw_the_request() {
    let replying = r#"(trace) (request_headers (!reply 403 "d" "no" "" -1)) (response_headers (!add 2 "x-order" "B"))"#;
    let tracing = |letter: &str| {
        guest(&format!(
            r#"(trace) (response_headers (!add 2 "x-order" "{letter}"))"#
        ))
    };
    let gateway = Stage::new()
        .filter(tracing("A"))
        .filter(guest(replying))
        .filter(tracing("C"))
        .start();
    let response = gateway.ask(GET);
    assert_eq!(
        (response.brief(), response.all("x-order")),
        ((403, "no"), vec!["B", "A"])
    );
    gateway.until(0, "delete 2");
    assert!(gateway.logs(0).contains(&"response_headers 2".to_owned()));
    let third: Vec<String> = gateway
        .logs(2)
        .into_iter()
        .filter(|line| line != "context_create 1")
        .collect();
    assert!(
        !third.iter().any(|line| line.contains("headers")),
        "{third:?}"
    );
    assert!(gateway.upstream.seen().is_empty());
}

#[test]
fn s155_s190_logs_come_in_order_before_the_ends() {
    let script = r#"(trace)"#;
    let shared = |filter: &mut weir_model::Filter| {
        filter.isolation = Isolation::Module;
        filter.vm_id = "one".into();
    };
    let gateway = Stage::new()
        .filter(guest(script))
        .tune(shared)
        .filter(guest(script))
        .tune(shared)
        .tune(|filter| filter.configuration = "other".into())
        .start();
    gateway.ask(GET);
    gateway.until(0, "delete 3");
    gateway.until(1, "delete 4");
    let lines = |filter: usize| {
        let logs = gateway.logs(filter);
        let at = logs
            .iter()
            .position(|line| line.starts_with("log"))
            .expect("a log callback");
        logs[at..].to_vec()
    };
    assert_eq!(lines(0), ["log 3", "done 3", "delete 3"]);
    assert_eq!(lines(1), ["log 4", "done 4", "delete 4"]);
}

#[test]
fn s026_to_s031_start_up() {
    let gateway = with(guest(
        r#"(context_create (show "create" $ctx) (show "parent" $parent))
           (vm_start (show "start" $size) (read 6 0 99) (read 7 0 99))
           (configure (show "configure" $size) (read 6 0 99) (read 7 0 99))
           (request_headers (read 6 0 99) (read 7 0 99))"#,
    ))
    .tune(|filter| {
        filter.vm_configuration = "vm".into();
        filter.configuration = "plugin".into();
    })
    .start();
    gateway.ask(GET);
    let expected = [
        "create 1",
        "parent 0",
        "start 2",
        "read 0 vm",
        "read 1",
        "configure 6",
        "read 0 vm",
        "read 0 plugin",
        "create 2",
        "parent 1",
        "read 0 vm",
        "read 1",
    ];
    gateway.until(0, "create 2");
    let logs = gateway.logs(0);
    assert_eq!(logs[logs.len() - expected.len()..], expected);
}

#[test]
fn s032_s033_a_guest_may_refuse_to_start() {
    for (script, word) in [
        ("(vm_start 0)", "vm_start"),
        ("(configure 0)", "configure"),
        ("(vm_start (unreachable))", "vm_start"),
    ] {
        let error = with(guest(script))
            .try_start()
            .map(|_| ())
            .expect_err("a refusal");
        assert!(is_oracle() || error.contains(word), "{error}");
    }
}

const COUNTER: &str = r#"(request_headers (bump a) (show "count" @a) (show "ctx" $ctx))"#;

fn pair(isolation: Isolation, change: impl Fn(&mut weir_model::Filter)) -> Gateway {
    Stage::new()
        .filter(guest(COUNTER))
        .tune(|filter| (filter.isolation, filter.vm_id) = (isolation, "one".into()))
        .filter(guest(COUNTER))
        .tune(|filter| (filter.isolation, filter.vm_id) = (isolation, "one".into()))
        .tune(change)
        .start()
}

#[test]
fn s039_s042_one_vm_by_module() {
    let gateway = pair(Isolation::Module, |filter| {
        filter.configuration = "other".into();
    });
    gateway.ask(GET);
    gateway.check(0, &["count 1", "ctx 3"]);
    gateway.check(1, &["count 2", "ctx 4"]);
}

#[test]
fn s040_s041_other_identities_have_other_vms() {
    for change in [
        (|filter| filter.vm_id = "two".into()) as fn(&mut weir_model::Filter),
        |filter| filter.vm_configuration = "other".into(),
    ] {
        let gateway = pair(Isolation::Module, change);
        gateway.ask(GET);
        gateway.check(0, &["count 1", "ctx 2"]);
        gateway.check(1, &["count 1", "ctx 2"]);
    }
    if !is_oracle() {
        let gateway = pair(Isolation::Plugin, |_| {});
        gateway.ask(GET);
        gateway.check(1, &["count 1", "ctx 2"]);
    }
}

#[test]
fn s037_s191_stream_ids_grow_and_are_not_used_again() {
    let gateway = with(guest(r#"(request_headers (show "ctx" $ctx))"#)).start();
    let mut client = gateway.client();
    for _ in 0..3 {
        client.send(GET);
        client.response();
    }
    gateway.check(0, &["ctx 2", "ctx 3", "ctx 4"]);
}

#[test]
fn s044_workers_have_vms_of_their_own() {
    let gateway = with(guest(r#"(configure (bump a) (show "count" @a))"#))
        .workers(3)
        .start();
    gateway.until(0, "count 1");
    assert!(!gateway.logs(0).contains(&"count 2".to_owned()));
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
