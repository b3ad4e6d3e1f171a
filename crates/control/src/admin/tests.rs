//! The server over real sockets.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use weir_model::{Action, FilterUse, HeaderMatch, HeaderTest, Node, Respond, Route};

mod maps;

use super::*;
use weir_maps::Engine;
use weir_model::Listener;

/// A gateway with one of everything that must not be shown.
struct Fake {
    is_ready: bool,
    log: Mutex<String>,
    maps: Option<Engine>,
    typed: BTreeMap<String, Arc<Typed>>,
}

impl Observe for Fake {
    fn stats(&self) -> Value {
        json!({ "version": "1.2.3", "listeners": [{ "name": "web" }] })
    }

    fn metrics(&self) -> String {
        "weir_up 1\n".to_owned()
    }

    fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn touched(&self, plugin: &str) -> Option<String> {
        (plugin == "a/b c").then(|| "capabilities: []\n".to_owned())
    }

    fn site(&self) -> Arc<Site> {
        Arc::new(site())
    }

    fn log(&self) -> Value {
        json!({ "log": *self.log.lock().expect("no test panics with it") })
    }

    fn set_plugin_log(&self, plugin: Option<&str>, level: &str) -> Result<(), String> {
        let plugin = plugin.unwrap_or("all");
        if plugin == "nobody" {
            return Err("there is no filter".to_owned());
        }
        self.set_log(&format!("{plugin} at {level}"))
    }

    fn set_log(&self, filter: &str) -> Result<(), String> {
        if filter == "inof" {
            return Err("expected a level".to_owned());
        }
        filter.clone_into(&mut self.log.lock().expect("no test panics with it"));
        Ok(())
    }

    fn typed_map(&self, map: &str) -> Option<Arc<Typed>> {
        self.typed.get(map).cloned()
    }

    fn maps(&self) -> Option<Engine> {
        self.maps.clone()
    }
}

fn site() -> Site {
    let mut listener = Listener::at("127.0.0.1:8080".parse().expect("an address"));
    listener.routes.push(Route {
        name: "first".into(),
        matches: weir_model::RouteMatch {
            headers: vec![HeaderMatch {
                name: "x-key".to_owned(),
                test: HeaderTest::Exact("SECRET1".to_owned()),
            }],
            ..weir_model::RouteMatch::default()
        },
        filters: vec![FilterUse {
            filter: "guard".into(),
            configuration: Some("SECRET2".into()),
        }],
        action: Action::Respond(Respond {
            status: 200,
            headers: vec![("x-token".to_owned(), "SECRET3".to_owned())],
            body: "SECRET4".into(),
        }),
        metadata: weir_model::Metadata {
            namespaces: vec![(
                "owner".to_owned(),
                vec![(
                    "key".to_owned(),
                    weir_model::Json::Text("SECRET8".to_owned()),
                )],
            )],
        },
    });
    Site {
        listeners: vec![listener],
        clusters: BTreeMap::new(),
        modules: BTreeMap::new(),
        filters: std::iter::once(("guard".into(), filter())).collect(),
        functions: BTreeMap::new(),
        function_instances: 1,
        trust: weir_model::Trust::default(),
        maps: BTreeMap::new(),
        stores: std::iter::once(("shared".into(), store())).collect(),
        background: Vec::new(),
        admin: None,
        workers: None,
        drain_timeout: Duration::from_secs(30),
        node: Node::default(),
        code_cache: weir_model::CodeCache::default(),
        capsules: None,
    }
}

fn store() -> weir_model::Store {
    let login = |name: &str, password: &str| weir_model::Login {
        username: Some(name.to_owned()),
        password: Some(weir_model::Secret(weir_model::Variable::Text(
            password.to_owned(),
        ))),
    };
    weir_model::Store::Redis(weir_model::RedisServers {
        kind: weir_model::RedisServersKind::Single,
        addresses: Vec::new(),
        login: login("SECRET9", "SECRET10"),
        sentinel_login: login("SECRET11", "SECRET12"),
        database: 0,
        prefix: "weir".to_owned(),
        deadline: Duration::from_secs(1),
        tls: None,
    })
}

