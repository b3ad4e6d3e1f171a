//! The behavioural suite: one function a row, generic over the back end.
//!
//! A back end passes it by implementing [`Backend`] and naming itself in `all_rows!`, or by running
//! all of [`rows`]. Other crates take this file in as it is, as the module `suite` of their test's
//! root: `#[path = "../../../maps/tests/all"] mod maps { pub(crate) mod suite; }` and
//! `use maps::suite;`.

pub(crate) mod conditions;
pub(crate) mod counters;
pub(crate) mod entries;
pub(crate) mod expiry;
pub(crate) mod limits;
pub(crate) mod random;
pub(crate) mod scans;
pub(crate) mod table;
pub(crate) mod together;
pub(crate) mod watches;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use weir_maps::store::{Condition, Counted, Done, Found, Op, Page, Range, Terms};
use weir_maps::{Answer, MapError, MapOptions, Store, Value, Watch};

/// A kind of back end under test.
pub(crate) trait Backend: Default {
    /// What it makes.
    type Store: Store;

    /// A new, empty map.
    fn open(&self, options: MapOptions) -> Self::Store;

    /// How long the rows make time pass.
    const TIMES: Times = Times::EXACT;

    /// Lets time pass.
    fn pass(&self, time: Duration);

    /// Comes back when watches have been told of all that was done so far.
    fn settle(&self) {}
}

/// Lengths of time for the rows. A back end with a clock of its own cannot be moved on by exactly a
/// millisecond, nor by a week.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// What entries live.
    pub(crate) life: Duration,
    /// Surely less than that, with all that a row does meanwhile.
    pub(crate) nearly: Duration,
    /// `nearly` and this are surely more than `life`.
    pub(crate) just: Duration,
    /// Many lives.
    pub(crate) long: Duration,
}

impl Times {
    /// For a clock that the test moves.
    pub(crate) const EXACT: Self = Self {
        life: Duration::from_secs(1),
        nearly: Duration::from_millis(999),
        just: Duration::from_millis(1),
        long: Duration::from_secs(1_000_000),
    };
}

/// All rows for one back end.
macro_rules! behaves {
    ({ $backend:ty } $($group:ident { $($row:ident)* })*) => {
        $(mod $group {
            $(#[test]
            fn $row() {
                crate::suite::$group::$row(&<$backend>::default());
            })*
        })*
    };
}
pub(crate) use behaves;

/// All rows as a list.
macro_rules! listed {
    ({ $backend:ty } $($group:ident { $($row:ident)* })*) => {
        vec![$($((
            concat!(stringify!($group), "::", stringify!($row)),
            crate::suite::$group::$row::<$backend> as fn(&$backend),
        ),)*)*]
    };
}
pub(crate) use listed;

/// The names of all rows.
macro_rules! named {
    ({ $backend:ty } $($group:ident { $($row:ident)* })*) => {
        [$($(concat!(stringify!($group), "::", stringify!($row)),)*)*]
    };
}
pub(crate) use named;

