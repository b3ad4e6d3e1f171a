//! A module that is stepped through: an instance of it, its world, and calls of its exports.
//!
//! Imports that this host knows go through the door as a plugin's do; all others answer zeros. Either
//! way the world is told of each ([`Call::Touched`]).

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use wasm_encoder::SectionId;
use wasmparser::BinaryReader;
use wasmtime::{
    Caller, Extern, ExternType, Func, FuncType, Global, Instance, Linker, Memory, Module, Ref,
    Store, Table, Val, ValType,
};
use weir_model::GuestLimits;

use super::stepper::{Listener, Shift, Stepper};
use super::value::Value;
use crate::cell::{Cap, Cell, Deadline, Phase};
use crate::door::{Call, World};
use crate::engine::{Engine, EngineError, EngineKind};
use crate::memory::mapped::Mappings;
use crate::prepare::sections;
use crate::trace::text_of;

/// Exports that give memory to the host, in the order in which they are looked for.
const ALLOCATORS: [&str; 2] = ["proxy_on_memory_allocate", "malloc"];
/// Magic number and version of a module.
const HEADER_BYTES: usize = 8;
/// Ticks of the deadline clock: a person may look for as long as they like.
const TICKS: u64 = u64::MAX / 2;

/// A module that was compiled to be stepped through. Cheap to clone.
#[derive(Clone)]
pub struct Debuggable {
    module: Module,
    shift: Shift,
    /// The function that its start section names.
    first: Option<u32>,
}

/// An instance that is stepped through.
pub struct Subject<W: World + Send> {
    store: Store<Cell<W>>,
    instance: Instance,
    stepper: Stepper<Cell<W>>,
}

/// Why there is nothing to step through.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// No engine for it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The compiler refuses the module.
    #[error("the module cannot be compiled for debugging: {0}")]
    Compile(String),
    /// There is no instance of it.
    #[error("the module cannot be instantiated: {0}")]
    Instantiate(String),
    /// Its start function ended otherwise than by returning.
    #[error("the module's start function did not return: {0}")]
    Start(CallError),
}

/// How a call ended, if not by returning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no such export.
    #[error("the module exports no function `{0}`")]
    NoExport(String),
    /// These are no arguments for it.
    #[error("`{export}` takes ({expected}), not ({given})")]
    Arguments {
        /// What was called.
        export: String,
        /// Types of its parameters.
        expected: String,
        /// Types of what was given.
        given: String,
    },
    /// It trapped.
    #[error("trapped: {0}")]
    Trap(String),
    /// The listener had seen enough.
    #[error("stopped before its end")]
    Quit,
}

impl Debuggable {
    /// Compiles a module. `engine` is one of [`Engine::debugging`].
    ///
    /// # Errors
    ///
    /// [`SubjectError`] when the engine cannot run it.
    pub fn compile(engine: &Engine, module: &[u8]) -> Result<Self, SubjectError> {
        let engine = engine.of(EngineKind::Cranelift)?;
        let (without, first) = without_start(module);
        let code_moved = i64::try_from(module.len() - without.len()).unwrap_or(0);
        let module = Module::from_binary(engine, &without)
            .map_err(|error| SubjectError::Compile(text_of(&error)))?;
        let imports = module.imports();
        let functions = imports.filter(|import| matches!(import.ty(), ExternType::Func(_)));
        let shift = Shift {
            imported: u32::try_from(functions.count()).unwrap_or(u32::MAX),
            code_moved,
        };
        Ok(Self {
            module,
            shift,
            first,
        })
    }

    /// Makes an instance, whose start function is told to the listener as everything else.
    ///
    /// # Errors
    ///
    /// [`SubjectError`] when it cannot be made, or its start function fails.
    pub fn start<W: World + Send>(
        &self,
        world: W,
        limits: &GuestLimits,
        listener: Box<dyn Listener>,
    ) -> Result<Subject<W>, SubjectError> {
        let refused = |error: wasmtime::Error| SubjectError::Instantiate(text_of(&error));
        let mut store = Store::new(self.module.engine(), cell(world, limits));
        store.limiter(|cell| &mut cell.cap);
        store.set_epoch_deadline(TICKS);
        let stepper = Stepper::new(listener, self.shift);
        store.set_debug_handler(stepper.clone());
        if let Some(mut edit) = store.edit_breakpoints() {
            edit.single_step(true).map_err(refused)?;
        }
        let linker = self.link(&mut store).map_err(refused)?;
        let instance = linker.instantiate_async(&mut store, &self.module);
        let made = wait(instance, || stepper.quits());
        let instance = match made {
            Some(Ok(instance)) => instance,
            Some(Err(error)) => return Err(refused(error)),
            None => return Err(SubjectError::Start(CallError::Quit)),
        };
        bind(&mut store, instance);
        let mut subject = Subject {
            store,
            instance,
            stepper,
        };
        if let Some(first) = self.first {
            let function = instance.debug_function(&mut subject.store, first);
            if let Some(function) = function {
                subject.run(function, &[]).map_err(SubjectError::Start)?;
            }
        }
        Ok(subject)
    }

