//! What plugins get for their own requests.

use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::fixture::{OK, Server, check_at_rest, cluster, refusing, run};
use crate::dispatch::{CalloutOutcome, callout};

#[derive(Debug, PartialEq)]
enum Seen {
    Response(u16, &'static str, usize),
    Reset,
}

async fn call(
    address: std::net::SocketAddr,
) -> (CalloutOutcome, std::rc::Rc<crate::upstream::Cluster>) {
    let cluster = cluster(&[address]);
    let request = Request::post("/call")
        .header("host", "h.test")
        .header("content-length", "4");
    let request = request.body(Bytes::from_static(b"ping")).unwrap();
    (
        callout(&cluster, request, Some(Duration::from_millis(80))).await,
        cluster,
    )
}

async fn check(address: std::net::SocketAddr, expected: Seen) {
    let (outcome, cluster) = call(address).await;
    match (outcome, expected) {
        (
            CalloutOutcome::Response {
                head,
                body,
                trailers,
            },
            Seen::Response(status, text, count),
        ) => {
            assert_eq!(head.status, status);
            assert_eq!(body, text);
            assert_eq!(trailers.map_or(0, |trailers| trailers.len()), count);
        }
        (CalloutOutcome::Reset, Seen::Reset) => {}
        (outcome, expected) => panic!("expected {expected:?}, got {outcome:?}"),
    }
    check_at_rest(&cluster);
}

async fn answering(answer: &'static [u8]) -> std::net::SocketAddr {
    Server::start(move |_, mut accepted| async move {
        accepted.request().await;
        accepted.answer(answer).await;
    })
    .await
    .address
}

async fn hanging_after(answer: &'static [u8]) -> std::net::SocketAddr {
    Server::start(move |_, mut accepted| async move {
        accepted.request().await;
        accepted.answer(answer).await;
        accepted.closed().await;
    })
    .await
    .address
}

#[test]
fn an_answer_is_whole() {
    run(async {
        check(answering(OK).await, Seen::Response(200, "ok", 0)).await;
        let chunked = b"HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nx-t: 1\r\n\r\n";
        check(answering(chunked).await, Seen::Response(404, "ab", 1)).await;
    });
}

#[test]
fn silence_is_504() {
    run(async {
        let silent = hanging_after(b"").await;
        check(silent, Seen::Response(504, "upstream request timeout", 0)).await;
    });
}

#[test]
fn no_connection_is_503() {
    run(async {
        let text = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
        check(refusing().await, Seen::Response(503, text, 0)).await;
    });
}

#[test]
fn a_reset_before_the_head_is_503() {
    run(async {
        let text = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
        check(answering(b"").await, Seen::Response(503, text, 0)).await;
    });
}

#[test]
fn a_break_after_the_head_is_a_reset() {
    run(async {
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
        check(answering(half).await, Seen::Reset).await;
        check(hanging_after(half).await, Seen::Reset).await;
    });
}
