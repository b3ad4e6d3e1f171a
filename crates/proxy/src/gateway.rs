//! The gateway as a whole: what all workers share, and what one worker has.
//!
//! [`Prepared::new`] does everything that can fail for reasons in the configuration: it reads and
//! compiles modules. [`Prepared::start`] starts the workers, each with plugins of its own.

mod rules;
mod waiting;

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use weir_guest::apart::{Launcher, Report};
use weir_guest::door::{Clock, ContextId};
use weir_guest::{Engine, EngineError, LoadError, Program, abi};
use weir_maps::Spaces;
use weir_model::{Filter, Name, Site, Variable, limits};

use crate::capsules::Capsules;
pub use crate::code::read_module;
use crate::code::{Library, Tier};
use crate::exchange::Worker;
use crate::function::{Desk, FunctionReport, Functions, Pools, serve_desk};
use crate::maps::declared::DeclarationError;
use crate::maps::{MapNotices, Opening, SharedMaps, StoreError};
use crate::metrics::Metrics;
use crate::plugin::{FilterStats, LineReader, Meter, Nursery, PluginError, PluginLog};
use crate::property::{Node, SiteMetadata};
use crate::touched::Touched;
use crate::upstream::{Resolver, Upstreams};
use crate::worker::{self, KeptSockets, Plan, Running, StartError};
use crate::world::{Rules, Watched};
use rules::rules;
use waiting::{can_wait, parts_are_in_memory, waiting};

/// Notices of shared queues that may wait for a worker.
const NOTICES_MAX: usize = 65_536;

/// What all workers of one process share.
pub struct Process {
    /// The configuration.
    pub site: Arc<Site>,
    /// Metrics that plugins define.
    pub metrics: Metrics,
    /// From which level on plugins' lines are written.
    pub plugin_log: PluginLog,
    pub(crate) engine: Engine,
    pub(crate) launcher: Launcher,
    /// What stands around the processes of filters that have some.
    walls: Mutex<BTreeMap<Name, Vec<Report>>>,
    pub(crate) spaces: Spaces,
    pub(crate) maps: SharedMaps,
    pub(crate) node: Node,
    pub(crate) metadata: SiteMetadata,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) library: Arc<Library>,
    pub(crate) filters: BTreeMap<Name, Arc<Filter>>,
    /// The gateway's own variables that filters ask for.
    pub(crate) environment: BTreeMap<String, Vec<u8>>,
    pub(crate) stats: BTreeMap<Name, Arc<FilterStats>>,
    /// What each filter has used of its limits.
    pub meters: BTreeMap<Name, Arc<Meter>>,
    pub(crate) rules: BTreeMap<Name, Arc<Rules>>,
    touched: BTreeMap<Name, Arc<Touched>>,
    pub(crate) nursery: Nursery,
    pub(crate) functions: Functions,
    /// Writes capsules; `None`: nothing is recorded.
    pub(crate) capsules: Option<Capsules>,
    /// Filters whose calls may be answered later, each with such a map.
    waiting: BTreeMap<Name, Name>,
    origin: std::time::Instant,
}

/// What one worker shares among its exchanges and guests.
pub(crate) struct Shared {
    pub(crate) process: Arc<Process>,
    pub(crate) upstreams: Upstreams,
    pub(crate) redis: crate::redis::Clients,
    /// Connections to servers that functions talk to.
    pub(crate) pools: Pools,
    /// Where guests of functions leave work for this worker.
    pub(crate) desk: Desk,
    pub(crate) notices: mpsc::Sender<Notice>,
    pub(crate) map_notices: Arc<MapNotices>,
    /// Watches of shared maps, by the number of their bell.
    pub(crate) watched: std::cell::RefCell<FxHashMap<u64, Watched>>,
    /// Of the next bell.
    pub(crate) next_watch: std::cell::Cell<u64>,
    /// Who may start a VM on another thread.
    pub(crate) starts: tokio::sync::Semaphore,
    /// The worker ends: nothing more may be started.
    pub(crate) is_ending: std::cell::Cell<bool>,
}

