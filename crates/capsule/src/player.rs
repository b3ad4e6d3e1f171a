//! A world that answers from records, and finds the first place where a guest does something else.

use std::fmt;

use weir_guest::Failure;
use weir_guest::door::{Answer, Call, Event, Reply, Stop, World};

use crate::asked;
use crate::head::{Head, is_of_engine};
use crate::read::ReadError;
use crate::record::{Asked, Outcome, Record};

/// Records in their order, wherever they come from.
pub type Records = Box<dyn Iterator<Item = Result<Record, ReadError>>>;

/// Where in a capsule something is, counted from 1 in what was replayed; 0: before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Records that were passed.
    pub records: u64,
    /// Events that were delivered.
    pub events: u64,
    /// Calls that were answered.
    pub calls: u64,
}

/// A guest did something else than the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where. The call that differs is the next one.
    pub at: Position,
    /// During which event; `None`: while the module started.
    pub event: Option<Event>,
    /// What differs.
    pub what: Mismatch,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The call with this number, counted from 1: what was recorded, and what was done.
    Call {
        /// Which.
        call: u64,
        /// What the capsule holds.
        expected: String,
        /// What the guest did.
        found: String,
    },
    /// It asked the same and came back with something else.
    Result {
        /// What the capsule holds.
        expected: String,
        /// What the guest came back with.
        found: String,
    },
    /// It went on where the recorded one failed: asked something more, or returned.
    WentOn {
        /// How the recorded one failed.
        failure: String,
        /// What this one did.
        found: String,
        /// Whether the failure is the engine's, so that this says nothing.
        is_of_engine: bool,
    },
    /// An event for which it has no callback.
    Deaf(Event),
    /// The records are not whole from here on: a reply is not in them.
    Unrecorded,
    /// The records cannot be read.
    Broken(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event {
            Some(event) => write!(f, "event {}, {event:?}: ", self.at.events)?,
            None => f.write_str("while the module started: ")?,
        }
        self.what.fmt(f)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call {
                call,
                expected,
                found,
            } => write!(f, "call {call} differs: expected {expected}, got {found}"),
            Self::Result { expected, found } => {
                write!(f, "the result differs: expected {expected}, got {found}")
            }
            Self::WentOn { failure, found, .. } => write!(
                f,
                "the recorded guest failed here ({failure}); this one went on: {found}"
            ),
            Self::Deaf(event) => write!(f, "the guest has no {}", event.callback()),
            Self::Unrecorded => f.write_str("a reply is not in the capsule"),
            Self::Broken(error) => f.write_str(error),
        }
    }
}

/// A world that answers from records.
pub struct Player {
    records: Records,
    next: Option<Record>,
    position: Position,
    event: Option<Event>,
    difference: Option<Difference>,
    withheld: Vec<String>,
    watches: bool,
    has_files: bool,
    is_lenient: bool,
}

impl Player {
    /// Answers from these records of a guest.
    #[must_use]
    pub fn new(head: &Head, records: Records) -> Self {
        let mut player = Self {
            records,
            next: None,
            position: Position::default(),
            event: None,
            difference: None,
            withheld: head.withheld.clone(),
            watches: head.watches,
            has_files: head.has_files,
            is_lenient: false,
        };
        player.read();
        player
    }

    /// Lets a guest write other log lines than the recorded one: for another module.
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.is_lenient = true;
        self
    }

    /// The event that comes next; `None`: there is none, or something else was expected first.
    #[must_use]
    pub fn next_event(&mut self) -> Option<Event> {
        if self.difference.is_some() {
            return None;
        }
        match self.next {
            Some(Record::Event(event)) => Some(event),
            _ => None,
        }
    }

    /// The record that comes next.
    #[must_use]
    pub fn peek(&self) -> Option<&Record> {
        self.next.as_ref()
    }

    /// Where the guest is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The first difference.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// The guest has no callback for the next event.
    pub fn deaf(&mut self, event: &Event) {
        self.position.events += 1;
        self.event = Some(*event);
        self.differ(Mismatch::Deaf(*event));
    }

    /// The guest will not be entered again: what is left was not done.
    pub fn finish(&mut self) {
        if self.difference.is_none()
            && let Some(record) = &self.next
        {
            let expected = text_of(record);
            self.differ(Mismatch::Result {
                expected,
                found: "nothing more".to_owned(),
            });
        }
    }

    fn read(&mut self) {
        self.next = match self.records.next() {
            Some(Ok(record)) => Some(record),
            Some(Err(error)) => {
                self.differ(Mismatch::Broken(error.to_string()));
                None
            }
            None => None,
        };
    }

    /// Takes the next record and reads the one behind it.
    fn pass(&mut self) -> Option<Record> {
        let record = self.next.take()?;
        self.position.records += 1;
        self.read();
        Some(record)
    }

    fn differ(&mut self, what: Mismatch) {
        if self.difference.is_none() {
            self.difference = Some(Difference {
                at: self.position,
                event: self.event,
                what,
            });
        }
    }

    /// The guest did something that is not what comes next.
    fn expected_else(&mut self, found: String) {
        let call = self.position.calls + 1;
        let what = match &self.next {
            Some(Record::Failed { kind, cause, .. }) => Mismatch::WentOn {
                failure: cause.clone(),
                found,
                is_of_engine: is_of_engine(*kind),
            },
            Some(record) => Mismatch::Call {
                call,
                expected: text_of(record),
                found,
            },
            None => Mismatch::Call {
                call,
                expected: "the end of the capsule".to_owned(),
                found,
            },
        };
        self.differ(what);
    }

    /// Passes over recorded log lines that another module need not write.
    fn pass_lines(&mut self) {
        while self.is_lenient && self.next.as_ref().is_some_and(is_line) {
            self.pass();
        }
    }

    fn stop(&self) -> Stop {
        match self.difference.as_ref().map(|difference| &difference.what) {
            Some(Mismatch::Call {
                call,
                expected,
                found,
            }) => Stop::Diverged {
                call: usize::try_from(*call).unwrap_or(usize::MAX),
                expected: expected.clone(),
                found: found.clone(),
            },
            _ => Stop::Recorded,
        }
    }
}

