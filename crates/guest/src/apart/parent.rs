//! The gateway's side: starts a plugin's process, delivers events to its VMs and answers their calls.

mod process;
mod tab;

use std::cell::RefCell;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use weir_model::GuestLimits;

use super::calls::{Allowed, Stage};
use super::link::{Link, LinkError};
use super::parcel::Manifest;
use super::walls::{Refuge, Report};
use super::wire::{Hello, Numbered as _, Rules, ToPlugin};
use crate::abi::{CALLBACKS, functions};
use crate::door::{Cause, Event, Failure, World};
use crate::program::Program;
use crate::snapshot::{Reset, SnapshotError};
use crate::vm::StartError;
use crate::vm::callbacks::default_result;
use process::{Asked, Process, Settled, Until};
use tab::Tab;

/// How often whoever waits looks at the clock.
const GRAIN: Duration = Duration::from_millis(20);
/// How plugins' processes are started.
#[derive(Clone, Debug)]
pub struct Launcher {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// A process with VMs of one program. It ends with the last VM and the last of these.
#[derive(Clone)]
pub struct PluginProcess {
    process: Rc<RefCell<Process>>,
}

/// A [`PluginProcess`] that others keep alive.
pub struct WeakProcess(Weak<RefCell<Process>>);

/// The state of a guest, in the process that it ran in. Cheap to clone.
#[derive(Clone)]
pub struct ApartSnapshot(Rc<Snapshot>);

struct Snapshot {
    process: Rc<RefCell<Process>>,
    number: u32,
    /// Bytes of memories and tables of the guest that it was taken of.
    taken_bytes: u64,
}

/// A guest that runs in a [`PluginProcess`]; its world is here.
pub struct ApartVm<W: World> {
    process: Rc<RefCell<Process>>,
    number: u32,
    world: W,
    allowed: Allowed,
    hears: u32,
    memory_bytes: u64,
    has_failed: bool,
    tab: Tab,
}

impl Launcher {
    /// Plugins' processes are this program again, with [`COMMAND`](super::COMMAND): the same build,
    /// whatever lies at its path now.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self::new("/proc/self/exe".into(), vec![super::COMMAND.into()])
    }

    /// Plugins' processes are this program, started with these arguments, and call
    /// [`run_plugin`](super::run_plugin).
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<OsString>) -> Self {
        Self { program, arguments }
    }

    /// Starts a process for a program and waits until it is ready.
    ///
    /// It ends with the *thread* that started it at the latest.
    ///
    /// # Errors
    ///
    /// [`StartError::Process`].
    pub fn launch(
        &self,
        program: &Program,
        limits: &GuestLimits,
        refuge: Refuge,
    ) -> Result<PluginProcess, StartError> {
        let failed = |error: std::io::Error| StartError::Process(error.to_string());
        let (manifest, files) = Manifest::of(program).map_err(failed)?;
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        let (notice, held) = UnixStream::pair().map_err(failed)?;
        let child = self.spawn(theirs, held).map_err(failed)?;
        let mut process = Process {
            link: Link::new(socket),
            notice,
            child: Some(child),
            start_limit: limits.start,
            lost: None,
            vms: 0,
            snapshots: 0,
            walls: Rc::new([]),
        };
        process.link.set_grain(GRAIN).map_err(failed)?;
        let hello = Hello {
            program: manifest,
            limits: limits.clone(),
            refuge,
        };
        let walls = process
            .link
            .send_files(&ToPlugin::Hello(hello), &files)
            .and_then(|()| process.ready())
            .map_err(|error| StartError::Process(process.lose(&error)))??;
        process.walls = walls.into();
        Ok(PluginProcess {
            process: Rc::new(RefCell::new(process)),
        })
    }

    /// Nothing of the gateway is handed down but two ends of sockets, in the places of the standard
    /// input and output: one to talk, one to be held until the end. A group of its own: signals of a terminal are for the gateway alone.
    fn spawn(&self, socket: UnixStream, held: UnixStream) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg0("weir-plugin")
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(OwnedFd::from(socket))
            .stdout(OwnedFd::from(held))
            .stderr(Stdio::null())
            .spawn()
    }
}

impl PluginProcess {
    /// What its walls became.
    #[must_use]
    pub fn walls(&self) -> Rc<[Report]> {
        Rc::clone(&self.process.borrow().walls)
    }

