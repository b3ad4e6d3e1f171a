//! What all VMs with one VM id share: its data and its queues, which are the entries of one map.
//!
//! The map is called [`MAP_PREFIX`] and the VM id, so that functions and operators reach it too.
//! Proxy-Wasm's rules (a cas of 32 bits, quotas of each writer, tokens) are kept here, and are none
//! of the map's. Invariant: a space is found by its VM id while a handle to it lives; with the last
//! handle its data and queues are gone, unless the operator has configured the map, and the same VM
//! id starts empty.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use weir_model::GuestLimits;
use weir_model::limits::guest::SHARED_BYTES_MAX;

use crate::MapError;
use crate::budget::{Account, Amount};
use crate::engine::Engine;
use crate::graph::Root;
use crate::options::MapOptions;
use crate::queue::{DequeueError, EnqueueError, Held, QueueListener, Queues, RegisterError};
use crate::store::{Condition, Seen, Stat, Store, Terms};
use crate::value::Value;

/// What the name of the map of a VM id begins with.
pub const MAP_PREFIX: &str = "proxy-wasm.";

/// In which scope it is.
const SCOPE: &str = "";

/// All spaces of an engine. Cheap to clone; clones are the same spaces.
#[derive(Clone)]
pub struct Spaces(Arc<Shared>);

struct Shared {
    engine: Engine,
    queues: Queues,
    by_vm_id: Mutex<HashMap<Arc<str>, Weak<Space>>>,
}

/// What a user of a space may let it hold. Users with different quotas may share a space: what is
/// refused is the write of the one whose quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of shared data: keys, values and [`ENTRY_BYTES`](weir_model::limits::maps::ENTRY_BYTES) each.
    pub data_bytes: u64,
    /// Queues.
    pub queues: usize,
    /// Bytes of all queues together, counted likewise; that of the user that made a queue holds for
    /// who fills it.
    pub queue_bytes: u64,
}

impl Quota {
    /// What these limits say.
    #[must_use]
    pub fn of(limits: &GuestLimits) -> Self {
        Self {
            data_bytes: limits.shared_data_bytes,
            queues: limits.queues as usize,
            queue_bytes: limits.queue_bytes,
        }
    }
}

/// Why a write was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The entry has changed since the caller read it.
    #[error("the entry has another version by now: read it again and retry")]
    CasMismatch,
    /// The quota is used up.
    #[error("the shared data of this VM id is full: {quota_bytes} bytes are allowed")]
    Full {
        /// The quota.
        quota_bytes: u64,
    },
    /// The map does not take it.
    #[error(transparent)]
    Map(MapError),
}

/// The shared data and queues of one VM id (Proxy-Wasm reference, sections 6.4 and 6.5).
pub struct Space {
    vm_id: Arc<str>,
    map: Root,
    /// The map is there for this space alone.
    is_own: bool,
    queue_tokens: Mutex<HashMap<Box<[u8]>, u32>>,
    /// Bytes that all its queues hold.
    queued: Arc<Held>,
    shared: Arc<Shared>,
}

impl Spaces {
    /// No spaces; their maps are to be in this engine.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        Self(Arc::new(Shared {
            engine: engine.clone(),
            queues: Queues::default(),
            by_vm_id: Mutex::default(),
        }))
    }

    /// A handle to the space of a VM id, which is made if there is none.
    ///
    /// # Errors
    /// [`MapError::NoMemory`]: there are too many maps; [`MapError::NotSupported`]: the operator has
    /// configured a map for it whose store answers later.
    pub fn space(&self, vm_id: &str) -> Result<Arc<Space>, MapError> {
        let by_vm_id = &self.0.by_vm_id;
        let mut by_vm_id = by_vm_id.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(space) = by_vm_id.get(vm_id).and_then(Weak::upgrade) {
            return Ok(space);
        }
        let (map, is_own) = self.0.map_of(vm_id)?;
        let vm_id: Arc<str> = vm_id.into();
        let space = Arc::new(Space {
            vm_id: Arc::clone(&vm_id),
            map,
            is_own,
            queue_tokens: Mutex::default(),
            queued: Arc::default(),
            shared: Arc::clone(&self.0),
        });
        by_vm_id.insert(vm_id, Arc::downgrade(&space));
        Ok(space)
    }

    /// The space of a VM id if a handle to it lives.
    #[must_use]
    pub fn find(&self, vm_id: &str) -> Option<Arc<Space>> {
        self.0.find(vm_id)
    }
}

