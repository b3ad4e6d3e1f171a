//! Bodies come and go piece by piece, no faster than they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc;
use weir_functions::{Body, BodyError};

use super::{frame, handler};
use crate::world::{World, answer, get, on_worker};

type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, BodyError>>;

/// A body, and how to write it.
fn channel() -> (Frames, Body) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let frames = stream::poll_fn(move |context| receiver.poll_recv(context));
    (sender, StreamBody::new(frames).boxed_unsync())
}

fn post(path: &str, body: Body) -> weir_functions::Request {
    let request = http::Request::post(format!("http://here.example{path}"));
    request.body(body).unwrap()
}

#[test]
fn a_body_goes_through_piece_by_piece_and_its_trailers_at_the_end() {
    let loaded = handler(|_| ());
    let (frames, body) = channel();
    let (world, _) = World::new();
    on_worker(async {
        let response = loaded.call(post("/echo", body), world).await.unwrap();
        let mut echo = response.into_body();
        for piece in [&b"one"[..], b"two", b"three"] {
            frames.send(Ok(frame(piece))).unwrap();
            let back = echo.frame().await.unwrap().unwrap();
            assert_eq!(back.into_data().unwrap(), piece);
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "3".parse().unwrap());
        frames.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
        let back = echo.frame().await.unwrap().unwrap();
        assert_eq!(back.into_trailers().unwrap(), trailers);
        assert!(echo.frame().await.is_none());
    });
}

#[test]
fn megabytes_come_back_as_they_were() {
    let loaded = handler(|function| function.limits.time = Duration::from_mins(1));
    let piece = |number: u8| Bytes::from(vec![number; 300_000]);
    let frames = (0..20).map(move |number| Ok(Frame::data(piece(number))));
    let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
    let (_, back) = answer(&loaded, post("/echo", body)).unwrap();
    let expected: Vec<u8> = (0..20).flat_map(piece).collect();
    assert!(back == expected, "{} bytes", back.len());
}

#[test]
fn a_response_is_written_no_faster_than_it_is_read() {
    let loaded = handler(|function| function.limits.time = Duration::from_mins(1));
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let pieces = stream::repeat_with(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(Frame::data(Bytes::from(vec![b'x'; 64 << 10])))
    });
    let body = StreamBody::new(pieces.take(200)).boxed_unsync();
    let (world, _) = World::new();
    on_worker(async {
        let response = loaded.call(post("/echo", body), world).await.unwrap();
        let mut echo = response.into_body();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let waiting = taken.load(Ordering::Relaxed);
        assert!(
            waiting < 10,
            "{waiting} pieces were taken though nobody reads"
        );
        let mut bytes = 0;
        while let Some(piece) = echo.frame().await {
            bytes += piece.unwrap().into_data().unwrap().len();
        }
        assert_eq!(bytes, 200 * (64 << 10));
    });
}

#[test]
fn a_body_that_is_never_read_holds_nobody_up() {
    let loaded = handler(|_| ());
    let never = stream::poll_fn(|_| Poll::<Option<Result<Frame<Bytes>, BodyError>>>::Pending);
    let body = StreamBody::new(never).boxed_unsync();
    let (status, told) = answer(&loaded, post("/unread", body)).unwrap();
    assert_eq!((status, &*told), (200, &b"I did not look"[..]));
}

#[test]
fn a_request_that_is_cut_ends_for_the_guest_too() {
    let loaded = handler(|_| ());
    let (frames, body) = channel();
    frames.send(Ok(frame(b"one"))).unwrap();
    frames.send(Err(BodyError::Cut)).unwrap();
    let (_, back) = answer(&loaded, post("/echo", body)).unwrap();
    assert_eq!(back, "one");
}

#[test]
fn an_endless_writer_is_stopped_by_going_away() {
    let loaded = handler(|function| function.limits.time = Duration::from_secs(10));
    let (world, seen) = World::new();
    on_worker(async {
        let response = loaded.call(get("/endless"), world).await.unwrap();
        let mut body = response.into_body();
        for _ in 0..100 {
            assert!(body.frame().await.unwrap().is_ok());
        }
        drop(body);
        tokio::task::yield_now().await;
        assert!(seen.is_over.get().is_some());
    });
}

#[test]
fn large_responses_are_whole() {
    let loaded = handler(|function| function.limits.time = Duration::from_mins(1));
    let (_, bytes) = answer(&loaded, get("/large?5000000")).unwrap();
    assert_eq!(bytes.len(), 5_000_000);
}

#[test]
fn many_calls_run_at_once() {
    let loaded = handler(|_| ());
    on_worker(async {
        let calls = (0..200).map(|_| async {
            let (world, _) = World::new();
            let response = loaded.call(get("/sleep?50"), world).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        });
        let all = futures_util::future::join_all(calls).await;
        assert!(all.iter().all(|told| told == "awake"));
    });
}
