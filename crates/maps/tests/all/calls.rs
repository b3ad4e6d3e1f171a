//! Calls of the core ABI on the engine, and copies of handle tables.

mod back_end;

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use weir_maps::call::packed;
use weir_maps::handles::Ends;
use weir_maps::store::{Condition, Terms};
use weir_maps::{Called, Handles, MapCall, MapOp, MapOptions, MapReply, Rights, Value};
use weir_model::limits::maps as limits;

use crate::handles::House;

const ENDS: Ends = Ends::WithInstance;

pub(crate) fn now(handles: &mut Handles, call: MapCall<'_>) -> MapReply {
    match handles.call(call, ENDS) {
        Called::Now(reply) => reply,
        Called::Later(_) => panic!("{call:?} is to be answered at once"),
    }
}

fn number(handles: &mut Handles, call: MapCall<'_>) -> u32 {
    match now(handles, call) {
        MapReply::Number(number) => u32::try_from(number).unwrap(),
        other => panic!("{call:?}: {other:?}"),
    }
}

fn cache(handles: &mut Handles) -> u32 {
    let (name, rights) = (&b"cache"[..], Rights::ALL);
    number(handles, MapCall::Open { name, rights })
}

fn set<'c>(handle: u32, key: &'c [u8], value: &'c [u8]) -> MapCall<'c> {
    let terms = Terms::default();
    MapCall::Set {
        handle,
        key,
        value,
        terms,
    }
}

#[test]
fn entries_are_written_read_counted_and_removed() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = cache(&mut one);
    let key = b"key";
    assert_eq!(
        now(&mut one, set(handle, key, b"value")),
        MapReply::Number(1)
    );
    assert_eq!(
        now(&mut one, MapCall::Get { handle, key }),
        MapReply::Entry(Value::copy_of(b"value"), 1)
    );
    let terms = Terms::on(Condition::Version(7));
    let value = b"other";
    assert_eq!(
        now(
            &mut one,
            MapCall::Set {
                handle,
                key,
                value,
                terms
            }
        ),
        MapReply::Refused(6, 1)
    );
    assert_eq!(
        now(&mut one, MapCall::Exists { handle, key }),
        MapReply::Number(1)
    );
    assert_eq!(
        now(&mut one, MapCall::Delete { handle, key }),
        MapReply::Done
    );
    assert_eq!(
        now(&mut one, MapCall::Exists { handle, key }),
        MapReply::Number(0)
    );
    assert_eq!(
        now(&mut one, MapCall::Get { handle, key }),
        MapReply::Refused(44, 0)
    );
    for expected in [5, 10] {
        let delta = 5;
        let reply = now(&mut one, MapCall::Add { handle, key, delta });
        assert!(matches!(reply, MapReply::Counted(count, _) if count == expected));
    }
    let delta = i64::MAX;
    assert_eq!(
        now(&mut one, MapCall::Add { handle, key, delta }),
        MapReply::Refused(61, 0)
    );
    assert_eq!(
        now(&mut one, MapCall::Clear { handle }),
        MapReply::Number(1)
    );
    let long = vec![b'k'; (64 << 10) + 1];
    assert_eq!(
        now(&mut one, MapCall::Get { handle, key: &long }),
        MapReply::Refused(28, 0)
    );
}

#[test]
fn a_reference_is_no_value() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = cache(&mut one);
    let options = MapOptions::anonymous();
    let child = number(&mut one, MapCall::Create { options });
    let key = b"child";
    number(&mut one, MapCall::PutMap { handle, key, child });
    assert_eq!(
        now(&mut one, MapCall::Get { handle, key }),
        MapReply::Refused(28, 0)
    );
    let again = number(&mut one, MapCall::GetMap { handle, key });
    assert_eq!(one.id(again), one.id(child));
    let page = MapCall::Scan {
        handle,
        prefix: b"",
        cursor: [0; 16],
        bytes: 1000,
    };
    let MapReply::Page(page, [0, ..]) = now(&mut one, page) else {
        panic!("no last page");
    };
    let items: Vec<_> = packed::items(&page).collect();
    assert_eq!((&*items[0].key, &items[0].value), (&b"child"[..], &None));
    // The entry was the last that kept the child, once its handles are closed.
    for handle in [child, again] {
        assert_eq!(now(&mut one, MapCall::Close { handle }), MapReply::Done);
    }
    assert_eq!(house.engine.stat().anonymous, 1);
    assert_eq!(
        now(&mut one, MapCall::Delete { handle, key }),
        MapReply::Done
    );
    let stat = house.engine.stat();
    assert_eq!((stat.anonymous, stat.freeing), (0, 0));
}

