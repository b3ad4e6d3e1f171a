//! An engine: all maps of a gateway, by name, by handle, and on their way between instances.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_model::limits::maps as limits;

use crate::MapError;
use crate::budget::Account;
use crate::budget::payers::Payer;
use crate::clock::Clock;
use crate::graph::{Graph, GraphStat, Kind, Root};
use crate::map::Map;
use crate::memory::{MemoryStore, MemoryTable};
use crate::options::MapOptions;
use crate::region::Regions;
use crate::rights::Rights;
use crate::stored::{BackEnd, Stored};
use crate::tickets::Tickets;

/// All maps. Cheap to clone; clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

/// By scope, then by name.
type Names = HashMap<Arc<str>, HashMap<Arc<str>, Root>>;

struct Shared {
    table: Arc<MemoryTable>,
    graph: Arc<Graph>,
    clock: Arc<dyn Clock>,
    named: Mutex<Names>,
    tickets: Tickets,
    regions: Regions,
}

/// What one use of a module may reach: named maps, with rights. What is not here does not exist for
/// it.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    scope: Arc<str>,
    maps: HashMap<Box<str>, Granted>,
    default: Option<Box<str>>,
}

/// What a use may do with one map.
#[derive(Clone, Debug)]
struct Granted {
    rights: Rights,
    /// What it may have of it; `None`: as much as there is.
    room: Option<Arc<Account>>,
}

impl Grants {
    /// No maps, of this scope (a tenant's names).
    #[must_use]
    pub fn of(scope: &str) -> Self {
        Self {
            scope: scope.into(),
            maps: HashMap::new(),
            default: None,
        }
    }

    /// And this map, with these rights.
    #[must_use]
    pub fn with(mut self, name: &str, rights: Rights) -> Self {
        let room = None;
        self.maps.insert(name.into(), Granted { rights, room });
        self
    }

    /// And of this map, which is granted already, it may have only so much: what it sets there, and
    /// counters that it begins. Maps in memory heed it; others are not to be granted so.
    #[must_use]
    pub fn with_room(mut self, name: &str, room: &Arc<Account>) -> Self {
        if let Some(granted) = self.maps.get_mut(name) {
            granted.room = Some(Arc::clone(room));
        }
        self
    }

    /// What it has of each map that it may have only so much of.
    pub fn rooms(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.maps
            .iter()
            .filter_map(|(name, granted)| Some((&**name, &**granted.room.as_ref()?)))
    }

    /// The map that modules of the first draft open, which name none. It must be granted beside.
    #[must_use]
    pub fn with_default(mut self, name: &str) -> Self {
        self.default = Some(name.into());
        self
    }
}

