//! Functions: handlers of requests, made of modules.
//!
//! Invariant: each name in [`FunctionGrants::functions`] is one of [`crate::Site::functions`].

use std::net::IpAddr;
use std::time::Duration;

use crate::{FileGrant, MapGrants, Name, Randomness, Variable, limits};

/// One configured use of a module as a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Name in the configuration.
    pub name: Name,
    /// The module it runs: a key of [`crate::Site::modules`].
    pub module: Name,
    /// How it is called.
    pub kind: FunctionKind,
    /// Variables that the guest sees through WASI, in the order of the file.
    pub environment: Vec<(String, Variable)>,
    /// Arguments of a command, behind its name.
    pub arguments: Vec<String>,
    /// What `wasi:config` answers, by key.
    pub settings: Vec<(String, Variable)>,
    /// What it may reach.
    pub grants: FunctionGrants,
    /// What it may use.
    pub limits: FunctionLimits,
}

/// How a function is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FunctionKind {
    /// By what the module is: a component that exports a handler of `wasi:http` is [`Http`](Self::Http),
    /// a core module with `_start` a [`Command`](Self::Command), another one [`Core`](Self::Core).
    #[default]
    Auto,
    /// A core module with the plain ABI (docs/functions.md).
    Core,
    /// A WASI command: the request in environment and standard input, the response on standard
    /// output (RFC 3875).
    Command,
    /// A component that exports `wasi:http/incoming-handler` (0.2) or `wasi:http/handler` (0.3).
    Http,
    /// One exported function, called with the request's body.
    Export(Export),
}

/// A function of a module that is called with the body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name; of a function in an exported interface: `interface#name`.
    pub name: String,
    /// `content-type` of responses.
    pub content_type: String,
}

/// What a function may reach. Nothing, but what is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionGrants {
    /// Where it may send requests to.
    pub http: Vec<HostGrant>,
    /// Functions that it may call.
    pub functions: Vec<Name>,
    /// Maps.
    pub maps: MapGrants,
    /// Folders that it sees through WASI.
    pub files: Vec<FileGrant>,
    /// Whether it gets random bytes.
    pub random: Randomness,
}

/// Servers that a function may send requests to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostGrant {
    /// Host, in lower case.
    pub host: HostRule,
    /// Port; `None`: that of the scheme.
    pub port: Option<u16>,
    /// Whether an address of this host may be loopback, private, link-local or otherwise not of the
    /// public network.
    pub is_private: bool,
}

/// Which host is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRule {
    /// This name.
    Name(String),
    /// Every name below this one.
    Below(String),
    /// This address.
    Address(IpAddr),
}

/// What one function may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionLimits {
    /// Bytes of linear memory of one instance, all its memories together.
    pub memory_bytes: u64,
    /// Running time of one call, from its start to the end of its response; waiting does not count.
    pub time: Duration,
    /// Wall time of one call, from its turn to the end of its response's head; then as long again
    /// without a byte of the body.
    pub timeout: Duration,
    /// Bytes of a request's body, for kinds that get it whole.
    pub request_bytes: u64,
    /// Bytes of a response's body, for kinds that answer it whole, and of a body that was fetched.
    pub response_bytes: u64,
    /// Instances that run at once, over all workers.
    pub instances: u32,
    /// Calls that wait for an instance, over all workers.
    pub queue: u32,
    /// How long one may wait.
    pub queue_timeout: Duration,
    /// Outgoing requests in flight of one call.
    pub fetches: u32,
    /// Calls of functions by functions, one in the other.
    pub depth: u32,
}

impl Default for FunctionLimits {
    fn default() -> Self {
        use limits::functions as of;
        Self {
            memory_bytes: of::MEMORY_BYTES,
            time: of::TIME,
            timeout: of::TIMEOUT,
            request_bytes: of::REQUEST_BYTES,
            response_bytes: of::RESPONSE_BYTES,
            instances: of::INSTANCES,
            queue: of::QUEUE,
            queue_timeout: of::QUEUE_TIMEOUT,
            fetches: of::FETCHES,
            depth: of::DEPTH,
        }
    }
}
