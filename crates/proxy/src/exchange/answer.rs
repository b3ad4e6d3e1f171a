//! Answers that the gateway or a filter composes, and the head that goes to the client.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use weir_model::Respond;

use super::upstream::Upstream;
use super::{Exchange, Reply};
use crate::flow::{Flow, Frame};
use crate::listen::Reset;
use crate::listen::vet::Malformed;
use crate::message::{FieldValue, HeaderList, HeaderName, Message, Pseudo, Side};
use crate::stream::{Flags, LocalAnswer};

impl Exchange {
    /// Answers from inside the gateway. The answer passes the response filters if no other response
    /// has reached them; else it goes straight to the client, or, if the client has a head already,
    /// the connection is cut (Proxy-Wasm reference 3.6).
    pub(super) fn answer_locally(&mut self, answer: LocalAnswer) -> Result<(), Reset> {
        self.abandon_request();
        let details = answer.details.clone();
        // A head that has passed the filters counts as sent.
        let has_head = self.reply != Reply::Awaited
            || (self.response_has_begun && self.stream.borrow().response_flow.has_passed());
        if has_head {
            self.stream.borrow_mut().facts.details = Some(details);
            return Err(Reset("an answer came after the response had begun"));
        }
        let (message, body) = self.compose(answer);
        let stream = &mut *self.stream.borrow_mut();
        stream.facts.details = Some(details);
        stream.facts.status = message.headers.status().map_or(0, |status| status.as_u16());
        stream.response = message;
        let head = Frame::Headers {
            end: body.is_empty(),
        };
        let rest = (!body.is_empty()).then_some(Frame::Body {
            bytes: body,
            end: true,
        });
        if self.response_has_begun {
            stream.response_flow = Flow::new(0, 0);
            std::iter::once(head)
                .chain(rest)
                .for_each(|frame| stream.response_flow.leave(frame));
        } else {
            self.response_has_begun = true;
            std::iter::once(head)
                .chain(rest)
                .for_each(|frame| stream.response_flow.arrive(frame));
        }
        Ok(())
    }

    /// An answer of the gateway itself, with a plain text.
    pub(super) fn fault(
        &mut self,
        status: u16,
        details: &str,
        (flags, text): (&'static str, &str),
    ) -> Result<(), Reset> {
        self.stream.borrow_mut().facts.flags = Flags::of(flags);
        self.answer_locally(LocalAnswer {
            status,
            details: details.to_owned(),
            body: Bytes::copy_from_slice(text.as_bytes()),
            ..LocalAnswer::default()
        })
    }

    /// Nothing more of the request goes anywhere.
    pub(super) fn abandon_request(&mut self) {
        self.request_is_over = true;
        self.upstream = Upstream::Local;
    }

    /// Head and body of an answer, for a gRPC client in its form.
    fn compose(&self, answer: LocalAnswer) -> (Message, Bytes) {
        if self.is_grpc() {
            return (grpc_answer(&answer), Bytes::new());
        }
        let mut headers = HeaderList::with_capacity(answer.headers.len() + 3);
        let status = FieldValue::copied(answer.status.to_string().as_bytes());
        headers.push(HeaderName::Pseudo(Pseudo::Status), status);
        for (name, value) in headers_of(&answer) {
            headers.add(name, FieldValue::copied(value), Side::Response);
        }
        headers.remove_field(&header::CONTENT_LENGTH);
        // 204, 205 and 304 have no content (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
        if answer.body.is_empty() || matches!(answer.status, 204 | 205 | 304) {
            headers.remove_field(&header::CONTENT_TYPE);
            return (
                Message {
                    headers,
                    trailers: None,
                },
                Bytes::new(),
            );
        }
        if headers.field(&header::CONTENT_TYPE).is_none() {
            headers.push_field(header::CONTENT_TYPE, FieldValue::from_static("text/plain"));
        }
        let length = HeaderValue::from(answer.body.len());
        headers.push_field(header::CONTENT_LENGTH, FieldValue::Valid(length));
        let body = if self.is_head_request {
            Bytes::new()
        } else {
            answer.body
        };
        (
            Message {
                headers,
                trailers: None,
            },
            body,
        )
    }

    fn is_grpc(&self) -> bool {
        let stream = self.stream.borrow();
        let kind = stream.request.headers.field(&header::CONTENT_TYPE);
        let after = kind.and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
        after.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    }

    /// A head that is not HTTP, or that two parties could read differently.
    pub(super) fn refuse(&mut self, malformed: Malformed) {
        self.closes = true;
        self.pass_chain_by();
        let text = malformed.status.canonical_reason().unwrap_or_default();
        // Nothing went to the client yet, so this cannot fail.
        let _ = self.fault(malformed.status.as_u16(), malformed.details, ("DPE", text));
    }

    pub(super) fn refuse_upgrade(&mut self) {
        self.closes = true;
        self.pass_chain_by();
        let _ = self.fault(403, "upgrade_failed", ("", ""));
    }

    pub(super) fn refuse_unrouted(&mut self) {
        let _ = self.fault(404, "route_not_found", ("NR", ""));
    }

    /// No filter sees request or response, for requests that must not reach any; but all learn of
    /// the end (as Envoy).
    fn pass_chain_by(&mut self) {
        let stream = &mut *self.stream.borrow_mut();
        stream.request_flow = Flow::new(0, 0);
        stream.response_flow = Flow::new(0, 0);
        self.response_has_begun = true;
    }

    pub(super) fn refuse_large_request(&mut self) -> Result<(), Reset> {
        self.fault(413, "request_payload_too_large", ("", "Payload Too Large"))
    }

    /// Filters are bypassed: it is one of them that held too much.
    pub(super) fn refuse_large_response(&mut self) -> Result<(), Reset> {
        self.response_has_begun = true;
        self.fault(
            500,
            "response_payload_too_large",
            ("", "Internal Server Error"),
        )
    }

    /// An answer from the configuration.
    pub(super) fn respond(&mut self, respond: &Respond) -> Result<(), Reset> {
        let mut headers = HeaderList::with_capacity(respond.headers.len());
        for (name, value) in &respond.headers {
            headers.add(
                name.as_bytes(),
                FieldValue::copied(value.as_bytes()),
                Side::Response,
            );
        }
        self.answer_locally(LocalAnswer {
            status: respond.status,
            details: "direct_response".to_owned(),
            headers,
            body: respond.body.clone(),
            grpc_status: None,
        })
    }

    /// The head for the client, after the last filter.
    pub(super) fn head(&mut self, end: bool) -> Result<(Response<()>, bool), Reset> {
        let built = self.build_head();
        let (status, fields) = match built {
            Ok(head) => head,
            Err(details) => {
                // What the filters left cannot be sent; nobody is asked again.
                self.response_has_begun = true;
                // What has passed behind that head goes nowhere.
                self.stream.borrow_mut().response_flow = Flow::new(0, 0);
                self.fault(502, &details, ("", ""))?;
                let _ = self.stream.borrow_mut().response_flow.pop();
                return Ok(self.finish_head(StatusCode::BAD_GATEWAY, HeaderMap::new(), true));
            }
        };
        Ok(self.finish_head(status, fields, end))
    }

    fn build_head(&self) -> Result<(StatusCode, HeaderMap), String> {
        let stream = self.stream.borrow();
        let headers = &stream.response.headers;
        let status = headers.status().ok_or_else(|| {
            "filter_removed_required_response_headers{missing_required_header:_:status}".to_owned()
        })?;
        let invalid = |what: &str| format!("filter_removed_required_response_headers{{{what}}}");
        if status.is_informational() {
            return Err(invalid("informational_:status"));
        }
        let fields = headers.to_map(HeaderMap::with_capacity(headers.len() + 2));
        let mut fields = fields.map_err(|error| invalid(&error.to_string()))?;
        if !has_sound_length(&fields) {
            return Err(invalid("invalid_content-length"));
        }
        if status == StatusCode::NO_CONTENT {
            // RFC 9110 §8.6.
            fields.remove(header::CONTENT_LENGTH);
        }
        Ok((status, fields))
    }

    fn finish_head(
        &mut self,
        status: StatusCode,
        mut fields: HeaderMap,
        end: bool,
    ) -> (Response<()>, bool) {
        let settings = &self.connection.seat.listener;
        if let Some(server) = &settings.server_header
            && let Ok(value) = HeaderValue::from_str(server)
        {
            fields.insert(header::SERVER, value);
        }
        if settings.via {
            fields.append(header::VIA, HeaderValue::from_static("1.1 weir"));
        }
        if self.closes {
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.stream.borrow_mut().facts.status = status.as_u16();
        self.reply = if end {
            Reply::Complete
        } else {
            Reply::Streaming
        };
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = fields;
        (response, end)
    }
}

/// At most one length, and that a number: else the codec would cut the connection instead.
fn has_sound_length(fields: &HeaderMap) -> bool {
    let mut lengths = fields.get_all(header::CONTENT_LENGTH).iter();
    let first = lengths.next();
    let is_number = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| {
            text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u64>().is_ok()
        })
    };
    first.is_none_or(is_number) && lengths.next().is_none()
}

