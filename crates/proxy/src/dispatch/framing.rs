//! What a request's head says of its target and of the length of its body.
//!
//! Invariant: whatever filters wrote, a head announces what its body's sender knows, and nothing for
//! a request that ends with its head. A server would take what is announced and does not come from
//! the next request on the connection.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::{self, Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use weir_model::Protocol;

use crate::upstream::BodySender;

/// The length that the fields give: one number, however often (RFC 9112 §6.3).
pub(crate) fn length_of(fields: &HeaderMap) -> Option<u64> {
    let values = fields.get_all(CONTENT_LENGTH).iter();
    let mut numbers = values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(number);
    let first = numbers.next()??;
    numbers.all(|other| other == Some(first)).then_some(first)
}

/// Digits only: neither signs nor what does not fit.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Whether requests of this method mean something by a body (RFC 9110 §8.6).
pub(crate) fn may_have_body(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET | Method::HEAD | Method::DELETE | Method::TRACE
    )
}

/// Makes the head say of the body what is true.
pub(super) fn announce(head: &mut Parts, body: &BodySender, protocol: Protocol) {
    if body.is_empty() {
        return announce_nothing(head);
    }
    let fields = &mut head.headers;
    match body.length() {
        Some(length) if says(fields, length) => {}
        Some(length) => drop(fields.insert(CONTENT_LENGTH, length.into())),
        None => {
            fields.remove(CONTENT_LENGTH);
            // hyper would send none with a GET.
            if protocol == Protocol::Http1 {
                fields.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
    }
}

fn announce_nothing(head: &mut Parts) {
    let fields = &mut head.headers;
    if !fields.contains_key(CONTENT_LENGTH) || says(fields, 0) {
        return;
    }
    if may_have_body(&head.method) {
        fields.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    } else {
        fields.remove(CONTENT_LENGTH);
    }
}

/// Whether the fields give this length as everybody reads it.
fn says(fields: &HeaderMap, length: u64) -> bool {
    let mut values = fields.get_all(CONTENT_LENGTH).iter();
    let first = values.next().map(HeaderValue::as_bytes);
    let is_plain = |text: &[u8]| text.first().is_some_and(u8::is_ascii_digit);
    first.is_some_and(|text| is_plain(text) && number(text) == Some(length))
        && values.next().is_none()
}

/// In HTTP/2 the host is part of the target. One that no URI has stays a header (RFC 9113 §8.3.1).
pub(super) fn address(head: &mut Parts) {
    let authority = head.headers.get(HOST).map(HeaderValue::as_bytes);
    let Some(Ok(authority)) = authority.map(Authority::try_from) else {
        return;
    };
    let mut parts = uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query = head.uri.path_and_query().cloned();
    if let Ok(uri) = Uri::from_parts(parts) {
        head.uri = uri;
        head.version = Version::HTTP_2;
        // Not `remove`, which would move the last field into its place.
        let fields = std::mem::take(&mut head.headers);
        head.headers.reserve(fields.keys_len());
        let mut last = HOST;
        for (name, value) in fields {
            last = name.unwrap_or(last);
            if last != HOST {
                head.headers.append(last.clone(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;

    /// A sender of three bytes that came, with this length announced.
    fn streaming(length: Option<u64>) -> BodySender {
        let body = BodySender::streaming(length);
        body.push(Bytes::from_static(b"abc"));
        body
    }

    #[track_caller]
    fn check(method: &Method, written: &[&str], body: &BodySender, expected: &str) {
        let mut request = Request::builder().method(method);
        for value in written {
            request = request.header(CONTENT_LENGTH, *value);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        announce(&mut head, body, Protocol::Http1);
        let said = head.headers.iter();
        let said: Vec<String> = said
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        assert_eq!(said.join(" "), expected, "{method} {written:?}");
    }

    #[test]
    fn a_request_without_a_body_announces_none() {
        for written in ["5", "+5", "-1", "0,5", "18446744073709551616", "x", ""] {
            let none = BodySender::empty();
            check(&Method::GET, &[written], &none, "");
            check(&Method::HEAD, &[written, "0"], &none, "");
            check(&Method::POST, &[written], &none, "content-length=0");
            // A body that turned out to be none, held by a filter until its end.
            let ended = BodySender::streaming(Some(5));
            ended.finish();
            check(&Method::PUT, &[written], &ended, "content-length=0");
        }
        check(
            &Method::GET,
            &["0"],
            &BodySender::empty(),
            "content-length=0",
        );
        check(&Method::GET, &[], &BodySender::empty(), "");
        check(&Method::POST, &[], &BodySender::empty(), "");
    }

    #[test]
    fn a_body_has_the_length_of_its_sender() {
        let known = "content-length=3";
        check(&Method::POST, &["3"], &streaming(Some(3)), known);
        check(&Method::POST, &["3", "3"], &streaming(Some(3)), known);
        check(&Method::POST, &["+3"], &streaming(Some(3)), known);
        check(&Method::POST, &["3,3"], &streaming(Some(3)), known);
        check(&Method::POST, &["8"], &streaming(Some(3)), known);
        let chunked = "transfer-encoding=chunked";
        check(&Method::GET, &["-1"], &streaming(None), chunked);
        check(&Method::POST, &["3"], &streaming(None), chunked);
        check(&Method::POST, &[], &streaming(None), chunked);
    }

    #[test]
    fn lengths_are_digits() {
        let length = |values: &[&str]| {
            let mut fields = HeaderMap::new();
            for value in values {
                fields.append(CONTENT_LENGTH, HeaderValue::from_str(value).unwrap());
            }
            length_of(&fields)
        };
        assert_eq!(length(&["5"]), Some(5));
        assert_eq!(length(&["5", "5"]), Some(5));
        assert_eq!(length(&["5, 5"]), Some(5));
        for none in [
            &["5", "6"][..],
            &["+5"],
            &["-1"],
            &["5,"],
            &["0x5"],
            &[""],
            &[],
        ] {
            assert_eq!(length(none), None, "{none:?}");
        }
    }
}
