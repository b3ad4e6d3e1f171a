//! What shares a virtual machine.

use serde_json::{Value, json};
use weir_model::{Apart, Inside, Isolation, Seeding, limits};

use crate::shape::basic::choices;
use crate::shape::quantity::{Count, DAY_MS, Time};
use crate::shape::section::section;
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::{self, Node};

/// An isolation as it is written: a word, or one with settings.
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
    /// An isolation with settings: one of the two.
    struct SettingsText = "isolation" {
        /// Every request has a copy of a VM that was started and configured.
        request: Option<RequestText> = None;
        /// The filter runs in a child process of each worker.
        process: Option<ProcessText> = None;
    }
}

section! {
    /// How requests come to copies with different random numbers, if the plugin drew some while it
    /// started (seeds of Go's and Rust's hash tables). A plugin with a timer, a queue or a callout in
    /// flight after its start keeps the ones of its own start.
    struct RequestText = "request" {
        /// Starts that there are images of; each request gets a copy of one by chance.
        images: Count<1, { limits::SEEDED_IMAGES_MAX as u64 }> = Count(limits::SEEDED_IMAGES.into());
        /// How often the oldest image is replaced by one of a new start. Starts take a twentieth of
        /// a processor at most, so images of plugins that start slowly get older.
        renewal: Time<1000, DAY_MS> = Time(limits::RESEED_INTERVAL);
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

impl RequestText {
    fn isolation(&self) -> IsolationText {
        IsolationText(Isolation::Request(Seeding {
            images: self.images.to(),
            renewal: self.renewal.0,
        }))
    }
}

impl ProcessText {
    fn isolation(&self) -> IsolationText {
        IsolationText(Isolation::Process(Apart {
            inside: self.inside,
            user: self.user.to(),
        }))
    }
}

impl Shape for IsolationText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let yaml::Value::Mapping(_) = &node.value {
            let settings = SettingsText::read(node, reader)?;
            return match (settings.request, settings.process) {
                (Some(request), None) => Some(request.isolation()),
                (None, Some(process)) => Some(process.isolation()),
                (Some(_), Some(_)) | (None, None) => {
                    reader.refuse_kind(
                        node,
                        "a mapping with just one of the keys request and process",
                    );
                    None
                }
            };
        }
        let isolation = match Word::read(node, reader)? {
            Word::Module => Isolation::Module,
            Word::Plugin => Isolation::Plugin,
            Word::Configuration => Isolation::Configuration,
            Word::Request => Isolation::Request(Seeding::default()),
            Word::Process => Isolation::Process(Apart::default()),
        };
        Some(Self(isolation))
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let (word, settings) = (Word::sort(catalog), SettingsText::sort(catalog));
        let text = format!("{} or {}", word.text, settings.text);
        let schema = json!({ "anyOf": [word.schema, settings.schema] });
        settings.wrapped(text, schema)
    }

    fn show(&self) -> Value {
        let word = match self.0 {
            Isolation::Module => Word::Module,
            Isolation::Plugin => Word::Plugin,
            Isolation::Configuration => Word::Configuration,
            Isolation::Request(_) => Word::Request,
            Isolation::Process(_) => Word::Process,
        };
        word.show()
    }
}
