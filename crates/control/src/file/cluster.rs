//! Clusters.

use weir_model::{Endpoint, LoadBalancing, Protocol, limits};

use crate::shape::basic::{List, Switch, choices};
use crate::shape::metadata::MetadataText;
use crate::shape::quantity::{Count, DAY_MS, Time};
use crate::shape::section::section;

section! {
    /// A group of endpoints that serve the same thing.
    struct ClusterText = "cluster" {
        /// Addresses or DNS names, each with a port. A name stands for all its addresses.
        endpoints: List<Endpoint, 1, 4096>;
        /// What the endpoints speak on plain TCP: HTTP/1.1, or HTTP/2 from the first byte on (prior
        /// knowledge), as gRPC servers do.
        protocol: Protocol = Protocol::default();
        /// How an endpoint is picked: in turn, the less busy of two, or at random.
        load_balancing: LoadBalancing = LoadBalancing::default();
        /// Longest TCP connect.
        connect_timeout: Time<1, DAY_MS> = Time(limits::CONNECT_TIMEOUT);
        /// How long an idle connection is kept.
        idle_timeout: Time<1, DAY_MS> = Time(limits::UPSTREAM_IDLE_TIMEOUT);
        /// Connections per worker. One of HTTP/2 carries up to 100 requests at once.
        max_connections: Count<1, 65536> = Count(limits::UPSTREAM_CONNECTIONS_MAX as u64);
        /// Leaving out an endpoint that fails in a row for a while.
        ejection: Switch<EjectionText> = Switch::On(EjectionText::default());
        /// How often DNS names are resolved again.
        dns_refresh: Time<100, DAY_MS> = Time(limits::DNS_REFRESH);
        /// Facts for plugins, by namespace: the property `xds.cluster_metadata`.
        metadata: MetadataText = MetadataText::default();
    }
}

section! {
    /// When an endpoint is left out, and for how long.
    struct EjectionText = "ejection" {
        /// Failures in a row (connect errors, resets, 5xx) that eject.
        consecutive_failures: Count<1, 1_000_000> = EjectionText::default().consecutive_failures;
        /// First ejection; the n-th in a row lasts n times as long.
        base_time: Time<1, DAY_MS> = EjectionText::default().base_time;
        /// Percent of the endpoints that may be ejected at once; at least one endpoint stays.
        max_percent: Count<0, 100> = EjectionText::default().max_percent;
    }
}

impl Default for EjectionText {
    fn default() -> Self {
        let ejection = weir_model::Ejection::default();
        Self {
            consecutive_failures: Count(ejection.consecutive_failures.into()),
            base_time: Time(ejection.base_time),
            max_percent: Count(ejection.max_percent.into()),
        }
    }
}

choices! {
    Protocol: "protocol" {
        "http1" => Self::Http1,
        "http2" => Self::Http2,
    }
}

choices! {
    LoadBalancing: "load balancing" {
        "round_robin" => Self::RoundRobin,
        "least_request" => Self::LeastRequest,
        "random" => Self::Random,
    }
}
