//! What the codec lets through and a proxy must not forward.

use http::header::{EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};

use super::Connection;

/// Why a request is answered by the gateway and its connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What the client gets, with `connection: close`.
    pub(crate) status: StatusCode,
    /// For the access log's response code details, named as Envoy does where it has a name.
    pub(crate) details: &'static str,
}

/// Looks at the head of a request once, before anything else does. About 50 ns.
///
/// # Errors
/// The request must be refused with this, and the connection closed.
pub(crate) fn vet<B>(connection: &Connection, request: &Request<B>) -> Result<(), Malformed> {
    if connection.is_smuggling_suspect() {
        return match request.headers().get(TRANSFER_ENCODING) {
            Some(coding)
                if !coding
                    .as_bytes()
                    .trim_ascii()
                    .eq_ignore_ascii_case(b"chunked") =>
            {
                Err(NOT_IMPLEMENTED)
            }
            Some(_) | None => Err(bad("http1.ambiguous_framing")),
        };
    }
    vet_head(request)
}

const NOT_IMPLEMENTED: Malformed = Malformed {
    status: StatusCode::NOT_IMPLEMENTED,
    details: "http1.unsupported_transfer_encoding",
};

fn bad(details: &'static str) -> Malformed {
    Malformed {
        status: StatusCode::BAD_REQUEST,
        details,
    }
}

fn vet_head<B>(request: &Request<B>) -> Result<(), Malformed> {
    vet_host(request.headers(), request.version())?;
    vet_target(request.method(), request.uri())?;
    vet_expectation(request.headers())
}

/// Exactly one host in HTTP/1.1, at most one in HTTP/1.0 (RFC 9112 §3.2).
fn vet_host(headers: &HeaderMap, version: Version) -> Result<(), Malformed> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return match version {
            Version::HTTP_10 => Ok(()),
            _ => Err(bad("missing_host_header")),
        };
    };
    if hosts.next().is_some() {
        return Err(bad("http1.several_host_headers"));
    }
    let is_sound = host.as_bytes().iter().all(|byte| is_of_authority(*byte));
    is_sound.then_some(()).ok_or(bad("http1.invalid_host"))
}

/// Bytes of a host and port (RFC 3986 §3.2.2), without user information.
fn is_of_authority(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(&byte)
}

/// Whether a host that a plugin wrote can be read as nothing else. Names of clusters can, which have
/// bars and the like.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| byte.is_ascii_graphic() && !b"/\\?#@".contains(byte))
}

/// Whether requests may have the method. With `PRI`, the preface of HTTP/2 looks like a request
/// (RFC 9113 §3.4).
pub(crate) fn is_method(method: &Method) -> bool {
    method.as_str() != "PRI"
}

/// The target that goes to an upstream: a path, or the one asterisk. In any other form it would
/// name a host, which counts more than the `host` header (RFC 9112 §3.2.2).
pub(crate) fn origin_form(method: &Method, path: &[u8]) -> Option<Uri> {
    let is_sound = path.first() == Some(&b'/') || (*method == Method::OPTIONS && path == b"*");
    is_sound.then(|| Uri::try_from(path).ok()).flatten()
}

/// Origin form, absolute form, and the one asterisk (RFC 9112 §3.2).
fn vet_target(method: &Method, uri: &Uri) -> Result<(), Malformed> {
    let path = uri.path();
    let is_sound = match (method, uri.scheme_str()) {
        _ if !is_method(method) => false,
        // Refused by the exchange, which knows what it can tunnel.
        (&Method::CONNECT, _) => true,
        (&Method::OPTIONS, None) if path == "*" => true,
        (_, None) => uri.authority().is_none() && path.starts_with('/'),
        (_, Some("http" | "https")) => uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@')),
        (_, Some(_)) => false,
    };
    is_sound.then_some(()).ok_or(bad("http1.invalid_target"))
}

/// Only one expectation is known (RFC 9110 §10.1.1).
fn vet_expectation(headers: &HeaderMap) -> Result<(), Malformed> {
    match headers.get(EXPECT) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Err(Malformed {
            status: StatusCode::EXPECTATION_FAILED,
            details: "unknown_expectation",
        }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: http::request::Builder, expected: Result<(), u16>) {
        let request = request.body(()).unwrap();
        let verdict = vet_head(&request).map_err(|malformed| malformed.status.as_u16());
        assert_eq!(verdict, expected, "{request:?}");
    }

    #[test]
    fn only_paths_go_to_upstreams() {
        let check = |method: Method, path: &str, is_sound: bool| {
            let uri = origin_form(&method, path.as_bytes());
            assert_eq!(uri.is_some(), is_sound, "{method} {path}");
        };
        check(Method::GET, "/a?b=/c", true);
        check(Method::GET, "//evil.test/a", true);
        check(Method::OPTIONS, "*", true);
        check(Method::GET, "*", false);
        check(Method::OPTIONS, "**", false);
        check(Method::GET, "http://evil.test/a", false);
        check(Method::GET, "evil.test:80", false);
        check(Method::GET, "a/b", false);
        check(Method::GET, "?a", false);
        check(Method::GET, "", false);
        check(Method::GET, "/a b", false);
    }

    #[test]
    fn heads_are_judged() {
        let get = |target: &str| Request::get(target.to_owned());
        check(get("/a?b").header("host", "a"), Ok(()));
        check(get("/").header("host", ""), Ok(()));
        check(get("/").header("host", "[::1]:80"), Ok(()));
        check(get("http://a/").header("host", "a"), Ok(()));
        check(get("/").version(Version::HTTP_10), Ok(()));
        check(get("/"), Err(400));
        check(get("/").header("host", "a").header("host", "a"), Err(400));
        check(get("/").header("host", "a@b"), Err(400));
        check(get("/").header("host", "a b"), Err(400));
        check(get("/").header("host", "a/b"), Err(400));
        check(get("http://u@a/").header("host", "a"), Err(400));
        check(get("ftp://a/").header("host", "a"), Err(400));
        check(get("a:80").header("host", "a"), Err(400));
        check(get("*").header("host", "a"), Err(400));
        check(
            Request::builder().method("PRI").header("host", "a"),
            Err(400),
        );
        check(Request::options("*").header("host", "a"), Ok(()));
        check(Request::connect("a:80").header("host", "a"), Ok(()));
        check(
            get("/")
                .header("host", "a")
                .header("expect", "100-Continue"),
            Ok(()),
        );
        check(
            get("/").header("host", "a").header("expect", "tea"),
            Err(417),
        );
    }
}
