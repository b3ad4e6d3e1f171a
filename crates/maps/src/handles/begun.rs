//! Scans and watches of one instance, which go on between its calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_model::limits::maps as limits;

use super::{Handles, Loan};
use crate::MapError;
use crate::scan::Scans;
use crate::watch::Watch;

/// What an instance has begun.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub(super) scans: Scans,
    /// Watch 1 is the first.
    watches: Vec<Option<Following>>,
}

/// A watch, and what it ends with.
#[derive(Clone, Debug)]
pub(super) struct Following {
    pub(super) watch: Watch,
    pub(super) loan: Option<Arc<Loan>>,
}

pub(super) fn lock(begun: &Mutex<Begun>) -> MutexGuard<'_, Begun> {
    begun.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Begun {
    pub(super) fn check_room(&self) -> Result<(), MapError> {
        let is_full = self.watches.len() >= limits::INSTANCE_WATCHES_MAX;
        if !is_full || self.watches.iter().any(Option::is_none) {
            return Ok(());
        }
        let max = limits::INSTANCE_WATCHES_MAX;
        let what = "watches of this instance";
        Err(MapError::NoMemory { what, max })
    }

    pub(super) fn add(&mut self, following: Following) -> Result<u32, MapError> {
        self.check_room()?;
        let free = self.watches.iter().position(Option::is_none);
        let place = free.unwrap_or(self.watches.len());
        match self.watches.get_mut(place) {
            Some(free) => *free = Some(following),
            None => self.watches.push(Some(following)),
        }
        u32::try_from(place + 1).map_err(|_| MapError::Invalid("too many watches"))
    }

    pub(super) fn remove(&mut self, watch: u32) -> Result<(), MapError> {
        let place = (watch as usize).wrapping_sub(1);
        let ended = self.watches.get_mut(place).and_then(Option::take);
        ended.map(drop).ok_or(MapError::BadHandle(watch))
    }

    pub(super) fn following(&self, watch: u32) -> Result<Following, MapError> {
        let place = (watch as usize).wrapping_sub(1);
        let following = self.watches.get(place).and_then(Option::as_ref);
        let following = following.ok_or(MapError::BadHandle(watch))?;
        match &following.loan {
            Some(loan) if loan.is_over() => Err(MapError::Stale),
            Some(_) | None => Ok(following.clone()),
        }
    }
}

impl Handles {
    pub(super) fn begun(&mut self) -> &Arc<Mutex<Begun>> {
        self.begun.get_or_insert_default()
    }
}
