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
use weir_maps::{
    Allowance, Engine, Eviction, Handles, Identity, MapCall, MapError, MapOptions, Meter, Numbers,
    Prices, Rate, Rights, SystemClock,
};
use weir_model::{
    MapBudget, MapEviction, MapGrants, MapQuota, MapRate, Name, SharedMap, Site,
    limits::maps as limits,
};

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
    pub numbers: Numbers,
}

/// What a filter has to do with maps.
#[derive(Clone, Debug)]
pub struct UseReport {
    /// Bytes of the maps that it made.
    pub own_bytes: u64,
    /// Calls that were refused because a quota was used up.
    pub refused: u64,
    /// Units that it spent; `None`: it has no rate.
    pub units: Option<u64>,
    /// What it has of granted maps that it may have only so much of.
    pub rooms: Vec<RoomReport>,
}

/// What a filter has of a granted map.
#[derive(Clone, Debug)]
pub struct RoomReport {
    /// Name of the map.
    pub map: Name,
    /// Its entries, and what they take.
    pub used: Amount,
    /// What it may have.
    pub max: Amount,
}

/// Connections of a store of the configuration.
#[derive(Clone, Debug)]
pub struct StoreReport {
    /// Its name.
    pub name: Name,
    /// Connections that were made.
    pub opened: u64,
    /// Connections that were lost.
    pub lost: u64,
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
    /// By filter and function: no two of them have one name.
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
            let back_end = stores.back_end((name, map), (&options, &operator));
            match back_end.map_err(Box::new)? {
                Some(back_end) => engine.define_with(SCOPE, name, (options, back_end)),
                None => engine.define(SCOPE, name, (options, &operator)),
            }
            .map_err(map_error)?;
        }
        if opening == Opening::Open {
            stores.mark(&declarations).map_err(Box::new)?;
        }
        let filters = site.filters.iter();
        let filters = filters.map(|(name, filter)| (name, &filter.grants.maps));
        let functions = site.functions.iter();
        let functions = functions.map(|(name, function)| (name, &function.grants.maps));
        let uses = filters.chain(functions);
        let uses = uses.map(|(name, granted)| (name.clone(), identity(name, granted)));
        Ok(Self {
            keeper: Keeper::new(&engine, stores.pinned()),
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

    /// An empty handle table for an instance of a filter or function; `None`: there is no such one.
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

    /// The maps of the configuration.
    pub(crate) fn reports(&self, site: &Site) -> Vec<MapReport> {
        let report = |name: &Name| {
            let mut numbers = Numbers::of(&self.engine.find(SCOPE, name)?);
            // That of who looks.
            numbers.references = numbers.references.saturating_sub(1);
            let name = name.clone();
            Some(MapReport { name, numbers })
        };
        site.maps.keys().filter_map(report).collect()
    }

    /// The stores of the configuration that have connections.
    pub(crate) fn store_reports(&self) -> Vec<StoreReport> {
        self.stores.reports()
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

    /// What a filter has to do with maps.
    pub(crate) fn use_report(&self, filter: &Name) -> Option<UseReport> {
        let identity = self.uses.get(filter)?;
        let meter = &identity.meter;
        Some(UseReport {
            own_bytes: identity.owner.used().bytes,
            refused: meter.refused(),
            units: meter.has_rate().then(|| meter.spent()),
            rooms: identity.grants.rooms().map(room).collect(),
        })
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

/// Whether a call may leave something to tidy up: reading does not.
pub(crate) fn leaves_work(call: &MapCall<'_>) -> bool {
    !matches!(
        call,
        MapCall::Get { .. }
            | MapCall::Exists { .. }
            | MapCall::Rights { .. }
            | MapCall::Stat { .. }
            | MapCall::Scan { .. }
            | MapCall::Next { .. }
    )
}

/// Who the instances of a filter or function are to the engine.
fn identity(name: &Name, granted: &MapGrants) -> Identity {
    let mut grants = weir_maps::Grants::of(SCOPE);
    for (map, rights) in &granted.maps {
        // Those of the configuration are those of the specification.
        let rights = Rights::from_bits(rights.bits()).unwrap_or(Rights::NONE);
        grants = grants.with(map, rights);
        if let Some(room) = granted.rooms.get(map) {
            grants = grants.with_room(map, &Arc::new(Account::new(amount(*room))));
        }
    }
    if let Some(name) = &granted.default {
        grants = grants.with_default(name);
    }
    Identity {
        in_use: name.clone(),
        grants: Arc::new(grants),
        owner: Arc::new(Account::new(amount(granted.quota))),
        meter: Arc::new(
            Meter::new(granted.rate.map(rate)).with_allowance(granted.budget.map(allowance)),
        ),
    }
}

fn amount(quota: MapQuota) -> Amount {
    Amount {
        entries: quota.entries,
        bytes: quota.bytes,
    }
}

fn room((map, account): (&str, &Account)) -> RoomReport {
    RoomReport {
        map: map.into(),
        used: account.used(),
        max: account.max(),
    }
}

fn allowance(budget: MapBudget) -> Allowance {
    Allowance {
        units: budget.units,
        prices: Prices {
            read: budget.read,
            write: budget.write,
            entry: budget.entry,
            kilobyte: budget.kilobyte,
        },
    }
}

fn rate(rate: MapRate) -> Rate {
    Rate {
        units: rate.units,
        burst: rate.burst,
        prices: Prices {
            read: rate.read,
            write: rate.write,
            entry: rate.entry,
            kilobyte: rate.kilobyte,
        },
    }
}
