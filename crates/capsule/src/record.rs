//! One thing that happened between a guest and its world, and its bytes.
//!
//! A record is a tag, a little-endian `u32` length and that many bytes (docs/capsule-format.md).
//! Events, calls and replies stand in them as between the gateway and a plugin's process. Invariant:
//! what [`decode`] gives can be used without another check: its call and reply are whole.

use std::fmt;

use bytes::Bytes;
use weir_guest::apart::wire;
use weir_guest::door::{Call, Event, FailureKind, Reply};
use weir_maps::call::MapReply;
use weir_model::limits::capsule as limits;

use crate::asked;

/// Tag and length.
pub(crate) const HEAD_BYTES: usize = 5;

const EVENT: u8 = 1;
const CALL: u8 = 2;
const RESULT: u8 = 3;
const FAILED: u8 = 4;
const EXCEEDED: u8 = 5;

const REPLIED: u8 = 0;
const STOPPED: u8 = 1;
const WAITING: u8 = 2;
const UNRECORDED: u8 = 3;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The guest was entered.
    Event(Event),
    /// The guest asked, and this became of it. Calls before the first event were made while the
    /// module started.
    Call {
        /// What it asked.
        asked: Asked,
        /// What it was told.
        outcome: Outcome,
    },
    /// The guest came back from the event.
    Result(i32),
    /// The guest failed in the event, and was never entered again.
    Failed {
        /// As it is counted.
        kind: FailureKind,
        /// In words, without the place.
        cause: String,
        /// Where it was, a part of a sentence; may be empty.
        place: String,
    },
    /// Memory was refused in this event: what limit, in words.
    Exceeded(String),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a reply.
    Reply(Reply),
    /// The guest was stopped, for this reason.
    Stopped(String),
    /// The guest still waits, or was dropped while it waited.
    Waiting,
    /// With something that no file can hold: a region of memory that others write to.
    Unrecorded,
}

/// A call that was made, as its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Asked(Bytes);

impl Asked {
    /// Of a call.
    #[must_use]
    pub fn of(call: &Call<'_>) -> Self {
        let mut bytes = Vec::new();
        wire::encode(call, &mut bytes);
        Self(bytes.into())
    }

