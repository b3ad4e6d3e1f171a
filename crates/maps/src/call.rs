//! What a guest asks of maps, and what it is answered: the core ABI (specification, section 3)
//! without pointers.
//!
//! A host reads a [`MapCall`] out of a guest's memory, [`Handles::call`](crate::Handles::call) does
//! it, and the host writes the [`MapReply`] back. Replies own what they hold, so that they can be
//! recorded and can come from another process. [`packed`] knows how structs lie in memory.

pub mod packed;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use weir_model::limits::maps::BATCH_OPS_MAX;

use crate::error::{Errno, MapError};
use crate::options::MapOptions;
use crate::region::Lease;
use crate::rights::Rights;
use crate::scan::Cursor;
use crate::store::{Condition, Terms};
use crate::tickets::TicketBytes;
use crate::value::Value;

/// One call of the core ABI. Byte slices point into the guest's memory.
#[expect(
    missing_docs,
    reason = "the fields are the parameters of the ABI, by their names there"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapCall<'c> {
    /// A handle to a named map. [`MapReply::Number`].
    Open { name: &'c [u8], rights: Rights },
    /// A handle with all rights that are granted, to the map of this name, or to the one that is
    /// this use's default: the first draft's way. [`MapReply::Number`].
    OpenGranted { name: Option<&'c [u8]> },
    /// A handle to a new anonymous map. [`MapReply::Number`].
    Create { options: MapOptions },
    /// Gives a handle back.
    Close { handle: u32 },
    /// A second handle. [`MapReply::Number`].
    Dup { handle: u32, rights: Rights },
    /// A ticket for a loan to the use `to`. [`MapReply::Ticket`].
    Lend {
        handle: u32,
        rights: Rights,
        to: &'c [u8],
    },
    /// A ticket that carries the handle itself to the use `to`. [`MapReply::Ticket`].
    Transfer { handle: u32, to: &'c [u8] },
    /// A handle for a ticket. [`MapReply::Number`].
    Accept { ticket: TicketBytes },
    /// What a handle allows. [`MapReply::Number`].
    Rights { handle: u32 },
    /// Numbers of a map. [`MapReply::Bytes`], see [`packed::stat`].
    Stat { handle: u32 },
    /// Value and version of an entry. [`MapReply::Entry`].
    Get { handle: u32, key: &'c [u8] },
    /// Stores a value. [`MapReply::Number`]: its version.
    Set {
        handle: u32,
        key: &'c [u8],
        value: &'c [u8],
        terms: Terms,
    },
    /// Removes an entry.
    Delete { handle: u32, key: &'c [u8] },
    /// Whether there is an entry. [`MapReply::Number`]: 1 or 0.
    Exists { handle: u32, key: &'c [u8] },
    /// Adds to a counter. [`MapReply::Counted`].
    Add {
        handle: u32,
        key: &'c [u8],
        delta: i64,
    },
    /// The next page of a scan, of at most so many bytes. [`MapReply::Page`], see
    /// [`packed::items`].
    Scan {
        handle: u32,
        prefix: &'c [u8],
        cursor: Cursor,
        bytes: u32,
    },
    /// All of these operations, or none. [`MapReply::Bytes`], see [`packed::results`].
    Batch { handle: u32, ops: &'c [MapOp<'c>] },
    /// Removes all entries. [`MapReply::Number`]: how many there were.
    Clear { handle: u32 },
    /// Begins to follow changes. [`MapReply::Number`]: the watch.
    Watch { handle: u32, prefix: &'c [u8] },
    /// The next changes, at most so many bytes of them. Nothing new: *again* if the time is 0, else
    /// it waits; for how long is for the host to see to ([`patience`](MapCall::patience)).
    /// [`MapReply::Bytes`], see [`packed::events`].
    Next {
        watch: u32,
        timeout_ms: i64,
        bytes: u32,
    },
    /// Ends a watch.
    Unwatch { watch: u32 },
    /// Lets an entry refer to another map. [`MapReply::Number`]: the entry's version.
    PutMap {
        handle: u32,
        key: &'c [u8],
        child: u32,
    },
    /// A handle to the map that an entry refers to. [`MapReply::Number`].
    GetMap { handle: u32, key: &'c [u8] },
    /// Makes an entry of zeroed pages. [`MapReply::Number`]: its version.
    RegionCreate {
        handle: u32,
        key: &'c [u8],
        bytes: u64,
    },
    /// Takes a region, of which the host is to map these bytes. [`MapReply::Region`].
    RegionMap {
        handle: u32,
        key: &'c [u8],
        offset: u64,
        bytes: u32,
        prot: u32,
    },
    /// Lets an entry of another map hold the same region. [`MapReply::Number`]: that entry's version.
    RegionHand {
        handle: u32,
        key: &'c [u8],
        to: u32,
        to_key: &'c [u8],
    },
    /// Ends a mapping, which the host does when it was answered that it may.
    RegionUnmap { address: u32, bytes: u32 },
}

impl MapCall<'_> {
    /// How long the guest is willing to wait: a host that waits longer answers *timedout*
    /// ([`MapReply::TIMED_OUT`]). `None`: as long as it takes.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let Self::Next { timeout_ms, .. } = self else {
            return None;
        };
        u64::try_from(*timeout_ms).ok().map(Duration::from_millis)
    }
}

/// One operation of a batch.
#[expect(
    missing_docs,
    reason = "the fields are the parameters of the ABI, by their names there"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOp<'c> {
    /// Requires something of an entry.
    Check { key: &'c [u8], condition: Condition },
    /// Stores a value.
    Set {
        key: &'c [u8],
        value: &'c [u8],
        terms: Terms,
    },
    /// Removes an entry if it is there.
    Delete { key: &'c [u8] },
    /// Adds to a counter.
    Add { key: &'c [u8], delta: i64 },
}

/// What a guest is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapReply {
    /// Done, and nothing to say.
    Done,
    /// Refused, and nothing has changed: an error's number, and the number that belongs to it (the
    /// current version for *again*, the bytes needed for *overflow*, else 0).
    Refused(Errno, u64),
    /// A handle, a watch, rights, a version, or how many.
    Number(u64),
    /// An entry's bytes and version. Never a reference to a map.
    Entry(Value, u64),
    /// What a counter counts to, and its version.
    Counted(i64, u64),
    /// What carries a handle to another instance.
    Ticket(TicketBytes),
    /// Entries as [`packed::items`] reads them, and where the next page begins; zeros: it was the
    /// last one.
    Page(Bytes, Cursor),
    /// A struct or a list, as [`packed`] says for the call.
    Bytes(Bytes),
    /// A region to be mapped. It cannot leave the process.
    Region(Arc<Lease>),
}

impl MapReply {
    /// A host that waited as long as the guest wanted to.
    pub const TIMED_OUT: Self = Self::Refused(73, 0);

    /// The number of the error; 0: it is none.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Refused(errno, _) => *errno,
            Self::Done
            | Self::Number(_)
            | Self::Entry(..)
            | Self::Counted(..)
            | Self::Ticket(_)
            | Self::Page(..)
            | Self::Bytes(_)
            | Self::Region(_) => 0,
        }
    }
}

impl From<MapError> for MapReply {
    fn from(error: MapError) -> Self {
        let number = match &error {
            MapError::Again { current } => *current,
            MapError::Overflow { needed } => *needed as u64,
            MapError::BadHandle(_)
            | MapError::Exists
            | MapError::Fault { .. }
            | MapError::Invalid(_)
            | MapError::Io(_)
            | MapError::NameTooLong { .. }
            | MapError::NoEntry
            | MapError::NoMemory { .. }
            | MapError::NoSpace { .. }
            | MapError::NotSupported(_)
            | MapError::Stale
            | MapError::TimedOut
            | MapError::NotCapable => 0,
        };
        Self::Refused(error.errno(), number)
    }
}

/// A reply that comes later. It borrows nothing, and belongs to the worker that asked.
pub type LaterReply = Pin<Box<dyn Future<Output = MapReply>>>;

/// How a call was answered.
pub enum Called {
    /// At once.
    Now(MapReply),
    /// After waiting for something: the guest is to be suspended. Whoever stops waiting drops this,
    /// since a wait for changes may last for ever, and must not take the operation for undone.
    Later(LaterReply),
}

impl Called {
    /// The reply, waited for if need be.
    pub async fn wait(self) -> MapReply {
        match self {
            Self::Now(reply) => reply,
            Self::Later(later) => later.await,
        }
    }
}

impl fmt::Debug for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(reply) => f.debug_tuple("Now").field(reply).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}
