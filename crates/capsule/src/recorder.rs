//! A world that writes down what another world answers. The guest cannot tell.
//!
//! "Recorded or not" is the type of the world, so a guest that is not recorded pays nothing.

use std::sync::Arc;

use weir_guest::MemoryBudget;
use weir_guest::door::{Answer, Call, Event, Failure, MemoryCount, Reply, Stop, World};
use weir_model::Exceeded;

use crate::tape::Tape;

/// A world and the tape of its guest.
#[derive(Debug)]
pub struct Recorder<W> {
    /// The world that answers.
    pub world: W,
    /// What has happened.
    pub tape: Tape,
}

impl<W> Recorder<W> {
    /// Records `world`.
    #[must_use]
    pub fn new(world: W, tape: Tape) -> Self {
        Self { world, tape }
    }
}

impl<W: World> World for Recorder<W> {
    fn enter(&mut self, event: &Event) {
        self.tape.event(event);
        self.world.enter(event);
    }

    fn leave(&mut self, event: &Event, outcome: &Result<i32, Failure>) {
        self.tape.returned(outcome);
        self.world.leave(event, outcome);
    }

    fn allows(&self, name: &str) -> bool {
        let is_allowed = self.world.allows(name);
        if !is_allowed {
            self.tape.withhold(name);
        }
        is_allowed
    }

    fn memory_budget(&self) -> Option<Arc<MemoryBudget>> {
        self.world.memory_budget()
    }

    fn memory_count(&self) -> Option<MemoryCount> {
        self.world.memory_count()
    }

    fn exceeded(&mut self, what: Exceeded) {
        self.tape.exceeded(&what.to_string());
        self.world.exceeded(what);
    }

    fn watches(&self) -> bool {
        self.world.watches()
    }

    fn has_files(&self) -> bool {
        self.world.has_files()
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        let open = self.tape.asked(&call);
        let answer = self.world.call(call);
        self.tape.answered(open, &answer);
        answer
    }

    fn arrive(&mut self, reply: Reply) -> Result<Reply, Stop> {
        let reply = self.world.arrive(reply);
        self.tape.arrived(&reply);
        reply
    }
}

/// A world that may be recorded, for guests whose calls cost so much that a look at this costs
/// nothing beside them.
#[derive(Debug)]
pub enum MaybeRecorded<W> {
    /// It is not.
    Plain(W),
    /// It is.
    Recorded(Box<Recorder<W>>),
}

impl<W> MaybeRecorded<W> {
    /// Records `world` if there is a tape.
    #[must_use]
    pub fn new(world: W, tape: Option<Tape>) -> Self {
        match tape {
            Some(tape) => Self::Recorded(Box::new(Recorder::new(world, tape))),
            None => Self::Plain(world),
        }
    }

    /// The world that answers.
    pub fn world(&mut self) -> &mut W {
        match self {
            Self::Plain(world) => world,
            Self::Recorded(recorder) => &mut recorder.world,
        }
    }

    /// The tape, if there is one.
    pub fn tape(&mut self) -> Option<&mut Tape> {
        match self {
            Self::Plain(_) => None,
            Self::Recorded(recorder) => Some(&mut recorder.tape),
        }
    }

    /// Both apart.
    #[must_use]
    pub fn into_parts(self) -> (W, Option<Tape>) {
        match self {
            Self::Plain(world) => (world, None),
            Self::Recorded(recorder) => (recorder.world, Some(recorder.tape)),
        }
    }
}

/// Asks whichever it is.
macro_rules! either {
    ($self:ident, $world:ident => $asked:expr) => {
        match $self {
            Self::Plain($world) => $asked,
            Self::Recorded($world) => $asked,
        }
    };
}

impl<W: World> World for MaybeRecorded<W> {
    fn enter(&mut self, event: &Event) {
        either!(self, world => world.enter(event));
    }

    fn leave(&mut self, event: &Event, outcome: &Result<i32, Failure>) {
        either!(self, world => world.leave(event, outcome));
    }

    fn allows(&self, name: &str) -> bool {
        either!(self, world => world.allows(name))
    }

    fn memory_budget(&self) -> Option<Arc<MemoryBudget>> {
        either!(self, world => world.memory_budget())
    }

    fn memory_count(&self) -> Option<MemoryCount> {
        either!(self, world => world.memory_count())
    }

    fn exceeded(&mut self, what: Exceeded) {
        either!(self, world => world.exceeded(what));
    }

    fn watches(&self) -> bool {
        either!(self, world => world.watches())
    }

    fn has_files(&self) -> bool {
        either!(self, world => world.has_files())
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        either!(self, world => world.call(call))
    }

    fn arrive(&mut self, reply: Reply) -> Result<Reply, Stop> {
        either!(self, world => world.arrive(reply))
    }
}
