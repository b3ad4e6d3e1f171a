//! Tries: what is sent again, when, and how often.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use tokio::io::AsyncReadExt;

use super::fixture::{
    OK, Server, check_at_rest, cluster, get, head, refusing, retries, run, try_get, until,
};
use crate::dispatch::{Attempts, DispatchError, dispatch};
use crate::upstream::BodySender;

const BUSY: &[u8] = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_refused_connection_is_a_connection_failure() {
    run(async {
        let cluster = cluster(&[refusing().await]);
        let (got, attempts) = try_get(&cluster, &retries(0, &[])).await;
        assert_eq!(got.err().unwrap().flags(), "UF");
        assert_eq!(attempts.count, 1);
        assert!(!attempts.is_exhausted && attempts.last_failure.is_some());
        check_at_rest(&cluster);
    });
}

#[test]
fn a_refused_connection_is_tried_elsewhere() {
    run(async {
        let good = Server::always(OK).await;
        let cluster = cluster(&[refusing().await, refusing().await, good.address]);
        for _ in 0..6 {
            let (got, attempts) = try_get(&cluster, &retries(2, &[])).await;
            assert_eq!(got.unwrap().status, 200);
            assert_eq!(attempts.last_peer, Some(good.address));
        }
        check_at_rest(&cluster);
    });
}

#[test]
fn a_listed_status_is_tried_again() {
    run(async {
        let bad = Server::always(BUSY).await;
        let good = Server::always(OK).await;
        let cluster = cluster(&[bad.address, good.address]);
        for _ in 0..4 {
            assert_eq!(
                try_get(&cluster, &retries(1, &[503]))
                    .await
                    .0
                    .unwrap()
                    .status,
                200
            );
        }
        assert!(bad.requests.borrow().len() >= 2);
        check_at_rest(&cluster);
    });
}

#[test]
fn the_last_try_decides() {
    run(async {
        let bad = Server::always(BUSY).await;
        let cluster = cluster(&[bad.address]);
        let (got, attempts) = try_get(&cluster, &retries(2, &[503])).await;
        assert_eq!(got.unwrap().status, 503);
        assert_eq!((attempts.count, attempts.is_exhausted), (3, true));
        // A status that is not listed is an answer.
        let (got, attempts) = try_get(&cluster, &retries(2, &[502])).await;
        assert_eq!(got.unwrap().status, 503);
        assert_eq!((attempts.count, attempts.is_exhausted), (1, false));
    });
}

#[test]
fn a_reset_before_the_head_is_tried_again() {
    run(async {
        let server = Server::start(|nth, mut accepted| async move {
            accepted.request().await;
            if nth == 2 {
                accepted.answer(OK).await;
                accepted.closed().await;
            }
        })
        .await;
        let cluster = cluster(&[server.address]);
        let (got, attempts) = try_get(&cluster, &retries(3, &[])).await;
        assert_eq!(got.unwrap().status, 200);
        assert_eq!(attempts.count, 3);
        assert_eq!(attempts.last_failure, Some(DispatchError::Terminated));
    });
}

