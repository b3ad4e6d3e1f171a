//! Tests of spaces and queues (conformance items 253 to 264).

use std::sync::atomic::{AtomicUsize, Ordering};

use weir_model::limits::maps as limits;

use super::*;
use crate::clock::ManualClock;
use crate::queue::KEY_PREFIX;
use crate::rights::Rights;
use crate::{Grants, Handles, Identity};

const QUOTA: Quota = Quota {
    data_bytes: 1 << 20,
    queues: 100,
    queue_bytes: 1 << 20,
};

fn spaces() -> Spaces {
    Spaces::new(&Engine::new(Arc::new(ManualClock::default())))
}

fn space() -> Arc<Space> {
    spaces().space("a").unwrap()
}

fn deaf() -> QueueListener {
    Arc::new(|_| {})
}

fn counting(count: &Arc<AtomicUsize>) -> QueueListener {
    let count = Arc::clone(count);
    Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    })
}

#[test]
fn equal_vm_ids_share_and_others_do_not() {
    let spaces = spaces();
    let (one, same, other) = (
        spaces.space("a").unwrap(),
        spaces.clone().space("a").unwrap(),
        spaces.space("b").unwrap(),
    );
    let cas = one.set(b"k", b"v", 0, QUOTA).unwrap();
    assert_eq!(same.get(b"k"), Some(("v".into(), cas)));
    assert_eq!(other.get(b"k"), None);
}

#[test]
fn everything_is_gone_with_the_last_handle() {
    let spaces = spaces();
    let (one, same, other) = (
        spaces.space("a").unwrap(),
        spaces.space("a").unwrap(),
        spaces.space("b").unwrap(),
    );
    one.set(b"k", b"v", 0, QUOTA).unwrap();
    let token = one.register(b"q", deaf(), QUOTA).unwrap();
    drop(one);
    assert!(spaces.space("a").unwrap().get(b"k").is_some());
    assert_eq!(other.enqueue(token, b"x"), Ok(()));
    drop(same);
    assert!(spaces.find("a").is_none());
    assert_eq!(
        other.enqueue(token, b"x"),
        Err(EnqueueError::UnknownToken(token))
    );
    assert_eq!(other.resolve("a", b"q"), None);
    let again = spaces.space("a").unwrap();
    assert_eq!(again.get(b"k"), None);
    assert_ne!(
        again.register(b"q", deaf(), QUOTA),
        Ok(token),
        "a stale token must not hit a new queue"
    );
}

#[test]
fn spaces_come_and_go_on_many_threads() {
    let spaces = spaces();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let space = spaces.space("a").unwrap();
                    let cas = space.set(b"k", b"v", 0, QUOTA).unwrap();
                    assert!(space.get(b"k").unwrap().1 >= cas);
                    assert!(Arc::ptr_eq(&space, &spaces.find("a").unwrap()));
                }
            });
        }
    });
    assert_eq!(format!("{spaces:?}"), "{}");
}

#[test]
fn registering_again_keeps_token_and_content_and_moves_the_notifications() {
    let space = space();
    let (first, second) = (Arc::default(), Arc::default());
    let token = space.register(b"q", counting(&first), QUOTA).unwrap();
    assert_eq!(token, 1);
    space.enqueue(token, b"x").unwrap();
    assert_eq!(space.register(b"q", counting(&second), QUOTA), Ok(token));
    space.enqueue(token, b"y").unwrap();
    assert_eq!(
        (first.load(Ordering::SeqCst), second.load(Ordering::SeqCst)),
        (1, 1)
    );
    assert_eq!(space.dequeue(token), Ok(Some("x".into())));
    assert_eq!(space.dequeue(token), Ok(Some("y".into())));
    assert_eq!(space.dequeue(token), Ok(None));
    assert_eq!(space.register(b"other", deaf(), QUOTA), Ok(2));
}

