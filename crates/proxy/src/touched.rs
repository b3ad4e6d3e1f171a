//! What filters touched or were refused, by name, for operators.
//!
//! In a dry run everything is noted, else only what was refused. Invariants: the table of a filter
//! never holds more than [`limits::TOUCHED_ENTRIES_MAX`] names; no value of a header, property or
//! entry is ever in it.

mod page;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use weir_model::limits;

/// A sort of thing that filters touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A host function.
    Function,
    /// A callback of the module.
    Callback,
    /// A cluster for a callout.
    Cluster,
    /// A `vm_id` whose queues are used.
    VmId,
    /// A foreign function.
    Foreign,
    /// A shared map that is opened by its name.
    Map,
    /// A file, by its path in the guest.
    File,
    /// A clock.
    Clock,
    /// Random bytes.
    Random,
    /// A header of requests that is read; `*` stands for all.
    RequestHeader,
    /// A header of responses that is read.
    ResponseHeader,
    /// A header that is written.
    WrittenHeader,
    /// A property that is read.
    Property,
    /// A property that is written.
    WrittenProperty,
    /// A body that is looked at or changed.
    Body,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Function,
        Self::Callback,
        Self::Cluster,
        Self::VmId,
        Self::Foreign,
        Self::Map,
        Self::File,
        Self::Clock,
        Self::Random,
        Self::RequestHeader,
        Self::ResponseHeader,
        Self::WrittenHeader,
        Self::Property,
        Self::WrittenProperty,
        Self::Body,
    ];

    /// Its word in metrics and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Callback => "callback",
            Self::Cluster => "cluster",
            Self::VmId => "vm_id",
            Self::Foreign => "foreign_function",
            Self::Map => "map",
            Self::File => "file",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::RequestHeader => "request_header",
            Self::ResponseHeader => "response_header",
            Self::WrittenHeader => "written_header",
            Self::Property => "property",
            Self::WrittenProperty => "written_property",
            Self::Body => "body",
        }
    }
}

/// How often one thing was touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All times that were noted.
    pub touched: u64,
    /// Times that it was not granted.
    pub refused: u64,
}

/// What one filter touched. Written by every worker.
#[derive(Debug, Default)]
pub struct Touched {
    entries: Mutex<BTreeMap<(Kind, String), Counts>>,
    refused: [AtomicU64; Kind::ALL.len()],
    left_out: AtomicU64,
}

/// Whether a thing that is noted was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Granted,
    Refused,
}

/// Whether a refusal is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is the first one of this thing.
    First,
    /// It is the first one for which there was no room in the table: later ones are only counted.
    NoRoom,
    /// It is known.
    Known,
}

impl Touched {
    /// Notes one thing by its name.
    pub(crate) fn note(&self, kind: Kind, name: &[u8], verdict: Verdict) -> News {
        let is_refused = verdict == Verdict::Refused;
        if is_refused {
            self.refused[kind as usize].fetch_add(1, Ordering::Relaxed);
        }
        let kept = &name[..name.len().min(limits::TOUCHED_NAME_BYTES_MAX)];
        let key = (kind, crate::world::one_line(kept).into_owned());
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= limits::TOUCHED_ENTRIES_MAX && !entries.contains_key(&key) {
            let before = self.left_out.fetch_add(1, Ordering::Relaxed);
            return if before == 0 {
                News::NoRoom
            } else {
                News::Known
            };
        }
        let counts = entries.entry(key).or_default();
        counts.touched = counts.touched.saturating_add(1);
        counts.refused = counts.refused.saturating_add(u64::from(is_refused));
        if is_refused && counts.refused == 1 {
            News::First
        } else {
            News::Known
        }
    }

    /// Times that things of a kind were not granted.
    #[must_use]
    pub fn refused(&self, kind: Kind) -> u64 {
        self.refused[kind as usize].load(Ordering::Relaxed)
    }

    /// All entries, by kind and name.
    #[must_use]
    pub fn entries(&self) -> Vec<(Kind, String, Counts)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry =
            |((kind, name), counts): (&(Kind, String), &Counts)| (*kind, name.clone(), *counts);
        entries.iter().map(entry).collect()
    }

    /// Notes for which there was no room.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusal_of_a_thing_is_news() {
        let touched = Touched::default();
        let note = |name: &str, verdict| touched.note(Kind::Cluster, name.as_bytes(), verdict);
        assert_eq!(note("a", Verdict::Granted), News::Known);
        assert_eq!(note("a", Verdict::Refused), News::First);
        assert_eq!(note("a", Verdict::Refused), News::Known);
        assert_eq!(note("b", Verdict::Refused), News::First);
        assert_eq!(touched.refused(Kind::Cluster), 3);
        assert_eq!(touched.refused(Kind::Foreign), 0);
        let a = Counts {
            touched: 3,
            refused: 2,
        };
        assert_eq!(touched.entries()[0], (Kind::Cluster, "a".to_owned(), a));
    }

    #[test]
    fn the_table_is_bounded() {
        let touched = Touched::default();
        for number in 0..limits::TOUCHED_ENTRIES_MAX + 10 {
            let name = format!("x-{number}");
            touched.note(Kind::WrittenHeader, name.as_bytes(), Verdict::Refused);
        }
        assert_eq!(touched.entries().len(), limits::TOUCHED_ENTRIES_MAX);
        assert_eq!(touched.left_out(), 10);
        let long = vec![b'a'; 10_000];
        let touched = Touched::default();
        touched.note(Kind::Property, &long, Verdict::Refused);
        assert_eq!(touched.entries()[0].1.len(), limits::TOUCHED_NAME_BYTES_MAX);
    }

    #[test]
    fn kinds_have_their_own_cells() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
