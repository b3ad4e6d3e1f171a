//! Watchers, and pollables that are ready when a watcher has something to tell.
//!
//! Invariant: waiting takes no change away. A wait asks for the next change with room for none, which
//! is *overflow* as soon as there is one; so it can be given up at any moment.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};
use weir_maps::call::packed::{self, PackedEvent};
use weir_maps::{MapCall, MapReply};
use weir_model::limits::maps as limits;

use super::MapCtx;
use super::made::map::wasi_map::map::maps::HostWatcher;
use super::made::map::wasi_map::map::types::{Change, Changed};
use super::refused::Refused;
use crate::host::MapAnswer;

/// A watch, and what its pollables wait for.
#[expect(unreachable_pub, reason = "the bindings hand it on")]
pub struct Watcher {
    watch: u32,
    signal: Option<Arc<Signal>>,
}

/// `None`: there is something, or the watch is over.
#[derive(Default)]
struct Signal(Mutex<Option<Wait>>);

/// Several may wait for the same.
type Wait = Shared<BoxFuture<'static, ()>>;

/// A pollable's end of it.
struct Waiting(Arc<Signal>);

impl Signal {
    fn set(&self, wait: Option<Wait>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wait;
    }

    fn wait(&self) -> Option<Wait> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Pollable for Waiting {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async {
            if let Some(wait) = self.0.wait() {
                wait.await;
            }
        })
    }
}

impl HostWatcher for MapCtx<'_> {
    async fn next(
        &mut self,
        watcher: Resource<Watcher>,
        bytes: u32,
    ) -> Result<Vec<Change>, Refused> {
        let watch = self.begun.watchers.get(watcher.rep())?.watch;
        let call = MapCall::Next {
            watch,
            timeout_ms: 0,
            bytes,
        };
        let changes = self.ask(call).await;
        self.wait_anew(watcher.rep())?;
        match changes? {
            MapReply::Bytes(changes) => packed::events(&changes)
                .map(|event| change(&event))
                .collect(),
            _ => Err(Refused::MISANSWERED),
        }
    }

    async fn subscribe(
        &mut self,
        watcher: Resource<Watcher>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let watcher = watcher.rep();
        let signal = self
            .begun
            .watchers
            .get(watcher)?
            .signal
            .get_or_insert_default();
        let signal = Arc::clone(signal);
        // The watcher's and ours.
        if Arc::strong_count(&signal) > limits::COMPONENT_POLLABLES_MAX + 1 {
            let max = limits::COMPONENT_POLLABLES_MAX;
            wasmtime::bail!("a watcher has {max} pollables at most: keep one and use it again");
        }
        self.wait_anew(watcher)?;
        let waiting = self.table.push(Waiting(signal))?;
        subscribe(self.table, waiting)
    }

    async fn drop(&mut self, watcher: Resource<Watcher>) -> wasmtime::Result<()> {
        let watch = self.begun.watchers.remove(watcher.rep())?.watch;
        match self.ask(MapCall::Unwatch { watch }).await {
            Err(Refused::End(error)) => Err(error),
            Ok(_) | Err(Refused::Number(..) | Refused::Said(_)) => Ok(()),
        }
    }
}

impl MapCtx<'_> {
    pub(super) async fn begin_watch(
        &mut self,
        handle: u32,
        prefix: &[u8],
    ) -> Result<Resource<Watcher>, Refused> {
        self.begun.watchers.check_room()?;
        let watch = self.ask_handle(MapCall::Watch { handle, prefix }).await?;
        let watcher = Watcher {
            watch,
            signal: None,
        };
        self.begun.watchers.add(watcher).map(Resource::new_own)
    }

    /// Has pollables wait for what comes next, if there are any.
    fn wait_anew(&mut self, watcher: u32) -> wasmtime::Result<()> {
        let watcher = self.begun.watchers.get(watcher)?;
        let Some(signal) = &watcher.signal else {
            return Ok(());
        };
        if Arc::strong_count(signal) == 1 {
            watcher.signal = None;
            return Ok(());
        }
        let call = MapCall::Next {
            watch: watcher.watch,
            timeout_ms: -1,
            bytes: 0,
        };
        signal.set(match self.door.map_call(call)? {
            MapAnswer::Ready(_) => None,
            MapAnswer::Pending(wait) => Some(wait.map(|_| ()).boxed().shared()),
        });
        Ok(())
    }
}

fn change(event: &PackedEvent) -> Result<Change, Refused> {
    let changed = Changed {
        key: event.key.to_vec(),
        version: event.version,
    };
    Ok(match event.kind {
        1 => Change::Stored(changed),
        2 => Change::Deleted(changed),
        3 => Change::Ended(changed),
        4 => Change::Evicted(changed),
        5 => Change::Cleared,
        6 => Change::Resync,
        7 => Change::Gone,
        _ => return Err(Refused::MISANSWERED),
    })
}
