//! Filters that call their own gateway, whose filter calls again.

use std::net::TcpListener;

use super::{Walls, hits, script};
use crate::harness::Gateway;

/// Memory that a whole chain of a few hundred requests may take.
const CHAIN_KIB: u64 = 64 << 10;

/// A gateway whose cluster `me` is its own listener.
fn start(walls: &Walls) -> Gateway {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let port = free.expect("there is a free port").port();
    let site = walls
        .site()
        .replace(
            "address: 127.0.0.1:0\n    name: main",
            &format!("address: 127.0.0.1:{port}\n    name: main"),
        )
        .replace(
            "clusters:\n",
            &format!("clusters:\n  me: {{ endpoints: [\"127.0.0.1:{port}\"], ejection: off }}\n"),
        );
    Gateway::start(&site)
}

/// Requests wait for their callouts in vain here: the guest never continues them. What ends the
/// chain is the limit at the bottom and the callouts' time above it.
const CHAIN: &str = r#"
    (request_headers
      (!call "me" "{:method:GET;:path:/again;:authority:h}" "" "" 2000)
      (if (i32.eqz (global.get $status)) (then (return (i32.const 1))))
      (!reply 200 "" "the bottom" "" -1) 1)"#;

#[test]
fn a_chain_of_callouts_to_oneself_ends_at_the_limit() {
    let walls = script(CHAIN)
        .limits("callouts: 200")
        .and("drain_timeout: 2s");
    let gateway = start(&walls);
    let before = gateway.resident_kib();
    let mut client = gateway.connect();
    client.send(crate::harness::get("/first", ""));
    gateway.logged("limits.callouts: 200");
    assert_eq!(gateway.get("/well", "").status(), 200);
    let growth = gateway.resident_kib().saturating_sub(before);
    assert!(growth < CHAIN_KIB, "{growth} KiB");
    // Only the limit ends it, and it ends it at once.
    assert_eq!(hits(&gateway, "callouts"), 1);
    // The callouts' time passes, level by level; those who called have left, and so nothing stays.
    drop(client);
    gateway.wait_for_total("requests_active", 0);
    gateway.finish();
}

/// Two callouts for each request: the limit is met sooner, and nothing grows beyond it.
#[test]
fn a_tree_of_callouts_to_oneself_ends_at_the_limit() {
    let twice = CHAIN.replacen(
        "(!call",
        "(!call \"me\" \"{:method:GET;:path:/twin;:authority:h}\" \"\" \"\" 2000) (!call",
        1,
    );
    let walls = script(&twice)
        .limits("callouts: 100")
        .and("drain_timeout: 2s");
    let gateway = start(&walls);
    let before = gateway.resident_kib();
    let mut client = gateway.connect();
    client.send(crate::harness::get("/first", ""));
    gateway.logged("limits.callouts: 100");
    assert_eq!(gateway.get("/well", "").status(), 200);
    let growth = gateway.resident_kib().saturating_sub(before);
    assert!(growth < CHAIN_KIB, "{growth} KiB");
    drop(client);
    gateway.wait_for_total("requests_active", 0);
    gateway.finish();
}

/// A guest that answers when its callout is answered: all levels answer in turn.
#[test]
fn all_levels_of_a_chain_are_answered() {
    // Contexts are kept by token: level n's token is known by its context.
    let guest = r#"
        (request_headers
          (!call "me" "{:method:GET;:path:/again;:authority:h}" "" "" 60000)
          (if (i32.eqz (global.get $status)) (then
            (i32.store (i32.add (i32.const 1048576) (i32.shl (i32.rem_u (out) (i32.const 65536)) (i32.const 2))) (local.get $ctx))
            (return (i32.const 1))))
          (!reply 200 "" "the bottom" "" -1) 1)
        (http_call_response
          (!effective (i32.load (i32.add (i32.const 1048576) (i32.shl (i32.rem_u (local.get $token) (i32.const 65536)) (i32.const 2)))))
          (!reply 200 "" "a level" "" -1))"#;
    let gateway = start(
        &script(guest)
            .limits("callouts: 100")
            .and("drain_timeout: 2s"),
    );
    let answer = gateway.get("/first", "");
    assert_eq!((answer.status(), &*answer.text()), (200, "a level"));
    assert_eq!(hits(&gateway, "callouts"), 1);
    gateway.wait_for_total("requests_active", 0);
    // The request itself, and one for each callout.
    assert_eq!(gateway.total("requests"), 101);
    gateway.finish();
}
