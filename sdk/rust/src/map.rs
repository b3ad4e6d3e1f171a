//! A map: a handle, and what can be done with it.

use alloc::vec::Vec;
use core::mem::{self, MaybeUninit};
use core::time::Duration;

use crate::abi::{self, RawOptions, RawTerms};
use crate::calls;
use crate::error::{Error, Result};
use crate::events;
use crate::{Batch, Done, NotMoved, Rights, Scan, Ticket, Watch};

/// Values up to this size are fetched in one call, by way of the stack.
const SMALL: usize = 512;

/// A handle to a map. Dropping it closes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Map(u32);

/// A value and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it holds.
    pub value: Vec<u8>,
    /// Its version, never 0.
    pub version: u64,
}

/// What must hold of an entry before it is changed.
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

/// How a value is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Else [`Error::Again`], and nothing is stored.
    pub condition: Condition,
    /// The entry ends after this time, in whole milliseconds from 1 on; `None`: after the map's.
    pub ttl: Option<Duration>,
}

/// How a map of one's own is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Entries at most; 0: as the host likes.
    pub entries_max: u64,
    /// Bytes at most; 0: as the host likes.
    pub bytes_max: u64,
    /// Bytes of one value at most; 0: as the host likes.
    pub value_bytes_max: u64,
    /// Entries last this long that are written without a time of their own; `None`: they stay.
    pub ttl: Option<Duration>,
    /// A full map lets entries go that were not used for long, and refuses none.
    pub evict: bool,
}

/// Numbers of a map.
pub use crate::abi::RawStat as Stat;

impl Map {
    /// Opens a map that the configuration grants to this use of the module.
    ///
    /// # Errors
    /// [`Error::NoEntry`]: not granted, or not there; [`Error::NotCapable`]: granted with fewer
    /// rights; [`Error::Invalid`], [`Error::NameTooLong`]: a name has 1 to 256 bytes.
    pub fn open(name: &str, rights: Rights) -> Result<Self> {
        calls::open(name.as_bytes(), rights.bits()).map(Self)
    }

    /// Makes a map that lives while something refers to it. It comes with all rights.
    ///
    /// # Errors
    /// [`Error::NoMemory`]: there are too many; [`Error::NoSpace`]: the owner's quota is used up.
    pub fn create(options: &Options) -> Result<Self> {
        calls::create(&RawOptions {
            entries_max: options.entries_max,
            bytes_max: options.bytes_max,
            value_bytes_max: options.value_bytes_max,
            ttl_ms: options.ttl.map_or(0, milliseconds),
            eviction: u32::from(options.evict),
            shards: 0,
        })
        .map(Self)
    }

    /// Takes a map that another module has lent or moved here.
    ///
    /// # Errors
    /// [`Error::NoEntry`]: the ticket was used, is too old, or was made out to another use.
    pub fn accept(ticket: &Ticket) -> Result<Self> {
        calls::accept(ticket.bytes()).map(Self)
    }

    /// A map of a handle as the host numbers it, for example of a draft's function.
    ///
    /// Handles have no memory behind them: a wrong one is refused by the host at its first use.
    #[must_use]
    pub const fn from_handle(handle: u32) -> Self {
        Self(handle)
    }

    /// The host's number, which nobody closes any more.
    #[must_use]
    pub const fn into_handle(self) -> u32 {
        let handle = self.0;
        mem::forget(self);
        handle
    }

    /// The host's number of it.
    #[must_use]
    pub const fn handle(&self) -> u32 {
        self.0
    }

    /// Closes it, and tells whether that worked; dropping it does the same silently.
    ///
    /// # Errors
    /// [`Error::BadHandle`].
    pub fn close(self) -> Result<()> {
        calls::close(self.into_handle())
    }

    /// Another handle to the same map, with fewer rights or the same.
    ///
    /// # Errors
    /// [`Error::NotCapable`].
    pub fn duplicate(&self, rights: Rights) -> Result<Self> {
        calls::dup(self.0, rights.bits()).map(Self)
    }

    /// Lends the map to a use, a filter or function of the configuration, until this handle is
    /// closed or the request that is being served ends.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::SHARE`], or the rights that are lent.
    pub fn lend(&self, rights: Rights, to: &str) -> Result<Ticket> {
        calls::lend(self.0, rights.bits(), to.as_bytes()).map(Ticket::from_bytes)
    }

    /// Moves the map to a use of the configuration.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::SHARE`], and the map is still here.
    pub fn transfer(self, to: &str) -> core::result::Result<Ticket, NotMoved> {
        match calls::transfer(self.0, to.as_bytes()) {
            Ok(ticket) => {
                mem::forget(self);
                Ok(Ticket::from_bytes(ticket))
            }
            Err(error) => Err(NotMoved { map: self, error }),
        }
    }

    /// What this handle allows.
    ///
    /// # Errors
    /// [`Error::Stale`]: it was borrowed, and that is over.
    pub fn rights(&self) -> Result<Rights> {
        calls::rights(self.0).map(Rights::from_bits)
    }

    /// The map's numbers.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::READ`].
    pub fn stat(&self) -> Result<Stat> {
        calls::stat(self.0)
    }