impl Shared {
    /// Must be called inside a `LocalSet`.
    pub(crate) fn new(process: Arc<Process>, notices: mpsc::Sender<Notice>) -> Rc<Self> {
        let (desk, jobs) = Desk::new();
        let upstreams = Upstreams::start(&process.site, &process.resolver, None);
        let shared = Rc::new(Self {
            process,
            upstreams,
            redis: crate::redis::Clients::default(),
            pools: Pools::default(),
            desk,
            notices,
            map_notices: Arc::default(),
            watched: std::cell::RefCell::default(),
            next_watch: std::cell::Cell::new(0),
            starts: tokio::sync::Semaphore::new(limits::STARTS_ASIDE_MAX),
            is_ending: std::cell::Cell::new(false),
        });
        tokio::task::spawn_local(serve_desk(Rc::downgrade(&shared), jobs));
        shared
    }

    /// Runs a task of a guest on this worker; `None` when the worker ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Option<AbortHandle> {
        (!self.is_ending.get()).then(|| tokio::task::spawn_local(task).abort_handle())
    }

    /// Nanoseconds of a clock.
    pub(crate) fn now(&self, clock: Clock) -> u64 {
        crate::world::clock(clock, self.process.origin)
    }
}

/// An item was put into a queue that a root of this worker registered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice {
    pub(crate) slot: usize,
    pub(crate) life: u64,
    pub(crate) root: ContextId,
    pub(crate) token: u32,
}

/// Why a gateway could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A module's bytes cannot be had.
    #[error("module {module}: cannot read {}: {error}", path.display())]
    Read {
        /// Name of the module.
        module: Name,
        /// Its file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
    /// A module cannot be a plugin.
    #[error("filter {filter}: module {module}: {error}")]
    Load {
        /// Name of the filter.
        filter: Name,
        /// Name of the module.
        module: Name,
        /// Why.
        #[source]
        error: Box<LoadError>,
    },
    /// A module cannot be a function.
    #[error("function {function}: module {module}: {error}")]
    Function {
        /// Name of the function.
        function: Name,
        /// Name of the module.
        module: Name,
        /// Why.
        #[source]
        error: Box<weir_functions::LoadError>,
    },
    /// Who is trusted cannot be read.
    #[error(transparent)]
    Trust(#[from] weir_tls::TrustError),
    /// No function can run here.
    #[error("there are functions, and no engine for them: {0}")]
    Functions(String),
    /// A plugin did not start.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A folder that a filter is granted cannot be opened.
    #[error("filter {filter}: {error}")]
    Folder {
        /// Name of the filter.
        filter: Name,
        /// Which, and why.
        #[source]
        error: weir_guest::files::FolderError,
    },
    /// The key of a filter's hashes is in a variable that the gateway does not have.
    #[error(
        "filter {filter}: sees.hash_key is from the variable {variable}, which is not set or empty"
    )]
    HashKey {
        /// Name of the filter.
        filter: Name,
        /// Name of the variable.
        variable: String,
    },
    /// The folder of capsules cannot be made.
    #[error("the folder of capsules, {}, cannot be made: {error}", path.display())]
    Capsules {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
    /// A map of the configuration cannot be made.
    #[error("map {map}: {error}")]
    Map {
        /// Its name.
        map: Name,
        /// Why.
        #[source]
        error: weir_maps::MapError,
    },
    /// A store of maps cannot be used.
    #[error(transparent)]
    Store(#[from] Box<StoreError>),
    /// A declaration of a map cannot be used, or contradicts entries or a module.
    #[error(transparent)]
    Declaration(#[from] Box<DeclarationError>),
    /// The system gives no random bytes for the key of hashes.
    #[error("cannot make a key for hashes: {0}")]
    Randomness(String),
    /// A filter may have to wait where that is impossible.
    #[error(
        "filter {filter}: the map {map} (filters.{filter}.grants.maps) answers later, and {place} \
         cannot be suspended to wait for it: {advice}"
    )]
    CannotWait {
        /// Name of the filter.
        filter: Name,
        /// Name of a map that it would have to wait for.
        map: Name,
        /// Where it is used.
        place: &'static str,
        /// What can be done.
        advice: &'static str,
    },
    /// A part of a map whose entries nobody tells apart by who set them.
    #[error(
        "{section}.{name}.grants.maps.{map}: entries and bytes of a grant are counted in maps in \
         memory only, and {map} is elsewhere: leave them out, or take the map's store away"
    )]
    Part {
        /// `filters` or `functions`.
        section: &'static str,
        /// Name of the filter or function.
        name: Name,
        /// Name of the map.
        map: Name,
    },
    /// No runtime for a trial.
    #[error("cannot make a runtime for a trial start: {0}")]
    Trial(std::io::Error),
}

