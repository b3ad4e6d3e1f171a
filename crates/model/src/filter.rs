//! Modules and the filters made of them.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::{EngineChoice, FailureRules, Grants, GuestLimits, Name, Recording, Recycling, Sees};

/// A WebAssembly module and where its bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Name in the configuration.
    pub name: Name,
    /// Where the bytes come from.
    pub source: ModuleSource,
    /// How `weir dev` makes them; `None`: somebody else does.
    pub build: Option<Build>,
}

/// How a module is made from its sources, while somebody works on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// For the shell.
    pub command: String,
    /// Where it runs.
    pub folder: PathBuf,
    /// Files and folders whose changes ask for a new build. Empty: all of `folder`, but what is
    /// hidden and what build tools write.
    pub watch: Vec<PathBuf>,
}

/// Where the bytes of a module come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleSource {
    /// A file, absolute or already resolved against the folder of the configuration file.
    File(PathBuf),
}

/// One configured use of a module as a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Name in the configuration; the `plugin_name` property and the log prefix.
    pub name: Name,
    /// The module it runs.
    pub module: Name,
    /// Names the shared-data and queue space. Default: the filter's name.
    pub vm_id: Name,
    /// Selects the plugin inside a module that holds several (C++ SDK). Default: empty.
    pub root_id: Name,
    /// Bytes behind `proxy_on_vm_start`.
    pub vm_configuration: Bytes,
    /// Bytes behind `proxy_on_configure`: JSON text of a mapping, or the bare text of a string.
    pub configuration: Bytes,
    /// Variables that the guest sees through WASI, in the order of the file.
    pub environment: Vec<(String, Variable)>,
    /// Host functions, WASI functions and callbacks that it may use, by name; `None`: all.
    pub capabilities: Option<Vec<String>>,
    /// What runs its code.
    pub engine: EngineChoice,
    /// What it may reach with them.
    pub grants: Grants,
    /// What it sees of exchanges; `None`: everything.
    pub sees: Option<Sees>,
    /// What shares a VM.
    pub isolation: Isolation,
    /// What it may use.
    pub limits: GuestLimits,
    /// What a request meets when the plugin has failed.
    pub on_failure: OnFailure,
    /// How it comes back after failures.
    pub failures: FailureRules,
    /// When its VM is replaced though it works.
    pub recycling: Recycling,
    /// Whether imports that the host does not know are refused.
    pub strictness: Strictness,
    /// Whose rules it is written for.
    pub dialect: Dialect,
    /// Keep the value 1 of a headers callback as "stop, but go on with the body" (Envoy's
    /// `allow_on_headers_stop_iteration`). `None`: as the dialect has it.
    pub headers_stop_iteration: Option<bool>,
    /// Of what capsules are made; `None`: of nothing.
    pub recording: Option<Recording>,
}

impl Filter {
    /// Whether a new VM takes a failed one's place.
    #[must_use]
    pub fn recovers(&self) -> bool {
        match self.on_failure {
            OnFailure::Reload => true,
            OnFailure::Closed => false,
            OnFailure::Open => self.failures.open_recovers,
        }
    }
}

/// Value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// This text.
    Text(String),
    /// What the gateway's own variable of this name holds; if it has none, neither has the guest.
    OfGateway(String),
}

/// A filter in a chain, with the configuration that it has there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FilterUse {
    /// The filter.
    pub filter: Name,
    /// A route's own configuration; `None`: the filter's.
    pub configuration: Option<Bytes>,
}

/// What shares one VM, per worker (`policy.md`, isolation and VM identity).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// All filters with equal module bytes, `vm_id` and VM configuration: what Envoy does.
    Module,
    /// One filter of the configuration, with a root context for each route override.
    #[default]
    Plugin,
    /// One filter with one configuration: each route override has a VM of its own.
    Configuration,
    /// One request, or one TCP connection. A VM that was started and configured stays for timers,
    /// queues and callouts of the root context; requests get copies of it.
    Request(Seeding),
    /// One filter, in a child process of each worker.
    Process(Apart),
}

/// How the copies of a plugin that drew random numbers while it started come to different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeding {
    /// Images of as many starts, of which each request picks one.
    pub images: u32,
    /// How often one of them is made anew.
    pub renewal: Duration,
}

impl Default for Seeding {
    fn default() -> Self {
        Self {
            images: crate::limits::SEEDED_IMAGES,
            renewal: crate::limits::RESEED_INTERVAL,
        }
    }
}

/// How a filter runs in a child process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// What shares a VM there.
    pub inside: Inside,
    /// The user and group that it becomes, if the gateway runs as root.
    pub user: u32,
}

impl Default for Apart {
    fn default() -> Self {
        Self {
            inside: Inside::default(),
            user: crate::limits::APART_USER,
        }
    }
}

/// What shares a VM inside a child process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inside {
    /// As [`Isolation::Request`].
    #[default]
    Request,
    /// As [`Isolation::Plugin`].
    Plugin,
}

/// What a request meets when its plugin has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The failing request gets 503, the VM is replaced, later requests go on with the new one.
    #[default]
    Reload,
    /// Requests get 503 until the configuration changes.
    Closed,
    /// The failing request goes on without the filter, and so do later ones while no VM runs.
    Open,
}

/// Whether imports unknown to the host are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// An unknown function import becomes a stub that answers `Unimplemented`, with a warning.
    #[default]
    Tolerant,
    /// An unknown import refuses the module, as Envoy does.
    Strict,
}

/// Whose rules a plugin is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// By the module's ABI marker and imports.
    #[default]
    Auto,
    /// Envoy's.
    Envoy,
    /// Higress's.
    Higress,
}