    /// Looks at the call.
    pub fn with<T>(&self, look: impl FnOnce(&Call<'_>) -> T) -> T {
        let batch = wire::Batch::new();
        let call = wire::decode_with(&self.0, &batch);
        // It was checked when it was read, and encoded here otherwise.
        look(&call.unwrap_or(Call::Withheld { function: "?" }))
    }

    /// The call as one line of text.
    #[must_use]
    pub fn text(&self) -> String {
        self.with(asked::text)
    }

    /// Its bytes: equal for equal calls.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn checked(bytes: Bytes) -> Result<Self, BrokenRecord> {
        let batch = wire::Batch::new();
        wire::decode_with::<Call<'_>>(&bytes, &batch)
            .map_err(|violation| BrokenRecord(violation.0))?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokenRecord(pub &'static str);

/// Appends an event.
pub(crate) fn put_event(event: &Event, out: &mut Vec<u8>) {
    framed(EVENT, out, |out| wire::encode(event, out));
}

/// Begins the record of a call; returns where its outcome will stand.
pub(crate) fn begin_call(call: &Call<'_>, out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[CALL, 0, 0, 0, 0]);
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    wire::encode(call, out);
    let length = out.len() - length_at - 4;
    out[length_at..length_at + 4].copy_from_slice(&length_of(length).to_le_bytes());
    out.len()
}

/// A record of a call whose outcome is not known yet, or may change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) record: usize,
    pub(crate) outcome_at: usize,
}

/// Ends the record of a call that was begun.
pub(crate) fn put_outcome_at(open: Open, outcome: Told<'_>, out: &mut Vec<u8>) {
    out.truncate(open.outcome_at);
    put_outcome(outcome, out);
    seal(open.record, out);
}

/// What a guest is told, as its world says it.
#[derive(Clone, Copy)]
pub(crate) enum Told<'r> {
    Reply(&'r Reply),
    Stopped(&'r dyn fmt::Display),
    Waiting,
}

/// Whether a file can hold a reply.
pub(crate) fn can_hold(reply: &Reply) -> bool {
    !matches!(reply, Reply::Map(MapReply::Region(_)))
}

fn put_outcome(outcome: Told<'_>, out: &mut Vec<u8>) {
    match outcome {
        Told::Reply(reply) if can_hold(reply) => {
            out.push(REPLIED);
            wire::encode(reply, out);
        }
        Told::Reply(_) => out.push(UNRECORDED),
        Told::Stopped(why) => {
            out.push(STOPPED);
            out.extend_from_slice(cut(&why.to_string()).as_bytes());
        }
        Told::Waiting => out.push(WAITING),
    }
}

/// Appends a result.
pub(crate) fn put_result(result: i32, out: &mut Vec<u8>) {
    framed(RESULT, out, |out| {
        out.extend_from_slice(&result.to_le_bytes());
    });
}

/// Appends a failure.
pub(crate) fn put_failed(kind: FailureKind, cause: &str, place: &str, out: &mut Vec<u8>) {
    framed(FAILED, out, |out| {
        out.push(kind_number(kind));
        let cause = cut(cause);
        out.extend_from_slice(&length_of(cause.len()).to_le_bytes());
        out.extend_from_slice(cause.as_bytes());
        out.extend_from_slice(cut(place).as_bytes());
    });
}

/// Appends what limit refused memory.
pub(crate) fn put_exceeded(what: &str, out: &mut Vec<u8>) {
    framed(EXCEEDED, out, |out| {
        out.extend_from_slice(cut(what).as_bytes());
    });
}

/// Appends any record.
pub(crate) fn put(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::Event(event) => put_event(event, out),
        Record::Call { asked, outcome } => {
            framed(CALL, out, |out| {
                out.extend_from_slice(&length_of(asked.0.len()).to_le_bytes());
                out.extend_from_slice(&asked.0);
                match outcome {
                    Outcome::Reply(reply) => put_outcome(Told::Reply(reply), out),
                    Outcome::Stopped(why) => put_outcome(Told::Stopped(why), out),
                    Outcome::Waiting => put_outcome(Told::Waiting, out),
                    Outcome::Unrecorded => out.push(UNRECORDED),
                }
            });
        }
        Record::Result(result) => put_result(*result, out),
        Record::Failed { kind, cause, place } => put_failed(*kind, cause, place, out),
        Record::Exceeded(what) => put_exceeded(what, out),
    }
}

/// The length of the record at the front of some bytes, its head included; `None`: the head is not
/// all there.
pub(crate) fn whole_length(bytes: &[u8]) -> Option<usize> {
    let (_, rest) = bytes.split_first()?;
    let length = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    Some(HEAD_BYTES + length as usize)
}

/// The records of bytes that a [`Tape`](crate::Tape) wrote.
pub(crate) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (record, behind) = rest.split_at_checked(whole_length(rest)?)?;
        rest = behind;
        Some(record)
    })
}

/// Reads one record: tag, length and as many bytes as that says.
///
/// # Errors
///
/// [`BrokenRecord`] when it means nothing.
pub(crate) fn decode(record: &Bytes) -> Result<Record, BrokenRecord> {
    let tag = record.first().copied().unwrap_or_default();
    let payload = record.slice(HEAD_BYTES.min(record.len())..);
    let violation = |violation: wire::Violation| BrokenRecord(violation.0);
    Ok(match tag {
        EVENT => Record::Event(wire::decode(&payload).map_err(violation)?),
        CALL => call_of(&payload)?,
        RESULT => {
            let number = <[u8; 4]>::try_from(&*payload);
            let number = number.map_err(|_| BrokenRecord("a result is no number"))?;
            Record::Result(i32::from_le_bytes(number))
        }
        FAILED => failed_of(&payload)?,
        EXCEEDED => Record::Exceeded(text_of(&payload)?),
        _ => return Err(BrokenRecord("there is no such record")),
    })
}

