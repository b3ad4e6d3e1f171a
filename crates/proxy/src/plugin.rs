//! Plugins of one worker: VMs, their root contexts, and what happens when one fails.
//!
//! A [`Slot`] is the place of one VM. The VM in it may be replaced; streams remember in which life
//! of the slot their context was made, and a context of an earlier life is never used again.

mod aside;
mod breaker;
mod copies;
mod guest;
mod lines;
mod log;
mod meter;
mod nursery;
mod quarantine;
mod rebuild;
mod remarks;
mod reports;
mod slot;
mod stats;
mod taping;
mod tier;

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use weir_guest::{Failure, SnapshotError, StartError};
use weir_maps::MapError;
use weir_model::{Filter, FilterUse, Isolation, Name};

use crate::gateway::{Process, Shared};
pub use breaker::BreakerState;
use guest::VmMaker;
pub(crate) use lines::{LineReader, ModuleFile};
pub use log::{PluginLevel, PluginLog};
pub use meter::Meter;
pub(crate) use meter::{LineVerdict, exceeded_by};
pub(crate) use nursery::Nursery;
pub(crate) use quarantine::Pattern;
pub(crate) use remarks::{Pace, Remark};
pub use reports::FailureReport;
pub(crate) use slot::{Admission, Failed, Shown, Slot, Ticket};
use stats::Birth;
pub use stats::{FilterReport, FilterStats};

/// Why a plugin did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// The configuration names no such filter or module.
    #[error("filter {0} is not in the configuration")]
    Unknown(Name),
    /// No VM.
    #[error("filter {filter}: {error}")]
    Start {
        /// Name of the filter.
        filter: Name,
        /// Why.
        #[source]
        error: StartError,
    },
    /// Its state cannot be copied for each request.
    #[error(
        "filter {filter}: isolation request (filters.{filter}.isolation) cannot be had with module \
         {}: {error}", file.display()
    )]
    NoSnapshot {
        /// Name of the filter.
        filter: Name,
        /// Of its module.
        file: PathBuf,
        /// Why.
        #[source]
        error: SnapshotError,
    },
    /// No map for the shared data of its VM id.
    #[error("filter {filter}: its vm_id has no shared data: {error}")]
    SharedData {
        /// Name of the filter.
        filter: Name,
        /// Why.
        #[source]
        error: MapError,
    },
    /// A start callback trapped or took too long.
    #[error("filter {filter}: {callback} failed: {failure}")]
    Callback {
        /// Name of the filter.
        filter: Name,
        /// Which callback.
        callback: &'static str,
        /// How.
        failure: Failure,
    },
    /// A start callback said no.
    #[error(
        "filter {filter}: {callback} returned false: the plugin refuses its configuration (its own \
         log lines say why)"
    )]
    Refused {
        /// Name of the filter.
        filter: Name,
        /// Which callback.
        callback: &'static str,
    },
}

/// A filter in a chain: its slot and which of the slot's roots.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) slot: Rc<Slot>,
    pub(crate) root: usize,
    pub(crate) filter: Arc<Filter>,
}

/// The filters of one route, in request order.
pub(crate) type Chain = Rc<[Link]>;

/// What one root context is made from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RootSpec {
    pub(crate) filter: Arc<Filter>,
    pub(crate) configuration: Bytes,
}

/// All VMs of one worker.
pub(crate) struct Plugins {
    pub(crate) slots: Vec<Rc<Slot>>,
    /// By listener, then by route.
    pub(crate) routes: Vec<Vec<Chain>>,
    /// Network filters by listener.
    pub(crate) tcp: Vec<Chain>,
    /// Access-log plugins by listener.
    pub(crate) logs: Vec<Chain>,
}

/// A slot while its uses are gathered.
struct Draft {
    filter: Arc<Filter>,
    roots: Vec<RootSpec>,
}

/// Position of a use in the drafts.
type Place = (usize, usize, Arc<Filter>);