fn filter() -> weir_model::Filter {
    weir_model::Filter {
        name: "guard".into(),
        module: "guard".into(),
        vm_id: "guard".into(),
        root_id: "".into(),
        vm_configuration: "SECRET5".into(),
        configuration: "SECRET6".into(),
        environment: vec![(
            "TOKEN".to_owned(),
            weir_model::Variable::Text("SECRET7".to_owned()),
        )],
        capabilities: None,
        engine: weir_model::EngineChoice::Auto,
        grants: weir_model::Grants::default(),
        sees: None,
        isolation: weir_model::Isolation::Plugin,
        limits: weir_model::GuestLimits::default(),
        on_failure: weir_model::OnFailure::Reload,
        failures: weir_model::FailureRules::default(),
        recycling: weir_model::Recycling::default(),
        strictness: weir_model::Strictness::Tolerant,
        dialect: weir_model::Dialect::Auto,
        headers_stop_iteration: None,
        recording: None,
    }
}

/// Sends a request head (without its last empty line) to a fresh server, and returns the answer.
async fn ask(fake: Arc<Fake>, head: &str) -> String {
    let local = LocalSet::new();
    local.run_until(ask_here(fake, head)).await
}

async fn ask_here(fake: Arc<Fake>, head: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::task::spawn_local(serve(listener, fake, async { drop(stopped.await) }));
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream
        .write_all(format!("{head}\r\n\r\n").as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it answers in text");
    drop(stop);
    server.await.expect("it ends in peace");
    answer
}

fn fake() -> Arc<Fake> {
    Arc::new(Fake {
        is_ready: true,
        log: Mutex::default(),
        typed: BTreeMap::new(),
        maps: None,
    })
}

/// Expects a status and a part of the answer for a request line and further headers.
async fn check(line: &str, headers: &str, status: u16, part: &str) {
    let answer = ask(fake(), &format!("{line} HTTP/1.1\r\n{headers}")).await;
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{line} {headers}: {answer}"
    );
    assert!(answer.contains(part), "{line} {headers}: {answer}");
}

const LOCAL: &str = "host: 127.0.0.1:9901";

#[tokio::test]
async fn everything_is_where_it_is_said_to_be() {
    check("GET /", LOCAL, 200, "<title>Weir</title>").await;
    check("GET /healthz", LOCAL, 200, "ok\n").await;
    check("GET /readyz", LOCAL, 200, "ready\n").await;
    check("GET /metrics", LOCAL, 200, "version=0.0.4").await;
    check("GET /metrics?x=1", LOCAL, 200, "weir_up 1\n").await;
    check("GET /stats.json", LOCAL, 200, "\"version\": \"1.2.3\"").await;
    check("GET /config", LOCAL, 200, "\"listeners\"").await;
    check("GET /nowhere", LOCAL, 404, "/healthz").await;
}

