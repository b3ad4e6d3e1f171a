//! Functions of this gateway: routes end in them, and they call each other.
//!
//! Read in this order: [`Functions`] holds what is configured, `call` carries one call from its turn
//! to its response, `capacity` gives turns, `live` answers what a guest asks, `fetch` decides where
//! its requests may go and `client` sends them. Invariants: a guest reaches an address only if one of
//! its grants covers it, whatever a name stands for at that moment; an instance that runs has a turn.

mod address;
mod body;
mod call;
mod capacity;
mod client;
mod desk;
mod fetch;
mod live;
mod stats;

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_functions::{LoadError, Loaded, Runtime};
use weir_guest::Engine;
use weir_guest::code::Cache;
use weir_model::{Function, ModuleSource, Name, Site};
use weir_tls::Trust;

use crate::gateway::{PrepareError, read_module};
use crate::maps::declared::Declarations;
pub(crate) use body::{from_client, none};
pub(crate) use call::{Trail, call, kind_of};
use capacity::{AllTurns, Turns};
pub(crate) use client::Pools;
pub(crate) use desk::{Desk, serve_desk};
use stats::FunctionStats;
pub use stats::{FetchOutcome, FunctionReport};

/// The functions of a site, loaded.
#[derive(Default)]
pub(crate) struct Functions {
    hosted: BTreeMap<Name, Arc<Hosted>>,
    /// Where a function may send requests to servers.
    trust: Option<Arc<Trust>>,
}

/// A function with what all workers share of it.
pub(crate) struct Hosted {
    pub(crate) model: Function,
    loaded: Loaded,
    turns: Arc<Turns>,
    stats: FunctionStats,
}

impl Functions {
    /// Makes the code of every function, or finds it in the cache.
    ///
    /// # Errors
    /// [`PrepareError::Function`], [`PrepareError::Functions`], [`PrepareError::Read`],
    /// [`PrepareError::Declaration`], [`PrepareError::Trust`].
    pub(crate) fn load(
        site: &Site,
        (engine, cache): (&Engine, Option<Arc<Cache>>),
        declarations: &Declarations,
    ) -> Result<Self, PrepareError> {
        if site.functions.is_empty() {
            return Ok(Self::default());
        }
        let runtime = Runtime::with_cache(engine, cache)
            .map_err(|error| PrepareError::Functions(error.to_string()))?;
        let all = AllTurns::new(site.function_instances, deepest(&site.functions));
        let hosted = |(name, function): (&Name, &Function)| -> Result<_, PrepareError> {
            let bytes = bytes_of(site, function)?;
            declarations
                .admit(&function.into(), &bytes)
                .map_err(Box::new)?;
            let hosted = Hosted::load((&runtime, function), &bytes, &all)?;
            Ok((name.clone(), Arc::new(hosted)))
        };
        let hosted = site.functions.iter().map(hosted);
        Ok(Self {
            hosted: hosted.collect::<Result<_, _>>()?,
            trust: trust(site)?.map(Arc::new),
        })
    }

    /// Who may sign certificates of servers; `None`: no function may reach any.
    fn trust(&self) -> Option<&Arc<Trust>> {
        self.trust.as_ref()
    }

    /// The function of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Hosted>> {
        self.hosted.get(name)
    }

    /// What every function did.
    pub(crate) fn reports(&self) -> Vec<(Name, FunctionReport)> {
        let reports = self.hosted.iter();
        reports
            .map(|(name, hosted)| (name.clone(), hosted.report()))
            .collect()
    }
}

impl Hosted {
    fn load(
        (runtime, function): (&Runtime, &Function),
        bytes: &[u8],
        all: &AllTurns,
    ) -> Result<Self, PrepareError> {
        let failed = |error: LoadError| PrepareError::Function {
            function: function.name.clone(),
            module: function.module.clone(),
            error: Box::new(error),
        };
        Ok(Self {
            loaded: Loaded::new(runtime, function, bytes).map_err(failed)?,
            turns: Turns::new(&function.limits, all),
            stats: FunctionStats::new(function.name.clone()),
            model: function.clone(),
        })
    }

    /// How long a client that got no turn had better wait before it comes again.
    pub(crate) fn retry_after(&self) -> std::time::Duration {
        self.turns.retry_after()
    }

    fn report(&self) -> FunctionReport {
        let (running, waiting) = (self.turns.running(), self.turns.waiting());
        self.stats
            .report(self.loaded.kind().name(), running, waiting)
    }
}

/// Reads who is trusted, where any function may need it.
fn trust(site: &Site) -> Result<Option<Trust>, PrepareError> {
    let mut functions = site.functions.values();
    if functions.all(|function| function.grants.http.is_empty()) {
        return Ok(None);
    }
    let trust = Trust::load(&site.trust)?;
    if trust.signers() == 0 {
        tracing::warn!(
            system = site.trust.system,
            "no certificate of any server will be accepted: this machine has no certificates of \
             authorities, and trust.files names none"
        );
    }
    Ok(Some(trust))
}

/// How many calls of functions may be made one in the other, the outermost not counted.
fn deepest(functions: &BTreeMap<Name, Function>) -> u32 {
    let below = |function: &Function, depths: &BTreeMap<&Name, u32>| {
        let callees = function.grants.functions.iter();
        let depths = callees.map(|callee| depths.get(callee).map_or(1, |depth| depth + 1));
        depths.max().unwrap_or(0).min(function.limits.depth)
    };
    let mut depths = BTreeMap::new();
    // Calls are no circles: no chain is longer than there are functions.
    for _ in functions {
        let next = functions.iter();
        let next: BTreeMap<_, _> = next
            .map(|(name, function)| (name, below(function, &depths)))
            .collect();
        if next == depths {
            break;
        }
        depths = next;
    }
    let most = u32::try_from(functions.len().saturating_sub(1)).unwrap_or(u32::MAX);
    depths.into_values().max().unwrap_or(0).min(most)
}

/// The module of a function.
fn bytes_of(site: &Site, function: &Function) -> Result<Vec<u8>, PrepareError> {
    match site.modules.get(&function.module).map(|one| &one.source) {
        Some(ModuleSource::File(path)) => read_module(path).map_err(|error| PrepareError::Read {
            module: function.module.clone(),
            path: path.clone(),
            error,
        }),
        // The lowering refuses dangling names.
        None => Ok(Vec::new()),
    }
}
