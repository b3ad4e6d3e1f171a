//! Exported functions as handlers, by the guest `typed`.

use http::header;
use http_body_util::BodyExt as _;
use weir_functions::{BodyError, FaultKind, Kind, Loaded, Request};
use weir_model::{Export, Function, FunctionKind};

use crate::world::{World, answer, body, function, on_worker, prebuilt, runtime};

const SHAPES: &str = "weir:typed/shapes@1.0.0#";

fn configured(name: &str, change: impl FnOnce(&mut Function)) -> Function {
    let mut function = function(FunctionKind::Export(Export {
        name: name.to_owned(),
        content_type: "application/json".to_owned(),
    }));
    change(&mut function);
    function
}

fn export(name: &str) -> Loaded {
    let function = configured(name, |_| ());
    let loaded = Loaded::new(runtime(), &function, &prebuilt("typed")).unwrap();
    assert_eq!(loaded.kind(), Kind::Export);
    loaded
}

fn post(text: impl Into<bytes::Bytes>) -> Request {
    let request = http::Request::post("http://here.example/");
    request.body(body(text)).unwrap()
}

#[track_caller]
fn check(name: &str, input: &str, status: u16, output: &str) {
    let (found, told) = answer(&export(name), post(input.to_owned())).unwrap();
    let told = String::from_utf8(told.to_vec()).unwrap();
    assert_eq!((found, &*told), (status, output), "{name} {input}");
}

#[test]
fn text_and_bytes_go_as_they_are() {
    check("process-data", "grüße", 200, "GRÜSSE");
    check("process-data", "", 200, "");
    check("reverse", "abc", 200, "cba");
    check("reverse", "", 200, "");
    check("forget", "anything", 204, "");
    check("answer", "whatever this is", 200, "42");
    let (_, back) = answer(&export("reverse"), post(&[0_u8, 255][..])).unwrap();
    assert_eq!(&*back, [255, 0]);
}

#[test]
fn megabytes_are_no_json() {
    let function = configured("reverse", |function| {
        function.limits.time = std::time::Duration::from_mins(1);
    });
    let loaded = Loaded::new(runtime(), &function, &prebuilt("typed")).unwrap();
    let (status, back) = answer(&loaded, post(vec![7; 8 << 20])).unwrap();
    assert_eq!((status, back.len()), (200, 8 << 20));
}

#[test]
fn results_have_their_type() {
    let (world, _) = World::new();
    let response = on_worker(export("answer").call(post(""), world)).unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(response.headers()[header::CONTENT_LENGTH], "2");
    let (world, _) = World::new();
    let response = on_worker(export("forget").call(post(""), world)).unwrap();
    assert!(response.headers().is_empty());
}

