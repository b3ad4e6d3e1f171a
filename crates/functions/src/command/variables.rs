//! A request in environment variables: meta-variables of RFC 3875, section 4.1, and those that WAGI
//! adds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::request::Parts;
use http::{HeaderMap, HeaderName, Version, header};

use crate::message::Peer;

/// Variables and their values. Bytes of a field that are no UTF-8 become U+FFFD.
pub(super) fn of(head: &Parts) -> Vec<(String, String)> {
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let authority = head.uri.authority();
    let host = authority.map_or("", |authority| authority.host());
    let scheme = head.uri.scheme_str().unwrap_or("http");
    let port = authority.and_then(http::uri::Authority::port_u16);
    let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
    let peer = head.extensions.get::<Peer>();
    let address = peer.map(|peer| peer.0.ip().to_string()).unwrap_or_default();
    let mut variables = vec![
        ("GATEWAY_INTERFACE", "CGI/1.1".to_owned()),
        (
            "SERVER_SOFTWARE",
            concat!("weir/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("SERVER_PROTOCOL", protocol(head.version).to_owned()),
        ("SERVER_NAME", host.to_owned()),
        ("SERVER_PORT", port.to_string()),
        ("REQUEST_METHOD", head.method.to_string()),
        ("SCRIPT_NAME", String::new()),
        ("PATH_INFO", decoded(path)),
        ("QUERY_STRING", query.to_owned()),
        ("REMOTE_HOST", address.clone()),
        ("REMOTE_ADDR", address),
        ("X_RAW_PATH_INFO", path.to_owned()),
        ("X_FULL_URL", head.uri.to_string()),
    ];
    if let Some(peer) = peer {
        variables.push(("REMOTE_PORT", peer.0.port().to_string()));
    }
    if scheme == "https" {
        variables.push(("HTTPS", "on".to_owned()));
    }
    let of_body = [
        ("CONTENT_LENGTH", header::CONTENT_LENGTH),
        ("CONTENT_TYPE", header::CONTENT_TYPE),
    ];
    for (name, field) in of_body {
        if let Some(value) = head.headers.get(field) {
            variables.push((name, text(value.as_bytes()).into_owned()));
        }
    }
    let named = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    named.chain(fields(&head.headers)).collect()
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// `HTTP_*`: one variable for each name, values of several fields joined as their lists are.
fn fields(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        if !is_told(name) {
            continue;
        }
        let variable = format!(
            "HTTP_{}",
            name.as_str().to_ascii_uppercase().replace('-', "_")
        );
        let value = text(value.as_bytes());
        variables
            .entry(variable)
            .and_modify(|all| {
                // RFC 9113, section 8.2.3; RFC 9110, section 5.3.
                all.push_str(if *name == header::COOKIE { "; " } else { ", " });
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    variables
}

/// Whether a field becomes a variable. `Proxy` would look like the variable that HTTP clients obey
/// (CVE-2016-5385); a name with an underscore would look like another field; what proves who the
/// client is stays with the gateway (RFC 3875, section 4.1.18), and length and type of the body have
/// names of their own.
fn is_told(name: &HeaderName) -> bool {
    let hidden = [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
    ];
    !hidden.contains(name) && name != "proxy" && !name.as_str().contains('_')
}

/// A path without its percent-encoding, but for what would change its segments or is no text.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        // A number may have a sign, an encoded byte may not.
        let hex = after
            .get(..2)
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) if !matches!(code, b'/' | 0) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_path(path: &str, expected: &str) {
        assert_eq!(decoded(path), expected);
    }

    #[test]
    fn paths_lose_their_encoding_but_keep_their_segments() {
        check_path("/a%20b", "/a b");
        check_path("/a%2fb%2Fc", "/a%2fb%2Fc");
        check_path("/a%00", "/a%00");
        check_path("/%", "/%");
        check_path("/%zz", "/%zz");
        check_path("/%+f", "/%+f");
        check_path("/%c3%a4", "/ä");
        check_path("/%c3", "/%c3");
    }

    #[test]
    fn fields_become_variables_unless_they_lie() {
        let request = http::Request::builder()
            .uri("http://example.net:8080/a?b=c")
            .header("x-y", "1")
            .header("x-y", "2")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("proxy", "http://evil")
            .header("x_z", "3")
            .header("authorization", "Basic eA==")
            .header("content-type", "text/plain")
            .body(())
            .expect("a request");
        let variables: BTreeMap<_, _> = of(&request.into_parts().0).into_iter().collect();
        let get = |name: &str| variables.get(name).map(String::as_str);
        assert_eq!(get("HTTP_X_Y"), Some("1, 2"));
        assert_eq!(get("HTTP_COOKIE"), Some("a=1; b=2"));
        assert_eq!(get("CONTENT_TYPE"), Some("text/plain"));
        assert_eq!(get("SERVER_PORT"), Some("8080"));
        assert_eq!(get("QUERY_STRING"), Some("b=c"));
        for hidden in [
            "HTTP_PROXY",
            "HTTP_X_Z",
            "HTTP_AUTHORIZATION",
            "HTTP_CONTENT_TYPE",
        ] {
            assert_eq!(get(hidden), None, "{hidden}");
        }
    }
}
