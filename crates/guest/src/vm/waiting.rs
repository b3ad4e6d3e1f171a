//! A running guest that can be suspended while its world waits.
//!
//! Invariant: a guest stays on the thread on which it was made, and whoever stops waiting for it
//! (drops the future of an event) has ended it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use send_wrapper::SendWrapper;
use smallvec::SmallVec;
use wasmtime::{Instance, Val};
use weir_model::{Exceeded, GuestLimits};

use super::callbacks::default_result;
use super::state::{Ran, can_start_from};
use super::{Host, Linking, StartError, Vm, link, start_function, start_steps, zeros};
use crate::budget::MemoryBudget;
use crate::cell::Phase;
use crate::door::{Answer, Call, Cause, Event, Failure, MemoryCount, Reply, Stop, World};
use crate::engine::Engine;
use crate::program::Program;
use crate::snapshot::{Reset, Snapshot, SnapshotError};

/// The host's functions for guests that may wait. Some calls cost more than those of [`Host`]:
/// whatever never waits belongs there.
///
/// The world may answer [`Answer::Pending`] to calls for shared data and queues and to what reads
/// bytes: buffers, header values, properties, foreign functions, status of a callout.
pub struct WaitingHost<W: World + Send>(Host<W>);

/// A running guest that may wait: a [`Vm`] that is entered on a stack of its own.
pub struct WaitingVm<W: World + Send> {
    vm: Vm<W>,
    is_inside: bool,
}

impl<W: World + Send> WaitingHost<W> {
    /// Makes the host's functions for worlds of type `W`.
    ///
    /// # Errors
    ///
    /// Only when two functions have the same name, which a test excludes.
    pub fn new(engine: &Engine) -> Result<Self, StartError> {
        let linking = Linking {
            all: crate::host::waiting::link,
            higress: crate::host::waiting::link_higress,
            watch: link::watch_waiting,
        };
        Host::linked(engine, linking).map(Self)
    }

    /// Makes an instance and runs its start functions, as [`Host::start`] does.
    ///
    /// # Errors
    ///
    /// [`StartError`] when memory is short, the limits are too low or a start function fails.
    pub async fn start(
        &self,
        program: &Program,
        world: W,
        limits: &GuestLimits,
    ) -> Result<WaitingVm<W>, StartError> {
        let (mut vm, instance) = self.make(program, &program.start_image, world, limits)?;
        vm.run_start_waiting(&instance, program, limits.start)
            .await?;
        Ok(WaitingVm::of(vm))
    }

    /// Makes an instance that is in the state of a snapshot, as [`Host::start_from`] does. Nothing of
    /// the guest runs, so nothing waits.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the snapshot is another module's, memory is short or the limits are lower
    /// than what the snapshot needs.
    pub fn start_from(
        &self,
        program: &Program,
        snapshot: &Snapshot,
        world: W,
        limits: &GuestLimits,
    ) -> Result<WaitingVm<W>, StartError> {
        can_start_from(program, snapshot, limits)?;
        let (mut vm, _) = self.make(program, snapshot, world, limits)?;
        vm.assume(snapshot)?;
        Ok(WaitingVm::of(vm))
    }

    /// Makes an instance whose memories hold what a snapshot says.
    fn make(
        &self,
        program: &Program,
        snapshot: &Snapshot,
        world: W,
        limits: &GuestLimits,
    ) -> Result<(Vm<W>, Instance), StartError> {
        let mut draft = self.0.draft(program, snapshot, world, limits)?;
        let instance = {
            let (birth, link) = (&mut draft.birth, &draft.link);
            let mut instantiate = pin!(link.instance.instantiate_async(&mut draft.store));
            let mut context = Context::from_waker(Waker::noop());
            birth.give(|| instantiate.as_mut().poll(&mut context))
        };
        match instance {
            Poll::Ready(instance) => draft.finish((program, snapshot), instance),
            // Start functions are run by us, later; all else is there at once.
            Poll::Pending => Err(StartError::Instantiate("it would have to wait".to_owned())),
        }
    }
}

impl<W: World + Send> Vm<W> {
    async fn run_start_waiting(
        &mut self,
        instance: &Instance,
        program: &Program,
        limit: Duration,
    ) -> Result<(), StartError> {
        for (export, index) in start_steps(program) {
            let function = start_function(instance, &mut self.store, export, index)?;
            let (params, mut results) = zeros(&function, &self.store);
            let first = self.store.data_mut().deadline.begin_counted(limit);
            self.store.set_epoch_deadline(first);
            let outcome = function
                .call_async(&mut self.store, &params, &mut results)
                .await;
            self.has_started((export, limit), outcome)?;
        }
        self.store.data_mut().phase = Phase::Running;
        Ok(())
    }
}

