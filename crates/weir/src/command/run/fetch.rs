//! Requests of a module that is run by hand: HTTP/1.1, a connection for each.

use std::fmt::Display;

use http::header::{HOST, HeaderValue};
use http::{Request, Uri};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use weir_functions::{Body, BodyError, Fetch, FetchError, Response};
use weir_model::limits;
use weir_tls::{ServerName, Trust, server_name};

/// Where a request goes.
pub(super) struct Target {
    /// `host:port`.
    address: String,
    /// Whose certificate is asked for; `None`: of nobody.
    name: Option<ServerName<'static>>,
}

/// Where a request goes, if the command line says that it may.
pub(super) fn admitted(allowed: &[String], uri: &Uri) -> Result<Target, FetchError> {
    let bad = |text: &str| FetchError::BadRequest(text.to_owned());
    let default = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(bad("its scheme is neither http nor https")),
    };
    let authority = uri.authority().ok_or_else(|| bad("its URL has no host"))?;
    let (host, port) = (authority.host(), authority.port_u16().unwrap_or(default));
    let address = format!("{host}:{port}");
    let is_allowed = |grant: &String| {
        let same = |grant: &str| grant.eq_ignore_ascii_case(&address);
        same(grant) || same(&format!("{grant}:{default}"))
    };
    if !allowed.iter().any(is_allowed) {
        return Err(FetchError::NotGranted(format!(
            "{address} (--allow {address})"
        )));
    }
    let name = (default == 443).then(|| server_name(host));
    if matches!(name, Some(None)) {
        return Err(bad("no certificate is made out to such a host"));
    }
    Ok(Target {
        address,
        name: name.flatten(),
    })
}

/// What the target answers.
pub(super) async fn sent(
    (target, trust): (Target, Trust),
    fetch: Fetch,
) -> Result<Response, FetchError> {
    let patience = limits::functions::TIMEOUT;
    let connecting = connected(&target, &trust);
    let connected = timeout(fetch.connect_timeout.unwrap_or(patience), connecting).await;
    let mut sender = connected.map_err(|_| FetchError::TimedOut("connecting"))??;
    let answering = sender.send_request(origin(fetch.request)?);
    let answered = timeout(fetch.first_byte_timeout.unwrap_or(patience), answering).await;
    let response = answered
        .map_err(|_| FetchError::TimedOut("a response"))?
        .map_err(|error| target.broken(&error))?;
    Ok(response.map(|body| body.map_err(|_| BodyError::Cut).boxed_unsync()))
}

async fn connected(target: &Target, trust: &Trust) -> Result<SendRequest<Body>, FetchError> {
    let stream = TcpStream::connect(&target.address).await;
    let stream =
        stream.map_err(|error| FetchError::Connect(format!("{}: {error}", target.address)))?;
    match &target.name {
        None => target.ready(stream).await,
        Some(name) => {
            let encrypted = trust.encrypt(name, stream).await;
            target
                .ready(encrypted.map_err(FetchError::Encryption)?)
                .await
        }
    }
}

impl Target {
    /// A connection that takes a request.
    async fn ready(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<SendRequest<Body>, FetchError> {
        let connection = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = connection.map_err(|error| self.broken(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn broken(&self, error: &dyn Display) -> FetchError {
        FetchError::Broken(format!("{}: {error}", self.address))
    }
}

/// A request as its server sees it: only the path, and `host`.
fn origin(mut request: Request<Body>) -> Result<Request<Body>, FetchError> {
    let bad = |error: &dyn Display| FetchError::BadRequest(error.to_string());
    let uri = request.uri();
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::try_from(host).map_err(|error| bad(&error))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(path).map_err(|error| bad(&error))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}
