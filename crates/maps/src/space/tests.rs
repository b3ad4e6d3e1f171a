//! Tests of spaces and queues (conformance items 253 to 264).

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

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
    let cas = one.set(b"k", "v".into(), 0).unwrap();
    assert_eq!(same.get(b"k"), Some(("v".into(), cas)));
    assert_eq!(other.get(b"k"), None);
    assert_ne!(
        other.set(b"k", "w".into(), 0).unwrap(),
        cas,
        "one counter for all spaces"
    );
}

#[test]
fn everything_is_gone_with_the_last_handle() {
    let spaces = Spaces::new();
    let (one, same, other) = (spaces.space("a"), spaces.space("a"), spaces.space("b"));
    one.set(b"k", "v".into(), 0).unwrap();
    let token = one.register(b"q", deaf()).unwrap();
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
        again.register(b"q", deaf()),
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
                    let cas = space.set(b"k", "v".into(), 0).unwrap();
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
    let token = space.register(b"q", counting(&first)).unwrap();
    assert_eq!(token, 1);
    space.enqueue(token, "x".into()).unwrap();
    assert_eq!(space.register(b"q", counting(&second)), Ok(token));
    space.enqueue(token, "y".into()).unwrap();
    assert_eq!(
        (first.load(Ordering::SeqCst), second.load(Ordering::SeqCst)),
        (1, 1)
    );
    assert_eq!(space.dequeue(token), Ok(Some("x".into())));
    assert_eq!(space.dequeue(token), Ok(Some("y".into())));
    assert_eq!(space.dequeue(token), Ok(None));
    assert_eq!(space.register(b"other", deaf()), Ok(2));
}

#[test]
fn resolve_knows_own_and_other_vm_ids() {
    let spaces = Spaces::new();
    let (one, other) = (spaces.space("a"), spaces.space("b"));
    let token = one.register(b"q", deaf()).unwrap();
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
    let token = space.register(b"q", deaf()).unwrap();
    space.enqueue(token, Bytes::new()).unwrap();
    assert_eq!(space.dequeue(token), Ok(Some(Bytes::new())));
    let fits = limits::SHARED_QUEUE_BYTES_MAX / crate::queue::ITEM_BYTES;
    (0..fits).for_each(|_| space.enqueue(token, Bytes::new()).unwrap());
    let full = EnqueueError::Full {
        token,
        quota_bytes: limits::SHARED_QUEUE_BYTES_MAX,
    };
    assert_eq!(space.enqueue(token, Bytes::new()), Err(full));
    assert_eq!(space.dequeue(token), Ok(Some(Bytes::new())));
    assert_eq!(space.enqueue(token, Bytes::new()), Ok(()));
}

#[test]
fn queues_are_bounded_in_number() {
    let space = Spaces::new().space("a");
    let queues_max = limits::SHARED_QUEUES_MAX;
    for queue in 0..queues_max {
        space.register(&queue.to_le_bytes(), deaf()).unwrap();
    }
    let refused = space.register(b"one more", deaf());
    assert_eq!(refused, Err(RegisterError::TooManyQueues { queues_max }));
    assert_eq!(
        space.register(&0_usize.to_le_bytes(), deaf()),
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
        space.set(b"seen", item, 0).unwrap();
        space.register(b"q", Arc::new(|_| {})).unwrap();
    });
    let token = space.register(b"q", listener).unwrap();
    space.enqueue(token, "x".into()).unwrap();
    assert_eq!(space.get(b"seen").map(|(value, _)| value), Some("x".into()));
}

#[test]
fn each_producers_items_stay_in_order_across_threads() {
    const ITEMS: u32 = 5000;
    let spaces = Spaces::new();
    let (space, notified) = (spaces.space("a"), Arc::default());
    let token = space.register(b"q", counting(&notified)).unwrap();
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
