//! HTTP requests that guests send themselves (Proxy-Wasm reference 6.1).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use weir_guest::door::{ContextId, HttpCall};
use weir_guest::{Event, Reply, Status, pairs};
use weir_model::limits;

use super::{LiveWorld, Outcome};
use crate::dispatch::{CalloutOutcome, callout};
use crate::listen::vet::{is_authority, is_method, origin_form};
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
        ended(self.body.is_some())
    }
}

/// What `proxy_get_status` tells after something that a guest waited for.
pub(super) fn ended(well: bool) -> (u32, Bytes) {
    if well {
        (0, Bytes::new())
    } else {
        (BROKEN.0, Bytes::from_static(BROKEN.1))
    }
}

impl LiveWorld {
    /// A callout ended: lets its root look at what came. Says whether the root is still there.
    pub(crate) fn show_callout(&mut self, root: ContextId, token: u32, view: CalloutView) -> bool {
        let Some(known) = self.roots.get_mut(&root) else {
            return false;
        };
        known.calls.remove(&token);
        known.status = view.status();
        self.callout = Some(view);
        true
    }

    /// The callback has returned.
    pub(crate) fn hide_callout(&mut self, root: ContextId) {
        self.callout = None;
        if let Some(known) = self.roots.get_mut(&root) {
            known.status.1.clear();
        }
    }

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
        let cluster = self.cluster(name).cloned().ok_or(Status::BadArgument)?;
        if call.body.len() > limits::CALLOUT_REQUEST_BYTES_MAX {
            return Err(Status::InternalFailure);
        }
        let request = request_of(call)?;
        if !cluster.has_endpoint() {
            return Err(Status::InternalFailure);
        }
        self.begin_callout()?;
        let (token, root_id, slot) = (self.token(0), self.here.root, self.slot.clone());
        let task = self.spawn(async move {
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
}

/// The request of a call; its trailers are accepted and not sent, as in Envoy.
fn request_of(call: &HttpCall<'_>) -> Result<Request<Bytes>, Status> {
    let mut list = HeaderList::default();
    for (name, value) in pairs::decode(call.headers) {
        list.add(name, FieldValue::copied(value), Side::Request);
    }
    let pseudo = |which| list.pseudo(which).ok_or(Status::BadArgument);
    let method = Method::from_bytes(pseudo(Pseudo::Method)?.as_bytes());
    let (path, authority) = (pseudo(Pseudo::Path)?, pseudo(Pseudo::Authority)?);
    let (Ok(method), FieldValue::Valid(authority)) = (method, authority.clone()) else {
        return Err(Status::BadArgument);
    };
    let path = origin_form(&method, path.as_bytes());
    let is_sound = is_method(&method) && is_authority(authority.as_bytes());
    let path = path.filter(|_| is_sound).ok_or(Status::BadArgument)?;
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
