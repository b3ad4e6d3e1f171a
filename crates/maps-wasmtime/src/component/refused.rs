//! Why a component's call was refused, in the words of each interface.

use weir_maps::MapReply;

use super::MapCtx;
use super::made::{draft, draft2, map};
use map::wasi_map::map::types::Error;

/// Refused, or the end of the guest.
#[expect(unreachable_pub, reason = "the bindings hand it on")]
pub enum Refused {
    /// An error's number, and the number that belongs to it.
    Number(i32, u64),
    /// What only `wasi:keyvalue` knows.
    Said(&'static str),
    /// The guest ends.
    End(wasmtime::Error),
}

pub(crate) const AGAIN: i32 = 6;
const BADF: i32 = 8;
const INVAL: i32 = 28;
const IO: i32 = 29;
const NAME_TOO_LONG: i32 = 37;
pub(crate) const NOENT: i32 = 44;
const NOMEM: i32 = 48;
const NOSPC: i32 = 51;
pub(crate) const NOTSUP: i32 = 58;
pub(crate) const OVERFLOW: i32 = 61;
const STALE: i32 = 72;
const TIMED_OUT: i32 = 73;
const NOT_CAPABLE: i32 = 76;

impl Refused {
    pub(crate) const INVALID: Self = Self::Number(INVAL, 0);
    pub(crate) const NO_MEMORY: Self = Self::Number(NOMEM, 0);
    pub(crate) const NO_SPACE: Self = Self::Number(NOSPC, 0);
    /// A host that answers something else than it was asked for.
    pub(crate) const MISANSWERED: Self = Self::Number(IO, 0);

    /// What a component of `wasi-map:map` is told.
    pub(crate) fn told(self) -> wasmtime::Result<Error> {
        let (errno, number) = match self {
            Self::Number(errno, number) => (errno, number),
            Self::Said(_) => (INVAL, 0),
            Self::End(error) => return Err(error),
        };
        Ok(match errno {
            AGAIN => Error::Again(number),
            INVAL => Error::Invalid,
            NAME_TOO_LONG => Error::NameTooLong,
            NOENT => Error::NoEntry,
            NOMEM => Error::NoMemory,
            NOSPC => Error::NoSpace,
            NOTSUP => Error::NotSupported,
            OVERFLOW => Error::Overflow(number),
            // A component has no number of its own to be wrong: its instance's table was emptied.
            BADF | STALE => Error::Stale,
            TIMED_OUT => Error::TimedOut,
            NOT_CAPABLE => Error::NotCapable,
            _ => Error::Io,
        })
    }

    /// The number of the error, if the guest goes on.
    pub(crate) fn number(&self) -> Option<i32> {
        match self {
            Self::Number(errno, _) => Some(*errno),
            Self::Said(_) | Self::End(_) => None,
        }
    }

    fn keyvalue(self) -> wasmtime::Result<KeyValueError> {
        let errno = match self {
            Self::Number(errno, _) => errno,
            Self::Said(text) => return Ok(KeyValueError::Other(text)),
            Self::End(error) => return Err(error),
        };
        Ok(match errno {
            NOENT => KeyValueError::NoSuchStore,
            NOT_CAPABLE => KeyValueError::AccessDenied,
            AGAIN => KeyValueError::Other("somebody else is writing this entry: try again"),
            INVAL => KeyValueError::Other("an argument, or the kind of this entry, does not fit"),
            NAME_TOO_LONG => KeyValueError::Other("a name has 256 bytes at most"),
            NOMEM => KeyValueError::Other("too many handles or operations are open"),
            NOSPC => KeyValueError::Other("the room of this map is used up"),
            NOTSUP => KeyValueError::Other("the back end of this map cannot do that"),
            OVERFLOW => KeyValueError::Other("the sum is no number of 64 bits"),
            BADF | STALE => KeyValueError::Other("the handle or the cursor is no longer good"),
            TIMED_OUT => KeyValueError::Other("the back end of this map did not answer in time"),
            _ => KeyValueError::Other("the back end of this map has failed"),
        })
    }
}

/// What both drafts of `wasi:keyvalue` tell.
enum KeyValueError {
    NoSuchStore,
    AccessDenied,
    Other(&'static str),
}

impl From<wasmtime::Error> for Refused {
    fn from(error: wasmtime::Error) -> Self {
        Self::End(error)
    }
}

/// The reply, unless it is a refusal.
pub(crate) fn granted(reply: MapReply) -> Result<MapReply, Refused> {
    match reply {
        MapReply::Refused(errno, number) => Err(Refused::Number(errno, number)),
        reply => Ok(reply),
    }
}

impl map::wasi_map::map::types::Host for MapCtx<'_> {
    fn convert_error(&mut self, refused: Refused) -> wasmtime::Result<Error> {
        refused.told()
    }
}

impl draft::keyvalue::store::Host for MapCtx<'_> {
    async fn open(
        &mut self,
        identifier: String,
    ) -> Result<wasmtime::component::Resource<super::begun::Bucket>, Refused> {
        self.open_bucket(&identifier).await
    }

    fn convert_error(
        &mut self,
        refused: Refused,
    ) -> wasmtime::Result<draft::keyvalue::store::Error> {
        use draft::keyvalue::store::Error;
        Ok(match refused.keyvalue()? {
            KeyValueError::NoSuchStore => Error::NoSuchStore,
            KeyValueError::AccessDenied => Error::AccessDenied,
            KeyValueError::Other(text) => Error::Other(text.to_owned()),
        })
    }
}

impl draft2::keyvalue::store::Host for MapCtx<'_> {
    async fn open(
        &mut self,
        identifier: String,
    ) -> Result<wasmtime::component::Resource<super::begun::Bucket>, Refused> {
        self.open_bucket(&identifier).await
    }

    fn convert_error(
        &mut self,
        refused: Refused,
    ) -> wasmtime::Result<draft2::keyvalue::store::Error> {
        use draft2::keyvalue::store::Error;
        Ok(match refused.keyvalue()? {
            KeyValueError::NoSuchStore => Error::NoSuchStore,
            KeyValueError::AccessDenied => Error::AccessDenied,
            KeyValueError::Other(text) => Error::Other(text.to_owned()),
        })
    }
}
