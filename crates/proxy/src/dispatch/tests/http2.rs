//! HTTP/2: requests share connections, and only that.

mod peer;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use h2::Reason;
use h2::server;
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use weir_model::Protocol;

use super::fixture::{
    Server, check_at_rest, get, head, model, read, refusing, retries, run, until,
};
use crate::dispatch::{Answered, Attempts, DispatchError, dispatch};
use crate::upstream::{BodySender, Cluster, Resolver, UpstreamError};
use peer::{Asked, Peer};

fn cluster_of(change: impl FnOnce(&mut weir_model::Cluster), peers: &[SocketAddr]) -> Rc<Cluster> {
    let mut model = model(peers);
    model.protocol = Protocol::Http2;
    change(&mut model);
    Cluster::start(model, &Resolver::system())
}

fn cluster(peers: &[SocketAddr]) -> Rc<Cluster> {
    cluster_of(|_| {}, peers)
}

async fn post(cluster: &Rc<Cluster>, body: &BodySender) -> Result<Answered, DispatchError> {
    let (forward, mut attempts) = (retries(0, &[]), Attempts::default());
    let head = head(Method::POST, &[("te", "trailers")]);
    dispatch(cluster, &forward, head, body, &mut attempts).await
}

#[test]
fn many_requests_share_a_connection() {
    run(async {
        let peer = Peer::counting().await;
        let cluster = cluster(&[peer.address]);
        let got = join_all((0..50).map(|_| get(&cluster))).await;
        let mut texts: Vec<usize> = got
            .into_iter()
            .map(|got| {
                std::str::from_utf8(&got.unwrap().body)
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect();
        texts.sort_unstable();
        assert_eq!(texts, (0..50).collect::<Vec<_>>());
        assert_eq!(peer.connections.get(), 1);
        check_at_rest(&cluster);
    });
}

#[test]
fn beyond_the_limit_another_connection_is_opened() {
    run(async {
        let mut settings = server::Builder::new();
        settings.max_concurrent_streams(3);
        let peer = Peer::with(settings, |mut asked| async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            asked.answer("x");
        })
        .await;
        let cluster = cluster(&[peer.address]);
        // With the first answer the limit is learned.
        get(&cluster).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let got = join_all((0..9).map(|_| get(&cluster))).await;
        assert!(got.into_iter().all(|got| got.is_ok()));
        assert_eq!(peer.connections.get(), 3);
        check_at_rest(&cluster);
    });
}

#[test]
fn no_more_connections_than_allowed() {
    run(async {
        let (one, two) = (Peer::counting().await, Peer::counting().await);
        let cluster = cluster_of(
            |model| model.max_connections = 1,
            &[one.address, two.address],
        );
        for _ in 0..4 {
            join_all((0..4).map(|_| get(&cluster))).await;
        }
        let open = one.open.get() + two.open.get();
        assert!(open <= 1, "{open}");
        assert_eq!(
            one.requests.borrow().len() + two.requests.borrow().len(),
            16
        );
        check_at_rest(&cluster);
    });
}

#[test]
fn the_host_becomes_the_authority() {
    run(async {
        let peer = Peer::counting().await;
        let cluster = cluster(&[peer.address]);
        for host in ["h.test:81", "a|b", ""] {
            let mut head = head(Method::GET, &[("x-a", "1"), ("x-b", "2")]);
            head.headers.insert("host", host.parse().unwrap());
            let (forward, mut attempts) = (retries(0, &[]), Attempts::default());
            let body = BodySender::empty();
            let sent = dispatch(&cluster, &forward, head, &body, &mut attempts);
            drop(read(sent.await.unwrap()).await);
        }
        let expected = [
            "GET http://h.test:81/x?y x-a=1 x-b=2",
            "GET /x?y host=a|b x-a=1 x-b=2",
            "GET /x?y host= x-a=1 x-b=2",
        ];
        assert_eq!(*peer.requests.borrow(), expected);
    });
}

#[test]
fn bodies_and_trailers_go_both_ways() {
    run(async {
        let peer = Peer::start(|asked| async move {
            let Asked {
                mut body,
                mut respond,
                ..
            } = asked;
            let mut answer = respond.send_response(Response::new(()), false).unwrap();
            while let Some(piece) = body.data().await {
                let piece = piece.unwrap();
                body.flow_control().release_capacity(piece.len()).unwrap();
                answer.send_data(piece, false).unwrap();
            }
            let trailers = body.trailers().await.unwrap().unwrap();
            answer.send_trailers(trailers).unwrap();
        })
        .await;
        let cluster = cluster(&[peer.address]);
        let body = BodySender::streaming(None);
        body.push(Bytes::from_static(b"one"));
        let mut answered = post(&cluster, &body).await.unwrap();
        let first = answered.body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "one");
        body.push(vec![b'x'; 300_000].into());
        let trailers = [("x-sum".parse().unwrap(), "3".parse().unwrap())];
        body.trailers(trailers.into_iter().collect::<HeaderMap>());
        let got = read(answered).await;
        assert_eq!(got.body.len(), 300_000);
        assert_eq!(got.trailers.unwrap()["x-sum"], "3");
        check_at_rest(&cluster);
    });
}

