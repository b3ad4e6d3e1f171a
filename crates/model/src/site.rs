//! The whole configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::{
    Capsules, Cluster, CodeCache, Filter, FilterUse, Function, Metadata, Module, Name, Route,
    SharedMap, Store, TcpForward, limits,
};

/// One whole configuration. An exchange sees one site from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where requests come in.
    pub listeners: Vec<Listener>,
    /// Where requests go.
    pub clusters: BTreeMap<Name, Cluster>,
    /// Code.
    pub modules: BTreeMap<Name, Module>,
    /// Uses of code.
    pub filters: BTreeMap<Name, Filter>,
    /// Uses of code that answer requests.
    pub functions: BTreeMap<Name, Function>,
    /// Instances of all functions that run at once, over all workers.
    pub function_instances: u32,
    /// Who may sign certificates of servers.
    pub trust: Trust,
    /// Maps that uses of code may be granted.
    pub maps: BTreeMap<Name, SharedMap>,
    /// What keeps maps that are not in memory.
    pub stores: BTreeMap<Name, Store>,
    /// Plugins without traffic: one root context each, on the first worker.
    pub background: Vec<FilterUse>,
    /// Where operators look; `None`: nowhere.
    pub admin: Option<Admin>,
    /// Worker threads; `None`: one per core.
    pub workers: Option<NonZeroUsize>,
    /// From SIGTERM until open connections are closed.
    pub drain_timeout: Duration,
    /// What the property `xds.node` (and `node`) says of this gateway.
    pub node: Node,
    /// Where compiled code is kept.
    pub code_cache: CodeCache,
    /// Where capsules are kept; `None`: none are made.
    pub capsules: Option<Capsules>,
}

/// Who may sign the certificates of servers that are spoken to encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Whoever this machine trusts.
    pub system: bool,
    /// Files of certificates, in the PEM format.
    pub files: Vec<PathBuf>,
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            system: true,
            files: Vec::new(),
        }
    }
}

/// What a gateway says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Identifier of this gateway.
    pub id: String,
    /// Group that it belongs to.
    pub cluster: String,
    /// Free key-value texts.
    pub metadata: BTreeMap<String, String>,
}

/// One address that accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Name for logs, metrics and properties. Default: its address.
    pub name: Name,
    /// Where it listens. Port 0: any free port.
    pub address: SocketAddr,
    /// The first one that matches serves.
    pub routes: Vec<Route>,
    /// Carry connections as they are; `None`: they speak HTTP, and there are routes.
    pub tcp: Option<TcpForward>,
    /// What is written of each exchange.
    pub access_log: AccessLog,
    /// Plugins whose `proxy_on_log` sees each exchange.
    pub log_filters: Vec<FilterUse>,
    /// Body bytes held for filters, per direction of one exchange; of a TCP connection: bytes that
    /// filters hold back before the sender is no longer read.
    pub body_buffer_bytes: usize,
    /// Bytes of a request head.
    pub request_head_bytes: usize,
    /// First byte to last byte of a request head.
    pub request_head_timeout: Duration,
    /// A connection without a request, or a TCP connection without a byte in either direction.
    pub idle_timeout: Duration,
    /// Connections of this listener, all workers together.
    pub max_connections: usize,
    /// What happens to `x-forwarded-for`.
    pub forwarded_for: ForwardedFor,
    /// Whether `via: 1.1 weir` is added. Default: no, as Envoy.
    pub via: bool,
    /// Whether a request without `x-request-id` gets one. Default: yes, as Envoy.
    pub request_id: bool,
    /// Text of the `server` header; `None`: the upstream's stays.
    pub server_header: Option<String>,
    /// Facts for plugins: the property `xds.listener_metadata`, and what the property `metadata` of
    /// each exchange starts with.
    pub metadata: Metadata,
}

impl Listener {
    /// A listener with every default, and no routes.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self {
            name: address.to_string().into(),
            address,
            routes: Vec::new(),
            tcp: None,
            access_log: AccessLog::default(),
            log_filters: Vec::new(),
            body_buffer_bytes: limits::BODY_BUFFER_BYTES,
            request_head_bytes: limits::REQUEST_HEAD_BYTES,
            request_head_timeout: limits::REQUEST_HEAD_TIMEOUT,
            idle_timeout: limits::CONNECTION_IDLE_TIMEOUT,
            max_connections: limits::CONNECTIONS_MAX,
            forwarded_for: ForwardedFor::Append,
            via: false,
            request_id: true,
            server_header: None,
            metadata: Metadata::default(),
        }
    }
}

/// What is written of each exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// Nothing.
    Off,
    /// One JSON object a line on standard output.
    #[default]
    Stdout,
}

/// What happens to `x-forwarded-for` and `x-forwarded-proto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedFor {
    /// The client's address is appended, the protocol overwritten: for a gateway at the edge.
    #[default]
    Append,
    /// Both stay as they came; a missing protocol is added (Envoy without `use_remote_address`).
    Keep,
}

/// The operator's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
}
