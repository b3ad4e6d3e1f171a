//! Starting a VM on a thread of its own, while its world stays on the worker.
//!
//! Each call of the guest comes back to the worker, which answers it from the world as if the guest
//! ran there, and serves others in between. When the guest has started, a snapshot of it goes to the
//! worker, and the thread ends. Invariant: the thread runs the guest when the worker says so, and
//! knows nothing but what the world has answered.

use std::rc::Rc;
use std::sync::{Arc, mpsc as line};
use std::time::Duration;

use tokio::sync::mpsc;
use weir_capsule::Tape;
use weir_guest::apart::wire;
use weir_guest::{
    Answer, Call, Cause, Engine, Event, Failure, Host, MemoryBudget, Program, Reply, Snapshot,
    SnapshotError, StartError, Stop, Vm, World,
};
use weir_model::{Exceeded, GuestLimits, limits};

use super::guest::NewWorld;
use crate::world::{LiveWorld, Rules};

/// Messages of the thread that wait for the worker: it goes no further without answers.
const SAID_MAX: usize = 8;

/// What the thread makes the VM of.
pub(super) struct Making {
    pub(super) engine: Engine,
    pub(super) program: Arc<Program>,
    pub(super) rules: Arc<Rules>,
    pub(super) limits: GuestLimits,
}

/// A VM that starts on another thread, and its world here.
pub(super) struct Aside {
    world: NewWorld,
    said: mpsc::Receiver<Said>,
    tell: line::Sender<Told>,
}

/// What the thread says.
enum Said {
    Entered(Event),
    Left(Event, Result<i32, Failure>),
    Exceeded(Exceeded),
    /// A call, as bytes: it points into the guest's memory.
    Asked(Vec<u8>),
    Done(Done),
}

/// What came of what the thread was told to do.
enum Done {
    Started(Result<(), StartError>),
    Returned(Result<i32, Failure>),
    Ended(Result<Snapshot, SnapshotError>),
}

/// What the thread is told.
enum Told {
    Answer(Result<Reply, Stop>),
    Deliver(Event, Duration),
    End,
}

impl Aside {
    /// Makes the VM and runs its start functions.
    pub(super) async fn start(making: Making, world: NewWorld) -> Result<Self, StartError> {
        let (say, said) = mpsc::channel(SAID_MAX);
        let (tell, told) = line::channel();
        let budget = world.memory_budget();
        std::thread::Builder::new()
            .name("weir-start".to_owned())
            .stack_size(limits::WORKER_STACK_BYTES)
            .spawn(move || run(&making, budget, Line { say, told }))
            .map_err(|error| StartError::Instantiate(format!("no thread for it: {error}")))?;
        let mut aside = Self { world, said, tell };
        match aside.attend().await {
            Some(Done::Started(outcome)) => outcome.map(|()| aside),
            Some(Done::Returned(_) | Done::Ended(_)) | None => Err(StartError::Instantiate(
                "the thread that started it is gone".to_owned(),
            )),
        }
    }

    pub(super) fn world(&mut self) -> &mut LiveWorld {
        self.world.world()
    }

    pub(super) fn tape(&mut self) -> Option<&mut Tape> {
        self.world.tape()
    }

    /// Delivers an event, as [`Vm::deliver`] does.
    pub(super) async fn deliver(&mut self, event: Event, limit: Duration) -> Result<i32, Failure> {
        // If nobody takes it, nobody says anything.
        let _ = self.tell.send(Told::Deliver(event, limit));
        match self.attend().await {
            Some(Done::Returned(outcome)) => outcome,
            Some(Done::Started(_) | Done::Ended(_)) | None => Err(Cause::Gone.into()),
        }
    }

    /// Ends the VM there; its state and its world are what another is made of.
    pub(super) async fn end(mut self) -> Result<(Snapshot, NewWorld), SnapshotError> {
        let _ = self.tell.send(Told::End);
        match self.attend().await {
            Some(Done::Ended(outcome)) => outcome.map(|snapshot| (snapshot, self.world)),
            Some(Done::Started(_) | Done::Returned(_)) | None => Err(SnapshotError::Failed),
        }
    }