/// Gives a request up at some point: the server learns it, and others on the connection go on.
async fn check_gives_up(
    body: BodySender,
    answers: bool,
    give_up: impl AsyncFnOnce(&Rc<Cluster>, &BodySender, &Peer),
) {
    thread_local! {
        static WHY: Cell<Option<Reason>> = const { Cell::new(None) };
        static ANSWERS: Cell<bool> = const { Cell::new(false) };
    }
    WHY.set(None);
    ANSWERS.set(answers);
    let peer = Peer::start(|mut asked| async move {
        if asked.nth != 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            asked.answer("other");
        } else if ANSWERS.get() {
            let mut body = asked
                .respond
                .send_response(Response::new(()), false)
                .unwrap();
            body.send_data(Bytes::from_static(b"begun"), false).unwrap();
            WHY.set(poll_fn(|cx| body.poll_reset(cx)).await.ok());
        } else {
            WHY.set(Some(asked.reset().await));
        }
    })
    .await;
    let cluster = cluster(&[peer.address]);
    let other = get(&cluster);
    let given_up = async {
        until(|| peer.requests.borrow().len() == 1).await;
        give_up(&cluster, &body, &peer).await;
    };
    let (other, ()) = tokio::join!(other, given_up);
    assert_eq!(other.unwrap().body, "other");
    until(|| WHY.get().is_some()).await;
    assert_eq!(WHY.get(), Some(Reason::CANCEL));
    assert_eq!(get(&cluster).await.unwrap().body, "other");
    assert_eq!(peer.connections.get(), 1);
    check_at_rest(&cluster);
}

#[test]
fn dropping_a_request_resets_it_alone() {
    run(check_gives_up(
        BodySender::empty(),
        false,
        async |cluster, body, peer| {
            tokio::select! {
                _ = post(cluster, body) => panic!("nobody answers"),
                () = until(|| peer.requests.borrow().len() == 2) => {}
            }
        },
    ));
}

#[test]
fn dropping_a_request_with_half_a_body_resets_it_alone() {
    let body = BodySender::streaming(None);
    body.push(Bytes::from_static(b"half"));
    run(check_gives_up(body, false, async |cluster, body, peer| {
        tokio::select! {
            _ = post(cluster, body) => panic!("nobody answers"),
            () = until(|| peer.requests.borrow().len() == 2) => {}
        }
    }));
}

#[test]
fn dropping_half_a_response_resets_it_alone() {
    let body = BodySender::streaming(None);
    body.push(Bytes::from_static(b"half"));
    run(check_gives_up(body, true, async |cluster, body, _| {
        drop(post(cluster, body).await.unwrap());
    }));
}

#[test]
fn aborting_a_body_resets_its_request_alone() {
    let body = BodySender::streaming(None);
    body.push(Bytes::from_static(b"half"));
    run(check_gives_up(body, true, async |cluster, body, _| {
        let answered = post(cluster, body).await.unwrap();
        body.abort();
        assert!(answered.body.collect().await.is_err());
    }));
}

