//! Who pays for the entries of a map, beside the map itself: uses that may have only so much of it.
//!
//! Invariant: an account that is not emptied by others has exactly what its entries cost. An entry is
//! paid by whoever set it last, or made it by adding to it.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Account, Amount};
use crate::MapError;

/// What is told when a use has all that it may have of a map. Evicting entries of others would not
/// help it.
const USED_UP: [&str; 2] = [
    "entries of this filter or function in the map",
    "bytes of this filter or function in the map",
];

/// Who pays for an entry: a number that means something in one map. By default nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payer(u32);

/// The payers of a map.
#[derive(Debug, Default)]
pub(crate) struct Payers(RwLock<Vec<Arc<Account>>>);

/// What a change means for those who pay: who pays what is new, what that pays no more, and what
/// somebody else does not pay any more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Charge {
    pub(crate) payer: Payer,
    pub(crate) freed: Amount,
    pub(crate) needed: Amount,
    pub(crate) other: Option<(Payer, Amount)>,
}

impl Payer {
    /// Nobody.
    pub const NOBODY: Self = Self(0);

    fn place(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}

impl Charge {
    /// An entry is set: `old` was paid by whom, and `needed` is to be paid.
    #[inline]
    pub(crate) fn of(payer: Payer, needed: Amount, old: Option<(Payer, Amount)>) -> Option<Self> {
        let old = old.filter(|(payer, _)| *payer != Payer::NOBODY);
        if payer == Payer::NOBODY && old.is_none() {
            return None;
        }
        let is_same = |(of, _): &(Payer, Amount)| *of == payer;
        Some(Self {
            payer,
            freed: old
                .filter(is_same)
                .map_or(Amount::default(), |(_, cost)| cost),
            needed,
            other: old.filter(|old| !is_same(old)),
        })
    }
}

impl Payers {
    /// The payer with an account; a new one if need be.
    pub(crate) fn of(&self, account: &Arc<Account>) -> Payer {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().position(|it| Arc::ptr_eq(it, account));
        let place = known.unwrap_or_else(|| {
            // One that nobody has any more, and that pays for nothing.
            let over = |it: &Arc<Account>| Arc::strong_count(it) == 1 && it.used().entries == 0;
            let Some(free) = all.iter().position(over) else {
                all.push(Arc::clone(account));
                return all.len() - 1;
            };
            all[free] = Arc::clone(account);
            free
        });
        Payer(u32::try_from(place + 1).unwrap_or_default())
    }

    fn account(&self, payer: Payer) -> Option<Arc<Account>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(payer.place()?).cloned()
    }

    /// Counts a change.
    ///
    /// # Errors
    /// [`MapError::NoSpace`]; nothing is counted then.
    pub(crate) fn charge(&self, charge: Option<&Charge>) -> Result<(), MapError> {
        let Some(charge) = charge else {
            return Ok(());
        };
        if let Some(account) = self.account(charge.payer) {
            let changed = account.change(charge.freed, charge.needed);
            changed.map_err(|error| match error {
                MapError::NoSpace { what, max } => MapError::NoSpace {
                    what: USED_UP[usize::from(what == "bytes")],
                    max,
                },
                error => error,
            })?;
        }
        if let Some((other, cost)) = charge.other {
            self.free(other, cost);
        }
        Ok(())
    }

    /// Takes a change back.
    pub(crate) fn undo(&self, charge: Option<&Charge>) {
        let Some(charge) = charge else {
            return;
        };
        if let Some(account) = self.account(charge.payer) {
            account.undo(charge.freed, charge.needed);
        }
        if let Some((other, cost)) = charge.other {
            self.pay(other, cost);
        }
    }

    /// An entry is gone.
    #[inline]
    pub(crate) fn free(&self, payer: Payer, cost: Amount) {
        if payer == Payer::NOBODY {
            return;
        }
        if let Some(account) = self.account(payer) {
            account.put_back(cost);
        }
    }

    /// Somebody has it, whether there is room or not.
    pub(crate) fn pay(&self, payer: Payer, cost: Amount) {
        if let Some(account) = self.account(payer) {
            account.put_in(cost);
        }
    }
}

/// Whether a use has all that it may have, and not the map.
pub(crate) fn is_of_a_payer(error: &MapError) -> bool {
    matches!(error, MapError::NoSpace { what, .. } if USED_UP.contains(what))
}
