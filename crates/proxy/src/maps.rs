//! Shared maps of the whole process: the engine with the maps of the configuration, what each filter
//! may do with them, and their housekeeping.
//!
//! Where a map's entries are is decided in one place, [`stores`]. Policy: there are no tenants, so
//! all names are in one scope.

pub mod declared;
mod keeper;
mod notices;
mod stores;

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_maps::budget::{Account, Amount};
use weir_maps::store::{Stat, Store as _};
use weir_maps::{Engine, Eviction, Handles, Identity, MapError, MapOptions, Rights, SystemClock};
use weir_model::{Filter, MapEviction, Name, SharedMap, Site, limits::maps as limits};

use crate::gateway::PrepareError;
use declared::Declarations;
use keeper::Keeper;
pub(crate) use notices::{Bell, MapNotice, MapNotices};
pub(crate) use stores::Opening;
pub use stores::StoreError;
use stores::Stores;

/// The scope of all names.
const SCOPE: &str = "";

/// The callback that hears of maps that are gone.
pub(crate) const ON_RELEASE: &str = "wasi_map_on_release";

/// A map of the configuration, for operators.
#[derive(Clone, Debug)]
pub struct MapReport {
    /// Its name.
    pub name: Name,
    /// Its numbers.
    pub stat: Stat,
}

/// Numbers of maps that the configuration does not name.
#[derive(Clone, Copy, Debug)]
pub struct MapTotals {
    /// Maps that guests made and that are not over.
    pub anonymous: u64,
    /// Maps that are over and not yet freed entirely.
    pub freeing: u64,
    /// Maps that only referred to each other, and were found.
    pub collected: u64,
    /// Tickets that nobody has accepted yet.
    pub tickets: u64,
}

/// All shared maps.
pub(crate) struct SharedMaps {
    engine: Engine,
    /// By filter.
    uses: BTreeMap<Name, Identity>,
    keeper: Keeper,
    stores: Stores,
    declarations: Declarations,
}

impl SharedMaps {
    /// Makes the maps of a site, in the stores that they are to have.
    ///
    /// # Errors
    /// [`PrepareError::Map`], [`PrepareError::Store`], [`PrepareError::Declaration`].
    pub(crate) fn new(site: &Site, opening: Opening) -> Result<Self, PrepareError> {
        let declarations = Declarations::read(site).map_err(Box::new)?;
        let mut stores = Stores::open(site, opening).map_err(Box::new)?;
        let engine = Engine::new(Arc::<SystemClock>::default());
        let unlimited = Amount {
            entries: u64::MAX,
            bytes: u64::MAX,
        };
        // Each map has limits of its own.
        let operator = Arc::new(Account::new(unlimited));
        for (name, map) in &site.maps {
            let map_error = |error| PrepareError::Map {
                map: name.clone(),
                error,
            };
            let mut options = options(map);
            options.ttl = declarations.ttl(name, map);
            let back_end = stores.back_end((name, &map.store), (&options, map.slots, &operator));
            match back_end.map_err(Box::new)? {
                Some(back_end) => engine.define_with(SCOPE, name, (options, back_end)),
                None => engine.define(SCOPE, name, (options, &operator)),
            }
            .map_err(map_error)?;
        }
        if opening == Opening::Open {
            stores.mark(&declarations).map_err(Box::new)?;
        }
        let uses = site.filters.iter();
        let uses = uses.map(|(name, filter)| (name.clone(), identity(filter)));
        Ok(Self {
            keeper: Keeper::new(&engine),
            uses: uses.collect(),
            engine,
            stores,
            declarations,
        })
    }

    /// Gives the worker of this thread connections of its own to stores. Inside of its `LocalSet`.
    pub(crate) fn serve_here(&self) {
        self.stores.serve_here();
    }

    /// Writes maps in files to the end, and closes them. Blocks.
    pub(crate) fn close(&self) {
        self.stores.close();
    }

    /// Has a back end keep the entries of a map from now on.
    ///
    /// # Errors
    /// There is no such map.
    pub(crate) fn keep(
        &self,
        site: &Site,
        name: &Name,
        back_end: Arc<dyn weir_maps::BackEnd>,
    ) -> Result<(), MapError> {
        let map = site.maps.get(name).ok_or(MapError::NoEntry)?;
        self.engine.undefine(SCOPE, name);
        let mut options = options(map);
        options.ttl = self.declarations.ttl(name, map);
        let definition = (options, back_end);
        self.engine.define_with(SCOPE, name, definition)
    }

    /// An empty handle table for an instance of a filter; `None`: there is no such filter.
    pub(crate) fn handles(&self, filter: &Name) -> Option<Handles> {
        let identity = self.uses.get(filter)?.clone();
        Some(Handles::new(&self.engine, identity))
    }

    /// Something was done that may need tidying up after.
    #[inline]
    pub(crate) fn stir(&self) {
        self.keeper.stir();
    }

    /// A slot of a worker wants to know of maps that are gone and that its filter had.
    pub(crate) fn listen(&self, filter: &Name, notices: &Arc<MapNotices>, slot: usize) {
        self.keeper.listen(filter, notices, slot);
    }

    /// The maps of the configuration whose numbers are at hand.
    pub(crate) fn reports(&self, site: &Site) -> Vec<MapReport> {
        let report = |name: &Name| {
            let root = self.engine.find(SCOPE, name)?;
            let stat = root.map().store().stat().now().ok()?;
            let name = name.clone();
            Some(MapReport { name, stat })
        };
        site.maps.keys().filter_map(report).collect()
    }

    pub(crate) fn totals(&self) -> MapTotals {
        let stat = self.engine.stat();
        MapTotals {
            anonymous: stat.anonymous as u64,
            freeing: stat.freeing as u64,
            collected: stat.collected,
            tickets: self.engine.tickets_open() as u64,
        }
    }

    /// Bytes of the maps that a filter's instances made.
    pub(crate) fn own_bytes(&self, filter: &Name) -> Option<u64> {
        self.uses.get(filter).map(|one| one.owner.used().bytes)
    }

    /// What maps are declared to hold.
    pub(crate) fn declarations(&self) -> &Declarations {
        &self.declarations
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

fn options(map: &SharedMap) -> MapOptions {
    MapOptions {
        entries_max: map.entries_max,
        bytes_max: map.bytes_max,
        value_bytes_max: map.value_bytes_max,
        ttl: map.ttl,
        eviction: match map.eviction {
            MapEviction::Refuse => Eviction::Refuse,
            MapEviction::Lru => Eviction::Lru,
        },
        shards: limits::SHARDS,
    }
}

/// Who a filter's instances are to the engine.
fn identity(filter: &Filter) -> Identity {
    let granted = &filter.grants.maps;
    let mut grants = weir_maps::Grants::of(SCOPE);
    for (map, rights) in &granted.maps {
        // Those of the configuration are those of the specification.
        let rights = Rights::from_bits(rights.bits()).unwrap_or(Rights::NONE);
        grants = grants.with(map, rights);
    }
    if let Some(name) = &granted.default {
        grants = grants.with_default(name);
    }
    let quota = Amount {
        entries: granted.quota.entries,
        bytes: granted.quota.bytes,
    };
    Identity {
        in_use: filter.name.clone(),
        grants: Arc::new(grants),
        owner: Arc::new(Account::new(quota)),
    }
}
