//! The log: sentences with fields on standard error, with a level that can change while it runs.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt as log_format, reload};
use weir_proxy::plugin::PluginLevel;

use crate::cli::LogFormat;

const LEVELS: [&str; 7] = ["off", "critical", "error", "warn", "info", "debug", "trace"];
/// The target of plugins' lines. The gateway has measured them already, each by its filter's level.
const PLUGINS: &str = "wasm";

/// Changes what is logged. Cheap to clone.
#[derive(Clone)]
pub struct LogControl {
    set: Arc<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>,
    current: Arc<Mutex<(String, PluginLevel)>>,
}

impl LogControl {
    /// Sets the filter: a level, or directives such as `info,weir_guest=debug`. Returns the level
    /// that it has for lines of plugins.
    ///
    /// # Errors
    /// If the text is no filter; nothing changes then.
    pub fn set(&self, filter: &str) -> Result<PluginLevel, String> {
        (self.set)(parse(filter)?)?;
        let level = plugin_level(filter);
        *self.locked() = (filter.to_owned(), level);
        Ok(level)
    }

    /// The text of the filter.
    #[must_use]
    pub fn filter(&self) -> String {
        self.locked().0.clone()
    }

    /// The level that the filter has for lines of plugins.
    #[must_use]
    pub fn plugin_level(&self) -> PluginLevel {
        self.locked().1
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, (String, PluginLevel)> {
        // What is in it is whole at any time.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogControl")
    }
}

/// Installs the log of this process.
///
/// # Errors
/// If the filter is none, or a log is installed already.
pub fn install(filter: &str, format: LogFormat, has_colour: bool) -> Result<LogControl, String> {
    let current = Arc::new(Mutex::new((filter.to_owned(), plugin_level(filter))));
    let filter = parse(filter)?;
    let level = filter.max_level_hint();
    let (filter, handle) = reload::Layer::new(filter);
    // By its whole name: as a prefix it would be that of the engine's crates.
    let of_plugins = FilterFn::new(|metadata| metadata.target() == PLUGINS);
    tracing_subscriber::registry()
        .with(lines(format, has_colour).with_filter(filter.or(of_plugins)))
        .try_init()
        .map_err(|error| error.to_string())?;
    limit_libraries(level);
    let set = move |filter: EnvFilter| {
        let level = filter.max_level_hint();
        handle.reload(filter).map_err(|error| error.to_string())?;
        limit_libraries(level);
        Ok(())
    };
    Ok(LogControl {
        set: Arc::new(set),
        current,
    })
}

/// Accepts the text of a filter, for the argument parser.
///
/// # Errors
/// If it is none.
pub fn filter_text(text: &str) -> Result<String, String> {
    parse(text).map(|_| text.to_owned())
}

/// How events become lines.
fn lines<S>(format: LogFormat, has_colour: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let layer = log_format::layer()
        .with_writer(io::stderr)
        .with_ansi(has_colour);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// Libraries with the crate `log` ask for one level before they make a line. Plugins' lines have let
/// that of the subscriber go up to the finest one.
fn limit_libraries(level: Option<LevelFilter>) {
    log::set_max_level(match level {
        None | Some(LevelFilter::TRACE) => log::LevelFilter::Trace,
        Some(LevelFilter::DEBUG) => log::LevelFilter::Debug,
        Some(LevelFilter::INFO) => log::LevelFilter::Info,
        Some(LevelFilter::WARN) => log::LevelFilter::Warn,
        Some(LevelFilter::ERROR) => log::LevelFilter::Error,
        Some(LevelFilter::OFF) => log::LevelFilter::Off,
    });
}

fn parse(text: &str) -> Result<EnvFilter, String> {
    // To the filter's own parser, a misspelt level is the name of a module.
    let is_word = !text.contains(['=', ',', '[', ':']);
    if is_word && !LEVELS.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(format!(
            "expected one of {}, or directives such as info,weir_guest=debug",
            LEVELS.join(", ")
        ));
    }
    let directives: Vec<&str> = text.split(',').map(without_critical).collect();
    EnvFilter::try_new(directives.join(",")).map_err(|error| error.to_string())
}

/// The gateway has no critical lines: those above are its errors.
fn without_critical(directive: &str) -> &str {
    let (target, level) = directive.split_once('=').unwrap_or(("", directive));
    match (target, level.eq_ignore_ascii_case("critical")) {
        ("", true) => "error",
        (PLUGINS, true) => "wasm=error",
        // Elsewhere the filter's own parser refuses the word.
        (_, true | false) => directive,
    }
}

/// The level that a filter has for lines of plugins: of their target, else of all.
fn plugin_level(text: &str) -> PluginLevel {
    let (mut of_plugins, mut of_all) = (None, None);
    for directive in text.split(',').map(str::trim) {
        match directive.split_once('=') {
            Some((PLUGINS, level)) => of_plugins = PluginLevel::named(level),
            None if directive == PLUGINS => of_plugins = Some(PluginLevel::Trace),
            None => of_all = PluginLevel::named(directive).or(of_all),
            Some(_) => {}
        }
    }
    // A filter that names some targets only takes errors of the others.
    of_plugins.or(of_all).unwrap_or(PluginLevel::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, is_filter: bool) {
        assert_eq!(filter_text(text).is_ok(), is_filter, "{text}");
    }

    #[test]
    fn filters_are_levels_or_directives() {
        check("info", true);
        check("DEBUG", true);
        check("off", true);
        check("info,weir_guest=debug", true);
        check("inof", false);
        check("", false);
        check("weir_guest=loud", false);
        check("critical", true);
        check("info,wasm=critical", true);
        check("weir=critical", false);
    }

    #[test]
    fn a_filter_has_a_level_for_plugins() {
        let check = |text: &str, level| assert_eq!(plugin_level(text), level, "{text}");
        check("info", PluginLevel::Info);
        check("Critical", PluginLevel::Critical);
        check("off", PluginLevel::Off);
        check("warn,weir::gateway=info", PluginLevel::Warn);
        check("warn,wasm=debug", PluginLevel::Debug);
        check("wasm=off,info", PluginLevel::Off);
        check("weir_guest=debug", PluginLevel::Error);
    }
}
