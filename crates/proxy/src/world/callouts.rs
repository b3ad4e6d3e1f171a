//! HTTP requests that guests send themselves (Proxy-Wasm reference 6.1, 6.2).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use weir_guest::door::{ContextId, GrpcCall, HttpCall};
use weir_guest::{Event, Reply, Status, pairs};
use weir_model::limits;

use super::{LiveWorld, Outcome};
use crate::dispatch::{CalloutOutcome, callout};
use crate::message::{FieldValue, HeaderList, HeaderName, Pseudo, Side};

/// The answer to a callout, for as long as its callback runs.
#[derive(Default)]
pub(crate) struct CalloutView {
    pub(crate) headers: HeaderList,
    pub(crate) trailers: HeaderList,
    /// `None`: the callout failed.
    pub(crate) body: Option<Bytes>,
}

/// Code and message of `proxy_get_status` after a callout that broke off.
const BROKEN: (u32, &[u8]) = (Status::BrokenConnection as u32, b"reset");

impl CalloutView {
    pub(crate) fn of(outcome: CalloutOutcome) -> Self {
        let CalloutOutcome::Response {
            head,
            body,
            trailers,
        } = outcome
        else {
            return Self::default();
        };
        let mut headers = HeaderList::with_capacity(head.headers.len() + 1);
        let status = FieldValue::copied(head.status.as_str().as_bytes());
        headers.push(HeaderName::Pseudo(Pseudo::Status), status);
        headers.extend_from_map(head.headers, Side::Response, |_| true);
        let mut list = HeaderList::default();
        list.extend_from_map(trailers.unwrap_or_default(), Side::Response, |_| true);
        Self {
            headers,
            trailers: list,
            body: Some(body),
        }
    }

    /// The event that shows it.
    pub(crate) fn event(&self, root: ContextId, token: u32) -> Event {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Event::HttpCallResponse {
            root,
            token,
            headers: count(self.headers.len()),
            body_size: count(self.body.as_ref().map_or(0, Bytes::len)),
            trailers: count(self.trailers.len()),
        }
    }

    pub(crate) fn status(&self) -> (u32, Bytes) {
        match self.body {
            Some(_) => (0, Bytes::new()),
            None => (BROKEN.0, Bytes::from_static(BROKEN.1)),
        }
    }
}

impl LiveWorld {
    pub(super) fn callout_status(&self) -> Reply {
        let (code, message) = self
            .root()
            .map(|root| root.status.clone())
            .unwrap_or_default();
        Reply::Outcome(code, message)
    }

    pub(super) fn http_call(&mut self, call: &HttpCall<'_>) -> Outcome {
        let timeout = u64::try_from(call.timeout_ms).map_err(|_| Status::BadArgument)?;
        let timeout = (timeout > 0).then(|| Duration::from_millis(timeout));
        let name = std::str::from_utf8(call.cluster).map_err(|_| Status::BadArgument)?;
        let cluster = self
            .shared
            .upstreams
            .cluster(name)
            .cloned()
            .ok_or(Status::BadArgument)?;
        let request = request_of(call)?;
        let in_flight = self.root().map_or(0, |root| root.calls.len());
        if !cluster.has_endpoint() || in_flight >= limits::CALLOUTS_MAX {
            return Err(Status::InternalFailure);
        }
        // As in Envoy, the two lowest bits of a token are its kind: 0 is HTTP.
        self.next_token = self.next_token.wrapping_add(4).max(4);
        let (token, root_id, slot) = (self.next_token, self.here.root, self.slot.clone());
        let task = self.shared.spawn(async move {
            let outcome = callout(&cluster, request, timeout).await;
            if let Some(slot) = slot.upgrade() {
                slot.callout_ended(root_id, token, CalloutView::of(outcome));
            }
        });
        let task = task.ok_or(Status::InternalFailure)?;
        match self.root_mut() {
            Some(root) => drop(root.calls.insert(token, task)),
            None => task.abort(),
        }
        Ok(Reply::Number(u64::from(token)))
    }

    /// gRPC is not spoken yet: a known cluster answers as one that cannot be reached.
    pub(super) fn grpc_call(&self, call: &GrpcCall<'_>) -> Outcome {
        let name = std::str::from_utf8(call.service).map_err(|_| Status::ParseFailure)?;
        if self.shared.upstreams.cluster(name).is_none() {
            return Err(Status::ParseFailure);
        }
        tracing::warn!(
            cluster = name,
            "a plugin started a gRPC call, which is not available yet"
        );
        Err(Status::InternalFailure)
    }
}

/// The request of a call; its trailers are accepted and not sent, as in Envoy.
fn request_of(call: &HttpCall<'_>) -> Result<Request<Bytes>, Status> {
    let mut list = HeaderList::default();
    for (name, value) in pairs::decode(call.headers) {
        list.add(name, FieldValue::copied(value), Side::Request);
    }
    let pseudo = |which| list.pseudo(which).ok_or(Status::BadArgument);
    let method = Method::from_bytes(pseudo(Pseudo::Method)?.as_bytes());
    let path = Uri::try_from(pseudo(Pseudo::Path)?.as_bytes());
    let authority = HeaderValue::from_bytes(pseudo(Pseudo::Authority)?.as_bytes());
    let (Ok(method), Ok(path), Ok(authority)) = (method, path, authority) else {
        return Err(Status::BadArgument);
    };
    let mut headers = HeaderMap::with_capacity(list.len() + 2);
    headers.insert(http::header::HOST, authority);
    for name in [http::header::TRANSFER_ENCODING, http::header::CONNECTION] {
        list.remove_field(&name);
    }
    let mut headers = list.to_map(headers).map_err(|_| Status::BadArgument)?;
    headers.insert("x-envoy-internal", HeaderValue::from_static("true"));
    let body = Bytes::copy_from_slice(call.body);
    headers.remove(http::header::CONTENT_LENGTH);
    if !body.is_empty() {
        headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = path;
    *request.headers_mut() = headers;
    Ok(request)
}
