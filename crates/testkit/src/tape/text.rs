//! A tape as text: one line each, readable and stable, so that it can be kept beside a test.
//!
//! ```text
//! tape 1
//! event proxy_on_request_headers 2 3 1
//! call Header RequestHeaders ":path"
//! reply bytes "/"
//! result 0
//! ```

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use weir_guest::apart::wire;
use weir_guest::door::{ContextId, Event, Peer, Reply, Status};

use super::{Line, Outcome, Tape};
use crate::asked::Quoted;

const HEAD: &str = "tape 1";

const STATUSES: [Status; 11] = [
    Status::Ok,
    Status::NotFound,
    Status::BadArgument,
    Status::SerializationFailure,
    Status::ParseFailure,
    Status::InvalidMemoryAccess,
    Status::Empty,
    Status::CasMismatch,
    Status::InternalFailure,
    Status::BrokenConnection,
    Status::Unimplemented,
];

/// A text that is no tape.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, got {found:?}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What a tape has here.
    pub expected: &'static str,
    /// What the text has.
    pub found: String,
}

impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        for line in &self.lines {
            match line {
                Line::Event(event) => {
                    write!(f, "event {}", event.callback())?;
                    event
                        .parameters()
                        .iter()
                        .try_for_each(|number| write!(f, " {number}"))?;
                    writeln!(f)?;
                }
                Line::Call { call, outcome } => {
                    writeln!(f, "call {call}")?;
                    write_outcome(f, outcome)?;
                }
                Line::Result(Ok(number)) => writeln!(f, "result {number}")?,
                Line::Result(Err(text)) => writeln!(f, "failed {}", Quoted(text.as_bytes()))?,
            }
        }
        Ok(())
    }
}

fn write_outcome(f: &mut fmt::Formatter<'_>, outcome: &Outcome) -> fmt::Result {
    match outcome {
        Outcome::Reply(Reply::Done) => writeln!(f, "reply done"),
        Outcome::Reply(Reply::Refused(status)) => writeln!(f, "reply refused {}", *status as i32),
        Outcome::Reply(Reply::Bytes(bytes)) => writeln!(f, "reply bytes {}", Quoted(bytes)),
        Outcome::Reply(Reply::Number(number)) => writeln!(f, "reply number {number}"),
        Outcome::Reply(Reply::Entry(bytes, number)) => {
            writeln!(f, "reply entry {number} {}", Quoted(bytes))
        }
        Outcome::Reply(Reply::Outcome(number, bytes)) => {
            writeln!(f, "reply outcome {number} {}", Quoted(bytes))
        }
        Outcome::Reply(Reply::Map(reply)) => {
            let mut bytes = Vec::new();
            wire::encode(reply, &mut bytes);
            writeln!(f, "reply map {}", Quoted(&bytes))
        }
        Outcome::Stopped(text) => writeln!(f, "stopped {}", Quoted(text.as_bytes())),
        Outcome::Waiting => writeln!(f, "waiting"),
    }
}

impl FromStr for Tape {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut rows = text
            .lines()
            .enumerate()
            .map(|(index, row)| (index + 1, row));
        let mut tape = Self::default();
        let refused = |(line, row): (usize, &str), expected| ParseError {
            line,
            expected,
            found: row.to_owned(),
        };
        match rows.next() {
            Some((_, HEAD)) => {}
            other => return Err(refused(other.unwrap_or((1, "")), HEAD)),
        }
        while let Some(row) = rows.next() {
            let (word, rest) = row.1.split_once(' ').unwrap_or((row.1, ""));
            tape.lines.push(match word {
                "event" => event_of(rest)
                    .map(Line::Event)
                    .ok_or_else(|| refused(row, "an event")),
                "call" => {
                    let next = rows.next().unwrap_or((row.0 + 1, ""));
                    outcome_of(next.1)
                        .map(|outcome| Line::Call {
                            call: rest.to_owned(),
                            outcome,
                        })
                        .ok_or_else(|| refused(next, "reply, stopped or waiting"))
                }
                "result" => rest
                    .parse()
                    .map(|number| Line::Result(Ok(number)))
                    .map_err(|_| refused(row, "a number")),
                "failed" => text_of(rest)
                    .map(|text| Line::Result(Err(text)))
                    .ok_or_else(|| refused(row, "a quoted text")),
                _ => Err(refused(row, "event, call, result or failed")),
            }?);
        }
        Ok(tape)
    }
}

