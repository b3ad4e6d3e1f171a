//! The upstream side of a worker: clusters, their endpoints, and pooled connections.
//!
//! Everything here belongs to one worker thread and must be used inside its `LocalSet`. Invariant:
//! a connection of HTTP/1.1 goes back to its pool only after its request was sent and its response
//! read, both to their ends; in every other case, drops included, it is closed. On a shared one of
//! HTTP/2, the request is reset instead.

mod balance;
mod body;
mod carrier;
mod cluster;
mod connection;
mod host;
mod names;
mod outflow;
mod session;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use weir_model::{Name, Site};

pub(crate) use body::{UpstreamBody, UpstreamError};
pub(crate) use cluster::{Checkout, Cluster, Lease, Place, Reuse};
pub(crate) use connection::{ConnectError, Encryption};
pub(crate) use host::Host;
pub(crate) use names::Resolver;
pub(crate) use outflow::{BodyReader, BodySender};
pub(crate) use session::h2_error;

/// All clusters of one worker, as one configuration has them.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    clusters: BTreeMap<Name, Rc<Cluster>>,
}

impl Upstreams {
    /// The clusters of `site`. Those that `previous` has with the same settings are taken over
    /// with their connections, so that a new configuration drops none of them.
    pub(crate) fn start(site: &Site, resolver: &Arc<Resolver>, previous: Option<&Self>) -> Self {
        let cluster = |model: &weir_model::Cluster| {
            previous
                .and_then(|old| old.cluster(&model.name))
                .filter(|old| old.model() == model)
                .map_or_else(|| Cluster::start(model.clone(), resolver), Rc::clone)
        };
        let clusters = site.clusters.iter();
        Self {
            clusters: clusters
                .map(|(name, model)| (name.clone(), cluster(model)))
                .collect(),
        }
    }

    /// The cluster of that name.
    pub(crate) fn cluster(&self, name: &str) -> Option<&Rc<Cluster>> {
        self.clusters.get(name)
    }

    /// Waits until every DNS name was looked up once, with or without an answer.
    pub(crate) async fn warmed(&self) {
        for cluster in self.clusters.values() {
            cluster.warmed().await;
        }
    }
}
