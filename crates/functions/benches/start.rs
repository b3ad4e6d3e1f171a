//! How long a call takes from nothing to the first byte of its response: compiled code is there, an
//! instance is not. `cargo bench -p weir-functions --bench start`.
//!
//! Each call is timed alone, on one thread, with surroundings that cost nothing; then how many calls
//! one thread makes in a second, one after the other. Arguments: `--calls N`, `--module FILE` (instead
//! of ours; its kind is found out).

use std::io::Write;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use weir_functions::{
    Fetch, FetchError, Later, Loaded, MapAnswer, Request, Response, Runtime, Stream, Surroundings,
};
use weir_maps::MapCall;
use weir_model::{Export, Function, FunctionGrants, FunctionKind, FunctionLimits};

/// Answers as a gateway would, without one.
struct Steady;

impl Surroundings for Steady {
    fn log(&mut self, _: Stream, _: &[u8]) {}

    fn wall_clock(&mut self) -> Duration {
        Duration::from_secs(1)
    }

    fn monotonic_clock(&mut self) -> Duration {
        Duration::from_secs(1)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(1);
    }

    fn fetch(&mut self, _: Fetch) -> Later<Result<Response, FetchError>> {
        unreachable!("no guest of this bench sends requests")
    }

    fn map_call(&mut self, _: MapCall<'_>) -> MapAnswer {
        unreachable!("no guest of this bench has maps")
    }
}

fn function(kind: FunctionKind) -> Function {
    Function {
        name: "it".into(),
        module: "it".into(),
        kind,
        environment: Vec::new(),
        arguments: Vec::new(),
        settings: Vec::new(),
        grants: FunctionGrants::default(),
        limits: FunctionLimits::default(),
    }
}

fn request() -> Request {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let request = http::Request::get("http://here.example/hello");
    request.body(body).expect("a good request")
}

/// Calls once; returns the time until the first byte.
async fn call(loaded: &Loaded) -> Duration {
    let begun = Instant::now();
    let response = loaded.call(request(), Box::new(Steady)).await;
    let mut body = response.expect("it answers").into_body();
    let first = body.frame().await;
    let time = begun.elapsed();
    assert!(first.is_none_or(|frame| frame.is_ok()), "it answers well");
    while body.frame().await.is_some() {}
    time
}

async fn measure(name: &str, loaded: &Loaded, calls: usize) {
    for _ in 0..calls / 10 {
        call(loaded).await;
    }
    let mut times = Vec::with_capacity(calls);
    let begun = Instant::now();
    for _ in 0..calls {
        times.push(call(loaded).await);
    }
    let second = calls as u128 * 1_000_000_000 / begun.elapsed().as_nanos();
    times.sort();
    let of = |part: usize| times[times.len() * part / 100].as_nanos() / 100;
    let text = |tenths: u128| format!("{}.{}", tenths / 10, tenths % 10);
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "{name:<22} {:>9} µs {:>9} µs {:>9} µs {second:>8} calls/s",
        text(of(25)),
        text(of(50)),
        text(of(99)),
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut calls, mut own) = (5000, None);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--calls" => {
                calls = arguments
                    .next()
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(calls);
            }
            "--module" => own = arguments.next(),
            _ => {}
        }
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/prebuilt/");
    let export = FunctionKind::Export(Export {
        name: "process-data".to_owned(),
        content_type: "text/plain".to_owned(),
    });
    let rows = match own {
        Some(file) => vec![("the module", FunctionKind::Auto, file)],
        None => vec![
            (
                "wasi:http 0.2, Rust",
                FunctionKind::Auto,
                format!("{folder}handler.wasm"),
            ),
            (
                "wasi:http 0.3, Rust",
                FunctionKind::Auto,
                format!("{folder}handler3.wasm"),
            ),
            ("export, Rust", export, format!("{folder}typed.wasm")),
        ],
    };
    let runtime = Runtime::new().expect("an engine");
    let worker = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a worker");
    let _ = writeln!(
        std::io::stdout(),
        "{:<22} {:>12} {:>12} {:>12}",
        "",
        "25 %",
        "median",
        "99 %"
    );
    for (name, kind, file) in rows {
        let module = std::fs::read(&file).expect("the module is there");
        let loaded = Loaded::new(&runtime, &function(kind), &module).expect("it loads");
        let measured = measure(name, &loaded, calls);
        tokio::task::LocalSet::new().block_on(&worker, measured);
    }
}
