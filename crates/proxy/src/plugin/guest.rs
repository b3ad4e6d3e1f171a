//! A VM in this process, which may be one that can wait, or in one of its own: slots hardly see the
//! difference.

use std::cell::OnceCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use weir_capsule::{Lost, MaybeRecorded, Recorder, Tape};
use weir_guest::apart::{ApartSnapshot, ApartVm, PluginProcess, Refuge};
use weir_guest::{
    Cause, Event, Failure, Host, OnThread, Program, Reset, Snapshot, SnapshotError, StartError,
    Stop, Vm, WaitingHost, WaitingVm,
};
use weir_model::{Filter, Inside, Isolation};

use super::Slot;
use crate::gateway::Shared;
use crate::world::{LiveWorld, SharedWorld};

/// Where VMs of one worker are made.
pub(crate) struct VmMaker {
    host: Host<LiveWorld>,
    /// For guests that are recorded; made when the first one starts, as the next one is.
    recorded: OnceCell<Host<Recorder<LiveWorld>>>,
    /// For guests that may wait.
    waiting: OnceCell<WaitingHost<OnThread<WaitingWorld>>>,
    shared: Rc<Shared>,
}

/// A VM and its world.
pub(super) enum GuestVm {
    Here(Box<Vm<LiveWorld>>),
    Recorded(Box<Vm<Recorder<LiveWorld>>>),
    Waiting(Waiting),
    Apart(Box<ApartVm<LiveWorld>>),
    RecordedApart(Box<ApartVm<Recorder<LiveWorld>>>),
}

/// The world of a guest that starts.
pub(super) type NewWorld = MaybeRecorded<LiveWorld>;
/// The world of a guest that may be suspended.
type WaitingWorld = MaybeRecorded<SharedWorld>;

/// A VM whose guest may be suspended, and its world, which can be looked at meanwhile.
pub(super) struct Waiting {
    /// `None`: an event is being delivered to it.
    vm: Option<WaitingGuest>,
    world: SharedWorld,
    /// As of the end of the last event.
    memory_bytes: u64,
}

/// The VM itself, as whoever delivers an event has it.
pub(super) type WaitingGuest = Box<WaitingVm<OnThread<WaitingWorld>>>;

/// A world that is looked at while no call uses it.
pub(super) enum WorldOf<'g> {
    Own(&'g mut LiveWorld),
    Shared(std::cell::RefMut<'g, LiveWorld>),
}

impl Deref for WorldOf<'_> {
    type Target = LiveWorld;

    fn deref(&self) -> &LiveWorld {
        match self {
            Self::Own(world) => world,
            Self::Shared(world) => world,
        }
    }
}

impl DerefMut for WorldOf<'_> {
    fn deref_mut(&mut self) -> &mut LiveWorld {
        match self {
            Self::Own(world) => world,
            Self::Shared(world) => world,
        }
    }
}

/// The state of a VM.
#[derive(Clone)]
pub(super) enum GuestSnapshot {
    Here(Snapshot),
    Apart(ApartSnapshot),
}

impl VmMaker {
    pub(super) fn new(shared: &Rc<Shared>) -> Result<Self, StartError> {
        Ok(Self {
            host: Host::new(&shared.process.engine)?,
            recorded: OnceCell::new(),
            waiting: OnceCell::new(),
            shared: Rc::clone(shared),
        })
    }

    fn recorded(&self) -> Result<&Host<Recorder<LiveWorld>>, StartError> {
        if let Some(host) = self.recorded.get() {
            return Ok(host);
        }
        let host = Host::new(&self.shared.process.engine)?;
        Ok(self.recorded.get_or_init(|| host))
    }

    fn waiting(&self) -> Result<&WaitingHost<OnThread<WaitingWorld>>, StartError> {
        if let Some(host) = self.waiting.get() {
            return Ok(host);
        }
        let host = WaitingHost::new(&self.shared.process.engine)?;
        Ok(self.waiting.get_or_init(|| host))
    }

