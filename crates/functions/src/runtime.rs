//! The engine that functions run on.
//!
//! Invariant: what an instance writes is gone before its place is used again.

use std::sync::{Arc, OnceLock};

use wasmtime::component::Component;
use wasmtime::{
    Config, InstanceAllocationStrategy, Module, PoolConcurrencyLimitError, PoolingAllocationConfig,
};
use weir_guest::EngineError;
use weir_guest::code::Cache;
use weir_guest::mapping::MappedMemories;
use weir_model::limits::{self, functions as of};

use crate::code::Codes;

/// Core instances per component that the pool counts on: components of languages with shared
/// libraries have more, most have three or four.
const INSTANCES_EACH: u32 = 4;

/// One for each process. Cheap to clone, shared by all workers.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    cache: Option<Arc<Cache>>,
    components: Codes<Component>,
    modules: Codes<Module>,
    /// `None`: no function has needed it yet.
    mapped: OnceLock<Mapped>,
    /// Keeps the clock of deadlines.
    clock: weir_guest::Engine,
}

/// A second engine, for core modules that map regions: it makes each instance by itself, in memory
/// that regions can be put into.
pub(crate) struct Mapped {
    engine: wasmtime::Engine,
    memories: MappedMemories,
    modules: Codes<Module>,
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
        Self::with_cache(filters, None)
    }

    /// The same; compiled code is looked for in this cache, and kept there.
    ///
    /// # Errors
    ///
    /// When Wasmtime refuses the machine.
    pub fn with_cache(
        filters: &weir_guest::Engine,
        cache: Option<Arc<Cache>>,
    ) -> Result<Self, RuntimeError> {
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
            cache,
            components: Codes::default(),
            modules: Codes::default(),
            mapped: OnceLock::new(),
            clock: filters.clone(),
        })))
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_deref()
    }

    pub(crate) fn components(&self) -> &Codes<Component> {
        &self.0.components
    }

    pub(crate) fn modules(&self) -> &Codes<Module> {
        &self.0.modules
    }

    /// The engine for modules that map regions, which is made when it is first asked for.
    pub(crate) fn mapped(&self) -> wasmtime::Result<&Mapped> {
        if let Some(mapped) = self.0.mapped.get() {
            return Ok(mapped);
        }
        let made = Mapped::new()?;
        // Another thread may have been faster.
        Ok(self.0.mapped.get_or_init(|| {
            self.0.clock.tick_for(&made.engine);
            made
        }))
    }

    /// The engine, for whoever compiles or links with it.
    #[must_use]
    pub fn engine(&self) -> &wasmtime::Engine {
        &self.0.engine
    }
}

impl Mapped {
    fn new() -> wasmtime::Result<Self> {
        let memories = MappedMemories::default();
        let mut config = settings();
        memories.serve(&mut config);
        Ok(Self {
            engine: wasmtime::Engine::new(&config)?,
            memories,
            modules: Codes::default(),
        })
    }

    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        &self.engine
    }

    pub(crate) fn memories(&self) -> &MappedMemories {
        &self.memories
    }

    pub(crate) fn modules(&self) -> &Codes<Module> {
        &self.modules
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
