//! Components that handle HTTP: `wasi:http` 0.2 and 0.3.

mod outgoing;
mod v2;
mod v3;

use std::sync::Arc;

use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use wasmtime::component::{Component, Linker};
use wasmtime_wasi_config::WasiConfig;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

pub(crate) use outgoing::Outgoing;

use crate::call::{Call, Head};
use crate::cell::{Cell, Setup};
use crate::fault::Fault;
use crate::load::{Kind, LoadError};
use crate::message::{Request, Response};
use crate::surroundings::Surroundings;

/// A handler of HTTP.
#[derive(Clone)]
pub(crate) struct Http {
    setup: Setup,
    handler: Handler,
}

/// A handler, by the version of `wasi:http` that it exports.
#[derive(Clone)]
enum Handler {
    V2(ProxyPre<Cell>),
    V3(ServicePre<Cell>),
}

impl Http {
    pub(crate) fn new(setup: Setup, component: &Component) -> Result<Self, LoadError> {
        let linked = linker(component.engine());
        let linked = linked.and_then(|linker| linker.instantiate_pre(component));
        let linked = linked.map_err(|error| LoadError::Import {
            kind: Kind::Http,
            error: format!("{error:#}"),
        })?;
        let handler = ServicePre::new(linked.clone())
            .map(Handler::V3)
            .or_else(|_| ProxyPre::new(linked).map(Handler::V2));
        let handler = handler.map_err(|_| LoadError::Export {
            kind: Kind::Http,
            expected: "an export wasi:http/incoming-handler of version 0.2, or wasi:http/handler \
                       of version 0.3 (or, as a command, wasi:cli/run)"
                .to_owned(),
            found: exports(component),
        })?;
        Ok(Self { setup, handler })
    }

    pub(crate) async fn call(
        &self,
        request: Request,
        surroundings: Box<dyn Surroundings>,
    ) -> Result<Response, Fault> {
        let request = request.map(|body| body.map_err(outgoing::error_of_body).boxed_unsync());
        let (told, head) = oneshot::channel();
        let setup = &self.setup;
        let call = match &self.handler {
            Handler::V2(handler) => {
                let store = setup.store(handler.engine(), surroundings)?;
                let meter = Arc::clone(&store.data().meter);
                let guest = v2::begin(handler, setup, store, (request, told))?;
                Call::new(setup, meter, guest)
            }
            Handler::V3(handler) => {
                let store = setup.store(handler.engine(), surroundings)?;
                let meter = Arc::clone(&store.data().meter);
                let guest = v3::run(handler.clone(), setup.clone(), store, (request, told));
                Call::new(setup, meter, guest)
            }
        };
        call.head(head).await
    }
}

/// What a guest is called with: a request, and where its answer goes.
type Arguments = (http::Request<WasiBody>, oneshot::Sender<Head>);

/// All that a component may import.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Cell>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, |cell: &mut Cell| {
        WasiConfig::new(&cell.settings)
    })?;
    weir_maps_wasmtime::link_component(&mut linker)?;
    Ok(linker)
}

/// Whether a component says that it handles HTTP.
pub(crate) fn is_handler(component: &Component) -> bool {
    let ty = component.component_type();
    let mut names = ty.exports(component.engine()).map(|(name, _)| name);
    names.any(|name| {
        name.starts_with("wasi:http/incoming-handler@0.2")
            || name.starts_with("wasi:http/handler@0.3")
    })
}

/// Names of a component's exports, for people.
pub(crate) fn exports(component: &Component) -> String {
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
