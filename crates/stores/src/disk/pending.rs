//! Changes that are not on the disk yet, the last one of each key.

use std::collections::HashMap;

use super::record::{Name, Record};

/// As one transaction will write them: first the removal of everything, if it is meant, then these.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) cleared: bool,
    /// `None`: removed.
    pub(crate) changes: HashMap<Name, Option<Record>>,
    /// Of keys and values.
    pub(crate) bytes: usize,
}

/// What is pending of one key.
pub(crate) enum Known<'a> {
    /// Nothing: what is visible counts.
    Nothing,
    /// It becomes this.
    Becomes(Option<&'a Record>),
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        !self.cleared && self.changes.is_empty()
    }

    pub(crate) fn put(&mut self, name: &Name, record: Option<Record>) {
        let size = |name: &Name, record: &Option<Record>| {
            name.len() + record.as_ref().map_or(0, |record| record.held.length())
        };
        self.bytes += size(name, &record);
        if let Some(old) = self.changes.insert(name.clone(), record) {
            self.bytes = self.bytes.saturating_sub(size(name, &old));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self {
            cleared: true,
            ..Self::default()
        };
    }

    pub(crate) fn known(&self, key: &[u8]) -> Known<'_> {
        match self.changes.get(key) {
            Some(record) => Known::Becomes(record.as_ref()),
            None if self.cleared => Known::Becomes(None),
            None => Known::Nothing,
        }
    }

    /// Puts these changes, which are older, under newer ones.
    pub(crate) fn under(self, newer: &mut Self) {
        if newer.cleared {
            return;
        }
        let newest = std::mem::replace(newer, self);
        for (name, record) in newest.changes {
            newer.put(&name, record);
        }
    }
}
