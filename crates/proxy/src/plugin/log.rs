//! From which level on lines of plugins are written: for all, and for single filters.
//!
//! Changes are seen by all workers at once. Invariant: what a guest is told of the level is what its
//! lines are measured by.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use weir_guest::door::LogLevel;
use weir_model::Name;

/// The lowest level that is written, in the order and with the numbers of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PluginLevel {
    /// Everything.
    Trace,
    /// From debug on.
    Debug,
    /// From info on.
    Info,
    /// From warn on.
    Warn,
    /// From error on.
    Error,
    /// Critical lines only.
    Critical,
    /// Nothing.
    Off,
}

impl PluginLevel {
    /// Every level, the most talkative first.
    pub const ALL: [Self; 7] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Critical,
        Self::Off,
    ];

    /// The level of a word; its case does not matter.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let is_it = |level: &Self| level.name().eq_ignore_ascii_case(word);
        Self::ALL.into_iter().find(is_it)
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Off => "off",
        }
    }

    /// Whether a line of this level is written.
    #[must_use]
    pub fn takes(self, line: LogLevel) -> bool {
        self as u8 <= line as u8
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// What the log of this process takes now.
    fn of_process() -> Self {
        use tracing::level_filters::LevelFilter;
        match LevelFilter::current() {
            LevelFilter::TRACE => Self::Trace,
            LevelFilter::DEBUG => Self::Debug,
            LevelFilter::INFO => Self::Info,
            LevelFilter::WARN => Self::Warn,
            LevelFilter::ERROR => Self::Error,
            LevelFilter::OFF => Self::Off,
        }
    }
}

/// A filter without a level of its own.
const AS_ALL: u8 = u8::MAX;

/// The levels of all filters of a process.
#[derive(Debug)]
pub struct PluginLog {
    all: AtomicU8,
    filters: BTreeMap<Name, Arc<AtomicU8>>,
}

impl PluginLog {
    pub(crate) fn new<'n>(filters: impl Iterator<Item = &'n Name>) -> Self {
        let level = |name: &Name| (name.clone(), Arc::new(AtomicU8::new(AS_ALL)));
        Self {
            all: AtomicU8::new(PluginLevel::of_process() as u8),
            filters: filters.map(level).collect(),
        }
    }

    /// The level of all filters that have none of their own.
    #[must_use]
    pub fn of_all(&self) -> PluginLevel {
        PluginLevel::of(self.all.load(Ordering::Relaxed)).unwrap_or(PluginLevel::Info)
    }

    /// The level that a filter's lines are measured by.
    #[must_use]
    pub fn of(&self, filter: &str) -> PluginLevel {
        let own = self.filters.get(filter);
        let own = own.and_then(|level| PluginLevel::of(level.load(Ordering::Relaxed)));
        own.unwrap_or_else(|| self.of_all())
    }

    /// The filters with a level of their own.
    #[must_use]
    pub fn own(&self) -> Vec<(Name, PluginLevel)> {
        let own = |(name, level): (&Name, &Arc<AtomicU8>)| {
            Some((
                name.clone(),
                PluginLevel::of(level.load(Ordering::Relaxed))?,
            ))
        };
        self.filters.iter().filter_map(own).collect()
    }

    /// Sets the level of all filters that have none of their own.
    pub fn set_all(&self, level: PluginLevel) {
        self.all.store(level as u8, Ordering::Relaxed);
    }

    /// Gives a filter a level of its own; `None` takes it away. Says whether there is such a filter.
    pub fn set(&self, filter: &str, level: Option<PluginLevel>) -> bool {
        let own = self.filters.get(filter);
        if let Some(own) = own {
            own.store(level.map_or(AS_ALL, |level| level as u8), Ordering::Relaxed);
        }
        own.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::PluginLevel::{Error, Trace, Warn};
    use super::*;

    #[test]
    fn levels_have_words_and_numbers() {
        for (number, level) in (0u8..).zip(PluginLevel::ALL) {
            assert_eq!(PluginLevel::of(number), Some(level));
            assert_eq!(PluginLevel::named(level.name()), Some(level));
        }
        assert_eq!(PluginLevel::named("WARN"), Some(Warn));
        assert_eq!(PluginLevel::named("loud"), None);
        assert!(PluginLevel::Critical.takes(LogLevel::Critical));
        assert!(!PluginLevel::Off.takes(LogLevel::Critical));
        assert!(!Warn.takes(LogLevel::Info));
    }

    #[test]
    fn a_level_of_its_own_wins_until_it_is_taken_away() {
        let names = ["a".into(), "b".into()];
        let log = PluginLog::new(names.iter());
        log.set_all(Warn);
        assert!(log.set("a", Some(Trace)));
        assert!(!log.set("c", Some(Trace)));
        let levels = || (log.of("a"), log.of("b"), log.of("c"));
        assert_eq!(levels(), (Trace, Warn, Warn));
        assert_eq!(log.own(), [("a".into(), Trace)]);
        log.set_all(Error);
        assert_eq!(levels(), (Trace, Error, Error));
        assert!(log.set("a", None));
        assert_eq!(levels(), (Error, Error, Error));
    }
}
