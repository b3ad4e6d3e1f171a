//! What waits to be told to the guests of one worker: watches that have something, maps that are
//! gone.
//!
//! Invariant: a change that a [`Bell`] was rung for after the worker had last heard of it is heard of
//! again; a watch waits at most once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;

use tokio::sync::Notify;
use weir_model::limits::maps as limits;

/// What one worker is to be told.
#[derive(Default)]
pub(crate) struct MapNotices {
    waiting: Mutex<VecDeque<MapNotice>>,
    woken: Notify,
}

/// Something that a guest is to be told.
#[derive(Clone)]
pub(crate) enum MapNotice {
    /// A watch has something.
    Rung(Arc<Bell>),
    /// A map is gone that the filter of a slot had.
    Released {
        /// Of the worker.
        slot: usize,
        /// Which map.
        map: u64,
    },
}

/// What a change rings, on whichever thread.
pub(crate) struct Bell {
    /// Names the watch on its worker.
    pub(crate) number: u64,
    notices: Weak<MapNotices>,
    is_rung: AtomicBool,
}

impl Bell {
    pub(crate) fn new(number: u64, notices: &Arc<MapNotices>) -> Arc<Self> {
        Arc::new(Self {
            number,
            notices: Arc::downgrade(notices),
            is_rung: AtomicBool::new(false),
        })
    }

    /// What comes from now on rings anew.
    pub(crate) fn heard(&self) {
        self.is_rung.store(false, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if self.is_rung.swap(true, Ordering::AcqRel) {
            return;
        }
        // Without it, the worker is gone.
        if let Some(notices) = self.notices.upgrade() {
            notices.lock().push_back(MapNotice::Rung(self));
            notices.woken.notify_one();
        }
    }
}

impl MapNotices {
    /// Adds notices of maps that are gone, as many as there is room for.
    pub(super) fn put(&self, notices: impl Iterator<Item = MapNotice>) {
        let mut waiting = self.lock();
        let before = waiting.len();
        let room = limits::RELEASES_MAX.saturating_sub(before);
        let mut notices = notices;
        waiting.extend(notices.by_ref().take(room));
        let is_news = waiting.len() > before;
        drop(waiting);
        if is_news {
            self.woken.notify_one();
        }
        let missed = notices.count();
        if missed > 0 {
            tracing::warn!(
                missed,
                "a worker does not hear of all shared maps that are gone"
            );
        }
    }

    /// The next one, once there is one. Cancel safe.
    pub(crate) async fn next(&self) -> MapNotice {
        loop {
            let next = self.lock().pop_front();
            match next {
                Some(notice) => return notice,
                None => self.woken.notified().await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<MapNotice>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn rung(notices: &MapNotices) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some(notice) = notices.lock().pop_front() {
            match notice {
                MapNotice::Rung(bell) => numbers.push(bell.number),
                MapNotice::Released { map, .. } => numbers.push(map),
            }
        }
        numbers
    }

    #[test]
    fn a_bell_waits_once_and_rings_again_after_it_was_heard() {
        let notices = Arc::<MapNotices>::default();
        let bell = Bell::new(7, &notices);
        let waker = Waker::from(Arc::clone(&bell));
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert_eq!(rung(&notices), [7]);
        waker.wake_by_ref();
        assert!(
            rung(&notices).is_empty(),
            "nobody has said that it was heard"
        );
        bell.heard();
        waker.wake_by_ref();
        assert_eq!(rung(&notices), [7]);
    }

    #[test]
    fn notices_of_maps_that_are_gone_have_a_limit() {
        let notices = MapNotices::default();
        let released = |map| MapNotice::Released { slot: 0, map };
        notices.put((0..limits::RELEASES_MAX as u64 + 5).map(released));
        assert_eq!(rung(&notices).len(), limits::RELEASES_MAX);
    }
}
