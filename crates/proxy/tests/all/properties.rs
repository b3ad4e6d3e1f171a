//! Properties: statements 45 and 197 to 223.

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
fn s197_to_s199_the_request() {
    check(
        r#"(prop "request\00path\00") (prop "request\00path") (prop "request\00url_path") (prop "request\00query")
           (prop "request\00host") (prop "request\00scheme") (prop "request\00method") (prop "request\00protocol")
           (!replace 0 ":path" "/x") (prop "request\00query")"#,
        &[
            "prop 0 /p?q=1",
            "prop 0 /p?q=1",
            "prop 0 /p",
            "prop 0 q=1",
            "prop 0 h",
            "prop 0 http",
            "prop 0 GET",
            "prop 0 HTTP/1.1",
            "prop 0 -",
        ],
    );
}

#[test]
fn s200_s201_s203_numbers_and_what_is_absent() {
    check(
        r#"(prop_number "request\00size") (prop_number "connection\00mtls") (prop_number "request\00duration")
           (prop "request\00useragent") (prop "request\00referer") (!remove 0 "x-request-id") (prop "request\00id")"#,
        &[
            "prop_number 0 0",
            "prop_number 0 0",
            "prop_number 1",
            "prop 1",
            "prop 1",
            "prop 1",
        ],
    );
}

#[test]
fn s200_s201_times() {
    let gateway = with(guest(
        r#"(log (prop_number "request\00duration") (prop_number "request\00time"))"#,
    ))
    .start();
    gateway.ask(GET);
    let logs = gateway.logs_when(0, 2);
    let number = |line: &str| {
        line.rsplit(' ')
            .next()
            .and_then(|text| text.parse::<u64>().ok())
            .expect("a number")
    };
    assert!(number(&logs[0]) < 5_000_000_000, "{logs:?}");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock")
        .as_nanos();
    let distance = now - u128::from(number(&logs[1]));
    assert!(distance < 10_000_000_000, "{logs:?}");
}

#[test]
fn s202_headers() {
    let gateway = with(guest(
        r#"(request_headers (!set_pairs 0 "{:method:GET;:path:/;:authority:h;:scheme:http;x-forwarded-proto:http}")
              (prop "request\00headers\00x-forwarded-proto") (!add 0 "x-a" "1") (!add 0 "x-a" "2") (prop "request\00headers\00x-a")
              (prop "request\00headers\00X-A") (prop "request\00headers\00none"))
           (response_headers (prop_number "request\00headers") (prop "response\00headers\00content-length"))"#,
    ))
    .start();
    gateway.ask(GET);
    gateway.check(
        0,
        &[
            "prop 0 http",
            "prop 0 1,2",
            "prop 0 1,2",
            "prop 1",
            "prop_number 0 0",
            "prop 0 2",
        ],
    );
}

#[test]
fn s204_s205_s209_the_response() {
    let gateway = with(guest(
        r#"(request_headers (prop_number "response\00code") (prop "response\00code_details") (prop "upstream\00address"))
           (response_headers (prop_number "response\00code") (prop "response\00code_details") (prop "upstream\00address") (prop_number "upstream\00port"))
           (log (prop_number "response\00code") (prop_number "response\00size") (prop_number "response\00flags"))"#,
    ))
    .start();
    gateway.ask(GET);
    let address = gateway.upstream.address;
    gateway.check(
        0,
        &[
            "prop_number 1",
            "prop 1",
            "prop 1",
            "prop_number 0 200",
            "prop 0 via_upstream",
            &format!("prop 0 {address}"),
            &format!("prop_number 0 {}", address.port()),
            "prop_number 0 200",
            "prop_number 0 2",
            "prop_number 0 0",
        ],
    );
}

#[test]
fn s206_to_s208_addresses_and_the_connection() {
    let gateway = with(guest(
        r#"(request_headers (prop "source\00address") (prop_number "source\00port") (prop "destination\00address")
            (prop "connection\00requested_server_name") (prop "connection\00tls_version") (prop "xds\00filter_chain_name"))"#,
    ))
    .start();
    gateway.ask(GET);
    let logs = gateway.logs_when(0, 6);
    assert!(logs[0].starts_with("prop 0 127.0.0.1:"), "{logs:?}");
    assert_eq!(logs[1].rsplit(' ').next(), logs[0].rsplit(':').next());
    assert_eq!(
        logs[2..],
        [
            format!("prop 0 {}", gateway.address),
            "prop 0 -".into(),
            "prop 1".into(),
            "prop 0 -".into()
        ]
    );
}

#[test]
fn s210_s211_routes_clusters_and_the_node() {
    check(
        r#"(prop "xds\00route_name") (prop "xds\00cluster_name") (prop "xds\00node\00id") (prop "xds\00node\00metadata\00zone")
           (prop "xds\00node\00nosuch") (prop "xds\00node\00metadata\00nosuch")"#,
        &[
            "prop 0 main",
            "prop 0 up",
            "prop 0 n1",
            "prop 0 z",
            "prop 1",
            "prop 1",
        ],
    );
    if !is_oracle() {
        // Removed from Envoy in 1.33, and used by nearly all plugins.
        check(
            r#"(prop "route_name") (prop "cluster_name") (prop "node\00id") (prop_number "listener_direction")"#,
            &["prop 0 main", "prop 0 up", "prop 0 n1", "prop_number 0 0"],
        );
    }
}

