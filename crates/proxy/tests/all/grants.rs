//! What a filter is granted, and what it sees of an exchange.

mod files;
mod sees;

use std::collections::BTreeSet;
use std::time::Duration;

use weir_model::{Filter, GrantMode, Grants, Pattern, Randomness};
use weir_proxy::touched::Kind;

use crate::guest::guest;
use crate::stage::{GET, Gateway, Stage, is_oracle, with};

/// A filter with these grants.
fn granted(script: &str, grants: Grants) -> Stage {
    with(guest(script)).tune(|filter| filter.grants = grants)
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn patterns(names: &[&str]) -> Vec<Pattern> {
    names.iter().map(|name| Pattern::of(name)).collect()
}

fn clusters(names: &[&str]) -> Grants {
    Grants {
        clusters: Some(names.iter().map(|name| (*name).into()).collect()),
        ..Grants::default()
    }
}

/// Refusals of a filter: kind and name.
fn refused(gateway: &Gateway, filter: usize) -> Vec<(Kind, String)> {
    let touched = gateway.touched(filter).into_iter();
    let refused = touched.filter(|(_, _, refused)| *refused > 0);
    refused.map(|(kind, name, _)| (kind, name)).collect()
}

#[track_caller]
fn check(script: &str, grants: Grants, expected: &[&str], refusals: &[(Kind, &str)]) -> Gateway {
    let gateway = granted(script, grants).start();
    gateway.ask(GET);
    gateway.check(0, expected);
    let refusals: Vec<_> = refusals
        .iter()
        .map(|(k, n)| (*k, (*n).to_owned()))
        .collect();
    assert_eq!(refused(&gateway, 0), refusals);
    gateway
}

#[test]
fn clusters_that_are_not_granted_answer_as_if_they_were_not_there() {
    if is_oracle() {
        return;
    }
    let script = |cluster: &str| {
        format!(
            r#"(request_headers
                (call "{cluster}" "{{:method:GET;:path:/c;:authority:s}}" "" "" 1000)
                (grpc_call "{cluster}" "s" "m" "" "" 1000)
                (grpc_stream "{cluster}" "s" "m" "")
                (redis_init "{cluster}" "" "" 100)
                (redis_call "{cluster}" "*1\0d\0a$4\0d\0aPING\0d\0a"))"#
        )
    };
    let absent = [
        "call 2 0",
        "grpc_call 4 0",
        "grpc_stream 4 0",
        "redis_init 2",
        "redis_call 2 0",
    ];
    check(&script("nowhere"), clusters(&["nowhere"]), &absent, &[]);
    let one = [(Kind::Cluster, "side")];
    let gateway = check(&script("side"), clusters(&["up"]), &absent, &one);
    assert!(gateway.side.seen().is_empty(), "nothing was sent");
    let allowed = [
        "call 0",
        "grpc_call 0",
        "grpc_stream 0",
        "redis_init 0",
        "redis_call 0",
    ];
    let gateway = granted(&script("side"), clusters(&["side"])).start();
    gateway.ask(GET);
    let lines = gateway.logs_when(0, 5);
    for (line, expected) in lines.iter().zip(allowed) {
        assert!(line.starts_with(expected), "{lines:?}");
    }
    assert_eq!(refused(&gateway, 0), []);
}

