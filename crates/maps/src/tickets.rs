//! Tickets: handles on their way from one instance to another.
//!
//! Invariants: a ticket is accepted once, and by the use it was made out to; one that nobody accepts
//! in time is void and keeps nothing alive. Its 16 bytes are random: guessing one is hopeless.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_model::limits::maps as limits;

use crate::MapError;
use crate::clock::{Clock, millis};
use crate::handles::Held;

/// What a guest hands over.
pub type TicketBytes = [u8; 16];

pub(crate) struct Tickets {
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<TicketBytes, Ticket>>,
}

struct Ticket {
    held: Held,
    to: Box<str>,
    ends_ms: u64,
}

impl Tickets {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let open = Mutex::default();
        Self { clock, open }
    }

    /// Room for one more, or the reason why not: asked before a handle is given up.
    pub(crate) fn check_room(&self) -> Result<(), MapError> {
        if self.open() < limits::TICKETS_MAX {
            return Ok(());
        }
        self.sweep();
        if self.open() < limits::TICKETS_MAX {
            return Ok(());
        }
        let max = limits::TICKETS_MAX;
        Err(MapError::NoMemory {
            what: "tickets",
            max,
        })
    }

    /// Makes a ticket out to a use.
    ///
    /// # Errors
    /// [`MapError::Io`]: the system has no random bytes.
    pub(crate) fn issue(&self, held: Held, to: &str) -> Result<TicketBytes, MapError> {
        let mut ticket = TicketBytes::default();
        getrandom::fill(&mut ticket).map_err(|error| MapError::Io(error.to_string()))?;
        let ends_ms = self
            .clock
            .now_ms()
            .saturating_add(millis(limits::TICKET_TIME));
        let to = to.into();
        self.lock().insert(ticket, Ticket { held, to, ends_ms });
        Ok(ticket)
    }

    /// Gives up a ticket.
    ///
    /// # Errors
    /// [`MapError::NoEntry`]: there is none, or it is not this use's, or it is void.
    pub(crate) fn accept(&self, ticket: &TicketBytes, by: &str) -> Result<Held, MapError> {
        let now_ms = self.clock.now_ms();
        let mut open = self.lock();
        let ours = |ticket: &&Ticket| *ticket.to == *by;
        open.get(ticket).filter(ours).ok_or(MapError::NoEntry)?;
        let ticket = open.remove(ticket).ok_or(MapError::NoEntry)?;
        drop(open);
        if ticket.ends_ms <= now_ms || ticket.held.is_stale() {
            return Err(MapError::NoEntry);
        }
        Ok(ticket.held)
    }

    /// Drops the void ones, with no lock held.
    pub(crate) fn sweep(&self) {
        let now_ms = self.clock.now_ms();
        let void = |_: &TicketBytes, ticket: &mut Ticket| {
            ticket.ends_ms <= now_ms || ticket.held.is_stale()
        };
        let ended: Vec<_> = self.lock().extract_if(void).collect();
        drop(ended);
    }

    pub(crate) fn open(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TicketBytes, Ticket>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