impl Plugins {
    /// Makes and starts every VM that this worker needs.
    pub(crate) async fn start(shared: &Rc<Shared>, worker: usize) -> Result<Self, PluginError> {
        let site = &shared.process.site;
        let mut drafts = Vec::new();
        let mut place = |uses: &[FilterUse]| {
            uses.iter()
                .map(|used| place_of(&mut drafts, shared, used))
                .collect::<Result<Vec<_>, _>>()
        };
        let mut routes = Vec::new();
        let mut tcp = Vec::new();
        let mut logs = Vec::new();
        for listener in &site.listeners {
            let places = listener.routes.iter().map(|route| place(&route.filters));
            routes.push(places.collect::<Result<Vec<_>, _>>()?);
            let filters = listener.tcp.as_ref().map_or(&[][..], |tcp| &tcp.filters);
            tcp.push(place(filters)?);
            logs.push(place(&listener.log_filters)?);
        }
        if worker == 0 {
            place(&site.background)?;
        }
        let maker = VmMaker::new(shared).map_err(|error| PluginError::Start {
            filter: "(all)".into(),
            error,
        })?;
        let maker = Rc::new(maker);
        let mut slots = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.into_iter().enumerate() {
            let slot = Slot::new(index, draft.filter, draft.roots, (shared, &maker))?;
            slot.start(Birth::First).await?;
            slot.seek_images();
            slots.push(slot);
        }
        let chain = |places: Vec<Place>| -> Chain {
            let link = |(slot, root, filter): Place| Link {
                slot: Rc::clone(&slots[slot]),
                root,
                filter,
            };
            places.into_iter().map(link).collect()
        };
        let routes = routes
            .into_iter()
            .map(|list| list.into_iter().map(chain).collect())
            .collect();
        let tcp = tcp.into_iter().map(chain).collect();
        let logs = logs.into_iter().map(chain).collect();
        Ok(Self {
            slots,
            routes,
            tcp,
            logs,
        })
    }
}

fn place_of(
    drafts: &mut Vec<Draft>,
    shared: &Shared,
    used: &FilterUse,
) -> Result<Place, PluginError> {
    let unknown = || PluginError::Unknown(used.filter.clone());
    let filter = shared
        .process
        .filters
        .get(&used.filter)
        .ok_or_else(unknown)?;
    let configuration = used
        .configuration
        .clone()
        .unwrap_or_else(|| filter.configuration.clone());
    let slot = drafts.iter().position(|draft| {
        let is_alike = draft
            .roots
            .iter()
            .all(|root| root.configuration == configuration);
        shares_vm(&shared.process, &draft.filter, filter)
            && (filter.isolation != Isolation::Configuration || is_alike)
    });
    let slot = slot.unwrap_or_else(|| {
        drafts.push(Draft {
            filter: Arc::clone(filter),
            roots: Vec::new(),
        });
        drafts.len() - 1
    });
    let spec = RootSpec {
        filter: Arc::clone(filter),
        configuration,
    };
    let roots = &mut drafts[slot].roots;
    let root = roots
        .iter()
        .position(|known| *known == spec)
        .unwrap_or_else(|| {
            roots.push(spec);
            roots.len() - 1
        });
    Ok((slot, root, Arc::clone(filter)))
}

/// Whether two filters run in one VM (`policy.md`, isolation and VM identity). Filters with equal
/// module bytes have one program. Unlike in Envoy, what one may do is not lent to another.
fn shares_vm(process: &Process, one: &Filter, other: &Filter) -> bool {
    if one.name == other.name {
        return true;
    }
    let program = |filter: &Filter| process.tier(&filter.name).map(Arc::as_ptr);
    match (one.isolation, other.isolation) {
        (Isolation::Module, Isolation::Module) => {
            program(one) == program(other)
                && one.vm_id == other.vm_id
                && one.vm_configuration == other.vm_configuration
                && one.capabilities == other.capabilities
                && one.limits == other.limits
                && one.grants == other.grants
                && one.sees == other.sees
                && one.environment == other.environment
                && one.on_failure == other.on_failure
                && one.failures == other.failures
                && one.recycling == other.recycling
                && one.headers_stop_iteration == other.headers_stop_iteration
                && one.recording == other.recording
        }
        (
            Isolation::Module
            | Isolation::Plugin
            | Isolation::Configuration
            | Isolation::Request(_)
            | Isolation::Process(_),
            _,
        ) => false,
    }
}