async fn failure(
    script: impl Fn(Asked) -> std::pin::Pin<Box<dyn Future<Output = ()>>> + Copy + 'static,
) -> DispatchError {
    let peer = Peer::start(script).await;
    let cluster = cluster(&[peer.address]);
    let failure = get(&cluster).await.map(|got| got.status).unwrap_err();
    check_at_rest(&cluster);
    failure
}

#[test]
fn resets_before_the_head_are_told_apart() {
    run(async {
        let reset = |reason| {
            move |mut asked: Asked| -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
                Box::pin(async move { asked.respond.send_reset(reason) })
            }
        };
        assert_eq!(
            failure(reset(Reason::INTERNAL_ERROR)).await,
            DispatchError::Reset
        );
        assert_eq!(
            failure(reset(Reason::REFUSED_STREAM)).await,
            DispatchError::Refused
        );
    });
}

#[test]
fn a_reset_behind_the_head_is_one() {
    run(async {
        let peer = Peer::start(|mut asked| async move {
            let mut body = asked
                .respond
                .send_response(Response::new(()), false)
                .unwrap();
            body.send_data(Bytes::from_static(b"half"), false).unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            body.send_reset(Reason::INTERNAL_ERROR);
        })
        .await;
        let cluster = cluster(&[peer.address]);
        let answered = post(&cluster, &BodySender::empty()).await.unwrap();
        assert_eq!(
            answered.body.collect().await.unwrap_err(),
            UpstreamError::Reset
        );
        check_at_rest(&cluster);
    });
}

#[test]
fn what_a_reused_connection_refuses_goes_again_on_a_fresh_one() {
    run(async {
        let peer = Peer::start(|mut asked| async move {
            if asked.nth == 1 {
                asked.respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                asked.answer(&format!("on {}", asked.connection));
            }
        })
        .await;
        let cluster = cluster(&[peer.address]);
        assert_eq!(get(&cluster).await.unwrap().body, "on 0");
        let body = BodySender::full(Bytes::from_static(b"whole"));
        let got = read(post(&cluster, &body).await.unwrap()).await;
        assert_eq!(got.body, "on 1");
        check_at_rest(&cluster);
    });
}

#[test]
fn a_slow_reader_stops_the_sender() {
    run(async {
        thread_local!(static SENT: Cell<usize> = const { Cell::new(0) });
        SENT.set(0);
        let peer = Peer::start(|mut asked| async move {
            let mut body = asked
                .respond
                .send_response(Response::new(()), false)
                .unwrap();
            for _ in 0..64 {
                body.reserve_capacity(64 << 10);
                while body.capacity() < 64 << 10 {
                    if poll_fn(|cx| body.poll_capacity(cx)).await.is_none() {
                        return;
                    }
                }
                body.send_data(vec![0; 64 << 10].into(), false).unwrap();
                SENT.set(SENT.get() + (64 << 10));
            }
            body.send_data(Bytes::new(), true).unwrap();
        })
        .await;
        let cluster = cluster(&[peer.address]);
        let answered = post(&cluster, &BodySender::empty()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(SENT.get() <= 256 << 10, "{} bytes", SENT.get());
        // Others have their own room.
        assert!(SENT.get() > 0);
        assert_eq!(read(answered).await.body.len(), 4 << 20);
        check_at_rest(&cluster);
    });
}

#[test]
fn a_slow_server_stops_the_producer() {
    run(async {
        let peer = Peer::start(|mut asked| async move {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let mut bytes = 0;
            while let Some(piece) = asked.body.data().await {
                let piece = piece.unwrap();
                asked
                    .body
                    .flow_control()
                    .release_capacity(piece.len())
                    .unwrap();
                bytes += piece.len();
            }
            asked.answer(&bytes.to_string());
        })
        .await;
        let cluster = cluster(&[peer.address]);
        let body = BodySender::streaming(None);
        let produced = Cell::new(0);
        let early = Cell::new(0);
        let produce = async {
            while produced.get() < 4 << 20 {
                poll_fn(|cx| body.poll_capacity(cx)).await;
                body.push(vec![0; 16 << 10].into());
                produced.set(produced.get() + (16 << 10));
            }
            body.finish();
        };
        let look = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            early.set(produced.get());
        };
        let (answered, (), ()) = tokio::join!(post(&cluster, &body), produce, look);
        assert_eq!(read(answered.unwrap()).await.body, (4 << 20).to_string());
        assert!(early.get() < 1 << 20, "{} bytes at once", early.get());
        check_at_rest(&cluster);
    });
}

