//! Plays statements: starts a scene, does the steps, compares.

mod case;
mod metric;
mod tell;

use crate::host::Host;
use crate::report::{Failure, Result as StatementResult, Verdict};
use crate::statement::{Case, Statement};
use crate::watch::Watch;
use crate::{Options, player::case::Play};

/// What came of one case.
enum Outcome {
    Held,
    Failed(Box<Failure>),
    /// It is not for this host.
    Skipped(String),
}

/// Plays all cases of a statement.
pub(crate) fn play(
    statement: &Statement,
    host: &Host,
    options: &Options,
    watch: &Watch,
) -> StatementResult {
    let name = host.name();
    let mut result = StatementResult::new(statement);
    if let Some(need) = lacking(&statement.needs, host, options) {
        result.verdict = Verdict::NotApplicable;
        result.why = Some(format!("needs {need}"));
        return result;
    }
    let mut has_held = false;
    let mut skipped = None;
    for case in &statement.cases {
        match play_case(case, host, options, watch) {
            Outcome::Held => has_held = true,
            Outcome::Skipped(why) => skipped = Some(why),
            Outcome::Failed(failure) => match reason(&case.open, &name) {
                Some(why) => result.open = Some(format!("{}: {why}", case.name)),
                None => result.failures.push(*failure),
            },
        }
    }
    if let Some(why) = reason(&statement.open, &name) {
        result.holds_anyway = has_held && result.failures.is_empty();
        result.open = Some(why.to_owned());
    }
    result.verdict = if result.open.is_some() {
        Verdict::Open
    } else if !result.failures.is_empty() {
        Verdict::Failed
    } else if has_held {
        Verdict::Held
    } else {
        result.why = skipped.or_else(|| statement.unseen.clone());
        Verdict::NotApplicable
    };
    result
}

/// What is needed and not there.
fn lacking<'a>(needs: &'a [String], host: &Host, options: &Options) -> Option<&'a String> {
    let mut needs = needs.iter();
    needs.find(|need| !host.has(need) || options.without.contains(need))
}

fn reason<'a>(open: &'a [(String, String)], host: &str) -> Option<&'a str> {
    let reason = open.iter().find(|(name, _)| name == host);
    reason.map(|(_, why)| why.as_str())
}

fn play_case(case: &Case, host: &Host, options: &Options, watch: &Watch) -> Outcome {
    if let Some(only) = case.only.as_ref().filter(|only| **only != host.name()) {
        return Outcome::Skipped(format!("only for {only}"));
    }
    if let Some(need) = lacking(&case.needs, host, options) {
        return Outcome::Skipped(format!("needs {need}"));
    }
    match Play::run(case, host, options, watch) {
        Ok(outcome) => outcome,
        Err(trouble) => Outcome::Failed(Box::new(Failure {
            case: case.name.clone(),
            line: 0,
            what: trouble.to_string(),
            observed: Vec::new(),
        })),
    }
}