/// A gateway whose modules are compiled, ready to start.
pub struct Prepared {
    process: Arc<Process>,
    sockets: Option<Arc<KeptSockets>>,
}

impl Prepared {
    /// Reads and compiles every module that a filter uses, identical uses once.
    ///
    /// # Errors
    ///
    /// [`PrepareError`] names the filter, the module and the reason.
    pub fn new(site: Arc<Site>) -> Result<Self, PrepareError> {
        Self::made(site, Opening::Open)
    }

    /// The same, to be tried and not to serve: stores are not opened, a running gateway may have
    /// their files, and their maps are empty.
    ///
    /// # Errors
    ///
    /// As [`Prepared::new`], but for what only opening a store can tell.
    pub fn on_trial(site: Arc<Site>) -> Result<Self, PrepareError> {
        Self::made(site, Opening::Trial)
    }

    fn made(site: Arc<Site>, opening: Opening) -> Result<Self, PrepareError> {
        warn_of_capabilities(&site);
        let engine = Engine::new()?;
        let maps = SharedMaps::new(&site, opening)?;
        let library = Library::open(&engine, &site, maps.declarations())?;
        let filters = site.filters.iter();
        let environment = environment(&site);
        let (rules, touched) = rules(&site, &environment)?;
        let library = Arc::new(library);
        let waiting = waiting(&site);
        can_wait(&site, &waiting)?;
        parts_are_in_memory(&site)?;
        let functions = Functions::load(
            &site,
            (&engine, library.shared_cache()),
            maps.declarations(),
        )?;
        let lines = Arc::new(LineReader::default());
        let capsules = match opening {
            Opening::Open => Capsules::new(&site, own_variable)?,
            Opening::Trial => None,
        };
        let process = Process {
            metrics: Metrics::new(),
            plugin_log: PluginLog::new(site.filters.keys().chain(site.functions.keys())),
            engine,
            launcher: Launcher::of_this_program(),
            walls: Mutex::default(),
            spaces: Spaces::new(maps.engine()),
            maps,
            node: Node::of(&site.node),
            metadata: SiteMetadata::of(&site),
            resolver: Resolver::system(),
            library: Arc::clone(&library),
            filters: filters
                .clone()
                .map(|(n, f)| (n.clone(), Arc::new(f.clone())))
                .collect(),
            stats: filters
                .clone()
                .map(|(name, filter)| {
                    let stats =
                        FilterStats::new(filter, (&lines, library.module_file(&site, name)));
                    (name.clone(), Arc::new(stats))
                })
                .collect(),
            meters: filters
                .map(|(name, filter)| {
                    let meter = Meter::new(name.clone(), &filter.limits);
                    (name.clone(), Arc::new(meter))
                })
                .collect(),
            environment,
            rules,
            touched,
            nursery: Nursery::default(),
            functions,
            capsules,
            waiting,
            origin: std::time::Instant::now(),
            site,
        };
        Ok(Self {
            process: Arc::new(process),
            sockets: None,
        })
    }

