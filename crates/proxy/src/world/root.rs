//! Root contexts: one plugin with one configuration in one VM.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::task::AbortHandle;
use weir_guest::door::ContextId;
use weir_guest::{Reply, Status};
use weir_model::Filter;

use super::grpc::{Handles, Kind};
use super::{LiveWorld, Outcome, RedisSettings};
use crate::foreign::{DeclareProperty, Expressions};
use crate::stream::StreamRef;

/// What a root context has.
pub(crate) struct Root {
    pub(crate) filter: Arc<Filter>,
    pub(crate) configuration: Bytes,
    pub(crate) expressions: Arc<Expressions>,
    pub(crate) declared: Arc<Vec<DeclareProperty>>,
    /// Code and message of the last callout.
    pub(crate) status: (u32, Bytes),
    /// The stream that an access-log plugin looks at.
    pub(crate) lent: Option<StreamRef>,
    /// `proxy_on_done` answered 0: the guest will call `proxy_done`.
    pub(crate) is_ending: bool,
    /// It has called it.
    has_ended: bool,
    pub(crate) calls: FxHashMap<u32, AbortHandle>,
    /// By cluster.
    pub(crate) redis: Arc<FxHashMap<String, RedisSettings>>,
    pub(crate) grpc: Handles,
    pub(super) timer: Option<AbortHandle>,
}

impl Root {
    pub(crate) fn new(filter: Arc<Filter>, configuration: Bytes) -> Self {
        Self {
            filter,
            configuration,
            expressions: Arc::default(),
            declared: Arc::default(),
            status: (0, Bytes::new()),
            lent: None,
            is_ending: false,
            has_ended: false,
            calls: FxHashMap::default(),
            redis: Arc::default(),
            grpc: Handles::default(),
            timer: None,
        }
    }
}

impl Root {
    /// Ends its timer and everything that it waits for.
    pub(super) fn end_calls(&mut self) {
        for handle in self.timer.take().iter().chain(self.calls.values()) {
            handle.abort();
        }
        self.calls.clear();
        self.grpc.clear();
    }

    pub(super) fn awaits_answers(&self) -> bool {
        let is_unary = |token: &u32| Kind::of(*token) == Some(Kind::Call);
        !self.calls.is_empty() || self.grpc.keys().any(is_unary)
    }

    /// Whether nothing will happen to it unless a stream comes.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.timer.is_none() && self.calls.is_empty() && self.grpc.is_empty()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.end_calls();
    }
}

impl LiveWorld {
    /// Sets the root's one timer: first tick after a period, then again a period after each tick
    /// has returned.
    pub(super) fn set_tick(&mut self, period_ms: u32) -> Outcome {
        let (slot, root_id) = (self.slot.clone(), self.here.root);
        let root = self.root_mut().ok_or(Status::BadArgument)?;
        if let Some(timer) = root.timer.take() {
            timer.abort();
        }
        if period_ms == 0 {
            return Ok(Reply::Done);
        }
        let period = Duration::from_millis(u64::from(period_ms));
        let timer = self.spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                let Some(slot) = slot.upgrade() else { return };
                if !slot.tick(root_id).await {
                    return;
                }
            }
        });
        if let Some(root) = self.root_mut() {
            root.timer = timer;
        }
        Ok(Reply::Done)
    }

    /// `proxy_done`: the delayed end of a root. Its deletion follows after this callback.
    pub(super) fn end_root(&mut self) -> Outcome {
        let (slot, root_id) = (self.slot.clone(), self.here.root);
        let root = self.root_mut().ok_or(Status::NotFound)?;
        if !root.is_ending || std::mem::replace(&mut root.has_ended, true) {
            return Err(Status::NotFound);
        }
        self.spawn(async move {
            if let Some(slot) = slot.upgrade() {
                slot.delete_root(root_id);
            }
        });
        Ok(Reply::Done)
    }

    /// Whether a root has answered that it needs time to end.
    pub(crate) fn has_ending_root(&self) -> bool {
        self.roots.values().any(|root| root.is_ending)
    }

    /// The roots of this VM that have not been told to end.
    pub(crate) fn root_ids(&self) -> Vec<ContextId> {
        let roots = self.roots.iter().filter(|(_, root)| !root.is_ending);
        let mut ids: Vec<_> = roots.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }
}
