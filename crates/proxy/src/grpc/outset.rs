//! The request of a gRPC call: where it goes and what its head says.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Uri};

use super::limit_of;
use crate::dispatch::DispatchError;
use crate::message::{FieldValue, HeaderList, HeaderName, Pseudo, Side, is_hop_by_hop};
use crate::protobuf::{Field, Fields, text};

/// Where a call goes, as the guest names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target<'b> {
    pub(crate) cluster: &'b str,
    /// In place of the cluster's name.
    authority: &'b str,
    metadata: Vec<(&'b [u8], &'b [u8])>,
}

/// What the bytes of a service are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service<'b> {
    /// The name of a cluster.
    Name(&'b str),
    /// A `GrpcService` for Envoy's own client.
    Message(Target<'b>),
    /// A `GrpcService` that this host has no client for.
    Foreign,
    /// Neither.
    Nothing,
}

impl<'b> Service<'b> {
    /// Reads `envoy.config.core.v3.GrpcService` first, as Envoy does. `is_cluster` helps with names
    /// that happen to be messages.
    pub(crate) fn of(bytes: &'b [u8], is_cluster: impl Fn(&str) -> bool) -> Self {
        let name = std::str::from_utf8(bytes).ok();
        match (message(bytes), name) {
            (_, Some(name)) if is_cluster(name) => Self::Name(name),
            (Some(service), _) => service,
            (None, Some(name)) => Self::Name(name),
            (None, None) => Self::Nothing,
        }
    }
}

/// The message, if the bytes are one that names a client.
fn message(bytes: &[u8]) -> Option<Service<'_>> {
    let mut service = None;
    let mut metadata = Vec::new();
    for field in Fields::of(bytes) {
        match field.ok()? {
            (1, Field::Bytes(envoy)) => service = Some(Service::Message(envoy_grpc(envoy)?)),
            (2, Field::Bytes(_)) => service = Some(Service::Foreign),
            (5, Field::Bytes(value)) => metadata.push(header_value(value)?),
            _ => {}
        }
    }
    if let Some(Service::Message(target)) = &mut service {
        target.metadata = metadata;
    }
    service
}

fn envoy_grpc(bytes: &[u8]) -> Option<Target<'_>> {
    let mut target = Target::default();
    for field in Fields::of(bytes) {
        match field.ok()? {
            (1, Field::Bytes(name)) => target.cluster = text(name).ok()?,
            (2, Field::Bytes(name)) => target.authority = text(name).ok()?,
            _ => {}
        }
    }
    Some(target)
}

/// A `HeaderValue`: name, and a value as text or as bytes.
fn header_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut name, mut value) = (&b""[..], &b""[..]);
    for field in Fields::of(bytes) {
        match field.ok()? {
            (1, Field::Bytes(bytes)) => name = bytes,
            (2 | 3, Field::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Some((name, value))
}

impl<'b> Target<'b> {
    /// A cluster by its name alone.
    pub(crate) fn named(cluster: &'b str) -> Self {
        Self {
            cluster,
            ..Self::default()
        }
    }
}

/// What a guest asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a, N> {
    pub(crate) target: &'a Target<'a>,
    pub(crate) service: &'a [u8],
    pub(crate) method: &'a [u8],
    /// Names and values.
    pub(crate) metadata: N,
    /// Of a unary call, in milliseconds; 0: none, but the server is told so.
    pub(crate) timeout_ms: Option<u32>,
}

/// The request of a call.
#[derive(Debug)]
pub(crate) struct Outset {
    pub(super) head: Result<Parts, Unsendable>,
    pub(super) timeout: Option<Duration>,
}

/// Why a request cannot leave, in Envoy's words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsendable {
    pub(super) text: String,
    pub(super) details: String,
}

impl Unsendable {
    fn header(words: String) -> Self {
        let details = words.replace(|letter: char| letter.is_ascii_whitespace(), "_");
        Self {
            text: words,
            details: format!("filter_removed_required_request_headers{{{details}}}"),
        }
    }