/// The headers that an answer brings. A status among them does not count (as Envoy): plugins hand on
/// the headers of callouts.
fn headers_of(answer: &LocalAnswer) -> impl Iterator<Item = (&[u8], &[u8])> {
    let headers = answer.headers.iter();
    headers.filter(|(name, _)| *name != b":status")
}

/// gRPC clients look at trailers only: status 200, the reason in headers, no body.
pub(crate) fn grpc_answer(answer: &LocalAnswer) -> Message {
    let mut headers = HeaderList::with_capacity(answer.headers.len() + 4);
    headers.push(
        HeaderName::Pseudo(Pseudo::Status),
        FieldValue::from_static("200"),
    );
    for (name, value) in headers_of(answer) {
        headers.add(name, FieldValue::copied(value), Side::Response);
    }
    headers.remove_field(&header::CONTENT_LENGTH);
    headers.replace(
        b"content-type",
        FieldValue::from_static("application/grpc"),
        Side::Response,
    );
    let known = headers.first(b"grpc-status", Side::Response).is_some();
    if answer.grpc_status.is_some() || !known {
        let code = answer
            .grpc_status
            .unwrap_or_else(|| grpc_status_of(answer.status));
        let code = FieldValue::copied(code.to_string().as_bytes());
        headers.replace(b"grpc-status", code, Side::Response);
    }
    if !answer.body.is_empty() {
        let message = FieldValue::copied(percent_encoded(&answer.body).as_bytes());
        headers.replace(b"grpc-message", message, Side::Response);
    }
    Message {
        headers,
        trailers: None,
    }
}

/// The gRPC status of an HTTP status (gRPC, "HTTP to gRPC Status Code Mapping").
pub(crate) fn grpc_status_of(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// Percent-encoding of `grpc-message` (gRPC over HTTP/2, "Responses").
fn percent_encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' '..=b'~' if *byte != b'%' => text.push(char::from(*byte)),
            _ => {
                text.push('%');
                text.push(hex_digit(byte >> 4));
                text.push(hex_digit(byte & 15));
            }
        }
    }
    text
}

fn hex_digit(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble & 15)])
}