fn outcome_of(row: &str) -> Option<Outcome> {
    if row == "waiting" {
        return Some(Outcome::Waiting);
    }
    if let Some(rest) = row.strip_prefix("stopped ") {
        return text_of(rest).map(Outcome::Stopped);
    }
    let rest = row.strip_prefix("reply ")?;
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let counted = || {
        let (number, bytes) = rest.split_once(' ')?;
        Some((number.parse().ok()?, unquoted(bytes)?))
    };
    Some(Outcome::Reply(match word {
        "done" => Reply::Done,
        "refused" => {
            let number = rest.parse::<i32>().ok()?;
            Reply::Refused(
                STATUSES
                    .into_iter()
                    .find(|status| *status as i32 == number)?,
            )
        }
        "bytes" => Reply::Bytes(unquoted(rest)?),
        "number" => Reply::Number(rest.parse().ok()?),
        "entry" => counted().map(|(number, bytes)| Reply::Entry(bytes, number))?,
        "outcome" => counted().map(|(number, bytes)| Reply::Outcome(number, bytes))?,
        "map" => Reply::Map(wire::decode(&unquoted(rest)?).ok()?),
        _ => return None,
    }))
}

fn text_of(quoted: &str) -> Option<String> {
    String::from_utf8(unquoted(quoted)?.to_vec()).ok()
}

/// Reverses [`Quoted`].
fn unquoted(text: &str) -> Option<Bytes> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let number = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
                u8::try_from(number).ok()?
            }
            other => other,
        });
    }
    Some(bytes.into())
}

fn event_of(row: &str) -> Option<Event> {
    let mut words = row.split(' ');
    let callback = words.next()?;
    let numbers = words
        .map(str::parse)
        .collect::<Result<Vec<u32>, _>>()
        .ok()?;
    let a = |index: usize| numbers.get(index).copied().unwrap_or(0);
    let (context, root, count, size, token) = (a(0), a(0), a(1), a(1), a(1));
    let end = a(2) != 0;
    let event = match callback {
        "proxy_on_context_create" => Event::ContextCreate {
            context,
            parent: a(1),
        },
        "proxy_on_vm_start" => Event::VmStart { root, size },
        "proxy_on_configure" => Event::Configure { root, size },
        "proxy_on_tick" => Event::Tick { root },
        "proxy_on_request_headers" => Event::RequestHeaders {
            context,
            count,
            end,
        },
        "proxy_on_request_body" => Event::RequestBody { context, size, end },
        "proxy_on_request_trailers" => Event::RequestTrailers { context, count },
        "proxy_on_response_headers" => Event::ResponseHeaders {
            context,
            count,
            end,
        },
        "proxy_on_response_body" => Event::ResponseBody { context, size, end },
        "proxy_on_response_trailers" => Event::ResponseTrailers { context, count },
        "proxy_on_done" => Event::Done { context },
        "proxy_on_log" => Event::Log { context },
        "proxy_on_delete" => Event::Delete { context },
        "proxy_on_http_call_response" => Event::HttpCallResponse {
            root,
            token,
            headers: a(2),
            body_size: a(3),
            trailers: a(4),
        },
        "proxy_on_grpc_receive_initial_metadata" => Event::GrpcInitialMetadata {
            root,
            token,
            count: a(2),
        },
        "proxy_on_grpc_receive" => Event::GrpcMessage {
            root,
            token,
            size: a(2),
        },
        "proxy_on_grpc_receive_trailing_metadata" => Event::GrpcTrailingMetadata {
            root,
            token,
            count: a(2),
        },
        "proxy_on_grpc_close" => Event::GrpcClose {
            root,
            token,
            status: a(2),
        },
        "proxy_on_queue_ready" => Event::QueueReady { root, token },
        "proxy_on_redis_call_response" => Event::RedisReply {
            root,
            token,
            status: a(2),
            size: a(3),
        },
        "proxy_on_foreign_function" => Event::ForeignFunction {
            root,
            function: a(1),
            size: a(2),
        },
        _ => map_event_of(callback, [a(0), a(1), a(2)])
            .or_else(|| connection_event_of(callback, context, a(1), end))?,
    };
    (event.parameters().as_slice() == numbers).then_some(event)
}

