//! Shared maps on the admin address.

use weir_maps::budget::{Account, Amount};
use weir_maps::{Grants, Handles, Identity, ManualClock, MapOptions, Rights};

use super::*;
use crate::admin::client;

/// A gateway with the map `counters`, which holds at most three entries.
fn with_map() -> (Arc<Fake>, ManualClock) {
    let clock = ManualClock::default();
    let engine = Engine::new(Arc::new(clock.clone()));
    let owner = Arc::new(Account::new(Amount {
        entries: 100,
        bytes: 1 << 30,
    }));
    let options = MapOptions {
        entries_max: 3,
        bytes_max: 1 << 29,
        value_bytes_max: 1 << 28,
        ..MapOptions::default()
    };
    engine.define("", "counters", (options, &owner)).unwrap();
    let fake = Fake {
        is_ready: true,
        log: Mutex::default(),
        typed: BTreeMap::new(),
        maps: Some(engine),
    };
    (Arc::new(fake), clock)
}

/// A server that runs while the client does.
async fn served<T>(fake: &Arc<Fake>, client: impl AsyncFnOnce(std::net::SocketAddr) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, fake.clone(), async { drop(stopped.await) });
    let client = async {
        let result = client(address).await;
        drop(stop);
        result
    };
    tokio::join!(server, client).1
}

/// Status, version and body of an answer.
async fn send(fake: &Arc<Fake>, what: (&str, &str), body: &[u8]) -> (u16, Option<u64>, Vec<u8>) {
    served(fake, async |address| {
        let answer = client::ask(address, what, body.to_vec()).await;
        let answer = answer.expect("it answers");
        let version = answer.header("x-weir-version");
        let version = version.map(|version| version.parse().unwrap());
        let status = answer.status();
        (status, version, answer.whole().await.expect("a whole body"))
    })
    .await
}

async fn expect(fake: &Arc<Fake>, what: (&str, &str), body: &[u8], expected: (u16, &str)) {
    let (status, _, answer) = send(fake, what, body).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        status == expected.0 && answer.contains(expected.1),
        "{what:?}: {status} {answer}"
    );
}

const ENTRY: &str = "/maps/counters/entry";

#[tokio::test]
async fn entries_are_stored_read_and_removed() {
    let (fake, clock) = with_map();
    let key = "/maps/counters/entry?key=a%2Fb%ff";
    expect(&fake, ("GET", key), b"", (404, "no such entry")).await;
    let (status, first, _) = send(&fake, ("PUT", key), b"\xFF\0value").await;
    assert_eq!(status, 200);
    let (status, version, value) = send(&fake, ("GET", key), b"").await;
    assert_eq!(
        (status, version, &value[..]),
        (200, first, &b"\xFF\0value"[..])
    );
    let again = format!("{key}&if_absent");
    expect(&fake, ("PUT", &again), b"x", (409, "version")).await;
    let older = format!("{key}&if_version={}", first.unwrap() + 1);
    expect(&fake, ("PUT", &older), b"x", (409, "version")).await;
    expect(&fake, ("DELETE", &older), b"", (409, "version")).await;
    let right = format!("{key}&if_version={}&ttl_ms=1000", first.unwrap());
    expect(&fake, ("PUT", &right), b"y", (200, "version")).await;
    expect(&fake, ("GET", key), b"", (200, "y")).await;
    clock.advance(Duration::from_secs(1));
    expect(&fake, ("GET", key), b"", (404, "")).await;
    expect(&fake, ("PUT", key), b"z", (200, "")).await;
    expect(&fake, ("DELETE", key), b"", (200, "removed")).await;
    expect(&fake, ("DELETE", key), b"", (404, "")).await;
}

