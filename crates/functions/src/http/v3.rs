//! `wasi:http/handler` 0.3: the guest returns its answer, and goes on while its body is read.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};
use wasmtime_wasi_http::{Error, WasiHttpView as _};

use super::{Arguments, outgoing};
use crate::cell::{Cell, Setup};
use crate::fault::{Fault, FaultKind};
use crate::message::{Body, BodyError};

/// What becomes of a request's body.
type Sent = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A guest, from its first instruction to its last.
pub(super) async fn run(
    handler: ServicePre<Cell>,
    setup: Setup,
    mut store: Store<Cell>,
    arguments: Arguments,
) -> Result<(), Fault> {
    let ran = async {
        let service = handler.instantiate_async(&mut store).await?;
        let run = async |access: &Accessor<Cell>| serve(&service, &setup, access, arguments).await;
        store.run_concurrent(run).await?
    };
    ran.await
        .map_err(|error| setup.failed(&error, store.data().cap.refused()))
}

/// Answers, and goes on until the guest has nothing more to do.
async fn serve(
    service: &Service,
    setup: &Setup,
    access: &Accessor<Cell>,
    (request, told): Arguments,
) -> wasmtime::Result<()> {
    let (request, sent) = access.with(|mut access| {
        let http = access.get().http();
        let (request, sent) = p3::Request::from_http(http.hooks, request);
        (request, Box::pin(sent) as Sent)
    });
    let response = match service.handle(access, request).await? {
        Ok(response) => response,
        Err(code) => {
            let text = format!("the function answered with an error: {code}");
            let _ = told.send(Err(setup.fault(FaultKind::BadResponse, text)));
            return Ok(());
        }
    };
    let response = access.with(|access| response.into_http(access, sent))?;
    let (end, ended) = oneshot::channel();
    let response = response.map(|body| {
        let body = body.map_err(|error: Error| outgoing::body_error_of(&error));
        let watched = Watched {
            body: body.boxed_unsync(),
            _end: end,
        };
        watched.boxed_unsync()
    });
    // Whoever called may have gone, and then this ends soon.
    let _ = told.send(Ok(response));
    let _ = ended.await;
    poll_fn(|context| access.poll_no_interesting_tasks(context)).await;
    Ok(())
}

/// A body that tells when it has been read or is wanted no more: by being dropped.
struct Watched {
    body: Body,
    _end: oneshot::Sender<()>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