fn is_line(record: &Record) -> bool {
    match record {
        Record::Call { asked, .. } => asked.with(|call| matches!(call, Call::Log { .. })),
        _ => false,
    }
}

/// A record as what a guest should have done.
pub(crate) fn text_of(record: &Record) -> String {
    match record {
        Record::Event(event) => format!("the end of this event, then {event:?}"),
        Record::Call { asked, .. } => asked.text(),
        Record::Result(result) => format!("the end of this event with result {result}"),
        Record::Failed { cause, .. } => format!("a failure ({cause})"),
        Record::Exceeded(what) => format!("memory refused ({what})"),
    }
}

impl World for Player {
    fn enter(&mut self, event: &Event) {
        self.position.events += 1;
        self.event = Some(*event);
        match &self.next {
            Some(Record::Event(expected)) if expected == event => drop(self.pass()),
            _ => self.expected_else(format!("{event:?}")),
        }
    }

    fn allows(&self, name: &str) -> bool {
        !self.withheld.iter().any(|withheld| withheld == name)
    }

    fn watches(&self) -> bool {
        self.watches
    }

    fn has_files(&self) -> bool {
        self.has_files
    }

    fn leave(&mut self, _event: &Event, outcome: &Result<i32, Failure>) {
        if self.difference.is_some() {
            return;
        }
        self.pass_lines();
        while let Some(Record::Exceeded(_)) = self.next {
            self.pass();
        }
        let found = match outcome {
            Ok(result) => format!("result {result}"),
            Err(failure) => format!("a failure ({})", failure.cause),
        };
        match (&self.next, outcome) {
            (Some(Record::Result(expected)), Ok(result)) if expected == result => {
                self.pass();
            }
            (Some(Record::Result(expected)), _) => {
                let expected = format!("result {expected}");
                self.differ(Mismatch::Result { expected, found });
            }
            (Some(Record::Failed { kind, cause, .. }), Err(failure)) => {
                let is_same = *cause == failure.cause.to_string()
                    || (is_of_engine(*kind) && *kind == failure.kind())
                    || matches!(failure.cause, weir_guest::Cause::Stopped(Stop::Recorded));
                if is_same {
                    self.pass();
                } else {
                    let expected = format!("a failure ({cause})");
                    self.differ(Mismatch::Result { expected, found });
                }
            }
            // The guest was entered when the capsule was written, and had not returned.
            (None, _) => {}
            _ => self.expected_else(found),
        }
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        if self.difference.is_some() {
            return Err(self.stop());
        }
        let found = Asked::of(&call);
        let is_next = |next: &Option<Record>| matches!(next, Some(Record::Call { asked, .. }) if *asked == found);
        if !is_next(&self.next) && self.is_lenient {
            if matches!(call, Call::Log { .. }) {
                return Ok(Reply::Done.into());
            }
            self.pass_lines();
        }
        if !is_next(&self.next) {
            self.expected_else(asked::text(&call));
            return Err(self.stop());
        }
        let outcome = match self.pass() {
            Some(Record::Call { outcome, .. }) => outcome,
            _ => Outcome::Unrecorded,
        };
        self.position.calls += 1;
        match outcome {
            Outcome::Reply(reply) => Ok(reply.into()),
            Outcome::Stopped(_) => Err(Stop::Recorded),
            Outcome::Waiting => Err(Stop::CannotWait),
            Outcome::Unrecorded => {
                self.differ(Mismatch::Unrecorded);
                Err(self.stop())
            }
        }
    }
}
