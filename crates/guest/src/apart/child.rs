//! The plugin's side: a process that runs VMs for the gateway behind its walls.
//!
//! It does what the other end of its standard input says, until that is closed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use weir_model::{Exceeded, limits};

use super::link::{Endless, Link, LinkError};
use super::walls::{self, Report};
use super::wire::{self, Ending, FromPlugin, Hello, Numbered as _, Rules, ToPlugin, Violation};
use crate::door::{Answer, Call, Event, MemoryCount, Reply, Status, Stop, Trace, World};
use crate::engine::Engine;
use crate::program::Program;
use crate::snapshot::Snapshot;
use crate::vm::{Host, StartError, Vm};

/// Numbers of events that may be.
const EVENTS: u8 = 32;

const NOT_THERE: Violation = Violation("the gateway names what is not there");

type SharedLink = Rc<RefCell<Link>>;

/// Why a plugin's process cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PluginProcessError {
    /// Its standard input is not the gateway's socket.
    #[error("the standard input is no socket of a gateway")]
    NotCalled,
    /// The connection to the gateway is broken.
    #[error("the connection to the gateway is broken: {0}")]
    Broken(String),
}

/// Runs a plugin's process from its start to its end.
///
/// # Errors
///
/// [`PluginProcessError`].
pub fn run() -> Result<(), PluginProcessError> {
    ignore_signals();
    match begin() {
        Ok(()) | Err(LinkError::Closed | LinkError::Unread) => Ok(()),
        Err(LinkError::System(error)) if error.raw_os_error() == Some(libc::ENOTSOCK) => {
            Err(PluginProcessError::NotCalled)
        }
        Err(error) => Err(PluginProcessError::Broken(error.to_string())),
    }
}

fn begin() -> Result<(), LinkError> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut link = Link::new(UnixStream::from(socket));
    let (files, frame) = link.receive_files()?;
    let ToPlugin::Hello(hello) = wire::decode(frame)? else {
        return Err(Violation("the gateway did not say hello").into());
    };
    // What a guest wrote to is told by a file of the system, which cannot be opened later.
    let _ = crate::memory::page_map();
    let walls = walls::enter(&hello.refuge, &hello.limits);
    let thread = std::thread::Builder::new()
        .name("weir-plugin".to_owned())
        .stack_size(limits::WORKER_STACK_BYTES)
        .spawn(move || serve(link, &hello, files, walls))?;
    thread.join().unwrap_or(Err(LinkError::Closed))
}

/// Signals are for the gateway, which ends this process by closing its socket: a plugin answers
/// until the last request is through.
#[expect(unsafe_code, reason = "the standard library has no signals")]
fn ignore_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// What a plugin's process works with.
struct Shop {
    engine: Engine,
    host: Host<Forward>,
    program: Program,
    hello: Hello,
    link: SharedLink,
    vms: BTreeMap<u32, Vm<Forward>>,
    snapshots: BTreeMap<u32, Snapshot>,
}

fn serve(
    mut link: Link,
    hello: &Hello,
    files: Vec<File>,
    mut walls: Vec<Report>,
) -> Result<(), LinkError> {
    let (engine, host, program) = match load(hello, files) {
        Ok(loaded) => loaded,
        Err(reason) => {
            return link.send(&FromPlugin::Unable { reason: &reason }, &mut Endless);
        }
    };
    walls::seal(&hello.refuge, &hello.limits, &mut walls);
    link.send(&FromPlugin::Ready { walls }, &mut Endless)?;
    let mut shop = Shop {
        engine,
        host,
        program,
        hello: hello.clone(),
        link: Rc::new(RefCell::new(link)),
        vms: BTreeMap::new(),
        snapshots: BTreeMap::new(),
    };
    loop {
        let message = wire::decode(shop.link.borrow_mut().receive(&mut Endless)?)?;
        // Between two messages nothing runs, and nothing wakes this process.
        shop.engine.rouse();
        shop.obey(message)?;
        shop.engine.rest();
    }
}

fn load(hello: &Hello, files: Vec<File>) -> Result<(Engine, Host<Forward>, Program), String> {
    let engine = Engine::resting().map_err(|error| error.to_string())?;
    let program = hello.program.program(&engine, files)?;
    let host = Host::new(&engine).map_err(|error| error.to_string())?;
    Ok((engine, host, program))
}

impl Shop {
    fn obey(&mut self, message: ToPlugin) -> Result<(), LinkError> {
        match message {
            ToPlugin::Start { vm, rules } => self.start(vm, None, rules),
            ToPlugin::StartFrom {
                vm,
                snapshot,
                rules,
            } => self.start(vm, Some(snapshot), rules),
            ToPlugin::Snapshot { vm, snapshot } => self.keep(vm, snapshot),
            ToPlugin::Reset { vm, snapshot } => self.reset(vm, snapshot),
            ToPlugin::Forget { snapshot } => {
                self.snapshots.remove(&snapshot);
                Ok(())
            }
            ToPlugin::Deliver { vm, event, limit } => self.deliver(vm, &event, limit),
            ToPlugin::End { vm } => {
                self.vms.remove(&vm);
                Ok(())
            }
            ToPlugin::Hello(_) | ToPlugin::Reply(_) | ToPlugin::Stop => {
                Err(Violation("the gateway answered what was not asked").into())
            }
        }
    }

