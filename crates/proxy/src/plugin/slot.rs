//! The place of one VM: making contexts in it and delivering events to it.

mod birth;
mod fate;
mod grpc;
mod line;
mod pending;
mod root;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_capsule::Trigger;
use weir_guest::door::ContextId;
use weir_guest::{Event, Failure, Program};
use weir_maps::Space;
use weir_model::{Apart, Filter, Inside, Isolation, OnFailure};

use super::copies::{Copies, CopyOf};
use super::guest::{GuestVm, VmMaker};
use super::quarantine::Pattern;
use super::rebuild::Rebuild;
use super::stats::FilterStats;
use super::{Meter, PluginError, Remark, RootSpec};
use crate::code::Tier;
use crate::gateway::Shared;
use crate::stream::StreamRef;
use crate::world::Rules;
use fate::{Fate, Replaced};
use line::Line;
pub(crate) use line::{Shown, Ticket, Told};
use pending::Pending;

/// The place of one VM on one worker.
pub(crate) struct Slot {
    index: usize,
    filter: Arc<Filter>,
    tier: Arc<Tier>,
    program: Arc<Program>,
    /// What the VM was made of last.
    runs: RefCell<Arc<Program>>,
    rules: Arc<Rules>,
    specs: Vec<RootSpec>,
    shared: Rc<Shared>,
    maker: Rc<VmMaker>,
    vm: RefCell<Option<Guest>>,
    /// What waits for a guest that may wait; `None`: it never does.
    line: Option<Line>,
    life: Cell<u64>,
    memory_bytes: Cell<u64>,
    fate: Fate,
    /// A VM for this slot starts on another thread.
    pending: RefCell<Option<Pending>>,
    tally: Tally,
    stats: Arc<FilterStats>,
    meter: Arc<Meter>,
    /// Keeps shared data and queues while no VM runs: they outlive a failed one.
    space: Arc<Space>,
    rebuild: Rebuild,
    /// Streams of which there are to be capsules when they have ended.
    captures: Captures,
    role: Role,
    this: Weak<Slot>,
}

/// Streams of which there are to be capsules, and why.
type Captures = RefCell<Vec<(ContextId, Trigger)>>;

/// A running VM and the context of each root.
pub(super) struct Guest {
    pub(super) vm: GuestVm,
    pub(super) roots: Vec<ContextId>,
}

/// What a slot is there for.
enum Role {
    /// Streams run in its VM.
    Shared,
    /// Streams run in copies of its VM.
    Origin(Copies),
    /// It is the place of such a copy.
    Copy(CopyOf),
}

/// What one slot counts by itself, so that workers do not wait for one another at each request.
#[derive(Default)]
struct Tally {
    /// Streams that have ended as they should.
    streams: Cell<u64>,
    /// Time of calls that the filter's counters do not have yet.
    calls: Cell<Duration>,
}

impl Tally {
    /// Streams between two updates of the filter's counters.
    const STEP: u64 = 64;
    /// Time after which they are updated at any rate.
    const TIME: Duration = Duration::from_millis(5);

    fn is_due(&self) -> bool {
        self.streams.get().is_multiple_of(Self::STEP) || self.calls.get() >= Self::TIME
    }
}

/// What a new stream meets at a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// A context in this life of the slot.
    Context { id: ContextId, life: u64 },
    /// A VM starts: the stream is woken, and is to ask again.
    Wait,
    /// The filter has failed and lets requests pass.
    Bypass,
    /// The filter has failed and lets nothing pass.
    Refuse,
}

/// The guest failed while it handled the event; the slot has dealt with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

