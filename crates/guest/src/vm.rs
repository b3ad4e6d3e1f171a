//! One running guest: an instance, its world and its limits.
//!
//! Invariant: after a [`Failure`] the instance is never entered again.

pub(crate) mod callbacks;
mod link;
mod state;
mod waiting;

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use wasmtime::{Extern, Func, Instance, Linker, Memory, ModuleExport, Store, UpdateDeadline, Val};
use weir_model::{Dialect, Exceeded, GuestLimits, Limit};

use crate::cell::{Cap, Cell, Deadline, Phase};
use crate::door::{Cause, Event, Failure, World};
use crate::engine::{Engine, EngineKind, ticks};
use crate::memory::Birth;
use crate::memory::mapped::Mappings;
use crate::program::Program;
use crate::snapshot::Snapshot;
use crate::trace::{failure_of, text_of};
pub(crate) use callbacks::CallbackExports;
use callbacks::Callbacks;
use link::Link;
use state::{Ran, State};

pub use waiting::{OnThread, WaitingHost, WaitingVm};

/// The host's functions, ready to be linked with any program. One per worker and kind of world.
pub struct Host<W: World> {
    /// By kind of engine: a linker belongs to one.
    linkers: [OnceCell<Linker<Cell<W>>>; EngineKind::ALL.len()],
    linking: Linking<W>,
    engine: Engine,
    /// Programs that were linked already.
    links: RefCell<Vec<Rc<Link<W>>>>,
}

/// How the host's functions are put into a linker.
struct Linking<W: World> {
    /// Those that every module may import.
    all: fn(&mut Linker<Cell<W>>) -> wasmtime::Result<()>,
    /// Those that only Higress has.
    higress: fn(&mut Linker<Cell<W>>) -> wasmtime::Result<()>,
    /// Puts a function before a host function that tells the world of each call.
    watch: link::Watch<W>,
}

/// How messages call the function of a module's start section.
pub(crate) const START_SECTION: &str = "the start section";

/// A running guest.
pub struct Vm<W: World> {
    store: Store<Cell<W>>,
    callbacks: Callbacks,
    memory: Memory,
    state: State,
    has_failed: bool,
}

/// Why a guest did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Linking or instantiation failed.
    #[error("the module cannot be instantiated: {0}")]
    Instantiate(String),
    /// The module is larger than its limits from the start.
    #[error("the module needs more than it may use: {0}")]
    TooLarge(Exceeded),
    /// No process for it.
    #[error("the plugin's process does not start: {0}")]
    Process(String),
    /// `_initialize`, `main` or `_start` failed.
    #[error("{export} failed: {failure}")]
    Start {
        /// Which export.
        export: &'static str,
        /// How.
        failure: Failure,
    },
}

impl<W: World> Host<W> {
    /// Makes the host's functions for worlds of type `W`.
    ///
    /// # Errors
    ///
    /// Only when two functions have the same name, which a test excludes.
    pub fn new(engine: &Engine) -> Result<Self, StartError> {
        let linking = Linking {
            all: crate::host::link,
            higress: crate::host::higress::link,
            watch: link::watch,
        };
        Self::linked(engine, linking)
    }

    fn linked(engine: &Engine, linking: Linking<W>) -> Result<Self, StartError> {
        let host = Self {
            linkers: Default::default(),
            linking,
            engine: engine.clone(),
            links: RefCell::default(),
        };
        host.linker(EngineKind::Cranelift)?;
        Ok(host)
    }

    /// The host's functions for a kind of engine; linked when they are first asked for.
    fn linker(&self, kind: EngineKind) -> Result<&Linker<Cell<W>>, StartError> {
        let place = &self.linkers[kind.index()];
        if let Some(linker) = place.get() {
            return Ok(linker);
        }
        let mut linker = Linker::new(self.engine_of(kind)?);
        (self.linking.all)(&mut linker).map_err(refused)?;
        Ok(place.get_or_init(|| linker))
    }

    fn engine_of(&self, kind: EngineKind) -> Result<&wasmtime::Engine, StartError> {
        self.engine
            .of(kind)
            .map_err(|error| StartError::Instantiate(error.to_string()))
    }

    /// Makes an instance and runs its start functions (the start section's, then `_initialize` and
    /// `main`, or `_start`).
    ///
    /// # Errors
    ///
    /// [`StartError`] when memory is short, the limits are too low or a start function fails.
    pub fn start(
        &self,
        program: &Program,
        world: W,
        limits: &GuestLimits,
    ) -> Result<Vm<W>, StartError> {
        let (mut vm, instance) = self.make(program, &program.start_image, world, limits)?;
        vm.run_start(&instance, program, limits.start)?;
        Ok(vm)
    }

