//! Components that handle HTTP: `wasi:http` 0.2.

mod outgoing;

use std::sync::Arc;

use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::{Component, Linker, Resource};
use wasmtime_wasi_config::WasiConfig;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{
    ErrorCode, IncomingRequest, ResponseOutparam, Scheme,
};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

pub(crate) use outgoing::Outgoing;

use crate::call::{Call, Head};
use crate::cell::{Cell, Setup};
use crate::fault::{Fault, FaultKind};
use crate::load::{Kind, LoadError};
use crate::message::{Request, Response};
use crate::runtime::Runtime;
use crate::surroundings::Surroundings;

/// A handler of HTTP.
#[derive(Clone)]
pub(crate) struct Http {
    setup: Setup,
    handler: ProxyPre<Cell>,
}

impl Http {
    pub(crate) fn new(runtime: &Runtime, setup: Setup, module: &[u8]) -> Result<Self, LoadError> {
        let engine = runtime.engine();
        let component = Component::new(engine, module)
            .map_err(|error| LoadError::Corrupted(format!("{error:#}")))?;
        let linked = linker(engine).and_then(|linker| linker.instantiate_pre(&component));
        let linked = linked.map_err(|error| LoadError::Import {
            kind: Kind::Http,
            error: format!("{error:#}"),
        })?;
        let handler = ProxyPre::new(linked).map_err(|_| LoadError::Export {
            kind: Kind::Http,
            expected: "an export wasi:http/incoming-handler of version 0.2".to_owned(),
            found: exports(&component),
        })?;
        Ok(Self { setup, handler })
    }

    pub(crate) async fn call(
        &self,
        request: Request,
        surroundings: Box<dyn Surroundings>,
    ) -> Result<Response, Fault> {
        let mut store = self.setup.store(self.handler.engine(), surroundings)?;
        let (told, head) = oneshot::channel();
        let bad = |error: wasmtime::Error| self.setup.fault(FaultKind::Start, format!("{error:#}"));
        let scheme = match request.uri().scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") | None => Scheme::Http,
            Some(other) => Scheme::Other(other.to_owned()),
        };
        let request = request.map(|body| body.map_err(outgoing::error_of_body).boxed_unsync());
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(scheme, request).map_err(bad)?;
        let setup = self.setup.clone();
        let answer = move |answer| drop(told.send(head_of(&setup, answer)));
        let answer = http
            .new_response_outparam_from_callback(answer)
            .map_err(bad)?;
        let meter = Arc::clone(&store.data().meter);
        let guest = run(
            self.handler.clone(),
            self.setup.clone(),
            store,
            (request, answer),
        );
        Call::new(&self.setup, meter, guest).head(head).await
    }
}

/// What a guest is called with.
type Arguments = (Resource<IncomingRequest>, Resource<ResponseOutparam>);

/// A guest, from its first instruction to its last.
async fn run(
    handler: ProxyPre<Cell>,
    setup: Setup,
    mut store: Store<Cell>,
    (request, answer): Arguments,
) -> Result<(), Fault> {
    let ran = async {
        let instance = handler.instantiate_async(&mut store).await?;
        let handler = instance.wasi_http_incoming_handler();
        handler.call_handle(&mut store, request, answer).await
    };
    ran.await
        .map_err(|error| setup.failed(&error, store.data().cap.refused()))
}

/// What a guest answered, as its head tells it.
fn head_of(setup: &Setup, answer: Result<http::Response<HyperOutgoingBody>, ErrorCode>) -> Head {
    match answer {
        Ok(response) => Ok(response.map(|body| {
            body.map_err(|error| outgoing::body_error_of(&error))
                .boxed_unsync()
        })),
        Err(code) => {
            let text = format!("the function answered with an error: {code}");
            Err(setup.fault(FaultKind::BadResponse, text))
        }
    }
}

/// All that a component may import.
fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Cell>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, |cell: &mut Cell| {
        WasiConfig::new(&cell.settings)
    })?;
    Ok(linker)
}

/// Names of a component's exports, for people.
fn exports(component: &Component) -> String {
    let ty = component.component_type();
    let names: Vec<_> = ty
        .exports(component.engine())
        .map(|(name, _)| name.to_owned())
        .collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.join(", ")
}
