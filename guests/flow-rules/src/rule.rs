//! Rules as they are applied.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::warm_up::WarmUp;

/// A rule that was found to be good.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Rule set and place in it: how the rule is named to people.
    pub name: String,
    /// What it holds for.
    pub resource: String,
    /// What it asks for.
    pub control: Control,
    /// Begins the keys of its state. Rules that say the same have the same one; a rule that was
    /// changed has another, and so begins anew.
    pub(crate) state: String,
}

/// What a rule does with requests.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// So many at the same time.
    Concurrency(u32),
    /// So many in a second; the rest is refused.
    Reject(f64),
    /// The same, with less at the beginning and after a pause.
    WarmUp(WarmUp),
    /// So many in a second, at equal distances; who is early waits.
    Throttle {
        /// In a second.
        count: f64,
        /// Who would wait longer is refused.
        queue: Duration,
    },
    /// For each value of a parameter.
    Hot(HotRule),
}

/// A limit for each value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct HotRule {
    /// Of what.
    pub parameter: Parameter,
    /// So many in each `duration`.
    pub count: u64,
    /// At least a second.
    pub duration: Duration,
    /// So many more after a pause.
    pub burst: u64,
    /// Requests wait for their turn, at most so long; `None`: they are refused.
    pub queue: Option<Duration>,
    /// Values with another count.
    pub exceptions: Vec<(String, u64)>,
}

/// Where a parameter comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Of the filter's list of parameters.
    Index(usize),
    /// Named by the rule itself.
    Wanted(Wanted),
}

/// A part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The client's address, without its port.
    ClientAddress,
    /// The host that was asked.
    Host,
    /// A header.
    Header(String),
    /// A parameter of the query.
    Query(String),
    /// A cookie.
    Cookie(String),
}

impl Control {
    /// Begins the key of every entry that a rule of this kind keeps.
    pub(crate) const fn letter(&self) -> char {
        match self {
            Self::Concurrency(_) => 'c',
            Self::Reject(_) => 'q',
            Self::WarmUp(_) => 'w',
            Self::Throttle { .. } => 't',
            Self::Hot(_) => 'p',
        }
    }

    /// When it may be worth to ask again, in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Concurrency(_) => None,
            Self::Reject(_) | Self::WarmUp(_) | Self::Throttle { .. } => Some(1),
            Self::Hot(rule) => Some(rule.duration.as_secs()),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concurrency(count) => write!(out, "{count} at the same time"),
            Self::Reject(count) | Self::Throttle { count, .. } => {
                write!(out, "{count} per second")
            }
            Self::WarmUp(warm_up) => write!(out, "{} per second, warmed up", warm_up.count()),
            Self::Hot(rule) => write!(
                out,
                "{} per {} s and value",
                rule.count,
                rule.duration.as_secs()
            ),
        }
    }
}
