//! The engine that functions run on.
//!
//! Invariant: what an instance writes is gone before its place is used again.

use std::sync::Arc;

use wasmtime::{
    Config, InstanceAllocationStrategy, PoolConcurrencyLimitError, PoolingAllocationConfig,
};
use weir_guest::EngineError;
use weir_model::limits::{self, functions as of};

/// Core instances per component that the pool counts on: components of languages with shared
/// libraries have more, most have three or four.
const INSTANCES_EACH: u32 = 4;

/// One for each process. Cheap to clone, shared by all workers.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    /// Keeps the clock of deadlines.
    _clock: weir_guest::Engine,
}

/// Why there is no engine for functions.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// No clock, or no engine at all.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The settings do not fit this machine.
    #[error("functions cannot run on this machine: {0}")]
    Unsupported(String),
}

impl Runtime {
    /// Makes the engine, with a clock of its own.
    ///
    /// # Errors
    ///
    /// When Wasmtime refuses the machine, or no thread can be started.
    pub fn new() -> Result<Self, RuntimeError> {
        Self::beside(&weir_guest::Engine::new()?)
    }

    /// Makes the engine; the clock of the filters' engine ticks for it, too.
    ///
    /// # Errors
    ///
    /// When Wasmtime refuses the machine.
    pub fn beside(filters: &weir_guest::Engine) -> Result<Self, RuntimeError> {
        let engine = pooled().or_else(|error| {
            tracing::warn!(
                "instances of functions are made one by one, because memory for a pool of them \
                 cannot be reserved: {error:#}"
            );
            wasmtime::Engine::new(&settings())
                .map_err(|error| RuntimeError::Unsupported(format!("{error:#}")))
        })?;
        filters.tick_for(&engine);
        Ok(Self(Arc::new(Inner {
            engine,
            _clock: filters.clone(),
        })))
    }

    /// The engine, for whoever compiles or links with it.
    #[must_use]
    pub fn engine(&self) -> &wasmtime::Engine {
        &self.0.engine
    }
}

/// Whether there was no place for one more instance.
pub(crate) fn is_full(error: &wasmtime::Error) -> bool {
    error.is::<PoolConcurrencyLimitError>()
}

fn settings() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(of::STACK_BYTES)
        .async_stack_size(2 * of::STACK_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(limits::TRACE_FRAMES_MAX))
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable)
        .wasm_component_model_async(true);
    config
}

fn pooled() -> wasmtime::Result<wasmtime::Engine> {
    let all = of::ALL_INSTANCES;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(all)
        .total_core_instances(all * INSTANCES_EACH)
        .total_memories(all)
        .total_tables(all * INSTANCES_EACH)
        .total_stacks(all)
        .max_memories_per_component(of::COMPONENT_MEMORIES)
        .max_memories_per_module(of::COMPONENT_MEMORIES)
        .max_tables_per_component(of::COMPONENT_TABLES)
        .max_tables_per_module(of::COMPONENT_TABLES)
        .table_elements(of::TABLE_ELEMENTS)
        .max_component_instance_size(of::INSTANCE_BYTES)
        .max_core_instance_size(of::INSTANCE_BYTES)
        .linear_memory_keep_resident(of::KEPT_MEMORY_BYTES)
        .table_keep_resident(of::KEPT_TABLE_BYTES);
    let mut config = settings();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&config)
}