    /// Has a back end keep the entries of a map, whatever the configuration says; its answers may
    /// come later. For programs that bring a store of their own. To be done before anything starts.
    ///
    /// # Errors
    ///
    /// [`PrepareError::Map`] when there is no such map, [`PrepareError::CannotWait`] when a filter
    /// that is granted it is used where nobody can wait for it.
    pub fn keep_map(
        mut self,
        map: &Name,
        back_end: Arc<dyn weir_maps::BackEnd>,
    ) -> Result<Self, PrepareError> {
        let failed = |error| PrepareError::Map {
            map: Name::clone(map),
            error,
        };
        let shared = weir_maps::MapError::Invalid("the gateway runs already");
        let process = Arc::get_mut(&mut self.process).ok_or_else(|| failed(shared))?;
        let site = Arc::clone(&process.site);
        process.maps.keep(&site, map, back_end).map_err(failed)?;
        let users = site.filters.iter();
        let users = users.filter(|(_, filter)| filter.grants.maps.maps.contains_key(map));
        let users = users.map(|(name, _)| (name.clone(), Name::clone(map)));
        process.waiting.extend(users);
        can_wait(&site, &process.waiting)?;
        Ok(self)
    }

    /// What the workers will share.
    #[must_use]
    pub fn process(&self) -> Arc<Process> {
        Arc::clone(&self.process)
    }

    /// Starts every plugin once in a VM that is thrown away, as a worker will.
    ///
    /// # Errors
    ///
    /// [`PrepareError::Plugin`] names the filter and why it did not start.
    pub fn try_plugins(&self) -> Result<(), PrepareError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(PrepareError::Trial)?;
        let process = Arc::clone(&self.process);
        let local = tokio::task::LocalSet::new();
        let outcome = local.block_on(&runtime, async {
            let (notices, _receiver) = mpsc::channel(NOTICES_MAX);
            let shared = Shared::new(process, notices);
            crate::plugin::Plugins::start(&shared, 0).await.map(drop)
        });
        runtime.shutdown_background();
        Ok(outcome?)
    }

    /// Takes over the sockets of a gateway before, and keeps those that it opens for one after it.
    #[must_use]
    pub fn with_sockets(mut self, sockets: Arc<KeptSockets>) -> Self {
        self.sockets = Some(sockets);
        self
    }

    /// Starts the workers. The access log goes to `log`.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing serves then.
    pub fn start(
        self,
        workers: NonZeroUsize,
        log: Box<dyn Write + Send>,
    ) -> Result<Running, StartError> {
        let listeners = self.process.site.listeners.iter();
        let is_logged = listeners
            .clone()
            .any(|listener| listener.access_log != weir_model::AccessLog::Off);
        let plan = Plan {
            workers,
            sockets: self.sockets,
            listeners: listeners.cloned().map(Arc::new).collect(),
            log: is_logged.then_some(log),
        };
        let process = self.process;
        process.library.improve(&process.engine);
        worker::start(plan, move |seat| {
            let (notices, receiver) = mpsc::channel(NOTICES_MAX);
            let shared = Shared::new(Arc::clone(&process), notices);
            Worker::start(shared, seat, receiver)
        })
    }
}

impl Process {
    /// State of every filter: name, failures, replacements, running VMs, memory.
    #[must_use]
    pub fn filter_stats(&self) -> Vec<(Name, crate::plugin::FilterReport)> {
        self.stats
            .iter()
            .map(|(name, stats)| (name.clone(), stats.report()))
            .collect()
    }

    /// What every function did.
    #[must_use]
    pub fn function_reports(&self) -> Vec<(Name, FunctionReport)> {
        self.functions.reports()
    }

    /// Since the process began to be made.
    pub(crate) fn uptime(&self) -> std::time::Duration {
        self.origin.elapsed()
    }

    /// What stands around a filter's processes; nothing for a filter without one.
    #[must_use]
    pub fn walls(&self, filter: &Name) -> Vec<Report> {
        let walls = self.walls.lock().unwrap_or_else(PoisonError::into_inner);
        walls.get(filter).cloned().unwrap_or_default()
    }

    /// Notes what stands around a new process of a filter, and tells what is missing if that is news.
    pub(crate) fn note_walls(&self, filter: &Name, walls: &[Report]) {
        let mut known = self.walls.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(filter).is_some_and(|known| known == walls) {
            return;
        }
        known.insert(filter.clone(), walls.to_vec());
        drop(known);
        for report in walls {
            if let Some(reason) = &report.missing {
                let wall = report.wall;
                tracing::warn!(%filter, %wall, reason, "a wall of the plugin's process is missing");
            }
        }
    }