impl<W: World + Send> WaitingVm<W> {
    fn of(vm: Vm<W>) -> Self {
        Self {
            vm,
            is_inside: false,
        }
    }

    /// Delivers one event, as [`Vm::deliver`](super::Vm::deliver) does. Other tasks of the thread
    /// run while the guest waits; that time does not count against `limit`.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the guest trapped or ran longer than `limit`. The VM is dead afterwards, as
    /// it is when an earlier delivery was dropped before it ended.
    pub async fn deliver(&mut self, event: &Event, limit: Duration) -> Result<i32, Failure> {
        if self.has_failed() {
            return Err(Cause::Gone.into());
        }
        let Some(callee) = self.vm.callbacks.callee(event) else {
            return Ok(default_result(event));
        };
        let function = *callee.function;
        let numbers = event.parameters().into_iter().take(callee.params);
        let params: SmallVec<[Val; 5]> = numbers.map(|n| Val::I32(n.cast_signed())).collect();
        let mut result = [Val::I32(0)];
        let results = &mut result[..callee.results];
        self.is_inside = true;
        self.vm
            .enter(event, |deadline| deadline.begin_counted(limit));
        let mut ran = Ran::Alone;
        let outcome = {
            let mut call = pin!(function.call_async(&mut self.vm.store, &params, results));
            let noted = poll_fn(|context| {
                let polled = call.as_mut().poll(context);
                if polled.is_pending() {
                    ran = Ran::WithOthers;
                }
                polled
            });
            noted.await
        };
        self.is_inside = false;
        self.vm.state.ran(ran);
        let [result] = result;
        let outcome = outcome.map(|()| result.i32().unwrap_or(0));
        self.vm.leave((event, limit), outcome)
    }

    /// Whether the guest has a callback for this event.
    #[must_use]
    pub fn hears(&self, event: &Event) -> bool {
        self.vm.hears(event)
    }

    /// The world that answers this guest.
    pub fn world(&mut self) -> &mut W {
        self.vm.world()
    }

    /// Bytes of linear memory in use.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.vm.memory_bytes()
    }

    /// Whether the guest has failed and is never entered again.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.vm.has_failed() || self.is_inside
    }

    /// The state of this guest, as [`Vm::snapshot`](super::Vm::snapshot).
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] when the module can hide state, the guest has failed or memory is short.
    pub fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        if self.is_inside {
            return Err(SnapshotError::Failed);
        }
        self.vm.snapshot()
    }

    /// Puts the guest back into the state of a snapshot, as [`Vm::reset`](super::Vm::reset).
    pub fn reset(&mut self, snapshot: &Snapshot) -> Reset {
        if self.is_inside {
            return Reset::Failed;
        }
        self.vm.reset(snapshot)
    }
}

/// A world that lives on one thread, for a [`WaitingHost`].
///
/// Wasmtime wants what it suspends to be `Send`, because an executor might move it. Weir's do not:
/// a worker is one thread. This wrapper claims `Send` and checks the claim at every use.
///
/// # Panics
///
/// When it is used or dropped on another thread than the one that made it.
pub struct OnThread<W>(SendWrapper<W>);

impl<W> OnThread<W> {
    /// Binds a world to this thread.
    pub fn new(world: W) -> Self {
        Self(SendWrapper::new(world))
    }

    /// The world itself.
    pub fn get(&mut self) -> &mut W {
        &mut self.0
    }
}

impl<W: World> World for OnThread<W> {
    fn enter(&mut self, event: &Event) {
        self.0.enter(event);
    }

    fn leave(&mut self, event: &Event, outcome: &Result<i32, Failure>) {
        self.0.leave(event, outcome);
    }

    fn allows(&self, name: &str) -> bool {
        self.0.allows(name)
    }

    fn memory_budget(&self) -> Option<Arc<MemoryBudget>> {
        self.0.memory_budget()
    }

    fn memory_count(&self) -> Option<MemoryCount> {
        self.0.memory_count()
    }

    fn exceeded(&mut self, what: Exceeded) {
        self.0.exceeded(what);
    }

    fn watches(&self) -> bool {
        self.0.watches()
    }

    fn has_files(&self) -> bool {
        self.0.has_files()
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        self.0.call(call)
    }

    fn arrive(&mut self, reply: Reply) -> Result<Reply, Stop> {
        self.0.arrive(reply)
    }
}
