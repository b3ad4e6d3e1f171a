//! Header lists and bodies as filters see them.

mod body;
mod headers;
mod inline;

pub(crate) use body::BodyBuffer;
pub(crate) use headers::{FieldValue, Full, HeaderList, HeaderName, Pseudo, is_hop_by_hop};
pub(crate) use inline::Side;

/// A request or a response while filters look at it.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// The head, pseudo-headers first.
    pub(crate) headers: HeaderList,
    /// The trailers, once there are any.
    pub(crate) trailers: Option<HeaderList>,
}
