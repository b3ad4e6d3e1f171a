//! `wasi:http/incoming-handler` 0.2: the guest is given a place for its answer, and fills it before
//! or while it returns.

use http_body_util::BodyExt as _;
use wasmtime::Store;
use wasmtime::component::Resource;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{
    ErrorCode, IncomingRequest, ResponseOutparam, Scheme,
};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::{Arguments, outgoing};
use crate::call::Head;
use crate::cell::{Cell, Setup};
use crate::fault::{Fault, FaultKind};

/// A guest that is about to run.
pub(super) fn begin(
    handler: &ProxyPre<Cell>,
    setup: &Setup,
    mut store: Store<Cell>,
    (request, told): Arguments,
) -> Result<impl Future<Output = Result<(), Fault>> + Send + 'static, Fault> {
    let bad = |error: wasmtime::Error| setup.fault(FaultKind::Start, format!("{error:#}"));
    let scheme = match request.uri().scheme_str() {
        Some("https") => Scheme::Https,
        Some("http") | None => Scheme::Http,
        Some(other) => Scheme::Other(other.to_owned()),
    };
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(scheme, request).map_err(bad)?;
    let naming = setup.clone();
    let answer = move |answer| drop(told.send(head_of(&naming, answer)));
    let answer = http
        .new_response_outparam_from_callback(answer)
        .map_err(bad)?;
    Ok(run(
        handler.clone(),
        setup.clone(),
        store,
        (request, answer),
    ))
}

/// A guest, from its first instruction to its last.
async fn run(
    handler: ProxyPre<Cell>,
    setup: Setup,
    mut store: Store<Cell>,
    (request, answer): (Resource<IncomingRequest>, Resource<ResponseOutparam>),
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
