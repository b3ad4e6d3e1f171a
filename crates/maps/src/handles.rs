//! The handle table of one instance: all that a guest can do with maps begins here.
//!
//! Rights are checked on every use, and never grow. Dropping the table, however the instance ended,
//! closes its handles and ends what it lent. A table belongs to one instance and one thread.

mod begun;
mod calling;
mod copying;
mod loan;
mod moving;
mod spending;
mod using;
mod watching;

use std::ops::Deref;
use std::sync::{Arc, Mutex, Weak};

use weir_model::limits::maps as limits;

use crate::MapError;
use crate::budget::Account;
use crate::budget::payers::Payer;
use crate::engine::{Engine, Grants};
use crate::graph::Root;
use crate::map::Map;
use crate::meter::Meter;
use crate::options::MapOptions;
use crate::rights::Rights;
use crate::value::MapId;

use begun::Begun;
use copying::Origin;
use spending::Spending;

pub use loan::{Ends, Loan};
pub use using::HandleStat;

/// Who an instance is to the engine.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The use (filter or function of the configuration) that it runs for.
    pub in_use: Arc<str>,
    /// What it may open.
    pub grants: Arc<Grants>,
    /// Who pays for its anonymous maps.
    pub owner: Arc<Account>,
    /// What it may ask for in a second, and was refused.
    pub meter: Arc<Meter>,
}

/// The handles of one instance.
#[derive(Debug)]
pub struct Handles {
    engine: Engine,
    identity: Identity,
    /// Handle 1 is the first.
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    loans: usize,
    /// Scans and watches, made with the first of them. Shared with operations that end later.
    begun: Option<Arc<Mutex<Begun>>>,
    origin: Origin,
    spending: Spending,
}

#[derive(Debug)]
struct Slot {
    held: Held,
    /// What was lent out of this handle.
    loans: Vec<Arc<Loan>>,
}

/// What a handle, or a ticket, holds.
#[derive(Debug)]
pub struct Held {
    hold: Hold,
    rights: Rights,
    /// Who pays for what is written with it.
    payer: Payer,
}

#[derive(Clone, Debug)]
enum Hold {
    Own(Root),
    /// Keeps nothing alive: the lender does.
    Borrowed(Weak<Map>, Arc<Loan>),
}

/// A map that an operation works on.
#[derive(Debug)]
pub enum InUse<'a> {
    /// The handle keeps it alive.
    Own(&'a Arc<Map>),
    /// This does, until the operation is over.
    Borrowed(Arc<Map>),
}

impl Deref for InUse<'_> {
    type Target = Map;

    #[inline]
    fn deref(&self) -> &Map {
        match self {
            Self::Own(map) => map,
            Self::Borrowed(map) => map,
        }
    }
}

impl Held {
    /// Whether it was borrowed and its lender has ended.
    pub(crate) fn is_stale(&self) -> bool {
        match &self.hold {
            Hold::Own(_) => false,
            Hold::Borrowed(map, loan) => loan.is_over() || map.strong_count() == 0,
        }
    }

    #[inline]
    fn map(&self) -> Result<InUse<'_>, MapError> {
        match &self.hold {
            Hold::Own(root) => Ok(InUse::Own(root.map())),
            Hold::Borrowed(_, loan) if loan.is_over() => Err(MapError::Stale),
            Hold::Borrowed(map, _) => map.upgrade().map(InUse::Borrowed).ok_or(MapError::Stale),
        }
    }
}

impl Handles {
    /// No handles yet.
    #[must_use]
    pub fn new(engine: &Engine, identity: Identity) -> Self {
        Self {
            engine: engine.clone(),
            identity,
            slots: Vec::new(),
            free: Vec::new(),
            loans: 0,
            begun: None,
            origin: Origin::new(),
            spending: Spending::default(),
        }
    }

    /// Opens a named map with some of the granted rights.
    ///
    /// # Errors
    /// [`MapError::NoEntry`]: not granted at all, or not there; [`MapError::NotCapable`]: granted
    /// with fewer rights; [`MapError::Invalid`], [`MapError::NameTooLong`]: no name;
    /// [`MapError::NoMemory`]: too many handles.
    pub fn open(&mut self, name: &[u8], rights: Rights) -> Result<u32, MapError> {
        let (root, payer) = self.engine.open(&self.identity.grants, name, rights)?;
        self.add(Held {
            hold: Hold::Own(root),
            rights,
            payer,
        })
    }

