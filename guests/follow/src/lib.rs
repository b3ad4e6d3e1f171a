//! A map whose entries are followed: each is read, understood and kept until it changes.
//!
//! Invariant: an entry that cannot be understood never takes the place of one that could. What was
//! understood last stays, until an entry is understood again or is gone; in a VM that is started
//! later, too.

use std::collections::BTreeMap;
use std::fmt;

use wasi_map::{Change, Error, Event, Map, Rights, Watch};

mod good;

/// What a followed map must be granted.
pub const RIGHTS: &str = "read, list, watch";

/// How an entry is understood, or why it is not.
type Reading<T> = Box<dyn Fn(&str, &[u8]) -> Result<T, String>>;

/// A map, and what its entries mean.
pub struct Followed<T> {
    name: String,
    map: Map,
    watch: Watch,
    reading: Reading<T>,
    entries: BTreeMap<Vec<u8>, T>,
}

/// What became of an entry.
#[derive(Debug, PartialEq, Eq)]
pub enum Notice {
    /// It holds from now on.
    Taken(String),
    /// It is gone.
    Dropped(String),
    /// It is not understood.
    Refused {
        /// Whose.
        key: String,
        /// What was wrong.
        why: String,
        /// Whether what it said before still holds.
        had_another: bool,
    },
}

impl<T> Followed<T> {
    /// Opens a map, and reads all of it.
    ///
    /// # Errors
    /// [`Error::NoEntry`], [`Error::NotCapable`]: it is not granted with [`RIGHTS`].
    pub fn open(
        name: &str,
        reading: impl Fn(&str, &[u8]) -> Result<T, String> + 'static,
    ) -> Result<(Self, Vec<Notice>), Error> {
        let map = Map::open(name, Rights::READ | Rights::LIST | Rights::WATCH)?;
        // Watched first, read then: no change falls between the two.
        let watch = map.watch(b"")?;
        let mut followed = Self {
            name: name.to_owned(),
            map,
            watch,
            reading: Box::new(reading),
            entries: BTreeMap::new(),
        };
        let notices = followed.read_all()?;
        Ok((followed, notices))
    }

    /// The number that `wasi_map_on_change` is called with.
    #[must_use]
    pub fn watch(&self) -> u32 {
        self.watch.id()
    }

    /// What the entries mean, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &T> + Clone {
        self.entries.values()
    }

    /// Takes up all changes so far.
    ///
    /// # Errors
    /// The map cannot be read. What was known still holds.
    pub fn catch_up(&mut self) -> Result<Vec<Notice>, Error> {
        let mut notices = Vec::new();
        while let Some(change) = self.watch.poll()? {
            match change {
                Change::Entry { key, event, .. } => match event {
                    Event::Set => self.read_one(key, &mut notices)?,
                    Event::Deleted | Event::Ended | Event::Evicted => self.drop(&key, &mut notices),
                },
                Change::Cleared | Change::Resync => notices.extend(self.read_all()?),
                // The operator's map: it goes with the gateway.
                Change::Gone => {}
            }
        }
        Ok(notices)
    }

    fn read_one(&mut self, key: Vec<u8>, notices: &mut Vec<Notice>) -> Result<(), Error> {
        match self.map.get(&key)? {
            Some(entry) => notices.push(self.take(key, (entry.version, &entry.value))),
            // Its end is told, too.
            None => self.drop(&key, notices),
        }
        Ok(())
    }

    fn read_all(&mut self) -> Result<Vec<Notice>, Error> {
        let mut found = Vec::new();
        for item in self.map.scan(b"") {
            let item = item?;
            found.push((item.key, item.version, item.value.unwrap_or_default()));
        }
        let mut notices = Vec::new();
        let mut gone: Vec<_> = self.entries.keys().cloned().collect();
        gone.retain(|key| !found.iter().any(|(known, ..)| known == key));
        for key in gone {
            self.drop(&key, &mut notices);
        }
        for (key, version, value) in found {
            notices.push(self.take(key, (version, &value)));
        }
        Ok(notices)
    }

    fn take(&mut self, key: Vec<u8>, (version, value): (u64, &[u8])) -> Notice {
        let name = String::from_utf8_lossy(&key).into_owned();
        let why = match (self.reading)(&name, value) {
            Ok(meaning) => {
                good::keep(&self.place(&name), version, value);
                self.entries.insert(key, meaning);
                return Notice::Taken(name);
            }
            Err(why) => why,
        };
        // Another VM may have seen what the entry said before.
        if !self.entries.contains_key(&key)
            && let Some(value) = good::kept(&self.place(&name), version)
            && let Ok(meaning) = (self.reading)(&name, &value)
        {
            self.entries.insert(key.clone(), meaning);
        }
        Notice::Refused {
            had_another: self.entries.contains_key(&key),
            key: name,
            why,
        }
    }

    fn drop(&mut self, key: &[u8], notices: &mut Vec<Notice>) {
        let name = String::from_utf8_lossy(key).into_owned();
        good::forget(&self.place(&name));
        if self.entries.remove(key).is_some() {
            notices.push(Notice::Dropped(name));
        }
    }

    fn place(&self, key: &str) -> String {
        format!("last-good/{}/{key}", self.name)
    }
}

impl Notice {
    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(key) => write!(out, "entry {key}: taken"),
            Self::Dropped(key) => write!(out, "entry {key}: gone, and holds no more"),
            Self::Refused {
                key,
                why,
                had_another,
            } => {
                let then = if *had_another {
                    "what it said before still holds"
                } else {
                    "nothing of it holds"
                };
                write!(out, "entry {key}: refused: {why}; {then}")
            }
        }
    }
}