#[test]
fn resolve_knows_own_and_other_vm_ids() {
    let spaces = spaces();
    let (one, other) = (spaces.space("a").unwrap(), spaces.space("b").unwrap());
    let token = one.register(b"q", deaf(), QUOTA).unwrap();
    let check = |space: &Space, vm_id, name: &[u8], expected| {
        assert_eq!(space.resolve(vm_id, name), expected, "{vm_id} {name:?}");
    };
    check(&one, "", b"q", Some(token));
    check(&one, "a", b"q", Some(token));
    check(&other, "a", b"q", Some(token));
    check(&other, "", b"q", None);
    check(&other, "nosuch", b"q", None);
    check(&other, "a", b"nosuch", None);
}

#[test]
fn unknown_tokens_are_refused() {
    let space = space();
    assert_eq!(space.enqueue(9, b"x"), Err(EnqueueError::UnknownToken(9)));
    assert_eq!(space.dequeue(9), Err(DequeueError::UnknownToken(9)));
}

#[test]
fn empty_items_are_items_and_are_counted() {
    let space = space();
    let token = space.register(b"q", deaf(), QUOTA).unwrap();
    space.enqueue(token, b"").unwrap();
    assert_eq!(space.dequeue(token), Ok(Some(Bytes::new())));
    let item = ("queue/q/".len() + 8 + limits::ENTRY_BYTES) as u64;
    let fits = QUOTA.queue_bytes / item;
    (0..fits).for_each(|_| space.enqueue(token, b"").unwrap());
    let full = EnqueueError::Full {
        token,
        quota_bytes: QUOTA.queue_bytes,
    };
    assert_eq!(space.enqueue(token, b""), Err(full));
    assert_eq!(space.dequeue(token), Ok(Some(Bytes::new())));
    assert_eq!(space.enqueue(token, b""), Ok(()));
}

#[test]
fn many_queues_hold_no_more_than_one() {
    let space = space();
    let one = space.register(b"one", deaf(), QUOTA).unwrap();
    let two = space.register(b"two", deaf(), QUOTA).unwrap();
    let half = vec![0; 1 << 19];
    space.enqueue(one, &half[200..]).unwrap();
    let full = EnqueueError::Full {
        token: two,
        quota_bytes: QUOTA.queue_bytes,
    };
    assert_eq!(space.enqueue(two, &half), Err(full));
    space.dequeue(one).unwrap();
    assert_eq!(space.enqueue(two, &half[200..]), Ok(()));
}

#[test]
fn each_user_has_a_quota_of_its_own_for_what_all_have_written() {
    let space = space();
    let small = Quota {
        data_bytes: 300,
        queues: 1,
        ..QUOTA
    };
    let text = [b'x'; 50];
    space.set(b"k", &text, 0, QUOTA).unwrap();
    let full = Err(SetError::Full { quota_bytes: 300 });
    assert_eq!(space.set(b"l", &text, 0, small), full);
    assert!(space.set(b"l", &text, 0, QUOTA).is_ok());
    space.register(b"q", deaf(), small).unwrap();
    let refused = Err(RegisterError::TooManyQueues { queues_max: 1 });
    assert_eq!(space.register(b"r", deaf(), small), refused);
    assert_eq!(space.register(b"r", deaf(), QUOTA), Ok(2));
}

#[test]
fn queues_are_bounded_in_number() {
    let space = space();
    let queues_max = QUOTA.queues;
    for queue in 0..queues_max {
        space.register(&queue.to_le_bytes(), deaf(), QUOTA).unwrap();
    }
    let refused = space.register(b"one more", deaf(), QUOTA);
    assert_eq!(refused, Err(RegisterError::TooManyQueues { queues_max }));
    assert_eq!(
        space.register(&0_usize.to_le_bytes(), deaf(), QUOTA),
        Ok(1),
        "taking over is no growth"
    );
}

#[test]
fn a_listener_may_use_the_queues() {
    let spaces = spaces();
    let space = spaces.space("a").unwrap();
    let again = spaces.clone();
    let listener: QueueListener = Arc::new(move |token| {
        let space = again.find("a").unwrap();
        let item = space.dequeue(token).unwrap().unwrap();
        space.set(b"seen", &item, 0, QUOTA).unwrap();
        space.register(b"q", Arc::new(|_| {}), QUOTA).unwrap();
    });
    let token = space.register(b"q", listener, QUOTA).unwrap();
    space.enqueue(token, b"x").unwrap();
    assert_eq!(space.get(b"seen").map(|(value, _)| value), Some("x".into()));
}