    /// Its process number; `None`: it is gone.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        let process = self.process.borrow();
        let is_there = process.lost.is_none();
        process.child.as_ref().filter(|_| is_there).map(Child::id)
    }

    /// A socket that becomes readable when the process ends, and never before: whatever comes from
    /// it otherwise is not for anybody.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn end_notice(&self) -> std::io::Result<UnixStream> {
        self.process.borrow().notice.try_clone()
    }

    /// Whether the other one is the same process.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.process, &other.process)
    }

    /// The same process, without keeping it alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakProcess {
        WeakProcess(Rc::downgrade(&self.process))
    }

    /// It is known to have ended: why.
    #[must_use]
    pub fn note_end(&self) -> Failure {
        let mut process = self.process.borrow_mut();
        Cause::Process(process.lose(&LinkError::Closed)).into()
    }

    /// Makes a VM and runs its start functions.
    ///
    /// # Errors
    ///
    /// As [`Host::start`](crate::Host::start), and when the process is lost.
    pub fn start<W: World>(&self, world: W) -> Result<ApartVm<W>, StartError> {
        let rules = rules_of(&world);
        self.make(world, Stage::Starting, |vm| ToPlugin::Start { vm, rules })
    }

    /// Makes a VM in the state of a snapshot. Nothing of the guest runs.
    ///
    /// # Errors
    ///
    /// As [`Host::start_from`](crate::Host::start_from), and when the process is lost.
    pub fn start_from<W: World>(
        &self,
        snapshot: &ApartSnapshot,
        world: W,
    ) -> Result<ApartVm<W>, StartError> {
        if !Rc::ptr_eq(&self.process, &snapshot.0.process) {
            let reason = "the snapshot is another process's";
            return Err(StartError::Instantiate(reason.to_owned()));
        }
        let rules = rules_of(&world);
        let number = snapshot.0.number;
        let mut vm = self.make(world, Stage::Idle, |vm| ToPlugin::StartFrom {
            vm,
            snapshot: number,
            rules,
        })?;
        vm.tab.renew(snapshot.0.taken_bytes);
        Ok(vm)
    }

    fn make<W: World>(
        &self,
        world: W,
        stage: Stage,
        message: impl FnOnce(u32) -> ToPlugin,
    ) -> Result<ApartVm<W>, StartError> {
        let mut process = self.process.borrow_mut();
        let number = process.vms;
        process.vms += 1;
        let mut vm = ApartVm {
            process: Rc::clone(&self.process),
            number,
            allowed: Allowed::by(&world),
            tab: Tab::of(world.memory_budget()),
            world,
            hears: 0,
            memory_bytes: 0,
            has_failed: false,
        };
        let asked = Asked {
            world: &mut vm.world,
            allowed: vm.allowed,
            stage,
            limit: process.start_limit,
            tab: &mut vm.tab,
        };
        let settled = process.ask(&message(number), asked);
        // The VM tells its process when it is dropped.
        drop(process);
        match settled {
            Ok(Settled::Started {
                hears,
                memory_bytes,
            }) => {
                (vm.hears, vm.memory_bytes) = (hears, memory_bytes);
                Ok(vm)
            }
            Ok(Settled::NotStarted(error)) => Err(error),
            Ok(_) | Err(_) => {
                let why = self.process.borrow().lost.clone();
                Err(StartError::Process(why.unwrap_or_default()))
            }
        }
    }
}

impl WeakProcess {
    /// The process, if anybody still needs it.
    #[must_use]
    pub fn upgrade(&self) -> Option<PluginProcess> {
        let process = self.0.upgrade()?;
        Some(PluginProcess { process })
    }
}

impl ApartSnapshot {
    /// Makes a VM in this state. Nothing of the guest runs.
    ///
    /// # Errors
    ///
    /// As [`PluginProcess::start_from`].
    pub fn start<W: World>(&self, world: W) -> Result<ApartVm<W>, StartError> {
        let process = PluginProcess {
            process: Rc::clone(&self.0.process),
        };
        process.start_from(self, world)
    }
}

impl<W: World> ApartVm<W> {
    /// The process that it runs in.
    #[must_use]
    pub fn process(&self) -> PluginProcess {
        PluginProcess {
            process: Rc::clone(&self.process),
        }
    }

