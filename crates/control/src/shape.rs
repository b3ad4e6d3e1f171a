//! The one definition behind reader, schema and reference.
//!
//! A [`Shape`] reads itself from a YAML node and describes itself; a section (`section!`) is a
//! shape made of keys, each with a name, a shape, a default and a line of documentation. The
//! reader, the JSON Schema and the reference page all follow from these definitions, so none of
//! them can know a key that the others do not.

pub(crate) mod basic;
pub(crate) mod catalog;
pub(crate) mod metadata;
pub(crate) mod named;
pub(crate) mod payload;
pub(crate) mod quantity;
pub(crate) mod reader;
pub(crate) mod section;
pub(crate) mod text;

use serde_json::Value;

use crate::yaml::Node;

pub(crate) use catalog::{Catalog, Sort};
pub(crate) use reader::{ModuleFiles, Place, Placed, Reader};

/// Something that can stand in a configuration file.
pub(crate) trait Shape: Sized {
    /// Reads the node. `None`: what is wrong has been reported.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;

    /// Describes what [`Shape::read`] takes.
    fn sort(catalog: &mut Catalog) -> Sort;

    /// The value as it would stand in a file, for showing defaults; null: nothing to show.
    fn show(&self) -> Value {
        Value::Null
    }
}
