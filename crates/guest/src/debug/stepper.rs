//! Tells a listener of each instruction, and lets it look at the machine meanwhile.
//!
//! Invariant: a listener sees what the module says, not what the compiler made of it: numbers of
//! functions and offsets are those of the module's own bytes.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{DebugEvent, DebugHandler, FrameHandle, Instance, StoreContextMut};

use super::value::Value;

/// Learns of each instruction before it runs.
pub trait Listener: Send {
    /// The machine stands still until this returns.
    fn stopped(&mut self, machine: &mut dyn Paused) -> Go;
}

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// Run the instruction.
    On,
    /// Run nothing more: the call ends with [`CallError::Quit`](super::CallError::Quit).
    Quit,
}

/// Why the machine stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// An instruction is about to run.
    Instruction,
    /// The instruction trapped.
    Trap(String),
    /// A function of the host failed.
    Host(String),
}

/// Where an instruction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Number of the function.
    pub function: u32,
    /// In bytes from the module's beginning.
    pub offset: u32,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The instruction that is about to run, or that called.
    pub place: Place,
    /// Parameters and locals.
    pub locals: Vec<Value>,
    /// Operands, the bottom first.
    pub stack: Vec<Value>,
}

/// A machine that stands still.
pub trait Paused {
    /// Why it does.
    fn why(&self) -> &Why;
    /// Where, if it is in the module at all.
    fn place(&mut self) -> Option<Place>;
    /// How many calls are open.
    fn depth(&mut self) -> usize;
    /// The calls, the innermost first, at most so many.
    fn frames(&mut self, most: usize) -> Vec<Frame>;
    /// All globals.
    fn globals(&mut self) -> Vec<Value>;
    /// What a memory holds; `None`: there is no such memory.
    fn memory(&mut self, index: u32) -> Option<&[u8]>;
}

/// What the module that runs has to do with the module as it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shift {
    /// Functions that it imports.
    pub(super) imported: u32,
    /// What is to be added to an offset in what was compiled.
    pub(super) code_moved: i64,
}

/// Hands the events of a store to a listener.
pub(super) struct Stepper<T> {
    shared: Arc<Shared>,
    shift: Shift,
    of: PhantomData<fn(T)>,
}

struct Shared {
    listener: Mutex<Box<dyn Listener>>,
    quits: AtomicBool,
}

impl<T> Stepper<T> {
    pub(super) fn new(listener: Box<dyn Listener>, shift: Shift) -> Self {
        let shared = Shared {
            listener: Mutex::new(listener),
            quits: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            shift,
            of: PhantomData,
        }
    }

    /// Whether the listener has had enough.
    pub(super) fn quits(&self) -> bool {
        self.shared.quits.load(Ordering::Relaxed)
    }
}

impl<T> Clone for Stepper<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            shift: self.shift,
            of: PhantomData,
        }
    }
}

impl<T: Send + 'static> DebugHandler for Stepper<T> {
    type Data = T;

    fn handle(
        &self,
        store: StoreContextMut<'_, T>,
        event: DebugEvent<'_>,
    ) -> impl Future<Output = ()> + Send {
        let why = match event {
            DebugEvent::Breakpoint => Some(Why::Instruction),
            DebugEvent::Trap(trap) => {
                let told = trap.to_string();
                let reason = told.strip_prefix("wasm trap: ").unwrap_or(&told);
                Some(Why::Trap(reason.to_owned()))
            }
            DebugEvent::HostcallError(error) => Some(Why::Host(crate::trace::text_of(error))),
            // Exceptions are caught or become errors; epochs are the deadline clock's.
            DebugEvent::Exception(_) | DebugEvent::EpochYield => None,
        };
        if let Some(why) = why {
            let mut machine = Machine {
                store,
                why,
                shift: self.shift,
                instance: None,
            };
            let listener = self.shared.listener.lock();
            let mut listener = listener.unwrap_or_else(PoisonError::into_inner);
            if listener.stopped(&mut machine) == Go::Quit {
                self.shared.quits.store(true, Ordering::Relaxed);
            }
        }
        let quits = self.quits();
        async move {
            if quits {
                // Whoever polls this drops it.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A store that stands still.
struct Machine<'s, T: 'static> {
    store: StoreContextMut<'s, T>,
    why: Why,
    shift: Shift,
    instance: Option<Instance>,
}

impl<T> Machine<'_, T> {
    fn place_of(&mut self, frame: &FrameHandle) -> Option<Place> {
        let found = frame.wasm_function_index_and_pc(&mut self.store).ok()??;
        let (function, offset) = (found.0.as_u32(), i64::from(found.1.raw()));
        Some(Place {
            function: function.checked_add(self.shift.imported)?,
            offset: u32::try_from(offset + self.shift.code_moved).ok()?,
        })
    }

    /// The frames of the module, the innermost first, over all calls of the host into it.
    fn each_frame(&mut self, mut with: impl FnMut(&mut Self, &FrameHandle) -> bool) {
        let exits: Vec<FrameHandle> = self.store.debug_exit_frames().collect();
        for exit in exits {
            let mut next = Some(exit);
            while let Some(frame) = next {
                if !with(self, &frame) {
                    return;
                }
                next = frame.parent(&mut self.store).ok().flatten();
            }
        }
    }

    fn frame_of(&mut self, frame: &FrameHandle) -> Option<Frame> {
        let place = self.place_of(frame)?;
        let locals = 0..frame.num_locals(&mut self.store).ok()?;
        let locals = locals.map_while(|index| frame.local(&mut self.store, index).ok());
        let locals = locals.map(|value| Value::of(&value)).collect();
        let operands = 0..frame.num_stacks(&mut self.store).ok()?;
        let stack = operands.map_while(|index| frame.stack(&mut self.store, index).ok());
        let stack = stack.map(|value| Value::of(&value)).collect();
        Some(Frame {
            place,
            locals,
            stack,
        })
    }

    fn instance(&mut self) -> Option<Instance> {
        if self.instance.is_none() {
            let frame = self.store.debug_exit_frames().next()?;
            self.instance = frame.instance(&mut self.store).ok();
        }
        self.instance
    }
}

impl<T> Paused for Machine<'_, T> {
    fn why(&self) -> &Why {
        &self.why
    }

    fn place(&mut self) -> Option<Place> {
        let frame = self.store.debug_exit_frames().next()?;
        self.place_of(&frame)
    }

    fn depth(&mut self) -> usize {
        let mut depth = 0;
        self.each_frame(|_, _| {
            depth += 1;
            true
        });
        depth
    }

    fn frames(&mut self, most: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.each_frame(|machine, frame| {
            frames.extend(machine.frame_of(frame));
            frames.len() < most
        });
        frames
    }

    fn globals(&mut self) -> Vec<Value> {
        let Some(instance) = self.instance() else {
            return Vec::new();
        };
        let globals = (0..).map_while(|index| {
            let global = instance.debug_global(&mut self.store, index)?;
            Some(Value::of(&global.get(&mut self.store)))
        });
        globals.collect()
    }

    fn memory(&mut self, index: u32) -> Option<&[u8]> {
        let instance = self.instance()?;
        let memory = instance.debug_memory(&mut self.store, index)?;
        Some(memory.data(&self.store))
    }
}
