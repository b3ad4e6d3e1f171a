//! Typed maps: what the values of a map look like, how they are stored, and code for guests.
//!
//! Invariants: nothing here reads a file, a clock or a socket; whatever the bytes, nothing panics;
//! every mistake of a source is told with its place, all of them together.
//!
//! Without the feature `codegen` this is the part that a gateway needs: declarations, schemas,
//! compatibility, values and their JSON.

pub mod codec;
pub mod declaration;
pub mod json;
pub mod key;
pub mod name;
pub mod problem;
pub mod schema;
pub mod section;
pub mod typed;
pub mod value;

#[cfg(feature = "codegen")]
pub mod generate;
#[cfg(feature = "codegen")]
pub mod read;

mod expression;
#[cfg(feature = "codegen")]
mod lower;
mod wire;

pub use problem::{Problem, Problems};
pub use schema::Schema;
