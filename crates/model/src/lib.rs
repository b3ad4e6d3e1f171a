//! What the operator wants, as validated and immutable values.
//!
//! Everything else in Weir reads these types; only `control` makes them. Invariants: nothing here
//! reads a file, a socket or a clock; no type here is serializable; every name used in a
//! [`Site`] is defined in it (the lowering in `control` refuses dangling names).

pub mod capsules;
pub mod cluster;
pub mod code;
pub mod failure;
pub mod filter;
pub mod functions;
pub mod grants;
pub mod limits;
pub mod maps;
pub mod metadata;
pub mod route;
pub mod site;
pub mod stores;
pub mod tcp;
pub mod text;

pub use capsules::{CAPTURE_HEADER, Capsules, Recording};
pub use cluster::{Cluster, Ejection, Endpoint, EndpointHost, LoadBalancing, Protocol};
pub use code::{CodeCache, EngineChoice};
pub use failure::{Breaker, FailureRules, Quarantine, Recycling};
pub use filter::{
    Apart, Build, Dialect, Filter, FilterUse, Inside, Isolation, Module, ModuleSource, OnFailure,
    Seeding, Strictness, Variable,
};
pub use functions::{
    Export, Function, FunctionGrants, FunctionKind, FunctionLimits, HostGrant, HostRule,
};
pub use grants::{
    FileAccess, FileGrant, GrantMode, Grants, HiddenBodies, Pattern, Randomness, Sees, Showing,
};
pub use limits::{Exceeded, GuestLimits, Limit};
pub use maps::{
    MapBudget, MapEviction, MapGrants, MapQuota, MapRate, MapRight, MapRights, MapStore, NearMap,
    PinnedFile, SharedMap,
};
pub use metadata::{Json, Metadata};
pub use route::{
    Action, Forward, HeaderMatch, HeaderTest, HostPattern, PathMatch, Respond, Retries, Route,
    RouteMatch,
};
pub use site::{AccessLog, Admin, ForwardedFor, Listener, Node, Site, Trust};
pub use stores::{FileStore, Login, RedisServers, RedisServersKind, RedisTls, Secret, Store};
pub use tcp::TcpForward;
pub use text::one_line;

/// A name given by the operator: of a cluster, module, filter or route. Cheap to clone.
pub type Name = std::sync::Arc<str>;
