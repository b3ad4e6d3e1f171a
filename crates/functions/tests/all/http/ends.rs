//! How a call may end, and what whoever called is told.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use weir_functions::{BodyError, Fault, FaultKind, Stream};
use weir_model::Function;

use super::{SOON, handler};
use crate::world::{World, answer, get, on_worker};

fn fault(path: &str, change: impl FnOnce(&mut Function)) -> Fault {
    answer(&handler(change), get(path)).unwrap_err()
}

fn check(path: &str, kind: FaultKind, texts: &[&str]) {
    let fault = fault(path, |function| {
        function.limits.timeout = Duration::from_secs(10);
    });
    assert_eq!(fault.kind, kind, "{path}: {fault}");
    for text in texts {
        assert!(fault.text.contains(text), "{path}: {fault}");
    }
    assert_eq!(fault.function, "it");
}

#[test]
fn each_way_to_fail_before_the_head_has_a_kind() {
    check("/trap", FaultKind::Trap, &["unreachable", "; in "]);
    check("/none", FaultKind::NoResponse, &["without a response"]);
    check("/error", FaultKind::BadResponse, &["as the path says"]);
    check("/stop?0", FaultKind::NoResponse, &["code 0"]);
    check("/stop?1", FaultKind::Trap, &["code 1"]);
}

#[test]
fn a_guest_that_computes_for_too_long_ends() {
    let before = Instant::now();
    let fault = fault("/loop", |function| function.limits.time = SOON);
    assert_eq!(fault.kind, FaultKind::Deadline);
    assert!(
        fault.text.starts_with("it ran longer than 100ms: "),
        "{fault}"
    );
    assert!(before.elapsed() >= SOON, "it had its time");
}

#[test]
fn a_guest_that_waits_for_too_long_ends() {
    let fault = fault("/sleep?10000", |function| function.limits.timeout = SOON);
    assert_eq!(fault.kind, FaultKind::Deadline);
    assert_eq!(fault.text, "no response within 100ms");
}

#[test]
fn waiting_is_no_running_time() {
    let loaded = handler(|function| function.limits.time = Duration::from_millis(50));
    let (status, told) = answer(&loaded, get("/sleep?300")).unwrap();
    assert_eq!((status, &*told), (200, &b"awake"[..]));
}

#[test]
fn a_guest_that_computes_lets_others_run() {
    let loaded = handler(|function| function.limits.time = Duration::from_mins(1));
    on_worker(async {
        let (world, seen) = World::new();
        let busy = loaded.call(get("/loop"), world);
        let other = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(seen.is_over.get().is_none(), "the guest still runs");
        };
        tokio::select! {
            biased;
            ended = busy => panic!("it held its worker until its end: {ended:?}"),
            () = other => {}
        }
    });
}

#[test]
fn memory_has_a_limit() {
    let change = |function: &mut Function| function.limits.memory_bytes = 8 << 20;
    let (_, told) = answer(&handler(change), get("/grow?4")).unwrap();
    assert_eq!(told, "4");
    let fault = fault("/grow?16", change);
    assert_eq!(fault.kind, FaultKind::Limit);
    assert!(
        fault
            .text
            .starts_with("it may have 8388608 bytes of memory: "),
        "{fault}"
    );
}

#[test]
fn a_guest_that_begins_too_large_is_told_as_such() {
    let fault = fault("/", |function| function.limits.memory_bytes = 1 << 16);
    assert_eq!(fault.kind, FaultKind::Limit);
}

/// What has come of a body before it failed, and why it did.
fn broken(path: &str, change: impl FnOnce(&mut Function)) -> (Vec<u8>, BodyError) {
    let loaded = handler(change);
    let (world, seen) = World::new();
    on_worker(async {
        let response = loaded.call(get(path), world).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        loop {
            match body.frame().await.expect("the body does not end well") {
                Ok(frame) => bytes.extend(frame.into_data().unwrap()),
                Err(error) => {
                    assert!(body.frame().await.is_none(), "nothing after the failure");
                    tokio::task::yield_now().await;
                    assert!(seen.is_over.get().is_some(), "the guest is gone");
                    return (bytes, error);
                }
            }
        }
    })
}

#[test]
fn each_way_to_fail_after_the_head_is_the_error_of_the_body() {
    let none = |_: &mut Function| ();
    let (bytes, error) = broken("/loop-later", |function| function.limits.time = SOON);
    assert_eq!(bytes, b"so far");
    let told = error.to_string();
    assert!(told.contains("it ran longer than 100ms"), "{told}");

    let (bytes, error) = broken("/sleep-later?10000", |function| {
        function.limits.timeout = SOON;
    });
    assert_eq!((&*bytes, error), (&b"so far"[..], BodyError::TimedOut));

    // It fails in the same breath, so there is nothing yet that could not be taken back.
    assert_eq!(fault("/trap-later", none).kind, FaultKind::Trap);

    let loaded = handler(none);
    let (world, _) = World::new();
    on_worker(async {
        let response = loaded.call(get("/cut"), world).await.unwrap();
        let error = response.into_body().collect().await.unwrap_err();
        assert!(matches!(error, BodyError::Function { .. }), "{error}");
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
        assert!(seen.is_over.get().is_none());
        while seen.is_over.get().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let lines = seen.lines.lock().unwrap().clone();
    assert_eq!(lines, [(Stream::Out, "afterwards".to_owned())]);
}

#[test]
fn a_guest_may_not_go_on_for_ever_when_its_response_is_whole() {
    let loaded = handler(|function| function.limits.timeout = SOON);
    let (world, seen) = World::new();
    on_worker(async {
        let response = loaded.call(get("/after?10000"), world).await.unwrap();
        response.into_body().collect().await.unwrap();
        let before = Instant::now();
        while seen.is_over.get().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(before.elapsed() < Duration::from_secs(5));
    });
    assert!(seen.lines.lock().unwrap().is_empty());
}

#[test]
fn a_guest_ends_when_nobody_wants_its_response() {
    let loaded = handler(|_| ());
    on_worker(async {
        // Before the head.
        let (world, seen) = World::new();
        let call = loaded.call(get("/sleep?10000"), world);
        assert!(tokio::time::timeout(SOON, call).await.is_err());
        assert!(seen.is_over.get().is_some());
        // After it.
        let (world, seen) = World::new();
        let response = loaded.call(get("/sleep-later?10000"), world).await.unwrap();
        assert!(seen.is_over.get().is_none());
        drop(response);
        tokio::task::yield_now().await;
        assert!(seen.is_over.get().is_some());
    });
}
