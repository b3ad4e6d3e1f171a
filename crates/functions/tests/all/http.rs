//! Components that handle HTTP, by the guest `handler`, which does what a request's path says.

mod ends;
mod memory;
mod streams;
mod v3;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use weir_functions::{FetchError, Kind, LoadError, Loaded, Stream};
use weir_model::{FileAccess, FileGrant, Function, FunctionKind, Variable};

use crate::world::{World, answer, body, function, get, on_worker, prebuilt, runtime};

/// The handler with these settings.
fn handler(change: impl FnOnce(&mut Function)) -> Loaded {
    let mut function = function(FunctionKind::Auto);
    change(&mut function);
    Loaded::new(runtime(), &function, &prebuilt("handler")).unwrap()
}

#[test]
fn a_component_answers() {
    let loaded = handler(|_| ());
    assert_eq!(loaded.kind(), Kind::Http);
    assert_eq!(answer(&loaded, get("/")).unwrap(), (200, "hello".into()));
}

#[test]
fn a_guest_sees_its_request_its_variables_and_what_its_surroundings_say() {
    let loaded = handler(|function| {
        let text = |text: &str| Variable::Text(text.to_owned());
        function.environment = vec![
            ("COLOUR".to_owned(), text("red")),
            (
                "NONE".to_owned(),
                Variable::OfGateway("NOBODY_HAS_THIS".to_owned()),
            ),
        ];
        function.arguments = vec!["one".to_owned()];
        function.settings = vec![("colour".to_owned(), text("blue"))];
    });
    let request = http::Request::patch("https://here.example:8443/about?a=b")
        .header("x-one", "1")
        .body(body(""))
        .unwrap();
    let (world, seen) = World::new();
    let told = on_worker(async {
        let response = loaded.call(request, world).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    });
    let told = String::from_utf8(told.to_vec()).unwrap();
    let expected = r#"Method::Patch Some("/about?a=b")
Some(Scheme::Https) Some("here.example:8443")
x-one: 1
$COLOUR=red
argument one
setting colour=blue
colour Some("blue")
time 1000000000
random 707070707070707
later 0ns
map 2"#;
    assert_eq!(told, expected);
    let lines = seen.lines.lock().unwrap().clone();
    let expected = [
        (Stream::Out, "to standard output".to_owned()),
        (Stream::Error, "to standard error".to_owned()),
        (Stream::Out, "without an end".to_owned()),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn files_are_those_that_are_granted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("note"), "written down").unwrap();
    let grant = |function: &mut Function| {
        function.grants.files.push(FileGrant {
            host: folder.path().to_owned(),
            guest: "/notes".to_owned(),
            access: FileAccess::Read,
        });
    };
    let ask = |loaded: &Loaded, path: &str| {
        let (_, told) = answer(loaded, get(&format!("/file?{path}"))).unwrap();
        String::from_utf8(told.to_vec()).unwrap()
    };
    assert_eq!(ask(&handler(grant), "/notes/note"), "written down");
    let refused = |told: String, expected: &str| assert!(told.contains(expected), "{told}");
    refused(ask(&handler(grant), "/notes/../note"), "os error");
    refused(ask(&handler(grant), "/etc/hostname"), "os error");
    refused(ask(&handler(|_| ()), "/notes/note"), "os error");
}

#[test]
fn a_folder_that_is_not_there_is_told_when_the_function_is_loaded() {
    let mut function = function(FunctionKind::Auto);
    function.grants.files.push(FileGrant {
        host: "/nowhere/at/all".into(),
        guest: "/".to_owned(),
        access: FileAccess::Read,
    });
    let error = Loaded::new(runtime(), &function, &prebuilt("handler"));
    let told = error.err().unwrap().to_string();
    assert!(
        told.starts_with("the folder /nowhere/at/all cannot be opened: "),
        "{told}"
    );
}

#[test]
fn sockets_are_nothing_that_works() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let request = get(&format!("/sockets?{address}"));
    let (_, told) = answer(&handler(|_| ()), request).unwrap();
    assert_eq!(told, "PermissionDenied");
}

