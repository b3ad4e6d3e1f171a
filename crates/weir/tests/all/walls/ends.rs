//! SIGTERM in the middle of each fault: the gateway ends within the drain time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Walls, script};
use crate::harness::{Wire, get};

/// What stands in the configuration.
const DRAIN: Duration = Duration::from_secs(2);
/// The end of root contexts, of a call that runs, of threads, and a busy machine.
const MARGIN: Duration = Duration::from_secs(8);

/// Sends requests from several clients, and SIGTERM in the middle.
#[track_caller]
fn check(walls: Walls, requests: &[String]) {
    let gateway = walls.and("drain_timeout: 2s").start();
    let (address, is_over) = (gateway.address(), AtomicBool::new(false));
    let took = thread::scope(|scope| {
        for client in 0..3 {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut wire = None;
                for request in requests.iter().cycle().skip(client) {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let Ok(stream) = std::net::TcpStream::connect(address) else {
                        thread::sleep(Duration::from_millis(5));
                        continue;
                    };
                    let wire = wire.insert(Wire::of(stream));
                    let patience = Some(Duration::from_millis(200));
                    wire.stream
                        .set_read_timeout(patience)
                        .expect("a socket takes it");
                    // Whatever comes, or nothing: the gateway may be gone.
                    if wire.try_send(request).is_ok() {
                        let _ = wire.try_response();
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(400));
        let begun = Instant::now();
        let mut gateway = gateway;
        gateway.signal("TERM");
        let status = gateway.exit();
        let took = begun.elapsed();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(status.code(), Some(0));
        let log = gateway.log();
        assert!(
            !log.lines().any(|line| line.starts_with("thread '")),
            "{log}"
        );
        took
    });
    assert!(took < DRAIN + MARGIN, "{took:?}");
}

fn asks(header: &str) -> Vec<String> {
    vec![get("/one", ""), get("/two", &format!("{header}: 1\r\n"))]
}

/// A guest that does something when a header asks for it.
fn when_asked(what: &str) -> Walls {
    script(&format!(
        r#"(request_headers (!get 0 "x-asks") (if (i32.ne (out) 0) (then {what})) 0)"#
    ))
}

#[test]
fn during_traps() {
    check(when_asked("(unreachable)"), &asks("x-asks"));
}

#[test]
fn during_endless_loops() {
    check(
        when_asked("(loop (br 0))").limits("time: 1s"),
        &asks("x-asks"),
    );
}

#[test]
fn during_requests_that_wait_for_ever() {
    check(when_asked("(return (i32.const 1))"), &asks("x-asks"));
}

#[test]
fn during_memory_bombs() {
    let grow =
        "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
    check(when_asked(grow), &asks("x-asks"));
}

#[test]
fn during_log_storms() {
    check(
        when_asked(r#"(loop (say "storm") (br 0))"#).limits("time: 500ms"),
        &asks("x-asks"),
    );
}

#[test]
fn while_a_new_vm_does_not_start() {
    let guest = r#"
        (vm_start (!get_shared "started") (if (i32.eqz (global.get $status)) (then (loop (br 0))))
            (!set_shared "started" "1" 0) 1)
        (request_headers (!get 0 "x-asks") (if (i32.ne (out) 0) (then (unreachable))) 0)"#;
    check(script(guest).limits("start_time: 1s"), &asks("x-asks"));
}

#[test]
fn while_the_root_refuses_to_end() {
    // It asks for time and never says that it is done; its timer goes on, and traps at the end.
    let guest = "(configure (tick_every 10) 1) (done 0) (request_headers 0)";
    check(script(guest), &asks("x-asks"));
    let guest = "(done (unreachable)) (request_headers 0)";
    check(script(guest), &asks("x-asks"));
    let guest = "(done (loop (br 0)) 1) (request_headers 0)";
    check(script(guest).limits("time: 500ms"), &asks("x-asks"));
}
