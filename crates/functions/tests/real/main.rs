//! Components that others' tools made of Python and JavaScript, as they come.
//!
//! `guests/components/build.sh FOLDER` builds them; `WEIR_COMPONENTS` names the folder.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "these tests need a part of it")]
#[path = "../all/world.rs"]
mod world;

use std::path::PathBuf;
use std::time::Duration;

use weir_functions::{Kind, Loaded, Request};
use weir_model::{Export, FunctionKind};
use world::{answer, body, function, get, runtime};

fn load(kind: FunctionKind, name: &str) -> Loaded {
    let folder = std::env::var_os("WEIR_COMPONENTS").expect("guests/components/build.sh FOLDER");
    let module = std::fs::read(PathBuf::from(folder).join(name)).unwrap();
    let mut function = function(kind);
    // A busy machine may take its time.
    function.limits.time = Duration::from_mins(1);
    function.limits.timeout = Duration::from_mins(2);
    Loaded::new(runtime(), &function, &module).unwrap()
}

fn export(name: &str) -> FunctionKind {
    FunctionKind::Export(Export {
        name: name.to_owned(),
        content_type: "application/json".to_owned(),
    })
}

fn post(text: &str) -> Request {
    let request = http::Request::post("http://here.example/there");
    request.body(body(text.to_owned())).unwrap()
}

fn check_exports(component: &str) {
    let shout = load(export("process-data"), component);
    assert_eq!(
        answer(&shout, post("grüße")).unwrap(),
        (200, "GRÜSSE".into())
    );
    let greet = load(export("greet"), component);
    let rows = [
        (
            r#"{"name":"you","times":2}"#,
            200,
            r#"{"text":"Hello you Hello you","length":19}"#,
        ),
        (r#"{"name":"you","times":4}"#, 422, "too often"),
        (
            r#"{"name":"you","times":-4}"#,
            400,
            "greeting.times: expected u32, but found -4\n",
        ),
    ];
    for (input, status, output) in rows {
        assert_eq!(
            answer(&greet, post(input)).unwrap(),
            (status, output.into())
        );
    }
}

#[test]
fn functions_in_python_are_called() {
    check_exports("py-typed.wasm");
}

#[test]
fn functions_in_javascript_are_called() {
    check_exports("js-typed.wasm");
}

#[test]
fn a_handler_in_python_answers() {
    let loaded = load(FunctionKind::Auto, "py-http.wasm");
    assert_eq!(loaded.kind(), Kind::Http);
    let told = answer(&loaded, get("/a?b")).unwrap();
    assert_eq!(told, (200, "python at /a?b".into()));
}

#[test]
fn a_handler_in_javascript_answers() {
    let loaded = load(FunctionKind::Auto, "js-http.wasm");
    let told = answer(&loaded, post("12345")).unwrap();
    assert_eq!(told, (201, "script at /there, 5 characters".into()));
}
