//! Which answer a request gets.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use super::maps::{self, Changes, Told, Watches};
use super::query::{decoded, parameter};
use super::{Observe, guard, site};

const PAGE: &str = include_str!("page.html");

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The page's script and style are part of the page, which holds no text of others.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const OVERVIEW: &str = "nothing here; there are: / /healthz /readyz /metrics /stats.json /config /log \
                        /plugins/NAME/touched, \
                        POST /log?level=debug, POST /log?plugins=debug and \
                        POST /log?plugin=NAME&level=debug; maps: /maps /maps/NAME \
                        /maps/NAME/entries?prefix= /maps/NAME/entry?key= (GET, PUT, DELETE; \
                        typed_key= and typed for values as JSON) \
                        /maps/NAME/watch?prefix=\n";

/// The answer's kind and text.
pub(super) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    version: Option<u64>,
}

/// The body of an answer: there at once, or as something happens.
pub(super) type Body = Either<Full<Bytes>, Changes>;

impl Answer {
    pub(super) fn new(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            status,
            content_type,
            body: body.into(),
            version: None,
        }
    }

    /// With the version of an entry of a map.
    pub(super) fn with_version(self, version: u64) -> Self {
        let version = Some(version);
        Self { version, ..self }
    }

    pub(super) fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, content_type, body)
    }

    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self::ok(JSON, format!("{value:#}\n"))
    }
}

/// Answers one request. Only what is stored in a map has a body that is read.
pub(super) async fn answer(
    request: Request<Incoming>,
    observe: &dyn Observe,
    watches: &Watches,
) -> Response<Body> {
    let methods = maps::methods(request.uri().path());
    if let (Some(methods), Some(engine)) = (methods, observe.maps()) {
        let (head, body) = request.into_parts();
        let mut known = methods.split(", ");
        let told = match guard::check(&head) {
            Err(text) => Told::Whole(Answer::new(StatusCode::FORBIDDEN, TEXT, text)),
            Ok(()) if !known.any(|known| known == head.method) => {
                Told::Whole(refuse_method(methods))
            }
            Ok(()) => {
                let request = Request::from_parts(head, body);
                maps::answer(request, observe, (&engine, watches)).await
            }
        };
        return match told {
            Told::Whole(answer) => respond(answer, methods).map(Either::Left),
            Told::Changes(changes) => {
                let answer = Answer::ok(Changes::CONTENT_TYPE, Bytes::new());
                respond(answer, methods).map(|_| Either::Right(changes))
            }
        };
    }
    page(&request.into_parts().0, observe).map(Either::Left)
}

/// Answers what is shown or set without waiting for anything.
fn page(request: &Parts, observe: &dyn Observe) -> Response<Full<Bytes>> {
    let path = request.uri.path();
    let allowed = if path == "/log" {
        "GET, HEAD, POST"
    } else {
        "GET, HEAD"
    };
    let answer = match guard::check(request) {
        // Probes come under any name, and learn nothing.
        Err(_) if matches!(path, "/healthz" | "/readyz") => look(path, observe),
        Err(text) => Answer::new(StatusCode::FORBIDDEN, TEXT, text),
        Ok(()) => match (&request.method, path) {
            (&Method::POST, "/log") => set_log(request.uri.query(), observe),
            (&Method::GET | &Method::HEAD, _) => look(path, observe),
            _ => refuse_method(allowed),
        },
    };
    respond(answer, allowed)
}

fn look(path: &str, observe: &dyn Observe) -> Answer {
    match path {
        "/" => Answer::ok(HTML, PAGE),
        "/healthz" => Answer::ok(TEXT, "ok\n"),
        "/readyz" if observe.is_ready() => Answer::ok(TEXT, "ready\n"),
        "/readyz" => Answer::new(StatusCode::SERVICE_UNAVAILABLE, TEXT, "not ready\n"),
        "/metrics" => Answer::ok(METRICS, observe.metrics()),
        "/stats.json" => Answer::json(&observe.stats()),
        "/log" => Answer::json(&observe.log()),
        "/config" => Answer::json(&site::describe(&observe.site())),
        _ => touched(path, observe)
            .unwrap_or_else(|| Answer::new(StatusCode::NOT_FOUND, TEXT, OVERVIEW)),
    }
}

/// What a plugin touched; `None`: another path.
fn touched(path: &str, observe: &dyn Observe) -> Option<Answer> {
    let name = path.strip_prefix("/plugins/")?.strip_suffix("/touched")?;
    let name = text_of(&decoded(name));
    let page = observe.touched(&name).map(|page| Answer::ok(TEXT, page));
    Some(page.unwrap_or_else(|| {
        let text = format!("there is no filter {name:?}\n");
        Answer::new(StatusCode::NOT_FOUND, TEXT, text)
    }))
}

fn refuse_method(allowed: &'static str) -> Answer {
    Answer::new(
        StatusCode::METHOD_NOT_ALLOWED,
        TEXT,
        format!("allowed here: {allowed}\n"),
    )
}

/// `level` alone is for everything, `plugins` for all plugins, both `plugin` and `level` for one.
fn set_log(query: Option<&str>, observe: &dyn Observe) -> Answer {
    let value = |name: &str| {
        let value = parameter(query, name).filter(|value| !value.is_empty());
        value.map(|value| text_of(&value))
    };
    let (all, plugin, level) = (value("plugins"), value("plugin"), value("level"));
    let (outcome, told) = match (&all, &plugin, &level) {
        (Some(all), None, None) => (
            observe.set_plugin_log(None, all),
            format!("plugins log {all}"),
        ),
        (None, Some(plugin), Some(level)) => (
            observe.set_plugin_log(Some(plugin), level),
            format!("{plugin} logs {level}"),
        ),
        (None, None, Some(level)) => (observe.set_log(level), format!("logging {level}")),
        _ => {
            let text = "expected ?level=LEVEL, ?plugins=LEVEL or ?plugin=NAME&level=LEVEL, such as \
                        POST /log?level=debug\n";
            return Answer::new(StatusCode::BAD_REQUEST, TEXT, text);
        }
    };
    match outcome {
        Ok(()) => {
            tracing::info!(change = told, "the log level was set on the admin address");
            Answer::ok(TEXT, format!("{told}\n"))
        }
        Err(reason) => Answer::new(StatusCode::BAD_REQUEST, TEXT, format!("{reason}\n")),
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn respond(answer: Answer, allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(answer.content_type),
    );
    if let Some(version) = answer.version {
        headers.insert(HeaderName::from_static(maps::VERSION), version.into());
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    if answer.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    response
}
