//! What all VMs with one VM id share: its data and its queues.
//!
//! Invariant: a space is found by its VM id while a handle to it lives; with the last handle its
//! data and queues are gone, and the same VM id starts empty.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use weir_model::GuestLimits;

use crate::queue::{DequeueError, EnqueueError, QueueListener, Queues, RegisterError};
use crate::table::{SetError, Table, Versions};

/// All spaces of the process. Cheap to clone; clones are the same spaces.
#[derive(Clone, Default)]
pub struct Spaces(Arc<Shared>);

#[derive(Default)]
struct Shared {
    versions: Versions,
    queues: Queues,
    by_vm_id: Mutex<HashMap<Arc<str>, Weak<Space>>>,
}

/// What a user of a space may let it hold. Users with different quotas may share a space: what is
/// refused is the write of the one whose quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of shared data: keys, values and [`ENTRY_BYTES`](crate::table::ENTRY_BYTES) each.
    pub data_bytes: usize,
    /// Queues.
    pub queues: usize,
    /// Bytes of all queues together; that of the user that made a queue holds for who fills it.
    pub queue_bytes: usize,
}

impl Quota {
    /// What these limits say.
    #[must_use]
    pub fn of(limits: &GuestLimits) -> Self {
        let length = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            data_bytes: length(limits.shared_data_bytes),
            queues: limits.queues as usize,
            queue_bytes: length(limits.queue_bytes),
        }
    }
}

/// The shared data and queues of one VM id (Proxy-Wasm reference, sections 6.4 and 6.5).
pub struct Space {
    vm_id: Arc<str>,
    table: Table,
    queue_tokens: Mutex<HashMap<Box<[u8]>, u32>>,
    /// Bytes that all its queues hold.
    queued: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

impl Spaces {
    /// No spaces.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle to the space of a VM id, which is made if there is none.
    #[must_use]
    pub fn space(&self, vm_id: &str) -> Arc<Space> {
        let mut by_vm_id = self
            .0
            .by_vm_id
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(space) = by_vm_id.get(vm_id).and_then(Weak::upgrade) {
            return space;
        }
        let vm_id: Arc<str> = vm_id.into();
        let space = Arc::new(Space {
            vm_id: Arc::clone(&vm_id),
            table: Table::new(),
            queue_tokens: Mutex::default(),
            queued: Arc::default(),
            shared: Arc::clone(&self.0),
        });
        by_vm_id.insert(vm_id, Arc::downgrade(&space));
        space
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
        self.table.get(key)
    }

    /// Stores a value: see [`Table::set`].
    ///
    /// # Errors
    /// [`SetError`]; the entry is then as it was.
    pub fn set(&self, key: &[u8], value: Bytes, cas: u32, quota: Quota) -> Result<u32, SetError> {
        let terms = (cas, quota.data_bytes);
        self.table.set(key, value, terms, &self.shared.versions)
    }

    /// Makes a queue of this VM id, or takes over its notifications: its content is kept, and only
    /// the last registrant is notified. Returns its token, from 1.
    ///
    /// # Errors
    /// [`RegisterError::TooManyQueues`] beyond [`Quota::queues`].
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
        let token =
            self.shared
                .queues
                .create(listener, Arc::clone(&self.queued), quota.queue_bytes);
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
    pub fn enqueue(&self, token: u32, item: Bytes) -> Result<(), EnqueueError> {
        self.shared.queues.enqueue(token, item)
    }

    /// Takes the oldest item of any queue of the process; `None`: the queue is empty.
    ///
    /// # Errors
    /// [`DequeueError::UnknownToken`].
    pub fn dequeue(&self, token: u32) -> Result<Option<Bytes>, DequeueError> {
        self.shared.queues.dequeue(token)
    }

    /// The data behind [`get`](Self::get) and [`set`](Self::set), for counting.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
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

#[cfg(test)]
mod tests;
