//! The running gateway: the only place that wires configuration, plugins and data path together.

mod observe;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::LocalSet;
use weir_model::{Name, Site};
use weir_proxy::worker::{DrainReport, KeptSockets, Running, StartError};
use weir_proxy::{PrepareError, Prepared};

use crate::logging::LogControl;
use crate::signals::Phase;
use observe::Facts;

/// What the gateway gets besides its configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file behind the configuration.
    pub configuration: PathBuf,
    /// Changes what is logged, for the admin server.
    pub log: LogControl,
    /// Tells when to drain.
    pub phase: watch::Receiver<Phase>,
    /// Makes what the access log is written to.
    pub access_log: fn() -> Box<dyn io::Write + Send>,
    /// Told the listeners' addresses once they serve.
    pub serving: Option<mpsc::Sender<Vec<(Name, SocketAddr)>>>,
    /// What stays open between this gateway and others of this process; `None`: there are none.
    pub kept: Option<Arc<Kept>>,
}

/// Sockets that go from one gateway of a process to the next.
#[derive(Debug, Default)]
pub struct Kept {
    /// Of listeners.
    pub sockets: Arc<KeptSockets>,
    admin: Mutex<Option<std::net::TcpListener>>,
}

impl Kept {
    /// The socket of the admin address: the one that is there, if it has this address.
    fn admin(&self, address: SocketAddr) -> io::Result<std::net::TcpListener> {
        let mut kept = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = &*kept
            && listener.local_addr()? == address
        {
            return listener.try_clone();
        }
        let listener = std::net::TcpListener::bind(address)?;
        *kept = Some(listener.try_clone()?);
        Ok(listener)
    }
}

/// The process's standard output.
#[must_use]
pub fn standard_output() -> Box<dyn io::Write + Send> {
    Box::new(io::stdout())
}

/// Why the gateway did not start or ended badly.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// A module or plugin is not fit.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A listener or worker could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The admin address cannot be had.
    #[error("cannot listen on the admin address {address}: {error}")]
    Admin {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// No runtime for the control side.
    #[error("the system refuses a thread or runtime: {0}")]
    System(#[source] io::Error),
    /// A worker failed by a defect of the gateway.
    #[error("a worker failed; the gateway was drained and ended")]
    WorkerFailed,
}

impl GatewayError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Prepare(PrepareError::Load { .. }) => {
                Some("`weir inspect MODULE` shows what the module imports and exports")
            }
            Self::Start(StartError::Bind(_)) | Self::Admin { .. } => {
                Some("is another program listening there? `ss -ltnp` tells")
            }
            Self::Prepare(_) | Self::Start(_) | Self::System(_) | Self::WorkerFailed => None,
        }
    }
}

/// Compiles every module and starts every plugin once, for `weir check`.
///
/// # Errors
/// The first module or plugin that is not fit.
pub fn try_out(site: Site) -> Result<(), GatewayError> {
    Ok(Prepared::on_trial(Arc::new(site))?.try_plugins()?)
}

/// Runs the gateway until it is drained.
///
/// # Errors
/// If a listener, a module or a filter cannot be started, or a worker fails.
pub fn run(site: Site, options: Options) -> Result<(), GatewayError> {
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(GatewayError::System)?;
    let site = Arc::new(site);
    let admin = site.admin.as_ref().map(|admin| admin.address);
    let admin = admin
        .map(|address| bind_admin(&runtime, address, options.kept.as_deref()))
        .transpose()?;
    let mut prepared = Prepared::new(Arc::clone(&site))?;
    if let Some(kept) = &options.kept {
        prepared = prepared.with_sockets(Arc::clone(&kept.sockets));
    }
    let process = prepared.process();
    process.plugin_log.set_all(options.log.plugin_level());
    let workers = workers_of(&site);
    let running = prepared.start(workers, (options.access_log)())?;
    for (listener, address) in running.addresses() {
        tracing::info!(%listener, %address, "listening");
    }
    let maps = Arc::clone(&process);
    let facts = Facts::new(process, running.meter(), options.log, workers);
    tracing::info!(
        configuration = %options.configuration.display(),
        workers,
        filters = site.filters.len(),
        ready_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        "the gateway serves"
    );
    if let Some(serving) = options.serving {
        // Whoever asked may have gone away.
        let _ = serving.send(running.addresses().to_vec());
    }
    let phase = options.phase;
    let live = live(running, phase, (admin, Arc::new(facts)), site.drain_timeout);
    let outcome = runtime.block_on(LocalSet::new().run_until(live));
    maps.close_capsules();
    maps.close_maps();
    outcome
}

/// As many worker threads as a site is served with.
pub(crate) fn workers_of(site: &Site) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    site.workers.unwrap_or_else(cores)
}

fn bind_admin(
    runtime: &tokio::runtime::Runtime,
    address: SocketAddr,
    kept: Option<&Kept>,
) -> Result<tokio::net::TcpListener, GatewayError> {
    let failed = |error| GatewayError::Admin { address, error };
    let _entered = runtime.enter();
    let listener = match kept {
        Some(kept) => kept.admin(address),
        None => std::net::TcpListener::bind(address),
    };
    let listener = listener.map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    tokio::net::TcpListener::from_std(listener).map_err(failed)
}

/// Serves until the operator or a failed worker ends it, then drains.
async fn live(
    mut running: Running,
    mut phase: watch::Receiver<Phase>,
    (admin, facts): (Option<tokio::net::TcpListener>, Arc<Facts>),
    drain_timeout: Duration,
) -> Result<(), GatewayError> {
    if let Some(listener) = admin {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "admin page");
        }
        let facts = Arc::clone(&facts);
        tokio::task::spawn_local(async move {
            weir_control::admin::serve(listener, facts, std::future::pending()).await;
        });
    }
    let outcome = tokio::select! {
        failure = running.failed() => {
            tracing::error!(%failure, "draining, because a worker failed");
            Err(GatewayError::WorkerFailed)
        }
        // A closed channel means that nobody can ask for a drain any more: then nobody does.
        Ok(_) = phase.wait_for(|phase| *phase == Phase::Draining) => Ok(()),
    };
    facts.drain();
    let DrainReport {
        connections_cut,
        workers_failed,
    } = running.drain(drain_timeout).await;
    tracing::info!(connections_cut, workers_failed, "drained");
    outcome
}
