//! What a cluster does beside requests: it closes idle connections and looks names up.

use std::net::{IpAddr, SocketAddr};
use std::rc::Weak;
use std::sync::Arc;
use std::time::Duration;

use weir_model::{Endpoint, EndpointHost, Name};

use super::Cluster;
use crate::upstream::names::{Answer, Resolver};

/// How often idle connections are looked over, at the most and at the least.
const SWEEP_PERIOD: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The names among the endpoints, in order.
pub(super) fn names(endpoints: &[Endpoint]) -> Vec<Name> {
    let name = |endpoint: &Endpoint| match &endpoint.host {
        EndpointHost::Dns(name) => Some(name.clone()),
        EndpointHost::Ip(_) => None,
    };
    endpoints.iter().filter_map(name).collect()
}

/// A name with addresses of both families has its IPv4 ones, each with an IPv6 one to fall back
/// on: both families usually lead to the same machines, and one of them often leads nowhere.
pub(super) fn addresses(ips: &[IpAddr], port: u16) -> Vec<(SocketAddr, Option<SocketAddr>)> {
    let at = |ip: &IpAddr| SocketAddr::new(*ip, port);
    let (v4, v6): (Vec<_>, Vec<_>) = ips.iter().map(at).partition(SocketAddr::is_ipv4);
    if v4.is_empty() {
        return v6.into_iter().map(|address| (address, None)).collect();
    }
    let alternates = v6.iter().copied().map(Some).chain(std::iter::repeat(None));
    v4.into_iter().zip(alternates).collect()
}

/// Closes connections that were idle for too long.
pub(super) async fn sweep(cluster: Weak<Cluster>) {
    while let Some(strong) = cluster.upgrade() {
        let keep = strong.model.idle_timeout;
        for host in strong.hosts().iter() {
            host.sweep(keep);
        }
        drop(strong);
        tokio::time::sleep((keep / 4).clamp(SWEEP_PERIOD.0, SWEEP_PERIOD.1)).await;
    }
}

/// Looks the names up, again and again.
pub(super) async fn refresh(cluster: Weak<Cluster>, resolver: Arc<Resolver>, names: Vec<Name>) {
    let mut answers: Vec<Option<Arc<[IpAddr]>>> = vec![None; names.len()];
    let mut errors: Vec<Option<Arc<str>>> = vec![None; names.len()];
    loop {
        let Some(period) = cluster.upgrade().map(|cluster| cluster.model.dns_refresh) else {
            return;
        };
        let mut has_changed = false;
        for (index, name) in names.iter().enumerate() {
            // Workers refresh at different moments: half a period old is fresh.
            let answer = resolver.resolve(name, period / 2).await;
            has_changed |= note(name, answer, &mut answers[index], &mut errors[index]);
        }
        let Some(cluster) = cluster.upgrade() else {
            return;
        };
        if has_changed {
            cluster.update(&answers);
        }
        if !cluster.is_warm.replace(true) {
            cluster.warmed.notify_waiters();
        }
        drop(cluster);
        tokio::time::sleep(period).await;
    }
}

/// Notes an answer; a failure keeps the addresses known. Returns whether the addresses changed.
fn note(
    name: &Name,
    answer: Answer,
    known: &mut Option<Arc<[IpAddr]>>,
    failure: &mut Option<Arc<str>>,
) -> bool {
    match answer {
        Ok(addresses) => {
            if failure.take().is_some() {
                tracing::info!(%name, "name resolves again");
            }
            let has_changed = known.as_ref() != Some(&addresses);
            *known = Some(addresses);
            has_changed
        }
        Err(error) => {
            if failure.as_ref() != Some(&error) {
                tracing::warn!(%name, %error, "name did not resolve: its old addresses stay");
            }
            *failure = Some(error);
            false
        }
    }
}