fn call_of(payload: &Bytes) -> Result<Record, BrokenRecord> {
    let (asked, rest) = sized(payload)?;
    let asked = Asked::checked(asked)?;
    let tag = rest.first().copied();
    let rest = rest.slice(1.min(rest.len())..);
    let empty = |outcome| {
        let is_empty = rest.is_empty().then_some(outcome);
        is_empty.ok_or(BrokenRecord("a call is longer than its outcome"))
    };
    let outcome = match tag {
        Some(REPLIED) => {
            let reply = wire::decode::<Reply>(&rest);
            Outcome::Reply(reply.map_err(|violation| BrokenRecord(violation.0))?)
        }
        Some(STOPPED) => Outcome::Stopped(text_of(&rest)?),
        Some(WAITING) => empty(Outcome::Waiting)?,
        Some(UNRECORDED) => empty(Outcome::Unrecorded)?,
        Some(_) | None => return Err(BrokenRecord("a call has no such outcome")),
    };
    Ok(Record::Call { asked, outcome })
}

fn failed_of(payload: &Bytes) -> Result<Record, BrokenRecord> {
    let kind = payload.first().copied().and_then(kind_of);
    let kind = kind.ok_or(BrokenRecord("there is no such failure"))?;
    let (cause, place) = sized(&payload.slice(1..))?;
    Ok(Record::Failed {
        kind,
        cause: text_of(&cause)?,
        place: text_of(&place)?,
    })
}

/// Bytes behind their length, and what follows them.
fn sized(bytes: &Bytes) -> Result<(Bytes, Bytes), BrokenRecord> {
    let short = BrokenRecord("a record ends too early");
    let length = u32::from_le_bytes(*bytes.first_chunk::<4>().ok_or(short)?) as usize;
    if bytes.len() - 4 < length {
        return Err(short);
    }
    Ok((bytes.slice(4..4 + length), bytes.slice(4 + length..)))
}

fn text_of(bytes: &Bytes) -> Result<String, BrokenRecord> {
    if bytes.len() > limits::TEXT_BYTES_MAX {
        return Err(BrokenRecord("a text is longer than any may be"));
    }
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned)
        .map_err(|_| BrokenRecord("a text is not UTF-8"))
}

/// A text that is not longer than any may be.
pub(crate) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(limits::TEXT_BYTES_MAX)]
}

fn framed(tag: u8, out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let record = out.len();
    out.extend_from_slice(&[tag, 0, 0, 0, 0]);
    put(out);
    seal(record, out);
}

/// Writes the length of the last record, which begins here.
fn seal(record: usize, out: &mut [u8]) {
    let length = length_of(out.len() - record - HEAD_BYTES);
    out[record + 1..record + HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// No record is that long: tapes are bounded.
fn length_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

const fn kind_number(kind: FailureKind) -> u8 {
    match kind {
        FailureKind::Trap => 0,
        FailureKind::Stack => 1,
        FailureKind::Memory => 2,
        FailureKind::Deadline => 3,
        FailureKind::Limit => 4,
        FailureKind::Export => 5,
        FailureKind::Start => 6,
        FailureKind::Process => 7,
    }
}

fn kind_of(number: u8) -> Option<FailureKind> {
    FailureKind::ALL
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
}

/// Whether the record is an event's.
pub(crate) fn is_event(record: &[u8]) -> bool {
    record.first() == Some(&EVENT)
}

/// Whether the record is a call's.
pub(crate) fn is_call(record: &[u8]) -> bool {
    record.first() == Some(&CALL)
}
