//! The surroundings of a function in a running gateway.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, SystemTime};

use weir_functions::surroundings::{Later, MapAnswer, Stream};
use weir_functions::{Fetch, FetchError, Response, Surroundings};
use weir_guest::door::LogLevel;
use weir_maps::{Called, Ends, Handles, MapCall, MapReply};
use weir_model::{Randomness, limits};

use super::Hosted;
use super::call::Trail;
use super::capacity::Turn;
use super::desk::Desk;
use crate::gateway::{Process, Shared};
use crate::maps::leaves_work;
use crate::world::one_line;

/// `errno` of a handle that is none.
const BADF: i32 = 8;
/// `errno` of what failed outside of the gateway.
const IO: i32 = 29;

/// What answers one call of a function. It is dropped when the guest has ended.
pub(super) struct Live {
    pub(super) hosted: Arc<Hosted>,
    pub(super) desk: Desk,
    pub(super) trail: Trail,
    /// Outgoing requests in flight.
    pub(super) flights: Arc<AtomicU32>,
    process: Arc<Process>,
    /// Made with the first call of a map. What was lent ends with it.
    maps: Option<Handles>,
    /// Of bytes that are not random.
    seed: u64,
    /// Dropped last: the next call begins when nothing of this one is left.
    _turn: Turn,
}

impl Live {
    pub(super) fn new(shared: &Shared, hosted: &Arc<Hosted>, (trail, turn): (Trail, Turn)) -> Self {
        Self {
            hosted: Arc::clone(hosted),
            desk: shared.desk.clone(),
            trail,
            flights: Arc::default(),
            process: Arc::clone(&shared.process),
            maps: None,
            seed: 0,
            _turn: turn,
        }
    }

    fn handles(&mut self) -> Option<&mut Handles> {
        if self.maps.is_none() {
            let handles = self.process.maps.handles(&self.hosted.model.name);
            self.maps = handles.map(Handles::of_one_request);
        }
        self.maps.as_mut()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(handles) = self.maps.take() {
            drop(handles);
            self.process.maps.stir();
        }
    }
}

impl Surroundings for Live {
    fn log(&mut self, stream: Stream, line: &[u8]) {
        let level = match stream {
            Stream::Log(0) => LogLevel::Trace,
            Stream::Log(1) => LogLevel::Debug,
            Stream::Out | Stream::Log(2) => LogLevel::Info,
            Stream::Error | Stream::Log(3) => LogLevel::Warn,
            Stream::Log(4) => LogLevel::Error,
            Stream::Log(_) => LogLevel::Critical,
        };
        let function = &*self.hosted.model.name;
        if !self.process.plugin_log.of(function).takes(level) {
            return;
        }
        let kept = &line[..line.len().min(limits::GUEST_LOG_BYTES_MAX)];
        if !self.hosted.stats.admits_line(kept.len()) {
            return;
        }
        let text = one_line(kept);
        match level {
            LogLevel::Trace => tracing::trace!(target: "wasm", function, "{text}"),
            LogLevel::Debug => tracing::debug!(target: "wasm", function, "{text}"),
            LogLevel::Info => tracing::info!(target: "wasm", function, "{text}"),
            LogLevel::Warn => tracing::warn!(target: "wasm", function, "{text}"),
            LogLevel::Error => tracing::error!(target: "wasm", function, "{text}"),
            LogLevel::Critical => {
                tracing::error!(target: "wasm", function, critical = true, "{text}");
            }
        }
    }

    fn wall_clock(&mut self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap_or_default()
    }

    fn monotonic_clock(&mut self) -> Duration {
        self.process.uptime()
    }

    fn random(&mut self, bytes: &mut [u8]) {
        if self.hosted.model.grants.random == Randomness::Granted && getrandom::fill(bytes).is_ok()
        {
            return;
        }
        for byte in bytes {
            // Constants of Knuth's MMIX.
            self.seed = self
                .seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = self.seed.to_be_bytes()[0];
        }
    }

    fn fetch(&mut self, fetch: Fetch) -> Later<Result<Response, FetchError>> {
        self.fetch_later(fetch)
    }

    fn map_call(&mut self, call: MapCall<'_>) -> MapAnswer {
        let may_leave_work = leaves_work(&call);
        let Some(handles) = self.handles() else {
            return MapAnswer::Ready(MapReply::Refused(BADF, 0));
        };
        match handles.call(call, Ends::WithInstance) {
            Called::Now(reply) => {
                if may_leave_work {
                    self.process.maps.stir();
                }
                MapAnswer::Ready(reply)
            }
            Called::Later(later) => {
                let later = send_wrapper::SendWrapper::new(later);
                let process = Arc::clone(&self.process);
                let gone = MapReply::Refused(IO, 0);
                MapAnswer::Pending(self.desk.entrust(gone, move || async move {
                    let reply = later.take().await;
                    if may_leave_work {
                        process.maps.stir();
                    }
                    reply
                }))
            }
        }
    }
}