#[test]
fn pages_hold_what_fits_and_lead_to_the_next() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = cache(&mut one);
    for number in 0..10_u8 {
        now(&mut one, set(handle, &[b'k', number], &[number; 9]));
    }
    let mut cursor = [0; 16];
    let mut seen = Vec::new();
    loop {
        let call = MapCall::Scan {
            handle,
            prefix: b"k",
            cursor,
            bytes: 3 * 32 + 31,
        };
        let MapReply::Page(page, next) = now(&mut one, call) else {
            panic!("no page");
        };
        assert!(page.len().is_multiple_of(8) && page.len() <= 96);
        seen.extend(packed::items(&page).map(|item| item.value.unwrap()));
        cursor = next;
        if cursor == [0; 16] {
            break;
        }
    }
    let all: Vec<_> = (0..10_u8).map(|n| Value::copy_of(&[n; 9])).collect();
    assert_eq!(seen, all);
    let small = MapCall::Scan {
        handle,
        prefix: b"k",
        cursor,
        bytes: 31,
    };
    assert_eq!(now(&mut one, small), MapReply::Refused(61, 32));
}

#[test]
fn a_batch_needs_the_rights_of_all_its_operations() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = cache(&mut one);
    let ops = [
        MapOp::Check {
            key: b"a",
            condition: Condition::Absent,
        },
        MapOp::Set {
            key: b"a",
            value: b"1",
            terms: Terms::default(),
        },
        MapOp::Add {
            key: b"b",
            delta: -2,
        },
        MapOp::Delete { key: b"a" },
    ];
    let ops = &ops;
    for missing in [Rights::READ, Rights::WRITE, Rights::DELETE] {
        let rights = Rights::from_bits(Rights::ALL.bits() & !missing.bits()).unwrap();
        let handle = number(&mut one, MapCall::Dup { handle, rights });
        assert_eq!(
            now(&mut one, MapCall::Batch { handle, ops }),
            MapReply::Refused(76, 0)
        );
    }
    let MapReply::Bytes(results) = now(&mut one, MapCall::Batch { handle, ops }) else {
        panic!("refused");
    };
    let numbers: Vec<i64> = results
        .chunks_exact(8)
        .map(|number| i64::from_le_bytes(number.try_into().unwrap()))
        .collect();
    assert_eq!(numbers, [0, 0, 1, 0, 2, -2, 0, 1]);
}

fn poll(called: &mut weir_maps::LaterReply) -> Poll<MapReply> {
    called
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn changes_are_waited_for_and_packed() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = cache(&mut one);
    let prefix = b"w/";
    let watch = number(&mut one, MapCall::Watch { handle, prefix });
    let next = |timeout_ms, bytes| MapCall::Next {
        watch,
        timeout_ms,
        bytes,
    };
    assert_eq!(now(&mut one, next(0, 100)), MapReply::Refused(6, 0));
    assert_eq!(next(5, 1).patience(), Some(Duration::from_millis(5)));
    assert_eq!(next(-1, 1).patience(), None);
    let Called::Later(mut later) = one.call(next(-1, 100), ENDS) else {
        panic!("nothing has changed");
    };
    assert_eq!(poll(&mut later), Poll::Pending);
    now(&mut one, set(handle, b"other", b""));
    assert_eq!(poll(&mut later), Poll::Pending);
    now(&mut one, set(handle, b"w/1", b""));
    now(&mut one, set(handle, b"w/2", b""));
    let Poll::Ready(MapReply::Bytes(bytes)) = poll(&mut later) else {
        panic!("there was a change");
    };
    let events: Vec<_> = packed::events(&bytes)
        .map(|event| (event.key, event.kind))
        .collect();
    let key = |key: &'static [u8]| Bytes::from_static(key);
    assert_eq!(events, [(key(b"w/1"), 1), (key(b"w/2"), 1)]);
    // What does not fit waits on.
    now(&mut one, set(handle, b"w/1", b""));
    assert_eq!(now(&mut one, next(0, 23)), MapReply::Refused(61, 24));
    assert!(matches!(now(&mut one, next(0, 24)), MapReply::Bytes(_)));
    now(&mut one, MapCall::Clear { handle });
    let MapReply::Bytes(bytes) = now(&mut one, next(-1, 16)) else {
        panic!("it was cleared");
    };
    assert_eq!(packed::events(&bytes).next().unwrap().kind, 5);
    assert_eq!(now(&mut one, MapCall::Unwatch { watch }), MapReply::Done);
    assert_eq!(now(&mut one, next(0, 100)), MapReply::Refused(8, 0));
}

#[test]
fn the_first_draft_opens_the_default_with_all_that_is_granted() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::READ);
    let open = |name| MapCall::OpenGranted { name };
    assert_eq!(now(&mut one, open(None)), MapReply::Refused(44, 0));
    let handle = number(&mut one, open(Some(b"cache")));
    assert_eq!(one.rights(handle), Ok(Rights::READ));
    assert_eq!(now(&mut one, open(Some(b""))), MapReply::Refused(28, 0));
    assert_eq!(now(&mut one, open(Some(b"x"))), MapReply::Refused(44, 0));
}

