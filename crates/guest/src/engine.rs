//! Compiles modules and keeps the clock that ends guests which run too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weir_model::limits;

use crate::memory::Memories;

/// Distance of two ticks of the deadline clock: the grain of every time limit of a guest.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// Wasmtime's engine with Weir's settings. Cheap to clone; shared by all workers.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    _ticker: Arc<Ticker>,
}

/// Ends the ticking thread with the last engine.
struct Ticker(Arc<AtomicBool>);

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why no engine could be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The settings do not fit this machine.
    #[error("WebAssembly cannot run on this machine: {0}")]
    Unsupported(String),
    /// No thread for the deadline clock.
    #[error("cannot start the deadline clock: {0}")]
    Clock(std::io::Error),
}

impl Engine {
    /// Makes an engine and starts its deadline clock.
    ///
    /// # Errors
    ///
    /// When Wasmtime refuses the machine, or no thread can be started.
    pub fn new() -> Result<Self, EngineError> {
        let mut config = wasmtime::Config::new();
        config
            .epoch_interruption(true)
            .max_wasm_stack(limits::GUEST_STACK_BYTES)
            .async_stack_size(2 * limits::GUEST_STACK_BYTES)
            // Images are mapped by our own memories, not by Wasmtime's.
            .memory_init_cow(false)
            .with_host_memory(Arc::new(Memories::default()))
            .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(limits::TRACE_FRAMES_MAX))
            .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable)
            .concurrency_support(false);
        // Opened before a process gives up its rights.
        let _ = crate::memory::page_map();
        let inner = wasmtime::Engine::new(&config)
            .map_err(|error| EngineError::Unsupported(format!("{error:#}")))?;
        let ended = Arc::new(AtomicBool::new(false));
        let (engine, watch) = (inner.clone(), Arc::clone(&ended));
        std::thread::Builder::new()
            .name("weir-deadline".to_owned())
            .spawn(move || {
                while !watch.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    engine.increment_epoch();
                }
            })
            .map_err(EngineError::Clock)?;
        Ok(Self {
            inner,
            _ticker: Arc::new(Ticker(ended)),
        })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

/// Ticks that cover `time`, at least one.
pub(crate) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos() / TICK.as_nanos())
        .unwrap_or(u64::MAX)
        .max(1)
}