    /// Opens a named map, or the use's default, with all rights that are granted.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_granted(&mut self, name: Option<&[u8]>) -> Result<u32, MapError> {
        let grants = &self.identity.grants;
        let (root, rights, payer) = self.engine.open_granted(grants, name)?;
        self.add(Held {
            hold: Hold::Own(root),
            rights,
            payer,
        })
    }

    /// Makes an anonymous map.
    ///
    /// # Errors
    /// [`MapError::Invalid`] options; [`MapError::NoMemory`]: too many handles or maps.
    pub fn create(&mut self, options: MapOptions) -> Result<u32, MapError> {
        self.check_room()?;
        let root = self.engine.create(options, &self.identity.owner)?;
        self.add(Held {
            hold: Hold::Own(root),
            rights: Rights::ALL,
            payer: Payer::NOBODY,
        })
    }

    /// Closes a handle; what was lent out of it is over.
    ///
    /// # Errors
    /// [`MapError::BadHandle`].
    pub fn close(&mut self, handle: u32) -> Result<(), MapError> {
        drop(self.take(handle)?);
        Ok(())
    }

    /// A second handle to the same map, with fewer or equal rights.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::NotCapable`], [`MapError::NoMemory`];
    /// [`MapError::Stale`] for what was borrowed.
    pub fn dup(&mut self, handle: u32, rights: Rights) -> Result<u32, MapError> {
        let held = &self.slot(handle)?.held;
        held.map()?;
        let rights = rights.within(held.rights)?;
        let (hold, payer) = (held.hold.clone(), held.payer);
        self.add(Held {
            hold,
            rights,
            payer,
        })
    }

    /// What a handle allows.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`].
    pub fn rights(&self, handle: u32) -> Result<Rights, MapError> {
        let held = &self.slot(handle)?.held;
        held.map()?;
        Ok(held.rights)
    }

    /// The map of a handle, for an operation that needs these rights.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`], [`MapError::NotCapable`].
    #[inline]
    pub fn map(&self, handle: u32, needed: Rights) -> Result<InUse<'_>, MapError> {
        let held = &self.slot(handle)?.held;
        let map = held.map()?;
        needed.within(held.rights).map(|_| map)
    }

    /// Who pays for what is written with a handle.
    #[inline]
    fn payer(&self, handle: u32) -> Payer {
        self.slot(handle)
            .map_or(Payer::NOBODY, |slot| slot.held.payer)
    }

    /// Live handles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds a map that no configuration names.
    #[must_use]
    pub fn holds_anonymous(&self) -> bool {
        self.slots
            .iter()
            .flatten()
            .any(|slot| match &slot.held.hold {
                Hold::Own(root) => root.map().name().is_none(),
                Hold::Borrowed(..) => true,
            })
    }

    /// Which map a handle refers to.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`].
    pub fn id(&self, handle: u32) -> Result<MapId, MapError> {
        Ok(self.slot(handle)?.held.map()?.id())
    }

    #[inline]
    fn slot(&self, handle: u32) -> Result<&Slot, MapError> {
        let place = (handle as usize).wrapping_sub(1);
        let slot = self.slots.get(place).and_then(Option::as_ref);
        slot.ok_or(MapError::BadHandle(handle))
    }

    fn slot_mut(&mut self, handle: u32) -> Result<&mut Slot, MapError> {
        let place = (handle as usize).wrapping_sub(1);
        let slot = self.slots.get_mut(place).and_then(Option::as_mut);
        slot.ok_or(MapError::BadHandle(handle))
    }

    /// Takes a handle out of the table and ends its loans.
    fn take(&mut self, handle: u32) -> Result<Held, MapError> {
        self.slot(handle)?;
        let place = (handle as usize).wrapping_sub(1);
        let slot = self.slots.get_mut(place).and_then(Option::take);
        let slot = slot.ok_or(MapError::BadHandle(handle))?;
        self.origin.changed();
        self.free.push(handle);
        if let Some(begun) = &self.begun {
            begun::lock(begun).scans.forget(handle);
        }
        self.loans = self.loans.saturating_sub(slot.loans.len());
        slot.loans.iter().for_each(|loan| loan.end());
        Ok(slot.held)
    }

    fn check_room(&self) -> Result<(), MapError> {
        if self.len() < limits::HANDLES_MAX {
            return Ok(());
        }
        let max = limits::HANDLES_MAX;
        Err(MapError::NoMemory {
            what: "handles of this instance",
            max,
        })
    }

    fn add(&mut self, held: Held) -> Result<u32, MapError> {
        self.check_room()?;
        self.origin.changed();
        let loans = Vec::new();
        let slot = Some(Slot { held, loans });
        if let Some(handle) = self.free.pop() {
            if let Some(free) = self.slots.get_mut(handle as usize - 1) {
                *free = slot;
            }
            return Ok(handle);
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len()).map_err(|_| MapError::Invalid("too many handles"))
    }

    /// Closes all handles and ends what was lent out of them.
    fn empty(&mut self) {
        for slot in self.slots.drain(..).flatten() {
            slot.loans.iter().for_each(|loan| loan.end());
        }
        self.free.clear();
        self.loans = 0;
        self.begun = None;
        self.spending.clear();
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        self.empty();
    }
}
