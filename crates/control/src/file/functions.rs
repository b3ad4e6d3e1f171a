//! Functions: modules that answer requests themselves.

use serde_json::{Value, json};
use weir_model::limits::{functions as limits, guest};
use weir_model::{Export, FunctionKind, limits as all};

use crate::file::{
    FileGrantText, GrantedText, MapBudgetText, MapQuotaText, MapRateText, VariableText,
};
use crate::shape::basic::{List, choices};
use crate::shape::named::{Functions, Maps, Modules, Pairs, Referred};
use crate::shape::quantity::{Count, DAY_MS, Size, Time};
use crate::shape::section::section;
use crate::shape::text::{HeaderValue, HostGrantName, NameText, Text, VariableName};
use crate::shape::{Catalog, Placed, Reader, Shape, Sort};
use crate::yaml::{self, Node};

/// [`all::GUEST_TIME_MAX`] in milliseconds.
const TIME_MAX_MS: u64 = all::GUEST_TIME_MAX.as_secs() * 1000;

section! {
    /// One configured use of a module as a function: routes end in it (`function: NAME`).
    struct FunctionText = "function" {
        /// The module it runs.
        module: Referred<Modules>;
        /// How it is called ([functions.md](functions.md)): `core`, `command`, `http`, an export, or
        /// what fits the module (`auto`).
        kind: KindText = KindText(FunctionKind::Auto);
        /// Environment variables that the guest sees through WASI: texts, or `{ from: NAME }` for
        /// what the gateway's own variable of that name holds (without it, the guest has none).
        environment: Pairs<VariableName, VariableText> = Pairs(Vec::new());
        /// Arguments of a command, behind its name.
        arguments: List<Text, 0, 1024> = List(Vec::new());
        /// What `wasi:config` answers, by key: texts, or `{ from: NAME }` as for the environment.
        settings: Pairs<Text, VariableText> = Pairs(Vec::new());
        /// What it may reach. Left out: nothing but its request.
        grants: Option<FunctionGrantsText> = None;
        /// What it may use.
        limits: Option<FunctionLimitsText> = None;
    }
}

section! {
    /// What a function may reach.
    struct FunctionGrantsText = "function grants" {
        /// Servers that it may send requests to.
        http: List<Placed<HostGrantText>, 0, { limits::HOSTS_MAX }> = List(Vec::new());
        /// Functions that it may call without the network, as `weir://NAME/path`.
        functions: List<Referred<Functions>, 0, 1024> = List(Vec::new());
        /// Maps that it may open, and what it may do there; a map that it makes itself needs no
        /// grant.
        maps: Pairs<Referred<Maps>, GrantedText> = Pairs(Vec::new());
        /// The granted map that `wasi_map_open` of the interface's first draft opens.
        default_map: Option<Placed<NameText>> = None;
        /// What the maps that it makes itself may hold.
        map_quota: Option<MapQuotaText> = None;
        /// What it may do with maps in a second. Left out: as much as it can.
        map_rate: Option<MapRateText> = None;
        /// What it may do with maps in one request. Left out: as much as it can.
        map_budget: Option<MapBudgetText> = None;
        /// Folders that it sees through WASI.
        files: List<FileGrantText, 0, { all::GUEST_FOLDERS_MAX }> = List(Vec::new());
        /// Whether it gets random bytes that nobody can foretell. Otherwise they are the same in
        /// each call.
        random: bool = true;
    }
}

section! {
    /// Servers that a function may send requests to. A bare text is the host.
    struct HostGrantText = "host grant" {
        /// A name such as `auth.example`, all names below one (`*.example.com`), or an address;
        /// with a port behind it, or that of the scheme. An address is granted as it is written.
        host: HostGrantName;
        /// Whether the addresses behind a name may be loopback, private, link-local or otherwise
        /// not of the public network.
        private: bool = false;
    }
    short "host";
}