    /// Starts a VM, in a new process if the filter wants one. Only those that may wait do.
    pub(super) async fn start(
        &self,
        program: &Program,
        world: NewWorld,
        filter: &Arc<Filter>,
    ) -> Result<GuestVm, StartError> {
        let limits = &filter.limits;
        if self.shared.process.may_wait(&filter.name) {
            let (world, shared) = waiting_world(world);
            let vm = self.waiting()?.start(program, OnThread::new(world), limits);
            return Ok(GuestVm::Waiting(Waiting::of(vm.await?, shared)));
        }
        let Isolation::Process(apart) = filter.isolation else {
            return Ok(match world {
                MaybeRecorded::Plain(world) => {
                    let vm = self.host.start(program, world, limits)?;
                    GuestVm::Here(Box::new(vm))
                }
                MaybeRecorded::Recorded(world) => {
                    let vm = self.recorded()?.start(program, *world, limits)?;
                    GuestVm::Recorded(Box::new(vm))
                }
            });
        };
        let refuge = Refuge {
            user: apart.user,
            vms: match apart.inside {
                Inside::Plugin => 1,
                Inside::Request => limits.instances.saturating_add(1),
            },
        };
        let launcher = &self.shared.process.launcher;
        let process = launcher.launch(program, limits, refuge)?;
        self.shared
            .process
            .note_walls(&filter.name, &process.walls());
        Ok(match world {
            MaybeRecorded::Plain(world) => GuestVm::Apart(Box::new(process.start(world)?)),
            MaybeRecorded::Recorded(world) => {
                GuestVm::RecordedApart(Box::new(process.start(*world)?))
            }
        })
    }

    /// Makes a VM in the state of a snapshot, where that is.
    pub(super) fn start_from(
        &self,
        program: &Program,
        snapshot: &GuestSnapshot,
        world: NewWorld,
        filter: &Filter,
    ) -> Result<GuestVm, StartError> {
        let limits = &filter.limits;
        let snapshot = match snapshot {
            GuestSnapshot::Here(snapshot) => snapshot,
            GuestSnapshot::Apart(snapshot) => {
                return Ok(match world {
                    MaybeRecorded::Plain(world) => GuestVm::Apart(Box::new(snapshot.start(world)?)),
                    MaybeRecorded::Recorded(world) => {
                        GuestVm::RecordedApart(Box::new(snapshot.start(*world)?))
                    }
                });
            }
        };
        if self.shared.process.may_wait(&filter.name) {
            let (world, shared) = waiting_world(world);
            let place = OnThread::new(world);
            let vm = self
                .waiting()?
                .start_from(program, snapshot, place, limits)?;
            return Ok(GuestVm::Waiting(Waiting::of(vm, shared)));
        }
        Ok(match world {
            MaybeRecorded::Plain(world) => {
                let vm = self.host.start_from(program, snapshot, world, limits)?;
                GuestVm::Here(Box::new(vm))
            }
            MaybeRecorded::Recorded(world) => {
                let host = self.recorded()?;
                let vm = host.start_from(program, snapshot, *world, limits)?;
                GuestVm::Recorded(Box::new(vm))
            }
        })
    }
}

/// The world of a guest that may wait, and the same for others to look at.
fn waiting_world(world: NewWorld) -> (WaitingWorld, SharedWorld) {
    let (world, tape) = world.into_parts();
    let shared = SharedWorld::new(world);
    (MaybeRecorded::new(shared.clone(), tape), shared)
}

impl Waiting {
    fn of(vm: WaitingVm<OnThread<WaitingWorld>>, world: SharedWorld) -> Self {
        Self {
            memory_bytes: vm.memory_bytes(),
            vm: Some(Box::new(vm)),
            world,
        }
    }

    /// Gives the VM away, for an event.
    pub(super) fn take(&mut self) -> Option<(WaitingGuest, SharedWorld)> {
        Some((self.vm.take()?, self.world.clone()))
    }

    /// The VM is back, if it is the one of this world.
    pub(super) fn put_back(&mut self, vm: WaitingGuest, world: &SharedWorld) {
        if self.world.is_same(world) {
            self.memory_bytes = vm.memory_bytes();
            self.vm = Some(vm);
            self.renew_full_tape();
        }
    }
}

impl Waiting {
    fn tape(&mut self) -> Option<&mut Tape> {
        self.vm.as_mut()?.world().get().tape()
    }