    /// Makes an instance whose memories hold what a snapshot says.
    fn make(
        &self,
        program: &Program,
        snapshot: &Snapshot,
        world: W,
        limits: &GuestLimits,
    ) -> Result<(Vm<W>, Instance), StartError> {
        let mut draft = self.draft(program, snapshot, world, limits)?;
        let (birth, link) = (&mut draft.birth, &draft.link);
        let instance = birth.give(|| link.instance.instantiate(&mut draft.store));
        draft.finish((program, snapshot), instance)
    }

    /// All that an instance is made of.
    fn draft(
        &self,
        program: &Program,
        snapshot: &Snapshot,
        world: W,
        limits: &GuestLimits,
    ) -> Result<Draft<W>, StartError> {
        count_parts(program, limits)?;
        let mut store = self.store(program, world, limits)?;
        let link = self.link(program, &mut store)?;
        let birth = Birth::of(snapshot.memories().iter().cloned());
        Ok(Draft { store, link, birth })
    }

    /// A store for one guest, with its limits set.
    fn store(
        &self,
        program: &Program,
        world: W,
        limits: &GuestLimits,
    ) -> Result<Store<Cell<W>>, StartError> {
        let cap = Cap::of(limits, &world);
        let cell = Cell {
            world,
            memory: None,
            mappings: Mappings::default(),
            allocator: None,
            phase: Phase::Starting,
            broken: None,
            allocator_is_free: program.dialect == Dialect::Higress,
            cap,
            code_moved: program.facts.code_moved(),
            deadline: Deadline::of(limits.start),
        };
        let mut store = Store::new(self.engine_of(program.engine)?, cell);
        store.limiter(|cell| &mut cell.cap);
        store.epoch_deadline_callback(|mut context| {
            Ok(match context.data_mut().deadline.expired() {
                Some(more) => UpdateDeadline::Continue(more),
                None => UpdateDeadline::Interrupt,
            })
        });
        store.set_epoch_deadline(ticks(limits.start / 2));
        Ok(store)
    }
}

/// A VM whose instance is being made.
struct Draft<W: World> {
    store: Store<Cell<W>>,
    link: Rc<Link<W>>,
    birth: Birth,
}

impl<W: World> Draft<W> {
    /// The VM, if there is an instance.
    fn finish(
        mut self,
        (program, snapshot): (&Program, &Snapshot),
        instance: wasmtime::Result<Instance>,
    ) -> Result<(Vm<W>, Instance), StartError> {
        let store = &mut self.store;
        let instance = instance.map_err(|error| refused_in(store, error))?;
        let memory = bind(&instance, program, (&mut *store, &self.birth))?;
        let callbacks = self.link.callbacks.bind(&instance, store);
        let state = State::of(program, &instance, store, (snapshot, self.birth))?;
        let vm = Vm {
            store: self.store,
            callbacks,
            memory,
            state,
            has_failed: false,
        };
        Ok((vm, instance))
    }
}

impl<W: World> Vm<W> {
    fn run_start(
        &mut self,
        instance: &Instance,
        program: &Program,
        limit: Duration,
    ) -> Result<(), StartError> {
        for (export, index) in start_steps(program) {
            let function = start_function(instance, &mut self.store, export, index)?;
            let (params, mut results) = zeros(&function, &self.store);
            let first = self.store.data_mut().deadline.begin(limit);
            self.store.set_epoch_deadline(first);
            let outcome = function.call(&mut self.store, &params, &mut results);
            self.has_started((export, limit), outcome)?;
        }
        self.store.data_mut().phase = Phase::Running;
        Ok(())
    }