#[test]
fn several_arguments_are_an_object_or_an_array() {
    check("divide", r#"{"divisor": 4, "dividend": 9}"#, 200, "2");
    check("divide", "[9, 4]", 200, "2");
    check("divide", "[9, 0]", 422, "9 cannot be divided by nothing");
    let moved = format!("{SHAPES}moved");
    check(
        &moved,
        r#"{"point": {"x": 1, "y": -2}, "by": 3}"#,
        200,
        r#"{"x":4,"y":1}"#,
    );
    let farthest = format!("{SHAPES}farthest");
    check(
        &farthest,
        r#"[{"x":1,"y":2},{"x":2,"y":2}]"#,
        200,
        r#"{"x":2,"y":2}"#,
    );
    check(&farthest, "[]", 200, "null");
}

const DRAWING: &str = r#"{"name":"a house","shape":{"polygon":[{"x":1,"y":-2},{"x":0,"y":0}]},"colour":"green","edges":["top","left"],"scale":0.1,"initial":"ß","at":{"x":1,"y":2},"sizes":[255,-32768,4294967295,-9223372036854775808,18446744073709551615],"is-open":true,"checked":{"err":"not yet"}}"#;

#[test]
fn every_form_of_value_comes_back_as_it_was() {
    let same = format!("{SHAPES}same");
    check(&same, DRAWING, 200, DRAWING);
    let change = |from: &str, to: &str| {
        let changed = DRAWING.replace(from, to);
        assert_ne!(changed, DRAWING);
        changed
    };
    let rows = [
        (
            r#"{"polygon":[{"x":1,"y":-2},{"x":0,"y":0}]}"#,
            r#""nothing""#,
        ),
        (
            r#"{"polygon":[{"x":1,"y":-2},{"x":0,"y":0}]}"#,
            r#"{"circle":0.5}"#,
        ),
        (
            r#"{"polygon":[{"x":1,"y":-2},{"x":0,"y":0}]}"#,
            r#"{"circle":"-Infinity"}"#,
        ),
        (
            r#"{"polygon":[{"x":1,"y":-2},{"x":0,"y":0}]}"#,
            r#"{"circle":"NaN"}"#,
        ),
        (r#"["top","left"]"#, "[]"),
        (r#"{"x":1,"y":2}"#, "null"),
        (r#"{"err":"not yet"}"#, r#"{"ok":7}"#),
        ("0.1", "1e-7"),
    ];
    for (from, to) in rows {
        let changed = change(from, to);
        check(&same, &changed, 200, &changed);
    }
    let without = change(r#""at":{"x":1,"y":2},"#, "");
    check(&same, &without, 200, &change(r#"{"x":1,"y":2}"#, "null"));
}

/// What is changed in the drawing, into what, and what is then told.
const WRONG: [(&str, &str, &str); 15] = [
    (
        r#""a house""#,
        "7",
        "drawing.name: expected string, but found 7",
    ),
    (
        r#""y":-2"#,
        r#""y":"b""#,
        "drawing.shape.polygon[0].y: expected s32, but found \"b\"",
    ),
    (
        r#""y":-2"#,
        r#""z":-2"#,
        "drawing.shape.polygon[0].y: missing, expected s32",
    ),
    (
        r#""y":-2"#,
        r#""y":-2,"z":0"#,
        "drawing.shape.polygon[0]: unknown field \"z\", expected an object with x, y",
    ),
    (
        "\"polygon\"",
        "\"line\"",
        "drawing.shape: expected one of nothing, circle, polygon, but found \"line\"",
    ),
    (
        "\"green\"",
        "\"grey\"",
        "drawing.colour: expected one of red, green, blue, but found \"grey\"",
    ),
    (
        "\"top\"",
        "\"up\"",
        "drawing.edges: expected some of top, right, bottom, left, but found [\"up\",\"left\"]",
    ),
    (
        "\"ß\"",
        "\"ss\"",
        "drawing.initial: expected char, but found \"ss\"",
    ),
    (
        "0.1",
        "1e99",
        "drawing.scale: expected f32, but found 1e+99",
    ),
    ("255", "256", "drawing.sizes[0]: expected u8, but found 256"),
    ("255", "1.5", "drawing.sizes[0]: expected u8, but found 1.5"),
    (
        "18446744073709551615",
        "-1",
        "drawing.sizes[4]: expected u64, but found -1",
    ),
    (
        "[255,",
        "[",
        "drawing.sizes: expected tuple<u8, s16, u32, s64, u64>, but found [-32768,4294967295,-9223372036854775808,18446744073709551615…",
    ),
    ("true", "1", "drawing.is-open: expected bool, but found 1"),
    (
        "\"err\"",
        "\"odd\"",
        "drawing.checked: expected ok or err, but found \"odd\"",
    ),
];

#[test]
fn what_is_not_of_the_type_is_told_where() {
    let same = format!("{SHAPES}same");
    for (from, to, expected) in WRONG {
        assert!(DRAWING.contains(from));
        let changed = DRAWING.replacen(from, to, 1);
        check(&same, &changed, 400, &format!("{expected}\n"));
    }
    check(
        "divide",
        "[9]",
        400,
        "expected an object with dividend, divisor, or an array of 2 values, but found [9]\n",
    );
    check(
        "divide",
        r#"{"dividend": 9}"#,
        400,
        "divisor: missing, expected u32\n",
    );
    check(
        "divide",
        r#"{"dividend": 9, "divisor": 1, "rest": 1}"#,
        400,
        "unknown field \"rest\", expected dividend, divisor\n",
    );
    check(
        "divide",
        "{",
        400,
        "no JSON: EOF while parsing an object at line 1 column 1\n",
    );
    let (status, told) = answer(&export("process-data"), post(&b"a\xff"[..])).unwrap();
    assert_eq!(
        (status, &*told),
        (400, &b"expected text in UTF-8, but byte 1 is none\n"[..])
    );
}

#[test]
fn bodies_have_limits() {
    let loaded = |change: fn(&mut Function)| {
        let function = configured("process-data", change);
        Loaded::new(runtime(), &function, &prebuilt("typed")).unwrap()
    };
    let small = loaded(|function| function.limits.request_bytes = 4);
    assert_eq!(answer(&small, post("1234")).unwrap().0, 200);
    let (status, told) = answer(&small, post("12345")).unwrap();
    assert_eq!(
        (status, &*told),
        (413, &b"the body is longer than 4 bytes\n"[..])
    );

    let small = loaded(|function| function.limits.response_bytes = 4);
    assert_eq!(answer(&small, post("1234")).unwrap().0, 200);
    let fault = answer(&small, post("12345")).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit);
    assert_eq!(fault.text, "its result has 5 bytes, it may have 4");

    let large = vec![b' '; 2 << 20];
    let (status, told) = answer(&export("divide"), post(large)).unwrap();
    assert_eq!(status, 400);
    assert_eq!(told, "JSON may have 1048576 bytes, but these are 2097152\n");
}

/// Three bytes of a request became as many values as a record has fields: a gigabyte of the host's.
#[test]
fn what_is_left_out_counts() {
    let fields: Vec<_> = (0..40)
        .map(|n| format!("(field \"f{n}\" (option u8))"))
        .collect();
    let fields = fields.concat();
    let text = format!(
        r#"(component
        (core module $m (memory (export "memory") 200)
            (func (export "f") (param i32 i32))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
        (core instance $i (instantiate $m))
        (type $r' (record {fields}))
        (export $r "r" (type $r'))
        (type $l (list $r))
        (func (export "f") (param "of" $l) (canon lift (core func $i "f")
            (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    );
    let function = configured("f", |_| ());
    let loaded = Loaded::new(runtime(), &function, &wat::parse_str(text).unwrap()).unwrap();
    let records = |count: usize| {
        let (status, told) =
            answer(&loaded, post(format!("[{}]", vec!["{}"; count].join(",")))).unwrap();
        (status, String::from_utf8_lossy(&told).into_owned())
    };
    assert_eq!(records(10_000).0, 204);
    let (status, told) = records(300_000);
    assert_eq!(status, 400);
    assert!(told.contains("more than 500000 values"), "{told}");
}

#[test]
fn a_body_that_does_not_come_is_no_fault_of_the_function() {
    let function = configured("process-data", |function| {
        function.limits.timeout = std::time::Duration::from_millis(50);
    });
    let loaded = Loaded::new(runtime(), &function, &prebuilt("typed")).unwrap();
    let with = |frames: Vec<Result<_, BodyError>>, never: bool| {
        use futures_util::stream::{self, StreamExt as _};
        let frames = stream::iter(frames);
        let frames = if never {
            frames.chain(stream::pending()).boxed()
        } else {
            frames.boxed()
        };
        let body = http_body_util::StreamBody::new(frames).boxed_unsync();
        let request = http::Request::post("http://here.example/").body(body);
        answer(&loaded, request.unwrap()).unwrap().0
    };
    let piece = || Ok(http_body::Frame::data(bytes::Bytes::from_static(b"a")));
    assert_eq!(with(vec![piece()], true), 408);
    assert_eq!(with(vec![piece(), Err(BodyError::Cut)], false), 400);
    assert_eq!(with(vec![piece()], false), 200);
}

#[test]
fn a_function_that_fails_has_a_fault() {
    let fault = answer(&export("fail"), post("")).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    assert!(fault.text.contains("unreachable"), "{fault}");
    let function = configured("turn", |function| {
        function.limits.time = std::time::Duration::from_millis(50);
    });
    let loaded = Loaded::new(runtime(), &function, &prebuilt("typed")).unwrap();
    assert_eq!(
        answer(&loaded, post("")).unwrap_err().kind,
        FaultKind::Deadline
    );
}

#[test]
fn what_cannot_be_called_is_told_when_it_is_loaded() {
    let refusal = |name: &str, module: &[u8]| {
        let function = configured(name, |_| ());
        Loaded::new(runtime(), &function, module)
            .err()
            .unwrap()
            .to_string()
    };
    let typed = prebuilt("typed");
    let all = "process-data, reverse, divide, forget, answer, fail, turn, weir:typed/shapes@1.0.0";
    for name in [
        "nothing-like-it",
        "weir:typed/shapes@1.0.0",
        "weir:typed/shapes@1.0.0#more",
        "a#b",
    ] {
        let told = refusal(name, &typed);
        assert_eq!(
            told,
            format!("kind export: expected a function {name}; the module exports {all}")
        );
    }
    let stream = "(component
        (core module $m (func (export \"f\") (param i32)))
        (core instance $i (instantiate $m))
        (func (export \"f\") (param \"of\" (stream u8)) (canon lift (core func $i \"f\"))))";
    let told = refusal("f", &wat::parse_str(stream).unwrap());
    assert_eq!(
        told,
        "kind export: the function f has values of type stream, which cannot be made of a request"
    );
    let told = refusal("f", &wat::parse_str("(module)").unwrap());
    assert_eq!(
        told,
        "kind export: expected a component, but the module is a core module"
    );
}
