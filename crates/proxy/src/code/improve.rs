//! Better code for modules that already run: compiled beside the traffic, by few threads that leave
//! most of the processors to it.

use std::sync::{Arc, PoisonError};

use weir_guest::code::{Compiled, Source};
use weir_guest::{Engine, EngineKind, LoadError, Pace};
use weir_model::{Name, limits};

use super::{Library, Tier};

/// A nice value that gets a tenth of a busy processor. The least pressing one, 19, gets a sixtieth:
/// a gateway that is busy then keeps its slow code for minutes.
const A_TENTH: i32 = 10;

/// A module to be compiled for speed.
pub(super) struct Job {
    source: Source,
    module: Name,
    pub(super) tiers: Vec<Arc<Tier>>,
}

impl Job {
    pub(super) fn new(source: Source, module: &Name) -> Self {
        Self {
            source,
            module: module.clone(),
            tiers: Vec::new(),
        }
    }
}

impl Library {
    /// Begins to compile what is to be compiled for speed.
    pub(crate) fn improve(self: &Arc<Self>, engine: &Engine) {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let threads = (cores / 2).clamp(1, limits::BACKGROUND_COMPILERS_MAX);
        for number in 0..threads.min(self.waiting()) {
            let (library, engine) = (Arc::clone(self), engine.clone());
            let started = std::thread::Builder::new()
                .name(format!("weir-compile-{number}"))
                .spawn(move || library.work_off(&engine));
            if let Err(error) = started {
                tracing::warn!(%error, "no thread to compile for speed: plugins stay as they are");
            }
        }
    }

    fn work_off(&self, engine: &Engine) {
        let me = rustix::thread::gettid();
        if let Err(error) = rustix::process::setpriority_process(Some(me), A_TENTH) {
            tracing::debug!(%error, "compiling for speed takes a full share of a processor");
        }
        while let Some(job) = self.next_job() {
            let begun = std::time::Instant::now();
            match self.finish(engine, &job) {
                Ok(()) => tracing::info!(
                    module = %job.module,
                    took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "optimised code is ready"
                ),
                Err(error) => tracing::warn!(
                    module = %job.module,
                    %error,
                    "no optimised code can be made: the plugin stays with that of the fast compiler"
                ),
            }
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.pop()
    }

    fn finish(&self, engine: &Engine, job: &Job) -> Result<(), LoadError> {
        let compiled = Compiled::make(&job.source, EngineKind::Cranelift, Pace::Patient)?;
        let code = compiled.load(engine, self.cache.as_deref())?;
        for tier in &job.tiers {
            tier.improve(&code)?;
        }
        self.changes.send_replace(());
        Ok(())
    }
}
