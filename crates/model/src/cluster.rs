//! Groups of upstream endpoints.

use std::net::IpAddr;
use std::time::Duration;

use crate::{Metadata, Name};

/// A named group of endpoints that serve the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Name in the configuration.
    pub name: Name,
    /// Never empty.
    pub endpoints: Vec<Endpoint>,
    /// What its endpoints speak.
    pub protocol: Protocol,
    /// How an endpoint is picked.
    pub load_balancing: LoadBalancing,
    /// Longest TCP connect.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Connections per worker.
    pub max_connections: usize,
    /// Passive ejection of failing endpoints; `None`: off.
    pub ejection: Option<Ejection>,
    /// How often DNS names are resolved again.
    pub dns_refresh: Duration,
    /// Facts for plugins: the property `xds.cluster_metadata`.
    pub metadata: Metadata,
}

/// One address, or one DNS name that stands for all its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub host: EndpointHost,
    /// TCP port.
    pub port: u16,
}

/// The host part of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointHost {
    /// An address.
    Ip(IpAddr),
    /// A name to resolve.
    Dns(Name),
}

/// What an endpoint speaks, on plain TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2 from the first byte on (RFC 9113 §3.3, prior knowledge): many requests on a
    /// connection. What gRPC servers speak.
    Http2,
}

/// How an endpoint is picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadBalancing {
    /// In turn.
    #[default]
    RoundRobin,
    /// The one with fewer requests in flight out of two picked at random.
    LeastRequest,
    /// At random.
    Random,
}

/// Passive ejection: an endpoint that fails in a row is left out for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row (connect errors, resets, 5xx) that eject.
    pub consecutive_failures: u32,
    /// First ejection; the n-th in a row lasts n times as long.
    pub base_time: Duration,
    /// Percent of the endpoints that may be ejected at once; at least one endpoint stays.
    pub max_percent: u8,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            base_time: Duration::from_secs(30),
            max_percent: 50,
        }
    }
}