#[test]
fn a_copy_has_the_same_handles() {
    let house = House::new();
    let mut root = house.instance("filter", Rights::ALL);
    let handle = cache(&mut root);
    let options = MapOptions::anonymous();
    let own = number(&mut root, MapCall::Create { options });
    let closed = number(&mut root, MapCall::Create { options });
    root.close(closed).unwrap();
    let mut copy = root.copy();
    assert_eq!(copy.id(handle), root.id(handle));
    assert_eq!(copy.id(own), root.id(own));
    assert!(copy.id(closed).is_err());
    // What only the copy does is over with it.
    let more = number(&mut copy, MapCall::Create { options });
    assert_eq!(more, closed);
    assert_eq!(house.engine.stat().anonymous, 2);
    copy.close(own).unwrap();
    copy.restore_from(&root);
    assert_eq!(house.engine.stat().anonymous, 1);
    assert_eq!(copy.id(own), root.id(own));
    // The copy's handles keep the map when the original's are gone.
    root.close(own).unwrap();
    assert_eq!(house.engine.stat().anonymous, 1);
    copy.restore_from(&root);
    assert_eq!(house.engine.stat().anonymous, 0);
}

#[test]
fn a_copy_has_no_loans_scans_or_watches() {
    let house = House::new();
    let mut lender = house.instance("lender", Rights::ALL);
    let mut root = house.instance("filter", Rights::ALL);
    let handle = cache(&mut lender);
    let lend = MapCall::Lend {
        handle,
        rights: Rights::ALL,
        to: b"filter",
    };
    let MapReply::Ticket(ticket) = now(&mut lender, lend) else {
        panic!("no ticket");
    };
    let borrowed = number(&mut root, MapCall::Accept { ticket });
    let handle = cache(&mut root);
    let prefix = b"";
    let watch = number(&mut root, MapCall::Watch { handle, prefix });
    let mut copy = root.copy();
    assert_eq!(root.rights(borrowed), Ok(Rights::ALL));
    let read = MapCall::Exists {
        handle: borrowed,
        key: b"",
    };
    assert_eq!(now(&mut copy, read), MapReply::Refused(72, 0));
    let next = MapCall::Next {
        watch,
        timeout_ms: 0,
        bytes: 100,
    };
    assert_eq!(now(&mut copy, next), MapReply::Refused(8, 0));
    // What the copy lends is over when it is put back.
    let lend = MapCall::Lend {
        handle,
        rights: Rights::READ,
        to: b"lender",
    };
    let MapReply::Ticket(ticket) = now(&mut copy, lend) else {
        panic!("no ticket");
    };
    let accepted = number(&mut lender, MapCall::Accept { ticket });
    assert_eq!(lender.rights(accepted), Ok(Rights::READ));
    copy.restore_from(&root);
    assert!(lender.rights(accepted).is_err());
}

#[test]
fn a_copy_is_put_back_after_changes_on_either_side() {
    let house = House::new();
    let mut root = house.instance("filter", Rights::ALL);
    let handle = cache(&mut root);
    let references = |handles: &Handles| handles.stat(handle).now().unwrap().references;
    let mut copy = root.copy();
    assert_eq!(references(&root), 3, "configuration, root and copy");
    now(&mut copy, set(handle, b"k", b"v"));
    copy.restore_from(&root);
    assert_eq!(references(&root), 3);
    copy.close(handle).unwrap();
    copy.restore_from(&root);
    assert_eq!(references(&root), 3);
    root.close(handle).unwrap();
    copy.restore_from(&root);
    assert!(copy.is_empty());
    // Another table is another one, whatever it has gone through.
    let mut other = house.instance("filter", Rights::ALL);
    let again = cache(&mut other);
    copy.restore_from(&other);
    assert_eq!(copy.id(again), other.id(again));
}

/// The operations of a batch may all mean the same bytes of a guest's memory: once they were copied
/// before anybody asked how long they are, a thousand times a guest's memory at once.
#[test]
fn a_batch_is_refused_before_its_bytes_are_copied() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = cache(&mut one);
    let bytes = vec![7; 2 << 20];
    let terms = Terms::default();
    let set = |length: usize| MapOp::Set {
        key: b"k",
        value: &bytes[..length],
        terms,
    };
    let most = one
        .map(handle, Rights::NONE)
        .unwrap()
        .options()
        .value_bytes_max;
    let batch = |one: &mut Handles, ops: &[MapOp<'_>]| now(one, MapCall::Batch { handle, ops });
    let too_long = [set(1), set(most + 1)];
    assert_eq!(batch(&mut one, &too_long), MapReply::Refused(51, 0));
    let too_many = vec![set(most); limits::BATCH_BYTES_MAX / most + 1];
    assert_eq!(batch(&mut one, &too_many), MapReply::Refused(51, 0));
    let key = b"k";
    assert_eq!(
        now(&mut one, MapCall::Exists { handle, key }),
        MapReply::Number(0)
    );
    assert!(matches!(batch(&mut one, &[set(most)]), MapReply::Bytes(_)));
}
