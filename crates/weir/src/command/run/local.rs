//! What a module that is run by hand asks of the world.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use weir_functions::{Fetch, FetchError, Later, MapAnswer, Response, Stream, Surroundings};
use weir_maps::budget::{Account, Amount};
use weir_maps::handles::Ends;
use weir_maps::{
    Called, Engine, Grants, Handles, Identity, MapCall, MapError, MapOptions, MapReply, Rights,
    SystemClock,
};
use weir_tls::{Trust, TrustError};

use super::fetch;
use crate::cli::Run;

/// This machine, as far as the command line gives it away.
pub(super) struct Local {
    begun: Instant,
    /// Where requests may go: `host:port`.
    allowed: Vec<String>,
    /// Whose servers of `https` are believed.
    trust: Trust,
    maps: Handles,
}

impl Local {
    pub(super) fn new(arguments: &Run) -> Result<Self, String> {
        let maps = Engine::new(Arc::new(SystemClock::default()));
        // Nobody shares this machine's memory with it.
        let owner = Arc::new(Account::new(Amount {
            entries: u64::MAX,
            bytes: u64::MAX,
        }));
        let mut grants = Grants::of("");
        for name in &arguments.map {
            maps.define("", name, (MapOptions::default(), &owner))
                .map_err(|error| format!("--map {name}: {error}"))?;
            grants = grants.with(name, Rights::ALL);
        }
        let identity = Identity {
            in_use: "run".into(),
            grants: Arc::new(grants),
            owner,
            meter: Arc::default(),
        };
        Ok(Self {
            begun: Instant::now(),
            allowed: arguments.allow.clone(),
            trust: trust(arguments)?,
            maps: Handles::new(&maps, identity),
        })
    }
}

/// Reads certificates only where a request could need them.
fn trust(arguments: &Run) -> Result<Trust, String> {
    let settings = weir_model::Trust {
        system: !arguments.allow.is_empty(),
        files: arguments.ca.clone(),
    };
    Trust::load(&settings).map_err(|error| match error {
        TrustError::File { path, why } => format!("--ca {}: {why}", path.display()),
        TrustError::Library(_) => error.to_string(),
    })
}

impl Surroundings for Local {
    fn log(&mut self, stream: Stream, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        match stream {
            Stream::Log(0) => tracing::trace!(target: "wasm", "{line}"),
            Stream::Log(1) => tracing::debug!(target: "wasm", "{line}"),
            Stream::Log(2) | Stream::Out | Stream::Error => {
                tracing::info!(target: "wasm", "{line}");
            }
            Stream::Log(3) => tracing::warn!(target: "wasm", "{line}"),
            Stream::Log(_) => tracing::error!(target: "wasm", "{line}"),
        }
    }

    fn wall_clock(&mut self) -> Duration {
        SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
    }

    fn monotonic_clock(&mut self) -> Duration {
        self.begun.elapsed()
    }

    fn random(&mut self, bytes: &mut [u8]) {
        // Without randomness a program is better ended than fooled.
        if let Err(error) = getrandom::fill(bytes) {
            tracing::error!(%error, "the system has no random bytes");
            std::process::abort();
        }
    }

    fn fetch(&mut self, fetch: Fetch) -> Later<Result<Response, FetchError>> {
        match fetch::admitted(&self.allowed, fetch.request.uri()) {
            Ok(target) => Box::pin(fetch::sent((target, self.trust.clone()), fetch)),
            Err(refused) => Box::pin(async { Err(refused) }),
        }
    }

    fn map_call(&mut self, call: MapCall<'_>) -> MapAnswer {
        // The run is the instance's only one, so loans end with it.
        match self.maps.call(call, Ends::WithInstance) {
            Called::Now(reply) => MapAnswer::Ready(reply),
            Called::Later(later) => {
                let (tell, told) = oneshot::channel();
                // Whoever does not wait any more has ended.
                tokio::task::spawn_local(async { tell.send(later.await).ok() });
                MapAnswer::Pending(Box::pin(async {
                    let gone = MapError::NotSupported("waiting behind the end of the run");
                    told.await.unwrap_or(MapReply::Refused(gone.errno(), 0))
                }))
            }
        }
    }
}
