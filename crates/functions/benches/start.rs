//! How long a call takes from nothing to the first byte of its response: compiled code is there, an
//! instance is not. `cargo bench -p weir-functions --bench start`.
//!
//! Each call is timed alone, on one thread, with surroundings that cost nothing; then how many calls
//! one thread makes in a second, one after the other. A second table is of calls that load the function
//! first: its code is in the cache on disk, and nothing of it is in memory. Arguments: `--calls N`,
//! `--module FILE` (instead of ours; its kind is found out).

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use weir_functions::{
    Fetch, FetchError, Later, Loaded, MapAnswer, Request, Response, Runtime, Stream, Surroundings,
};
use weir_guest::code::Cache;
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
    print(name, times, &format!("{second:>8} calls/s"));
}

/// The same for calls that load the function, out of the cache.
async fn measure_loads(
    name: &str,
    (runtime, function): (&Runtime, &Function),
    (module, calls): (&[u8], usize),
) {
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begun = Instant::now();
        let loaded = Loaded::new(runtime, function, module).expect("it loads");
        let loading = begun.elapsed();
        times.push(loading + call(&loaded).await);
    }
    print(name, times, "");
}

fn print(name: &str, mut times: Vec<Duration>, more: &str) {
    times.sort();
    let of = |part: usize| times[times.len() * part / 100].as_nanos() / 100;
    let text = |tenths: u128| format!("{}.{}", tenths / 10, tenths % 10);
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "{name:<22} {:>9} µs {:>9} µs {:>9} µs {more}",
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
            (
                "core, C",
                FunctionKind::Auto,
                format!("{folder}../../examples/functions/c/hello.wasm"),
            ),
        ],
    };
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(folder.path(), 1 << 30).expect("a cache");
    let engine = weir_guest::Engine::new().expect("an engine");
    let runtime = Runtime::with_cache(&engine, Some(Arc::new(cache))).expect("an engine");
    let worker = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a worker");
    let run = |measured: &mut dyn FnMut(&tokio::task::LocalSet)| {
        let _ = writeln!(
            std::io::stdout(),
            "{:<22} {:>12} {:>12} {:>12}",
            "",
            "25 %",
            "median",
            "99 %"
        );
        measured(&tokio::task::LocalSet::new());
    };
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(name, kind, file)| {
            let module = std::fs::read(&file).expect("the module is there");
            (name, function(kind), module)
        })
        .collect();
    run(&mut |tasks| {
        for (name, function, module) in &rows {
            let loaded = Loaded::new(&runtime, function, module).expect("it loads");
            tasks.block_on(&worker, measure(name, &loaded, calls));
        }
    });
    run(&mut |tasks| {
        for (name, function, module) in &rows {
            let measured = measure_loads(name, (&runtime, function), (module, calls / 10));
            tasks.block_on(&worker, measured);
        }
    });
}