/// What the guest tells of a fetch that is answered so, and what was asked.
fn fetched(
    what: &str,
    reply: impl FnOnce() -> Result<weir_functions::Response, FetchError> + Send + 'static,
) -> (String, String) {
    let (mut world, _) = World::new();
    let (told, asked) = std::sync::mpsc::channel();
    let mut reply = Some(reply);
    world.fetcher = Box::new(move |fetch| {
        let (told, reply) = (told.clone(), reply.take().unwrap());
        Box::pin(async move {
            let (head, body) = fetch.request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            let headers = head.headers.len();
            told.send(format!("{} {} {headers} {body}", head.method, head.uri))
                .unwrap();
            reply()
        })
    });
    let request = get(&format!("/fetch?{what}"));
    let answer = on_worker(async {
        let response = handler(|_| ()).call(request, world).await.unwrap();
        let status = response.headers().get("x-status").cloned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        format!("{status:?} {}", String::from_utf8_lossy(&body))
    });
    (asked.try_recv().unwrap_or_default(), answer)
}

#[test]
fn requests_of_a_guest_go_to_its_surroundings() {
    let reply = || {
        let response = http::Response::builder().status(404);
        Ok(response.body(body("not here")).unwrap())
    };
    let told = fetched("POST,http://there.example:81/a?b", reply);
    let asked = "POST http://there.example:81/a?b 0 from the guest";
    let answered = r#"Some("404") not here"#;
    assert_eq!(told, (asked.to_owned(), answered.to_owned()));
    let (asked, _) = fetched("GET,weir://other/a", reply);
    assert_eq!(asked, "GET weir://other/a 0 from the guest");
}

#[test]
fn a_guest_is_told_why_a_request_has_no_response() {
    let rows = [
        (FetchError::NotGranted("x".to_owned()), "HttpRequestDenied"),
        (FetchError::Unresolved("x".to_owned()), "DnsError"),
        (FetchError::Connect("x".to_owned()), "ConnectionRefused"),
        (FetchError::Broken("x".to_owned()), "HttpProtocolError"),
        (FetchError::TimedOut("x"), "ConnectionTimeout"),
        (
            FetchError::BadRequest("x".to_owned()),
            "HttpRequestUriInvalid",
        ),
        (FetchError::Function("it fell".to_owned()), "it fell"),
    ];
    for (error, expected) in rows {
        let (_, told) = fetched("GET,http://there.example/", move || Err(error));
        assert!(
            told.contains("no response: ") && told.contains(expected),
            "{told}"
        );
    }
}

#[test]
fn a_scheme_that_nobody_speaks_is_refused_before_it_leaves() {
    let (asked, told) = fetched("GET,gopher://there.example/", || unreachable!());
    assert_eq!(asked, "");
    assert!(
        told.contains("not sent: ErrorCode::HttpProtocolError"),
        "{told}"
    );
}

/// What loading these bytes says.
fn refusal(kind: FunctionKind, module: &[u8]) -> LoadError {
    Loaded::new(runtime(), &function(kind), module)
        .err()
        .unwrap()
}

#[test]
fn what_is_no_handler_of_http_is_told_apart() {
    let rows = [
        (
            "(module)",
            "kind http: expected a component, but the module is a core module",
        ),
        (
            "(component (import \"a:b/c\" (instance (export \"f\" (func)))))",
            "kind http: the host does not offer what the module imports: component imports \
             instance `a:b/c`, but a matching implementation was not found in the linker",
        ),
        (
            "(component (instance $i) (export \"x:y/z\" (instance $i)))",
            "kind http: expected an export wasi:http/incoming-handler of version 0.2, or \
             wasi:http/handler of version 0.3 (or, as a command, wasi:cli/run); the module exports x:y/z",
        ),
        (
            "(component)",
            "kind http: expected an export wasi:http/incoming-handler of version 0.2, or \
             wasi:http/handler of version 0.3 (or, as a command, wasi:cli/run); the module exports nothing",
        ),
    ];
    for (text, expected) in rows {
        let module = wat::parse_str(text).unwrap();
        let told = refusal(FunctionKind::Http, &module).to_string();
        assert!(told.starts_with(expected), "{told}");
    }
    let told = refusal(FunctionKind::Auto, b"no module").to_string();
    assert_eq!(
        told,
        "failed to parse corrupted Wasm: it does not begin as WebAssembly"
    );
    let mut torn = prebuilt("handler");
    torn.truncate(torn.len() / 2);
    let told = refusal(FunctionKind::Auto, &torn).to_string();
    assert!(
        told.starts_with("failed to parse corrupted Wasm: "),
        "{told}"
    );
}

/// A frame of bytes.
fn frame(bytes: &'static [u8]) -> http_body::Frame<Bytes> {
    http_body::Frame::data(Bytes::from_static(bytes))
}

/// A limit that is over soon.
const SOON: Duration = Duration::from_millis(100);