    /// A start function has returned.
    fn has_started(
        &mut self,
        (export, limit): (&'static str, Duration),
        outcome: wasmtime::Result<()>,
    ) -> Result<(), StartError> {
        let broken = self.store.data_mut().broken.take();
        broken
            .map_or(outcome, Err)
            .map_err(|error| self.failure(&error, limit))
            .map_err(|failure| StartError::Start { export, failure })
    }

    /// Delivers one event and returns the callback's result: an action for stream events, a truth
    /// value for start, configure and done, 0 for the rest. A missing callback gives its default.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the guest trapped or ran longer than `limit`. The VM is dead afterwards.
    pub fn deliver(&mut self, event: &Event, limit: Duration) -> Result<i32, Failure> {
        if self.has_failed {
            return Err(Cause::Gone.into());
        }
        if !self.callbacks.has(event) {
            return Ok(callbacks::default_result(event));
        }
        self.enter(event, |deadline| deadline.begin(limit));
        let outcome = self.callbacks.call(&mut self.store, event);
        self.state.ran(Ran::Alone);
        self.leave((event, limit), outcome)
    }

    /// The guest is about to run.
    fn enter(&mut self, event: &Event, begin: impl FnOnce(&mut Deadline) -> u64) {
        let cell = self.store.data_mut();
        cell.world.enter(event);
        cell.cap.begin();
        let first = begin(&mut cell.deadline);
        self.store.set_epoch_deadline(first);
    }

    /// The guest has returned.
    fn leave(
        &mut self,
        (event, limit): (&Event, Duration),
        outcome: wasmtime::Result<i32>,
    ) -> Result<i32, Failure> {
        let outcome = match self.store.data_mut().broken.take() {
            Some(error) => Err(error),
            None => outcome,
        };
        let outcome = outcome.map_err(|error| self.failure(&error, limit));
        let cell = self.store.data_mut();
        if let Some(exceeded) = cell.cap.refused() {
            cell.world.exceeded(exceeded);
        }
        cell.world.leave(event, &outcome);
        outcome
    }

    /// Whether the guest has a callback for this event.
    #[must_use]
    pub fn hears(&self, event: &Event) -> bool {
        self.callbacks.has(event)
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
        self.has_failed
    }

    fn failure(&mut self, error: &wasmtime::Error, limit: Duration) -> Failure {
        self.has_failed = true;
        failure_of(error, limit, self.store.data())
    }
}

/// Notes memory and allocator of an instance in its cell.
fn bind<W: World>(
    instance: &Instance,
    program: &Program,
    (store, birth): (&mut Store<Cell<W>>, &Birth),
) -> Result<Memory, StartError> {
    let exports = &program.exports;
    let Some(Extern::Memory(memory)) = instance.get_module_export(&mut *store, &exports.memory)
    else {
        return Err(StartError::Instantiate("no memory".to_owned()));
    };
    let allocator = instance
        .get_module_export(&mut *store, &exports.allocator)
        .and_then(Extern::into_func)
        .map(|function| function.typed::<i32, i32>(&*store))
        .transpose()
        .map_err(refused)?;
    let region = birth.region_at(memory.data_ptr(&*store));
    store.data_mut().mappings = Mappings::of(region);
    store.data_mut().memory = Some(memory);
    store.data_mut().allocator = allocator;
    Ok(memory)
}

/// The functions that start a module, in their order.
fn start_steps(program: &Program) -> impl Iterator<Item = (&'static str, &ModuleExport)> {
    let exports = &program.exports;
    let main = || {
        let main = exports.main.as_ref().map(|main| ("main", main));
        main.or(exports.main_void.as_ref().map(|main| ("__main_void", main)))
    };
    let first = exports.first.as_ref().map(|first| (START_SECTION, first));
    let steps = if let Some(initialize) = &exports.initialize {
        [first, Some(("_initialize", initialize)), main()]
    } else {
        let start = exports.start.as_ref().map(|start| ("_start", start));
        [first, start, None]
    };
    steps.into_iter().flatten()
}

fn start_function<W: World>(
    instance: &Instance,
    store: &mut Store<Cell<W>>,
    export: &str,
    index: &ModuleExport,
) -> Result<Func, StartError> {
    instance
        .get_module_export(store, index)
        .and_then(Extern::into_func)
        .ok_or_else(|| StartError::Instantiate(format!("{export} is no function")))
}

/// Zeros for the parameters and results of a start function, which are `i32` all.
fn zeros<W: World>(function: &Func, store: &Store<Cell<W>>) -> (Vec<Val>, Vec<Val>) {
    let ty = function.ty(store);
    (
        vec![Val::I32(0); ty.params().len()],
        vec![Val::I32(0); ty.results().len()],
    )
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn refused(error: wasmtime::Error) -> StartError {
    StartError::Instantiate(text_of(&error))
}

/// The same, if it was no limit that refused it.
fn refused_in<W: World>(store: &Store<Cell<W>>, error: wasmtime::Error) -> StartError {
    let limit = store.data().cap.refused();
    limit.map_or_else(|| refused(error), StartError::TooLarge)
}

/// Refuses a module with too many memories or tables.
fn count_parts(program: &Program, limits: &GuestLimits) -> Result<(), StartError> {
    let needs = program.module.resources_required();
    let too_large = |limit| Err(StartError::TooLarge(limits.exceeded(limit)));
    if needs.num_memories > limits.memories {
        return too_large(Limit::Memories);
    }
    if needs.num_tables > limits.tables {
        return too_large(Limit::Tables);
    }
    Ok(())
}