    /// Whether calls of a filter may be answered later, so that its guest must be able to wait.
    pub(crate) fn may_wait(&self, filter: &str) -> bool {
        self.waiting.contains_key(filter)
    }

    /// The shared maps of the configuration, with their numbers.
    #[must_use]
    pub fn map_reports(&self) -> Vec<crate::maps::MapReport> {
        self.maps.reports(&self.site)
    }

    /// Numbers of the maps that plugins made, and of tickets.
    #[must_use]
    pub fn map_totals(&self) -> crate::maps::MapTotals {
        self.maps.totals()
    }

    /// What a filter has to do with maps; `None`: there is no such filter.
    #[must_use]
    pub fn map_use(&self, filter: &Name) -> Option<crate::maps::UseReport> {
        self.maps.use_report(filter)
    }

    /// The stores of the configuration that have connections.
    #[must_use]
    pub fn store_reports(&self) -> Vec<crate::maps::StoreReport> {
        self.maps.store_reports()
    }

    /// What became of capsules; `None`: none are made.
    #[must_use]
    pub fn capsule_report(&self) -> Option<crate::capsules::CapsuleReport> {
        self.capsules.as_ref().map(Capsules::report)
    }

    /// Waits for the capsules that wait to be written, when no worker runs any more. Blocks.
    pub fn close_capsules(&self) {
        self.capsules.as_ref().inspect(|capsules| capsules.close());
    }

    /// Writes maps in files to the end and closes them, when no worker runs any more. Says in the
    /// log which could not be written. Blocks.
    pub fn close_maps(&self) {
        self.maps.close();
    }

    /// The engine of shared maps.
    #[must_use]
    pub fn maps(&self) -> &weir_maps::Engine {
        self.maps.engine()
    }

    /// What keys and values of a map are; `None`: bytes.
    #[must_use]
    pub fn typed_map(&self, map: &str) -> Option<Arc<weir_bindgen::typed::Typed>> {
        self.maps.declarations().typed(map).cloned()
    }

    /// What a filter touched or was refused; `None`: there is no such filter.
    #[must_use]
    pub fn touched(&self, filter: &str) -> Option<&Touched> {
        self.touched.get(filter).map(|touched| &**touched)
    }

    /// What each filter's module is: its ABI version and the imports that are stubs.
    #[must_use]
    pub fn program(&self, filter: &Name) -> Option<Arc<Program>> {
        self.tier(filter).map(|tier| tier.current())
    }

    /// The code of a filter, which may become better.
    pub(crate) fn tier(&self, filter: &Name) -> Option<&Arc<Tier>> {
        self.library.tier(filter)
    }

    /// Where the code of all filters came from, and is kept.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.library
    }
}

/// What a variable of this process holds.
fn own_variable(name: &str) -> Option<Vec<u8>> {
    Some(std::env::var_os(name)?.into_vec())
}

/// Those of this process's variables that filters are to get; unset ones are left out, as Envoy does.
fn environment(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let values = site.filters.values().flat_map(|filter| &filter.environment);
    let keys = site
        .filters
        .values()
        .filter_map(|filter| filter.sees.as_ref()?.hash_key.as_ref());
    let wanted = values.map(|(_, value)| value).chain(keys);
    let wanted = wanted.filter_map(|value| match value {
        Variable::OfGateway(name) => Some(name),
        Variable::Text(_) => None,
    });
    wanted
        .filter_map(|name| Some((name.clone(), own_variable(name)?)))
        .collect()
}

/// A name in a list of capabilities that is no name of anything has no effect, as in Envoy.
fn warn_of_capabilities(site: &Site) {
    for filter in site.filters.values() {
        for name in filter.capabilities.iter().flatten() {
            if !abi::is_capability(name) {
                tracing::warn!(
                    filter = %filter.name,
                    name,
                    "this host has no function or callback of a name in the filter's capabilities"
                );
            }
        }
    }
}