    /// The value of a key and its version, if there is one.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::READ`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry>> {
        let mut small = [MaybeUninit::uninit(); SMALL];
        let found = match calls::get(self.0, key, &mut small) {
            Ok((size, version)) => {
                let written = small.as_ptr().cast();
                // SAFETY: the host has written `size` bytes, and answers *overflow* for more.
                let value = unsafe { core::slice::from_raw_parts(written, size.min(SMALL)) };
                let value = value.to_vec();
                Ok(Entry { value, version })
            }
            Err(Error::Overflow { .. }) => self.get_large(key),
            Err(error) => Err(error),
        };
        present(found)
    }

    /// Copies the value of a key into a buffer, and answers its size and version.
    ///
    /// # Errors
    /// [`Error::Overflow`] tells the size needed; nothing is copied then.
    pub fn get_into(&self, key: &[u8], buffer: &mut [u8]) -> Result<Option<(usize, u64)>> {
        // SAFETY: the host only ever writes bytes there.
        let buffer = unsafe { &mut *(core::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
        present(calls::get(self.0, key, buffer))
    }

    fn get_large(&self, key: &[u8]) -> Result<Entry> {
        let (at, size, version) = calls::get_alloc(self.0, key)?;
        // SAFETY: the host had `wasi_map_alloc` allocate `size` bytes there, and filled them.
        let value = unsafe { events::take(at, size) };
        Ok(Entry { value, version })
    }

    /// Stores a value, whatever was there.
    ///
    /// # Errors
    /// [`Error::NoSpace`]: a quota is used up; [`Error::NotCapable`] without [`Rights::WRITE`].
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        calls::set(self.0, key, value)
    }

    /// Stores a value on terms, and answers its version.
    ///
    /// # Errors
    /// [`Error::Again`]: the condition does not hold; as [`set`](Self::set) else.
    pub fn set_with(&self, key: &[u8], value: &[u8], terms: &Terms) -> Result<u64> {
        calls::set_with(self.0, key, value, &terms.raw())
    }

    /// Removes an entry, and answers whether it was there.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::DELETE`].
    pub fn delete(&self, key: &[u8]) -> Result<bool> {
        present(calls::delete(self.0, key)).map(|found| found.is_some())
    }

    /// Whether there is an entry.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::READ`].
    pub fn exists(&self, key: &[u8]) -> Result<bool> {
        calls::exists(self.0, key).map(|found| found != 0)
    }

    /// Stores a value if the entry has the expected version, 0 for "there is none", and answers the
    /// new version.
    ///
    /// # Errors
    /// [`Error::Again`] tells the version that the entry has; as [`set`](Self::set) else.
    pub fn compare_and_swap(&self, key: &[u8], expected: u64, value: &[u8]) -> Result<u64> {
        calls::compare_and_swap(self.0, key, expected, value)
    }

    /// Adds to a counter, which begins at 0, and answers the sum. No two callers get the same one.
    ///
    /// # Errors
    /// [`Error::Overflow`]: the sum is no `i64`; [`Error::Invalid`]: the entry is not 8 bytes long.
    pub fn increment(&self, key: &[u8], delta: i64) -> Result<i64> {
        calls::increment(self.0, key, delta)
    }

    /// Lists the entries whose keys begin with a prefix, in the order of their keys.
    #[must_use]
    pub fn scan<'a>(&'a self, prefix: &'a [u8]) -> Scan<'a> {
        Scan::new(self, prefix)
    }

    /// Does several operations as one step, or none of them.
    ///
    /// # Errors
    /// What the first of them is refused with.
    pub fn batch(&self, batch: &Batch<'_>) -> Result<Vec<Done>> {
        batch.run(self.0)
    }

    /// Removes all entries.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::CLEAR`].
    pub fn clear(&self) -> Result<()> {
        calls::clear(self.0)
    }

    /// Follows the changes of keys that begin with a prefix, from now on.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::WATCH`]; [`Error::NoMemory`]: there are too many.
    pub fn watch(&self, prefix: &[u8]) -> Result<Watch> {
        calls::watch(self.0, prefix).map(Watch::new)
    }

    /// Lets an entry refer to another map, which lives as long as it does.
    ///
    /// # Errors
    /// [`Error::NotCapable`] without [`Rights::CREATE`] here and [`Rights::SHARE`] there.
    pub fn put_map(&self, key: &[u8], child: &Self) -> Result<()> {
        calls::put_map(self.0, key, child.0)
    }

    /// Opens the map that an entry refers to, if there is one.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the entry holds bytes.
    pub fn get_map(&self, key: &[u8]) -> Result<Option<Self>> {
        present(calls::get_map(self.0, key)).map(|found| found.map(Self))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // What cannot be closed is closed already.
        let _ = calls::close(self.0);
    }
}

impl Condition {
    /// Flags and version.
    pub(crate) const fn raw(self) -> (u32, u64) {
        match self {
            Self::Always => (0, 0),
            Self::Absent => (abi::IF_ABSENT, 0),
            Self::Version(version) => (abi::IF_VERSION, version),
        }
    }
}

impl Terms {
    /// Under a condition, and with the map's time to live.
    #[must_use]
    pub const fn on(condition: Condition) -> Self {
        Self {
            condition,
            ttl: None,
        }
    }

    /// Gone after this time.
    #[must_use]
    pub const fn lasting(ttl: Duration) -> Self {
        Self {
            condition: Condition::Always,
            ttl: Some(ttl),
        }
    }

    pub(crate) fn raw(&self) -> RawTerms {
        let (flags, version) = self.condition.raw();
        RawTerms {
            flags: flags | self.ttl.map_or(0, |_| abi::TTL),
            pad: 0,
            version,
            ttl_ms: self.ttl.map_or(0, milliseconds),
        }
    }
}

/// At least one: no time at all is nobody's wish, and the host refuses it.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// No entry is an answer, and no error.
fn present<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    }
}
