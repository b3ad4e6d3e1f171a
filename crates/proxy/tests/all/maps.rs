//! Shared maps as filters have them: grants, handles, loans, watches, and what becomes of all that
//! when instances end.

mod lending;
mod watching;

use weir_model::{Isolation, MapRight, Seeding, SharedMap};

use crate::guest::guest;
use crate::stage::{GET, Gateway, Stage, is_oracle, with};
use crate::upstream::eventually;

/// The functions of maps, and `$opened`, which opens a map and keeps the handle in `$h`.
const MAPS: &str = r#"
(import "wasi_map_v1" "open" (func $m_open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "create" (func $m_create (param i32 i32) (result i32)))
(import "wasi_map_v1" "close" (func $m_close (param i32) (result i32)))
(import "wasi_map_v1" "lend" (func $m_lend (param i32 i64 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "transfer" (func $m_transfer (param i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "accept" (func $m_accept (param i32 i32) (result i32)))
(import "wasi_map_v1" "get" (func $m_get (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "set" (func $m_set (param i32 i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "delete" (func $m_delete (param i32 i32 i32) (result i32)))
(import "wasi_map_v1" "increment" (func $m_add (param i32 i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "watch" (func $m_watch (param i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "next" (func $m_next (param i32 i64 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "put_map" (func $m_put (param i32 i32 i32 i32) (result i32)))
(global $h (mut i32) (i32.const 0))
(func $opened (param $p i32) (param $n i32) (param $rights i64) (result i32) (local $errno i32)
  (local.set $errno (call $m_open $p $n (local.get $rights) 60000))
  (global.set $h (i32.load 60000))
  (local.get $errno))
"#;

/// A guest with these functions.
fn user(script: &str) -> Vec<u8> {
    guest(&format!("{MAPS}\n{script}"))
}

/// Grants rights on a map to the last filter.
fn grant(stage: Stage, map: &str, rights: &[MapRight]) -> Stage {
    let rights = rights.iter().copied().collect();
    stage.tune(|filter| {
        filter.grants.maps.maps.insert(map.into(), rights);
    })
}

/// One filter that may do everything with the map `m`.
fn alone(script: &str) -> Stage {
    let stage = with(user(script)).map("m", SharedMap::default());
    grant(stage, "m", &MapRight::ALL)
}

fn counter(gateway: &Gateway, map: &str, key: &str) -> i64 {
    use weir_maps::{Store as _, store::Seen};
    let root = gateway.maps().find("", map).expect("a map");
    let mut see = |seen: Seen<'_>| seen.value.as_number().expect("a counter");
    let seen = root.map().store().read(key.as_bytes(), &mut see).now();
    seen.expect("memory").unwrap_or(0)
}

const COUNT: &str = r#"
    (configure (show "open" (call $opened (ptr "m") (len "m") (i64.const 2))) 1)
    (request_headers (drop (call $m_add @h (ptr "n") (len "n") (i64.const 1) 60008)))"#;

/// Many clients at once on two workers.
fn ask_often(gateway: &Gateway, clients: usize, each: usize) {
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..each {
                    client.send(GET);
                    assert_eq!(client.response().status, 200);
                }
            });
        }
    });
}

#[test]
fn each_request_on_each_worker_is_counted_once() {
    if is_oracle() {
        return;
    }
    let gateway = alone(COUNT).workers(2).start();
    ask_often(&gateway, 8, 100);
    assert_eq!(counter(&gateway, "m", "n"), 800);
}

#[test]
fn copies_of_a_vm_have_the_handles_that_it_opened() {
    if is_oracle() {
        return;
    }
    let stage = alone(COUNT).workers(2);
    let gateway = stage
        .tune(|filter| filter.isolation = Isolation::Request(Seeding::default()))
        .start();
    ask_often(&gateway, 4, 50);
    assert_eq!(counter(&gateway, "m", "n"), 200);
    assert!(gateway.logs(0).iter().all(|line| line == "open 0"));
}

#[test]
fn what_a_request_opens_in_its_copy_is_not_there_for_the_next() {
    if is_oracle() {
        return;
    }
    let script = r#"
        (configure (show "open" (call $opened (ptr "m") (len "m") (i64.const 2))) 1)
        (request_headers
          (show "again" (call $opened (ptr "m") (len "m") (i64.const 1)))
          (show "handle" @h)
          (show "map" (call $m_create 0 60000)))"#;
    let stage = alone(script).tune(|filter| {
        // Several images would each open it.
        filter.isolation = Isolation::Request(Seeding {
            images: 1,
            ..Seeding::default()
        });
    });
    let gateway = stage.start();
    for _ in 0..20 {
        assert_eq!(gateway.ask(GET).status, 200);
    }
    let logs = gateway.logs_when(0, 61);
    let opened: Vec<_> = logs
        .iter()
        .filter(|line| line.starts_with("handle"))
        .collect();
    assert!(opened.iter().all(|line| *line == "handle 2"), "{logs:?}");
    let freed = eventually(|| (gateway.maps().stat().anonymous == 0).then_some(()));
    assert!(freed.is_some(), "{:?}", gateway.maps().stat());
}

#[test]
fn filters_share_a_map_with_the_rights_that_each_was_granted() {
    if is_oracle() {
        return;
    }
    let writer = r#"
        (request_headers
          (show "open" (call $opened (ptr "m") (len "m") (i64.const 2)))
          (show "set" (call $m_set @h (ptr "key") (len "key") (ptr "value") (len "value")))
          (show "get" (call $m_get @h (ptr "key") (len "key") 60100 100 60004 60008))
          (show "delete" (call $m_delete @h (ptr "key") (len "key"))))"#;
    let reader = r#"
        (request_headers
          (show "more" (call $opened (ptr "m") (len "m") (i64.const 3)))
          (show "open" (call $opened (ptr "m") (len "m") (i64.const 1)))
          (show "get" (call $m_get @h (ptr "key") (len "key") 60100 100 60004 60008))
          (show_bytes "value" 60100 (i32.load 60004))
          (show "set" (call $m_set @h (ptr "key") (len "key") (ptr "value") (len "value"))))"#;
    let stranger = r#"
        (request_headers
          (show "open" (call $opened (ptr "m") (len "m") (i64.const 1)))
          (show "none" (call $opened (ptr "no such") (len "no such") (i64.const 1)))
          (show "get" (call $m_get 1 (ptr "key") (len "key") 60100 100 60004 60008)))"#;
    let stage = with(user(writer)).map("m", SharedMap::default());
    let stage = grant(stage, "m", &[MapRight::Write]).filter(user(reader));
    let stage = grant(stage, "m", &[MapRight::Read]).filter(user(stranger));
    let gateway = stage.start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["open 0", "set 0", "get 76", "delete 76"]);
    gateway.check(1, &["more 76", "open 0", "get 0", "value value", "set 76"]);
    // Not granted, and not there: it learns nothing.
    gateway.check(2, &["open 44", "none 44", "get 8"]);
    let refused = gateway.touched(2);
    assert_eq!(refused.len(), 2, "{refused:?}");
}

#[test]
fn modules_of_the_first_draft_open_the_default() {
    if is_oracle() {
        return;
    }
    let of = |ty: &str, open: &str| {
        guest(
            &r#"(import "wasi_map" "wasi_map_open" (func $open TYPE))
               (import "wasi_map" "wasi_map_set" (func $set (param i32 i32 i32 i32 i32) (result i32)))
               (import "wasi_map" "wasi_map_get" (func $get (param i32 i32 i32 i32 i32) (result i32)))
               (global $h (mut i32) (i32.const 0))
               (request_headers (set h OPEN)
                 (show "handle" @h)
                 (show "set" (call $set @h (ptr "k") (len "k") (ptr "four") (len "four")))
                 (show "get" (call $get @h (ptr "k") (len "k") 60000 2)))"#
                .replace("TYPE", ty)
                .replace("OPEN", open),
        )
    };
    let plain = of("(result i32)", "(call $open)");
    let named = of(
        "(param i32 i32) (result i32)",
        r#"(call $open (ptr "m") (len "m"))"#,
    );
    let stage = with(plain.clone()).map("m", SharedMap::default());
    let stage = grant(stage, "m", &MapRight::ALL)
        .tune(|filter| filter.grants.maps.default = Some("m".into()))
        .filter(named);
    let stage = grant(stage, "m", &MapRight::ALL).filter(plain);
    let gateway = stage.start();
    gateway.ask(GET);
    gateway.check(0, &["handle 1", "set 0", "get 4"]);
    gateway.check(1, &["handle 1", "set 0", "get 4"]);
    let minus_badf = u32::MAX - 7;
    let last = format!("get {minus_badf}");
    gateway.check(2, &["handle 0", "set 8", &last]);
}

#[test]
fn a_capability_that_is_not_listed_is_refused() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers
        (show "open" (call $opened (ptr "m") (len "m") (i64.const 3)))
        (show "set" (call $m_set @h (ptr "k") (len "k") (ptr "v") (len "v"))))"#;
    let stage = alone(script).tune(|filter| {
        let names = ["proxy_log", "proxy_on_request_headers", "wasi_map_open"];
        filter.capabilities = Some(names.map(str::to_owned).to_vec());
    });
    let gateway = stage.start();
    gateway.ask(GET);
    gateway.check(0, &["open 0", "set 76"]);
}

#[test]
fn a_trap_drops_what_the_instance_held() {
    if is_oracle() {
        return;
    }
    let script = r#"
        (configure (show "create" (call $m_create 0 60000)) 1)
        (request_headers
          (drop (call $m_create 0 60000))
          (if (i32.eq (call $has_trap) 1) (then unreachable)))
        (func $has_trap (result i32)
          (!get 0 "x-trap") (i32.eqz @status))"#;
    let gateway = alone(script).start();
    let live = |count: usize| {
        let reached = eventually(|| (gateway.maps().stat().anonymous == count).then_some(()));
        assert!(reached.is_some(), "{count}: {:?}", gateway.maps().stat());
    };
    live(1);
    for _ in 0..3 {
        assert_eq!(gateway.ask(GET).status, 200);
    }
    live(4);
    let trap = "GET /p HTTP/1.1\r\nhost: h\r\nx-trap: 1\r\n\r\n";
    assert_eq!(gateway.ask(trap).status, 503);
    // The VM in its place has made one when it was configured.
    live(1);
    gateway.drain();
}

#[test]
fn maps_that_a_filter_makes_have_a_quota() {
    if is_oracle() {
        return;
    }
    let script = r#"
        (request_headers
          (show "create" (call $m_create 0 60000))
          (set h (i32.load 60000))
          (show "one" (call $m_set @h (ptr "a") (len "a") (ptr "v") (len "v")))
          (show "two" (call $m_set @h (ptr "b") (len "b") (ptr "v") (len "v"))))"#;
    let stage = alone(script).tune(|filter| filter.grants.maps.quota.entries = 1);
    let gateway = stage.start();
    gateway.ask(GET);
    gateway.check(0, &["create 0", "one 0", "two 51"]);
}

#[test]
fn a_map_that_cannot_be_made_is_told_by_its_name() {
    let long: String = "m".repeat(300);
    let error = with(user("")).map(&long, SharedMap::default()).try_start();
    let error = error.err().expect("a name of 300 bytes");
    assert!(
        error.starts_with("map mmm") && error.contains("256"),
        "{error}"
    );
}