section! {
    /// What one function may use. What goes beyond fails, and nothing else does.
    struct FunctionLimitsText = "function limits" {
        /// Linear memory of one instance, all its memories together.
        memory: Size<65536, { guest::GUEST_MEMORY_BYTES_MAX }> = Size(limits::MEMORY_BYTES);
        /// Running time of one call; waiting does not count.
        time: Time<1, TIME_MAX_MS> = Time(limits::TIME);
        /// Wall time of one call, from its turn to the head of its response; then as long again
        /// without a byte of the body.
        timeout: Time<1, DAY_MS> = Time(limits::TIMEOUT);
        /// Bytes of a request's body, for kinds that get it whole.
        request_bytes: Size<0, { limits::BODY_BYTES_MAX }> = Size(limits::REQUEST_BYTES);
        /// Bytes of a response's body, for kinds that answer it whole, and of what was fetched.
        response_bytes: Size<0, { limits::BODY_BYTES_MAX }> = Size(limits::RESPONSE_BYTES);
        /// Calls that run at once, over all workers.
        instances: Count<1, { limits::ALL_INSTANCES_MAX }>
            = Count(u64::from(limits::INSTANCES));
        /// Calls that wait for their turn, over all workers. A further one is answered 503 at once.
        queue: Count<0, { limits::QUEUE_MAX }> = Count(u64::from(limits::QUEUE));
        /// How long one waits; then it is answered 503.
        queue_timeout: Time<0, DAY_MS> = Time(limits::QUEUE_TIMEOUT);
        /// Requests in flight that one call has sent. A further one fails at once.
        fetches: Count<0, { limits::FETCHES_MAX }> = Count(u64::from(limits::FETCHES));
        /// Calls of functions by functions, one in the other, counted from this one.
        depth: Count<0, { limits::DEPTH_MAX }> = Count(u64::from(limits::DEPTH));
    }
}

/// A kind as it is written: a word, or an export.
#[derive(Clone, Debug)]
pub(crate) struct KindText(pub(crate) FunctionKind);

/// A kind of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Auto,
    Core,
    Command,
    Http,
}

choices! {
    Word: "kind of function" {
        "auto" => Self::Auto,
        "core" => Self::Core,
        "command" => Self::Command,
        "http" => Self::Http,
    }
}

section! {
    /// A kind of function with settings.
    struct KindSettingsText = "kind of function" {
        /// One exported function, called with the request's body.
        export: ExportText;
    }
}

section! {
    /// An exported function that is called with the request's body. A bare text is its name.
    struct ExportText = "export" {
        /// Its name; of a function in an exported interface `interface#name`.
        name: Text;
        /// `content-type` of responses.
        content_type: HeaderValue = HeaderValue(limits::EXPORT_CONTENT_TYPE.to_owned());
    }
    short "name";
}

impl Shape for KindText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let kind = match &node.value {
            yaml::Value::Mapping(_) => {
                let export = KindSettingsText::read(node, reader)?.export;
                FunctionKind::Export(Export {
                    name: export.name.0,
                    content_type: export.content_type.0,
                })
            }
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) => match Word::read(node, reader)? {
                Word::Auto => FunctionKind::Auto,
                Word::Core => FunctionKind::Core,
                Word::Command => FunctionKind::Command,
                Word::Http => FunctionKind::Http,
            },
        };
        Some(Self(kind))
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let (word, settings) = (Word::sort(catalog), KindSettingsText::sort(catalog));
        let text = format!("{} or {}", word.text, settings.text);
        let schema = json!({ "anyOf": [word.schema, settings.schema] });
        settings.wrapped(text, schema)
    }

    fn show(&self) -> Value {
        match &self.0 {
            FunctionKind::Auto => json!("auto"),
            FunctionKind::Core => json!("core"),
            FunctionKind::Command => json!("command"),
            FunctionKind::Http => json!("http"),
            FunctionKind::Export(export) => json!({ "export": export.name }),
        }
    }
}
