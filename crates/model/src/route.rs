//! Which requests go where.

use std::time::Duration;

use bytes::Bytes;

use crate::{FilterUse, Metadata, Name};

/// One rule of a listener. The first route that matches a request serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Name for logs and properties. Default: `<listener>/<index>`.
    pub name: Name,
    /// Which requests.
    pub matches: RouteMatch,
    /// Filters in request order.
    pub filters: Vec<FilterUse>,
    /// What is done with them.
    pub action: Action,
    /// Facts for plugins: the property `xds.route_metadata`.
    pub metadata: Metadata,
}

/// Which requests a route serves: all parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteMatch {
    /// On the path without query.
    pub path: PathMatch,
    /// On the host without port; empty: any.
    pub hosts: Vec<HostPattern>,
    /// Upper-case methods; empty: any.
    pub methods: Vec<String>,
    /// On header values; all must hold.
    pub headers: Vec<HeaderMatch>,
}

/// A test of the path without query, case-sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PathMatch {
    /// Every path.
    #[default]
    Any,
    /// This path.
    Exact(String),
    /// Paths that begin so, byte by byte (as Envoy's `prefix`: `/api` matches `/apix`).
    Prefix(String),
}

/// A test of the host, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// `*.example.com`: a host that ends in `.example.com`. Holds the part with the dot.
    Suffix(String),
}

/// A test of one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Lower case.
    pub name: String,
    /// On its first value.
    pub test: HeaderTest,
}

/// A test of a header value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderTest {
    /// The header is there.
    Present,
    /// The header is not there.
    Absent,
    /// Equal, byte by byte.
    Exact(String),
    /// Begins so.
    Prefix(String),
}

/// What a route does with a request that its filters let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sends it to a cluster.
    Forward(Forward),
    /// Has a function of [`crate::Site::functions`] answer it.
    Function(Name),
    /// Answers at once.
    Respond(Respond),
    /// Answers with a text that shows the request as the gateway saw it. For demonstrations.
    Echo,
}

/// Sending a request on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Where to.
    pub cluster: Name,
    /// From the end of the request to the end of the response; `None`: no limit.
    pub timeout: Option<Duration>,
    /// Without a byte in either direction; `None`: no limit.
    pub idle_timeout: Option<Duration>,
    /// When it is tried again.
    pub retries: Retries,
}

/// When a request is tried again. Only requests whose body could be kept whole are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// Tries after the first one. 0: none.
    pub attempts: u32,
    /// Longest time of one try until the response's headers; `None`: only the route's timeout.
    pub per_try_timeout: Option<Duration>,
    /// Statuses that are tried again. Connect failures and refused streams always are.
    pub statuses: Vec<u16>,
}

/// An answer from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respond {
    /// 200 to 599.
    pub status: u16,
    /// Lower-case names; valid for HTTP.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Bytes,
}
