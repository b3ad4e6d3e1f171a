//! Records what a guest saw, and shows it the same things again.
//!
//! Both halves are [`World`]s around or instead of another one, so a guest cannot tell whether it
//! lives, is recorded or is replayed. Invariant: what was waited for is on the tape as if it had
//! been there at once.

mod text;

use weir_guest::Failure;
use weir_guest::door::{Answer, Call, Event, Reply, Stop, World};

use crate::asked;
pub use text::ParseError;

/// What happened between one guest and its world, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape {
    /// The lines. Calls before the first event were made while the module started.
    pub lines: Vec<Line>,
}

/// One line of a tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The guest was entered.
    Event(Event),
    /// The guest asked, and the world answered.
    Call {
        /// [`asked::text`] of the call.
        call: String,
        /// What it was told.
        outcome: Outcome,
    },
    /// The guest came back from the event, or failed with these words.
    Result(Result<i32, String>),
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
}

/// A world that writes down another world's answers.
#[derive(Debug)]
pub struct Recorder<W> {
    /// The world that answers.
    pub world: W,
    tape: Tape,
}

/// A world that reads its answers from a tape.
#[derive(Debug)]
pub struct Player {
    tape: Tape,
    next: usize,
    calls: usize,
    divergence: Option<Stop>,
}

impl<W> Recorder<W> {
    /// Starts recording `world`.
    pub fn new(world: W) -> Self {
        Self {
            world,
            tape: Tape::default(),
        }
    }

    /// What was recorded so far.
    #[must_use]
    pub fn tape(&self) -> &Tape {
        &self.tape
    }
}

impl<W: World> World for Recorder<W> {
    fn enter(&mut self, event: &Event) {
        self.world.enter(event);
        self.tape.lines.push(Line::Event(*event));
    }

    fn leave(&mut self, event: &Event, outcome: &Result<i32, Failure>) {
        self.world.leave(event, outcome);
        let result = outcome.clone().map_err(|failure| failure.to_string());
        self.tape.lines.push(Line::Result(result));
    }

    fn allows(&self, name: &str) -> bool {
        self.world.allows(name)
    }

    fn watches(&self) -> bool {
        self.world.watches()
    }

    fn has_files(&self) -> bool {
        self.world.has_files()
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        let text = asked::text(&call);
        let answer = self.world.call(call);
        let outcome = match &answer {
            Ok(Answer::Ready(reply)) => Outcome::Reply(reply.clone()),
            Ok(Answer::Pending(_)) => Outcome::Waiting,
            Err(stop) => Outcome::Stopped(stop.to_string()),
        };
        self.tape.lines.push(Line::Call {
            call: text,
            outcome,
        });
        answer
    }

    fn arrive(&mut self, reply: Reply) -> Result<Reply, Stop> {
        let reply = self.world.arrive(reply);
        // The guest is suspended in its last call: nothing can have been recorded since.
        if let Some(Line::Call { outcome, .. }) = self.tape.lines.last_mut() {
            *outcome = match &reply {
                Ok(reply) => Outcome::Reply(reply.clone()),
                Err(stop) => Outcome::Stopped(stop.to_string()),
            };
        }
        reply
    }
}

impl Player {
    /// Starts replaying a tape.
    #[must_use]
    pub fn new(tape: Tape) -> Self {
        Self {
            tape,
            next: 0,
            calls: 0,
            divergence: None,
        }
    }

    /// The first difference from the tape, always [`Stop::Diverged`].
    #[must_use]
    pub fn divergence(&self) -> Option<&Stop> {
        self.divergence.as_ref()
    }

    /// Whether a call on the tape begins so.
    fn has_call(&self, beginning: &str) -> bool {
        let mut lines = self.tape.lines.iter();
        lines.any(|line| match line {
            Line::Call { call, .. } => call.starts_with(beginning),
            Line::Event(_) | Line::Result(_) => false,
        })
    }

    fn diverge(&mut self, found: String) -> Stop {
        let expected = match self.tape.lines.get(self.next) {
            Some(Line::Event(event)) => format!("the end of this event, then {event:?}"),
            Some(Line::Call { call, .. }) => call.clone(),
            Some(Line::Result(_)) => "the end of this event".to_owned(),
            None => "the end of the tape".to_owned(),
        };
        let stop = Stop::Diverged {
            call: self.calls,
            expected,
            found,
        };
        self.divergence.get_or_insert(stop).clone()
    }
}

impl World for Player {
    fn enter(&mut self, event: &Event) {
        match self.tape.lines.get(self.next) {
            Some(Line::Event(expected)) if expected == event => self.next += 1,
            _ => drop(self.diverge(format!("{event:?}"))),
        }
    }

    fn watches(&self) -> bool {
        self.has_call("Touched ")
    }

    fn has_files(&self) -> bool {
        self.has_call("File ")
    }

    fn leave(&mut self, _event: &Event, _outcome: &Result<i32, Failure>) {
        match self.tape.lines.get(self.next) {
            Some(Line::Result(_)) => self.next += 1,
            _ => drop(self.diverge("no further call".to_owned())),
        }
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        if let Some(stop) = &self.divergence {
            return Err(stop.clone());
        }
        let found = asked::text(&call);
        let outcome = match self.tape.lines.get(self.next) {
            Some(Line::Call { call, outcome }) if *call == found => outcome.clone(),
            _ => return Err(self.diverge(found)),
        };
        self.next += 1;
        self.calls += 1;
        match outcome {
            Outcome::Reply(reply) => Ok(reply.into()),
            Outcome::Stopped(_) => Err(Stop::Recorded),
            Outcome::Waiting => Err(Stop::CannotWait),
        }
    }
}
