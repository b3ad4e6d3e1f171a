//! What shares a virtual machine.

use serde_json::Value;
use weir_model::Isolation;

use crate::shape::basic::choices;
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::Node;

/// An isolation as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsolationText(pub(crate) Isolation);

/// An isolation of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Module,
    Plugin,
    Configuration,
    Request,
}

choices! {
    Word: "isolation" {
        "module" => Self::Module,
        "plugin" => Self::Plugin,
        "configuration" => Self::Configuration,
        "request" => Self::Request,
    }
    later { "process" }
}

impl Shape for IsolationText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let isolation = match Word::read(node, reader)? {
            Word::Module => Isolation::Module,
            Word::Plugin => Isolation::Plugin,
            Word::Configuration => Isolation::Configuration,
            Word::Request => Isolation::Request,
        };
        Some(Self(isolation))
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        Word::sort(catalog)
    }

    fn show(&self) -> Value {
        let word = match self.0 {
            Isolation::Module => Word::Module,
            Isolation::Plugin | Isolation::Process(_) => Word::Plugin,
            Isolation::Configuration => Word::Configuration,
            Isolation::Request => Word::Request,
        };
        word.show()
    }
}
