//! Tickets: handles on their way from one instance to another.
//!
//! Invariants: a ticket is accepted once, and by the use it was made out to; one that nobody accepts
//! in time is void and keeps nothing alive. Its 16 bytes are random: guessing one is hopeless.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_model::limits::maps as limits;

use crate::MapError;
use crate::clock::{Clock, millis};
use crate::handles::Held;

/// What a guest hands over.
pub type TicketBytes = [u8; 16];

pub(crate) struct Tickets {
    clock: Arc<dyn Clock>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    tickets: HashMap<TicketBytes, Ticket>,
    /// How many each use has made.
    by_use: HashMap<Arc<str>, usize>,
    /// When they end, in that order; those that were accepted may still be here.
    ends: VecDeque<(u64, TicketBytes)>,
}

/// Ends of accepted tickets that are kept beside those of open ones before they are thrown out.
const ENDS_SLACK: usize = 1024;

struct Ticket {
    held: Held,
    from: Arc<str>,
    to: Box<str>,
    ends_ms: u64,
}

impl Tickets {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let open = Mutex::default();
        Self { clock, open }
    }

    /// Room for one more of this use, or the reason why not: asked before a handle is given up.
    pub(crate) fn check_room(&self, from: &str) -> Result<(), MapError> {
        if self.lock().room(from).is_ok() {
            return Ok(());
        }
        self.sweep_all();
        self.lock().room(from)
    }

    /// Makes a ticket of a use out to another.
    ///
    /// # Errors
    /// [`MapError::Io`]: the system has no random bytes.
    pub(crate) fn issue(
        &self,
        held: Held,
        (from, to): (&Arc<str>, &str),
    ) -> Result<TicketBytes, MapError> {
        let mut ticket = TicketBytes::default();
        getrandom::fill(&mut ticket).map_err(|error| MapError::Io(error.to_string()))?;
        let ends_ms = self
            .clock
            .now_ms()
            .saturating_add(millis(limits::TICKET_TIME));
        let made = Ticket {
            held,
            from: Arc::clone(from),
            to: to.into(),
            ends_ms,
        };
        let mut open = self.lock();
        open.tickets.insert(ticket, made);
        *open.by_use.entry(Arc::clone(from)).or_default() += 1;
        open.ends.push_back((ends_ms, ticket));
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
        open.tickets
            .get(ticket)
            .filter(ours)
            .ok_or(MapError::NoEntry)?;
        let ticket = open.take(ticket).ok_or(MapError::NoEntry)?;
        open.forget_accepted();
        drop(open);
        if ticket.ends_ms <= now_ms || ticket.held.is_stale() {
            return Err(MapError::NoEntry);
        }
        Ok(ticket.held)
    }

    /// When the oldest one ends, or one that was accepted would have.
    pub(crate) fn next_end_ms(&self) -> Option<u64> {
        self.lock().ends.front().map(|(end_ms, _)| *end_ms)
    }

    /// Drops those whose time is up, with no lock held.
    pub(crate) fn sweep(&self) {
        let now_ms = self.clock.now_ms();
        let mut ended = Vec::new();
        let mut open = self.lock();
        while let Some((_, ticket)) = open.ends.pop_front_if(|(end, _)| *end <= now_ms) {
            ended.extend(open.take(&ticket));
        }
        drop(open);
        drop(ended);
    }

    /// Drops all that are void, also those whose loan has ended.
    fn sweep_all(&self) {
        self.sweep();
        let stale = |_: &TicketBytes, ticket: &mut Ticket| ticket.held.is_stale();
        let mut open = self.lock();
        let ended: Vec<_> = open.tickets.extract_if(stale).collect();
        for (_, ticket) in &ended {
            open.count_off(&ticket.from);
        }
        drop(open);
        drop(ended);
    }

    /// Those that can still be accepted.
    pub(crate) fn open(&self) -> usize {
        let open = self.lock();
        let tickets = open.tickets.values();
        tickets.filter(|ticket| !ticket.held.is_stale()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn room(&self, from: &str) -> Result<(), MapError> {
        if self.tickets.len() >= limits::TICKETS_MAX {
            let (what, max) = ("tickets", limits::TICKETS_MAX);
            return Err(MapError::NoMemory { what, max });
        }
        let made = self.by_use.get(from).copied().unwrap_or_default();
        if made >= limits::TICKETS_OF_USE_MAX {
            let (what, max) = ("tickets of this use", limits::TICKETS_OF_USE_MAX);
            return Err(MapError::NoMemory { what, max });
        }
        Ok(())
    }

    fn take(&mut self, ticket: &TicketBytes) -> Option<Ticket> {
        let taken = self.tickets.remove(ticket)?;
        self.count_off(&taken.from);
        Some(taken)
    }

    fn count_off(&mut self, from: &str) {
        if let Some(made) = self.by_use.get_mut(from) {
            *made = made.saturating_sub(1);
        }
    }

    fn forget_accepted(&mut self) {
        if self.ends.len() > 2 * self.tickets.len() + ENDS_SLACK {
            let tickets = &self.tickets;
            self.ends.retain(|(_, ticket)| tickets.contains_key(ticket));
        }
    }
}
