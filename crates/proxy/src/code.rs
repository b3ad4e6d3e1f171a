//! The code of all filters: read, found in the cache or compiled, and made better while the gateway
//! serves.
//!
//! Modules with equal bytes and equal engine have one code, whatever their filters are allowed.

mod file;
mod first;
mod improve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;
use weir_guest::code::{Cache, CacheReport, Code, Digest, Source};
use weir_guest::{Engine, LoadError, Program, ProgramOptions};
use weir_model::{
    CodeCache, Dialect, EngineChoice, Filter, ModuleSource, Name, Site, Strictness, one_line,
};

use crate::gateway::PrepareError;
use crate::maps::declared::Declarations;
use crate::plugin::ModuleFile;
pub use file::read_module;
use first::First;
use improve::Job;

/// The programs of all filters, and where their code comes from.
pub struct Library {
    tiers: BTreeMap<Name, Arc<Tier>>,
    cache: Option<Arc<Cache>>,
    /// What is to be compiled for speed, when the gateway serves.
    jobs: Mutex<Vec<Job>>,
    changes: watch::Sender<()>,
}

/// The program of filters that share one, in the best code there is by now.
pub(crate) struct Tier {
    best: RwLock<Arc<Program>>,
    options: ProgramOptions,
    /// Of the module.
    digest: Digest,
}

impl Tier {
    fn new(code: &Code, options: ProgramOptions, digest: &Digest) -> Result<Self, LoadError> {
        let program = Program::new(code, options)?;
        Ok(Self {
            best: RwLock::new(Arc::new(program)),
            options,
            digest: digest.clone(),
        })
    }