/// Events of shared maps.
fn map_event_of(callback: &str, [context, low, high]: [u32; 3]) -> Option<Event> {
    Some(match callback {
        "wasi_map_on_change" => Event::MapChange {
            context,
            watch: low,
        },
        "wasi_map_on_release" => Event::MapRelease {
            root: context,
            map: u64::from(low) | u64::from(high) << 32,
        },
        _ => return None,
    })
}

/// Events of TCP connections; `number` is a size or a peer.
fn connection_event_of(
    callback: &str,
    context: ContextId,
    number: u32,
    end: bool,
) -> Option<Event> {
    let (size, by) = (number, Peer::from_abi(number));
    Some(match callback {
        "proxy_on_new_connection" => Event::NewConnection { context },
        "proxy_on_downstream_data" => Event::DownstreamData { context, size, end },
        "proxy_on_upstream_data" => Event::UpstreamData { context, size, end },
        "proxy_on_downstream_connection_close" => {
            Event::DownstreamConnectionClose { context, by: by? }
        }
        "proxy_on_upstream_connection_close" => Event::UpstreamConnectionClose { context, by: by? },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_survives_its_text() {
        let call = |call: &str, outcome| Line::Call {
            call: call.to_owned(),
            outcome,
        };
        let bytes = Bytes::from_static(b"\0\"\\\n\xff caf\xc3\xa9");
        let tape = Tape {
            lines: vec![
                call("Environment", Outcome::Reply(Reply::Bytes(bytes.clone()))),
                Line::Event(Event::RequestHeaders {
                    context: 2,
                    count: 3,
                    end: true,
                }),
                Line::Event(Event::NewConnection { context: 3 }),
                Line::Event(Event::DownstreamData {
                    context: 3,
                    size: 9,
                    end: false,
                }),
                Line::Event(Event::UpstreamData {
                    context: 3,
                    size: 0,
                    end: true,
                }),
                Line::Event(Event::UpstreamConnectionClose {
                    context: 3,
                    by: Peer::Unknown,
                }),
                Line::Event(Event::DownstreamConnectionClose {
                    context: 3,
                    by: Peer::Remote,
                }),
                call(
                    "Property \"a\\x00b\"",
                    Outcome::Reply(Reply::Refused(Status::NotFound)),
                ),
                call(
                    "SharedEntry \"k\"",
                    Outcome::Reply(Reply::Entry(bytes.clone(), 7)),
                ),
                call("CalloutStatus", Outcome::Reply(Reply::Outcome(14, bytes))),
                call("Done", Outcome::Stopped("by \"whom\"?".to_owned())),
                call("Dequeue { token: 3 }", Outcome::Waiting),
                Line::Result(Ok(-1)),
                Line::Event(Event::Tick { root: 1 }),
                call("Now(Wall)", Outcome::Reply(Reply::Number(u64::MAX))),
                call("Log Info \"x\"", Outcome::Reply(Reply::Done)),
                Line::Result(Err("trap\nat 3".to_owned())),
            ],
        };
        assert_eq!(tape.to_string().parse(), Ok(tape));
    }

    #[test]
    fn what_is_no_tape_is_refused_by_line() {
        let check = |text: &str, line: usize| {
            let error = text.parse::<Tape>().expect_err("not a tape");
            assert_eq!(error.line, line, "{text:?}: {error}");
        };
        check("", 1);
        check("tape 2\n", 1);
        check("tape 1\nevent proxy_on_tick\n", 2);
        check("tape 1\nevent proxy_on_tick 1\ncall Now\n", 4);
        check("tape 1\ncall Now\nreply refused 5\n", 3);
        check("tape 1\ncall Now\nreply bytes \"\\x0\"\n", 3);
        check("tape 1\nresult many\n", 2);
    }
}
