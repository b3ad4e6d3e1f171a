//! The file as a whole.

use std::num::NonZeroUsize;

use serde_json::{Value, json};
use weir_model::limits;

use crate::file::{
    CapsulesText, ClusterText, CodeCacheText, FilterText, FilterUseText, FunctionText,
    ListenerText, MapText, ModuleText, StoreText,
};
use crate::shape::basic::{List, Switch, choices};
use crate::shape::named::{Clusters, Defined, Filters, Functions, Maps, Modules, Pairs, Stores};
use crate::shape::quantity::{Count, DAY_MS, Time};
use crate::shape::section::section;
use crate::shape::text::{Address, FilePath, Loose, Text};
use crate::shape::{Catalog, Placed, Reader, Shape, Sort};
use crate::yaml::{self, Node};

section! {
    /// The configuration of a Weir gateway.
    struct SiteText = "site" {
        /// Where requests come in.
        listeners: List<Placed<ListenerText>, 0, 1024> = List(Vec::new());
        /// Where requests go.
        clusters: Pairs<Defined<Clusters>, ClusterText> = Pairs(Vec::new());
        /// Code: WebAssembly modules.
        modules: Pairs<Defined<Modules>, ModuleText> = Pairs(Vec::new());
        /// Uses of code: modules with a configuration and limits.
        filters: Pairs<Defined<Filters>, FilterText> = Pairs(Vec::new());
        /// Modules that answer requests themselves.
        functions: Pairs<Defined<Functions>, FunctionText> = Pairs(Vec::new());
        /// Calls of functions that run at once, all functions and workers together.
        function_instances: Count<1, { limits::functions::ALL_INSTANCES_MAX }>
            = Count(u64::from(limits::functions::ALL_INSTANCES));
        /// Whose certificates functions believe when they send requests to `https`.
        trust: TrustText = TrustText::default();
        /// Maps that modules share.
        maps: Pairs<Defined<Maps>, MapText> = Pairs(Vec::new());
        /// What keeps maps that are not to be in memory.
        stores: Pairs<Defined<Stores>, Placed<StoreText>> = Pairs(Vec::new());
        /// Plugins without traffic: timers and callouts, one instance in the first worker.
        background: List<FilterUseText, 0, 1024> = List(Vec::new());
        /// Where operators look. Left out: nowhere.
        admin: Option<AdminText> = None;
        /// Worker threads; `auto` is one per core.
        workers: Workers = Workers(None);
        /// From SIGTERM until connections that are still open are closed.
        drain_timeout: Time<0, DAY_MS> = Time(limits::DRAIN_TIMEOUT);
        /// What plugins read of this gateway as the property `xds.node`.
        node: Option<NodeText> = None;
        /// Where compiled code is kept, so that the next start need not compile; `off`: nowhere.
        code_cache: Switch<CodeCacheText> = Switch::On(CodeCacheText::default());
        /// Where capsules are kept: recordings of what one plugin was asked and told, to be replayed
        /// elsewhere. Left out: nothing is recorded.
        capsules: Option<CapsulesText> = None;
        /// Who owns this configuration.
        managed_by: Manager = Manager::File;
    }
}

section! {
    /// Whose signature makes a server's certificate a good one. Names and dates are always checked.
    struct TrustText = "trust" {
        /// Whether those whom this machine trusts are believed.
        system: bool = true;
        /// Files with certificates of others, in the PEM format; relative paths start at the folder of
        /// the configuration file.
        files: List<Placed<FilePath>, 0, { limits::functions::TRUST_FILES_MAX }> = List(Vec::new());
    }
}

impl Default for TrustText {
    fn default() -> Self {
        Self {
            system: true,
            files: List(Vec::new()),
        }
    }
}

section! {
    /// The operator's address.
    struct AdminText = "admin" {
        /// Where it listens.
        address: Placed<Address>;
    }
}

section! {
    /// What a gateway says of itself.
    struct NodeText = "node" {
        /// Identifier of this gateway.
        id: Text = Text::default();
        /// Group that it belongs to.
        cluster: Text = Text::default();
        /// Free texts by name.
        metadata: Pairs<Text, Loose> = Pairs(Vec::new());
    }
}

/// A number of worker threads; `None`: one per core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workers(pub(crate) Option<NonZeroUsize>);

/// Who owns a configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manager {
    File,
}

choices! {
    Manager: "manager" { "file" => Self::File }
    later { "admin", "xds" }
}

type WorkerCount = Count<1, { limits::WORKERS_MAX as u64 }>;

impl Shape for Workers {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Scalar(scalar) if scalar.text == "auto" => Some(Self(None)),
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => {
                let count: WorkerCount = reader.read_or_word(node, "auto")?;
                Some(Self(NonZeroUsize::new(count.to())))
            }
        }
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let count = WorkerCount::sort(catalog);
        let schema = json!({ "anyOf": [{ "const": "auto" }, count.schema] });
        Sort::new(format!("`auto`, {}", count.text), schema)
    }

    fn show(&self) -> Value {
        self.0.map_or(json!("auto"), |count| json!(count))
    }
}
