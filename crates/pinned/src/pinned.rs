//! A pinned map, as the gateway and native processes use it.

mod tending;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bucket::{Bucket, Change, Entry, Look, Patience};
use crate::file::{Access, Mapped, Shape, file_error};
use crate::layout::{
    AT_LAST_VERSION, AT_REPAIRED, AT_STATE, HEADER_BYTES, NEVER, READY, WRITER_BYTES, WRITERS,
};
use crate::{PinError, hash, lock};

/// A map in a file. May be used by many threads.
pub struct Pinned {
    mapped: Mapped,
    /// The number of this writer; 0: it only reads.
    me: u64,
    words_of_bucket: usize,
    /// It is looked after here.
    is_tended: bool,
    /// Somebody who wrote did not finish, and it was not looked after since: nobody else waits for long.
    is_stuck: AtomicBool,
}

/// What must hold of an entry before it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    Always,
    /// There is none.
    Absent,
    /// It has this version.
    Version(u64),
}

impl Condition {
    /// Whether it holds of an entry with this version, 0 for none.
    fn holds(self, current: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => current == 0,
            Self::Version(version) => version != 0 && current == version,
        }
    }
}

/// What is known of an entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its version.
    pub version: u64,
    /// When it ends; `None`: it stays.
    pub ends: Option<SystemTime>,
}

/// What looking after a map came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Entries that were freed because they had ended.
    pub ended: u64,
    /// Buckets that were given back by somebody who had died.
    pub repaired: u64,
    /// Entries that were lost by that: somebody died while writing to them.
    pub lost: u64,
    /// Entries that there are now.
    pub entries: u64,
}

/// Numbers for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The last version that was given.
    pub version: u64,
    /// Entries that were lost because who wrote to them had died, since the map was made.
    pub lost: u64,
    /// Its numbers.
    pub shape: Shape,
}

