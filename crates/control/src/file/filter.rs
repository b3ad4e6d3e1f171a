//! Modules, filters and their uses.

use serde_json::json;
use weir_model::{Dialect, EngineChoice, Isolation};

use crate::file::capsules::RecordingText;
use crate::file::failure::{FailureText, RecycleText};
use crate::file::isolation::IsolationText;
use crate::file::limits::LimitsText;
use crate::file::{GrantsText, SeesText};
use crate::shape::basic::{List, Switch, choices};
use crate::shape::named::{Filters, Modules, Pairs, Referred};
use crate::shape::payload::Payload;
use crate::shape::section::section;
use crate::shape::text::{FilePath, Loose, Text, VariableName};
use crate::shape::{Catalog, Placed, Reader, Shape, Sort};
use crate::yaml::{self, Node};

section! {
    /// A WebAssembly module and where its bytes come from.
    struct ModuleText = "module" {
        /// A file; a relative path starts at the folder of the configuration file.
        file: Placed<FilePath>;
        /// How `weir dev` makes that file. Nothing else runs it.
        build: Option<BuildText> = None;
    }
    later {
        "http" => "modules from HTTP servers",
        "oci" => "modules from OCI registries",
        "sha256" => "pinned module digests",
    }
}

section! {
    /// Making a module from its sources. A bare text is the command.
    struct BuildText = "build" {
        /// A command for the shell.
        command: Text;
        /// Where it runs; a relative path starts at the folder of the configuration file. Left out:
        /// in that folder.
        folder: Option<FilePath> = None;
        /// Files and folders whose changes ask for a new build; relative paths start at `folder`.
        /// Left out: all of it, but hidden folders, `target`, `node_modules` and the like.
        watch: List<FilePath, 0, 256> = List(Vec::new());
    }
    short "command";
}

section! {
    /// One configured use of a module as a plugin.
    struct FilterText = "filter" {
        /// The module it runs.
        module: Referred<Modules>;
        /// Names the space of shared data and queues. Left out: the filter's name.
        vm_id: Option<Text> = None;
        /// Selects the plugin inside a module that holds several.
        root_id: Text = Text::default();
        /// What the plugin reads in `proxy_on_configure`: a text as it is, anything else as
        /// JSON.
        configuration: Payload = Payload(None);
        /// What the plugin reads in `proxy_on_vm_start`, in the same way.
        vm_configuration: Payload = Payload(None);
        /// Environment variables that the plugin sees through WASI: texts, or `{ from: NAME }` for
        /// what the gateway's own variable of that name holds (without it, the plugin has none).
        environment: Pairs<VariableName, VariableText> = Pairs(Vec::new());
        /// Host functions, WASI functions and callbacks that it may use, by their names. The others
        /// fail when they are called, or are not called. Left out, or empty: all.
        capabilities: Option<Placed<List<Text, 0, 1024>>> = None;
        /// What runs its code. `auto`: optimised code if it is cached or soon made, else that of the
        /// fast compiler until it is; `cranelift`: optimised code from the start; `winch`: the
        /// fast compiler's; `pulley`: an interpreter's.
        engine: EngineChoice = EngineChoice::default();
        /// What it may reach with them.
        grants: Option<GrantsText> = None;
        /// What it sees of requests and responses. Left out: everything.
        sees: Option<SeesText> = None;
        /// What shares a virtual machine, per worker: all filters with the same module, `vm_id`
        /// and VM configuration (`module`, as Envoy), this filter alone (`plugin`), this filter with
        /// one configuration (`configuration`), or nothing (`request`: every request has a copy of
        /// a VM that was started and configured; timers, queues and their callouts run in that one).
        /// `process`: as `request`, in a child process of the worker.
        isolation: IsolationText = IsolationText(Isolation::default());
        /// What it may use.
        limits: Option<LimitsText> = None;
        /// What requests meet after a crash: a fresh VM, 503, or no filter.
        on_failure: FailureText = FailureText::default();
        /// When a VM is replaced though it works. No request notices.
        /// Not for copies, which are put back into their first state after each request.
        recycle: Option<Placed<RecycleText>> = None;
        /// Of what capsules are made, if the configuration has `capsules`; `off`: of nothing.
        capsules: Switch<RecordingText> = Switch::On(RecordingText::default());
        /// Whether imports that the gateway does not know are refused, as Envoy does. Otherwise
        /// they answer "unimplemented", with a warning.
        strict_imports: bool = false;
        /// Whose rules the plugin is written for; `auto` tells by its ABI marker and imports.
        dialect: Dialect = Dialect::default();
        /// Keep the action 1 of a headers callback as "stop, but go on with the body", as
        /// Envoy's setting of this name. Left out: as the dialect has it.
        allow_on_headers_stop_iteration: Option<bool> = None;
    }
}

/// Value of an environment variable.
#[derive(Clone, Debug)]
pub(crate) enum VariableText {
    Here(Loose),
    Gateway(FromText),
}

section! {
    /// A value that is taken from elsewhere.
    struct FromText = "variable" {
        /// A variable of the gateway's own environment.
        from: VariableName;
    }
}

impl Shape for VariableText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Mapping(_) => FromText::read(node, reader).map(Self::Gateway),
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) => {
                Loose::read(node, reader).map(Self::Here)
            }
        }
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let (here, gateway) = (Loose::sort(catalog), FromText::sort(catalog));
        let text = format!("{} or {}", here.text, gateway.text);
        let schema = json!({ "anyOf": [here.schema, gateway.schema] });
        gateway.wrapped(text, schema)
    }
}

section! {
    /// A filter in a chain. A bare name is the filter.
    struct FilterUseText = "filter use" {
        /// The filter.
        r#use: Referred<Filters>;
        /// Configuration in place of the filter's own. Left out: the filter's own.
        configuration: Payload = Payload(None);
    }
    short "use";
}

choices! {
    EngineChoice: "engine" {
        "auto" => Self::Auto,
        "cranelift" => Self::Cranelift,
        "winch" => Self::Winch,
        "pulley" => Self::Pulley,
    }
}

choices! {
    Dialect: "dialect" { "auto" => Self::Auto, "envoy" => Self::Envoy, "higress" => Self::Higress }
}
