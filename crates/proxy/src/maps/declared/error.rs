//! What is told of declarations that cannot be used.

use std::fmt;
use std::io;
use std::path::PathBuf;

use weir_bindgen::Problems;
use weir_bindgen::schema::Break;
use weir_bindgen::section::SectionError;
use weir_model::Name;
use weir_model::limits::{bindgen as limits, maps as limits_of_maps};

/// Why a declaration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeclarationError {
    /// A file cannot be read.
    #[error("map {map}: cannot read {}: {error}", path.display())]
    Read {
        /// Name of the map.
        map: Name,
        /// The file: the declaration, one beside it, or a mark.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The declaration or its types are wrong.
    #[error("map {map}: its declaration cannot be used (maps.{map}.declaration)\n{problems}")]
    Wrong {
        /// Name of the map.
        map: Name,
        /// Each with its place.
        #[source]
        problems: Problems,
    },
    /// A schema in JSON that is none.
    #[error("map {map}: {} holds no schema: {told}", path.display())]
    NoSchema {
        /// Name of the map.
        map: Name,
        /// The file.
        path: PathBuf,
        /// Why.
        told: String,
    },
    /// The file declares other maps.
    #[error("map {map}: {} does not declare it; it declares {declared}", path.display())]
    Undeclared {
        /// Name of the map.
        map: Name,
        /// The file.
        path: PathBuf,
        /// What it declares.
        declared: String,
    },
    /// The declaration's time to live is longer than maps have.
    #[error("map {map}: {} says that entries live for {ttl_ms} ms; expected at most {max}", path.display(), max = limits_of_maps::CONFIGURED_TTL_MS_MAX)]
    Ttl {
        /// Name of the map.
        map: Name,
        /// The file.
        path: PathBuf,
        /// What it says.
        ttl_ms: u64,
    },
    /// What is stored was written under another schema.
    #[error(
        "map {map}: its entries were stored under a schema that {} contradicts; change it so that \
         they can be read, give the map another name, or remove the map's files ({} and what is \
         beside it)\n{breaks}",
        declaration.display(),
        mark.display()
    )]
    Stored {
        /// Name of the map.
        map: Name,
        /// The declaration.
        declaration: PathBuf,
        /// Where the schema of the entries stands.
        mark: PathBuf,
        /// What was changed.
        breaks: Breaks,
    },
    /// Too many schemas without common fields.
    #[error("map {map}: {} holds {} schemas whose fields are gone; remove the file if no entry has them", mark.display(), limits::SECTION_SCHEMAS_MAX)]
    Marks {
        /// Name of the map.
        map: Name,
        /// Where they stand.
        mark: PathBuf,
    },
    /// The schema beside a map's file cannot be written.
    #[error("map {map}: cannot write {}: {error}", path.display())]
    Write {
        /// Name of the map.
        map: Name,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A module was built with another schema.
    #[error(
        "{user}: module {module} was built for another schema of the map {map} than {} \
         says; write its code anew (`weir bindgen`) and build it\n{breaks}",
        declaration.display()
    )]
    Module {
        /// The filter or function.
        user: String,
        /// Name of its module.
        module: Name,
        /// Name of the map.
        map: Name,
        /// The declaration.
        declaration: PathBuf,
        /// Where they differ.
        breaks: Breaks,
    },
    /// A module's schema cannot be read.
    #[error("{user}: module {module}: {error}")]
    Section {
        /// The filter or function.
        user: String,
        /// Name of its module.
        module: Name,
        /// Why.
        #[source]
        error: SectionError,
    },
}

/// What contradicts, each on a line of its own.
#[derive(Debug)]
pub struct Breaks(pub(super) Vec<Break>);

impl fmt::Display for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, found) in self.0.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}  {}: {}", found.place, found.what)?;
        }
        Ok(())
    }
}
