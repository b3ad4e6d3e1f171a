//! What shares a virtual machine.

use serde_json::{Value, json};
use weir_model::{Apart, Inside, Isolation, limits};

use crate::shape::basic::choices;
use crate::shape::quantity::Count;
use crate::shape::section::section;
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::{self, Node};

/// An isolation as it is written: a word, or a child process with its settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsolationText(pub(crate) Isolation);

/// An isolation of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Module,
    Plugin,
    Configuration,
    Request,
    Process,
}

choices! {
    Word: "isolation" {
        "module" => Self::Module,
        "plugin" => Self::Plugin,
        "configuration" => Self::Configuration,
        "request" => Self::Request,
        "process" => Self::Process,
    }
}

section! {
    /// A filter with settings for its child processes.
    struct ApartText = "isolation" {
        /// The filter runs in a child process of each worker.
        process: ProcessText;
    }
}

section! {
    /// How a filter runs in a child process.
    struct ProcessText = "process" {
        /// What shares a virtual machine there: one request, or all of the filter.
        inside: Inside = Inside::default();
        /// Number of the user and group that the process becomes, if the gateway runs as root.
        /// Filters that must not meet want different ones.
        user: Count<1, 4_294_967_294> = Count(limits::APART_USER.into());
    }
}

choices! {
    Inside: "inside" { "request" => Self::Request, "plugin" => Self::Plugin }
}

impl Shape for IsolationText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let yaml::Value::Mapping(_) = &node.value {
            let ProcessText { inside, user } = ApartText::read(node, reader)?.process;
            let user = user.to();
            return Some(Self(Isolation::Process(Apart { inside, user })));
        }
        let isolation = match Word::read(node, reader)? {
            Word::Module => Isolation::Module,
            Word::Plugin => Isolation::Plugin,
            Word::Configuration => Isolation::Configuration,
            Word::Request => Isolation::Request,
            Word::Process => Isolation::Process(Apart::default()),
        };
        Some(Self(isolation))
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let (word, apart) = (Word::sort(catalog), ApartText::sort(catalog));
        let text = format!("{} or {}", word.text, apart.text);
        let schema = json!({ "anyOf": [word.schema, apart.schema] });
        apart.wrapped(text, schema)
    }

    fn show(&self) -> Value {
        let word = match self.0 {
            Isolation::Module => Word::Module,
            Isolation::Plugin => Word::Plugin,
            Isolation::Configuration => Word::Configuration,
            Isolation::Request => Word::Request,
            Isolation::Process(_) => Word::Process,
        };
        word.show()
    }
}