    fn protocol() -> Self {
        Self {
            text: DispatchError::Protocol.text(false).into_owned(),
            details: DispatchError::Protocol.details().into_owned(),
        }
    }
}

impl Outset {
    pub(crate) fn of<'a, N>(asked: Asked<'a, N>) -> Self
    where
        N: Iterator<Item = (&'a [u8], &'a [u8])>,
    {
        let timeout = asked.timeout_ms.and_then(limit_of);
        Self {
            head: parts(&list(asked)),
            timeout,
        }
    }
}

/// The head as Envoy composes it: the guest's metadata is added, which joins well-known headers.
fn list<'a, N>(asked: Asked<'a, N>) -> HeaderList
where
    N: Iterator<Item = (&'a [u8], &'a [u8])>,
{
    let target = asked.target;
    let authority = match target.authority {
        "" => target.cluster,
        authority => authority,
    };
    let mut list = HeaderList::default();
    let path = [b"/", asked.service, b"/", asked.method].concat();
    for (pseudo, value) in [
        (Pseudo::Path, &*path),
        (Pseudo::Authority, authority.as_bytes()),
    ] {
        list.push(HeaderName::Pseudo(pseudo), FieldValue::copied(value));
    }
    list.push_field(header::TE, FieldValue::from_static("trailers"));
    if let Some(timeout) = asked.timeout_ms {
        let text = timeout_text(timeout);
        list.add(
            b"grpc-timeout",
            FieldValue::copied(text.as_bytes()),
            Side::Request,
        );
    }
    let kind = FieldValue::from_static("application/grpc");
    list.push_field(header::CONTENT_TYPE, kind);
    for (name, value) in target.metadata.iter().copied().chain(asked.metadata) {
        let is_binary = name.len() >= 4 && name[name.len() - 4..].eq_ignore_ascii_case(b"-bin");
        let value = if is_binary {
            FieldValue::copied(Base64::encode_string(value).as_bytes())
        } else {
            FieldValue::copied(value)
        };
        list.add(name, value, Side::Request);
    }
    list.replace(
        b"x-envoy-internal",
        FieldValue::from_static("true"),
        Side::Request,
    );
    if let Some(timeout @ 1..) = asked.timeout_ms {
        let value = FieldValue::copied(timeout.to_string().as_bytes());
        list.replace(b"x-envoy-expected-rq-timeout-ms", value, Side::Request);
    }
    list
}

fn parts(list: &HeaderList) -> Result<Parts, Unsendable> {
    let pseudo = |which| list.pseudo(which).map_or(&b""[..], FieldValue::as_bytes);
    let invalid = |name: &str| Unsendable::header(format!("invalid header value for: {name}"));
    let path = PathAndQuery::try_from(pseudo(Pseudo::Path)).map_err(|_| invalid(":path"))?;
    let host = HeaderValue::from_bytes(pseudo(Pseudo::Authority));
    let host = host.map_err(|_| invalid(":authority"))?;
    let mut fields = HeaderMap::with_capacity(list.len());
    fields.insert(header::HOST, host);
    let fields = list
        .to_map(fields)
        .map_err(|error| Unsendable::header(error.words()))?;
    // HTTP/2 has no such headers (RFC 9113 §8.2.2).
    let has_connection = list
        .iter()
        .filter_map(|(name, _)| http::HeaderName::from_bytes(name).ok())
        .any(|name| is_hop_by_hop(&name));
    if has_connection || fields.get(header::TE).is_none_or(|te| te != "trailers") {
        return Err(Unsendable::protocol());
    }
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = Method::POST;
    head.uri = Uri::from(path);
    head.headers = fields;
    Ok(head)
}

