//! Handles on their way from one filter to another.

use weir_model::{MapRight, SharedMap};

use super::{grant, user};
use crate::stage::{GET, Gateway, Stage, is_oracle, with};
use crate::upstream::eventually;

/// Makes a map with one entry, and passes a ticket on in a header.
const GIVE: &str = r#"
    (drop (call $m_create 0 60000))
    (set h (i32.load 60000))
    (drop (call $m_set @h (ptr "k") (len "k") (ptr "image") (len "image")))
    (show "give" HAND_OVER)
    (call $hex 60016 60032)
    (!add 0 "x-ticket" (i32.const 60032) (i32.const 32))"#;
/// Takes what the ticket in the header carries.
const ACCEPT: &str = r#"
    (!get 0 "x-ticket")
    (call $unhex (out) 60016)
    (show "accept" (call $m_accept 60016 60000))
    (set h (i32.load 60000))"#;
const TRANSFER: &str = r#"(call $m_transfer @h (ptr "TAKER") (len "TAKER") 60016)"#;
const LEND: &str = r#"(call $m_lend @h (i64.const 1) (ptr "TAKER") (len "TAKER") 60016)"#;
const READ: &str = r#"(call $m_get @h (ptr "k") (len "k") 60100 100 60004 60008)"#;

/// 16 bytes as hexadecimal digits, and back.
const HEX: &str = r#"
(func $digit (param $v i32) (result i32)
  (i32.add (local.get $v) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $v) (i32.const 9)))))
(func $hex (param $from i32) (param $to i32) (local $i i32) (local $b i32)
  (loop $next
    (local.set $b (i32.load8_u (i32.add (local.get $from) (local.get $i))))
    (i32.store8 (i32.add (local.get $to) (i32.mul (local.get $i) (i32.const 2))) (call $digit (i32.shr_u (local.get $b) (i32.const 4))))
    (i32.store8 offset=1 (i32.add (local.get $to) (i32.mul (local.get $i) (i32.const 2))) (call $digit (i32.and (local.get $b) (i32.const 15))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 16)))))
(func $value (param $at i32) (result i32) (local $c i32)
  (local.set $c (i32.load8_u (local.get $at)))
  (i32.sub (local.get $c) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $c) (i32.const 57)))))
(func $unhex (param $from i32) (param $to i32) (local $i i32)
  (loop $next
    (i32.store8 (i32.add (local.get $to) (local.get $i))
      (i32.or (i32.shl (call $value (i32.add (local.get $from) (i32.mul (local.get $i) (i32.const 2)))) (i32.const 4))
              (call $value (i32.add (i32.const 1) (i32.add (local.get $from) (i32.mul (local.get $i) (i32.const 2)))))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 16)))))"#;

/// Two filters with these scripts, in which `TAKER` stands for the name of the second one.
fn pair(giver: &str, taker: &str) -> Stage {
    let mut stage = with(Vec::new()).filter(Vec::new());
    let name = stage.filters[1].0.name.to_string();
    for (filter, script) in stage.filters.iter_mut().zip([giver, taker]) {
        filter.1 = user(&format!("{} {HEX}", script.replace("TAKER", &name)));
    }
    stage
}

fn gives(hand_over: &str, then: &str) -> String {
    let give = GIVE.replace("HAND_OVER", hand_over);
    format!("(request_headers {give} {then})")
}

fn takes(then: &str) -> String {
    format!("(request_headers {ACCEPT} (show \"get\" {READ}) {then})")
}

fn none_is_left(gateway: &Gateway) {
    let freed = eventually(|| (gateway.maps().stat().anonymous == 0).then_some(()));
    assert!(freed.is_some(), "{:?}", gateway.maps().stat());
}

#[test]
fn a_map_is_moved_from_one_filter_to_another_in_one_request() {
    if is_oracle() {
        return;
    }
    let giver = gives(TRANSFER, &format!("(show \"own\" {READ})"));
    let gateway = pair(&giver, &takes("(show \"close\" (call $m_close @h))")).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["give 0", "own 8"]);
    gateway.check(1, &["accept 0", "get 0", "close 0"]);
    none_is_left(&gateway);
}

/// The taker asks again from its timer, when the request is over.
const LATER: &str = r#"(configure (!tick_every 20) 1) (tick (if @h (then (show "later" READ))))"#;

#[test]
fn a_loan_ends_with_the_request_that_it_was_made_in() {
    if is_oracle() {
        return;
    }
    let giver = gives(LEND, &format!("(show \"own\" {READ})"));
    let set = r#"(show "set" (call $m_set @h (ptr "k") (len "k") (ptr "v") (len "v")))"#;
    let taker = format!("{} {}", takes(set), LATER.replace("READ", READ));
    let gateway = pair(&giver, &taker).start();
    assert_eq!(gateway.ask(GET).status, 200);
    let logs = gateway.logs_when(1, 4);
    assert_eq!(logs[..3], ["accept 0", "get 0", "set 76"]);
    gateway.until(1, "later 72");
    gateway.check(0, &["give 0", "own 0"]);
}

#[test]
fn a_loan_of_a_named_map_ends_too() {
    if is_oracle() {
        return;
    }
    let giver = gives(LEND, "").replace(
        "(drop (call $m_create 0 60000))",
        r#"(drop (call $opened (ptr "m") (len "m") (i64.const 67)))"#,
    );
    let taker = format!("{} {}", takes(""), LATER.replace("READ", READ));
    let mut stage = pair(&giver, &taker).map("m", SharedMap::default());
    let taker = stage.filters.pop().expect("the taker");
    let granted = [MapRight::Read, MapRight::Write, MapRight::Share];
    let mut stage = grant(stage, "m", &granted);
    stage.filters.push(taker);
    let gateway = stage.start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["give 0"]);
    let logs = gateway.logs_when(1, 3);
    assert_eq!(logs[..2], ["accept 0", "get 0"]);
    gateway.until(1, "later 72");
}

#[test]
fn a_ticket_is_good_for_the_use_that_it_was_made_out_to() {
    if is_oracle() {
        return;
    }
    let giver = gives(&TRANSFER.replace("TAKER", "another"), "");
    let gateway = pair(&giver, &takes("")).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(1, &["accept 44", "get 8"]);
}

#[test]
fn what_a_failed_vm_had_lent_is_over() {
    if is_oracle() {
        return;
    }
    // It fails when the response comes, before the taker logs the exchange.
    let giver = format!("{} (response_headers (unreachable))", gives(LEND, ""));
    let taker = format!("{} (log (show \"late\" {READ}))", takes(""));
    let gateway = pair(&giver, &taker).start();
    assert_eq!(gateway.ask(GET).status, 503);
    gateway.check(1, &["accept 0", "get 0", "late 72"]);
    none_is_left(&gateway);
}