#[test]
fn a_tcp_connection_is_sent_to_granted_clusters_only() {
    // On an HTTP stream the call has no effect, but its status tells.
    let object = r#"\0a\16envoy.tcp_proxy.cluster\12\04side"#;
    let object = object.replace("\\16", "\\17");
    let script = format!(r#"(request_headers (foreign "set_envoy_filter_state" "{object}"))"#);
    if is_oracle() {
        return;
    }
    let one = [(Kind::Cluster, "side")];
    check(&script, clusters(&["up"]), &["foreign 1 -"], &one);
    check(&script, clusters(&["side"]), &["foreign 0 -"], &[]);
}

#[test]
fn queues_of_other_vm_ids_need_a_grant() {
    if is_oracle() {
        return;
    }
    let owner = guest(r#"(vm_start (register "q") 1)"#);
    let script = r#"(request_headers
        (resolve "ID" "q") (resolve "ID" "none") (enqueue 1 "x") (dequeue 1) (resolve "" "q"))"#;
    let start = |vm_ids: Option<Vec<String>>| {
        let stage = with(owner.clone());
        let id = stage.filters[0].0.vm_id.to_string();
        let vm_ids = vm_ids.map(|ids| {
            ids.into_iter()
                .map(|known| known.replace("ID", &id))
                .collect()
        });
        let stage = stage.filter(guest(&script.replace("ID", &id)));
        let gateway = stage.tune(|filter| filter.grants.vm_ids = vm_ids).start();
        gateway.ask(GET);
        let lines = gateway.logs_when(1, 5);
        (lines, refused(&gateway, 1), id)
    };
    let open = [
        "resolve 0 1",
        "resolve 1",
        "enqueue 0",
        "dequeue 0 x",
        "resolve 1",
    ];
    let (lines, refusals, _) = start(None);
    assert_eq!((&lines[..], &refusals[..]), (&texts(&open)[..], &[][..]));
    let (lines, refusals, _) = start(Some(texts(&["ID"])));
    assert_eq!((&lines[..], &refusals[..]), (&texts(&open)[..], &[][..]));
    // A guessed token tells no more than a name.
    let (lines, refusals, id) = start(Some(Vec::new()));
    let closed = [
        "resolve 1",
        "resolve 1",
        "enqueue 1",
        "dequeue 1",
        "resolve 1",
    ];
    assert_eq!(lines, closed);
    assert_eq!(refusals, [(Kind::VmId, id)]);
}

#[test]
fn foreign_functions_that_are_not_granted_are_unknown() {
    let script = r#"(request_headers
        (foreign "nothing" "x") (foreign "compress" "x") (foreign "clear_route_cache" ""))"#;
    let grants = |names: &[&str]| Grants {
        foreign_functions: Some(texts(names)),
        ..Grants::default()
    };
    if is_oracle() {
        return;
    }
    let refusals = [(Kind::Foreign, "compress"), (Kind::Foreign, "nothing")];
    let expected = ["foreign 1 -", "foreign 1 -", "foreign 0 -"];
    check(script, grants(&["clear_route_cache"]), &expected, &refusals);
}

#[test]
fn clocks_move_in_granted_steps() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers
        (wasi clock_time_get 0 0 64) (show64 "wall" (i64.rem_u (i64.load 64) (i64.const 1000000000)))
        (wasi clock_time_get 1 0 64) (show64 "monotonic" (i64.rem_u (i64.load 64) (i64.const 1000000000)))
        (wasi clock_res_get 0 64) (show64 "step" (i64.load 64))
        (!now) (show64 "now" (i64.rem_u (i64.load 16) (i64.const 1000000000)))
        (!prop "request\00time") (show64 "time" (i64.rem_u (i64.load (out)) (i64.const 1000000000))))"#;
    let grants = Grants {
        clock_resolution: Some(Duration::from_secs(1)),
        ..Grants::default()
    };
    let gateway = granted(script, grants).start();
    gateway.ask(GET);
    let lines = gateway.logs_when(0, 8);
    let expected = [
        "clock_time_get 0",
        "wall 0",
        "clock_time_get 0",
        "monotonic 0",
        "clock_res_get 0",
        "step 1000000000",
        "now 0",
        "time 0",
    ];
    assert_eq!(lines, expected);
    let gateway = granted(script, Grants::default()).start();
    gateway.ask(GET);
    let lines = gateway.logs_when(0, 8);
    assert_eq!(lines[5], "step 1");
    assert_ne!(
        [&lines[1], &lines[7]],
        ["wall 0", "time 0"],
        "as fine as the system's"
    );
}

#[test]
fn random_bytes_can_be_denied() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (i64.store 64 (i64.const 7))
        (wasi random_get 64 8) (if (i64.eq (i64.load 64) (i64.const 7)) (then (say "untouched"))))"#;
    let denied = Grants {
        randomness: Randomness::Denied,
        ..Grants::default()
    };
    let refusals = [(Kind::Random, "random_get")];
    check(script, denied, &["random_get 76", "untouched"], &refusals);
    check(script, Grants::default(), &["random_get 0"], &[]);
}

