//! The place of one VM: delivering events to it, and replacing it when it fails.

mod grpc;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weir_guest::door::ContextId;
use weir_guest::{Event, Failure, Host, Program, Vm};
use weir_maps::Space;
use weir_model::{Filter, OnFailure};

use super::rebuild::Rebuild;
use super::stats::{FilterStats, Replacement};
use super::{PluginError, RootSpec};
use crate::gateway::Shared;
use crate::stream::{Order, StreamRef};
use crate::world::{CalloutView, LiveWorld, Root};

/// A failure this soon after the last one makes the next replacement wait.
const CALM: Duration = Duration::from_secs(10);
/// The first wait; it doubles with each failure.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
/// The longest wait.
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// Failures without any wait: one crash never costs a second request.
const FREE_FAILURES: u32 = 3;

/// The place of one VM on one worker.
pub(crate) struct Slot {
    index: usize,
    filter: Arc<Filter>,
    program: Arc<Program>,
    specs: Vec<RootSpec>,
    shared: Rc<Shared>,
    host: Rc<Host<LiveWorld>>,
    vm: RefCell<Option<Guest>>,
    life: Cell<u64>,
    memory_bytes: Cell<u64>,
    failures_in_a_row: Cell<u32>,
    last_failure: Cell<Option<Instant>>,
    stats: Arc<FilterStats>,
    /// Keeps shared data and queues while no VM runs: they outlive a failed one.
    _space: Arc<Space>,
    rebuild: Rebuild,
    this: Weak<Slot>,
}

/// A running VM and the context of each root.
struct Guest {
    vm: Vm<LiveWorld>,
    roots: Vec<ContextId>,
}

