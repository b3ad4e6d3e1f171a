//! `weir inspect`: what a module is, needs and offers.

mod page;

use serde_json::json;
use weir_guest::inspect::inspect;

use super::suited::Suited;
use crate::cli::Inspect;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

/// Prints the report for people or as JSON.
pub(super) fn run(arguments: &Inspect, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let path = arguments.module.as_path();
    let bytes =
        weir_proxy::gateway::read_module(path).map_err(|error| Failure::read(path, error))?;
    let report = inspect(&bytes).map_err(|source| Failure::NoModule {
        path: path.to_owned(),
        source,
    })?;
    if arguments.json {
        let mut all = json!(report);
        if let Some(suited) = Suited::of(&report) {
            all["function"] = suited.json();
        }
        super::print_json(&all, terminal)
    } else {
        let page = page::compose(&path.to_string_lossy(), &report, terminal);
        terminal.print(&page)?;
        Ok(Outcome::Fine)
    }
}
