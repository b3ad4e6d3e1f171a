//! `weir compile`: fills the cache of compiled code, or says what is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use weir_functions::{Loaded, Runtime};
use weir_guest::code::{Cache, CachedCode, Code, Compiled, KeepError, Source};
use weir_guest::inspect::{InspectError, inspect};
use weir_guest::{Engine, EngineError, EngineKind, LoadError, Pace};
use weir_model::{CodeCache, EngineChoice, Function, ModuleSource, Site, limits};

use crate::cli::{CodeEngine, Compile};
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, Tone, printable};

/// Compiles all modules, or lists the cache.
pub(super) fn run(arguments: &Compile, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let site = match &arguments.configuration {
        Some(file) => Some(site_of(file, terminal)?),
        None => None,
    };
    let cache = Arc::new(open(arguments, site.as_ref())?);
    let tasks = tasks(arguments, site.as_ref());
    let has_functions = site.as_ref().is_some_and(|site| !site.functions.is_empty());
    if tasks.is_empty() && !has_functions {
        return list(&cache, terminal);
    }
    let engine = Engine::new().map_err(|error| Failure::Compile(error.to_string()))?;
    let mut outcome = Outcome::Fine;
    if let Some(site) = site.as_ref().filter(|_| has_functions) {
        outcome = compile_functions(site, (&engine, &cache), terminal)?;
    }
    for (module, kind) in tasks {
        let begun = Instant::now();
        let told = match compile(&module, kind, (&engine, &cache)) {
            Ok(Done::Compiled(bytes)) => {
                let (size, took) = (size(bytes), begun.elapsed().as_secs_f64());
                format!("compiled for {}, {size}, {took:.1} s", kind.name())
            }
            Ok(Done::WasThere) => format!("is there, for {}", kind.name()),
            Err(error) => {
                outcome = Outcome::Problem;
                let label = terminal.paint(Tone::Bad, "problem:").into_owned();
                format!("{label} {}", printable(&error.to_string()))
            }
        };
        let name = module.display().to_string();
        terminal.print(&format!("{}: {told}\n", printable(&name)))?;
    }
    Ok(outcome)
}

/// What became of one module.
enum Done {
    Compiled(u64),
    WasThere,
}

/// Why one module is not in the cache.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot read it: {0}")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    NoModule(#[from] InspectError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Keep(#[from] KeepError),
}

/// Functions have an engine of their own, and are loaded as a gateway loads them.
fn compile_functions(
    site: &Site,
    (engine, cache): (&Engine, &Arc<Cache>),
    terminal: &mut Terminal<'_>,
) -> Result<Outcome, Failure> {
    let runtime = Runtime::with_cache(engine, Some(Arc::clone(cache)));
    let runtime = runtime.map_err(|error| Failure::Compile(error.to_string()))?;
    let mut outcome = Outcome::Fine;
    for (name, function) in &site.functions {
        let Some(module) = site.modules.get(&function.module) else {
            continue;
        };
        let ModuleSource::File(path) = &module.source;
        let before = cache.report().stored;
        let told = match load(&runtime, function, path) {
            Ok(()) if cache.report().stored == before => "is there".to_owned(),
            Ok(()) => "compiled".to_owned(),
            Err(text) => {
                outcome = Outcome::Problem;
                let label = terminal.paint(Tone::Bad, "problem:").into_owned();
                format!("{label} {}", printable(&text))
            }
        };
        let path = path.display().to_string();
        terminal.print(&format!(
            "{}: {told}, for the function {name}\n",
            printable(&path)
        ))?;
    }
    Ok(outcome)
}

fn load(runtime: &Runtime, function: &Function, path: &Path) -> Result<(), String> {
    let bytes = weir_proxy::code::read_module(path).map_err(|error| error.to_string())?;
    let loaded = Loaded::new(runtime, function, &bytes);
    loaded.map(drop).map_err(|error| error.to_string())
}

fn compile(
    module: &Path,
    kind: EngineKind,
    (engine, cache): (&Engine, &Cache),
) -> Result<Done, Problem> {
    let source = Source::new(weir_proxy::code::read_module(module)?);
    if Code::cached(engine, cache, source.digest(), kind)?.is_some() {
        return Ok(Done::WasThere);
    }
    inspect(source.bytes())?;
    let compiled = Compiled::make(&source, kind, Pace::Hurried)?;
    compiled.keep(engine, cache)?;
    Ok(Done::Compiled(compiled.bytes() as u64))
}

fn site_of(file: &Path, terminal: &mut Terminal<'_>) -> Result<Site, Failure> {
    let loaded = weir_control::load(file).map_err(|problems| {
        terminal.remark(&format!("{problems}\n"));
        Failure::Refused
    })?;
    Ok(loaded.site)
}

fn open(arguments: &Compile, site: Option<&Site>) -> Result<Cache, Failure> {
    let (folder, bytes_max) = match site.map(|site| &site.code_cache) {
        Some(CodeCache::On { folder, bytes_max }) => (folder.clone(), *bytes_max),
        Some(CodeCache::Off) | None => (None, limits::CODE_CACHE_BYTES),
    };
    let folder = arguments.cache.clone().or(folder);
    let Some(folder) = folder.or_else(weir_proxy::code::own_folder) else {
        let what = "there is no home folder; name one with --cache".to_owned();
        return Err(Failure::Compile(what));
    };
    Cache::open(&folder, bytes_max).map_err(|error| Failure::Compile(error.to_string()))
}

/// Modules and what they are compiled for, each once.
fn tasks(arguments: &Compile, site: Option<&Site>) -> Vec<(PathBuf, EngineKind)> {
    let named = match arguments.engine {
        CodeEngine::Cranelift => EngineKind::Cranelift,
        CodeEngine::Winch => EngineKind::Winch,
        CodeEngine::Pulley => EngineKind::Pulley,
    };
    let modules = arguments.modules.iter();
    let mut tasks: Vec<_> = modules.map(|module| (module.clone(), named)).collect();
    for filter in site.into_iter().flat_map(|site| site.filters.values()) {
        let module = site.and_then(|site| site.modules.get(&filter.module));
        let Some(ModuleSource::File(path)) = module.map(|module| &module.source) else {
            continue;
        };
        let kind = match filter.engine {
            EngineChoice::Auto | EngineChoice::Cranelift => EngineKind::Cranelift,
            EngineChoice::Winch => EngineKind::Winch,
            EngineChoice::Pulley => EngineKind::Pulley,
        };
        let task = (path.clone(), kind);
        if !tasks.contains(&task) {
            tasks.push(task);
        }
    }
    tasks
}

fn list(cache: &Cache, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let files = cache
        .list()
        .map_err(|error| Failure::Compile(error.to_string()))?;
    for file in &files {
        terminal.print(&line_of(file))?;
    }
    let all = size(files.iter().map(|file| file.bytes).sum());
    let folder = cache.folder().display().to_string();
    let (folder, count) = (printable(&folder).into_owned(), files.len());
    terminal.print(&format!("{folder}: {count} files, {all}\n"))?;
    Ok(Outcome::Fine)
}

fn line_of(file: &CachedCode) -> String {
    let hours = SystemTime::now()
        .duration_since(file.used)
        .map_or(0, |age| age.as_secs() / 3600);
    let what = match &file.code {
        Some((module, engine)) => format!("module {module} for {}", engine.name()),
        None => format!("{}, which is damaged", file.file),
    };
    format!("{what}, {}, used {hours} h ago\n", size(file.bytes))
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn size(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
