//! The types of a report.

use serde::{Serialize, Serializer};
use weir_model::Dialect;

use super::Needs;

/// Everything that can be said of a module without running it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Module or component.
    pub kind: Kind,
    /// What it is made for.
    pub purpose: Purpose,
    /// Its version of the Proxy-Wasm ABI.
    pub abi: Abi,
    /// Whose rules it would run under; `None`: not a Proxy-Wasm plugin.
    pub dialect: Option<DialectChoice>,
    /// Which tools made it, as far as it shows.
    pub built_with: BuiltWith,
    /// Sizes.
    pub sizes: Sizes,
    /// Memories, imported ones first.
    pub memories: Vec<Memory>,
    /// Tables, imported ones first.
    pub tables: Vec<Table>,
    /// Imports by topic.
    pub imports: Vec<ImportGroup>,
    /// Exports by use.
    pub exports: Exports,
    /// Custom sections in file order.
    pub custom_sections: Vec<CustomSection>,
    /// Whether functions have names (for stack traces).
    pub has_names: bool,
    /// Whether there is DWARF debug information.
    pub has_dwarf: bool,
    /// Entries of the producers section.
    pub producers: Vec<Producer>,
    /// What it would have to be granted, in words.
    pub grants: Vec<String>,
    /// The same as settings of a filter.
    pub needs: Needs,
    /// Whether Weir loads it as a filter, by default.
    pub in_weir: Verdict,
    /// Whether a strict host (Envoy; `strict_imports: true`) loads it.
    pub in_strict_host: Verdict,
}

/// Kind of WebAssembly binary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A core module.
    #[default]
    CoreModule,
    /// A component.
    Component,
}

/// What a binary is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A Proxy-Wasm plugin.
    ProxyWasmPlugin,
    /// A program with a `_start`.
    Command,
    /// A module that exports functions.
    Library,
    /// A component with typed interfaces.
    Component,
}

/// Markers of the Proxy-Wasm ABI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Abi {
    /// Every `proxy_abi_version_*` function export, in export order.
    pub markers: Vec<Marker>,
    /// The version that decides: the first known marker.
    pub version: Option<String>,
}

/// One version marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Marker {
    /// Export name.
    pub name: String,
    /// Version; `None`: not one that Weir knows.
    pub version: Option<String>,
    /// Whether it is the one that decides.
    pub decides: bool,
}

/// Whose rules, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DialectChoice {
    /// `envoy` or `higress`.
    #[serde(serialize_with = "dialect_name")]
    pub name: Dialect,
    /// Why, as a sentence without its end.
    pub reason: String,
}

/// Tools that made a module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BuiltWith {
    /// Source language or compiler; `None`: it does not show.
    pub language: Option<String>,
    /// Plugin SDK; `None`: it does not show.
    pub sdk: Option<String>,
    /// What says so.
    pub evidence: Vec<String>,
}

/// Sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// The file.
    pub file_bytes: u64,
    /// The code section.
    pub code_bytes: u64,
    /// Functions defined.
    pub functions: usize,
    /// All data segments together.
    pub data_bytes: u64,
    /// Data segments.
    pub data_segments: usize,
}

/// A linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Pages at the start.
    pub min_pages: u64,
    /// The most pages; `None`: no limit of its own.
    pub max_pages: Option<u64>,
    /// Bytes of a page, 65536 as a rule.
    pub page_bytes: u64,
    /// Whether addresses have 64 bits.
    pub is_64_bit: bool,
    /// Whether threads share it.
    pub is_shared: bool,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Type of its elements.
    pub element: String,
    /// Elements at the start.
    pub min: u64,
    /// The most elements; `None`: no limit of its own.
    pub max: Option<u64>,
}

/// Imports about one topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportGroup {
    /// `proxy-wasm`, `wasi`, `unknown`, or `interfaces` of a component.
    pub family: &'static str,
    /// Topic inside the family; empty: none.
    pub topic: &'static str,
    /// In import order.
    pub imports: Vec<Import>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Import module; empty for components.
    pub module: String,
    /// Import name.
    pub name: String,
    /// Function type, or kind of thing.
    pub signature: String,
    /// How the host sees it.
    #[serde(flatten)]
    pub standing: Standing,
}

/// How the host sees an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "standing")]
pub enum Standing {
    /// Offered, with this type, for the module's ABI version.
    Known,
    /// Offered in other ABI versions only.
    OtherVersion,
    /// Higress's alone: offered in its dialect, which importing it chooses.
    OtherHost,
    /// Offered, but with another type.
    WrongSignature {
        /// The host's type.
        expected: String,
    },
    /// Not offered.
    Unknown,
}

/// Exports by use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exports {
    /// Callbacks that a host calls.
    pub callbacks: Vec<CallbackExport>,
    /// The allocator that the host would use.
    pub allocator: Option<String>,
    /// Start functions, in the order in which a host looks for them; the start section is `(start)`.
    pub start: Vec<String>,
    /// Whether a memory named `memory` is exported.
    pub has_memory: bool,
    /// Everything else but markers.
    pub others: Vec<Export>,
}

/// One exported callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallbackExport {
    /// Export name.
    pub name: String,
    /// Its type.
    pub signature: String,
    /// Whether a host of the module's ABI version calls it with this type.
    pub has_expected_type: bool,
}

/// One other export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// Export name.
    pub name: String,
    /// Function type, or kind of thing.
    pub signature: String,
}

/// A custom section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomSection {
    /// Its name.
    pub name: String,
    /// Bytes of its content.
    pub bytes: u64,
}

/// An entry of the producers section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Tool or language.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

/// Whether a host loads a module as a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it does.
    pub loads: bool,
    /// Why not.
    pub problems: Vec<String>,
    /// What to know although it does.
    pub notes: Vec<String>,
}

impl Report {
    /// Imports of every group, with their group.
    pub fn all_imports(&self) -> impl Iterator<Item = (&ImportGroup, &Import)> {
        self.imports
            .iter()
            .flat_map(|group| group.imports.iter().map(move |one| (group, one)))
    }

    /// Whether it has a callback for requests or responses.
    #[must_use]
    pub fn sees_http(&self) -> bool {
        self.has_callback(|name| {
            name.starts_with("proxy_on_request_") || name.starts_with("proxy_on_response_")
        })
    }

    /// Whether it has a callback for TCP connections.
    #[must_use]
    pub fn sees_tcp(&self) -> bool {
        self.has_callback(|name| {
            name == "proxy_on_new_connection"
                || name.starts_with("proxy_on_downstream_")
                || name.starts_with("proxy_on_upstream_")
        })
    }

    fn has_callback(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        let callbacks = &self.exports.callbacks;
        callbacks.iter().any(|callback| is_meant(&callback.name))
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn dialect_name<S: Serializer>(dialect: &Dialect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match dialect {
        Dialect::Auto => "auto",
        Dialect::Envoy => "envoy",
        Dialect::Higress => "higress",
    })
}
