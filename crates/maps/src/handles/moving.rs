//! Handing maps to other instances: lending, transferring, accepting, and the end of requests.

use std::sync::Arc;

use weir_model::limits::maps as limits;

use super::{Ends, Handles, Held, Hold, InUse, Loan};
use crate::MapError;
use crate::rights::Rights;
use crate::tickets::TicketBytes;

/// How often what was borrowed may be lent on: every use of it asks all lenders.
const LOANS_IN_A_ROW_MAX: usize = 16;

impl Handles {
    /// A ticket for the use `to`, which may then use the map until this handle is closed, or what
    /// `ends` says ends.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::SHARE`] or the rights that are lent; [`MapError::NoMemory`].
    pub fn lend(
        &mut self,
        handle: u32,
        rights: Rights,
        (to, ends): (&str, Ends),
    ) -> Result<TicketBytes, MapError> {
        let (map, parent, payer) = {
            let held = &self.slot(handle)?.held;
            let map = match held.map()? {
                InUse::Own(map) => Arc::downgrade(map),
                InUse::Borrowed(map) => Arc::downgrade(&map),
            };
            rights.and(Rights::SHARE).within(held.rights)?;
            let parent = match &held.hold {
                Hold::Own(_) => None,
                Hold::Borrowed(_, loan) => Some(Arc::clone(loan)),
            };
            // Who lends pays.
            (map, parent, held.payer)
        };
        if parent
            .as_ref()
            .is_some_and(|loan| loan.depth() + 2 > LOANS_IN_A_ROW_MAX)
        {
            let max = LOANS_IN_A_ROW_MAX;
            let what = "loans of what was borrowed";
            return Err(MapError::NoMemory { what, max });
        }
        self.make_room_for_loan()?;
        self.engine.tickets().check_room(&self.identity.in_use)?;
        let loan = Loan::new(ends, parent);
        let held = Held {
            hold: Hold::Borrowed(map, Arc::clone(&loan)),
            rights,
            payer,
        };
        let ticket = self
            .engine
            .tickets()
            .issue(held, (&self.identity.in_use, to))?;
        self.origin.changed();
        self.slot_mut(handle)?.loans.push(loan);
        self.loans += 1;
        Ok(ticket)
    }

    /// A ticket for the use `to` that carries the handle itself: it is no longer here.
    ///
    /// # Errors
    /// As [`lend`](Self::lend); the handle is still here then.
    pub fn transfer(&mut self, handle: u32, to: &str) -> Result<TicketBytes, MapError> {
        let held = &self.slot(handle)?.held;
        held.map()?;
        Rights::SHARE.within(held.rights)?;
        self.engine.tickets().check_room(&self.identity.in_use)?;
        let moved = Held {
            hold: held.hold.clone(),
            rights: held.rights,
            payer: held.payer,
        };
        let ticket = self
            .engine
            .tickets()
            .issue(moved, (&self.identity.in_use, to))?;
        drop(self.take(handle)?);
        Ok(ticket)
    }

    /// A handle for a ticket that was made out to this instance's use.
    ///
    /// # Errors
    /// [`MapError::NoEntry`]: there is no such ticket, for this use, any more;
    /// [`MapError::NoMemory`]: too many handles, and the ticket is as good as before.
    pub fn accept(&mut self, ticket: &TicketBytes) -> Result<u32, MapError> {
        self.check_room()?;
        let held = self
            .engine
            .tickets()
            .accept(ticket, &self.identity.in_use)?;
        if let (Hold::Borrowed(..), Ok(map)) = (&held.hold, held.map()) {
            self.engine
                .graph()
                .interest(map.id(), &self.identity.in_use);
        }
        self.add(held)
    }

    /// A request of this instance has ended: what it lent is over.
    pub fn end_request(&mut self, request: u64) {
        self.spending.forget(request);
        if self.loans == 0 {
            return;
        }
        let mut left = 0;
        for slot in self.slots.iter_mut().flatten() {
            slot.loans.retain(|loan| {
                let ended = loan.ends_with(request);
                if ended {
                    loan.end();
                }
                !ended
            });
            left += slot.loans.len();
        }
        self.loans = left;
    }

    /// Forgets loans that nobody holds any more, if there are many.
    fn make_room_for_loan(&mut self) -> Result<(), MapError> {
        if self.loans < limits::LOANS_MAX {
            return Ok(());
        }
        let mut left = 0;
        for slot in self.slots.iter_mut().flatten() {
            slot.loans.retain(|loan| Arc::strong_count(loan) > 1);
            left += slot.loans.len();
        }
        self.loans = left;
        if left < limits::LOANS_MAX {
            return Ok(());
        }
        let max = limits::LOANS_MAX;
        let what = "loans of this instance";
        Err(MapError::NoMemory { what, max })
    }
}
