//! One running guest: an instance, its world and its limits.
//!
//! Invariant: after a [`Failure`] the instance is never entered again.

mod callbacks;
mod waiting;

use std::time::Duration;

use wasmtime::{
    Extern, ExternType, Func, FuncType, Instance, Linker, Memory, ModuleExport, Store, Table, Trap,
    UpdateDeadline, Val, ValType,
};
use weir_model::{Dialect, GuestLimits};

use crate::abi::Topic;
use crate::cell::{Cell, Deadline, MemoryCap, Phase};
use crate::door::{Call, Event, Failure, Status, Stop, World};
use crate::engine::{Engine, ticks};
use crate::program::Program;
use callbacks::Callbacks;

pub use waiting::{OnThread, WaitingHost, WaitingVm};

/// `errno` of a WASI function that is not there.
const WASI_NOSYS: i32 = 52;
/// `errno` of a WASI function that is withheld.
const WASI_NOTCAPABLE: i32 = 76;

/// The host's functions, ready to be linked with any program. One per worker and kind of world.
pub struct Host<W: World> {
    linker: Linker<Cell<W>>,
    engine: Engine,
}

/// A running guest.
pub struct Vm<W: World> {
    store: Store<Cell<W>>,
    callbacks: Callbacks,
    memory: Memory,
    has_failed: bool,
}

/// Why a guest did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Linking or instantiation failed.
    #[error("the module cannot be instantiated: {0}")]
    Instantiate(String),
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
        let mut linker = Linker::new(engine.wasmtime());
        crate::host::link(&mut linker)
            .map_err(|error| StartError::Instantiate(format!("{error:#}")))?;
        Ok(Self {
            linker,
            engine: engine.clone(),
        })
    }

    /// Makes an instance and runs its start functions (`_initialize` and `main`, or `_start`).
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
        let mut store = self.store(program, world, limits);
        let linker = self.linker_for(program, &mut store).map_err(refused)?;
        let instance = linker
            .instantiate(&mut store, &program.module)
            .map_err(refused)?;
        let memory = bind(&instance, program, &mut store)?;
        let callbacks = Callbacks::find(&instance, &mut store);
        let mut vm = Vm {
            store,
            callbacks,
            memory,
            has_failed: false,
        };
        vm.run_start(&instance, program, limits.start)?;
        vm.store.data_mut().phase = Phase::Running;
        Ok(vm)
    }

    /// A store for one guest, with its limits set.
    fn store(&self, program: &Program, world: W, limits: &GuestLimits) -> Store<Cell<W>> {
        let cell = Cell {
            world,
            memory: None,
            allocator: None,
            phase: Phase::Starting,
            broken: None,
            allocator_is_free: program.dialect == Dialect::Higress,
            cap: MemoryCap::of(limits.memory_bytes),
            deadline: Deadline::of(limits.start),
        };
        let mut store = Store::new(self.engine.wasmtime(), cell);
        store.limiter(|cell| &mut cell.cap);
        store.epoch_deadline_callback(|mut context| {
            Ok(match context.data_mut().deadline.expired() {
                Some(more) => UpdateDeadline::Continue(more),
                None => UpdateDeadline::Interrupt,
            })
        });
        store.set_epoch_deadline(ticks(limits.start / 2));
        store
    }

    /// The host's functions, with stubs and memories that only this program asks for.
    fn linker_for(
        &self,
        program: &Program,
        store: &mut Store<Cell<W>>,
    ) -> wasmtime::Result<Linker<Cell<W>>> {
        let mut linker = self.linker.clone();
        if program.dialect == Dialect::Higress {
            crate::host::higress::link(&mut linker)?;
        }
        for import in program.module.imports() {
            let (module, name) = (import.module(), import.name());
            match import.ty() {
                ExternType::Func(ty) if !is_granted(&store.data().world, module, name) => {
                    withhold(&mut linker, (module, name), ty)?;
                }
                ExternType::Func(ty) if linker.get(&mut *store, module, name).is_err() => {
                    let is_wasi = crate::abi::WASI_MODULES.contains(&module);
                    let answer = if is_wasi {
                        WASI_NOSYS
                    } else {
                        Status::Unimplemented as i32
                    };
                    let answers: Vec<Val> =
                        ty.results().map(|ty| stub_answer(&ty, answer)).collect();
                    linker.func_new(module, name, ty, move |_, _, results| {
                        results.clone_from_slice(&answers);
                        Ok(())
                    })?;
                }
                ExternType::Memory(ty) => {
                    let memory = Memory::new(&mut *store, ty)?;
                    linker.define(&mut *store, module, name, memory)?;
                }
                ExternType::Table(ty) => {
                    let empty = wasmtime::Ref::null(ty.element().heap_type());
                    let table = Table::new(&mut *store, ty, empty)?;
                    linker.define(&mut *store, module, name, table)?;
                }
                ExternType::Func(_) | ExternType::Global(_) | ExternType::Tag(_) => {}
            }
        }
        Ok(linker)
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
            let broken = self.store.data_mut().broken.take();
            broken
                .map_or(outcome, Err)
                .map_err(|error| self.failure(&error, limit))
                .map_err(|failure| StartError::Start { export, failure })?;
        }
        Ok(())
    }

    /// Delivers one event and returns the callback's result: an action for stream events, a truth
    /// value for start, configure and done, 0 for the rest. A missing callback gives its default.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the guest trapped or ran longer than `limit`. The VM is dead afterwards.
    pub fn deliver(&mut self, event: &Event, limit: Duration) -> Result<i32, Failure> {
        if self.has_failed {
            return Err(Failure::Gone);
        }
        if !self.callbacks.has(event) {
            return Ok(callbacks::default_result(event));
        }
        self.store.data_mut().world.enter(event);
        let first = self.store.data_mut().deadline.begin(limit);
        self.store.set_epoch_deadline(first);
        let outcome = self.callbacks.call(&mut self.store, event);
        let outcome = match self.store.data_mut().broken.take() {
            Some(error) => Err(error),
            None => outcome,
        };
        let outcome = outcome.map_err(|error| self.failure(&error, limit));
        self.store.data_mut().world.leave(event, &outcome);
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
        failure_of(error, limit)
    }
}