/// What a new stream meets at a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// A context in this life of the slot.
    Context { id: ContextId, life: u64 },
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
        (shared, host): (&Rc<Shared>, &Rc<Host<LiveWorld>>),
    ) -> Result<Rc<Self>, PluginError> {
        let unknown = || PluginError::Unknown(filter.name.clone());
        let program = Arc::clone(
            shared
                .process
                .programs
                .get(&filter.name)
                .ok_or_else(unknown)?,
        );
        let stats = Arc::clone(shared.process.stats.get(&filter.name).ok_or_else(unknown)?);
        let space = shared.process.spaces.space(&filter.vm_id);
        Ok(Rc::new_cyclic(|this| Self {
            index,
            filter,
            program,
            specs,
            shared: Rc::clone(shared),
            host: Rc::clone(host),
            vm: RefCell::new(None),
            life: Cell::new(0),
            memory_bytes: Cell::new(0),
            failures_in_a_row: Cell::new(0),
            last_failure: Cell::new(None),
            stats,
            _space: space,
            rebuild: Rebuild::default(),
            this: this.clone(),
        }))
    }

    /// A slot for the same plugin, with a VM of its own, in a life that no other slot had.
    pub(super) fn successor(&self) -> Result<Rc<Self>, PluginError> {
        let (filter, specs) = (Arc::clone(&self.filter), self.specs.clone());
        let slot = Self::new(self.index, filter, specs, (&self.shared, &self.host))?;
        slot.life.set(self.life.get() + 1);
        slot.rebuild.begin();
        slot.start()?;
        Ok(slot)
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

    pub(crate) fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Linear memory of the VM, as of its last callback.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.get()
    }

    /// Starts the VM: module, then per root context its creation, `vm_start` and `configure`.
    pub(crate) fn start(&self) -> Result<(), PluginError> {
        let filter = &self.filter;
        let world = LiveWorld::new(Rc::clone(&self.shared), self.this.clone(), &filter.vm_id);
        let vm = self
            .host
            .start(&self.program, world, &filter.limits)
            .map_err(|error| PluginError::Start {
                filter: filter.name.clone(),
                error,
            })?;
        let mut guest = Guest {
            vm,
            roots: Vec::with_capacity(self.specs.len()),
        };
        for spec in &self.specs {
            guest.start_root(spec)?;
        }
        self.note_memory(guest.vm.memory_bytes());
        let is_replacement = if self.life.get() == 0 {
            Replacement::No
        } else {
            Replacement::Yes
        };
        self.stats.started(is_replacement);
        *self.vm.borrow_mut() = Some(guest);
        Ok(())
    }

    fn note_memory(&self, bytes: u64) {
        let before = self.memory_bytes.replace(bytes);
        if before != bytes {
            self.stats
                .memory_changed(bytes.cast_signed() - before.cast_signed());
        }
    }

    /// Makes a context for a stream, in a new VM if the old one failed and may be replaced.
    pub(crate) fn admit(&self, root: usize, stream: &StreamRef, stage: usize) -> Admission {
        if self.vm.borrow().is_none() && !self.try_replace() {
            return match self.filter.on_failure {
                OnFailure::Open => Admission::Bypass,
                OnFailure::Reload | OnFailure::Closed => {
                    self.stats.refused();
                    Admission::Refuse
                }
            };
        }
        let created = self.with_guest(|guest| {
            let parent = guest.roots[root];
            let context = guest.vm.world().add_stream(parent, stream, stage);
            (context, Event::ContextCreate { context, parent })
        });
        let Some((id, event)) = created else {
            return Admission::Refuse;
        };
        let life = self.life.get();
        // A failure has become an order already, and has ended this life.
        let _ = self.deliver(&event, self.filter.limits.call);
        Admission::Context { id, life }
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

    fn with_guest<T>(&self, with: impl FnOnce(&mut Guest) -> T) -> Option<T> {
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
        self.note_memory(memory);
        outcome.map_err(|failure| {
            self.failed(&failure, event);
            Failed
        })
    }

    fn failed(&self, failure: &Failure, event: &Event) {
        let Some(mut guest) = self.vm.borrow_mut().take() else {
            return;
        };
        self.note_memory(0);
        self.stats.ended();
        self.stats.failed();
        self.life.set(self.life.get() + 1);
        let is_calm = self
            .last_failure
            .get()
            .is_none_or(|last| last.elapsed() > CALM);
        let before = if is_calm {
            0
        } else {
            self.failures_in_a_row.get()
        };
        self.failures_in_a_row.set(before.saturating_add(1));
        self.last_failure.set(Some(Instant::now()));
        let streams = guest.vm.world().streams();
        tracing::error!(
            filter = %self.filter.name,
            callback = event.callback(),
            streams = streams.len(),
            failures = self.failures_in_a_row.get(),
            "the plugin failed: {failure}"
        );
        for (stream, stage) in streams {
            stream.borrow_mut().order(Order::Failed { stage });
        }
    }

    /// A new VM for a failed one, if the policy and the back-off allow it now.
    fn try_replace(&self) -> bool {
        if self.filter.on_failure != OnFailure::Reload {
            return false;
        }
        let crashes = self.failures_in_a_row.get().saturating_sub(FREE_FAILURES);
        let wait = match crashes {
            0 => Duration::ZERO,
            n => BACK_OFF_MIN
                .saturating_mul(1 << (n - 1).min(10))
                .min(BACK_OFF_MAX),
        };
        if self
            .last_failure
            .get()
            .is_some_and(|last| last.elapsed() < wait)
        {
            return false;
        }
        match self.start() {
            Ok(()) => {
                tracing::info!(filter = %self.filter.name, "the plugin runs in a new VM");
                true
            }
            Err(error) => {
                self.failures_in_a_row
                    .set(self.failures_in_a_row.get().saturating_add(1));
                self.last_failure.set(Some(Instant::now()));
                tracing::error!(%error, "the plugin could not be started again");
                false
            }
        }
    }

    /// Ends a stream context: done, then delete.
    pub(crate) fn end_stream(&self, context: ContextId) {
        let limit = self.filter.limits.call;
        if self.deliver(&Event::Done { context }, limit).is_ok() {
            self.delete_stream(context);
        }
    }

    /// Deletes a stream context that has been told to end.
    pub(crate) fn delete_stream(&self, context: ContextId) {
        let limit = self.filter.limits.call;
        if self.deliver(&Event::Delete { context }, limit).is_ok() {
            self.with_guest(|guest| guest.vm.world().remove_stream(context));
        }
        self.end_if_retired();
    }

    /// Lets an access-log plugin see a stream that is complete.
    pub(super) fn log_here(&self, root: usize, stream: &StreamRef) {
        if self.vm.borrow().is_none() && !self.try_replace() {
            return;
        }
        let context = self.with_guest(|guest| {
            let context = guest.roots[root];
            guest.vm.world().lend(context, Some(stream));
            context
        });
        let Some(context) = context else { return };
        let outcome = self.deliver(&Event::Log { context }, self.filter.limits.call);
        if outcome.is_ok() {
            self.with_guest(|guest| guest.vm.world().lend(context, None));
        }
    }

    /// The root's timer fired. Says whether it goes on ticking.
    pub(crate) fn tick(&self, root: ContextId) -> bool {
        self.deliver(&Event::Tick { root }, self.filter.limits.call)
            .is_ok()
    }

    /// A queue that this root registered in this life got an item.
    pub(crate) fn queue_ready(&self, root: ContextId, token: u32) {
        // A failure is dealt with in the slot; nobody waits for a result here.
        let _ = self.deliver(&Event::QueueReady { root, token }, self.filter.limits.call);
    }

    /// A callout of this root ended.
    pub(crate) fn callout_ended(&self, root: ContextId, token: u32, view: CalloutView) {
        let event = view.event(root, token);
        let known = self.with_guest(|guest| {
            let world = guest.vm.world();
            let Some(known) = world.roots.get_mut(&root) else {
                return false;
            };
            known.calls.remove(&token);
            known.status = view.status();
            world.callout = Some(view);
            true
        });
        if known != Some(true) {
            return;
        }
        let outcome = self.deliver(&event, self.filter.limits.call);
        if outcome.is_ok() {
            self.with_guest(|guest| {
                let world = guest.vm.world();
                world.callout = None;
                if let Some(known) = world.roots.get_mut(&root) {
                    known.status.1.clear();
                }
            });
        }
    }

    /// A Redis command of this root was answered; `None`: the connection failed.
    pub(crate) fn redis_ended(&self, root: ContextId, token: u32, reply: Option<Bytes>) {
        let event = self.with_guest(|guest| guest.vm.world().show_redis(root, token, reply));
        let Some(event) = event.flatten() else {
            return;
        };
        let outcome = self.deliver(&event, self.filter.limits.call);
        if outcome.is_ok() {
            self.with_guest(|guest| guest.vm.world().hide_redis(root));
        }
    }

    /// Whether a root has been told to end and has not yet.
    pub(super) fn has_ending_root(&self) -> bool {
        let ending = self.with_guest(|guest| guest.vm.world().has_ending_root());
        ending.unwrap_or_default()
    }

    /// The worker drains: every root is told; those that need more time say `proxy_done` later.
    pub(super) fn drain_here(&self) {
        let roots = self
            .with_guest(|guest| guest.vm.world().root_ids())
            .unwrap_or_default();
        for context in roots {
            match self.deliver(&Event::Done { context }, self.filter.limits.call) {
                Ok(0) => {
                    self.with_guest(|guest| {
                        if let Some(root) = guest.vm.world().roots.get_mut(&context) {
                            root.is_ending = true;
                        }
                    });
                }
                Ok(_) => self.delete_root(context),
                Err(Failed) => return,
            }
        }
    }

    /// Ends a root context.
    pub(crate) fn delete_root(&self, context: ContextId) {
        let outcome = self.deliver(&Event::Delete { context }, self.filter.limits.call);
        if outcome.is_ok() {
            self.with_guest(|guest| guest.vm.world().roots.remove(&context));
            self.end_if_retired();
        }
    }
}

impl Guest {
    fn start_root(&mut self, spec: &RootSpec) -> Result<(), PluginError> {
        let filter = &spec.filter;
        let root = Root::new(Arc::clone(filter), spec.configuration.clone());
        let root = self.vm.world().add_root(root);
        self.roots.push(root);
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let events = [
            Event::ContextCreate {
                context: root,
                parent: 0,
            },
            Event::VmStart {
                root,
                size: size(&filter.vm_configuration),
            },
            Event::Configure {
                root,
                size: size(&spec.configuration),
            },
        ];
        for event in events {
            let (filter_name, callback) = (filter.name.clone(), event.callback());
            let result = self
                .vm
                .deliver(&event, filter.limits.start)
                .map_err(|failure| PluginError::Callback {
                    filter: filter_name,
                    callback,
                    failure,
                })?;
            if result == 0 && !matches!(event, Event::ContextCreate { .. }) {
                return Err(PluginError::Refused {
                    filter: filter.name.clone(),
                    callback,
                });
            }
        }
        Ok(())
    }
}
