//! From the bytes of a module to code that runs: compiled here, or loaded from the cache.
//!
//! This is the only place that compiles. Invariant: code is loaded only with an engine of the kind
//! and the settings that it was compiled for.

mod cache;
mod entry;
mod folder;
mod key;
mod whole;

use std::sync::Arc;

use weir_model::limits;

use crate::engine::{self, Engine, EngineError, EngineKind, Pace};
use crate::prepare::{Parts, Prepared, prepare, sections};
use crate::program::LoadError;
pub use cache::{Cache, CacheError, CacheReport, CachedCode, StoreError};
pub use entry::Defect;
pub use folder::FolderError;
pub use key::Digest;
use key::Key;
pub use whole::{component, component_again, module, module_again};

/// The bytes of a module, which are known by their digest.
#[derive(Clone)]
pub struct Source {
    bytes: Arc<Vec<u8>>,
    digest: Digest,
}

impl Source {
    /// Takes the bytes of a module, whatever they are.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Self {
            bytes: Arc::new(bytes),
            digest,
        }
    }

    /// What tells it from others.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether compiling it for speed takes so little time that nothing faster is needed.
    #[must_use]
    pub fn compiles_quickly(&self) -> bool {
        code_bytes(&self.bytes).is_none_or(|bytes| bytes <= limits::QUICK_CODE_BYTES)
    }
}

/// Where code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was compiled.
    Compiled,
    /// It was in the cache.
    Cached,
}

/// Code of a module, for one kind of engine. Cheap to clone; shared by all workers.
#[derive(Clone)]
pub struct Code {
    pub(crate) module: wasmtime::Module,
    /// What the preparation took out of the module.
    pub(crate) parts: Arc<Parts>,
    /// What runs it.
    pub engine: EngineKind,
    /// Where it came from.
    pub origin: Origin,
}

/// What a compiler made: code that is not loaded yet.
pub struct Compiled {
    image: Vec<u8>,
    parts: Parts,
    digest: Digest,
    engine: EngineKind,
}

impl Code {
    /// Code that is in the cache already.
    ///
    /// # Errors
    ///
    /// When this machine has no engine of this kind.
    pub fn cached(
        engine: &Engine,
        cache: &Cache,
        digest: &Digest,
        kind: EngineKind,
    ) -> Result<Option<Self>, EngineError> {
        let inner = engine.of(kind)?;
        let loaded = cache.load(inner, &Key::of(inner, kind, digest));
        Ok(loaded.map(|loaded| Self {
            module: loaded.module,
            parts: Arc::new(loaded.parts),
            engine: kind,
            origin: Origin::Cached,
        }))
    }
}

impl Compiled {
    /// Compiles a module. Takes milliseconds to seconds: never on a worker.
    ///
    /// # Errors
    ///
    /// [`LoadError::Corrupted`] for what is no module, [`LoadError::Engine`] for what this kind of
    /// engine cannot run, though another may.
    pub fn make(source: &Source, kind: EngineKind, pace: Pace) -> Result<Self, LoadError> {
        let compiler = engine::compiler(kind, pace).map_err(LoadError::NoEngine)?;
        let Prepared { wasm, parts } = prepare(source.bytes());
        let image = compiler
            .precompile_module(&wasm)
            .map_err(|error| refusal(source, kind, &error))?;
        Ok(Self {
            image,
            parts,
            digest: source.digest.clone(),
            engine: kind,
        })
    }

    /// Size of the code.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.image.len()
    }

    /// Puts the code into a cache.
    ///
    /// # Errors
    ///
    /// [`KeepError`].
    pub fn keep(&self, engine: &Engine, cache: &Cache) -> Result<(), KeepError> {
        let inner = engine.of(self.engine)?;
        let key = Key::of(inner, self.engine, &self.digest);
        Ok(cache.store(&key, (&self.image, &self.parts.encode()))?)
    }

    /// Puts the code into the cache, if there is one, and loads it: from there if that is possible.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when the machine has no engine of this kind, or no memory for the code.
    pub fn load(self, engine: &Engine, cache: Option<&Cache>) -> Result<Code, LoadError> {
        let kind = self.engine;
        let inner = engine.of(kind).map_err(LoadError::NoEngine)?;
        let key = Key::of(inner, kind, &self.digest);
        let stored = cache.and_then(|cache| {
            let annex = self.parts.encode();
            cache.keep(inner, &key, (&self.image, &annex))
        });
        let module = match stored {
            Some(module) => module,
            None => cache::from_memory(inner, &self.image)
                .map_err(|error| LoadError::Code(format!("{error:#}")))?,
        };
        Ok(Code {
            module,
            parts: Arc::new(self.parts),
            engine: kind,
            origin: Origin::Compiled,
        })
    }
}

/// Why code is not in the cache.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// No such engine on this machine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The cache did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose fault it is that a module was not compiled: its own, by its own offsets and not by those of
/// the prepared one, or that of this kind of engine.
fn refusal(source: &Source, kind: EngineKind, error: &wasmtime::Error) -> LoadError {
    let text = format!("{error:#}");
    let judge = engine::compiler(EngineKind::Cranelift, Pace::Patient);
    let judged = judge.map(|judge| wasmtime::Module::validate(&judge, source.bytes()));
    match judged {
        Ok(Err(own)) => LoadError::Corrupted(format!("{own:#}")),
        Ok(Ok(())) if kind != EngineKind::Cranelift => LoadError::Engine {
            engine: kind.name(),
            error: text,
        },
        Ok(Ok(())) | Err(_) => LoadError::Corrupted(text),
    }
}

/// Size of a module's code section; `None` if there is none, or these bytes are no module.
fn code_bytes(bytes: &[u8]) -> Option<usize> {
    let code = sections(bytes).find(|(id, _)| *id == wasm_encoder::SectionId::Code as u8)?;
    Some(code.1.len())
}
