//! Requests of a module that is run by hand: HTTP/1.1, a connection for each.

use http::header::{HOST, HeaderValue};
use http::{Request, Uri};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use weir_functions::{BodyError, Fetch, FetchError, Response};
use weir_model::limits;

/// Where a request goes, if the command line says that it may.
pub(super) fn admitted(allowed: &[String], uri: &Uri) -> Result<String, FetchError> {
    let bad = |text: &str| FetchError::BadRequest(text.to_owned());
    if uri.scheme_str() != Some("http") {
        return Err(bad("`weir run` sends requests of the scheme http only"));
    }
    let authority = uri.authority().ok_or_else(|| bad("its URL has no host"))?;
    let target = format!(
        "{}:{}",
        authority.host(),
        authority.port_u16().unwrap_or(80)
    );
    let is_allowed = |grant: &String| {
        let same = |grant: &str| grant.eq_ignore_ascii_case(&target);
        same(grant) || same(&format!("{grant}:80"))
    };
    if allowed.iter().any(is_allowed) {
        Ok(target)
    } else {
        Err(FetchError::NotGranted(format!(
            "{target} (--allow {target})"
        )))
    }
}

/// What the target answers.
pub(super) async fn sent(target: String, fetch: Fetch) -> Result<Response, FetchError> {
    let patience = limits::functions::TIMEOUT;
    let connecting = TcpStream::connect(&target);
    let connected = timeout(fetch.connect_timeout.unwrap_or(patience), connecting).await;
    let stream = connected
        .map_err(|_| FetchError::TimedOut("connecting"))?
        .map_err(|error| FetchError::Connect(format!("{target}: {error}")))?;
    let broken = |error: hyper::Error| FetchError::Broken(format!("{target}: {error}"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    tokio::spawn(connection);
    let answering = sender.send_request(origin(fetch.request)?);
    let answered = timeout(fetch.first_byte_timeout.unwrap_or(patience), answering).await;
    let response = answered
        .map_err(|_| FetchError::TimedOut("a response"))?
        .map_err(broken)?;
    Ok(response.map(|body| body.map_err(|_| BodyError::Cut).boxed_unsync()))
}

/// A request as its server sees it: only the path, and `host`.
fn origin(
    mut request: Request<weir_functions::Body>,
) -> Result<Request<weir_functions::Body>, FetchError> {
    let bad = |error: &dyn std::fmt::Display| FetchError::BadRequest(error.to_string());
    let uri = request.uri();
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::try_from(host).map_err(|error| bad(&error))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(path).map_err(|error| bad(&error))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}