impl Slot {
    pub(crate) fn new(
        index: usize,
        filter: Arc<Filter>,
        specs: Vec<RootSpec>,
        (shared, maker): (&Rc<Shared>, &Rc<VmMaker>),
    ) -> Result<Rc<Self>, PluginError> {
        let unknown = || PluginError::Unknown(filter.name.clone());
        let tier = Arc::clone(shared.process.tier(&filter.name).ok_or_else(unknown)?);
        let program = tier.current();
        let stats = Arc::clone(shared.process.stats.get(&filter.name).ok_or_else(unknown)?);
        let meter = Arc::clone(
            shared
                .process
                .meters
                .get(&filter.name)
                .ok_or_else(unknown)?,
        );
        let rules = Arc::clone(shared.process.rules.get(&filter.name).ok_or_else(unknown)?);
        let space = shared.process.spaces.space(&filter.vm_id);
        let space = space.map_err(|error| PluginError::SharedData {
            filter: filter.name.clone(),
            error,
        })?;
        let role = match filter.isolation {
            Isolation::Request(_)
            | Isolation::Process(Apart {
                inside: Inside::Request,
                ..
            }) => Role::Origin(Copies::new()),
            Isolation::Module
            | Isolation::Plugin
            | Isolation::Configuration
            | Isolation::Process(Apart {
                inside: Inside::Plugin,
                ..
            }) => Role::Shared,
        };
        let may_wait = shared.process.may_wait(&filter.name);
        Ok(Rc::new_cyclic(|this| Self {
            index,
            line: may_wait.then(Line::default),
            filter,
            tier,
            runs: RefCell::new(Arc::clone(&program)),
            program,
            rules,
            specs,
            shared: Rc::clone(shared),
            maker: Rc::clone(maker),
            vm: RefCell::new(None),
            life: Cell::new(0),
            memory_bytes: Cell::new(0),
            fate: Fate::default(),
            pending: RefCell::default(),
            tally: Tally::default(),
            stats,
            meter,
            space,
            rebuild: Rebuild::default(),
            captures: Captures::default(),
            role,
            this: this.clone(),
        }))
    }

