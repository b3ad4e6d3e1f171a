//! The watches of one instance. They have numbers of their own, and go on when the handle that they
//! were begun with is closed; what was borrowed is watched for as long as it is lent.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::begun::{Following, lock};
use super::{Handles, Hold};
use crate::MapError;
use crate::rights::Rights;
use crate::store::{Answer, Store};
use crate::watch::Change;

impl Handles {
    /// Begins to follow the changes of keys with a prefix. Answers the number of the watch.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::WATCH`]; [`MapError::NoMemory`]: the instance or the map has too many; what the
    /// back end fails with.
    pub fn watch(&mut self, handle: u32, prefix: &[u8]) -> Answer<u32> {
        match self.begin_watch(handle, prefix) {
            Ok(answer) => answer,
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn begin_watch(&mut self, handle: u32, prefix: &[u8]) -> Result<Answer<u32>, MapError> {
        let begun = Arc::clone(self.begun());
        let map = self.map(handle, Rights::WATCH)?;
        lock(&begun).check_room()?;
        let loan = match &self.slot(handle)?.held.hold {
            Hold::Own(_) => None,
            Hold::Borrowed(_, loan) => Some(Arc::clone(loan)),
        };
        let answer = map.store().watch(prefix);
        drop(map);
        self.origin.changed();
        Ok(answer.map(move |watch| lock(&begun).add(Following { watch, loan })))
    }

    /// The next change, or a wake-up when there is one: see
    /// [`Watch::poll_next`](crate::Watch::poll_next).
    ///
    /// # Errors
    /// [`MapError::BadHandle`]: there is no such watch; [`MapError::Stale`]: what it watched was
    /// borrowed, and that is over.
    pub fn poll_change(
        &self,
        watch: u32,
        context: &mut Context<'_>,
    ) -> Poll<Result<Change, MapError>> {
        match self.following(watch) {
            Ok(following) => following.watch.poll_next(context).map(Ok),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Has `bell` woken by each change that a watch has to tell: see
    /// [`Watch::ring`](crate::Watch::ring).
    ///
    /// # Errors
    /// As [`poll_change`](Self::poll_change).
    pub fn ring(&self, watch: u32, bell: Waker) -> Result<(), MapError> {
        self.following(watch)?.watch.ring(bell);
        Ok(())
    }

    /// The next change if one waits.
    ///
    /// # Errors
    /// As [`poll_change`](Self::poll_change).
    pub fn try_change(&self, watch: u32) -> Result<Option<Change>, MapError> {
        Ok(self.following(watch)?.watch.try_next())
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// [`MapError::BadHandle`]: there is no such watch.
    pub fn unwatch(&mut self, watch: u32) -> Result<(), MapError> {
        let begun = self.begun.as_ref().ok_or(MapError::BadHandle(watch))?;
        self.origin.changed();
        lock(begun).remove(watch)
    }

    pub(super) fn following(&self, watch: u32) -> Result<Following, MapError> {
        let begun = self.begun.as_ref().ok_or(MapError::BadHandle(watch))?;
        lock(begun).following(watch)
    }
}