impl Shared {
    fn find(&self, vm_id: &str) -> Option<Arc<Space>> {
        let by_vm_id = self.by_vm_id.lock().unwrap_or_else(PoisonError::into_inner);
        by_vm_id.get(vm_id).and_then(Weak::upgrade)
    }

    /// The map that the operator has configured for a VM id, or else a new one; `true`: that.
    fn map_of(&self, vm_id: &str) -> Result<(Root, bool), MapError> {
        let name = format!("{MAP_PREFIX}{vm_id}");
        if let Some(map) = self.engine.find(SCOPE, &name) {
            let in_memory = map.map().is_in_memory();
            let why = MapError::NotSupported("shared data of plugins need a map in memory");
            return in_memory.then_some((map, false)).ok_or(why);
        }
        // What a writer may do is its own quota's affair: this only bounds them all.
        let most = Amount {
            entries: u64::MAX,
            bytes: 2 * SHARED_BYTES_MAX,
        };
        let options = MapOptions {
            entries_max: most.entries,
            bytes_max: most.bytes,
            value_bytes_max: usize::MAX,
            ..MapOptions::default()
        };
        let owner = Arc::new(Account::new(most));
        let map = self.engine.keep((SCOPE, &name), options, &owner)?;
        Ok((map, true))
    }
}

impl Space {
    /// Whose space this is.
    #[must_use]
    pub fn vm_id(&self) -> &str {
        &self.vm_id
    }

