//! What valid files mean.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use weir_control::{Loaded, load, parse};
use weir_model::{
    AccessLog, Action, Breaker, CodeCache, Dialect, EngineChoice, FailureRules, HeaderTest,
    HostPattern, Isolation, Json, LoadBalancing, ModuleSource, OnFailure, PathMatch, Protocol,
    Quarantine, Recycling, Seeding, Site, Strictness, Variable,
};

pub(crate) const WHOLE: &str = include_str!("whole.yaml");

/// A file name in the folder of this crate, where `Cargo.toml` can stand for a module.
pub(crate) fn beside_manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("weir.yaml")
}

/// A folder with empty files of the names in [`WHOLE`].
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("limiter.wasm"), b"").unwrap();
    fs::write(folder.path().join("users.map"), b"").unwrap();
    fs::write(folder.path().join("authority.pem"), b"").unwrap();
    folder
}

/// A folder with `weir.yaml` of this text and the files that it names.
pub(crate) fn loaded(text: &str) -> Loaded {
    let folder = folder();
    let file = folder.path().join("weir.yaml");
    fs::write(&file, text).unwrap();
    load(&file).unwrap_or_else(|problems| panic!("{problems}"))
}

fn site(text: &str) -> Site {
    loaded(text).site
}

#[test]
fn every_key_of_a_listener_arrives() {
    let site = site(WHOLE);
    let [main, second, third] = site.listeners.as_slice() else {
        panic!("{:?}", site.listeners)
    };
    assert_eq!(&*main.name, "main");
    assert_eq!(main.access_log, AccessLog::Off);
    assert_eq!(&*main.log_filters[0].filter, "limiter");
    assert_eq!(
        (main.body_buffer_bytes, main.request_head_bytes),
        (2 << 20, 32 << 10)
    );
    assert_eq!(main.request_head_timeout, Duration::from_secs(10));
    assert_eq!(main.idle_timeout, Duration::from_hours(1));
    assert_eq!(main.max_connections, 1000);
    assert_eq!((main.via, main.request_id), (true, false));
    assert_eq!(main.server_header.as_deref(), Some("weir"));
    let text = |text: &str| Json::Text(text.to_owned());
    let inner = Json::Map(vec![("b".to_owned(), text("c"))]);
    let facts = [
        ("tier", text("gold")),
        ("weight", Json::Number(1.5)),
        ("on", Json::Bool(true)),
        ("none", Json::Null),
        ("list", Json::List(vec![text("a"), inner])),
    ];
    let facts = facts.map(|(key, value)| (key.to_owned(), value)).to_vec();
    assert_eq!(main.metadata.namespaces, [("app".to_owned(), facts)]);
    let owner = vec![("owner".to_owned(), text("team-a"))];
    assert_eq!(
        main.routes[0].metadata.namespaces,
        [("app".to_owned(), owner)]
    );
    let zone = vec![("zone".to_owned(), text("z"))];
    assert_eq!(
        site.clusters["backend"].metadata.namespaces,
        [("app".to_owned(), zone)]
    );
    assert_eq!(&*second.name, "[::1]:8081");
    assert_eq!(&*second.routes[0].name, "[::1]:8081/0");
    assert!(main.tcp.is_none() && third.routes.is_empty());
    let tcp = third.tcp.as_ref().unwrap();
    assert_eq!((&*tcp.cluster, tcp.connect_attempts), ("backend", 2));
    assert_eq!(&*tcp.filters[0].filter, "auth");
    let own = tcp.filters[1].configuration.as_deref();
    assert_eq!(own, Some(&br#"{"rate":5}"#[..]));
}

#[test]
fn a_bare_name_is_the_cluster_of_tcp() {
    let site = site(
        "listeners: [{ address: 127.0.0.1:1, tcp: c }]\nclusters: { c: { endpoints: [b:80] } }",
    );
    let tcp = site.listeners[0].tcp.as_ref().unwrap();
    assert_eq!((&*tcp.cluster, tcp.connect_attempts), ("c", 1));
    assert!(tcp.filters.is_empty());
}

#[test]
fn every_key_of_a_route_arrives() {
    let site = site(WHOLE);
    let routes = &site.listeners[0].routes;
    let api = &routes[0];
    assert_eq!(&*api.name, "api");
    assert_eq!(api.matches.path, PathMatch::Prefix("/api".into()));
    let hosts = [
        HostPattern::Exact("example.com".into()),
        HostPattern::Suffix(".example.org".into()),
    ];
    assert_eq!(api.matches.hosts, hosts);
    assert_eq!(api.matches.methods, ["GET", "POST"]);
    let tests: Vec<_> = api
        .matches
        .headers
        .iter()
        .map(|h| (h.name.as_str(), &h.test))
        .collect();
    let expected = [
        ("x-kind", &HeaderTest::Exact("1".into())),
        ("x-beta", &HeaderTest::Prefix("y".into())),
        ("x-there", &HeaderTest::Present),
        ("x-gone", &HeaderTest::Absent),
    ];
    assert_eq!(tests, expected);
    assert_eq!(api.filters[0].configuration, None);
    let own = api.filters[1].configuration.as_deref();
    assert_eq!(own, Some(&br#"{"rate":50,"burst":[1,2.50]}"#[..]));
    let Action::Forward(forward) = &api.action else {
        panic!("{:?}", api.action)
    };
    assert_eq!(
        (forward.timeout, forward.idle_timeout),
        (Some(Duration::from_secs(5)), None)
    );
    assert_eq!(forward.retries.attempts, 3);
    assert_eq!(
        forward.retries.per_try_timeout,
        Some(Duration::from_millis(250))
    );
    assert_eq!(forward.retries.statuses, [502, 503]);

    assert_eq!(&*routes[1].name, "main/1");
    assert_eq!(routes[1].matches.path, PathMatch::Exact("/hello".into()));
    let Action::Respond(respond) = &routes[1].action else {
        panic!("{:?}", routes[1].action)
    };
    let headers = [
        ("content-type", "text/plain"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ];
    assert_eq!(
        respond.headers,
        headers.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(
        (respond.status, &*respond.body),
        (404, &b"nothing here\n"[..])
    );
    assert_eq!(routes[2].action, Action::Echo);
}

#[test]
fn every_key_of_compiled_code_arrives() {
    let site = site(WHOLE);
    assert_eq!(site.filters["limiter"].engine, EngineChoice::Pulley);
    let CodeCache::On { folder, bytes_max } = site.code_cache else {
        panic!("there is a cache")
    };
    assert!(folder.is_some_and(|folder| folder.is_absolute() && folder.ends_with("compiled")));
    assert_eq!(bytes_max, 512 << 20);
}

#[test]
fn every_key_of_an_isolation_arrives() {
    let site = site(WHOLE);
    let seeding = Seeding {
        images: 2,
        renewal: Duration::from_mins(5),
    };
    assert_eq!(
        site.filters["seeded"].isolation,
        Isolation::Request(seeding)
    );
}

#[test]
fn the_build_of_a_module_arrives() {
    let site = site(WHOLE);
    let build = site.modules["limiter"].build.as_ref().expect("a build");
    assert_eq!(build.command, "make limiter.wasm");
    assert!(build.folder.ends_with("limiter") && build.watch[0].ends_with("limiter/src"));
}

#[test]
fn every_key_of_a_cluster_and_a_filter_arrives() {
    let site = site(WHOLE);
    let backend = &site.clusters["backend"];
    assert_eq!(backend.endpoints.len(), 3);
    assert_eq!(backend.protocol, Protocol::Http2);
    assert_eq!(backend.load_balancing, LoadBalancing::LeastRequest);
    assert_eq!(backend.max_connections, 7);
    assert_eq!(
        backend.ejection.map(|ejection| ejection.max_percent),
        Some(100)
    );
    let other = &site.clusters["other"];
    assert_eq!((other.protocol, other.ejection), (Protocol::Http1, None));

    let ModuleSource::File(file) = &site.modules["limiter"].source;
    assert!(file.is_absolute() && file.ends_with("limiter.wasm"));
    let limiter = &site.filters["limiter"];
    assert_eq!((&*limiter.vm_id, &*limiter.root_id), ("shared", "root"));
    let expected =
        r#"{"rate":100,"name":"a","nested":{"z":null,"a":[true,16,123456789012345678901]}}"#;
    assert_eq!(limiter.configuration, Bytes::from(expected));
    assert_eq!(limiter.vm_configuration, Bytes::from("bare text"));
    let text = |text: &str| Variable::Text(text.to_owned());
    let environment = [
        ("PORT", text("8080")),
        ("MODE", text("fast")),
        ("ON", text("true")),
        ("ZONE", Variable::OfGateway("GATEWAY_ZONE".to_owned())),
    ];
    assert_eq!(
        limiter.environment,
        environment.map(|(name, value)| (name.to_owned(), value))
    );
    let capabilities = ["proxy_log", "fd_write", "proxy_on_request_headers"];
    assert_eq!(
        limiter.capabilities.as_deref(),
        Some(&capabilities.map(str::to_owned)[..])
    );
    assert_eq!(limiter.isolation, Isolation::Module);
    assert_eq!(limiter.limits.memory_bytes, 16 << 20);
    assert_eq!(limiter.limits.call, Duration::from_millis(5));
    assert_eq!(limiter.on_failure, OnFailure::Open);
    let ms = Duration::from_millis;
    let rules = FailureRules {
        open_recovers: true,
        breaker: Breaker {
            failures: 5,
            window: ms(30_000),
            wait: ms(50),
            wait_max: ms(20_000),
        },
        quarantine: Some(Quarantine {
            failures: 2,
            time: ms(90_000),
        }),
    };
    assert_eq!(limiter.failures, rules);
    let recycling = Recycling {
        requests: Some(10_000),
        memory_bytes: Some(64 << 20),
    };
    assert_eq!(limiter.recycling, recycling);
    let auth = &site.filters["auth"];
    assert_eq!(auth.isolation, Isolation::Configuration);
    assert_eq!(
        (auth.on_failure, &auth.failures, auth.recycling),
        (
            OnFailure::Closed,
            &FailureRules::default(),
            Recycling::default()
        )
    );
    assert_eq!(limiter.strictness, Strictness::Strict);
    assert_eq!(limiter.dialect, Dialect::Higress);
    assert_eq!(limiter.headers_stop_iteration, Some(true));
    assert_eq!(&*site.filters["auth"].vm_id, "auth");
    assert_eq!(site.background[0].configuration, Some(Bytes::new()));
    assert_eq!(site.workers.map(std::num::NonZeroUsize::get), Some(2));
    assert_eq!(site.drain_timeout, Duration::ZERO);
    assert_eq!(site.node.metadata["rank"], "3");
}

#[test]
fn defaults_are_those_of_the_model() {
    let site =
        site("listeners: [{ address: 127.0.0.1:80 }]\nclusters: { a: { endpoints: [b:1] } }");
    assert_eq!(
        site.listeners,
        [weir_model::Listener::at("127.0.0.1:80".parse().unwrap())]
    );
    assert_eq!(
        site.clusters["a"].ejection,
        Some(weir_model::Ejection::default())
    );
    assert_eq!(site.workers, None);
}

/// The configuration that a filter gets for what stands behind `configuration:`.
fn check_payload(yaml: &str, expected: &str) {
    let text = format!(
        "background: [a]\nmodules: {{ m: {{ file: limiter.wasm }} }}\n\
         filters:\n  a:\n    module: m\n    configuration: {yaml}\n"
    );
    assert_eq!(
        site(&text).filters["a"].configuration,
        Bytes::from(expected.to_owned()),
        "{yaml}"
    );
}

#[test]
fn configurations_become_json_or_bare_text() {
    check_payload("", "");
    check_payload("~", "");
    check_payload("''", "");
    check_payload("a text", "a text");
    check_payload("\"line\\nbreak\"", "line\nbreak");
    check_payload("\"100\"", "100");
    check_payload("100", "100");
    check_payload("-0x1", "-0x1");
    check_payload("1e3", "1e3");
    check_payload("True", "true");
    check_payload("[]", "[]");
    check_payload("{}", "{}");
    check_payload(
        "{ b: 1, a: 'x\"y', \"<<\": ~ }",
        r#"{"b":1,"a":"x\"y","<<":null}"#,
    );
    check_payload(
        "[1.0, .5, -7, 18446744073709551616]",
        "[1.0,0.5,-7,18446744073709551616]",
    );
    check_payload("|\n      { \"raw\": 1 }\n", "{ \"raw\": 1 }\n");
    check_payload("{ 1: one, true: two }", r#"{"1":"one","true":"two"}"#);
    check_payload("[&x { k: v }, *x]", r#"[{"k":"v"},{"k":"v"}]"#);
    check_payload("!!str 5", "5");
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let text = "\
listeners:
  - address: 127.0.0.1:80
    routes:
      - { echo: true }
      - { match: { path: /a }, echo: true }
clusters: { idle: { endpoints: [a:1] } }
modules: { m: { file: limiter.wasm } }
";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("limiter.wasm"), b"").unwrap();
    let loaded = parse(text, &folder.path().join("weir.yaml")).unwrap();
    let warnings: Vec<String> = loaded
        .warnings
        .iter()
        .map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.what))
        .collect();
    let expected = [
        "5:9 this route is never reached: listeners[0].routes[0] matches every request",
        "6:13 cluster \"idle\" is used nowhere",
        "7:12 module \"m\" is used nowhere",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn a_file_that_is_no_text_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.yaml");
    let missing = load(&file).unwrap_err();
    assert!(
        missing.to_string().contains("weir.yaml: cannot be read: "),
        "{missing}"
    );
    fs::write(&file, b"a: 1\nb: \xff\n").unwrap();
    let problem = load(&file).unwrap_err().listed()[0].clone();
    assert_eq!(
        (problem.line, problem.column, problem.what.as_str()),
        (2, 4, "not UTF-8")
    );
    fs::write(&file, vec![b'#'; 9 << 20]).unwrap();
    assert!(load(&file).unwrap_err().to_string().contains("too large"));
    assert!(load(folder.path()).is_err());
}

#[test]
fn a_control_character_does_not_end_the_file_silently() {
    let problems = parse("listeners: []\n#\0\nlisen: 1\n", Path::new("weir.yaml")).unwrap_err();
    let problem = &problems.listed()[0];
    assert_eq!((problem.line, problem.column), (2, 2));
    assert_eq!(problem.what, "control character U+0000");
}

#[test]
fn problems_are_told_to_programs_too() {
    let problems = parse("lisen: 1", Path::new("weir.yaml")).unwrap_err();
    let json = problems.json();
    assert_eq!(json["count"], 1);
    assert_eq!(json["problems"][0]["found"], "lisen");
    assert_eq!(json["problems"][0]["line"], 1);
}
