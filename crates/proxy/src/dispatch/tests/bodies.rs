//! Bodies and trailers, both ways.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fixture::{
    Got, OK, Server, check_at_rest, cluster, get, head, read, retries, run, until,
};
use crate::dispatch::{Answered, Attempts, DispatchError, dispatch};
use crate::upstream::{BodySender, Cluster, UpstreamError};

async fn post(
    cluster: &Rc<Cluster>,
    headers: &[(&'static str, &str)],
    body: &BodySender,
) -> Result<Answered, DispatchError> {
    let head = head(Method::POST, headers);
    dispatch(
        cluster,
        &retries(0, &[]),
        head,
        body,
        &mut Attempts::default(),
    )
    .await
}

async fn answer_of(answer: &'static [u8]) -> Got {
    let server = Server::start(move |_, mut accepted| async move {
        accepted.request().await;
        accepted.answer(answer).await;
    })
    .await;
    get(&cluster(&[server.address])).await.unwrap()
}

#[test]
fn chunks_and_trailers_come_through() {
    run(async {
        let got = answer_of(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
              3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n",
        )
        .await;
        assert_eq!(got.body, "abcde");
        assert_eq!(got.trailers.unwrap()["x-sum"], "5");
    });
}

#[test]
fn a_body_may_end_with_the_connection() {
    run(async {
        let got = answer_of(b"HTTP/1.0 200 OK\r\n\r\nold").await;
        assert_eq!((got.status, &got.body[..]), (200, &b"old"[..]));
    });
}

#[test]
fn interim_responses_are_passed_over() {
    run(async {
        let got = answer_of(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
              HTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\n!",
        )
        .await;
        assert_eq!((got.status, &got.body[..]), (201, &b"!"[..]));
    });
}

#[test]
fn trailers_go_out() {
    run(async {
        let server = Server::always(OK).await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::streaming(None);
        body.push(Bytes::from_static(b"abc"));
        body.trailers(
            [("x-sum".parse().unwrap(), "3".parse().unwrap())]
                .into_iter()
                .collect::<HeaderMap>(),
        );
        post(&cluster, &[("trailer", "x-sum")], &body)
            .await
            .unwrap();
        let requests = server.requests.borrow();
        assert!(
            requests[0].contains("transfer-encoding: chunked"),
            "{requests:?}"
        );
        assert!(
            requests[0].ends_with("3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n"),
            "{requests:?}"
        );
    });
}

#[test]
fn a_get_with_a_body_sends_it() {
    run(async {
        let server = Server::always(OK).await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::streaming(None);
        body.push(Bytes::from_static(b"abc"));
        body.finish();
        let head = head(Method::GET, &[]);
        let (forward, mut attempts) = (retries(0, &[]), Attempts::default());
        let sent = dispatch(&cluster, &forward, head, &body, &mut attempts);
        sent.await.unwrap();
        assert!(server.requests.borrow()[0].ends_with("3\r\nabc\r\n0\r\n\r\n"));
    });
}

#[test]
fn the_head_is_left_as_it_is() {
    run(async {
        let server = Server::always(OK).await;
        get(&cluster(&[server.address])).await.unwrap();
        assert_eq!(
            server.requests.borrow()[0],
            "GET /x?y HTTP/1.1\r\nhost: h.test\r\n\r\n"
        );
    });
}

#[test]
fn large_bodies_flow_both_ways() {
    run(async {
        const SIZE: usize = 4 << 20;
        let server = Server::start(|_, mut accepted| async move {
            let mut left = SIZE;
            let mut buffer = vec![0; 65536];
            let mut head = 0;
            while left > 0 {
                let count = accepted.stream.read(&mut buffer).await.unwrap();
                if head == 0 {
                    let end = buffer
                        .windows(4)
                        .position(|end| end == b"\r\n\r\n")
                        .unwrap()
                        + 4;
                    left -= count - end;
                    head = end;
                } else {
                    left -= count;
                }
            }
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
            accepted.answer(answer.as_bytes()).await;
            accepted.answer(&vec![b'y'; SIZE]).await;
            accepted.closed().await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::streaming(Some(SIZE as u64));
        let pump = async {
            for _ in 0..SIZE / 16384 {
                poll_fn(|cx| body.poll_capacity(cx)).await;
                body.push(Bytes::from(vec![b'x'; 16384]));
            }
            body.finish();
        };
        let (answered, ()) = tokio::join!(post(&cluster, &[], &body), pump);
        assert_eq!(read(answered.unwrap()).await.body.len(), SIZE);
        check_at_rest(&cluster);
        assert_eq!(cluster.idle_count(), 1);
    });
}

#[test]
fn a_slow_upstream_stops_the_producer() {
    run(async {
        let server = Server::start(|_, mut accepted| async move {
            tokio::time::sleep(Duration::from_mins(1)).await;
            accepted.closed().await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::streaming(None);
        let pushed = Cell::new(0_usize);
        let pump = async {
            loop {
                poll_fn(|cx| body.poll_capacity(cx)).await;
                body.push(Bytes::from_static(&[b'x'; 16384]));
                pushed.set(pushed.get() + 16384);
                // Much more than the buffers of both sockets hold.
                assert!(pushed.get() < 64 << 20, "nothing stopped the producer");
            }
        };
        let stopped = async {
            let mut seen = 0;
            while seen == 0 || pushed.get() != seen {
                seen = pushed.get();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            _ = post(&cluster, &[], &body) => panic!("nobody answered"),
            () = pump => {}
            () = stopped => {}
        }
        check_at_rest(&cluster);
    });
}

#[test]
fn an_aborted_request_resets_the_upstream() {
    run(async {
        let ended = Rc::new(Cell::new(false));
        let note = Rc::clone(&ended);
        let server = Server::start(move |_, mut accepted| {
            let note = Rc::clone(&note);
            async move {
                accepted.closed().await;
                note.set(true);
            }
        })
        .await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::streaming(Some(100));
        let abort = async {
            body.push(Bytes::from_static(b"half"));
            tokio::time::sleep(Duration::from_millis(20)).await;
            body.abort();
        };
        let (outcome, ()) = tokio::join!(post(&cluster, &[], &body), abort);
        assert_eq!(outcome.err(), Some(DispatchError::Aborted));
        until(|| ended.get()).await;
        check_at_rest(&cluster);
    });
}

#[test]
fn a_body_that_breaks_off_fails() {
    run(async {
        let server = Server::start(|_, mut accepted| async move {
            accepted.request().await;
            accepted
                .answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
                .await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        let answered = post(&cluster, &[], &BodySender::empty()).await.unwrap();
        assert_eq!(
            answered.body.collect().await.err(),
            Some(UpstreamError::Protocol)
        );
        check_at_rest(&cluster);
    });
}

#[test]
fn a_malformed_chunk_fails() {
    run(async {
        let server =
            Server::always(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await;
        let cluster = cluster(&[server.address]);
        let answered = post(&cluster, &[], &BodySender::empty()).await.unwrap();
        assert_eq!(
            answered.body.collect().await.err(),
            Some(UpstreamError::Protocol)
        );
        check_at_rest(&cluster);
    });
}

#[test]
fn a_dropped_body_closes_a_silent_connection() {
    run(async {
        let ended = Rc::new(Cell::new(false));
        let note = Rc::clone(&ended);
        let server = Server::start(move |_, mut accepted| {
            let note = Rc::clone(&note);
            async move {
                accepted.request().await;
                let _gone = accepted
                    .stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
                    .await;
                accepted.closed().await;
                note.set(true);
            }
        })
        .await;
        let cluster = cluster(&[server.address]);
        let mut answered = post(&cluster, &[], &BodySender::empty()).await.unwrap();
        answered.body.frame().await.unwrap().unwrap();
        drop(answered);
        check_at_rest(&cluster);
        assert_eq!(cluster.idle_count(), 0);
        until(|| ended.get()).await;
    });
}

#[test]
fn an_answer_before_the_end_of_the_request_ends_the_connection() {
    run(async {
        let server = Server::start(|_, mut accepted| async move {
            let mut buffer = [0; 1024];
            let _some = accepted.stream.read(&mut buffer).await;
            accepted.answer(OK).await;
            accepted.closed().await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        let body = BodySender::streaming(Some(1000));
        body.push(Bytes::from_static(b"half"));
        let answered = post(&cluster, &[], &body).await.unwrap();
        assert_eq!(read(answered).await.body, "ok");
        check_at_rest(&cluster);
        assert_eq!(cluster.idle_count(), 0);
    });
}
