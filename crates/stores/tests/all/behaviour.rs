//! The suite: synced, relaxed, and memory over disk; with all values in memory, and with none.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use weir_maps::budget::{Account, Amount};
use weir_maps::store::{Op, Terms};
use weir_maps::{Eviction, ManualClock, MapOptions, Value};
use weir_stores::disk::{DiskStore, Durability};
use weir_stores::durable::{DurableConfig, DurableMaps};
use weir_stores::ssd::{SsdConfig, SsdMaps};

use crate::suite::{Backend, Plain as _, table};

/// A folder of maps, on a clock that the test moves.
pub(crate) struct Durable {
    pub(crate) clock: ManualClock,
    folder: TempDir,
    config: DurableConfig,
    made: AtomicU64,
}

impl Durable {
    pub(crate) fn with(durability: Durability, memory_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::default();
        // The beginning of time is for none.
        clock.advance(Duration::from_secs(1));
        let config = DurableConfig {
            folder: folder.path().into(),
            durability,
            memory_bytes,
        };
        Self {
            clock,
            config,
            folder,
            made: AtomicU64::new(0),
        }
    }

    pub(crate) fn maps(&self) -> DurableMaps {
        DurableMaps::with_clock(self.config.clone(), Arc::new(self.clock.clone()))
    }

    pub(crate) fn named(&self, name: &str, options: MapOptions) -> DiskStore {
        self.maps().open("", name, (options, unlimited())).unwrap()
    }

    /// As a map of memory over disk.
    fn cache(&self, options: MapOptions) -> DiskStore {
        let config = SsdConfig {
            memory_bytes: self.config.memory_bytes,
            lag: SHORT,
            ..SsdConfig::of(self.folder.path())
        };
        let maps = SsdMaps::with_clock(config, Arc::new(self.clock.clone()));
        let name = self.fresh();
        maps.open("", &name, (options, unlimited())).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        assert!(self.folder.path().exists());
        self.maps().path("", name)
    }

    fn next(&self, options: MapOptions) -> DiskStore {
        self.named(&self.fresh(), options)
    }

    fn fresh(&self) -> String {
        format!("map {}", self.made.fetch_add(1, Ordering::SeqCst))
    }
}

pub(crate) fn unlimited() -> Arc<Account> {
    Arc::new(Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    }))
}

/// A kind of back end as the suite wants it.
macro_rules! kind {
    ($name:ident, $make:expr, $open:ident) => {
        pub(crate) struct $name(Durable);

        impl Default for $name {
            fn default() -> Self {
                Self($make)
            }
        }

        impl Backend for $name {
            type Store = DiskStore;

            fn open(&self, options: MapOptions) -> DiskStore {
                self.0.$open(options)
            }

            fn pass(&self, time: Duration) {
                self.0.clock.advance(time);
            }
        }
    };
}

const SHORT: Duration = Duration::from_millis(5);

const RELAXED: Durability = Durability::Relaxed(SHORT);

kind!(Synced, Durable::with(Durability::Synced, 1 << 20), next);
kind!(SyncedCold, Durable::with(Durability::Synced, 0), next);
kind!(Relaxed, Durable::with(RELAXED, 1 << 20), next);
kind!(RelaxedCold, Durable::with(RELAXED, 0), next);
kind!(Ssd, Durable::with(RELAXED, 1000), cache);

mod synced {
    crate::suite::all_rows!(crate::behaviour::Synced);
}
mod synced_cold {
    crate::suite::all_rows!(crate::behaviour::SyncedCold);
}
mod relaxed {
    crate::suite::all_rows!(crate::behaviour::Relaxed);
}
mod relaxed_cold {
    crate::suite::all_rows!(crate::behaviour::RelaxedCold);
}
mod ssd {
    crate::suite::all_rows!(crate::behaviour::Ssd);
}

/// Once an eviction ended after some hundred entries: a map full of small ones refused large values. What
/// fits into no map evicts nothing.
#[test]
fn a_large_value_takes_the_place_of_many_small_ones() {
    for durability in [Durability::Synced, RELAXED] {
        let maps = Durable::with(durability, 1 << 20);
        let map = maps.next(MapOptions {
            bytes_max: 300_000,
            eviction: Eviction::Lru,
            ..MapOptions::default()
        });
        for first in 0..15_u32 {
            let op = |number: u32| {
                let key = Bytes::copy_from_slice(&number.to_be_bytes());
                Op::Set(key, Value::copy_of(b"x"), Terms::default())
            };
            let ops: Vec<Op> = (first * 100..first * 100 + 100).map(op).collect();
            map.all(&ops).unwrap();
        }
        let used = map.used();
        assert!(map.set(b"too large", &vec![0; 300_000]).is_err());
        assert_eq!(map.used(), used, "nothing has changed");
        map.set(b"large", &vec![0; 250_000]).unwrap();
        assert!(map.used().1 <= 300_000, "{:?}", map.used());
        assert_eq!(map.entry(b"large").unwrap().value.length(), 250_000);
    }
}

#[test]
fn rows_do_not_disturb_each_other() {
    table::check_all::<Synced>("durable", &crate::suite::rows());
    table::check_all::<Relaxed>("durable, relaxed", &crate::suite::rows());
    table::check_all::<Ssd>("memory over disk", &crate::suite::rows());
}