/// Writes of the filter, and the header lines that the upstream then gets of these names.
#[track_caller]
fn check_writes(calls: &str, grants: Grants, names: &[&str], expected: &[&str]) {
    let gateway = granted(&format!("(request_headers {calls})"), grants).start();
    let response = gateway.ask("GET /p HTTP/1.1\r\nhost: h\r\nx-secure: was\r\n\r\n");
    assert_eq!(response.status, 200);
    let head = gateway.upstream.until(|_| true).head;
    let found: Vec<String> = head
        .lines()
        .filter(|line| {
            names
                .iter()
                .any(|name| line.starts_with(&format!("{name}:")))
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(found, expected, "{head}");
    assert!(
        gateway.logs(0).iter().all(|line| line.ends_with(" 0")),
        "{:?}",
        gateway.logs(0)
    );
}

#[test]
fn headers_of_the_connection_are_not_written_unless_granted() {
    if is_oracle() {
        return;
    }
    let calls = r#"(add 0 "TE" "x") (replace 0 "trailer" "y") (add 0 "transfer-encoding" "chunked")
        (add 0 "connection" "x-secure") (add 0 "upgrade" "z") (add 0 "proxy-connection" "close")"#;
    let names = [
        "te",
        "trailer",
        "transfer-encoding",
        "connection",
        "upgrade",
        "proxy-connection",
    ];
    check_writes(calls, Grants::default(), &names, &[]);
    let grants = Grants {
        write_headers: patterns(&["te", "trailer"]),
        ..Grants::default()
    };
    check_writes(calls, grants, &names, &["te: x", "trailer: y"]);
}

#[test]
fn protected_headers_are_not_written_unless_granted() {
    if is_oracle() {
        return;
    }
    let protected = |write: &[&str]| Grants {
        protected_headers: patterns(&["x-secure", "x-internal-*"]),
        write_headers: patterns(write),
        ..Grants::default()
    };
    let names = ["x-secure", "x-internal-a", "x-free"];
    let kept = ["x-secure: was", "x-free: 1"];
    for call in [
        r#"(add 0 "X-Secure" "2")"#,
        r#"(replace 0 "x-secure" "2")"#,
        r#"(remove 0 "x-secure")"#,
        r#"(add 0 "x-internal-a" "2")"#,
        r#"(set_pairs 0 "{:method:GET;:path:/p;:authority:h;x-free:1;x-internal-a:2}")"#,
        r#"(set_pairs 0 "{:method:GET;:path:/p;:authority:h;x-free:1;x-secure:2}")"#,
    ] {
        let calls = if call.contains("x-free") {
            call.to_owned()
        } else {
            format!(r#"{call} (add 0 "x-free" "1")"#)
        };
        let gateway = granted(&format!("(request_headers {calls})"), protected(&[])).start();
        gateway.ask("GET /p HTTP/1.1\r\nhost: h\r\nx-secure: was\r\n\r\n");
        let head = gateway.upstream.until(|_| true).head;
        let found: BTreeSet<&str> = head
            .lines()
            .filter(|line| names.iter().any(|name| line.starts_with(name)))
            .collect();
        assert_eq!(found, BTreeSet::from(kept), "{call}");
        assert_eq!(refused(&gateway, 0).len(), 1, "{call}");
    }
    let calls = r#"(replace 0 "x-secure" "2") (add 0 "x-internal-a" "3")"#;
    let expected = ["x-secure: 2", "x-internal-a: 3"];
    check_writes(
        calls,
        protected(&["x-secure", "x-internal-a"]),
        &names,
        &expected,
    );
}

#[test]
fn answers_of_a_filter_have_no_protected_headers() {
    if is_oracle() {
        return;
    }
    let script =
        r#"(request_headers (reply 403 "" "no" "{connection:close;x-secure:1;x-free:1}" -1))"#;
    let grants = Grants {
        protected_headers: patterns(&["x-secure"]),
        ..Grants::default()
    };
    let gateway = granted(script, grants).start();
    let response = gateway.ask(GET);
    assert_eq!(response.brief(), (403, "no"), "it is refused all the same");
    assert_eq!(
        (response.field("x-secure"), response.field("x-free")),
        ("", "1")
    );
    let expected = [
        (Kind::WrittenHeader, "connection"),
        (Kind::WrittenHeader, "x-secure"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(k, n)| (*k, (*n).to_owned()))
        .collect();
    assert_eq!(refused(&gateway, 0), expected);
}

/// A filter that may do nothing, in a dry run.
fn dry(filter: &mut Filter) {
    filter.capabilities = Some(vec!["proxy_log".to_owned()]);
    filter.grants = Grants {
        mode: GrantMode::DryRun,
        clusters: Some(Vec::new()),
        vm_ids: Some(Vec::new()),
        foreign_functions: Some(Vec::new()),
        randomness: Randomness::Denied,
        protected_headers: patterns(&["x-secure"]),
        ..Grants::default()
    };
}

#[test]
fn a_dry_run_lets_and_notes() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers
        (get 0 "X-A") (replace 0 "x-secure" "2") (add 0 "x-free" "3")
        (!pairs 0) (prop "source\00address")
        (call "side" "{:method:GET;:path:/c;:authority:s}" "" "" 1000)
        (foreign "clear_route_cache" "") (wasi random_get 64 8) (wasi clock_time_get 0 0 64))"#;
    let gateway = with(guest(script)).tune(dry).start();
    gateway.ask("GET /p HTTP/1.1\r\nhost: h\r\nx-a: 1\r\n\r\n");
    let head = gateway.upstream.until(|_| true).head;
    assert!(head.contains("x-secure: 2"), "{head}");
    gateway.side.until(|seen| seen.head.starts_with("GET /c"));
    let lines = gateway.logs_when(0, 8);
    assert_eq!(lines[0], "get 0 1");
    assert!(lines.contains(&"random_get 0".to_owned()), "{lines:?}");
    let touched = gateway.touched(0);
    let has = |kind: Kind, name: &str, refused: u64| {
        assert!(
            touched.contains(&(kind, name.to_owned(), refused)),
            "no {kind:?} {name} {refused} in {touched:#?}"
        );
    };
    has(Kind::Callback, "proxy_on_request_headers", 1);
    has(Kind::Function, "proxy_get_header_map_value", 1);
    has(Kind::Function, "proxy_log", 0);
    has(Kind::Function, "random_get", 1);
    has(Kind::RequestHeader, "x-a", 0);
    has(Kind::RequestHeader, "*", 0);
    has(Kind::WrittenHeader, "x-secure", 1);
    has(Kind::WrittenHeader, "x-free", 0);
    has(Kind::Property, "source.address", 0);
    has(Kind::Cluster, "side", 1);
    has(Kind::Foreign, "clear_route_cache", 1);
    has(Kind::Random, "random_get", 1);
    has(Kind::Clock, "wall", 0);
    let page = gateway.page(0);
    for line in [
        "  clusters: [\"side\"]\n",
        "  foreign_functions: [\"clear_route_cache\"]\n",
        "  write_headers: [\"x-secure\"]\n",
        "  random: true\n",
    ] {
        assert!(page.contains(line), "{page}");
    }
}

#[test]
fn filters_with_other_grants_or_policies_share_no_vm() {
    if is_oracle() {
        return;
    }
    check_apart(|filter| filter.grants = clusters(&["side"]));
    let secret = weir_model::Variable::Text("s3cret".to_owned());
    check_apart(|filter| filter.environment = vec![("PASSWORD".to_owned(), secret.clone())]);
    check_apart(|filter| filter.on_failure = weir_model::OnFailure::Open);
    check_apart(|filter| filter.failures.open_recovers = !filter.failures.open_recovers);
    check_apart(|filter| filter.recycling.requests = Some(9));
    check_apart(|filter| filter.headers_stop_iteration = Some(true));
}

/// Two filters of one module and `vm_id`, which differ in this.
#[track_caller]
fn check_apart(other: impl FnOnce(&mut Filter)) {
    let script = r#"(request_headers (bump a) (show "a" @a))"#;
    let mut stage = Stage::new().filter(guest(script)).filter(guest(script));
    let vm_id = stage.filters[0].0.vm_id.clone();
    for (filter, _, _) in &mut stage.filters {
        filter.isolation = weir_model::Isolation::Module;
        filter.vm_id = vm_id.clone();
    }
    other(&mut stage.filters[1].0);
    let gateway = stage.start();
    gateway.ask(GET);
    gateway.check(0, &["a 1"]);
    gateway.check(1, &["a 1"]);
}
