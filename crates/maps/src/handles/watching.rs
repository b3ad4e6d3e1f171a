//! The watches of one instance. They have numbers of their own, and go on when the handle that they
//! were begun with is closed; what was borrowed is watched for as long as it is lent.

use std::sync::Arc;
use std::task::{Context, Poll};

use weir_model::limits::maps as limits;

use super::{Handles, Hold, Loan};
use crate::MapError;
use crate::rights::Rights;
use crate::store::Store;
use crate::watch::{Change, Watch};

/// A watch, and what it ends with.
#[derive(Debug)]
pub(super) struct Following {
    watch: Watch,
    loan: Option<Arc<Loan>>,
}

impl Handles {
    /// Begins to follow the changes of keys with a prefix. Answers the number of the watch.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::WATCH`]; [`MapError::NoMemory`]: the instance or the map has too many;
    /// [`MapError::NotSupported`]: the back end must be waited for.
    pub fn watch(&mut self, handle: u32, prefix: &[u8]) -> Result<u32, MapError> {
        let watch = self.map(handle, Rights::WATCH)?;
        let free = self.watches.iter().position(Option::is_none);
        if free.is_none() && self.watches.len() >= limits::INSTANCE_WATCHES_MAX {
            let max = limits::INSTANCE_WATCHES_MAX;
            let what = "watches of this instance";
            return Err(MapError::NoMemory { what, max });
        }
        let watch = watch.store().watch(prefix).now()?;
        let loan = match &self.slot(handle)?.held.hold {
            Hold::Own(_) => None,
            Hold::Borrowed(_, loan) => Some(Arc::clone(loan)),
        };
        let following = Some(Following { watch, loan });
        let place = free.unwrap_or(self.watches.len());
        match self.watches.get_mut(place) {
            Some(free) => *free = following,
            None => self.watches.push(following),
        }
        u32::try_from(place + 1).map_err(|_| MapError::Invalid("too many watches"))
    }

    /// The next change, or a wake-up when there is one: see [`Watch::poll_next`].
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
        let place = (watch as usize).wrapping_sub(1);
        let ended = self.watches.get_mut(place).and_then(Option::take);
        ended.map(drop).ok_or(MapError::BadHandle(watch))
    }

    fn following(&self, watch: u32) -> Result<&Following, MapError> {
        let place = (watch as usize).wrapping_sub(1);
        let following = self.watches.get(place).and_then(Option::as_ref);
        let following = following.ok_or(MapError::BadHandle(watch))?;
        match &following.loan {
            Some(loan) if loan.is_over() => Err(MapError::Stale),
            Some(_) | None => Ok(following),
        }
    }
}