/// A bucket that this writer has.
struct Owned<'p>(Bucket<'p>);

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl Pinned {
    /// The map of this shape at a path, for writing; it is made if there is none. One of another
    /// shape, or from before the system's last start, is replaced: who has it open is told
    /// [`PinError::Retired`]. For the gateway.
    ///
    /// # Errors
    /// [`PinError::Shape`]; [`PinError::Layout`]: there is another kind of file;
    /// [`PinError::File`].
    pub fn make(path: &Path, shape: &Shape) -> Result<Self, PinError> {
        let mut map = Self::of(Mapped::make(path, shape)?, path, Access::Write)?;
        map.is_tended = true;
        Ok(map)
    }

    /// The map at a path. For native processes.
    ///
    /// # Errors
    /// [`PinError::Layout`], [`PinError::File`], [`PinError::Retired`].
    pub fn open(path: &Path, access: Access) -> Result<Self, PinError> {
        Self::of(Mapped::open(path, access)?, path, access)
    }

    fn of(mapped: Mapped, path: &Path, access: Access) -> Result<Self, PinError> {
        let words = mapped.shape.bucket_bytes() / 8;
        let words_of_bucket = usize::try_from(words).unwrap_or(usize::MAX);
        let mut pinned = Self {
            mapped,
            me: 0,
            words_of_bucket,
            is_tended: false,
            is_stuck: AtomicBool::new(false),
        };
        if access == Access::Write {
            pinned.me = pinned.number().map_err(|error| file_error(path, error))?;
            // Who had the number before has died.
            let left = pinned
                .buckets()
                .filter(|bucket| bucket.owner() == pinned.me);
            let lost = left.map(|bucket| u64::from(bucket.repair())).sum();
            pinned.word(AT_REPAIRED).fetch_add(lost, Ordering::Relaxed);
        }
        Ok(pinned)
    }

    /// A number that no living writer has.
    fn number(&self) -> std::io::Result<u64> {
        for number in 0..WRITERS {
            if lock::take(&self.mapped.file, WRITER_BYTES + number)? {
                return Ok(number + 1);
            }
        }
        Err(std::io::Error::other("there are 256 writers already"))
    }

    /// Copies the value of an entry into `value`; `None`: there is no such entry.
    ///
    /// # Errors
    /// [`PinError::Busy`], [`PinError::Retired`], [`PinError::Cut`], [`PinError::Key`].
    pub fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<Option<Found>, PinError> {
        let (bucket, entry) = self.look_up(key)?;
        let look = bucket.read(entry, value);
        self.check_whole()?;
        match look {
            Look::Found { version, ends_ms } => Ok(Some(Found {
                version,
                ends: (ends_ms != NEVER).then(|| UNIX_EPOCH + Duration::from_millis(ends_ms)),
            })),
            Look::Absent => Ok(None),
            Look::Busy => Err(self.busy()),
        }
    }

    /// Stores a value and answers its version. Without `ttl` the entry stays.
    ///
    /// # Errors
    /// [`PinError::Again`]: the condition does not hold; [`PinError::Full`]; [`PinError::Key`],
    /// [`PinError::Value`]; [`PinError::ReadOnly`], [`PinError::Busy`], [`PinError::Retired`].
    pub fn set(
        &self,
        key: &[u8],
        value: &[u8],
        (ttl, condition): (Option<Duration>, Condition),
    ) -> Result<u64, PinError> {
        self.check_value(value)?;
        let (owned, entry) = self.own(key)?;
        let bucket = owned.0;
        let known = bucket.find(entry);
        let current = live_version(bucket, known, entry.now_ms);
        if !condition.holds(current) {
            return Err(PinError::Again { current });
        }
        let ends_ms = end_of(ttl, entry.now_ms);
        self.put(bucket, (known, entry), (ends_ms, value))
    }

    /// Whether the file has all of its pages: to be asked after they were used.
    fn check_whole(&self) -> Result<(), PinError> {
        if self.mapped.is_cut() {
            return Err(PinError::Cut);
        }
        Ok(())
    }

    /// Somebody does not finish.
    fn busy(&self) -> PinError {
        if self.is_tended {
            self.is_stuck.store(true, Ordering::Relaxed);
        }
        PinError::Busy
    }

    /// How long to wait for others.
    fn patience(&self) -> Patience {
        if self.is_stuck.load(Ordering::Relaxed) {
            return Patience::LITTLE;
        }
        if self.is_tended {
            return Patience::SOME;
        }
        Patience::ALL
    }

    /// Adds to a counter, which is 8 bytes, little-endian and signed, and begins at 0. Answers the sum
    /// and its version. The end of a counter stays; `ttl` is that of a new one.
    ///
    /// # Errors
    /// [`PinError::NoCounter`], [`PinError::Overflow`]; else as for [`set`](Self::set).
    pub fn add(
        &self,
        key: &[u8],
        (delta, ttl): (i64, Option<Duration>),
    ) -> Result<(i64, u64), PinError> {
        self.check_value(&[0; 8])?;
        let (owned, entry) = self.own(key)?;
        let bucket = owned.0;
        let known = bucket.find(entry);
        let mut value = Vec::new();
        let (before, ends_ms) = match known {
            Some(slot) if live_version(bucket, known, entry.now_ms) != 0 => {
                let (_, ends_ms) = bucket.peek(slot, &mut value);
                let number = value
                    .as_slice()
                    .try_into()
                    .map_err(|_| PinError::NoCounter)?;
                (i64::from_le_bytes(number), ends_ms)
            }
            Some(_) | None => (0, end_of(ttl, entry.now_ms)),
        };
        let sum = before.checked_add(delta).ok_or(PinError::Overflow)?;
        let version = self.put(bucket, (known, entry), (ends_ms, &sum.to_le_bytes()))?;
        Ok((sum, version))
    }

    /// Removes an entry under a condition and answers whether there was one.
    ///
    /// # Errors
    /// As for [`set`](Self::set).
    pub fn delete(&self, key: &[u8], condition: Condition) -> Result<bool, PinError> {
        let (owned, entry) = self.own(key)?;
        let known = owned.0.find(entry);
        let current = live_version(owned.0, known, entry.now_ms);
        let was_there = current != 0;
        if was_there && !condition.holds(current) {
            return Err(PinError::Again { current });
        }
        if let Some(slot) = known {
            owned.0.free(slot);
        }
        self.check_whole()?;
        Ok(was_there)
    }

    /// The keys of all entries, in no order. Those that come or go meanwhile may be among them.
    ///
    /// # Errors
    /// [`PinError::Busy`], [`PinError::Cut`]: in the place of some of them.
    pub fn keys(&self) -> impl Iterator<Item = Result<Vec<u8>, PinError>> + '_ {
        let now_ms = now_ms();
        self.buckets().flat_map(move |bucket| {
            let keys = bucket.keys(now_ms);
            let (keys, error) = match (keys, self.check_whole()) {
                (_, Err(error)) => (Vec::new(), Some(Err(error))),
                (None, Ok(())) => (Vec::new(), Some(Err(self.busy()))),
                (Some(keys), Ok(())) => (keys, None),
            };
            keys.into_iter().map(Ok).chain(error)
        })
    }

    /// How many entries there are.
    #[must_use]
    pub fn entries(&self) -> u64 {
        let now_ms = now_ms();
        self.buckets().map(|bucket| bucket.count(now_ms).0).sum()
    }

    /// Numbers for people.
    #[must_use]
    pub fn stat(&self) -> Stat {
        Stat {
            version: self.word(AT_LAST_VERSION).load(Ordering::Relaxed),
            lost: self.word(AT_REPAIRED).load(Ordering::Relaxed),
            shape: self.mapped.shape,
        }
    }

    fn put(
        &self,
        bucket: Bucket<'_>,
        (known, entry): (Option<usize>, Entry<'_>),
        (ends_ms, value): (u64, &[u8]),
    ) -> Result<u64, PinError> {
        let slot = known.or_else(|| bucket.vacancy(entry.now_ms));
        let slot = slot.ok_or(PinError::Full {
            slots: usize::try_from(self.mapped.shape.slots).unwrap_or(usize::MAX),
        })?;
        let version = self.next_version();
        let change = Change {
            version,
            ends_ms,
            value,
        };
        bucket.write(slot, entry, change);
        self.check_whole()?;
        Ok(version)
    }

    /// Never 0, whatever stands there: that is a free slot.
    fn next_version(&self) -> u64 {
        let last = self.word(AT_LAST_VERSION).fetch_add(1, Ordering::Relaxed);
        last.checked_add(1).unwrap_or_else(|| self.next_version())
    }

    fn look_up<'p, 'k>(&'p self, key: &'k [u8]) -> Result<(Bucket<'p>, Entry<'k>), PinError> {
        let max = usize::try_from(self.mapped.shape.key_bytes).unwrap_or(usize::MAX);
        let bytes = key.len();
        if bytes > max {
            return Err(PinError::Key { bytes, max });
        }
        let state = self.word(AT_STATE).load(Ordering::Relaxed);
        self.check_whole()?;
        if state != READY {
            return Err(PinError::Retired);
        }
        let hash = hash::hash(self.mapped.hash_keys, key);
        let number = hash & (self.mapped.shape.buckets - 1);
        let now_ms = now_ms();
        Ok((self.bucket(number), Entry { hash, key, now_ms }))
    }

    fn own<'p, 'k>(&'p self, key: &'k [u8]) -> Result<(Owned<'p>, Entry<'k>), PinError> {
        if self.me == 0 {
            return Err(PinError::ReadOnly);
        }
        let (bucket, entry) = self.look_up(key)?;
        if bucket.lock(self.me) {
            return Ok((Owned(bucket), entry));
        }
        Err(self.busy())
    }

    fn check_value(&self, value: &[u8]) -> Result<(), PinError> {
        let max = usize::try_from(self.mapped.shape.value_bytes).unwrap_or(usize::MAX);
        let bytes = value.len();
        if bytes > max {
            return Err(PinError::Value { bytes, max });
        }
        Ok(())
    }

    fn buckets(&self) -> impl Iterator<Item = Bucket<'_>> {
        (0..self.mapped.shape.buckets).map(|number| self.bucket(number))
    }

    fn bucket(&self, number: u64) -> Bucket<'_> {
        let shape = &self.mapped.shape;
        let start = HEADER_BYTES as u64 + number * shape.bucket_bytes();
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let words = self.mapped.words(start, self.words_of_bucket);
        let length = |bytes: u64| usize::try_from(bytes.div_ceil(8)).unwrap_or(usize::MAX);
        let bucket = Bucket::new(words, (length(shape.slot_bytes()), length(shape.key_bytes)));
        bucket.with(self.patience())
    }

    fn word(&self, at: usize) -> &std::sync::atomic::AtomicU64 {
        &self.mapped.words(at * 8, 1)[0]
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned")
            .field("shape", &self.mapped.shape)
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

/// When something ends that is written now.
fn end_of(ttl: Option<Duration>, now_ms: u64) -> u64 {
    ttl.map_or(NEVER, |ttl| {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        now_ms.saturating_add(ttl).min(NEVER - 1)
    })
}

/// The version of a slot's entry; 0: there is none, or it has ended.
fn live_version(bucket: Bucket<'_>, slot: Option<usize>, now_ms: u64) -> u64 {
    let Some(slot) = slot else { return 0 };
    let (version, ends_ms) = bucket.peek(slot, &mut Vec::new());
    if ends_ms > now_ms { version } else { 0 }
}

/// Milliseconds since 1970: the clock that all processes of the machine share.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(NEVER - 1)
}
