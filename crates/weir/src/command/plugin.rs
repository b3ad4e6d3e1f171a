//! `weir plugin`: the process of plugins with `isolation: process`. The gateway starts it; people do
//! not.

use weir_guest::apart;

use crate::failure::{Failure, Outcome};

/// Serves the gateway at the other end of the standard input until that is closed.
pub(super) fn run() -> Result<Outcome, Failure> {
    apart::run_plugin().map_err(Failure::Plugin)?;
    Ok(Outcome::Fine)
}