    fn renew_full_tape(&mut self) {
        if self.tape().is_some_and(|tape| tape.wants_image())
            && self.vm.as_ref().is_some_and(|vm| !vm.has_failed())
        {
            self.renew_tape();
        }
    }

    fn renew_tape(&mut self) {
        let image = self.vm.as_mut().map(|vm| vm.snapshot());
        if let (Some(tape), Some(image)) = (self.tape(), image) {
            go_on_from(tape, image);
        }
    }
}

/// A tape goes on from an image, or without any.
fn go_on_from(tape: &mut Tape, image: Result<Snapshot, SnapshotError>) {
    match image {
        Ok(image) => tape.set_image(image),
        Err(SnapshotError::Mapped) => tape.refuse_images(Lost::Region),
        Err(SnapshotError::Refused(_)) => tape.refuse_images(Lost::NoImage),
        // The next event tries again.
        Err(SnapshotError::Failed | SnapshotError::Memory(_)) => {}
    }
}

/// Delivers an event to a guest that is recorded; if the tape is full, it goes on from an image.
fn deliver_recorded(
    vm: &mut Vm<Recorder<LiveWorld>>,
    event: &Event,
    limit: Duration,
) -> Result<i32, Failure> {
    let result = vm.deliver(event, limit)?;
    if vm.world().tape.wants_image() {
        let image = vm.snapshot();
        go_on_from(&mut vm.world().tape, image);
    }
    Ok(result)
}

/// The same of one whose images are in its process.
fn deliver_recorded_apart(
    vm: &mut ApartVm<Recorder<LiveWorld>>,
    event: &Event,
    limit: Duration,
) -> Result<i32, Failure> {
    let result = vm.deliver(event, limit)?;
    let tape = &mut vm.world().tape;
    if tape.wants_image() {
        tape.refuse_images(Lost::Apart);
    }
    Ok(result)
}

impl GuestVm {
    /// Looks at the tape, if the guest is recorded and not suspended.
    pub(super) fn with_tape<T>(&mut self, look: impl FnOnce(&mut Tape) -> T) -> Option<T> {
        let tape = match self {
            Self::Here(_) | Self::Apart(_) => None,
            Self::Recorded(vm) => Some(&mut vm.world().tape),
            Self::Waiting(waiting) => waiting.tape(),
            Self::RecordedApart(vm) => Some(&mut vm.world().tape),
        };
        tape.map(look)
    }

    /// Lets the tape go on from an image of the guest as it is, where one can be had.
    pub(super) fn renew_tape(&mut self) {
        match self {
            Self::Here(_) | Self::Apart(_) | Self::RecordedApart(_) => {}
            Self::Recorded(vm) => {
                let image = vm.snapshot();
                go_on_from(&mut vm.world().tape, image);
            }
            Self::Waiting(waiting) => waiting.renew_tape(),
        }
    }

    /// Delivers an event that nobody can wait for: a guest that would have to be suspended ends.
    pub(super) fn deliver(&mut self, event: &Event, limit: Duration) -> Result<i32, Failure> {
        match self {
            Self::Here(vm) => vm.deliver(event, limit),
            Self::Recorded(vm) => deliver_recorded(vm, event, limit),
            Self::RecordedApart(vm) => deliver_recorded_apart(vm, event, limit),
            Self::Waiting(_) => Err(Cause::Stopped(Stop::CannotWait).into()),
            Self::Apart(vm) => vm.deliver(event, limit),
        }
    }

    /// Delivers an event, and waits for it where that may be necessary.
    pub(super) async fn deliver_in_time(
        &mut self,
        event: &Event,
        limit: Duration,
    ) -> Result<i32, Failure> {
        match self {
            Self::Waiting(Waiting { vm: Some(vm), .. }) => vm.deliver(event, limit).await,
            Self::Here(_)
            | Self::Recorded(_)
            | Self::Waiting(_)
            | Self::Apart(_)
            | Self::RecordedApart(_) => self.deliver(event, limit),
        }
    }

