//! The housekeeping of shared maps: one thread that sleeps while nothing happens.
//!
//! It starts with the first call that changes something. Invariants: after such a call, and when an
//! entry or a ticket ends, there is a round within [`limits::TEND_INTERVAL`] and the time that one
//! takes; a process whose maps nobody uses has no such thread, and one in which nothing changes is
//! not woken by it. Pinned maps are changed by others too: with one of them the thread is there from the
//! start, and works once a second.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

use weir_maps::{Engine, PinnedStore};
use weir_model::{Name, limits::maps as limits};

use super::{MapNotice, MapNotices};

/// Steps of one slice of housekeeping.
const STEPS: usize = 4096;

/// Sees to the maps of one engine.
pub(super) struct Keeper {
    state: Arc<State>,
    /// `None`: the system gave no thread.
    thread: OnceLock<Option<JoinHandle<()>>>,
}

struct State {
    engine: Engine,
    /// Something was done since the last round began.
    is_stirred: AtomicBool,
    has_ended: AtomicBool,
    /// Who wants to know of maps that are gone, by filter.
    listeners: Mutex<HashMap<Name, Vec<Listener>>>,
    /// Files that others write to as well, and so have to be looked after all the time.
    pinned: Vec<(Name, Arc<PinnedStore>)>,
}

/// A slot of a worker.
struct Listener {
    notices: Weak<MapNotices>,
    slot: usize,
}

impl Keeper {
    pub(super) fn new(engine: &Engine, pinned: Vec<(Name, Arc<PinnedStore>)>) -> Self {
        let has_files = !pinned.is_empty();
        let keeper = Self {
            state: Arc::new(State {
                engine: engine.clone(),
                is_stirred: AtomicBool::new(false),
                has_ended: AtomicBool::new(false),
                listeners: Mutex::default(),
                pinned,
            }),
            thread: OnceLock::new(),
        };
        if has_files {
            keeper.stir();
        }
        keeper
    }

    #[inline]
    pub(super) fn stir(&self) {
        // A round that has not begun sees what was done before this: both take the engine's locks.
        if !self.state.is_stirred.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if self.state.is_stirred.swap(true, Ordering::AcqRel) {
            return;
        }
        let thread = self.thread.get_or_init(|| {
            let state = Arc::clone(&self.state);
            let thread = std::thread::Builder::new().name("weir-maps".to_owned());
            let thread = thread.spawn(move || state.keep());
            thread
                .inspect_err(|error| {
                    tracing::error!(%error, "there is no thread for the housekeeping of shared maps");
                })
                .ok()
        });
        if let Some(thread) = thread {
            thread.thread().unpark();
        }
    }

    pub(super) fn listen(&self, filter: &Name, notices: &Arc<MapNotices>, slot: usize) {
        self.state.engine.graph().listen(filter);
        let mut listeners = self.state.listeners();
        let listeners = listeners.entry(filter.clone()).or_default();
        listeners.retain(|known| known.notices.strong_count() > 0);
        let notices = Arc::downgrade(notices);
        let is_it = |known: &Listener| known.slot == slot && known.notices.ptr_eq(&notices);
        if !listeners.iter().any(is_it) {
            listeners.push(Listener { notices, slot });
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.state.has_ended.store(true, Ordering::Release);
        if let Some(Some(thread)) = self.thread.take() {
            thread.thread().unpark();
            // It has no panic of its own to tell of: that is logged where it happens.
            let _ = thread.join();
        }
    }
}

impl State {
    fn keep(&self) {
        let mut files_due = Instant::now();
        let mut failing = HashSet::new();
        while !self.has_ended() {
            // What comes in one burst is tidied up after once.
            std::thread::sleep(limits::TEND_INTERVAL);
            self.is_stirred.store(false, Ordering::Release);
            while !self.has_ended() && self.engine.tend(STEPS) {
                std::thread::yield_now();
            }
            self.tell_releases();
            if !self.pinned.is_empty() && Instant::now() >= files_due {
                self.tend_files(&mut failing);
                files_due = Instant::now() + limits::PINNED_TEND_INTERVAL;
            }
            let files = (!self.pinned.is_empty())
                .then(|| files_due.saturating_duration_since(Instant::now()));
            match self.engine.rest().into_iter().chain(files).min() {
                Some(rest) => std::thread::park_timeout(rest),
                None => std::thread::park(),
            }
        }
    }

    /// Frees what has ended in pinned maps, and what processes left that died. `failing`: those of which
    /// was told that this does not work.
    fn tend_files<'m>(&'m self, failing: &mut HashSet<&'m Name>) {
        for (map, file) in &self.pinned {
            match file.tend() {
                Ok(tended) => {
                    failing.remove(map);
                    if tended.repaired > 0 {
                        tracing::warn!(
                            %map,
                            buckets = tended.repaired,
                            entries_lost = tended.lost,
                            "a process died while it wrote to a pinned map"
                        );
                    }
                }
                Err(error) if failing.insert(map) => {
                    tracing::error!(%map, %error, "a pinned map is not looked after");
                }
                Err(_) => {}
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn tell_releases(&self) {
        for (filter, listeners) in self.listeners().iter() {
            let (maps, missed) = self.engine.graph().released(filter);
            for listener in listeners {
                let Some(notices) = listener.notices.upgrade() else {
                    continue;
                };
                let slot = listener.slot;
                notices.put(
                    maps.iter()
                        .map(|map| MapNotice::Released { slot, map: map.0 }),
                );
            }
            if missed > 0 {
                tracing::warn!(
                    filter = &**filter,
                    missed,
                    "so many shared maps are gone that the plugin is not told of all"
                );
            }
        }
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<Name, Vec<Listener>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