    /// Everything that the module imports.
    fn link<W: World + Send>(
        &self,
        store: &mut Store<Cell<W>>,
    ) -> wasmtime::Result<Linker<Cell<W>>> {
        let mut known = Linker::new(self.module.engine());
        crate::host::waiting::link(&mut known)?;
        let mut linker = Linker::new(self.module.engine());
        linker.allow_shadowing(true);
        for import in self.module.imports() {
            let (module, name) = (import.module(), import.name());
            let told = format!("{module}.{name}");
            match import.ty() {
                ExternType::Func(ty) => {
                    let function = known.get(&mut *store, module, name).ok();
                    let function = function.and_then(Extern::into_func);
                    // A function of this name, but of another type, is not ours.
                    let function =
                        function.filter(|function| FuncType::eq(&function.ty(&*store), &ty));
                    match function {
                        Some(function) => {
                            forward(&mut linker, (module, name), ty, (told, function))?;
                        }
                        None => stub(&mut linker, (module, name), ty, told)?,
                    }
                }
                ExternType::Global(ty) => {
                    let zero =
                        spectest(module, ty.content()).or_else(|| ty.content().default_value());
                    let zero =
                        zero.ok_or_else(|| wasmtime::format_err!("{told}: no value for it"))?;
                    let global = Global::new(&mut *store, ty, zero)?;
                    linker.define(&mut *store, module, name, global)?;
                }
                ExternType::Memory(ty) => {
                    let memory = Memory::new(&mut *store, ty)?;
                    linker.define(&mut *store, module, name, memory)?;
                }
                ExternType::Table(ty) => {
                    let nothing = Ref::null(ty.element().heap_type());
                    let table = Table::new(&mut *store, ty, nothing)?;
                    linker.define(&mut *store, module, name, table)?;
                }
                ExternType::Tag(_) => {}
            }
        }
        Ok(linker)
    }
}

