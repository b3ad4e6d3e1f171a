//! Connections: reuse, limits, ejection, names.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use weir_model::limits::UPSTREAM_PENDING_MAX;
use weir_model::{Ejection, Endpoint, EndpointHost, LoadBalancing, Node, Site};

use super::fixture::{
    Accepted, OK, Server, check_at_rest, cluster, get, head, model, read, refusing, retries, run,
    try_get, until,
};
use crate::dispatch::{Attempts, DispatchError, dispatch};
use crate::upstream::{BodySender, Cluster, Resolver, Upstreams};

#[test]
fn connections_are_kept_alive() {
    run(async {
        let server = Server::always(OK).await;
        let cluster = cluster(&[server.address]);
        for _ in 0..20 {
            assert_eq!(get(&cluster).await.unwrap().body, "ok");
        }
        assert_eq!(server.connections.get(), 1);
        check_at_rest(&cluster);
    });
}

#[test]
fn chunked_answers_and_bodies_keep_connections_alive() {
    run(async {
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-t: 1\r\n\r\n";
        let server = Server::always(chunked).await;
        let cluster = cluster(&[server.address]);
        for _ in 0..10 {
            let body = BodySender::streaming(None);
            body.push(Bytes::from_static(b"abc"));
            let (forward, mut attempts) = (retries(0, &[]), Attempts::default());
            let head = head(Method::POST, &[]);
            let sent = dispatch(&cluster, &forward, head, &body, &mut attempts);
            let finish = async { body.finish() };
            let answered = tokio::join!(sent, finish).0.unwrap();
            assert_eq!(read(answered).await.body, "ok");
        }
        assert_eq!(server.connections.get(), 1);
        check_at_rest(&cluster);
    });
}

#[test]
fn an_equal_cluster_is_taken_over_with_its_connections() {
    run(async {
        let server = Server::always(OK).await;
        let mut site = site(model(&[server.address]));
        let resolver = Resolver::system();
        let first = Upstreams::start(&site, &resolver, None);
        get(first.cluster("backend").unwrap()).await.unwrap();
        let second = Upstreams::start(&site, &resolver, Some(&first));
        drop(first);
        get(second.cluster("backend").unwrap()).await.unwrap();
        assert_eq!(server.connections.get(), 1);
        site.clusters
            .values_mut()
            .for_each(|cluster| cluster.max_connections += 1);
        let third = Upstreams::start(&site, &resolver, Some(&second));
        third.warmed().await;
        get(third.cluster("backend").unwrap()).await.unwrap();
        assert_eq!(server.connections.get(), 2);
        assert!(third.cluster("other").is_none());
    });
}

fn site(cluster: weir_model::Cluster) -> Site {
    Site {
        listeners: Vec::new(),
        clusters: [(cluster.name.clone(), cluster)].into(),
        modules: BTreeMap::new(),
        filters: BTreeMap::new(),
        maps: BTreeMap::new(),
        stores: BTreeMap::new(),
        background: Vec::new(),
        admin: None,
        workers: None,
        drain_timeout: Duration::ZERO,
        node: Node::default(),
        functions: BTreeMap::new(),
        function_instances: 1,
        trust: weir_model::Trust::default(),
        code_cache: weir_model::CodeCache::Off,
        capsules: None,
    }
}

