//! Compiled code, which all functions of the same module share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::Module;
use wasmtime::component::Component;
use weir_guest::code::Digest;
use weir_guest::mapping::{MappedMemories, maps_regions};
use weir_model::limits::functions::COMPONENT_MEMORIES;

use crate::load::LoadError;
use crate::runtime::Runtime;

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
    pub(crate) fn component(
        &self,
        bytes: &[u8],
    ) -> Result<(Component, Code<Component>), LoadError> {
        let compile = || weir_guest::code::component(self.engine(), self.cache(), bytes);
        self.components().find(bytes, compile)
    }

    /// A core module, compiled unless it is there already, for the engine that it needs. The memories
    /// are those of one that may map regions.
    pub(crate) fn module(
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
