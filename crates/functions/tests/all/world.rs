//! Surroundings for tests, and what all tests begin with.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use weir_functions::{
    Body, Fault, Fetch, FetchError, Later, Loaded, MapAnswer, Request, Response, Runtime, Stream,
    Surroundings,
};
use weir_maps::MapCall;
use weir_model::{Function, FunctionGrants, FunctionKind, FunctionLimits};

/// What answers fetches.
pub(crate) type Fetcher = Box<dyn FnMut(Fetch) -> Later<Result<Response, FetchError>> + Send>;

/// What a function did, for whoever looks.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) lines: Arc<Mutex<Vec<(Stream, String)>>>,
    /// Whether its surroundings are gone.
    pub(crate) is_over: Arc<OnceLock<()>>,
}

pub(crate) struct World {
    pub(crate) seen: Seen,
    pub(crate) fetcher: Fetcher,
}

impl World {
    pub(crate) fn new() -> (Box<Self>, Seen) {
        let seen = Seen::default();
        let none = |fetch: Fetch| {
            let target = fetch.request.uri().to_string();
            Box::pin(async { Err(FetchError::NotGranted(target)) }) as Later<_>
        };
        let world = Self {
            seen: seen.clone(),
            fetcher: Box::new(none),
        };
        (Box::new(world), seen)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.seen.is_over.set(());
    }
}

impl Surroundings for World {
    fn log(&mut self, stream: Stream, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        self.seen.lines.lock().unwrap().push((stream, line));
    }

    fn wall_clock(&mut self) -> Duration {
        Duration::from_secs(1_000_000_000)
    }

    fn monotonic_clock(&mut self) -> Duration {
        Duration::from_secs(7)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn fetch(&mut self, fetch: Fetch) -> Later<Result<Response, FetchError>> {
        (self.fetcher)(fetch)
    }

    fn map_call(&mut self, _: MapCall<'_>) -> MapAnswer {
        unimplemented!("no test needs it yet")
    }
}

/// One for all tests.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

pub(crate) fn function(kind: FunctionKind) -> Function {
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

pub(crate) fn prebuilt(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/prebuilt/");
    std::fs::read(format!("{folder}{name}.wasm")).unwrap()
}

pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub(crate) fn get(path: &str) -> Request {
    let request = http::Request::get(format!("http://here.example{path}"));
    request.body(body("")).unwrap()
}

/// A call as a worker makes it.
pub(crate) fn on_worker<T>(work: impl Future<Output = T>) -> T {
    let mut worker = tokio::runtime::Builder::new_current_thread();
    let worker = worker.enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&worker, work)
}

/// What a function answers to a request, whole.
pub(crate) fn answer(loaded: &Loaded, request: Request) -> Result<(u16, Bytes), Fault> {
    let (world, _) = World::new();
    on_worker(async {
        let response = loaded.call(request, world).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap();
        Ok((status, body.to_bytes()))
    })
}