    /// The program that a VM is to be made of now.
    pub(crate) fn current(&self) -> Arc<Program> {
        Arc::clone(&self.best.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn improve(&self, code: &Code) -> Result<(), LoadError> {
        let better = Arc::new(Program::new(code, self.options)?);
        *self.best.write().unwrap_or_else(PoisonError::into_inner) = better;
        Ok(())
    }
}

/// What makes two codes the same.
type CodeKey = (Digest, EngineChoice);
/// What makes two programs the same.
type ProgramKey = (CodeKey, Strictness, Dialect);

impl Library {
    /// Reads, checks and compiles every module that a filter uses: different ones at the same time,
    /// equal ones once.
    ///
    /// # Errors
    ///
    /// [`PrepareError`] names the filter, the module and the reason.
    pub(crate) fn open(
        engine: &Engine,
        site: &Site,
        declarations: &Declarations,
    ) -> Result<Self, PrepareError> {
        let is_needed = !site.filters.is_empty() || !site.functions.is_empty();
        let cache = is_needed.then(|| open_cache(&site.code_cache)).flatten();
        let cache = cache.map(Arc::new);
        let sources = sources(site)?;
        let mut wanted: BTreeMap<CodeKey, &Source> = BTreeMap::new();
        for filter in site.filters.values() {
            if let Some(source) = sources.get(&filter.module) {
                declarations
                    .admit(&filter.into(), source.bytes())
                    .map_err(Box::new)?;
                wanted.insert((source.digest().clone(), filter.engine), source);
            }
        }
        let mut firsts = first::all(engine, cache.as_deref(), &wanted);
        let mut tiers = BTreeMap::new();
        let mut known: Vec<(ProgramKey, Arc<Tier>)> = Vec::new();
        let mut jobs: BTreeMap<CodeKey, Job> = BTreeMap::new();
        for (name, filter) in &site.filters {
            let Some(source) = sources.get(&filter.module) else {
                continue;
            };
            let key = (source.digest().clone(), filter.engine);
            let program_key = (key.clone(), filter.strictness, filter.dialect);
            let twin = known.iter().find(|(known, _)| *known == program_key);
            let tier = if let Some((_, tier)) = twin {
                Arc::clone(tier)
            } else {
                let tier = Arc::new(tier_of(filter, &key, &mut firsts)?);
                known.push((program_key, Arc::clone(&tier)));
                if firsts.get(&key).is_some_and(First::is_wanting) {
                    let job = jobs.entry(key);
                    let job = job.or_insert_with(|| Job::new(source.clone(), &filter.module));
                    job.tiers.push(Arc::clone(&tier));
                }
                tier
            };
            tiers.insert(name.clone(), tier);
        }
        Ok(Self {
            tiers,
            cache,
            jobs: Mutex::new(jobs.into_values().collect()),
            changes: watch::Sender::new(()),
        })
    }

    /// Where compiled code of functions is kept, too.
    pub(crate) fn shared_cache(&self) -> Option<Arc<Cache>> {
        self.cache.clone()
    }

    pub(crate) fn tier(&self, filter: &Name) -> Option<&Arc<Tier>> {
        self.tiers.get(filter)
    }

    /// Where the source lines of a filter's code are; `None`: its module has none.
    pub(crate) fn module_file(&self, site: &Site, filter: &Name) -> Option<ModuleFile> {
        let tier = self.tier(filter)?;
        let module = site.modules.get(&site.filters.get(filter)?.module)?;
        let ModuleSource::File(path) = &module.source;
        tier.current().has_lines().then(|| ModuleFile {
            path: path.clone(),
            digest: tier.digest.clone(),
        })
    }

    /// Tells when there is better code for some filter.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Modules for which better code is still to come.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.len()
    }

    /// What the cache did; `None`: there is none.
    #[must_use]
    pub fn cache(&self) -> Option<CacheReport> {
        self.cache.as_deref().map(Cache::report)
    }
}

/// The bytes of each module that a filter uses.
fn sources(site: &Site) -> Result<BTreeMap<Name, Source>, PrepareError> {
    let mut sources = BTreeMap::new();
    for filter in site.filters.values() {
        if !sources.contains_key(&filter.module) {
            let bytes = file::read(site, &filter.module)?;
            sources.insert(filter.module.clone(), Source::new(bytes));
        }
    }
    Ok(sources)
}

/// The program of a filter whose code is there. An error is handed out once.
fn tier_of(
    filter: &Filter,
    key: &CodeKey,
    firsts: &mut BTreeMap<CodeKey, First>,
) -> Result<Tier, PrepareError> {
    let failed = |error: LoadError| PrepareError::Load {
        filter: filter.name.clone(),
        module: filter.module.clone(),
        error: Box::new(error),
    };
    let code = match firsts.get(key) {
        Some(First::Good(code) | First::Wanting(code)) => code.clone(),
        Some(First::Refused(_)) | None => {
            let Some(First::Refused(error)) = firsts.remove(key) else {
                return Err(failed(LoadError::Code("it was not compiled".to_owned())));
            };
            return Err(failed(error));
        }
    };
    let options = ProgramOptions {
        strictness: filter.strictness,
        dialect: filter.dialect,
    };
    let tier = Tier::new(&code, options, &key.0).map_err(failed)?;
    tell(filter, &code, &tier.current());
    Ok(tier)
}

fn tell(filter: &Filter, code: &Code, program: &Program) {
    let module = &filter.module;
    for stub in &program.stubs {
        tracing::warn!(
            %module,
            import = %one_line(stub),
            "the module imports a function that this host does not have; it answers Unimplemented"
        );
    }
    tracing::debug!(
        %module,
        abi = %program.version,
        dialect = ?program.dialect,
        engine = code.engine.name(),
        origin = ?code.origin,
        "module loaded"
    );
}

/// The cache that the configuration asks for. What is wrong with it is told, and costs time only.
fn open_cache(wanted: &CodeCache) -> Option<Cache> {
    let CodeCache::On { folder, bytes_max } = wanted else {
        return None;
    };
    let Some(folder) = folder.clone().or_else(own_folder) else {
        tracing::warn!(
            "compiled code is not kept: there is no home folder, and no code_cache.path"
        );
        return None;
    };
    match Cache::open(&folder, *bytes_max) {
        Ok(cache) => Some(cache),
        Err(error) => {
            tracing::warn!("compiled code is not kept: {error}");
            None
        }
    }
}

/// Where this user's compiled code is kept if nothing else is said: `$XDG_CACHE_HOME/weir`, for root
/// `/var/cache/weir`, else `~/.cache/weir`.
#[must_use]
pub fn own_folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    if let Some(caches) = absolute("XDG_CACHE_HOME") {
        return Some(caches.join("weir"));
    }
    if rustix::process::geteuid().is_root() {
        return Some(Path::new("/var/cache/weir").to_owned());
    }
    Some(absolute("HOME")?.join(".cache/weir"))
}
