//! Handlers of `wasi:http` 0.3, by the guest `handler3`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc;
use weir_functions::{BodyError, FaultKind, Kind, Loaded, Stream};
use weir_model::{Function, FunctionKind};

use super::{SOON, frame};
use crate::world::{World, answer, body, function, get, on_worker, prebuilt, runtime};

fn handler(change: impl FnOnce(&mut Function)) -> Loaded {
    let mut function = function(FunctionKind::Auto);
    change(&mut function);
    Loaded::new(runtime(), &function, &prebuilt("handler3")).unwrap()
}

#[test]
fn a_component_answers() {
    let loaded = handler(|_| ());
    assert_eq!(loaded.kind(), Kind::Http);
    assert_eq!(answer(&loaded, get("/")).unwrap(), (200, "hello".into()));
    assert_eq!(
        answer(&loaded, get("/sleep?20")).unwrap(),
        (200, "awake".into())
    );
}

#[test]
fn a_body_goes_through_piece_by_piece_and_its_trailers_at_the_end() {
    let loaded = handler(|_| ());
    let (frames, mut receiver) = mpsc::unbounded_channel::<Result<Frame<Bytes>, BodyError>>();
    let pieces = stream::poll_fn(move |context| receiver.poll_recv(context));
    let request = http::Request::post("http://here.example/echo");
    let request = request
        .body(StreamBody::new(pieces).boxed_unsync())
        .unwrap();
    let (world, _) = World::new();
    on_worker(async {
        let mut echo = loaded.call(request, world).await.unwrap().into_body();
        for piece in [&b"one"[..], b"two", b"three"] {
            frames.send(Ok(frame(piece))).unwrap();
            let back = echo.frame().await.unwrap().unwrap();
            assert_eq!(back.into_data().unwrap(), piece);
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "3".parse().unwrap());
        frames.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
        drop(frames);
        let back = echo.frame().await.unwrap().unwrap();
        assert_eq!(back.into_trailers().unwrap(), trailers);
        assert!(echo.frame().await.is_none());
    });
}

#[test]
fn each_way_to_fail_has_its_kind() {
    let rows = [
        ("/trap", FaultKind::Trap, "unreachable"),
        ("/error", FaultKind::BadResponse, "as the path says"),
        ("/loop", FaultKind::Deadline, "it ran longer than 100ms"),
        ("/sleep?10000", FaultKind::Deadline, "no response within 1s"),
    ];
    for (path, kind, text) in rows {
        let loaded = handler(|function| {
            function.limits.time = SOON;
            function.limits.timeout = Duration::from_secs(1);
        });
        let fault = answer(&loaded, get(path)).unwrap_err();
        assert_eq!(fault.kind, kind, "{path}: {fault}");
        assert!(fault.text.contains(text), "{path}: {fault}");
    }
}

#[test]
fn a_trap_after_the_head_is_the_error_of_the_body() {
    let loaded = handler(|_| ());
    let (world, seen) = World::new();
    on_worker(async {
        let response = loaded.call(get("/trap-later"), world).await.unwrap();
        let mut body = response.into_body();
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "so far");
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("unreachable"), "{error}");
        assert!(seen.is_over.get().is_some());
    });
}

#[test]
fn an_endless_writer_is_stopped_by_going_away() {
    let loaded = handler(|function| function.limits.time = Duration::from_mins(1));
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
fn a_guest_may_go_on_when_its_response_is_whole() {
    let loaded = handler(|_| ());
    let (world, seen) = World::new();
    on_worker(async {
        let response = loaded.call(get("/after?50"), world).await.unwrap();
        let told = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(told, "whole");
        while seen.is_over.get().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let lines = seen.lines.lock().unwrap().clone();
    assert_eq!(lines, [(Stream::Out, "afterwards".to_owned())]);
}

#[test]
fn requests_of_a_guest_go_to_its_surroundings() {
    let (mut world, _) = World::new();
    world.fetcher = Box::new(|fetch| {
        let asked = format!("{} {}", fetch.request.method(), fetch.request.uri());
        let response = http::Response::builder().status(404);
        let response = response.body(body(asked)).unwrap();
        Box::pin(async { Ok(response) })
    });
    let (status, told) = on_worker(async {
        let request = get("/fetch?weir://other/a?b");
        let response = handler(|_| ()).call(request, world).await.unwrap();
        let status = response.status().as_u16();
        (
            status,
            response.into_body().collect().await.unwrap().to_bytes(),
        )
    });
    assert_eq!((status, &*told), (404, &b"GET weir://other/a?b"[..]));
}