    pub(super) fn world(&mut self) -> WorldOf<'_> {
        match self {
            Self::Here(vm) => WorldOf::Own(vm.world()),
            Self::Recorded(vm) => WorldOf::Own(&mut vm.world().world),
            Self::RecordedApart(vm) => WorldOf::Own(&mut vm.world().world),
            Self::Waiting(waiting) => WorldOf::Shared(waiting.world.borrow()),
            Self::Apart(vm) => WorldOf::Own(vm.world()),
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        match self {
            Self::Here(vm) => vm.memory_bytes(),
            Self::Recorded(vm) => vm.memory_bytes(),
            Self::RecordedApart(vm) => vm.memory_bytes(),
            Self::Waiting(waiting) => waiting.memory_bytes,
            Self::Apart(vm) => vm.memory_bytes(),
        }
    }

    pub(super) fn snapshot(&mut self) -> Result<GuestSnapshot, SnapshotError> {
        match self {
            Self::Here(vm) => vm.snapshot().map(GuestSnapshot::Here),
            Self::Recorded(vm) => vm.snapshot().map(GuestSnapshot::Here),
            Self::RecordedApart(vm) => vm.snapshot().map(GuestSnapshot::Apart),
            Self::Waiting(Waiting { vm: Some(vm), .. }) => vm.snapshot().map(GuestSnapshot::Here),
            Self::Waiting(Waiting { vm: None, .. }) => Err(SnapshotError::Failed),
            Self::Apart(vm) => vm.snapshot().map(GuestSnapshot::Apart),
        }
    }

    pub(super) fn reset(&mut self, snapshot: &GuestSnapshot) -> Reset {
        match (self, snapshot) {
            (Self::Here(vm), GuestSnapshot::Here(snapshot)) => vm.reset(snapshot),
            (Self::Recorded(vm), GuestSnapshot::Here(snapshot)) => vm.reset(snapshot),
            (Self::RecordedApart(vm), GuestSnapshot::Apart(snapshot)) => vm.reset(snapshot),
            (Self::Waiting(Waiting { vm: Some(vm), .. }), GuestSnapshot::Here(snapshot)) => {
                vm.reset(snapshot)
            }
            (Self::Waiting(Waiting { vm: None, .. }), _) => Reset::Failed,
            (Self::Apart(vm), GuestSnapshot::Apart(snapshot)) => vm.reset(snapshot),
            // A filter's VMs are all here or all there.
            (Self::Here(_) | Self::Recorded(_) | Self::Waiting(_), GuestSnapshot::Apart(_))
            | (Self::Apart(_) | Self::RecordedApart(_), GuestSnapshot::Here(_)) => {
                Reset::OtherModule
            }
        }
    }

    /// Whether it did what its end does not undo, for all that is known.
    pub(super) fn has_acted(&self) -> bool {
        match self {
            // Nobody looks.
            Self::Here(_) | Self::Recorded(_) | Self::Waiting(_) => true,
            Self::Apart(vm) => vm.has_acted(),
            Self::RecordedApart(vm) => vm.has_acted(),
        }
    }

    /// The process that it runs in; `None`: this one.
    pub(super) fn process(&self) -> Option<PluginProcess> {
        match self {
            Self::Here(_) | Self::Recorded(_) | Self::Waiting(_) => None,
            Self::Apart(vm) => Some(vm.process()),
            Self::RecordedApart(vm) => Some(vm.process()),
        }
    }
}

impl Slot {
    /// Hears of the end of a VM's process though nobody asks the VM anything.
    pub(super) fn watch(&self, process: &PluginProcess) {
        let notice = process.end_notice().and_then(|notice| {
            notice.set_nonblocking(true)?;
            UnixStream::from_std(notice)
        });
        let notice = match notice {
            Ok(notice) => notice,
            Err(error) => {
                // Its end is noticed by the next event.
                tracing::warn!(filter = %self.filter().name, %error, "a plugin's process is not watched");
                return;
            }
        };
        let (this, process) = (self.this(), process.downgrade());
        self.shared().spawn(async move {
            if notice.readable().await.is_err() {
                return;
            }
            if let (Some(slot), Some(process)) = (this.upgrade(), process.upgrade()) {
                slot.process_ended(&process);
            }
        });
    }
}
