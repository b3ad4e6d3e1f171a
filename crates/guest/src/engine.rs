//! The engines of this process: Wasmtime with Weir's settings, once for each compiler, and the
//! clock that ends guests which run too long.
//!
//! Invariant: what a guest can observe does not depend on the engine that it runs on, but for speed.

mod clock;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use weir_model::limits;

use crate::memory::Memories;
use clock::Clock;

/// Distance of two ticks of the deadline clock: the grain of every time limit of a guest.
pub const TICK: Duration = Duration::from_millis(2);

/// What code is made by, and for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineKind {
    /// Optimised machine code.
    Cranelift,
    /// Machine code made in one pass.
    Winch,
    /// Byte code for an interpreter.
    Pulley,
}

impl EngineKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Cranelift, Self::Winch, Self::Pulley];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cranelift => "cranelift",
            Self::Winch => "winch",
            Self::Pulley => "pulley",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// How a compiler uses the processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// All of them: somebody waits.
    Hurried,
    /// The calling thread alone.
    Patient,
}

/// All engines. Cheap to clone; shared by all workers.
#[derive(Clone)]
pub struct Engine(Arc<Engines>);

struct Engines {
    kinds: Arc<Kinds>,
    others: Others,
    clock: Clock,
}

/// Engines of other rooms that the same clock ticks for.
type Others = Arc<Mutex<Vec<wasmtime::EngineWeak>>>;

/// Those that are not needed are not made.
#[derive(Default)]
struct Kinds([OnceLock<wasmtime::Engine>; EngineKind::ALL.len()]);

/// Why no engine could be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The settings do not fit this machine.
    #[error("WebAssembly cannot run on this machine: {0}")]
    Unsupported(String),
    /// A compiler does not exist for this machine.
    #[error("the engine {engine} cannot run on this machine: {error}")]
    Kind {
        /// Name of the engine.
        engine: &'static str,
        /// What Wasmtime says.
        error: String,
    },
    /// No thread for the deadline clock.
    #[error("cannot start the deadline clock: {0}")]
    Clock(std::io::Error),
}

impl Engine {
    /// Makes the engine of optimised code and starts the deadline clock of all engines.
    ///
    /// # Errors
    ///
    /// When Wasmtime refuses the machine, or no thread can be started.
    pub fn new() -> Result<Self, EngineError> {
        let engine = Self::resting()?;
        engine.rouse();
        Ok(engine)
    }

    /// The same, with a clock that rests but between [`Engine::rouse`] and [`Engine::rest`], which is
    /// when guests may run.
    pub(crate) fn resting() -> Result<Self, EngineError> {
        // Opened before a process gives up its rights.
        let _ = crate::memory::page_map();
        Self::with_first(settings(EngineKind::Cranelift, Pace::Hurried))
    }

    /// The engine of [`debug`](crate::debug): its optimised code is not optimised, but tells of each
    /// instruction. Code of other engines does not run on it, nor its code on them.
    ///
    /// # Errors
    ///
    /// As [`Engine::new`].
    pub fn debugging() -> Result<Self, EngineError> {
        let config = settings(EngineKind::Cranelift, Pace::Hurried).map(|mut config| {
            config
                .guest_debug(true)
                .cranelift_opt_level(wasmtime::OptLevel::None);
            config
        });
        Self::with_first(config)
    }

    fn with_first(config: wasmtime::Result<wasmtime::Config>) -> Result<Self, EngineError> {
        let first = config
            .and_then(|config| wasmtime::Engine::new(&config))
            .map_err(|error| EngineError::Unsupported(format!("{error:#}")))?;
        let kinds = Arc::new(Kinds::default());
        kinds.0[EngineKind::Cranelift.index()].get_or_init(|| first);
        let others = Others::default();
        let (ticked, ticked_too) = (Arc::clone(&kinds), Arc::clone(&others));
        let tick = move || {
            for engine in ticked.0.iter().filter_map(OnceLock::get) {
                engine.increment_epoch();
            }
            let mut others = ticked_too.lock().unwrap_or_else(PoisonError::into_inner);
            others.retain(|other| match other.upgrade() {
                Some(engine) => {
                    engine.increment_epoch();
                    true
                }
                None => false,
            });
        };
        let clock = Clock::start(tick).map_err(EngineError::Clock)?;
        Ok(Self(Arc::new(Engines {
            kinds,
            others,
            clock,
        })))
    }

    /// Advances the epoch of this engine, too, every [`TICK`], while guests of either may run.
    pub fn tick_for(&self, engine: &wasmtime::Engine) {
        let mut others = self.0.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.push(engine.weak());
    }

    /// Guests may run from now on.
    pub(crate) fn rouse(&self) {
        self.0.clock.rouse();
    }

    /// No guest runs until further notice.
    pub(crate) fn rest(&self) {
        self.0.clock.rest();
    }

    /// The engine of a kind, which is made when it is first asked for.
    pub(crate) fn of(&self, kind: EngineKind) -> Result<&wasmtime::Engine, EngineError> {
        let place = &self.0.kinds.0[kind.index()];
        if let Some(engine) = place.get() {
            return Ok(engine);
        }
        let made = made(kind, Pace::Hurried)?;
        // Another thread may have been faster.
        Ok(place.get_or_init(|| made))
    }
}

/// An engine that only compiles, for [`Engine::of`] of the same kind.
pub(crate) fn compiler(kind: EngineKind, pace: Pace) -> Result<wasmtime::Engine, EngineError> {
    made(kind, pace)
}

fn made(kind: EngineKind, pace: Pace) -> Result<wasmtime::Engine, EngineError> {
    settings(kind, pace)
        .and_then(|config| wasmtime::Engine::new(&config))
        .map_err(|error| EngineError::Kind {
            engine: kind.name(),
            error: format!("{error:#}"),
        })
}

/// What all engines have in common, and what makes a kind.
fn settings(kind: EngineKind, pace: Pace) -> wasmtime::Result<wasmtime::Config> {
    let mut config = wasmtime::Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(limits::GUEST_STACK_BYTES)
        .async_stack_size(2 * limits::GUEST_STACK_BYTES)
        // Images are mapped by our own memories, not by Wasmtime's.
        .memory_init_cow(false)
        .with_host_memory(Arc::new(Memories::default()))
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(limits::TRACE_FRAMES_MAX))
        // Source lines are looked up when a failure is told, not by whoever runs the guest.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable)
        .concurrency_support(false)
        .parallel_compilation(pace == Pace::Hurried);
    match kind {
        EngineKind::Cranelift => {}
        EngineKind::Winch => {
            config.strategy(wasmtime::Strategy::Winch);
        }
        EngineKind::Pulley => {
            config.target(interpreter())?;
        }
    }
    Ok(config)
}

/// Pulley's byte code for this machine's width and byte order, by Wasmtime's name.
const fn interpreter() -> &'static str {
    match (
        cfg!(target_pointer_width = "64"),
        cfg!(target_endian = "big"),
    ) {
        (true, false) => "pulley64",
        (true, true) => "pulley64be",
        (false, false) => "pulley32",
        (false, true) => "pulley32be",
    }
}

/// Ticks that cover `time`, at least one.
pub(crate) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos() / TICK.as_nanos())
        .unwrap_or(u64::MAX)
        .max(1)
}
