//! Foreign functions: what plugins call by name with bytes for an argument.
//!
//! Here they are pure: arguments are decoded and results encoded, and what has an effect on a
//! stream is a value that the caller carries out (Proxy-Wasm reference, section 6.8). Invariants:
//! no argument makes a function panic; every result has a limit.

mod arguments;
mod cel;
mod expressions;
mod signature;
mod zlib;

pub use arguments::{DeclareProperty, InjectData, PropertyKind, SetFilterState, Span};
pub use expressions::{Expressions, Lookup};
pub use signature::{sign, verify_signature};
pub use zlib::{compress, uncompress};

use crate::property::PropertyError;
use crate::protobuf::Malformed;

/// The names of all foreign functions; the last four are there for Higress's plugins only.
pub const NAMES: [&str; 14] = [
    "compress",
    "uncompress",
    "verify_signature",
    "sign",
    "clear_route_cache",
    "declare_property",
    "set_envoy_filter_state",
    "expr_create",
    "expr_evaluate",
    "expr_delete",
    "get_log_level",
    "set_global_max_requests_per_io_cycle",
    "inject_encoded_data_to_filter_chain",
    "inject_encoded_data_to_filter_chain_on_header",
];

/// Why a foreign function has no result. The numbers are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignStatus {
    /// What the argument names is not there.
    #[error("what the argument names is not there")]
    NotFound = 1,
    /// The argument cannot be understood.
    #[error("the argument cannot be understood")]
    BadArgument = 2,
    /// The result has no byte form, or is too large.
    #[error("the result has no byte form or is too large")]
    SerializationFailure = 3,
    /// The function failed.
    #[error("the function failed")]
    InternalFailure = 10,
}

impl ForeignStatus {
    /// The status that a guest gets.
    #[must_use]
    pub fn status(self) -> u32 {
        self as u32
    }
}

impl From<Malformed> for ForeignStatus {
    fn from(_: Malformed) -> Self {
        Self::BadArgument
    }
}

impl From<PropertyError> for ForeignStatus {
    fn from(error: PropertyError) -> Self {
        match error {
            PropertyError::NotFound => Self::NotFound,
            PropertyError::SerializationFailure => Self::SerializationFailure,
            PropertyError::InternalFailure => Self::InternalFailure,
        }
    }
}

#[cfg(test)]
mod tests;