impl<W: World + Send> Subject<W> {
    /// Calls an export and waits for its end.
    ///
    /// # Errors
    ///
    /// [`CallError`] when it does not return.
    pub fn call(&mut self, export: &str, arguments: &[Value]) -> Result<Vec<Value>, CallError> {
        let function = self.instance.get_func(&mut self.store, export);
        let function = function.ok_or_else(|| CallError::NoExport(export.to_owned()))?;
        let ty = function.ty(&self.store);
        let values = arguments.iter().map(|value| value.to_wasmtime());
        let values: Option<Vec<Val>> = values.collect();
        let fits = |values: &Vec<Val>| {
            values.len() == ty.params().len()
                && ty
                    .params()
                    .zip(values)
                    .all(|(ty, value)| value.matches_ty(&self.store, &ty).unwrap_or(false))
        };
        let Some(values) = values.filter(fits) else {
            let given = arguments.iter().map(Value::type_name);
            return Err(CallError::Arguments {
                export: export.to_owned(),
                expected: ty
                    .params()
                    .map(|ty| ty.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
                given: given.collect::<Vec<_>>().join(", "),
            });
        };
        self.run(function, &values)
    }

    fn run(&mut self, function: Func, arguments: &[Val]) -> Result<Vec<Value>, CallError> {
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let called = {
            let call = function.call_async(&mut self.store, arguments, &mut results);
            wait(call, || self.stepper.quits())
        };
        match called {
            Some(Ok(())) => Ok(results.iter().map(Value::of).collect()),
            Some(Err(error)) => {
                let told = text_of(&error);
                let reason = told.strip_prefix("wasm trap: ").unwrap_or(&told);
                Err(CallError::Trap(reason.to_owned()))
            }
            None => Err(CallError::Quit),
        }
    }

    /// The world that answers it.
    pub fn world(&mut self) -> &mut W {
        &mut self.store.data_mut().world
    }

    /// Types of the parameters of an export, as [`CallError::Arguments`] tells them.
    #[must_use]
    pub fn has(&mut self, export: &str) -> bool {
        self.instance.get_func(&mut self.store, export).is_some()
    }
}

/// The module without its start section, and the function that it names. Wasmtime cannot look into
/// an instance that it is still making, and host functions want its memory: so it is called later.
fn without_start(module: &[u8]) -> (Cow<'_, [u8]>, Option<u32>) {
    let mut end = HEADER_BYTES;
    for (id, content) in sections(module) {
        if id == SectionId::Start as u8 {
            let index = BinaryReader::new(&module[content.clone()], 0).read_var_u32();
            let Ok(index) = index else {
                break;
            };
            let without = [&module[..end], &module[content.end..]].concat();
            return (Cow::Owned(without), Some(index));
        }
        end = content.end;
    }
    (Cow::Borrowed(module), None)
}

fn cell<W: World>(world: W, limits: &GuestLimits) -> Cell<W> {
    let cap = Cap::of(limits, &world);
    Cell {
        world,
        memory: None,
        mappings: Mappings::default(),
        allocator: None,
        phase: Phase::Running,
        broken: None,
        allocator_is_free: true,
        cap,
        code_moved: 0,
        deadline: Deadline::of(Duration::MAX),
    }
}

/// Notes memory and allocator of an instance in its cell, as far as it has them.
fn bind<W: World>(store: &mut Store<Cell<W>>, instance: Instance) {
    let memory = instance.get_memory(&mut *store, "memory");
    let allocator = ALLOCATORS.iter().find_map(|name| {
        let function = instance.get_func(&mut *store, name)?;
        function.typed::<i32, i32>(&*store).ok()
    });
    store.data_mut().memory = memory;
    store.data_mut().allocator = allocator;
}

/// Puts a function that tells the world before one of the host.
fn forward<W: World + Send>(
    linker: &mut Linker<Cell<W>>,
    (module, name): (&str, &str),
    ty: FuncType,
    (told, function): (String, Func),
) -> wasmtime::Result<()> {
    linker.func_new_async(module, name, ty, move |mut guest, arguments, results| {
        let touched = touch(&mut guest, &told, arguments);
        Box::new(async move {
            touched?;
            function.call_async(&mut guest, arguments, results).await
        })
    })?;
    Ok(())
}

/// A function that tells the world and answers zeros.
fn stub<W: World + Send>(
    linker: &mut Linker<Cell<W>>,
    (module, name): (&str, &str),
    ty: FuncType,
    told: String,
) -> wasmtime::Result<()> {
    let zeros = ty.results().map(|ty| ty.default_value());
    let zeros: Option<Vec<Val>> = zeros.collect();
    linker.func_new(module, name, ty, move |mut guest, arguments, results| {
        touch(&mut guest, &told, arguments)?;
        let zeros = zeros.as_ref();
        let zeros = zeros.ok_or_else(|| wasmtime::format_err!("{told}: no value to return"))?;
        results.clone_from_slice(zeros);
        Ok(())
    })?;
    Ok(())
}

fn touch<W: World>(
    guest: &mut Caller<'_, Cell<W>>,
    name: &str,
    arguments: &[Val],
) -> wasmtime::Result<()> {
    let arguments = arguments.iter().map(|value| Value::of(value).to_string());
    let function = format!("{name}({})", arguments.collect::<Vec<_>>().join(", "));
    let world = &mut guest.data_mut().world;
    world.call(Call::Touched {
        function: &function,
    })?;
    Ok(())
}

/// What the globals of the core test-suite's host hold.
fn spectest(module: &str, ty: &ValType) -> Option<Val> {
    if module != "spectest" {
        return None;
    }
    Some(match ty {
        ValType::I32 => Val::I32(666),
        ValType::I64 => Val::I64(666),
        ValType::F32 => Val::F32(666.6_f32.to_bits()),
        ValType::F64 => Val::F64(666.6_f64.to_bits()),
        ValType::V128 | ValType::Ref(_) => return None,
    })
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread; `None`: the future was dropped, because it would not end.
fn wait<F: Future>(future: F, gives_up: impl Fn() -> bool) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending if gives_up() => return None,
            Poll::Pending => std::thread::park(),
        }
    }
}