impl Engine {
    /// Without maps.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            table: MemoryTable::new(Arc::clone(&clock)),
            graph: Arc::default(),
            tickets: Tickets::new(Arc::clone(&clock)),
            clock,
            named: Mutex::default(),
            regions: Regions::default(),
        }))
    }

    /// Makes a named map, which lives until [`undefine`](Self::undefine).
    ///
    /// # Errors
    /// [`MapError::Exists`]; [`MapError::Invalid`] or [`MapError::NameTooLong`] for a bad name or
    /// options; [`MapError::NoMemory`].
    pub fn define(
        &self,
        scope: &str,
        name: &str,
        (options, owner): (MapOptions, &Arc<Account>),
    ) -> Result<(), MapError> {
        self.define_as(scope, name, |name| {
            self.make(Kind::Named, Some(name), (options, owner))
        })
    }

    /// Makes a named map whose entries another back end keeps. What the options say of room, time
    /// and eviction is for the back end to see to.
    ///
    /// # Errors
    /// As [`define`](Self::define).
    pub fn define_with(
        &self,
        scope: &str,
        name: &str,
        (options, back_end): (MapOptions, Arc<dyn BackEnd>),
    ) -> Result<(), MapError> {
        options.check()?;
        self.define_as(scope, name, |name| {
            self.0.graph.insert(Kind::Named, |id, _| {
                let stored = Stored::other(back_end);
                Ok(Map::new(id, Some(name), options, stored))
            })
        })
    }

    fn define_as(
        &self,
        scope: &str,
        name: &str,
        make: impl FnOnce(Arc<str>) -> Result<Root, MapError>,
    ) -> Result<(), MapError> {
        check_name(name.as_bytes())?;
        let mut named = self.named();
        if named.values().map(HashMap::len).sum::<usize>() >= limits::NAMED_MAPS_MAX {
            let max = limits::NAMED_MAPS_MAX;
            return Err(MapError::NoMemory {
                what: "named maps",
                max,
            });
        }
        let names = named.entry(scope.into()).or_default();
        if names.contains_key(name) {
            return Err(MapError::Exists);
        }
        let root = make(name.into())?;
        names.insert(name.into(), root);
        Ok(())
    }

    /// Makes a map that somebody of the host keeps. It has this name if that is one and is free, until
    /// [`undefine`](Self::undefine).
    ///
    /// # Errors
    /// [`MapError::Invalid`] options; [`MapError::NoMemory`].
    pub(crate) fn keep(
        &self,
        (scope, name): (&str, &str),
        options: MapOptions,
        owner: &Arc<Account>,
    ) -> Result<Root, MapError> {
        let root = self.make(Kind::Named, Some(name.into()), (options, owner))?;
        // One that cannot have the name is kept all the same.
        let _ = self.define_as(scope, name, |_| Ok(root.clone()));
        Ok(root)
    }

    /// The configuration names a map no more: it goes with its last handle.
    pub fn undefine(&self, scope: &str, name: &str) {
        let root = self
            .named()
            .get_mut(scope)
            .and_then(|names| names.remove(name));
        // Freed with the lock on names open again.
        drop(root);
    }

    /// A named map, for the operator: whoever calls this has checked that it may.
    #[must_use]
    pub fn find(&self, scope: &str, name: &str) -> Option<Root> {
        self.named().get(scope)?.get(name).cloned()
    }

    /// All named maps, by scope and name.
    #[must_use]
    pub fn list(&self) -> Vec<(Arc<str>, Arc<str>, Root)> {
        let named = self.named();
        let of_scope = |(scope, names): (&Arc<str>, &HashMap<Arc<str>, Root>)| {
            let names = names.iter();
            let all = names.map(|(name, map)| (Arc::clone(scope), Arc::clone(name), map.clone()));
            all.collect::<Vec<_>>()
        };
        let mut all: Vec<_> = named.iter().flat_map(of_scope).collect();
        all.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        all
    }

    /// A named map as a use may open it.
    pub(crate) fn open(
        &self,
        grants: &Grants,
        name: &[u8],
        rights: Rights,
    ) -> Result<(Root, Payer), MapError> {
        let (root, granted, payer) = self.find_granted(grants, check_name(name)?)?;
        rights.within(granted).map(|_| (root, payer))
    }

    /// The same with all rights that are granted; without a name, the use's default.
    pub(crate) fn open_granted(
        &self,
        grants: &Grants,
        name: Option<&[u8]>,
    ) -> Result<(Root, Rights, Payer), MapError> {
        let name = match name {
            Some(name) => check_name(name)?,
            None => grants.default.as_deref().ok_or(MapError::NoEntry)?,
        };
        self.find_granted(grants, name)
    }

    fn find_granted(&self, grants: &Grants, name: &str) -> Result<(Root, Rights, Payer), MapError> {
        let granted = grants.maps.get(name).ok_or(MapError::NoEntry)?;
        let root = self.find(&grants.scope, name).ok_or(MapError::NoEntry)?;
        let payer = granted.room.as_ref().map(|room| root.map().payer(room));
        Ok((root, granted.rights, payer.unwrap_or_default()))
    }

    /// Who pays for what a use writes into a map that it found otherwise than by its name.
    pub(crate) fn payer(&self, grants: &Grants, root: &Root) -> Payer {
        let name = root.map().name();
        let granted = name.and_then(|name| self.find_granted(grants, name).ok());
        let is_it = |found: &(Root, Rights, Payer)| found.0.map().id() == root.map().id();
        granted.filter(is_it).map_or(Payer::NOBODY, |found| found.2)
    }

    /// A map without a name.
    pub(crate) fn create(
        &self,
        options: MapOptions,
        owner: &Arc<Account>,
    ) -> Result<Root, MapError> {
        let shards = options.shards.min(limits::ANONYMOUS_SHARDS_MAX);
        let options = MapOptions { shards, ..options };
        self.make(Kind::Anonymous, None, (options, owner))
    }

    /// Housekeeping, to be called every few milliseconds by one thread, in as many steps as it has
    /// time for: void tickets, entries that have ended, maps that nobody can reach. `false`: there is
    /// nothing left to do now.
    #[must_use]
    pub fn tend(&self, steps: usize) -> bool {
        self.0.tickets.sweep();
        let entries_left = self.0.graph.sweep(self.0.clock.now_ms(), steps);
        self.0.graph.tend(steps) || entries_left
    }

    /// How long [`tend`](Self::tend) has nothing to do, if nobody does anything: until an entry or a
    /// ticket ends. `None`: for ever.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        let ends = [self.0.tickets.next_end_ms(), self.0.graph.next_sweep_ms()];
        let next_ms = ends.into_iter().flatten().min()?;
        let left_ms = next_ms.saturating_sub(self.0.clock.now_ms());
        Some(Duration::from_millis(left_ms))
    }

    /// Numbers of maps without names.
    #[must_use]
    pub fn stat(&self) -> GraphStat {
        self.0.graph.stat()
    }

    /// Tickets that nobody has accepted yet.
    #[must_use]
    pub fn tickets_open(&self) -> usize {
        self.0.tickets.open()
    }

    /// The references between maps.
    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.0.graph
    }

    /// Where its time comes from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// What all regions are made by.
    #[must_use]
    pub fn regions(&self) -> &Regions {
        &self.0.regions
    }

    pub(crate) fn tickets(&self) -> &Tickets {
        &self.0.tickets
    }

    fn make(
        &self,
        kind: Kind,
        name: Option<Arc<str>>,
        (options, owner): (MapOptions, &Arc<Account>),
    ) -> Result<Root, MapError> {
        let table = &self.0.table;
        self.0.graph.insert(kind, |id, edges| {
            let store = MemoryStore::new(table, options, Arc::clone(owner), edges)?;
            let stored = Stored::memory(store, name.is_some());
            Ok(Map::new(id, name, options, stored))
        })
    }

    fn named(&self) -> MutexGuard<'_, Names> {
        self.0.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of a name. Names are checked before anything else is looked at.
pub(crate) fn check_name(name: &[u8]) -> Result<&str, MapError> {
    let (bytes, max) = (name.len(), limits::NAME_BYTES_MAX);
    if bytes > max {
        return Err(MapError::NameTooLong { bytes, max });
    }
    let text = std::str::from_utf8(name).ok();
    let text = text.filter(|text| !text.is_empty());
    text.ok_or(MapError::Invalid("a name is UTF-8 and not empty"))
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.stat()).finish()
    }
}
