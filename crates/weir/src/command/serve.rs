//! `weir serve`: loads the configuration and hands it to the gateway.

use crate::cli::{Output, Serve};
use crate::failure::{Failure, Outcome};
use crate::gateway::{self, Options};
use crate::terminal::Terminal;
use crate::{logging, signals};

/// Runs the gateway until it is drained.
pub(super) fn run(
    arguments: Serve,
    output: &Output,
    terminal: &mut Terminal<'_>,
) -> Result<Outcome, Failure> {
    let loaded = weir_control::load(&arguments.configuration).map_err(|problems| {
        terminal.remark(&format!("{problems}\n"));
        Failure::Refused
    })?;
    for warning in &loaded.warnings {
        terminal.remark(&format!("{warning}\n\n"));
    }
    let log = logging::install(
        &output.log,
        output.log_format,
        terminal.has_colour_on_stderr(),
    )
    .map_err(Failure::Logging)?;
    let phase = signals::listen().map_err(Failure::Signals)?;
    let mut site = loaded.site;
    site.workers = arguments.workers.or(site.workers);
    gateway::run(
        site,
        Options {
            configuration: arguments.configuration,
            log,
            phase,
            access_log: gateway::standard_output,
            serving: None,
            kept: None,
        },
    )?;
    Ok(Outcome::Fine)
}