    fn start(&mut self, number: u32, snapshot: Option<u32>, rules: Rules) -> Result<(), LinkError> {
        let world = Forward {
            link: Rc::clone(&self.link),
            rules,
        };
        let (program, limits) = (&self.program, &self.hello.limits);
        let started = match snapshot {
            None => self.host.start(program, world, limits),
            Some(snapshot) => {
                let snapshot = self.snapshots.get(&snapshot).ok_or(NOT_THERE)?;
                self.host.start_from(program, snapshot, world, limits)
            }
        };
        match started {
            Ok(vm) => {
                let started = FromPlugin::Started {
                    hears: hears(&vm),
                    memory_bytes: vm.memory_bytes(),
                };
                self.vms.insert(number, vm);
                self.tell(&started)
            }
            Err(StartError::Start { export, failure }) => self.tell(&FromPlugin::NotStarted {
                export,
                ending: Ending::of(&failure.cause),
                trace: failure.trace.clone(),
            }),
            Err(StartError::TooLarge(limit)) => self.tell(&FromPlugin::NotStarted {
                export: "",
                ending: Ending::TooLarge(limit),
                trace: Trace::default(),
            }),
            Err(StartError::Instantiate(reason) | StartError::Process(reason)) => {
                self.tell(&FromPlugin::NotStarted {
                    export: "",
                    ending: Ending::Trap(&wire::cut(&reason)),
                    trace: Trace::default(),
                })
            }
        }
    }

    fn deliver(&mut self, number: u32, event: &Event, limit: Duration) -> Result<(), LinkError> {
        let vm = self.vms.get_mut(&number).ok_or(NOT_THERE)?;
        match vm.deliver(event, limit) {
            Ok(result) => {
                let memory_bytes = vm.memory_bytes();
                self.tell(&FromPlugin::Returned {
                    result,
                    memory_bytes,
                })
            }
            Err(failure) => {
                self.vms.remove(&number);
                self.tell(&FromPlugin::Failed {
                    ending: Ending::of(&failure.cause),
                    trace: failure.trace.clone(),
                })
            }
        }
    }

    fn keep(&mut self, number: u32, snapshot: u32) -> Result<(), LinkError> {
        let vm = self.vms.get_mut(&number).ok_or(NOT_THERE)?;
        match vm.snapshot() {
            Ok(state) => {
                self.snapshots.insert(snapshot, state);
                self.tell(&FromPlugin::Kept)
            }
            Err(error) => self.tell(&FromPlugin::NotKept {
                reason: &error.to_string(),
            }),
        }
    }

    fn reset(&mut self, number: u32, snapshot: u32) -> Result<(), LinkError> {
        let vm = self.vms.get_mut(&number).ok_or(NOT_THERE)?;
        let snapshot = self.snapshots.get(&snapshot).ok_or(NOT_THERE)?;
        let how = vm.reset(snapshot);
        self.tell(&FromPlugin::WasReset(how))
    }

    fn tell(&self, message: &FromPlugin<'_>) -> Result<(), LinkError> {
        self.link.borrow_mut().send(message, &mut Endless)
    }
}

/// The events that a VM has callbacks for: a bit for each number.
fn hears(vm: &Vm<Forward>) -> u32 {
    let is_heard = |number: u8| {
        // Which callback an event is for does not depend on its fields.
        let mut bytes = [0; 64];
        bytes[0] = number;
        let event = wire::decode_front::<Event>(&bytes);
        event.is_ok_and(|event| event.number() == number && vm.hears(&event))
    };
    (0..EVENTS)
        .filter(|number| is_heard(*number))
        .fold(0, |heard, number| heard | 1 << number)
}

/// Hands every call to the gateway and waits for its answer.
struct Forward {
    link: SharedLink,
    rules: Rules,
}

impl World for Forward {
    fn allows(&self, name: &str) -> bool {
        !self.rules.withheld.iter().any(|withheld| withheld == name)
    }

    fn watches(&self) -> bool {
        self.rules.watches
    }

    fn has_files(&self) -> bool {
        self.rules.has_files
    }

    fn memory_count(&self) -> Option<MemoryCount> {
        let link = Rc::clone(&self.link);
        Some(Rc::new(move |bytes| {
            let answer = ask(&link, &FromPlugin::Memory(bytes));
            matches!(answer, Ok(Answer::Ready(Reply::Done)))
        }))
    }

    fn exceeded(&mut self, what: Exceeded) {
        // A link that fails is noticed by whoever waits for an answer.
        let _ = self
            .link
            .borrow_mut()
            .send(&FromPlugin::Exceeded(what), &mut Endless);
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        ask(&self.link, &FromPlugin::Call(call))
    }
}

/// Asks the gateway and waits for its reply.
fn ask(link: &SharedLink, what: &FromPlugin<'_>) -> Result<Answer, Stop> {
    let mut link = link.borrow_mut();
    match link.send(what, &mut Endless) {
        Ok(()) => {}
        Err(LinkError::TooLong) => {
            return Ok(Reply::Refused(Status::InternalFailure).into());
        }
        // The guest ends here, and the process at its next look at the socket.
        Err(_) => return Err(Stop::CannotWait),
    }
    let Ok(frame) = link.receive(&mut Endless) else {
        return Err(Stop::CannotWait);
    };
    match wire::decode(frame) {
        Ok(ToPlugin::Reply(reply)) => Ok(reply.into()),
        _ => Err(Stop::CannotWait),
    }
}