/// `grpc-timeout`: at most eight digits and a unit.
fn timeout_text(milliseconds: u32) -> String {
    match milliseconds {
        0..=99_999_999 => format!("{milliseconds}m"),
        _ => format!("{}S", milliseconds / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(bytes: &[u8]) -> Service<'_> {
        Service::of(bytes, |name| name == "peer" || name == "\x08\x01")
    }

    fn target(cluster: &'static str) -> Target<'static> {
        Target::named(cluster)
    }

    #[test]
    fn a_service_is_a_message_or_a_name() {
        assert_eq!(service(b"peer"), Service::Name("peer"));
        assert_eq!(service(b"nosuch"), Service::Name("nosuch"));
        assert_eq!(
            service(b"\x0a\x06\x0a\x04peer"),
            Service::Message(target("peer"))
        );
        assert_eq!(
            service(b"\x0a\x06\x0a\x09peer"),
            Service::Name("\n\x06\n\tpeer")
        );
        assert_eq!(service(b"\x12\x03\x0a\x01a"), Service::Foreign);
        assert_eq!(service(b"\xFF"), Service::Nothing);
    }

    #[test]
    fn a_message_that_names_no_client_is_a_name() {
        assert_eq!(service(b""), Service::Name(""));
        assert_eq!(service(b"\x08\x01"), Service::Name("\x08\x01"));
    }

    #[test]
    fn a_message_may_bring_authority_and_metadata() {
        let bytes = b"\x0a\x0b\x0a\x04peer\x12\x03a.b\x2a\x08\x0a\x01k\x12\x03vvv";
        let expected = Target {
            cluster: "peer",
            authority: "a.b",
            metadata: vec![(b"k", b"vvv")],
        };
        assert_eq!(service(bytes), Service::Message(expected));
    }

    #[track_caller]
    fn check(metadata: &[(&[u8], &[u8])], timeout_ms: Option<u32>, expected: &str) {
        let target = target("peer");
        let asked = Asked {
            target: &target,
            service: b"pkg.Svc",
            method: b"Do",
            metadata: metadata.iter().copied(),
            timeout_ms,
        };
        let text = match Outset::of(asked).head {
            Ok(head) => {
                let fields = head.headers.iter().map(|(name, value)| {
                    format!("{name}={};", String::from_utf8_lossy(value.as_bytes()))
                });
                format!("{} {}", head.uri, fields.collect::<String>())
            }
            Err(unsendable) => unsendable.text,
        };
        assert_eq!(text, expected);
    }

    #[test]
    fn heads_are_as_envoys() {
        check(
            &[
                (b"x-a", b"1"),
                (b"x-a", b"2"),
                (b"k-bin", b"\x00\x01"),
                (b"grpc-timeout", b"5S"),
            ],
            Some(300),
            "/pkg.Svc/Do host=peer;te=trailers;grpc-timeout=300m,5S;content-type=application/grpc;\
             x-a=1;x-a=2;k-bin=AAE=;x-envoy-internal=true;x-envoy-expected-rq-timeout-ms=300;",
        );
        check(
            &[
                (b":path", b"/aa"),
                (b"host", b"hh"),
                (b":scheme", b"s"),
                (b"x-envoy-internal", b"no"),
            ],
            None,
            "/pkg.Svc/Do,/aa host=peer,hh;te=trailers;content-type=application/grpc;\
             x-envoy-internal=true;",
        );
    }

    #[test]
    fn what_cannot_be_sent_is_said_in_envoys_words() {
        check(&[(b"a b", b"c")], None, "invalid header name: a b");
        check(&[(b"a", b"c\n")], None, "invalid header value for: a");
        let protocol = "upstream connect error or disconnect/reset before headers. reset reason: protocol error";
        check(&[(b"te", b"a")], None, protocol);
        check(&[(b"connection", b"close")], None, protocol);
    }

    #[test]
    fn timeouts_have_eight_digits_at_most() {
        assert_eq!(timeout_text(0), "0m");
        assert_eq!(timeout_text(99_999_999), "99999999m");
        assert_eq!(timeout_text(123_456_789), "123456S");
        assert_eq!(timeout_text(u32::MAX - 4), "4294967S");
    }
}