#[tokio::test]
async fn a_gateway_that_is_not_ready_says_so() {
    let fake = Arc::new(Fake {
        is_ready: false,
        log: Mutex::default(),
        typed: BTreeMap::new(),
        maps: None,
    });
    let answer = ask(fake, &format!("GET /readyz HTTP/1.1\r\n{LOCAL}")).await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("not ready\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn only_the_log_level_can_be_changed() {
    check("POST /stats.json", LOCAL, 405, "allow: GET, HEAD").await;
    check("DELETE /", LOCAL, 405, "allow: GET, HEAD").await;
    check("PUT /log?level=debug", LOCAL, 405, "allow: GET, HEAD, POST").await;
    check("POST /log", LOCAL, 400, "?level=").await;
    check("POST /log?plugin=a", LOCAL, 400, "?level=").await;
    check("POST /log?plugins=off&level=off", LOCAL, 400, "?level=").await;
    check("POST /log?plugin=nobody&level=off", LOCAL, 400, "no filter").await;
    check("POST /log?level=inof", LOCAL, 400, "expected a level").await;
    let fake = fake();
    let line = "POST /log?level=info%2Cweir_guest%3Ddebug HTTP/1.1";
    let answer = ask(Arc::clone(&fake), &format!("{line}\r\n{LOCAL}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(
        *fake.log.lock().expect("not poisoned"),
        "info,weir_guest=debug"
    );
}

#[tokio::test]
async fn levels_of_plugins_are_set_and_shown() {
    let fake = fake();
    for (query, told, kept) in [
        ("plugins=debug", "plugins log debug", "all at debug"),
        ("plugin=a%3Db&level=off", "a=b logs off", "a=b at off"),
    ] {
        let line = format!("POST /log?{query} HTTP/1.1");
        let answer = ask(Arc::clone(&fake), &format!("{line}\r\n{LOCAL}")).await;
        assert!(answer.contains(told), "{answer}");
        let shown = ask(Arc::clone(&fake), &format!("GET /log HTTP/1.1\r\n{LOCAL}")).await;
        assert!(shown.contains(kept), "{shown}");
    }
}

#[tokio::test]
async fn a_head_request_gets_no_body() {
    let answer = ask(fake(), &format!("HEAD /healthz HTTP/1.1\r\n{LOCAL}")).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn other_host_names_are_refused() {
    for host in [
        "localhost",
        "localhost:9901",
        "LOCALHOST",
        "[::1]:9901",
        "10.0.0.7",
    ] {
        check("GET /stats.json", &format!("host: {host}"), 200, "1.2.3").await;
    }
    for host in [
        "evil.example",
        "localhost.evil.example:9901",
        "127.0.0.1.evil.example",
    ] {
        check(
            "GET /stats.json",
            &format!("host: {host}"),
            403,
            "use an IP address",
        )
        .await;
    }
    check("GET /stats.json", "accept: */*", 403, "no host").await;
    check("GET /stats.json", "host: @", 403, "no host").await;
    check("GET /healthz", "host: pod.cluster.internal", 200, "ok").await;
}

#[tokio::test]
async fn other_web_pages_are_refused() {
    let with = |header: &str| format!("{LOCAL}\r\n{header}");
    check(
        "POST /log?level=trace",
        &with("origin: https://evil.example"),
        403,
        "other web",
    )
    .await;
    check(
        "POST /log?level=trace",
        &with("origin: null"),
        403,
        "other web",
    )
    .await;
    check(
        "POST /log?level=trace",
        &with("sec-fetch-site: cross-site"),
        403,
        "other web",
    )
    .await;
    check(
        "POST /log?level=trace",
        &with("origin: http://127.0.0.1:9901"),
        200,
        "trace",
    )
    .await;
    check(
        "GET /stats.json",
        &with("sec-fetch-site: same-origin"),
        200,
        "1.2.3",
    )
    .await;
    let link = with("sec-fetch-site: cross-site\r\nsec-fetch-mode: navigate");
    check("GET /", &link, 200, "Weir").await;
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let answer = ask(fake(), &format!("GET /config HTTP/1.1\r\n{LOCAL}")).await;
    assert!(
        answer.contains("x-key") && answer.contains("TOKEN"),
        "{answer}"
    );
    assert!(!answer.contains("SECRET"), "{answer}");
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let answer = ask(fake(), &format!("GET / HTTP/1.1\r\n{LOCAL}")).await;
    assert!(
        !answer.contains("//cdn") && !answer.contains("https://"),
        "{answer}"
    );
    assert!(answer.contains("content-security-policy: default-src 'none'"));
}

/// Time is paused: it jumps to the limit as soon as everything waits.
#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_let_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let client = async {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let before = time::Instant::now();
        let mut rest = Vec::new();
        stream
            .write_all(b"GET / HTTP/1.1\r\n")
            .await
            .expect("it reads");
        let _ = stream.read_to_end(&mut rest).await;
        assert!(before.elapsed() >= limits::ADMIN_EXCHANGE_TIME);
    };
    serve(listener, fake(), client).await;
}
