//! Maps in Redis or Valkey: one server, one with sentinels, or a cluster.
//!
//! What the entries look like there, and what is promised, is in `docs/maps-redis.md`. All changes
//! are scripts that the server runs as one step. A worker has one connection to each server, on
//! which the operations of all its guests travel together. Invariants: an operation ends
//! within the deadline; one that may have been done is never sent again; a change after a watch
//! began is told, or a gap in its place.

mod config;
mod link;
mod names;
mod replies;
mod script;
mod store;
mod tls;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use weir_maps::{Eviction, MapError, MapOptions};
use weir_model::limits::redis as limits;

pub use config::{RedisConfigError, RedisKind, RedisStoreConfig, RedisTls};
pub use store::RedisStore;

use link::Link;
use store::Core;
use tls::Tls;

/// A back end: makes maps that are kept in the same place.
#[derive(Clone, Debug)]
pub struct RedisStores {
    link: Arc<Link>,
    setup: Arc<Setup>,
}

/// What all that a back end is made of knows: its configuration, and how its connections fare.
#[derive(Debug)]
pub(crate) struct Setup {
    config: RedisStoreConfig,
    pub(crate) opened: AtomicU64,
    pub(crate) lost: AtomicU64,
    tls: Option<Tls>,
    /// What the log was told last, by server and kind, and when: each thread meets it for itself.
    told: Mutex<HashMap<(String, Trouble), (String, Instant)>>,
}

/// What operators are told of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Trouble {
    /// There is no connection to it.
    Unreachable,
    /// It refuses what is asked.
    Refuses,
}

impl Setup {
    /// Tells the operator of trouble with a server: at once, when it is another than before, and else
    /// from time to time.
    pub(crate) fn tell(&self, server: &str, trouble: Trouble, why: &str) {
        if !self.is_news((server, trouble), why) {
            return;
        }
        match trouble {
            Trouble::Unreachable => {
                tracing::warn!(server, why, "cannot connect to a back end, and tries again");
            }
            Trouble::Refuses => {
                tracing::warn!(server, why, "a back end refuses operations on maps");
            }
        }
    }

    /// Whether it is to be told; it counts as told then.
    fn is_news(&self, (server, trouble): (&str, Trouble), why: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (server.to_owned(), trouble);
        let pause = |known: &str| {
            if known == why {
                limits::TOLD_AGAIN
            } else {
                limits::TOLD_ANEW
            }
        };
        let known = told.get(&place);
        if known.is_some_and(|(known, when)| when.elapsed() < pause(known)) {
            return false;
        }
        told.insert(place, (why.to_owned(), Instant::now()));
        true
    }
}

impl Deref for Setup {
    type Target = RedisStoreConfig;

    fn deref(&self) -> &RedisStoreConfig {
        &self.config
    }
}

/// Which map is meant.
#[derive(Clone, Copy, Debug)]
pub struct RedisMap<'a> {
    /// Its tenant: equal names of two scopes are two maps.
    pub scope: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Over how many slots of a cluster it is spread; 1: none of its promises is weakened.
    pub slots: u16,
}

impl RedisStores {
    /// Begins to connect, on a thread of its own. The servers need not be there yet.
    ///
    /// # Errors
    /// What in the configuration makes no sense, or why there is no thread.
    pub fn open(config: RedisStoreConfig) -> Result<Self, RedisConfigError> {
        config.check()?;
        let tls = config.tls.as_ref().map(Tls::load).transpose()?;
        let setup = Arc::new(Setup {
            config,
            opened: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            tls,
            told: Mutex::default(),
        });
        let link = Link::start(Arc::clone(&setup))?;
        Ok(Self {
            link: Arc::new(link),
            setup,
        })
    }

    /// Connections for requests that were made, and those that were lost, on all threads.
    #[must_use]
    pub fn connections(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.setup.opened), load(&self.setup.lost))
    }

    /// Gives this thread connections of its own: what it asks for then needs no other thread. For
    /// workers, inside of their `LocalSet`; outside of one this panics.
    pub fn serve_here(&self) {
        self.link.serve_here();
    }

    /// A map. It is there already if another gateway or an earlier run filled it.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: the options make no sense; [`MapError::NotSupported`]: eviction, which
    /// this back end cannot do.
    pub fn map(&self, map: RedisMap<'_>, options: MapOptions) -> Result<RedisStore, MapError> {
        options.check()?;
        if options.eviction != Eviction::Refuse {
            return Err(MapError::NotSupported("evicting entries"));
        }
        if map.slots == 0 || map.slots > limits::SLOTS_MAX {
            return Err(MapError::Invalid("slots: from 1 to 256"));
        }
        if options.entries_max < u64::from(map.slots) {
            return Err(MapError::Invalid("entries: at least one for each slot"));
        }
        let core = Core::new(&self.setup, map, options);
        Ok(RedisStore::new(core, Arc::clone(&self.link)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wrong address or password was told to nobody once but the guests, as *io*.
    #[test]
    fn trouble_is_told_once_by_server_and_kind() {
        let setup = Setup {
            config: RedisStoreConfig::single("one:6379"),
            opened: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            tls: None,
            told: Mutex::default(),
        };
        let mut news = vec![];
        for (server, trouble, why) in [
            ("one:6379", Trouble::Unreachable, "refused"),
            ("one:6379", Trouble::Unreachable, "refused"),
            // What comes and goes does not fill the log either.
            ("one:6379", Trouble::Unreachable, "NOAUTH"),
            ("one:6379", Trouble::Refuses, "OOM"),
            ("two:6379", Trouble::Unreachable, "refused"),
        ] {
            news.push(setup.is_news((server, trouble), why));
        }
        assert_eq!(news, [true, false, false, true, true]);
    }
}