    /// Delivers one event, as [`Vm::deliver`](crate::Vm::deliver) does.
    ///
    /// # Errors
    ///
    /// [`Failure`]; [`Cause::Process`] or [`Cause::Lost`] when the process is gone.
    pub fn deliver(&mut self, event: &Event, limit: Duration) -> Result<i32, Failure> {
        if self.has_failed {
            return Err(Cause::Gone.into());
        }
        if !self.hears(event) {
            return Ok(default_result(event));
        }
        self.world.enter(event);
        let message = ToPlugin::Deliver {
            vm: self.number,
            event: *event,
            limit,
        };
        let asked = Asked {
            world: &mut self.world,
            allowed: self.allowed,
            stage: Stage::Running,
            limit,
            tab: &mut self.tab,
        };
        let outcome = match self.process.borrow_mut().ask(&message, asked) {
            Ok(Settled::Returned {
                result,
                memory_bytes,
            }) => {
                self.memory_bytes = memory_bytes;
                Ok(result)
            }
            Ok(Settled::Failed(failure)) | Err(failure) => Err(failure),
            Ok(_) => Err(Cause::Gone.into()),
        };
        self.has_failed = outcome.is_err();
        self.world.leave(event, &outcome);
        outcome
    }

    /// The state of this guest, to start others from in the same process.
    ///
    /// # Errors
    ///
    /// As [`Vm::snapshot`](crate::Vm::snapshot), and when the process is lost.
    pub fn snapshot(&mut self) -> Result<ApartSnapshot, SnapshotError> {
        if self.has_failed {
            return Err(SnapshotError::Failed);
        }
        let mut process = self.process.borrow_mut();
        let number = process.snapshots;
        process.snapshots += 1;
        let message = ToPlugin::Snapshot {
            vm: self.number,
            snapshot: number,
        };
        match process.order(&message, &mut self.world) {
            Ok(Settled::Kept) => Ok(ApartSnapshot(Rc::new(Snapshot {
                process: Rc::clone(&self.process),
                number,
                taken_bytes: self.tab.taken_bytes(),
            }))),
            Ok(Settled::NotKept(reason)) => {
                Err(SnapshotError::Memory(std::io::Error::other(reason)))
            }
            Ok(_) | Err(_) => Err(SnapshotError::Failed),
        }
    }

    /// Puts the guest back into the state of a snapshot of the same process. Its world stays: see
    /// [`ApartVm::replace_world`].
    pub fn reset(&mut self, snapshot: &ApartSnapshot) -> Reset {
        if self.has_failed {
            return Reset::Failed;
        }
        if !Rc::ptr_eq(&self.process, &snapshot.0.process) {
            return Reset::OtherModule;
        }
        let message = ToPlugin::Reset {
            vm: self.number,
            snapshot: snapshot.0.number,
        };
        let settled = self.process.borrow_mut().order(&message, &mut self.world);
        match settled {
            Ok(Settled::WasReset(how)) => {
                if how == Reset::Done {
                    self.tab.renew(snapshot.0.taken_bytes);
                }
                how
            }
            Ok(_) | Err(_) => Reset::Failed,
        }
    }

    /// Gives the guest another world, which allows the same, and returns the one that it had.
    pub fn replace_world(&mut self, world: W) -> W {
        std::mem::replace(&mut self.world, world)
    }

    /// Whether the guest has a callback for this event.
    #[must_use]
    pub fn hears(&self, event: &Event) -> bool {
        self.hears & (1 << event.number()) != 0
    }

    /// The world that answers this guest.
    pub fn world(&mut self) -> &mut W {
        &mut self.world
    }

    /// Bytes of linear memory in use, as its process says.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Whether the guest, since it started or was reset, did anything that its end does not undo: it
    /// began a callout, say, or wrote into what others read.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        self.tab.has_acted
    }

    /// Whether the guest has failed and is never entered again.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.has_failed || self.process.borrow().lost.is_some()
    }
}

impl<W: World> Drop for ApartVm<W> {
    fn drop(&mut self) {
        let message = ToPlugin::End { vm: self.number };
        tell_of_end(&self.process, &message);
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let message = ToPlugin::Forget {
            snapshot: self.number,
        };
        tell_of_end(&self.process, &message);
    }
}

/// Tells a process what it may forget, unless it ends now anyway.
fn tell_of_end(process: &Rc<RefCell<Process>>, message: &ToPlugin) {
    let is_last = Rc::strong_count(process) == 1;
    let mut process = process.borrow_mut();
    if process.lost.is_some() || is_last {
        return;
    }
    if let Err(error) = process.link.send(message, &mut Until(Instant::now())) {
        process.lose(&error);
    }
}

/// What a world says of its guest.
fn rules_of<W: World>(world: &W) -> Rules {
    let functions = functions().map(|function| function.capability);
    let callbacks = CALLBACKS.iter().map(|callback| callback.name);
    let mut names: Vec<&str> = functions.chain(callbacks).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !world.allows(name));
    Rules {
        withheld: names.into_iter().map(str::to_owned).collect(),
        watches: world.watches(),
        has_files: world.has_files(),
    }
}