/// A row and its name.
pub(crate) type Row<B> = (&'static str, fn(&B));

/// All rows, for back ends whose servers are too dear to be started for each.
pub(crate) fn rows<B: Backend>() -> Vec<Row<B>> {
    crate::suite::with_rows!(listed { B })
}

/// A test for each row.
macro_rules! all_rows {
    ($backend:ty) => {
        crate::suite::with_rows! { behaves { $backend } }
    };
}
pub(crate) use all_rows;

/// Every row of the suite, in one place: a back end lists none of them by itself.
macro_rules! with_rows {
    ($what:ident { $backend:ty }) => {
        crate::suite::$what! { { $backend }
            entries {
                absent_is_none what_is_set_is_read_back empty_and_long_values_and_keys
                a_removed_entry_is_gone versions_increase_and_outlive_the_entry
                clear_removes_everything_once maps_do_not_see_each_other
            }
            conditions {
                absent_stores_once a_version_stores_once zero_means_absent
                a_failed_condition_changes_nothing a_version_of_before_a_removal_never_holds
                removal_can_be_conditional
            }
            counters {
                a_counter_begins_at_zero an_overflow_changes_nothing
                only_eight_bytes_count a_counter_keeps_its_time
            }
            expiry {
                an_entry_ends_exactly_in_time the_maps_time_is_the_default
                writing_again_begins_anew what_ended_does_not_count_as_there
                what_ended_makes_room many_that_ended_make_room_for_one too_short_a_time_is_refused
            }
            limits {
                entries_are_bounded bytes_are_bounded a_key_is_bounded a_value_is_bounded
                what_shrinks_is_admitted a_removed_entry_gives_its_room_back
            }
            scans {
                pages_come_in_order a_prefix_limits_a_scan a_page_has_a_limit_in_bytes
                an_entry_too_large_for_the_page_says_so a_cursor_survives_its_entry
                what_ended_is_not_listed no_entry_is_missed_or_repeated_under_change
            }
            together {
                a_batch_is_done_in_order one_refusal_undoes_all
                a_batch_is_counted_as_a_whole too_many_operations_are_refused
            }
            watches {
                changes_are_told a_prefix_limits_a_watch changes_of_one_key_are_joined
                a_gap_is_told_as_resync a_clear_is_told an_end_is_told
                a_dropped_watch_ends
            }
        }
    };
}
pub(crate) use with_rows;

/// Waits for an answer, whatever it takes.
pub(crate) fn wait<T>(answer: Answer<T>) -> Result<T, MapError> {
    block_on(answer.wait())
}

/// Runs a future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// The operations, waited for: what the rows are written in.
pub(crate) trait Plain: Store {
    fn entry(&self, key: &[u8]) -> Option<Found> {
        match self.read(key, &mut |seen| Found::from(seen)) {
            Answer::Now(found) => found.unwrap(),
            Answer::Later(later) => block_on(later).unwrap(),
        }
    }

    fn text(&self, key: &[u8]) -> Option<String> {
        let found = self.entry(key)?;
        Some(String::from_utf8_lossy(found.value.bytes()?).into_owned())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<u64, MapError> {
        self.set_on(key, value, Terms::default())
    }

    fn set_on(&self, key: &[u8], value: &[u8], terms: Terms) -> Result<u64, MapError> {
        wait(self.write(key, Value::copy_of(value), terms))
    }

    fn cas(&self, key: &[u8], expected: u64, value: &[u8]) -> Result<u64, MapError> {
        self.set_on(key, value, Terms::on(Condition::expected(expected)))
    }

    fn delete(&self, key: &[u8]) -> Result<(), MapError> {
        wait(self.remove(key, Condition::Always))
    }

    fn plus(&self, key: &[u8], delta: i64) -> Result<Counted, MapError> {
        wait(self.add(key, delta))
    }

    fn list(&self, prefix: &[u8], after: Option<&[u8]>, entries: usize) -> Page {
        let range = Range {
            prefix,
            after,
            entries,
            bytes: usize::MAX,
        };
        wait(self.scan(range)).unwrap()
    }

    /// All keys, page by page.
    fn keys(&self, prefix: &[u8], entries: usize) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        loop {
            let page = self.list(prefix, keys.last().map(Vec::as_slice), entries);
            keys.extend(page.items.iter().map(|item| item.key.to_vec()));
            if !page.more {
                return keys;
            }
        }
    }

    fn all(&self, ops: &[Op]) -> Result<Vec<Done>, MapError> {
        wait(self.batch(ops))
    }

    fn follow(&self, prefix: &[u8]) -> Watch {
        wait(self.watch(prefix)).unwrap()
    }

    fn used(&self) -> (u64, u64) {
        let stat = wait(self.stat()).unwrap();
        (stat.entries, stat.bytes)
    }
}

impl<S: Store> Plain for S {}

/// A map with the default options.
pub(crate) fn open<B: Backend>(backend: &B) -> B::Store {
    backend.open(MapOptions::default())
}
