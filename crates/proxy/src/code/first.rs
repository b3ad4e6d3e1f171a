//! The code that filters start with: the best that can be had soon.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use weir_guest::code::{Cache, Code, Compiled, Source};
use weir_guest::{Engine, EngineKind, LoadError, Pace};
use weir_model::EngineChoice;

use super::CodeKey;

/// Code to start with.
pub(super) enum First {
    /// It is as wanted.
    Good(Code),
    /// It will do until there is better.
    Wanting(Code),
    /// The module cannot run.
    Refused(LoadError),
}

impl First {
    pub(super) fn is_wanting(&self) -> bool {
        match self {
            Self::Wanting(_) => true,
            Self::Good(_) | Self::Refused(_) => false,
        }
    }
}

/// Finds or makes code for all, on as many threads as there are processors.
pub(super) fn all(
    engine: &Engine,
    cache: Option<&Cache>,
    wanted: &BTreeMap<CodeKey, &Source>,
) -> BTreeMap<CodeKey, First> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let queue = Mutex::new(wanted.iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut made = Vec::new();
        while let Some((key, source)) = next() {
            let first = one(engine, cache, source, key.1);
            made.push((key.clone(), first.unwrap_or_else(First::Refused)));
        }
        made
    };
    std::thread::scope(|scope| {
        // This thread works, too: were no other to be had, it would do all.
        let others: Vec<_> = (1..cores.min(wanted.len()))
            .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut firsts: BTreeMap<_, _> = work().into_iter().collect();
        for other in others {
            match other.join() {
                Ok(made) => firsts.extend(made),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        firsts
    })
}

fn one(
    engine: &Engine,
    cache: Option<&Cache>,
    source: &Source,
    choice: EngineChoice,
) -> Result<First, LoadError> {
    let kind = match choice {
        EngineChoice::Auto | EngineChoice::Cranelift => EngineKind::Cranelift,
        EngineChoice::Winch => EngineKind::Winch,
        EngineChoice::Pulley => EngineKind::Pulley,
    };
    if let Some(cache) = cache {
        let cached = Code::cached(engine, cache, source.digest(), kind);
        if let Some(code) = cached.map_err(LoadError::NoEngine)? {
            return Ok(First::Good(code));
        }
    }
    if choice == EngineChoice::Auto && !source.compiles_quickly() {
        // What it makes is not kept: better code will be, soon.
        let quick = Compiled::make(source, EngineKind::Winch, Pace::Hurried)
            .and_then(|compiled| compiled.load(engine, None));
        match quick {
            Ok(code) => return Ok(First::Wanting(code)),
            // Optimised code is the judge of what is wrong with a module.
            Err(error) => tracing::debug!(%error, "the fast compiler does not take the module"),
        }
    }
    let compiled = Compiled::make(source, kind, Pace::Hurried)?;
    compiled.load(engine, cache).map(First::Good)
}
