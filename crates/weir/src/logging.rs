//! The log: sentences with fields on standard error, with a level that can change while it runs.

use std::fmt;
use std::io;
use std::sync::Arc;

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt as log_format, reload};

use crate::cli::LogFormat;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Changes what is logged. Cheap to clone.
#[derive(Clone)]
pub struct LogControl {
    set: Arc<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>,
}

impl LogControl {
    /// Sets the filter: a level, or directives such as `info,weir_guest=debug`.
    ///
    /// # Errors
    /// If the text is no filter; nothing changes then.
    pub fn set(&self, filter: &str) -> Result<(), String> {
        (self.set)(parse(filter)?)
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
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    tracing_subscriber::registry()
        .with(lines(format, has_colour).with_filter(filter))
        .try_init()
        .map_err(|error| error.to_string())?;
    let set = move |filter| handle.reload(filter).map_err(|error| error.to_string());
    Ok(LogControl { set: Arc::new(set) })
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

fn parse(text: &str) -> Result<EnvFilter, String> {
    // To the filter's own parser, a misspelt level is the name of a module.
    let is_word = !text.contains(['=', ',', '[', ':']);
    if is_word && !LEVELS.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(format!(
            "expected one of {}, or directives such as info,weir_guest=debug",
            LEVELS.join(", ")
        ));
    }
    EnvFilter::try_new(text).map_err(|error| error.to_string())
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
    }
}
