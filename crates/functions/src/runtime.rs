//! The engine that functions run on.
//!
//! There are two pools of places for instances: one keeps some memory for the next instance, and only
//! so many run in it at once; what runs beyond that is in the other, which gives all back to the system
//! (decision 046). Invariant: what an instance writes is gone before its place is used again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use wasmtime::component::Component;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, Module, PoolConcurrencyLimitError,
    PoolingAllocationConfig,
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
    /// For what runs beyond [`of::KEPT_INSTANCES`]; `None`: this machine has no pools.
    burst: Option<wasmtime::Engine>,
    /// Instances whose places keep memory.
    kept: Arc<AtomicU32>,
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

/// The right to run where memory is kept.
pub(crate) struct Place(Arc<AtomicU32>);

/// What becomes of the memory of an ended instance.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pool {
    Keeps,
    GivesBack,
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
        let pools = pooled(Pool::Keeps).and_then(|keeps| Ok((keeps, pooled(Pool::GivesBack)?)));
        let (engine, burst) = match pools {
            Ok((engine, burst)) => (engine, Some(burst)),
            Err(error) => {
                tracing::warn!(
                    "instances of functions are made one by one, because memory for a pool of them \
                     cannot be reserved: {error:#}"
                );
                let engine = wasmtime::Engine::new(&settings());
                let unsupported =
                    |error: wasmtime::Error| RuntimeError::Unsupported(format!("{error:#}"));
                (engine.map_err(unsupported)?, None)
            }
        };
        for engine in burst.iter().chain([&engine]) {
            filters.tick_for(engine);
        }
        Ok(Self(Arc::new(Inner {
            engine,
            burst,
            kept: Arc::default(),
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

    /// The engine for bursts: its places keep nothing.
    pub(crate) fn burst(&self) -> Option<&wasmtime::Engine> {
        self.0.burst.as_ref()
    }

    /// A place where memory is kept; `None`: all are taken.
    pub(crate) fn place(&self) -> Option<Place> {
        let one_more = |taken: u32| (taken < of::KEPT_INSTANCES).then_some(taken + 1);
        let taken = &self.0.kept;
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map(|_| Place(Arc::clone(taken)))
            .ok()
    }

    /// Bytes of linear memories and tables that ended instances have left in their places; `None`:
    /// this machine has no pools. Stacks are not counted.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<usize> {
        let engines = [Some(&self.0.engine), self.burst()];
        let bytes = engines.into_iter().flatten().map(|engine| {
            let metrics = engine.pooling_allocator_metrics()?;
            Some(metrics.unused_memory_bytes_resident() + metrics.unused_table_bytes_resident())
        });
        bytes.sum()
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

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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

fn pooled(kind: Pool) -> wasmtime::Result<wasmtime::Engine> {
    let all = of::ALL_INSTANCES;
    let keeps = kind == Pool::Keeps;
    let kept = |bytes: usize| if keeps { bytes } else { 0 };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(all)
        .total_core_instances(all * INSTANCES_EACH)
        .total_memories(all)
        .total_tables(all * INSTANCES_EACH)
        .total_stacks(all)
        .max_unused_warm_slots(of::KEPT_INSTANCES)
        .max_memories_per_component(of::COMPONENT_MEMORIES)
        .max_memories_per_module(of::COMPONENT_MEMORIES)
        .max_tables_per_component(of::COMPONENT_TABLES)
        .max_tables_per_module(of::COMPONENT_TABLES)
        .table_elements(of::TABLE_ELEMENTS)
        .max_component_instance_size(of::INSTANCE_BYTES)
        .max_core_instance_size(of::INSTANCE_BYTES)
        .linear_memory_keep_resident(kept(of::KEPT_MEMORY_BYTES))
        .table_keep_resident(kept(of::KEPT_TABLE_BYTES))
        // Only what was written is cleared, wherever it lies, if the kernel tells what that is.
        .pagemap_scan(Enabled::Auto);
    let mut config = settings();
    // Clearing a stack here means giving it back.
    config.async_stack_zeroing(!keeps);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&config)
}