#[test]
fn each_producers_items_stay_in_order_across_threads() {
    const ITEMS: u32 = 5000;
    let spaces = spaces();
    let (space, notified) = (spaces.space("a").unwrap(), Arc::default());
    let quota = Quota {
        queue_bytes: 8 << 20,
        ..QUOTA
    };
    let token = space.register(b"q", counting(&notified), quota).unwrap();
    let mut next_items = [0_u32; 4];
    std::thread::scope(|scope| {
        for producer in 0..4_u32 {
            let space = &space;
            scope.spawn(move || {
                for item in 0..ITEMS {
                    let item = [producer.to_le_bytes(), item.to_le_bytes()].concat();
                    space.enqueue(token, &item).unwrap();
                }
            });
        }
        while next_items.iter().sum::<u32>() < 4 * ITEMS {
            let Some(item) = space.dequeue(token).unwrap() else {
                continue;
            };
            let number = |at: usize| u32::from_le_bytes(item[at..at + 4].try_into().unwrap());
            let expected = &mut next_items[number(0) as usize];
            assert_eq!(number(4), *expected);
            *expected += 1;
        }
    });
    assert_eq!(notified.load(Ordering::SeqCst), 4 * ITEMS as usize);
    assert_eq!(space.dequeue(token), Ok(None));
}

#[test]
fn cas_rules_are_those_of_proxy_wasm() {
    let space = space();
    let set = |value: &[u8], cas| space.set(b"k", value, cas, QUOTA);
    let first = set(b"1", 77).expect("cas on an absent key");
    let second = set(b"2", first).unwrap();
    assert!(second > first);
    assert_eq!(set(b"3", first), Err(SetError::CasMismatch));
    assert_eq!(space.get(b"k"), Some(("2".into(), second)));
    let third = set(b"", 0).unwrap();
    assert_eq!(space.get(b"k"), Some((Bytes::new(), third)));
}

#[test]
fn the_quota_refuses_growth_and_admits_what_shrinks() {
    let quota_bytes = 2 * limits::ENTRY_BYTES as u64 + 10;
    let (space, quota) = (
        space(),
        Quota {
            data_bytes: quota_bytes,
            ..QUOTA
        },
    );
    let set = |key: &[u8], value: &[u8]| space.set(key, value, 0, quota).map(|_| ());
    let full = Err(SetError::Full { quota_bytes });
    assert_eq!(set(b"a", b"1234"), Ok(()));
    assert_eq!(set(b"b", b"1234"), Ok(()));
    assert_eq!(set(b"c", b""), full);
    assert_eq!(set(b"a", b"12345"), full);
    assert_eq!(space.get(b"a").map(|(value, _)| value), Some("1234".into()));
    assert_eq!(set(b"b", b"123"), Ok(()));
    assert_eq!(set(b"a", b"12345"), Ok(()));
    let stat = space.stat();
    assert_eq!((stat.bytes, stat.entries), (quota_bytes, 2));
    // What queues hold is another quota's affair.
    let token = space.register(b"q", deaf(), quota).unwrap();
    space.enqueue(token, &[0; 1000]).unwrap();
    assert_eq!(set(b"b", b"12"), Ok(()));
    assert_eq!(set(b"b", b"1234"), full);
}

#[test]
fn concurrent_cas_increments_lose_nothing() {
    const THREADS: u64 = 8;
    const INCREMENTS: u64 = 2000;
    let space = space();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..INCREMENTS).for_each(|_| increment(&space)));
        }
    });
    let (value, _) = space.get(b"counter").unwrap();
    assert_eq!(value, Bytes::from((THREADS * INCREMENTS).to_string()));
}

