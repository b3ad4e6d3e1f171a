//! The host that a filter wants (Higress's override host, statement 326).

use std::net::SocketAddr;

use http::Method;

use super::fixture::{OK, Server, check_at_rest, cluster, head, refusing, retries, run};
use crate::dispatch::{Attempts, OverrideHost, dispatch};
use crate::upstream::{BodySender, Cluster};

/// Where a request goes that wants to go there.
async fn gone_to(cluster: &std::rc::Rc<Cluster>, wanted: SocketAddr, tries: u32) -> Attempts {
    let mut head = head(Method::GET, &[]);
    head.extensions.insert(OverrideHost(wanted));
    let (mut attempts, body) = (Attempts::default(), BodySender::empty());
    let answered = dispatch(cluster, &retries(tries, &[]), head, &body, &mut attempts).await;
    drop(answered);
    attempts
}

#[test]
fn the_wanted_host_is_taken() {
    run(async {
        let (one, two) = (Server::always(OK).await, Server::always(OK).await);
        let cluster = cluster(&[one.address, two.address]);
        for wanted in [one.address, one.address, two.address] {
            assert_eq!(gone_to(&cluster, wanted, 0).await.last_peer, Some(wanted));
        }
        check_at_rest(&cluster);
    });
}

#[test]
fn a_stranger_is_not() {
    run(async {
        let (one, stranger) = (Server::always(OK).await, Server::always(OK).await);
        let cluster = cluster(&[one.address]);
        let attempts = gone_to(&cluster, stranger.address, 0).await;
        assert_eq!(attempts.last_peer, Some(one.address));
        assert_eq!(stranger.connections.get(), 0);
    });
}

#[test]
fn the_second_try_goes_elsewhere() {
    run(async {
        let (good, bad) = (Server::always(OK).await, refusing().await);
        let cluster = cluster(&[good.address, bad]);
        let attempts = gone_to(&cluster, bad, 1).await;
        assert_eq!(
            (attempts.count, attempts.last_peer),
            (2, Some(good.address))
        );
    });
}
