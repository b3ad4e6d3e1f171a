//! Components with shared maps: `examples/maps/rust/dashboard` over an engine of maps.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt as _;
use weir_functions::{
    Fetch, FetchError, Later, Loaded, MapAnswer, Request, Response, Stream, Surroundings,
};
use weir_maps::budget::{Account, Amount};
use weir_maps::handles::Ends;
use weir_maps::{
    Called, Engine, Grants, Handles, Identity, MapCall, MapError, MapOptions, MapReply, Rights,
    Store as _, SystemClock,
};
use weir_model::FunctionKind;

use crate::world::{body, function, get, on_worker, runtime};

/// An engine with the maps of the example.
fn engine() -> Engine {
    let engine = Engine::new(Arc::new(SystemClock::default()));
    for name in ["counters", "visits"] {
        let options = MapOptions::default();
        engine.define("", name, (options, &account())).unwrap();
    }
    engine
}

fn account() -> Arc<Account> {
    Arc::new(Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    }))
}

fn handles(engine: &Engine, in_use: &str, rights: Rights) -> Handles {
    let grants = Grants::of("").with("counters", rights);
    let identity = Identity {
        in_use: in_use.into(),
        grants: Arc::new(grants.with("visits", Rights::WRITE)),
        owner: account(),
        meter: Arc::default(),
    };
    Handles::new(engine, identity)
}

/// Another use of the maps, and what it has accepted.
type Borrower = Arc<Mutex<(Handles, Option<u32>)>>;

struct World {
    handles: Handles,
    borrower: Borrower,
    /// Answers come a moment later.
    is_slow: bool,
}

impl Surroundings for World {
    /// A ticket is accepted as soon as it is told, while the call goes on.
    fn log(&mut self, stream: Stream, line: &[u8]) {
        assert_eq!(stream, Stream::Out);
        let line = str::from_utf8(line).unwrap();
        let ticket = line.strip_prefix("lent: ").unwrap();
        let (low, high) = ticket.split_once(' ').unwrap();
        let (low, high): (u64, u64) = (low.parse().unwrap(), high.parse().unwrap());
        let ticket = u128::from(high) << 64 | u128::from(low);
        let (other, accepted) = &mut *self.borrower.lock().unwrap();
        let handle = other.accept(&ticket.to_le_bytes()).unwrap();
        assert_eq!(other.rights(handle), Ok(Rights::READ.and(Rights::LIST)));
        *accepted = Some(handle);
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

    fn fetch(&mut self, _: Fetch) -> Later<Result<Response, FetchError>> {
        Box::pin(async { Err(FetchError::NotGranted("anything".to_owned())) })
    }

    fn map_call(&mut self, call: MapCall<'_>) -> MapAnswer {
        let Called::Now(reply) = self.handles.call(call, Ends::WithInstance) else {
            return MapAnswer::Ready(MapReply::Refused(29, 0));
        };
        if !self.is_slow {
            return MapAnswer::Ready(reply);
        }
        MapAnswer::Pending(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            reply
        }))
    }
}

struct Gate {
    engine: Engine,
    dashboard: Loaded,
    borrower: Borrower,
}

impl Gate {
    fn new() -> Self {
        let engine = engine();
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../examples/maps/rust/dashboard/dashboard.wasm"
        );
        let module = std::fs::read(file).unwrap();
        let dashboard = Loaded::new(runtime(), &function(FunctionKind::Http), &module).unwrap();
        let borrower = Arc::new(Mutex::new((handles(&engine, "other", Rights::NONE), None)));
        Self {
            engine,
            dashboard,
            borrower,
        }
    }

    fn ask(&self, request: Request, rights: Rights, is_slow: bool) -> (u16, String) {
        let world = Box::new(World {
            handles: handles(&self.engine, "dashboard", rights),
            borrower: Arc::clone(&self.borrower),
            is_slow,
        });
        on_worker(async {
            let response = self.dashboard.call(request, world).await.unwrap();
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap();
            (status, String::from_utf8(body.to_bytes().into()).unwrap())
        })
    }

    fn count(&self, key: &str) {
        let map = self.engine.find("", "counters").unwrap();
        map.map().store().add(key.as_bytes(), 1).now().unwrap();
    }
}

#[test]
fn a_component_sees_what_others_count() {
    let gate = Gate::new();
    gate.count("/one#7");
    gate.count("/two#7");
    gate.count("/two#7");
    let page = "/one 1\n/two 2\nvisits 1\n".to_owned();
    assert_eq!(gate.ask(get("/"), Rights::ALL, false), (200, page));
    // Suspended for each answer, it tells the same.
    let page = "/one 1\n/two 2\nvisits 2\n".to_owned();
    assert_eq!(gate.ask(get("/"), Rights::ALL, true), (200, page));
    assert!(handles(&gate.engine, "x", Rights::ALL).is_empty());
}

#[test]
fn what_is_not_granted_is_refused() {
    let gate = Gate::new();
    let (status, page) = gate.ask(get("/"), Rights::READ, false);
    assert_eq!(status, 503);
    assert!(page.contains("NotCapable"), "{page}");
}

#[test]
fn a_loan_ends_with_the_call() {
    let gate = Gate::new();
    let request = http::Request::post("http://here.example/?other");
    let request = request.body(body("")).unwrap();
    let told = gate.ask(request, Rights::ALL, false);
    assert_eq!(told, (200, "lent to other\n".to_owned()));
    let (other, accepted) = &*gate.borrower.lock().unwrap();
    let accepted = accepted.expect("it was lent");
    assert_eq!(other.rights(accepted), Err(MapError::Stale));
}