#[test]
fn a_connection_that_the_upstream_closed_is_not_used() {
    run(async {
        let server = Server::start(|_, mut accepted| async move {
            accepted.request().await;
            accepted.answer(OK).await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        for _ in 0..5 {
            assert_eq!(get(&cluster).await.unwrap().status, 200);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(server.connections.get(), 5);
    });
}

/// Answers one request, and closes when the next one has come.
async fn one_only(_nth: usize, mut accepted: Accepted) {
    accepted.request().await;
    accepted.answer(OK).await;
    accepted.request().await;
}

#[test]
fn a_request_that_met_a_dead_connection_goes_out_again() {
    run(async {
        let server = Server::start(one_only).await;
        let cluster = cluster(&[server.address]);
        for _ in 0..3 {
            let (got, attempts) = try_get(&cluster, &retries(0, &[])).await;
            assert_eq!(got.unwrap().status, 200);
            assert_eq!(attempts.count, 1);
        }
        assert_eq!(server.requests.borrow().len(), 5);
        check_at_rest(&cluster);
    });
}

#[test]
fn a_post_that_met_a_dead_connection_does_not() {
    run(async {
        let server = Server::start(one_only).await;
        let cluster = cluster(&[server.address]);
        get(&cluster).await.unwrap();
        let body = BodySender::full(Bytes::from_static(b"pay"));
        let head = head(Method::POST, &[("content-length", "3")]);
        let (forward, mut attempts) = (retries(0, &[]), Attempts::default());
        let sent = dispatch(&cluster, &forward, head, &body, &mut attempts);
        assert_eq!(sent.await.err(), Some(DispatchError::Terminated));
        check_at_rest(&cluster);
    });
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    run(async {
        let server = Server::always(OK).await;
        let mut model = model(&[server.address]);
        model.idle_timeout = Duration::from_millis(50);
        let cluster = Cluster::start(model, &Resolver::system());
        get(&cluster).await.unwrap();
        assert_eq!(cluster.idle_count(), 1);
        until(|| cluster.idle_count() == 0).await;
    });
}

#[test]
fn requests_wait_for_a_connection() {
    run(async {
        let server = Server::always(OK).await;
        let mut model = model(&[server.address]);
        model.max_connections = 1;
        let cluster = Cluster::start(model, &Resolver::system());
        let all = tokio::join!(get(&cluster), get(&cluster), get(&cluster));
        assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok());
        assert_eq!(server.connections.get(), 1);
        check_at_rest(&cluster);
    });
}

#[test]
fn too_many_waiting_requests_overflow() {
    run(async {
        let server = Server::start(|_, mut accepted| async move { accepted.closed().await }).await;
        let mut model = model(&[server.address]);
        model.max_connections = 1;
        let cluster = Cluster::start(model, &Resolver::system());
        let waiting: Vec<_> = (0..=UPSTREAM_PENDING_MAX)
            .map(|_| {
                let cluster = Rc::clone(&cluster);
                tokio::task::spawn_local(async move { get(&cluster).await.err() })
            })
            .collect();
        until(|| cluster.pending() == UPSTREAM_PENDING_MAX).await;
        assert_eq!(get(&cluster).await.err(), Some(DispatchError::Overflow));
        // Cancelling them gives everything back.
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        until(|| waiting.iter().all(tokio::task::JoinHandle::is_finished)).await;
        check_at_rest(&cluster);
    });
}

#[test]
fn a_full_cluster_closes_idle_connections_of_other_hosts() {
    run(async {
        let (one, two) = (Server::always(OK).await, Server::always(OK).await);
        let mut model = model(&[one.address, two.address]);
        model.max_connections = 1;
        let cluster = Cluster::start(model, &Resolver::system());
        for _ in 0..4 {
            get(&cluster).await.unwrap();
            assert!(cluster.idle_count() <= 1);
        }
        check_at_rest(&cluster);
    });
}

#[test]
fn turns_are_taken() {
    run(async {
        let (one, two) = (Server::always(OK).await, Server::always(OK).await);
        let cluster = cluster(&[one.address, two.address]);
        for _ in 0..10 {
            get(&cluster).await.unwrap();
        }
        assert_eq!(
            (one.requests.borrow().len(), two.requests.borrow().len()),
            (5, 5)
        );
    });
}

#[test]
fn a_busy_host_gets_less() {
    run(async {
        let (hanging, good) = (
            Server::start(|_, mut accepted| async move { accepted.closed().await }).await,
            Server::always(OK).await,
        );
        let mut model = model(&[hanging.address, good.address]);
        model.load_balancing = LoadBalancing::LeastRequest;
        let cluster = Cluster::start(model, &Resolver::system());
        let mut stuck = Vec::new();
        for _ in 0..20 {
            let cluster = Rc::clone(&cluster);
            let sent = tokio::task::spawn_local(async move { get(&cluster).await.is_ok() });
            tokio::time::sleep(Duration::from_millis(3)).await;
            stuck.push(sent);
        }
        assert!(
            good.requests.borrow().len() >= 17,
            "{}",
            good.requests.borrow().len()
        );
        stuck.iter().for_each(tokio::task::JoinHandle::abort);
        until(|| stuck.iter().all(tokio::task::JoinHandle::is_finished)).await;
        check_at_rest(&cluster);
    });
}

#[test]
fn a_failing_host_is_ejected_and_comes_back() {
    run(async {
        let is_bad = Rc::new(Cell::new(true));
        let mood = Rc::clone(&is_bad);
        let moody = Server::start(move |_, mut accepted| {
            let mood = Rc::clone(&mood);
            async move {
                while accepted.request().await {
                    let bad = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n";
                    accepted.answer(if mood.get() { bad } else { OK }).await;
                }
            }
        })
        .await;
        let good = Server::always(OK).await;
        let mut model = model(&[moody.address, good.address]);
        model.ejection = Some(Ejection {
            consecutive_failures: 3,
            base_time: Duration::from_millis(150),
            max_percent: 50,
        });
        let cluster = Cluster::start(model, &Resolver::system());
        for _ in 0..20 {
            get(&cluster).await.unwrap();
        }
        assert_eq!(moody.requests.borrow().len(), 3);
        is_bad.set(false);
        tokio::time::sleep(Duration::from_millis(160)).await;
        for _ in 0..4 {
            get(&cluster).await.unwrap();
        }
        assert_eq!(moody.requests.borrow().len(), 5);
    });
}

#[test]
fn the_only_host_is_never_ejected() {
    run(async {
        let mut model = model(&[refusing().await]);
        model.ejection = Some(Ejection {
            consecutive_failures: 1,
            ..Ejection::default()
        });
        let cluster = Cluster::start(model, &Resolver::system());
        for _ in 0..3 {
            assert_eq!(get(&cluster).await.err().unwrap().flags(), "UF");
        }
    });
}

fn named(name: &str, port: u16) -> weir_model::Cluster {
    let mut model = model(&[]);
    model.endpoints = vec![Endpoint {
        host: EndpointHost::Dns(name.into()),
        port,
    }];
    model.dns_refresh = Duration::from_millis(20);
    model
}

#[test]
fn localhost_resolves() {
    run(async {
        let server = Server::always(OK).await;
        let model = named("localhost", server.address.port());
        let cluster = Cluster::start(model, &Resolver::system());
        assert!(cluster.has_endpoint());
        for _ in 0..3 {
            assert_eq!(get(&cluster).await.unwrap().status, 200);
        }
    });
}

#[test]
fn a_name_that_does_not_resolve_has_no_endpoint() {
    run(async {
        let resolver = Resolver::with(|_| Err(std::io::Error::other("no such name")));
        let cluster = Cluster::start(named("a.test", 80), &resolver);
        assert_eq!(
            get(&cluster).await.err(),
            Some(DispatchError::NoHealthyUpstream)
        );
        assert!(!cluster.has_endpoint());
    });
}

#[test]
fn addresses_join_and_leave_and_survive_failures() {
    run(async {
        let server = Server::always(OK).await;
        let known = Arc::new(Mutex::new(Ok(vec![IpAddr::from([127, 0, 0, 1])])));
        let answers = Arc::clone(&known);
        let resolver = Resolver::with(move |_| {
            answers
                .lock()
                .unwrap()
                .clone()
                .map_err(std::io::Error::other)
        });
        let cluster = Cluster::start(named("a.test", server.address.port()), &resolver);
        assert_eq!(get(&cluster).await.unwrap().status, 200);
        *known.lock().unwrap() = Ok(vec![IpAddr::from([127, 0, 0, 1]), [127, 0, 0, 9].into()]);
        until(|| cluster.hosts().len() == 2).await;
        assert_eq!(cluster.idle_count(), 1);
        *known.lock().unwrap() = Err("server failure");
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(cluster.hosts().len(), 2);
        *known.lock().unwrap() = Ok(vec![[127, 0, 0, 9].into()]);
        until(|| cluster.hosts().len() == 1).await;
        assert_eq!(cluster.idle_count(), 0);
        check_at_rest(&cluster);
    });
}

#[test]
fn the_other_address_family_is_tried() {
    run(async {
        let server = Server::always(OK).await;
        // The IPv4 address refuses or lies: the name's IPv6 one is mapped to the server.
        let resolver = Resolver::with(|_| {
            Ok(vec![
                [127, 0, 0, 9].into(),
                "::ffff:127.0.0.1".parse().unwrap(),
            ])
        });
        let cluster = Cluster::start(named("a.test", server.address.port()), &resolver);
        assert_eq!(get(&cluster).await.unwrap().status, 200);
        assert_eq!(cluster.hosts().len(), 1);
        check_at_rest(&cluster);
    });
}

#[test]
fn a_request_that_is_dropped_gives_everything_back() {
    run(async {
        let server = Server::start(|_, mut accepted| async move { accepted.closed().await }).await;
        let cluster = cluster(&[server.address]);
        for wait in [0, 1, 20] {
            let sent = get(&cluster);
            let _late = tokio::time::timeout(Duration::from_millis(wait), sent).await;
            check_at_rest(&cluster);
        }
        assert_eq!(cluster.idle_count(), 0);
    });
}