    /// The value of a key and its cas, never 0.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<(Bytes, u32)> {
        // A reference to another map is nothing that a plugin could read.
        let see = |seen: Seen<'_>| Some((seen.value.to_bytes()?, cas_of(seen.version)));
        let seen = self.map.map().store().read(key, &mut { see });
        seen.now().ok().flatten().flatten()
    }

    /// Stores a value under Proxy-Wasm's rules: `cas` 0 stores unconditionally, another one stores
    /// if the entry has that cas or is absent. Returns the new cas.
    ///
    /// A write that lets the data grow beyond the quota is refused: each writer has a quota of its
    /// own for what all have written.
    ///
    /// # Errors
    /// [`SetError`]; the entry is then as it was.
    pub fn set(&self, key: &[u8], value: &[u8], cas: u32, quota: Quota) -> Result<u32, SetError> {
        let value = Value::copy_of(value);
        let bytes_max = Some(quota.data_bytes.saturating_add(self.queued.bytes()));
        loop {
            let condition = self.condition(key, cas)?;
            let terms = Terms {
                condition,
                bytes_max,
                ttl: None,
            };
            let stored = self.map.map().store().write(key, value.clone(), terms);
            return match stored.now() {
                Ok(version) => Ok(cas_of(version)),
                // Somebody was faster than this look at it. Some day nobody is.
                Err(MapError::Again { .. }) => continue,
                Err(MapError::NoSpace { .. }) => Err(SetError::Full {
                    quota_bytes: quota.data_bytes,
                }),
                Err(error) => Err(SetError::Map(error)),
            };
        }
    }

    /// What must hold of an entry that is to be set with this cas.
    fn condition(&self, key: &[u8], cas: u32) -> Result<Condition, SetError> {
        if cas == 0 {
            return Ok(Condition::Always);
        }
        let version = |seen: Seen<'_>| seen.version;
        let seen = self.map.map().store().read(key, &mut { version }).now();
        match seen.map_err(SetError::Map)? {
            None => Ok(Condition::Absent),
            Some(version) if cas_of(version) == cas => Ok(Condition::Version(version)),
            Some(_) => Err(SetError::CasMismatch),
        }
    }

    /// Makes a queue of this VM id, or takes over its notifications: its content is kept, and only
    /// the last registrant is notified. Returns its token, from 1.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing has changed then.
    pub fn register(
        &self,
        name: &[u8],
        listener: QueueListener,
        quota: Quota,
    ) -> Result<u32, RegisterError> {
        let mut tokens = self
            .queue_tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(&token) = tokens.get(name) {
            drop(tokens);
            self.shared.queues.take_over(token, listener);
            return Ok(token);
        }
        let queues_max = quota.queues;
        if tokens.len() >= queues_max {
            return Err(RegisterError::TooManyQueues { queues_max });
        }
        let token = self.shared.queues.create(
            (name, &self.map),
            listener,
            (&self.queued, quota.queue_bytes),
        )?;
        tokens.insert(name.into(), token);
        Ok(token)
    }

    /// The VM id of a queue; `None`: no queue has this token.
    #[must_use]
    pub fn owner(&self, token: u32) -> Option<Arc<str>> {
        if self.has(token) {
            return Some(Arc::clone(&self.vm_id));
        }
        let spaces: Vec<Arc<Self>> = {
            let by_vm_id = self.shared.by_vm_id.lock();
            let by_vm_id = by_vm_id.unwrap_or_else(PoisonError::into_inner);
            by_vm_id.values().filter_map(Weak::upgrade).collect()
        };
        let owner = spaces.iter().find(|space| space.has(token));
        owner.map(|space| Arc::clone(&space.vm_id))
    }

    fn has(&self, token: u32) -> bool {
        let tokens = self.queue_tokens.lock();
        let tokens = tokens.unwrap_or_else(PoisonError::into_inner);
        tokens.values().any(|known| *known == token)
    }

    /// The token of a queue of another VM id, or of this one if `vm_id` is empty.
    #[must_use]
    pub fn resolve(&self, vm_id: &str, name: &[u8]) -> Option<u32> {
        if vm_id.is_empty() || *vm_id == *self.vm_id {
            return self.token(name);
        }
        self.shared.find(vm_id)?.token(name)
    }

    /// Appends an item to any queue of the process and notifies its registrant.
    ///
    /// # Errors
    /// [`EnqueueError`]; the queue is then as it was, and nobody is notified.
    pub fn enqueue(&self, token: u32, item: &[u8]) -> Result<(), EnqueueError> {
        self.shared.queues.enqueue(token, item)
    }

    /// Takes the oldest item of any queue of the process; `None`: the queue is empty.
    ///
    /// # Errors
    /// [`DequeueError::UnknownToken`].
    pub fn dequeue(&self, token: u32) -> Result<Option<Bytes>, DequeueError> {
        self.shared.queues.dequeue(token)
    }

    /// Numbers of its map, for people.
    #[must_use]
    pub fn stat(&self) -> Stat {
        self.map.map().store().stat().now().unwrap_or_default()
    }

    fn token(&self, name: &[u8]) -> Option<u32> {
        let tokens = self
            .queue_tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tokens.get(name).copied()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let mut by_vm_id = self
            .shared
            .by_vm_id
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Since the last handle went, another thread may have made a new space of this VM id.
        let is_ours = |space: &Weak<Self>| std::ptr::eq(space.as_ptr(), self);
        if by_vm_id.get(&self.vm_id).is_some_and(is_ours) {
            by_vm_id.remove(&self.vm_id);
            if self.is_own {
                let name = format!("{MAP_PREFIX}{}", self.vm_id);
                self.shared.engine.undefine(SCOPE, &name);
            }
        }
        drop(by_vm_id);
        let tokens = self
            .queue_tokens
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for token in tokens.values() {
            self.shared.queues.remove(*token);
        }
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space")
            .field("vm_id", &self.vm_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Spaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_vm_id = self
            .0
            .by_vm_id
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(by_vm_id.keys()).finish()
    }
}

/// The low half of a version. Maps in memory give none of which that is 0.
fn cas_of(version: u64) -> u32 {
    u32::try_from(version & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
