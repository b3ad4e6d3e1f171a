//! What guests are told without asking: changes, and maps that are gone.

use weir_model::{Isolation, MapRight, Seeding, SharedMap};

use super::{alone, grant, user};
use crate::stage::{GET, is_oracle, with};

/// Follows the map from its configuration on and shows what it is told: the kind of each change.
const FOLLOWER: &str = r#"
    (configure
      (drop (call $opened (ptr "m") (len "m") (i64.const 17)))
      (show "watch" (call $m_watch @h (ptr "") (len "") 60004))
      (show "number" (i32.load 60004)) 1)
    (func (export "wasi_map_on_change") (param $ctx i32) (param $watch i32)
      (show "context" $ctx)
      (block $over (loop $more
        (br_if $over (call $m_next $watch (i64.const 0) 60100 24 60008))
        (show "kind" (i32.load 60104))
        (br $more))))"#;

const CHANGER: &str = r#"
    (request_headers
      (drop (call $opened (ptr "m") (len "m") (i64.const 6)))
      (drop (call $m_set @h (ptr "k") (len "k") (ptr "v") (len "v"))))
    (response_headers
      (drop (call $m_delete @h (ptr "k") (len "k"))))"#;

#[test]
fn a_change_reaches_the_callback_of_who_watches() {
    if is_oracle() {
        return;
    }
    let stage = with(user(CHANGER)).map("m", SharedMap::default());
    let stage = grant(stage, "m", &[MapRight::Write, MapRight::Delete]).filter(user(FOLLOWER));
    let gateway = grant(stage, "m", &[MapRight::Read, MapRight::Watch]).start();
    gateway.ask(GET);
    gateway.until(1, "kind 2");
    let logs = gateway.logs(1);
    assert_eq!(
        logs[..3],
        ["watch 0", "number 1", "context 1"].map(str::to_owned)
    );
    // Again, after everything was read.
    let before = logs.len();
    gateway.ask(GET);
    let logs = gateway.logs_when(1, before + 2);
    assert!(
        logs[before..].iter().any(|line| line.starts_with("kind")),
        "{logs:?}"
    );
}

#[test]
fn a_change_on_another_worker_is_told_on_each() {
    if is_oracle() {
        return;
    }
    let stage = with(user(CHANGER))
        .map("m", SharedMap::default())
        .workers(2);
    let stage = grant(stage, "m", &[MapRight::Write, MapRight::Delete]).filter(user(FOLLOWER));
    let gateway = grant(stage, "m", &[MapRight::Read, MapRight::Watch]).start();
    gateway.ask(GET);
    let told = crate::upstream::eventually(|| {
        let logs = gateway.logs(1);
        let last = logs.iter().filter(|line| *line == "kind 2").count();
        (last == 2).then_some(())
    });
    assert!(told.is_some(), "{:?}", gateway.logs(1));
}

#[test]
fn with_a_copy_for_each_request_the_root_is_told_and_copies_see_what_it_learnt() {
    if is_oracle() {
        return;
    }
    let follower = format!("{FOLLOWER} (request_headers (show \"seen\" @a))").replace(
        "(show \"kind\" (i32.load 60104))",
        "(set a (i32.load 60104))",
    );
    let stage = with(user(CHANGER)).map("m", SharedMap::default());
    let stage = grant(stage, "m", &[MapRight::Write, MapRight::Delete]).filter(user(&follower));
    let stage = grant(stage, "m", &[MapRight::Read, MapRight::Watch]);
    let gateway = stage
        .tune(|filter| filter.isolation = Isolation::Request(Seeding::default()))
        .start();
    gateway.ask(GET);
    let seen = crate::upstream::eventually(|| {
        gateway.ask(GET);
        let logs = gateway.logs(1);
        let seen = logs.iter().any(|line| line == "seen 1" || line == "seen 2");
        seen.then_some(())
    });
    assert!(seen.is_some(), "{:?}", gateway.logs(1));
}

#[test]
fn a_watch_of_a_request_is_told_to_its_context_while_it_lasts() {
    if is_oracle() {
        return;
    }
    // It pauses until the change that its own timer makes.
    let script = r#"
        (configure (!tick_every 20) 1)
        (request_headers
          (drop (call $opened (ptr "m") (len "m") (i64.const 19)))
          (drop (call $m_watch @h (ptr "") (len "") 60004))
          (set a $ctx)
          1)
        (tick (if @a (then
          (drop (call $m_set @h (ptr "k") (len "k") (ptr "v") (len "v"))))))
        (func (export "wasi_map_on_change") (param $ctx i32) (param $watch i32)
          (show "own" (i32.eq $ctx @a))
          (set a 0)
          (!effective $ctx)
          (!continue 0))"#;
    let gateway = alone(script).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["own 1"]);
}

#[test]
fn who_put_a_map_somewhere_is_told_when_it_is_gone() {
    if is_oracle() {
        return;
    }
    let script = r#"
        (request_headers
          (drop (call $opened (ptr "m") (len "m") (i64.const 38)))
          (drop (call $m_create 0 60004))
          (show "put" (call $m_put @h (ptr "child") (len "child") (i32.load 60004)))
          (drop (call $m_close (i32.load 60004)))
          (show "delete" (call $m_delete @h (ptr "child") (len "child"))))
        (func (export "wasi_map_on_release") (param $map i64)
          (say "gone"))"#;
    let gateway = alone(script).start();
    gateway.ask(GET);
    gateway.check(0, &["put 0", "delete 0", "gone"]);
}
