//! Which headers hold one joined value (Envoy's inline headers, as its stock build registers them).

use http::HeaderName as Field;
use http::header as h;

use super::headers::{HeaderName, Pseudo};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// Whether adding to this header joins values.
pub(super) fn is_inline(name: &HeaderName, side: Side) -> bool {
    match name {
        HeaderName::Pseudo(Pseudo::Status) => side == Side::Response,
        HeaderName::Pseudo(Pseudo::Authority | Pseudo::Method | Pseudo::Path | Pseudo::Scheme) => {
            side == Side::Request
        }
        HeaderName::Field(name) => is_inline_field(name, side),
        HeaderName::Raw(_) => false,
    }
}

/// The same for a field.
pub(super) fn is_inline_field(name: &Field, side: Side) -> bool {
    is_inline_in_both(name)
        || match side {
            Side::Request => is_inline_in_requests(name),
            Side::Response => is_inline_in_responses(name),
        }
        || name.as_str().starts_with("x-envoy-")
}

fn is_inline_in_both(name: &Field) -> bool {
    [
        h::CONTENT_LENGTH,
        h::CONTENT_TYPE,
        h::CONNECTION,
        h::TRANSFER_ENCODING,
        h::UPGRADE,
        h::VIA,
        h::CACHE_CONTROL,
        h::CONTENT_ENCODING,
    ]
    .contains(name)
        || matches!(
            name.as_str(),
            "keep-alive" | "proxy-connection" | "proxy-status" | "x-request-id"
        )
}

fn is_inline_in_requests(name: &Field) -> bool {
    [
        h::EXPECT,
        h::TE,
        h::USER_AGENT,
        h::ACCEPT,
        h::ACCEPT_ENCODING,
        h::ACCESS_CONTROL_REQUEST_HEADERS,
        h::ACCESS_CONTROL_REQUEST_METHOD,
        h::AUTHORIZATION,
        h::IF_MATCH,
        h::IF_NONE_MATCH,
        h::IF_MODIFIED_SINCE,
        h::IF_UNMODIFIED_SINCE,
        h::IF_RANGE,
        h::ORIGIN,
        h::PRAGMA,
        h::REFERER,
    ]
    .contains(name)
        || matches!(
            name.as_str(),
            "x-client-trace-id"
                | "x-forwarded-for"
                | "x-forwarded-host"
                | "x-forwarded-proto"
                | "x-forwarded-port"
                | "x-forwarded-client-cert"
                | "grpc-timeout"
                | "access-control-request-private-network"
                | "authentication"
                | "cdn-loop"
                | "grpc-accept-encoding"
        )
}

fn is_inline_in_responses(name: &Field) -> bool {
    [
        h::DATE,
        h::LOCATION,
        h::SERVER,
        h::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        h::ACCESS_CONTROL_ALLOW_HEADERS,
        h::ACCESS_CONTROL_ALLOW_METHODS,
        h::ACCESS_CONTROL_ALLOW_ORIGIN,
        h::ACCESS_CONTROL_EXPOSE_HEADERS,
        h::ACCESS_CONTROL_MAX_AGE,
        h::AGE,
        h::ETAG,
        h::EXPIRES,
        h::LAST_MODIFIED,
        h::VARY,
    ]
    .contains(name)
        || matches!(
            name.as_str(),
            "grpc-status" | "grpc-message" | "access-control-allow-private-network"
        )
}