#[test]
fn s211_the_node_is_a_message() {
    let gateway = with(guest(r#"(request_headers (prop "xds\00node"))"#)).start();
    gateway.ask(GET);
    let logs = gateway.logs_when(0, 1);
    assert!(
        logs[0].starts_with("prop 0 \n\u{2}n1\u{12}\u{2}nc") || is_oracle(),
        "{logs:?}"
    );
}

#[test]
fn s214_s215_paths_that_lead_nowhere() {
    let groups = [
        "request",
        "response",
        "connection",
        "upstream",
        "source",
        "destination",
        "xds",
        "filter_state",
    ];
    let steps = groups.map(|group| format!(r#"(prop "{group}")"#)).concat();
    check(&steps, &["prop 3"; 8]);
    check(
        r#"(prop "") (prop "nosuch") (prop "request\00nosuch") (prop "request\00path\00below") (prop "plugin_name\00below")"#,
        &["prop 3", "prop 1", "prop 1", "prop 1", "prop 1"],
    );
}

#[test]
fn s216_s218_s220_properties_of_the_stream() {
    let gateway = Stage::new()
        .filter(guest(
            r#"(request_headers (prop "mine") (set_prop "mine" "1") (prop "mine") (prop "filter_state\00wasm.mine") (set_prop "mine" "2")
                 (set_prop "empty" "") (prop "empty") (set_prop "a\00b" "3") (prop "a\00b") (set_prop "plugin_name" "evil"))
               (log (prop "mine"))"#,
        ))
        .filter(guest(r#"(request_headers (prop "mine") (prop "plugin_name"))"#))
        .start();
    gateway.ask(GET);
    gateway.check(
        0,
        &[
            "prop 1",
            "set_prop 0",
            "prop 0 1",
            "prop 0 1",
            "set_prop 0",
            "set_prop 0",
            "prop 0 -",
            "set_prop 0",
            "prop 1",
            "set_prop 0",
            "prop 0 2",
        ],
    );
    gateway.check(1, &["prop 0 2", &format!("prop 0 {}", gateway.name(1))]);
}

#[test]
fn s217_properties_are_in_the_access_log() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(r#"(request_headers (!set_prop "mine" "1"))"#)).start();
    gateway.ask(GET);
    assert_eq!(gateway.log_lines(1)[0]["properties"]["mine"], "1");
}

#[test]
fn s045_s219_s222_s223_the_root() {
    let gateway = with(guest(
        r#"(configure (prop "plugin_root_id") (prop "plugin_vm_id") (prop "request\00path") (set_prop "mine" "1")
             (prop "xds\00node\00id") (prop "xds\00route_name"))
           (request_headers (prop "plugin_root_id") (prop "plugin_vm_id"))"#,
    ))
    .tune(|filter| (filter.root_id, filter.vm_id) = ("my_root".into(), "my_vm".into()))
    .start();
    gateway.ask(GET);
    let own = ["prop 0 my_root", "prop 0 my_vm"];
    let expected = [
        &own[..],
        &["prop 1", "set_prop 1", "prop 0 n1", "prop 1"],
        &own,
    ]
    .concat();
    gateway.logs_when(0, expected.len());
    let logs = gateway.logs(0);
    assert_eq!(logs[logs.len() - expected.len()..], expected);
}

#[test]
fn s221_request_properties_end_with_the_request_callbacks() {
    let gateway = with(guest(r#"(response_headers (prop "request\00path") (prop "request\00protocol")) (log (prop "request\00path"))"#)).start();
    gateway.ask(GET);
    gateway.check(0, &["prop 1", "prop 0 HTTP/1.1", "prop 0 /p?q=1"]);
}

#[test]
fn s278_declared_properties() {
    // The name "ro", read-only. What a stream declares has no effect.
    let declare = r#"(foreign "declare_property" "\0a\02ro\10\01")"#;
    let script = format!(
        r#"(configure {declare} {declare} 1) (request_headers (set_prop "ro" "1") (set_prop "ro" "2") (prop "ro") {declare}
             (foreign "declare_property" "\0a\02rw\10\01") (set_prop "rw" "1") (set_prop "rw" "2"))"#
    );
    let gateway = with(guest(&script)).start();
    gateway.ask(GET);
    gateway.ask(GET);
    let start = ["foreign 0 -", "foreign 2 -"];
    let stream = [
        "set_prop 0",
        "set_prop 2",
        "prop 0 1",
        "foreign 0 -",
        "foreign 0 -",
        "set_prop 0",
        "set_prop 0",
    ];
    let expected = [&start[..], &stream, &stream].concat();
    let logs = gateway.logs_when(0, expected.len() + if is_oracle() { 2 } else { 0 });
    assert_eq!(logs[logs.len() - expected.len()..], expected);
}