#[test]
fn a_slow_try_is_cut_off() {
    run(async {
        let server = Server::start(|_, mut accepted| async move {
            accepted.request().await;
            accepted.closed().await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        let mut forward = retries(1, &[]);
        forward.retries.per_try_timeout = Some(Duration::from_millis(40));
        let start = Instant::now();
        let (got, attempts) = try_get(&cluster, &forward).await;
        assert_eq!(got.err(), Some(DispatchError::PerTryTimeout));
        assert_eq!(attempts.count, 2);
        assert!((80..2000).contains(&start.elapsed().as_millis()));
        check_at_rest(&cluster);
    });
}

#[test]
fn a_try_counts_its_time_from_the_end_of_the_request() {
    run(async {
        let server = Server::always(OK).await;
        let cluster = cluster(&[server.address]);
        let mut forward = retries(0, &[]);
        forward.retries.per_try_timeout = Some(Duration::from_millis(60));
        let body = BodySender::streaming(None);
        let later = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            body.push(Bytes::from_static(b"late"));
            body.finish();
        };
        let mut attempts = Attempts::default();
        let head = head(Method::POST, &[]);
        let sent = dispatch(&cluster, &forward, head, &body, &mut attempts);
        assert!(tokio::join!(sent, later).0.is_ok());
    });
}

#[test]
fn a_small_body_is_sent_again_whole() {
    run(async {
        let server = Server::start(|_, mut accepted| async move {
            accepted.request().await;
            accepted.answer(BUSY).await;
            accepted.request().await;
            accepted.answer(OK).await;
            accepted.closed().await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::full(Bytes::from_static(b"payload"));
        let head = head(Method::POST, &[("content-length", "7")]);
        let mut attempts = Attempts::default();
        let answered = dispatch(&cluster, &retries(1, &[503]), head, &body, &mut attempts).await;
        assert_eq!(answered.unwrap().head.status, 200);
        let requests = server.requests.borrow();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0], requests[1]);
        assert!(requests[1].ends_with("\r\n\r\npayload"));
    });
}

#[test]
fn what_comes_between_two_tries_is_sent_too() {
    run(async {
        let server = Server::start(|nth, mut accepted| async move {
            if nth == 0 {
                let mut buffer = [0; 1024];
                let _head = accepted.stream.read(&mut buffer).await;
                accepted.answer(BUSY).await;
                return;
            }
            accepted.request().await;
            accepted.answer(OK).await;
            accepted.closed().await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::streaming(None);
        body.push(Bytes::from_static(b"first"));
        let rest = async {
            until(|| cluster.in_flight() == 1).await;
            until(|| cluster.in_flight() == 0 || server.connections.get() == 2).await;
            // More than is kept for another try, while that try is still to come.
            body.push(Bytes::from(vec![b'x'; 100_000]));
            body.finish();
        };
        let (forward, mut attempts) = (retries(1, &[503]), Attempts::default());
        let head = head(Method::POST, &[]);
        let sent = dispatch(&cluster, &forward, head, &body, &mut attempts);
        assert_eq!(tokio::join!(sent, rest).0.unwrap().head.status, 200);
        assert!(server.requests.borrow()[0].len() > 100_005);
    });
}

#[test]
fn a_client_of_http_1_0_changes_nothing_upstream() {
    run(async {
        let server = Server::always(OK).await;
        let cluster = cluster(&[server.address]);
        let (forward, mut attempts) = (retries(0, &[]), Attempts::default());
        let mut head = head(Method::GET, &[]);
        head.version = http::Version::HTTP_10;
        let body = BodySender::empty();
        dispatch(&cluster, &forward, head, &body, &mut attempts)
            .await
            .unwrap();
        assert!(server.requests.borrow()[0].starts_with("GET /x?y HTTP/1.1\r\n"));
    });
}

#[test]
fn a_large_body_is_not_sent_again() {
    run(async {
        let server = Server::always(BUSY).await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::full(Bytes::from(vec![b'x'; 100_000]));
        let head = head(Method::PUT, &[("content-length", "100000")]);
        let mut attempts = Attempts::default();
        let answered = dispatch(&cluster, &retries(3, &[503]), head, &body, &mut attempts).await;
        assert_eq!(answered.unwrap().head.status, 503);
        assert_eq!((attempts.count, attempts.is_exhausted), (1, false));
    });
}

#[track_caller]
fn check_protocol_error(answer: &'static [u8]) {
    run(async move {
        let server = Server::always(answer).await;
        let cluster = cluster(&[server.address]);
        assert_eq!(get(&cluster).await.err(), Some(DispatchError::Protocol));
        check_at_rest(&cluster);
    });
}

#[test]
fn garbage_is_a_protocol_error() {
    check_protocol_error(b"this is no http\r\n\r\n");
}

#[test]
fn a_switch_that_nobody_asked_for_is_a_protocol_error() {
    check_protocol_error(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n");
}

#[test]
fn an_endless_head_is_a_protocol_error() {
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(70_000));
    check_protocol_error(head.leak().as_bytes());
}

#[test]
fn a_cluster_without_endpoint_is_unhealthy() {
    run(async {
        let cluster = cluster(&[]);
        assert!(!cluster.has_endpoint());
        assert_eq!(
            get(&cluster).await.err(),
            Some(DispatchError::NoHealthyUpstream)
        );
        check_at_rest(&cluster);
    });
}
