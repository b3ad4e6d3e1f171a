//! Tests of spaces and queues (conformance items 253 to 264).

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const QUOTA: Quota = Quota {
    data_bytes: 1 << 20,
    queues: 100,
    queue_bytes: 1 << 20,
};

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
    let spaces = Spaces::new();
    let (one, same, other) = (
        spaces.space("a"),
        spaces.clone().space("a"),
        spaces.space("b"),
    );
    let cas = one.set(b"k", "v".into(), 0, QUOTA).unwrap();
    assert_eq!(same.get(b"k"), Some(("v".into(), cas)));
    assert_eq!(other.get(b"k"), None);
    assert_ne!(
        other.set(b"k", "w".into(), 0, QUOTA).unwrap(),
        cas,
        "one counter for all spaces"
    );
}

#[test]
fn everything_is_gone_with_the_last_handle() {
    let spaces = Spaces::new();
    let (one, same, other) = (spaces.space("a"), spaces.space("a"), spaces.space("b"));
    one.set(b"k", "v".into(), 0, QUOTA).unwrap();
    let token = one.register(b"q", deaf(), QUOTA).unwrap();
    drop(one);
    assert!(spaces.space("a").get(b"k").is_some());
    assert_eq!(other.enqueue(token, "x".into()), Ok(()));
    drop(same);
    assert!(spaces.find("a").is_none());
    assert_eq!(
        other.enqueue(token, "x".into()),
        Err(EnqueueError::UnknownToken(token))
    );
    assert_eq!(other.resolve("a", b"q"), None);
    let again = spaces.space("a");
    assert_eq!(again.get(b"k"), None);
    assert_ne!(
        again.register(b"q", deaf(), QUOTA),
        Ok(token),
        "a stale token must not hit a new queue"
    );
}

#[test]
fn spaces_come_and_go_on_many_threads() {
    let spaces = Spaces::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let space = spaces.space("a");
                    let cas = space.set(b"k", "v".into(), 0, QUOTA).unwrap();
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
    let space = Spaces::new().space("a");
    let (first, second) = (Arc::default(), Arc::default());
    let token = space.register(b"q", counting(&first), QUOTA).unwrap();
    assert_eq!(token, 1);
    space.enqueue(token, "x".into()).unwrap();
    assert_eq!(space.register(b"q", counting(&second), QUOTA), Ok(token));
    space.enqueue(token, "y".into()).unwrap();
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
    let spaces = Spaces::new();
    let (one, other) = (spaces.space("a"), spaces.space("b"));
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
    let space = Spaces::new().space("a");
    assert_eq!(
        space.enqueue(9, "x".into()),
        Err(EnqueueError::UnknownToken(9))
    );
    assert_eq!(space.dequeue(9), Err(DequeueError::UnknownToken(9)));
}

#[test]
fn empty_items_are_items_and_are_counted() {
    let space = Spaces::new().space("a");
    let token = space.register(b"q", deaf(), QUOTA).unwrap();
    space.enqueue(token, Bytes::new()).unwrap();
    assert_eq!(space.dequeue(token), Ok(Some(Bytes::new())));
    let fits = QUOTA.queue_bytes / crate::queue::ITEM_BYTES;
    (0..fits).for_each(|_| space.enqueue(token, Bytes::new()).unwrap());
    let full = EnqueueError::Full {
        token,
        quota_bytes: QUOTA.queue_bytes,
    };
    assert_eq!(space.enqueue(token, Bytes::new()), Err(full));
    assert_eq!(space.dequeue(token), Ok(Some(Bytes::new())));
    assert_eq!(space.enqueue(token, Bytes::new()), Ok(()));
}

#[test]
fn many_queues_hold_no_more_than_one() {
    let space = Spaces::new().space("a");
    let one = space.register(b"one", deaf(), QUOTA).unwrap();
    let two = space.register(b"two", deaf(), QUOTA).unwrap();
    let half = Bytes::from(vec![0; QUOTA.queue_bytes / 2]);
    space.enqueue(one, half.clone()).unwrap();
    let full = EnqueueError::Full {
        token: two,
        quota_bytes: QUOTA.queue_bytes,
    };
    assert_eq!(space.enqueue(two, half.clone()), Err(full));
    space.dequeue(one).unwrap();
    assert_eq!(space.enqueue(two, half), Ok(()));
}

#[test]
fn each_user_has_a_quota_of_its_own_for_what_all_have_written() {
    let space = Spaces::new().space("a");
    let small = Quota {
        data_bytes: 100,
        queues: 1,
        ..QUOTA
    };
    let text = || Bytes::from(vec![b'x'; 50]);
    space.set(b"k", text(), 0, QUOTA).unwrap();
    let full = Err(SetError::Full { quota_bytes: 100 });
    assert_eq!(space.set(b"l", text(), 0, small), full);
    assert!(space.set(b"l", text(), 0, QUOTA).is_ok());
    space.register(b"q", deaf(), small).unwrap();
    let refused = Err(RegisterError::TooManyQueues { queues_max: 1 });
    assert_eq!(space.register(b"r", deaf(), small), refused);
    assert_eq!(space.register(b"r", deaf(), QUOTA), Ok(2));
}

#[test]
fn queues_are_bounded_in_number() {
    let space = Spaces::new().space("a");
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
    let spaces = Spaces::new();
    let space = spaces.space("a");
    let again = spaces.clone();
    let listener: QueueListener = Arc::new(move |token| {
        let space = again.find("a").unwrap();
        let item = space.dequeue(token).unwrap().unwrap();
        space.set(b"seen", item, 0, QUOTA).unwrap();
        space.register(b"q", Arc::new(|_| {}), QUOTA).unwrap();
    });
    let token = space.register(b"q", listener, QUOTA).unwrap();
    space.enqueue(token, "x".into()).unwrap();
    assert_eq!(space.get(b"seen").map(|(value, _)| value), Some("x".into()));
}

#[test]
fn each_producers_items_stay_in_order_across_threads() {
    const ITEMS: u32 = 5000;
    let spaces = Spaces::new();
    let (space, notified) = (spaces.space("a"), Arc::default());
    let token = space.register(b"q", counting(&notified), QUOTA).unwrap();
    let mut next_items = [0_u32; 4];
    std::thread::scope(|scope| {
        for producer in 0..4_u32 {
            let space = &space;
            scope.spawn(move || {
                for item in 0..ITEMS {
                    let item = [producer.to_le_bytes(), item.to_le_bytes()].concat();
                    space.enqueue(token, item.into()).unwrap();
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
