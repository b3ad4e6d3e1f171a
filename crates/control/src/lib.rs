//! Turns a configuration file into one validated [`weir_model::Site`].
//!
//! [`load`] reads YAML; all that is wrong with it comes back at once as [`Problems`], each with
//! file, line, column, path, offending text, what was expected and the nearest thing that would be
//! right. [`schema`] and [`reference()`] publish the same definitions that the reader uses (see
//! `src/file`), so that they cannot drift apart.
//!
//! Invariant: a [`Loaded`] site has no dangling name and no value out of range.

pub mod admin;

mod file;
mod load;
mod lower;
mod problem;
mod schema;
mod shape;
mod yaml;

pub use load::{Loaded, load, load_unbuilt, parse};
pub use problem::{Problem, Problems, Severity, nearest};
pub use schema::{reference, schema};
