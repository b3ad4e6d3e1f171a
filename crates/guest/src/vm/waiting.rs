//! A running guest that can be suspended while its world waits.
//!
//! Invariant: a guest stays on the thread on which it was made, and whoever stops waiting for it
//! (drops the future of an event) has ended it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use send_wrapper::SendWrapper;
use smallvec::SmallVec;
use wasmtime::{Instance, Memory, Store, Val};
use weir_model::GuestLimits;

use super::callbacks::default_result;
use super::{Host, StartError, bind, count_parts, refused_in, start_function, start_steps, zeros};
use crate::cell::{Cell, Phase};
use crate::door::{Answer, Call, Cause, Event, Failure, Reply, Stop, World};
use crate::engine::Engine;
use crate::memory::Birth;
use crate::program::Program;
use crate::trace::failure_of;

/// The host's functions for guests that may wait. Some calls cost more than those of [`Host`]:
/// whatever never waits belongs there.
///
/// The world may answer [`Answer::Pending`] to calls for shared data and queues and to what reads
/// bytes: buffers, header values, properties, foreign functions, status of a callout.
pub struct WaitingHost<W: World + Send>(Host<W>);

/// A running guest that may wait.
pub struct WaitingVm<W: World + Send> {
    store: Store<Cell<W>>,
    instance: Instance,
    memory: Memory,
    is_inside: bool,
    has_failed: bool,
}

impl<W: World + Send> WaitingHost<W> {
    /// Makes the host's functions for worlds of type `W`.
    ///
    /// # Errors
    ///
    /// Only when two functions have the same name, which a test excludes.
    pub fn new(engine: &Engine) -> Result<Self, StartError> {
        Host::linked(engine, crate::host::waiting::link).map(Self)
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
        count_parts(program, limits)?;
        let mut store = self.0.store(program, world, limits)?;
        let link = self.0.link(program, &mut store)?;
        let mut birth = Birth::of(program.start_image.memories().iter().cloned());
        let instance = {
            let mut instantiate = pin!(link.instance.instantiate_async(&mut store));
            let made = poll_fn(|context| birth.give(|| instantiate.as_mut().poll(context)));
            made.await
        };
        let instance = instance.map_err(|error| refused_in(&store, error))?;
        let memory = bind(&instance, program, &mut store)?;
        for (export, index) in start_steps(program) {
            let function = start_function(&instance, &mut store, export, index)?;
            let (params, mut results) = zeros(&function, &store);
            let first = store.data_mut().deadline.begin_counted(limits.start);
            store.set_epoch_deadline(first);
            let outcome = function.call_async(&mut store, &params, &mut results).await;
            let broken = store.data_mut().broken.take();
            broken
                .map_or(outcome, Err)
                .map_err(|error| StartError::Start {
                    export,
                    failure: failure_of(&error, limits.start, store.data()),
                })?;
        }
        store.data_mut().phase = Phase::Running;
        Ok(WaitingVm {
            store,
            instance,
            memory,
            is_inside: false,
            has_failed: false,
        })
    }
}

impl<W: World + Send> WaitingVm<W> {
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
        let callback = event.callback();
        let is_allowed = self.store.data().world.allows(callback);
        let function = self.instance.get_func(&mut self.store, callback);
        let Some(function) = function.filter(|_| is_allowed) else {
            return Ok(default_result(event));
        };
        let (params, mut results) = zeros(&function, &self.store);
        let params: SmallVec<[Val; 5]> = params
            .iter()
            .zip(event.parameters())
            .map(|(_, number)| Val::I32(number.cast_signed()))
            .collect();
        self.is_inside = true;
        self.store.data_mut().world.enter(event);
        let cell = self.store.data_mut();
        cell.cap.begin();
        let first = cell.deadline.begin_counted(limit);
        self.store.set_epoch_deadline(first);
        let outcome = function
            .call_async(&mut self.store, &params, &mut results)
            .await;
        let broken = self.store.data_mut().broken.take();
        let outcome = match broken.map_or(outcome, Err) {
            Ok(()) => Ok(results.first().and_then(Val::i32).unwrap_or(0)),
            Err(error) => {
                self.has_failed = true;
                Err(failure_of(&error, limit, self.store.data()))
            }
        };
        let cell = self.store.data_mut();
        if let Some(exceeded) = cell.cap.refused() {
            cell.world.exceeded(exceeded);
        }
        cell.world.leave(event, &outcome);
        self.is_inside = false;
        outcome
    }

    /// The world that answers this guest.
    pub fn world(&mut self) -> &mut W {
        &mut self.store.data_mut().world
    }

    /// Bytes of linear memory in use.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory.data_size(&self.store) as u64
    }

    /// Whether the guest has failed and is never entered again.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.has_failed || self.is_inside
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

    // `watches` stays false: a watched function calls the host's from within, which cannot wait.

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