    /// The place of a copy of this slot's VM.
    pub(super) fn place_for_copy(&self, role: CopyOf) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            index: self.index,
            line: self.line.as_ref().map(|_| Line::default()),
            filter: Arc::clone(&self.filter),
            tier: Arc::clone(&self.tier),
            program: Arc::clone(&self.program),
            runs: RefCell::new(self.tier.current()),
            specs: Vec::new(),
            shared: Rc::clone(&self.shared),
            maker: Rc::clone(&self.maker),
            vm: RefCell::new(None),
            life: Cell::new(0),
            memory_bytes: Cell::new(0),
            fate: Fate::default(),
            pending: RefCell::default(),
            tally: Tally::default(),
            stats: Arc::clone(&self.stats),
            meter: Arc::clone(&self.meter),
            rules: Arc::clone(&self.rules),
            space: Arc::clone(&self.space),
            rebuild: Rebuild::default(),
            captures: Captures::default(),
            role: Role::Copy(role),
            this: this.clone(),
        })
    }

    /// The copies of its VM, if streams run in those.
    pub(super) fn copies(&self) -> Option<&Copies> {
        match &self.role {
            Role::Origin(copies) => Some(copies),
            Role::Shared | Role::Copy(_) => None,
        }
    }

    pub(super) fn copy_of(&self) -> Option<&CopyOf> {
        match &self.role {
            Role::Copy(copy) => Some(copy),
            Role::Shared | Role::Origin(_) => None,
        }
    }

    pub(super) fn captures(&self) -> &Captures {
        &self.captures
    }

    pub(super) fn specs(&self) -> &[RootSpec] {
        &self.specs
    }

    pub(super) fn stats(&self) -> &FilterStats {
        &self.stats
    }

    pub(super) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    pub(super) fn maker(&self) -> &VmMaker {
        &self.maker
    }

    pub(super) fn this(&self) -> Weak<Self> {
        Weak::clone(&self.this)
    }

    /// The life of the slot whose root contexts queues belong to.
    pub(crate) fn root_life(&self) -> u64 {
        let origin = self.copy_of().and_then(CopyOf::origin);
        origin.map_or_else(|| self.life(), |origin| origin.life())
    }

    /// What was made in this life is over.
    pub(super) fn end_life(&self) {
        self.life.set(self.life.get() + 1);
    }

    pub(super) fn rebuild(&self) -> &Rebuild {
        &self.rebuild
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn life(&self) -> u64 {
        self.life.get()
    }

    pub(crate) fn filter(&self) -> &Arc<Filter> {
        &self.filter
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// What the module is, whatever its code is made by.
    pub(crate) fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The code that this slot's VM runs, or ran.
    pub(super) fn running(&self) -> Arc<Program> {
        Arc::clone(&self.runs.borrow())
    }

    /// Whether a VM runs code for which there is better by now.
    pub(super) fn is_outdated(&self) -> bool {
        self.vm.borrow().is_some() && !Arc::ptr_eq(&self.runs.borrow(), &self.tier.current())
    }

    /// What the filter is granted and sees.
    pub(crate) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The shared data and queues of its VM id.
    pub(crate) fn space(&self) -> &Arc<Space> {
        &self.space
    }

    /// Linear memory of the VM, as of its last callback.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.get()
    }

    fn note_memory(&self, bytes: u64) {
        let before = self.memory_bytes.replace(bytes);
        if before != bytes {
            self.stats
                .memory_changed(bytes.cast_signed() - before.cast_signed());
        }
    }

    /// Makes a context for a stream: here, in the slot that has taken this one's place, or in a copy.
    /// The slot that comes along has it, if it is not this one.
    pub(crate) fn enter(
        &self,
        root: usize,
        stream: (&StreamRef, usize),
    ) -> (Option<Rc<Self>>, Admission) {
        let heir = self.heir();
        let slot = heir.as_deref().unwrap_or(self);
        let pattern = slot.pattern_of(stream.0);
        if pattern.is_some_and(|pattern| slot.is_under_quarantine(pattern)) {
            slot.stats.quarantined();
            return (None, slot.without_vm());
        }
        let Some(copies) = slot.copies() else {
            let admission = slot.admit(root, stream, pattern);
            return (heir, admission);
        };
        // A process that is gone has taken everything along that copies are made from.
        if copies.is_without_image() && slot.replace() != Replaced::Yes {
            return (None, slot.without_vm());
        }
        let copy = slot.copy(copies).or_else(|| {
            // Its process was found to be gone just now.
            let is_gone = copies.is_without_image();
            (is_gone && slot.replace() == Replaced::Yes).then(|| slot.copy(copies))?
        });
        match copy {
            Some(copy) => {
                let admission = copy.admit(root, stream, pattern);
                (Some(copy), admission)
            }
            None => (None, slot.without_vm()),
        }
    }

    /// Makes a context for a stream here, in a new VM if the old one failed and may be replaced.
    fn admit(
        &self,
        root: usize,
        (stream, stage): (&StreamRef, usize),
        pattern: Option<Pattern>,
    ) -> Admission {
        if self.vm.borrow().is_none() {
            match self.replace() {
                Replaced::Yes => {}
                Replaced::Soon => return self.wait(stream, stage),
                Replaced::No => return self.without_vm(),
            }
        }
        if self.is_line_full() {
            self.refuse_stream();
            return match self.filter.on_failure {
                OnFailure::Open => Admission::Bypass,
                OnFailure::Reload | OnFailure::Closed => Admission::Refuse,
            };
        }
        let created = self.with_guest(|guest| {
            let parent = guest.roots[root];
            let context = guest
                .vm
                .world()
                .add_stream(parent, (stream, stage), pattern);
            (context, Event::ContextCreate { context, parent })
        });
        let Some((id, event)) = created else {
            return Admission::Refuse;
        };
        if self.filter.recording.is_some() {
            self.consider_capture(id, stream);
        }
        let life = self.life.get();
        // A failure has become an order already, and has ended this life.
        self.tell(self.filter.limits.call, move |_| Some(event), |_, _| {});
        Admission::Context { id, life }
    }

    /// What a stream meets that gets no context.
    pub(super) fn without_vm(&self) -> Admission {
        match self.filter.on_failure {
            OnFailure::Open => {
                self.stats.bypassed(1);
                Admission::Bypass
            }
            OnFailure::Reload | OnFailure::Closed => {
                self.stats.refused();
                Admission::Refuse
            }
        }
    }

    /// Counts a stream that meets the policy because too much waits for the guest.
    pub(crate) fn refuse_stream(&self) {
        let _ = self.without_vm();
        self.meter.remark(Remark::Line, |filter, untold| {
            tracing::warn!(
                filter,
                untold,
                "too much waits for the plugin, which waits for another machine: a request met its \
                 failure policy"
            );
        });
    }

    fn pattern_of(&self, stream: &StreamRef) -> Option<Pattern> {
        self.stats.quarantine.as_ref()?;
        Pattern::of(&stream.borrow())
    }

    fn is_under_quarantine(&self, pattern: Pattern) -> bool {
        let quarantine = self.stats.quarantine.as_ref();
        quarantine.is_some_and(|quarantine| quarantine.holds(pattern, Instant::now()))
    }

    pub(super) fn is_in_use(&self) -> bool {
        let streams = self.with_guest(|guest| guest.vm.world().streams().len());
        streams.is_some_and(|streams| streams > 0)
    }

    /// Ends the VM for good, without a failure.
    pub(super) fn end_vm(&self) {
        if self.vm.borrow_mut().take().is_some() {
            self.note_memory(0);
            self.stats.ended();
        }
    }

    pub(super) fn with_guest<T>(&self, with: impl FnOnce(&mut Guest) -> T) -> Option<T> {
        self.vm.borrow_mut().as_mut().map(with)
    }

    /// Delivers an event. A failure ends the VM and tells every stream that had a context in it.
    pub(crate) fn deliver(&self, event: &Event, limit: Duration) -> Result<i32, Failed> {
        let (outcome, memory) = {
            let mut guest = self.vm.borrow_mut();
            let Some(guest) = guest.as_mut() else {
                return Err(Failed);
            };
            (guest.vm.deliver(event, limit), guest.vm.memory_bytes())
        };
        self.conclude(outcome, memory, event)
    }

    /// A guest has returned from an event.
    fn conclude(
        &self,
        outcome: Result<i32, Failure>,
        memory: u64,
        event: &Event,
    ) -> Result<i32, Failed> {
        self.note_memory(memory);
        match outcome {
            Ok(result) => {
                if self.copies().is_some() {
                    self.root_ran();
                }
                Ok(result)
            }
            Err(failure) => {
                self.failed(&failure, event);
                Err(Failed)
            }
        }
    }

    /// Wall time that an exchange has waited for a call.
    pub(crate) fn note_call(&self, time: Duration) {
        self.tally.calls.set(self.tally.calls.get() + time);
    }

    /// A stream has ended as it should: what is counted is counted, and a VM that is old is
    /// replaced.
    fn stream_went_well(&self) {
        self.tally.streams.set(self.tally.streams.get() + 1);
        if self.tally.is_due() {
            self.stats.called(self.tally.calls.take());
        }
        if self.copy_of().is_some() {
            return;
        }
        self.end_trial();
        let recycling = &self.filter.recycling;
        let is_old = recycling
            .requests
            .is_some_and(|most| self.tally.streams.get() >= most)
            || recycling
                .memory_bytes
                .is_some_and(|most| self.memory_bytes() >= most);
        if is_old {
            self.recycle_soon();
        }
    }

    /// Ends a stream context: done, then delete.
    pub(crate) fn end_stream(&self, context: ContextId) {
        let limit = self.filter.limits.call;
        let end = move |slot: &Self, outcome: Result<i32, Failed>| {
            if outcome.is_ok() {
                slot.delete_stream(context);
            }
        };
        self.tell(limit, move |_| Some(Event::Done { context }), end);
    }

    /// Deletes a stream context that has been told to end.
    pub(crate) fn delete_stream(&self, context: ContextId) {
        let limit = self.filter.limits.call;
        let end = move |slot: &Self, outcome: Result<i32, Failed>| {
            if outcome.is_ok() {
                if slot.filter.recording.is_some() {
                    slot.capture(context);
                }
                slot.with_guest(|guest| guest.vm.world().remove_stream(context));
                slot.stream_went_well();
            }
            slot.end_if_retired();
            slot.leave_copy();
        };
        self.tell(limit, move |_| Some(Event::Delete { context }), end);
    }

    /// Lets a guest see a stream that is complete.
    pub(crate) fn log_stream(&self, context: ContextId) -> Told {
        let limit = self.filter.limits.call;
        // A failure is dealt with in the slot; the client has its response already.
        self.tell(limit, move |_| Some(Event::Log { context }), |_, _| {})
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.end_vm();
    }
}