    /// Answers the guest until the thread has done what it was told; `None`: it is gone.
    async fn attend(&mut self) -> Option<Done> {
        loop {
            match self.said.recv().await? {
                Said::Entered(event) => self.world.enter(&event),
                Said::Left(event, outcome) => self.world.leave(&event, &outcome),
                Said::Exceeded(what) => self.world.exceeded(what),
                Said::Asked(frame) => {
                    let answer = self.answer(&frame).await;
                    self.tell.send(Told::Answer(answer)).ok()?;
                }
                Said::Done(done) => return Some(done),
            }
        }
    }

    /// The thread may wait, so the guest need not be suspended.
    async fn answer(&mut self, frame: &[u8]) -> Result<Reply, Stop> {
        let batch = wire::Batch::new();
        let call: Call<'_> = wire::decode_with(frame, &batch).map_err(|_| Stop::CannotWait)?;
        match self.world.call(call)? {
            Answer::Ready(reply) => Ok(reply),
            Answer::Pending(wait) => {
                let reply = wait.await;
                self.world.arrive(reply)
            }
        }
    }
}

/// The thread's end of the line.
struct Line {
    say: mpsc::Sender<Said>,
    told: line::Receiver<Told>,
}

impl Line {
    /// A worker that is gone hears nothing, and tells nothing any more.
    fn say(&self, said: Said) {
        let _ = self.say.blocking_send(said);
    }
}

fn run(making: &Making, budget: Option<Arc<MemoryBudget>>, line: Line) {
    let line = Rc::new(line);
    let world = Distant {
        line: Rc::clone(&line),
        rules: Arc::clone(&making.rules),
        budget,
    };
    let made = Host::new(&making.engine)
        .and_then(|host| host.start(&making.program, world, &making.limits));
    match made {
        Ok(vm) => {
            line.say(Said::Done(Done::Started(Ok(()))));
            obey(vm, &line);
        }
        Err(error) => line.say(Said::Done(Done::Started(Err(error)))),
    }
}

/// Does what the worker says until it says that this is the end, or nothing more.
fn obey(mut vm: Vm<Distant>, line: &Line) {
    loop {
        match line.told.recv() {
            Ok(Told::Deliver(event, limit)) => {
                let outcome = vm.deliver(&event, limit);
                line.say(Said::Done(Done::Returned(outcome)));
            }
            Ok(Told::End) => {
                let snapshot = vm.snapshot();
                // What it has of the filter's memory is free before another takes its place.
                drop(vm);
                return line.say(Said::Done(Done::Ended(snapshot)));
            }
            // Answers are taken where they were asked for.
            Ok(Told::Answer(_)) | Err(_) => return,
        }
    }
}

/// The world of a guest whose real world is on the worker.
struct Distant {
    line: Rc<Line>,
    rules: Arc<Rules>,
    budget: Option<Arc<MemoryBudget>>,
}

impl World for Distant {
    fn enter(&mut self, event: &Event) {
        self.line.say(Said::Entered(*event));
    }

    fn leave(&mut self, event: &Event, outcome: &Result<i32, Failure>) {
        self.line.say(Said::Left(*event, outcome.clone()));
    }

    fn allows(&self, name: &str) -> bool {
        self.rules.allows(name)
    }

    fn memory_budget(&self) -> Option<Arc<MemoryBudget>> {
        self.budget.clone()
    }

    fn exceeded(&mut self, what: Exceeded) {
        self.line.say(Said::Exceeded(what));
    }

    fn watches(&self) -> bool {
        self.rules.watches()
    }

    fn has_files(&self) -> bool {
        !self.rules.folders.is_empty()
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        let mut frame = Vec::new();
        wire::encode(&call, &mut frame);
        self.line.say(Said::Asked(frame));
        match self.line.told.recv() {
            Ok(Told::Answer(answer)) => answer.map(Answer::Ready),
            Ok(Told::Deliver(..) | Told::End) | Err(_) => Err(Stop::CannotWait),
        }
    }
}