#[tokio::test]
async fn maps_and_pages_are_listed() {
    let (fake, _) = with_map();
    let put = |key: &'static str| ("PUT", key);
    expect(
        &fake,
        put("/maps/counters/entry?key=p%2F1"),
        b"one",
        (200, ""),
    )
    .await;
    let seven = 7_i64.to_le_bytes();
    expect(
        &fake,
        put("/maps/counters/entry?key=p%2F2"),
        &seven,
        (200, ""),
    )
    .await;
    expect(&fake, put("/maps/counters/entry?key=q"), b"", (200, "")).await;
    expect(
        &fake,
        put("/maps/counters/entry?key=r"),
        b"",
        (507, "used up"),
    )
    .await;
    let page = |query: &str| format!("/maps/counters/entries?{query}");
    let parsed = async |path: &str| {
        let (status, _, body) = send(&fake, ("GET", path), b"").await;
        assert_eq!(status, 200, "{path}");
        serde_json::from_slice::<Value>(&body).expect("JSON")
    };
    let first = parsed(&page("prefix=p%2F&limit=1")).await;
    assert_eq!(first["entries"][0]["value"], "one");
    assert_eq!(first["more"], true);
    let second = parsed(&page("prefix=p%2F&after=p%2F1")).await;
    assert_eq!(second["entries"][0]["key"], "p/2");
    assert_eq!(second["entries"][0]["counter"], 7);
    assert_eq!(second["entries"][0]["value"]["base64"], "BwAAAAAAAAA=");
    assert_eq!(
        (second["entries"].as_array().map(Vec::len), &second["more"]),
        (Some(1), &json!(false))
    );
    let all = parsed("/maps").await;
    assert_eq!(all["maps"][0]["name"], "counters");
    assert_eq!(
        (&all["maps"][0]["entries"], &all["maps"][0]["entries_max"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(parsed("/maps/counters").await["version"], 3);
}

#[tokio::test]
async fn an_entry_larger_than_a_page_comes_alone() {
    let (fake, _) = with_map();
    let large = vec![b'x'; limits::ADMIN_PAGE_BYTES_MAX + 1];
    let put = ("PUT", "/maps/counters/entry?key=a");
    expect(&fake, put, &large, (200, "")).await;
    expect(&fake, ("PUT", "/maps/counters/entry?key=b"), b"", (200, "")).await;
    let (status, _, page) = send(&fake, ("GET", "/maps/counters/entries"), b"").await;
    let page: Value = serde_json::from_slice(&page).expect("JSON");
    assert_eq!(status, 200);
    assert_eq!(
        (page["entries"].as_array().map(Vec::len), &page["more"]),
        (Some(1), &json!(true))
    );
    let too_large = vec![0; limits::ADMIN_VALUE_BYTES_MAX + 1];
    let put = ("PUT", "/maps/counters/entry?key=a");
    expect(&fake, put, &too_large, (413, "at most 16777216 bytes")).await;
}

#[tokio::test]
async fn changes_are_told_as_they_happen() {
    let (fake, _) = with_map();
    let lines = served(&fake, async |address| {
        let watch = ("GET", "/maps/counters/watch?prefix=a");
        let answer = client::ask(address, watch, Vec::new()).await.unwrap();
        let mut body = answer;
        let put = ("PUT", "/maps/counters/entry?key=a%20b");
        client::ask(address, put, Vec::new()).await.unwrap();
        let put = ("PUT", "/maps/counters/entry?key=b");
        client::ask(address, put, Vec::new()).await.unwrap();
        let delete = ("DELETE", "/maps/counters/entry?key=a%20b");
        let first = body.next().await.unwrap().unwrap();
        client::ask(address, delete, Vec::new()).await.unwrap();
        let second = body.next().await.unwrap().unwrap();
        [first, second].concat()
    })
    .await;
    let lines = String::from_utf8(lines).unwrap();
    let expected = "{\"event\":\"set\",\"key\":\"a b\",\"version\":1}\n\
                    {\"event\":\"deleted\",\"key\":\"a b\",\"version\":3}\n";
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn watches_are_bounded_and_end_with_their_clients() {
    let (fake, _) = with_map();
    let engine = fake.maps.clone().unwrap();
    served(&fake, async |address| {
        let watch = async || {
            let watch = ("GET", "/maps/counters/watch");
            client::ask(address, watch, Vec::new()).await.unwrap()
        };
        let mut open = Vec::new();
        for _ in 0..limits::ADMIN_WATCHES_MAX {
            open.push(watch().await);
        }
        assert_eq!(watch().await.status(), 503);
        open.pop();
        // The server learns of it when the connection has ended.
        while watch().await.status() != 200 {
            time::sleep(Duration::from_millis(5)).await;
        }
        // The map goes, and all are told.
        engine.undefine("", "counters");
        let mut last = open.pop().unwrap();
        let line = last.next().await.unwrap().unwrap();
        assert_eq!(&line[..], b"{\"event\":\"gone\"}\n");
        assert!(last.next().await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let (fake, _) = with_map();
    let get = |path: &'static str| ("GET", path);
    expect(&fake, get("/maps/nosuch"), b"", (404, "no map \"nosuch\"")).await;
    expect(&fake, get("/maps/counters?scope=x"), b"", (404, "no map")).await;
    expect(
        &fake,
        get("/maps/counters/nothing"),
        b"",
        (404, "nothing here"),
    )
    .await;
    expect(&fake, get("/maps/"), b"", (404, "nothing here")).await;
    expect(&fake, get("/maps/%ff"), b"", (404, "nothing here")).await;
    expect(&fake, get(ENTRY), b"", (400, "expected ?key=KEY")).await;
    let delete = ("DELETE", "/maps/counters");
    expect(&fake, delete, b"", (405, "allowed here: GET, HEAD")).await;
    let put = |query: &str| format!("{ENTRY}?key=a&{query}");
    for (query, told) in [
        ("if_version=x", "if_version is a number"),
        ("if_version=1&if_absent", "exclude each other"),
        ("ttl_ms=0", "at least 1 ms"),
        ("ttl_ms=18446744073709551616", "ttl_ms is a number"),
    ] {
        expect(&fake, ("PUT", &put(query)), b"", (400, told)).await;
    }
    expect(&fake, get("/maps/counters"), b"", (200, "\"version\": 0")).await;
}

#[tokio::test]
async fn other_web_pages_reach_no_map() {
    let (fake, _) = with_map();
    let head = format!("GET /maps HTTP/1.1\r\n{LOCAL}\r\norigin: https://evil.example");
    let answer = ask(Arc::clone(&fake), &head).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let none = ask(super::fake(), &format!("GET /maps HTTP/1.1\r\n{LOCAL}")).await;
    assert!(none.starts_with("HTTP/1.1 404 "), "{none}");
}

/// The same, with a declaration: numbers are users.
fn with_types() -> Arc<Fake> {
    let schema = json!({
        "weir-schema": 1,
        "types": [{ "name": "user", "kind": "record", "parts": [
            { "name": "name", "number": 1, "rule": "plain", "type": "string" },
            { "name": "is-on", "number": 2, "rule": "plain", "type": "bool" },
        ] }],
        "maps": [{ "name": "counters", "key": "s32", "value": "message", "type": 0 }],
    });
    let schema = weir_bindgen::Schema::from_json(&schema).unwrap();
    let typed = Typed::of(&schema, "counters").unwrap();
    let (fake, _) = with_map();
    let mut fake = Arc::into_inner(fake).unwrap();
    fake.typed.insert("counters".to_owned(), Arc::new(typed));
    Arc::new(fake)
}

#[tokio::test]
async fn a_declared_map_takes_and_shows_json() {
    let fake = with_types();
    let typed = "/maps/counters/entry?typed_key=-2&typed";
    let ann = br#"{ "name": "Ann", "isOn": true }"#;
    expect(&fake, ("PUT", typed), ann, (200, "version")).await;
    let json = async |path: &str| {
        let (status, _, body) = send(&fake, ("GET", path), b"").await;
        assert_eq!(status, 200, "{path}");
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let user = json!({ "name": "Ann", "isOn": true });
    assert_eq!(json(typed).await, user);
    // Beside it are the bytes: a key in the order of numbers, a message of protobuf.
    let (status, _, raw) = send(&fake, ("GET", "/maps/counters/entry?key=%7f%ff%ff%fe"), b"").await;
    assert_eq!((status, &raw[..]), (200, &b"\x0a\x03Ann\x10\x01"[..]));
    expect(
        &fake,
        ("PUT", "/maps/counters/entry?typed_key=5"),
        b"\x0b",
        (200, ""),
    )
    .await;
    let page = json("/maps/counters/entries?typed").await;
    let [first, second] = [0, 1].map(|at| &page["entries"][at]["typed"]);
    assert_eq!(*first, json!({ "key": -2, "value": user }));
    assert_eq!(second["key"], 5);
    let told = second["value"]["error"].as_str().unwrap();
    assert!(told.contains("no value of the map `counters`"), "{told}");
    let broken = "/maps/counters/entry?typed_key=5&typed";
    expect(
        &fake,
        ("GET", broken),
        b"",
        (400, "the entry is no value of the map `counters`"),
    )
    .await;
    expect(&fake, ("DELETE", broken), b"", (200, "removed")).await;
    let declared = &json("/maps/counters").await["declared"];
    assert_eq!(
        (&declared["key"], &declared["value"]),
        (&json!("s32"), &json!("user"))
    );
    assert_eq!(json("/maps").await["maps"][0]["declared"], *declared);
}

#[tokio::test]
async fn what_a_declared_map_cannot_hold_is_refused() {
    let fake = with_types();
    let typed = "/maps/counters/entry?typed_key=1&typed";
    let refused = async |body: &[u8], told| expect(&fake, ("PUT", typed), body, (400, told)).await;
    refused(b"{", "the value is no JSON").await;
    refused(
        br#"{ "name": 1 }"#,
        "no value of the map `counters`: name: a value of the type string expected",
    )
    .await;
    refused(br#"{ "nam": "x" }"#, "nam").await;
    expect(&fake, ("GET", typed), b"", (404, "no such entry")).await;
    for key in ["x", "2147483648", "1.5", "%ff"] {
        let path = format!("/maps/counters/entry?typed_key={key}");
        expect(&fake, ("GET", &path), b"", (400, "whose keys are s32")).await;
    }
    // Without a declaration keys and values are bytes, whatever is asked for.
    let (plain, _) = with_map();
    expect(&plain, ("PUT", typed), b"{", (200, "")).await;
    let (_, _, value) = send(&plain, ("GET", "/maps/counters/entry?key=1"), b"").await;
    assert_eq!(value, b"{");
}

#[tokio::test]
async fn a_region_is_shown_with_its_length() {
    let (fake, _) = with_map();
    let identity = Identity {
        in_use: "filter".into(),
        grants: Arc::new(Grants::of("").with("counters", Rights::ALL)),
        owner: Arc::new(Account::new(Amount::default())),
        meter: Arc::default(),
    };
    let mut handles = Handles::new(fake.maps.as_ref().unwrap(), identity);
    let map = handles.open(b"counters", Rights::ALL).unwrap();
    handles.region_create(map, b"image", 5000).unwrap();
    let list = ("GET", "/maps/counters/entries");
    expect(&fake, list, b"", (200, "\"bytes\": 5000")).await;
}