#[test]
fn who_waits_for_a_connection_that_fails_learns_it_at_once() {
    run(async {
        let cluster = cluster(&[refusing().await]);
        for outcome in join_all((0..20).map(|_| get(&cluster))).await {
            let error = outcome.map(|got| got.status).unwrap_err();
            assert!(
                matches!(error, DispatchError::ConnectionFailure { .. }),
                "{error}"
            );
        }
        check_at_rest(&cluster);
    });
}

#[test]
fn a_server_of_http1_is_a_protocol_error() {
    run(async {
        let server = Server::start(|_, mut accepted| async move {
            accepted
                .answer(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                .await;
            accepted.closed().await;
        })
        .await;
        let cluster = cluster(&[server.address]);
        let error = get(&cluster).await.map(|got| got.status).unwrap_err();
        assert_eq!(error, DispatchError::Protocol);
        check_at_rest(&cluster);
    });
}

#[test]
fn an_idle_connection_is_closed_and_opened_anew() {
    run(async {
        let peer = Peer::counting().await;
        let idle = |model: &mut weir_model::Cluster| model.idle_timeout = Duration::from_millis(50);
        let cluster = cluster_of(idle, &[peer.address]);
        get(&cluster).await.unwrap();
        until(|| peer.open.get() == 0).await;
        get(&cluster).await.unwrap();
        assert_eq!(peer.connections.get(), 2);
    });
}

#[test]
fn an_announced_end_lets_requests_finish_and_takes_no_more() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cluster = cluster(&[listener.local_addr().unwrap()]);
        tokio::task::spawn_local(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let mut served = server::handshake(stream).await.unwrap();
                tokio::task::spawn_local(async move {
                    while let Some(Ok((_, mut respond))) = served.accept().await {
                        served.graceful_shutdown();
                        tokio::task::spawn_local(async move {
                            tokio::time::sleep(Duration::from_millis(30)).await;
                            let body = respond.send_response(Response::new(()), false);
                            let text = Bytes::from(format!("on {connection}"));
                            body.unwrap().send_data(text, true).unwrap();
                        });
                    }
                });
            }
        });
        let first = get(&cluster);
        let second = async {
            tokio::time::sleep(Duration::from_millis(15)).await;
            get(&cluster).await
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!(first.unwrap().body, "on 0");
        assert_eq!(second.unwrap().body, "on 1");
        check_at_rest(&cluster);
    });
}

/// HTTP/2 would let a body pass that is not what its head announced; servers that turn it into
/// HTTP/1.1 would not notice.
#[test]
fn no_body_is_other_than_announced() {
    run(async {
        let peer = Peer::counting().await;
        let cluster = cluster(&[peer.address]);
        let sent = async |body: &BodySender| {
            let (forward, mut attempts) = (retries(0, &[]), Attempts::default());
            let head = head(Method::POST, &[("content-length", "5")]);
            dispatch(&cluster, &forward, head, body, &mut attempts).await
        };
        drop(read(sent(&BodySender::empty()).await.unwrap()).await);
        let short = BodySender::streaming(Some(5));
        let late = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            short.finish();
        };
        let (outcome, ()) = tokio::join!(sent(&short), late);
        assert!(outcome.is_err() && short.is_short(), "{outcome:?}");
        let requests = peer.requests.borrow();
        assert!(requests[0].ends_with("content-length=0"), "{requests:?}");
        check_at_rest(&cluster);
    });
}