/// Whether a world lets its guest call what it imports. What tool chains need to run, and what this
/// host does not know, is no capability.
fn is_granted<W: World>(world: &W, module: &str, name: &str) -> bool {
    let known = crate::abi::find(module, name);
    known.is_none_or(|function| function.topic == Topic::Runtime || world.allows(name))
}

/// Puts a stub in the place of a host function: it tells the world and fails.
fn withhold<W: World>(
    linker: &mut Linker<Cell<W>>,
    (module, name): (&str, &str),
    ty: FuncType,
) -> wasmtime::Result<()> {
    let answer = if crate::abi::WASI_MODULES.contains(&module) {
        WASI_NOTCAPABLE
    } else {
        Status::InternalFailure as i32
    };
    let answers: Vec<Val> = ty.results().map(|ty| stub_answer(&ty, answer)).collect();
    let function = name.to_owned();
    linker.allow_shadowing(true);
    linker.func_new(module, name, ty, move |mut guest, _, results| {
        let world = &mut guest.data_mut().world;
        world.call(Call::Withheld {
            function: &function,
        })?;
        results.clone_from_slice(&answers);
        Ok(())
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Notes memory and allocator of an instance in its cell.
fn bind<W: World>(
    instance: &Instance,
    program: &Program,
    store: &mut Store<Cell<W>>,
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
    let steps = match &exports.initialize {
        Some(initialize) => [Some(("_initialize", initialize)), main()],
        None => [exports.start.as_ref().map(|start| ("_start", start)), None],
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

fn failure_of(error: &wasmtime::Error, limit: Duration) -> Failure {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Failure::Stopped {
            stop: stop.clone(),
            trace: trace_of(error, stop),
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Failure::Deadline(limit),
        _ => Failure::Trap(text_of(error)),
    }
}

/// What a stub returns for a result of this type.
fn stub_answer(ty: &ValType, answer: i32) -> Val {
    match ty {
        ValType::I32 => Val::I32(answer),
        ValType::I64 => Val::I64(i64::from(answer)),
        ValType::F32 => Val::F32(0),
        ValType::F64 => Val::F64(0),
        ValType::V128 => Val::V128(0u128.into()),
        ValType::Ref(_) => Val::null_func_ref(),
    }
}

/// What the error says besides its reason: the guest's stack.
fn trace_of(error: &wasmtime::Error, stop: &Stop) -> String {
    let reason = stop.to_string();
    let mut others: Vec<String> = error.chain().map(ToString::to_string).collect();
    others.retain(|cause| *cause != reason);
    others.join("; ")
}

/// The error with its causes and the guest's stack, in one text of several lines.
fn text_of(error: &wasmtime::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.reverse();
    causes.dedup();
    causes.join("; ")
}
