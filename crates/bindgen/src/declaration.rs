//! `.map` files: which maps there are, and what they hold.
//!
//! ```text
//! use types.{user};
//! map<string, user> users { policy = "eager"; storage = "durable"; ttl = "1h"; }
//! ```
//!
//! The words and dots of the first draft (`here we go map<…> … { .policy = "…", }`) are read too.

mod format;
mod lexer;
mod options;
mod parser;

use crate::expression::Expression;
use crate::problem::{Place, Problems};
use crate::schema::Policy;

/// A file that has been read. Names of types are not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declarations {
    pub(crate) file: String,
    pub(crate) uses: Vec<Use>,
    pub(crate) maps: Vec<MapDeclaration>,
    layout: Layout,
}

/// `use path.{name, …};`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) path: String,
    pub(crate) place: Place,
    pub(crate) names: Vec<(String, Place)>,
}

/// `map<key, value> name { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MapDeclaration {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) key: Expression,
    pub(crate) value: Expression,
    pub(crate) docs: String,
    pub(crate) options: Options,
}

/// What stands in a map's braces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) policy: Option<Policy>,
    pub(crate) storage: Option<String>,
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) encoding: Option<(Encoding, Place)>,
}

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As messages.
    Protobuf,
    /// As C lays them out.
    C,
    /// As they are.
    Raw,
}

/// Everything in its order with its comments, for the formatter.
type Layout = Vec<format::Line>;

impl Declarations {
    /// Reads a file. `file` is its name in problems.
    ///
    /// # Errors
    /// All mistakes.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let tokens = lexer::tokens(file, text, &mut problems);
        let parsed = parser::parse(file, tokens, &mut problems);
        Problems::none_or(problems)?;
        Ok(parsed)
    }

    /// The file in its one form.
    #[must_use]
    pub fn formatted(&self) -> String {
        format::text(&self.layout)
    }

    /// The interfaces that types are taken from.
    #[must_use]
    pub fn interfaces(&self) -> Vec<&str> {
        self.uses.iter().map(|used| used.path.as_str()).collect()
    }

    /// The names of the maps.
    #[must_use]
    pub fn maps(&self) -> Vec<&str> {
        self.maps.iter().map(|map| map.name.as_str()).collect()
    }
}
