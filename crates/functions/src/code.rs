//! Compiled code, which all functions of the same module share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::Module;
use wasmtime::component::Component;
use weir_guest::code::Digest;
use weir_guest::mapping::{MappedMemories, maps_regions};
use weir_model::limits::functions::COMPONENT_MEMORIES;

use crate::load::{Layer, LoadError};
use crate::runtime::Runtime;

/// Code of a function.
pub(crate) enum Compiled {
    Component(Made<Component>),
    /// With the memories of one that may map regions.
    Module(Made<Module>, Option<MappedMemories>),
}

/// Code, and what shares it with other functions of the same module.
pub(crate) struct Made<T> {
    pub(crate) code: T,
    _shared: Option<Code<T>>,
}

impl Compiled {
    /// Compiles a module of this form, unless it is there already.
    pub(crate) fn new(runtime: &Runtime, layer: Layer, bytes: &[u8]) -> Result<Self, LoadError> {
        Ok(match layer {
            Layer::Component => Self::Component(Made::shared(runtime.component(bytes)?)),
            Layer::Module => {
                let (module, code, memories) = runtime.module(bytes)?;
                Self::Module(Made::shared((module, code)), memories)
            }
        })
    }

    /// Whether instances have places in a pool: those that map regions have memory of their own.
    pub(crate) const fn is_pooled(&self) -> bool {
        matches!(self, Self::Component(_) | Self::Module(_, None))
    }

    /// The same for another engine of the same settings.
    pub(crate) fn again(&self, engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        use weir_guest::code::{component_again, module_again};
        Ok(match self {
            Self::Component(made) => {
                Self::Component(Made::own(component_again(engine, &made.code)?))
            }
            Self::Module(made, _) => {
                Self::Module(Made::own(module_again(engine, &made.code)?), None)
            }
        })
    }
}

impl<T> Made<T> {
    fn shared((code, shared): (T, Code<T>)) -> Self {
        Self {
            code,
            _shared: Some(shared),
        }
    }

    fn own(code: T) -> Self {
        Self {
            code,
            _shared: None,
        }
    }
}

/// Code that is there as long as somebody has this.
pub(crate) type Code<T> = Arc<Slot<T>>;

/// A place for code. Whoever needs it first fills it; others wait.
pub(crate) struct Slot<T>(Mutex<Option<T>>);

/// Code by what it was made of.
pub(crate) struct Codes<T>(Mutex<HashMap<Digest, Weak<Slot<T>>>>);

impl<T> Default for Codes<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Codes<T> {
    fn slot(&self, bytes: &[u8]) -> Code<T> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, slot| slot.strong_count() > 0);
        let digest = Digest::of(bytes);
        if let Some(slot) = codes.get(&digest).and_then(Weak::upgrade) {
            return slot;
        }
        let slot = Arc::new(Slot(Mutex::new(None)));
        codes.insert(digest, Arc::downgrade(&slot));
        slot
    }

    /// The code of these bytes, and what keeps it for others.
    fn find(
        &self,
        bytes: &[u8],
        make: impl FnOnce() -> wasmtime::Result<T>,
    ) -> Result<(T, Code<T>), LoadError> {
        let slot = self.slot(bytes);
        let mut place = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        let code = match &*place {
            Some(code) => code.clone(),
            None => make().map_err(|error| LoadError::Corrupted(format!("{error:#}")))?,
        };
        *place = Some(code.clone());
        drop(place);
        Ok((code, slot))
    }
}

impl Runtime {
    /// A component, compiled unless it is there already.
    fn component(&self, bytes: &[u8]) -> Result<(Component, Code<Component>), LoadError> {
        let compile = || weir_guest::code::component(self.engine(), self.cache(), bytes);
        self.components().find(bytes, compile)
    }

    /// A core module, compiled unless it is there already, for the engine that it needs. The memories
    /// are those of one that may map regions.
    fn module(
        &self,
        bytes: &[u8],
    ) -> Result<(Module, Code<Module>, Option<MappedMemories>), LoadError> {
        if !maps_regions(bytes) {
            let compile = || weir_guest::code::module(self.engine(), self.cache(), bytes);
            let (module, code) = self.modules().find(bytes, compile)?;
            return Ok((module, code, None));
        }
        let mapped = self.mapped();
        let mapped = mapped.map_err(|error| {
            LoadError::Mapping(format!("this machine has no engine for it: {error:#}"))
        })?;
        let compile = || weir_guest::code::module(mapped.engine(), self.cache(), bytes);
        let (module, code) = mapped.modules().find(bytes, compile)?;
        // Nothing else bounds the addresses that an instance reserves there.
        let (memories, max) = (module.resources_required().num_memories, COMPONENT_MEMORIES);
        if memories > max {
            let text = format!("it has {memories} memories: expected at most {max}");
            return Err(LoadError::Mapping(text));
        }
        Ok((module, code, Some(mapped.memories().clone())))
    }
}
