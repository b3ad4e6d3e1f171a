//! Outgoing requests of core modules.

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use wasmtime::Caller;
use weir_model::limits::functions as of;

use super::calls::{Answered, hand_over};
use super::memory::{self, Errno};
use super::{Guest, is_of_connection};
use crate::door::Door;
use crate::message::Request;
use crate::surroundings::{Fetch, FetchError, Stream};

/// What came, all of it.
pub(super) struct Fetched {
    status: u16,
    headers: Vec<u8>,
    pub(super) body: Bytes,
}

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfetched {
    /// The request is none.
    #[error("the request cannot be sent: {0}")]
    Request(String),
    /// No response.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The response's body broke off.
    #[error("the response broke off: {0}")]
    Body(String),
    /// The response's body is too long.
    #[error("the response's body is longer than {0} bytes (limits.response_bytes)")]
    TooLong(u64),
}

impl Unfetched {
    fn errno(&self) -> Errno {
        match self {
            Self::Request(_) | Self::Fetch(FetchError::BadRequest(_)) => Errno::INVAL,
            Self::Fetch(FetchError::NotGranted(_)) => Errno::ACCES,
            Self::Fetch(FetchError::Unresolved(_)) => Errno::HOSTUNREACH,
            Self::Fetch(FetchError::Connect(_)) => Errno::CONNREFUSED,
            Self::Fetch(FetchError::TimedOut(_)) => Errno::TIMEDOUT,
            Self::Fetch(FetchError::Encryption(_)) => Errno::PROTO,
            Self::Fetch(FetchError::Broken(_) | FetchError::Function(_)) | Self::Body(_) => {
                Errno::IO
            }
            Self::TooLong(_) => Errno::FBIG,
        }
    }
}

/// `weir_v1` `fetch`: method, URL, headers and body in; status, headers and body out. What fails puts
/// its reason in the place of the body.
pub(super) async fn fetch(
    mut guest: Caller<'_, Guest>,
    [method, url, headers, body]: [(i32, i32); 4],
    out: i32,
) -> Answered {
    let body_max = usize::try_from(guest.data().request_bytes).unwrap_or(usize::MAX);
    let parts = [
        (method, of::HEAD_BYTES),
        (url, of::HEAD_BYTES),
        (headers, of::HEAD_BYTES),
        (body, body_max),
        // Where the answer goes is looked at before anything leaves.
        ((out, ANSWER_BYTES), usize::MAX),
    ];
    let mut taken = Vec::with_capacity(parts.len());
    for (part, bytes_max) in parts {
        match memory::taken(&mut guest, part, bytes_max) {
            Ok(bytes) => taken.push(bytes),
            Err(errno) => return Ok(Err(errno)),
        }
    }
    let [method, url, headers, body, _] = taken.as_mut_slice() else {
        return Ok(Err(Errno::INVAL));
    };
    let request = composed((method, url, headers), std::mem::take(body).into());
    let fetched = match request {
        Ok(request) => {
            let (door, bytes_max) = sender(&guest);
            sent(door, bytes_max, request).await
        }
        Err(reason) => Err(Unfetched::Request(reason)),
    };
    match fetched {
        Ok(fetched) => {
            let pieces: [&[u8]; 2] = [&fetched.headers, &fetched.body];
            hand_over(&mut guest, &pieces, (out, &[u32::from(fetched.status)])).await
        }
        Err(reason) => {
            let text = reason.to_string();
            let pieces: [&[u8]; 2] = [b"", text.as_bytes()];
            let told = hand_over(&mut guest, &pieces, (out, &[0])).await?;
            Ok(told.and(Err(reason.errno())))
        }
    }
}

/// Bytes of what `fetch` answers: five numbers.
const ANSWER_BYTES: i32 = 20;

/// Fetches a URL and tells a failure where the operator reads.
pub(super) async fn get((door, bytes_max): (Door, u64), url: &[u8]) -> Option<Bytes> {
    let fetched = match composed((b"GET", url, b""), Bytes::new()) {
        Ok(request) => sent(door.clone(), bytes_max, request).await,
        Err(reason) => Err(Unfetched::Request(reason)),
    };
    match fetched {
        Ok(fetched) => Some(fetched.body),
        Err(reason) => {
            let line = format!("fetching {} failed: {reason}", url.escape_ascii());
            door.ask().log(Stream::Log(4), line.as_bytes());
            None
        }
    }
}

/// What a request of a guest is sent with, and how long the answer may be.
pub(super) fn sender(guest: &Caller<'_, Guest>) -> (Door, u64) {
    (guest.data().door.clone(), guest.data().response_bytes)
}

async fn sent(door: Door, bytes_max: u64, request: Request) -> Result<Fetched, Unfetched> {
    let fetch = Fetch {
        request,
        connect_timeout: None,
        first_byte_timeout: None,
        between_bytes_timeout: None,
    };
    let response = door.ask().fetch(fetch);
    let (head, body) = response.await?.into_parts();
    let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Unfetched::TooLong(bytes_max)
        } else {
            Unfetched::Body(error.to_string())
        }
    })?;
    Ok(Fetched {
        status: head.status.as_u16(),
        headers: lines(&head.headers),
        body: body.to_bytes(),
    })
}

fn composed((method, url, headers): (&[u8], &[u8], &[u8]), body: Bytes) -> Result<Request, String> {
    let method = Method::from_bytes(method).map_err(|_| "its method is none".to_owned())?;
    let uri = Uri::try_from(url).map_err(|error| format!("its URL: {error}"))?;
    if uri.scheme().is_none() || uri.authority().is_none() {
        return Err("its URL has no scheme or no host: expected http://host/path".to_owned());
    }
    let body = Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut request = http::Request::new(body);
    *request.headers_mut() = fields(headers)?;
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    Ok(request)
}

/// Lines `name: value` as header fields.
fn fields(text: &[u8]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let (name, value) = field(line)?;
        if is_of_connection(&name) || name == HOST {
            return Err(format!("the header {name} is not for the function to set"));
        }
        headers.append(name, value);
    }
    Ok(headers)
}

/// One line `name: value`.
pub(crate) fn field(line: &[u8]) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || format!("`{}` is no header: expected `name: value`", shown(line));
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or_else(wrong)?;
    let (name, value) = line.split_at(colon);
    let name = HeaderName::from_bytes(name).map_err(|_| wrong())?;
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    let value = HeaderValue::from_bytes(value).map_err(|_| wrong())?;
    Ok((name, value))
}

/// The beginning of a line of somebody else.
fn shown(line: &[u8]) -> String {
    let beginning = line.get(..SHOWN_BYTES).unwrap_or(line);
    beginning.escape_ascii().to_string()
}

/// As much of a wrong line as tells which one it is.
const SHOWN_BYTES: usize = 80;

/// Header fields as lines `name: value`.
pub(crate) fn lines(headers: &HeaderMap) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    text
}