/// As a plugin does it: read, add, write if unchanged. A cas that no entry has stores if the key is
/// absent, and is refused if it is there.
fn increment(space: &Space) {
    loop {
        let (count, cas) = space.get(b"counter").map_or((0, u32::MAX), |(value, cas)| {
            (std::str::from_utf8(&value).unwrap().parse().unwrap(), cas)
        });
        let next: u64 = count + 1;
        match space.set(b"counter", next.to_string().as_bytes(), cas, QUOTA) {
            Ok(_) => return,
            Err(SetError::CasMismatch) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn random_operations_agree_with_a_plain_map() {
    let space = space();
    let mut model: HashMap<Vec<u8>, (Bytes, u32)> = HashMap::new();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for step in 0..50_000_u32 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = format!("key-{}", (seed >> 33) % 200).into_bytes();
        let known = model.get(&key).cloned();
        let cas = match (seed >> 20) % 4 {
            0 => 0,
            1 => known.as_ref().map_or(5, |(_, cas)| *cas),
            2 => u32::MAX,
            _ => {
                assert_eq!(space.get(&key), known);
                continue;
            }
        };
        let value = step.to_string();
        let stored = space.set(&key, value.as_bytes(), cas, QUOTA);
        if known.is_some_and(|(_, known)| cas != 0 && cas != known) {
            assert_eq!(stored, Err(SetError::CasMismatch));
        } else {
            model.insert(key, (value.into(), stored.unwrap()));
        }
    }
    assert_eq!(space.stat().entries, model.len() as u64);
}

/// An instance that may do everything with the map of VM id `a`.
fn neighbour(engine: &Engine) -> (Handles, u32) {
    let grants = Grants::of("").with("proxy-wasm.a", Rights::ALL);
    let owner = Arc::new(Account::new(Amount {
        entries: 10,
        bytes: 10_000,
    }));
    let identity = Identity {
        in_use: "neighbour".into(),
        grants: Arc::new(grants),
        owner,
        meter: Arc::default(),
    };
    let mut handles = Handles::new(engine, identity);
    let handle = handles.open(b"proxy-wasm.a", Rights::ALL).unwrap();
    (handles, handle)
}

#[test]
fn others_reach_the_same_entries_as_a_map() {
    let engine = Engine::new(Arc::new(ManualClock::default()));
    let space = Spaces::new(&engine).space("a").unwrap();
    let (handles, handle) = neighbour(&engine);
    let cas = space.set(b"k", b"v", 0, QUOTA).unwrap();
    let map = handles.map(handle, Rights::ALL).unwrap();
    let write = |key: &[u8], value: &[u8]| {
        let stored = map
            .store()
            .write(key, Value::copy_of(value), Terms::default());
        stored.now().unwrap()
    };
    assert_eq!(write(b"k", b"w"), u64::from(cas) + 1);
    let again = space.set(b"k", b"x", cas, QUOTA);
    assert_eq!(
        again,
        Err(SetError::CasMismatch),
        "the map's version is the cas"
    );
    assert_eq!(space.get(b"k"), Some(("w".into(), cas + 1)));
    let token = space.register(b"q", deaf(), QUOTA).unwrap();
    for item in [b"1", b"2", b"3"] {
        space.enqueue(token, item).unwrap();
    }
    let second = [KEY_PREFIX, b"q/", &1_u64.to_be_bytes()].concat();
    map.store()
        .remove(&second, Condition::Always)
        .now()
        .unwrap();
    assert_eq!(space.dequeue(token), Ok(Some("1".into())));
    assert_eq!(
        space.dequeue(token),
        Ok(Some("3".into())),
        "2 was taken out"
    );
    assert_eq!(space.dequeue(token), Ok(None));
    assert_eq!(space.queued.bytes(), 0, "what was taken out is not counted");
}

#[test]
fn a_map_that_is_configured_keeps_data_and_queues() {
    let engine = Engine::new(Arc::new(ManualClock::default()));
    let owner = Arc::new(Account::new(Amount {
        entries: 100,
        bytes: 100_000,
    }));
    let options = MapOptions::default();
    engine
        .define("", "proxy-wasm.a", (options, &owner))
        .unwrap();
    let spaces = Spaces::new(&engine);
    let space = spaces.space("a").unwrap();
    space.set(b"k", b"v", 0, QUOTA).unwrap();
    let token = space.register(b"q", deaf(), QUOTA).unwrap();
    space.register(b"q/", deaf(), QUOTA).unwrap();
    for item in [b"1", b"2", b"3"] {
        space.enqueue(token, item).unwrap();
    }
    assert_eq!(space.dequeue(token), Ok(Some("1".into())));
    let held = space.queued.bytes();
    drop(space);
    let space = spaces.space("a").unwrap();
    assert_eq!(space.get(b"k").map(|(value, _)| value), Some("v".into()));
    let token = space.register(b"q", deaf(), QUOTA).unwrap();
    assert_eq!(space.queued.bytes(), held);
    space.enqueue(token, b"4").unwrap();
    for item in ["2", "3", "4"] {
        assert_eq!(space.dequeue(token), Ok(Some(item.into())));
    }
    assert_eq!((space.dequeue(token), space.queued.bytes()), (Ok(None), 0));
}

#[test]
fn entries_that_are_no_items_stop_nobody() {
    let engine = Engine::new(Arc::new(ManualClock::default()));
    let space = Spaces::new(&engine).space("a").unwrap();
    let key = |number: u64| [KEY_PREFIX, b"q/", &number.to_be_bytes()].concat();
    space.set(b"queue/q/", b"", 0, QUOTA).unwrap();
    space.set(b"queue/q/123456789", b"", 0, QUOTA).unwrap();
    space.set(&key(5), b"5", 0, QUOTA).unwrap();
    space.set(&key(8), b"8", 0, QUOTA).unwrap();
    let token = space.register(b"q", deaf(), QUOTA).unwrap();
    assert_eq!(space.dequeue(token), Ok(Some("5".into())));
    assert_eq!(space.dequeue(token), Ok(Some("8".into())));
    space.set(b"queue/q/12345678", b"", 0, QUOTA).unwrap();
    space.set(&key(9), b"", 0, QUOTA).unwrap();
    let other = space.register(b"q", deaf(), QUOTA);
    assert_eq!(
        other,
        Ok(token),
        "one that is known is not looked for again"
    );
    space
        .set(
            &[KEY_PREFIX, b"r/", &1_u64.to_be_bytes()].concat(),
            b"",
            0,
            QUOTA,
        )
        .unwrap();
    space
        .set(&[KEY_PREFIX, b"r/", &[0xFF; 8]].concat(), b"", 0, QUOTA)
        .unwrap();
    let far = space.register(b"r", deaf(), QUOTA).unwrap();
    assert_eq!(space.dequeue(far), Ok(Some(Bytes::new())));
    assert_eq!(space.dequeue(far), Ok(None));
    space.enqueue(far, b"2").unwrap();
    assert_eq!(space.dequeue(far), Ok(Some("2".into())));
}

/// Once each number that was missing between two items was kept as an item of its own: a plugin whose
/// entries look like items far apart made the gateway reserve gigabytes, and go through them.
#[test]
fn what_is_missing_between_items_takes_no_memory() {
    let engine = Engine::new(Arc::new(ManualClock::default()));
    let space = Spaces::new(&engine).space("a").unwrap();
    let key = |number: u64| [KEY_PREFIX, b"q/", &number.to_be_bytes()].concat();
    for item in 0..50 {
        space.set(&key(item << 16), &[7], 0, QUOTA).unwrap();
    }
    let token = space.register(b"q", deaf(), QUOTA).unwrap();
    assert_eq!(space.shared.queues.waiting(token), 50);
    for _ in 0..50 {
        assert_eq!(space.dequeue(token), Ok(Some(Bytes::from_static(&[7]))));
    }
    space.enqueue(token, b"next").unwrap();
    assert_eq!(space.dequeue(token), Ok(Some("next".into())));
    assert_eq!((space.dequeue(token), space.queued.bytes()), (Ok(None), 0));
}
