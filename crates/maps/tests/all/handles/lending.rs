//! Tickets and loans: who may accept them, and when they end.

use std::time::Duration;

use weir_maps::handles::Ends;
use weir_maps::{Handles, MapError, MapOptions, Rights};
use weir_model::limits::maps as limits;

use super::{House, anonymous};
use crate::suite::Plain;

#[test]
fn a_ticket_is_accepted_once_and_by_its_use() {
    let house = House::new();
    let [mut giver, mut taker, mut thief] =
        ["giver", "taker", "thief"].map(|name| house.instance(name, Rights::ALL));
    let handle = giver.create(MapOptions::anonymous()).unwrap();
    giver
        .map(handle, Rights::WRITE)
        .unwrap()
        .store()
        .set(b"k", b"gift")
        .unwrap();
    let ticket = giver.transfer(handle, "taker").unwrap();
    assert_eq!(
        giver.rights(handle),
        Err(MapError::BadHandle(handle)),
        "gone at once"
    );
    assert_eq!(thief.accept(&ticket), Err(MapError::NoEntry));
    assert_eq!(taker.accept(&[0; 16]), Err(MapError::NoEntry));
    drop(giver);
    house.rest();
    let got = taker.accept(&ticket).unwrap();
    assert_eq!(taker.accept(&ticket), Err(MapError::NoEntry), "once");
    let text = taker.map(got, Rights::ALL).unwrap().store().text(b"k");
    assert_eq!(text.as_deref(), Some("gift"));
    drop(taker);
    assert_eq!(anonymous(&house), 0);
}

#[test]
fn a_ticket_that_nobody_accepts_is_void() {
    let house = House::new();
    let mut giver = house.instance("giver", Rights::ALL);
    let handle = giver.create(MapOptions::anonymous()).unwrap();
    let ticket = giver.transfer(handle, "giver").unwrap();
    let nearly = limits::TICKET_TIME
        .checked_sub(Duration::from_millis(1))
        .unwrap();
    house.clock.advance(nearly);
    house.rest();
    assert_eq!((anonymous(&house), house.engine.tickets_open()), (1, 1));
    house.clock.advance(Duration::from_millis(1));
    assert_eq!(giver.accept(&ticket), Err(MapError::NoEntry));
    house.rest();
    assert_eq!((anonymous(&house), house.engine.tickets_open()), (0, 0));
}

/// What ends a loan: closing the handle, its request, the instance, however it ends.
#[test]
fn a_loan_ends_with_its_lender() {
    let ends: [fn(&mut Option<Handles>, u32); 4] = [
        |lender, handle| lender.as_mut().unwrap().close(handle).unwrap(),
        |lender, _| lender.as_mut().unwrap().end_request(7),
        |lender, _| *lender = None,
        |lender, handle| assert!(lender.as_mut().unwrap().transfer(handle, "x").is_ok()),
    ];
    for (case, end) in ends.into_iter().enumerate() {
        let house = House::new();
        let mut lender = Some(house.instance("lender", Rights::ALL));
        let mut borrower = house.instance("borrower", Rights::ALL);
        let mut third = house.instance("third", Rights::ALL);
        let first = lender.as_mut().unwrap();
        let handle = first.create(MapOptions::anonymous()).unwrap();
        let lend = |to| (to, Ends::WithRequest(7));
        let ticket = first.lend(handle, Rights::ALL, lend("borrower")).unwrap();
        let unused = first.lend(handle, Rights::ALL, lend("borrower")).unwrap();
        let borrowed = borrower.accept(&ticket).unwrap();
        let to = ("third", Ends::WithInstance);
        let on = borrower.lend(borrowed, Rights::READ, to).unwrap();
        let lent_on = third.accept(&on).unwrap();
        assert!(third.map(lent_on, Rights::READ).is_ok());
        first.end_request(8);
        assert!(
            borrower.map(borrowed, Rights::READ).is_ok(),
            "another request"
        );
        end(&mut lender, handle);
        for stale in [
            borrower.map(borrowed, Rights::READ).err(),
            third.map(lent_on, Rights::READ).err(),
        ] {
            assert_eq!(stale, Some(MapError::Stale), "case {case}");
        }
        assert_eq!(borrower.rights(borrowed), Err(MapError::Stale));
        assert_eq!(borrower.dup(borrowed, Rights::READ), Err(MapError::Stale));
        assert_eq!(borrower.accept(&unused), Err(MapError::NoEntry));
        assert_eq!(borrower.close(borrowed), Ok(()));
    }
}

#[test]
fn what_is_borrowed_is_not_kept() {
    let house = House::new();
    let mut lender = house.instance("lender", Rights::ALL);
    let mut borrower = house.instance("borrower", Rights::ALL);
    let handle = lender.create(MapOptions::anonymous()).unwrap();
    let to = ("borrower", Ends::WithInstance);
    let ticket = lender.lend(handle, Rights::ALL, to).unwrap();
    let borrowed = borrower.accept(&ticket).unwrap();
    let own = borrower.create(MapOptions::anonymous()).unwrap();
    assert_eq!(
        borrower.put_map(own, b"k", borrowed),
        Err(MapError::NotCapable)
    );
    lender.close(handle).unwrap();
    assert_eq!(anonymous(&house), 1);
}

#[test]
fn loans_are_bounded_and_forgotten() {
    let house = House::new();
    let mut lender = house.instance("lender", Rights::ALL);
    let handle = lender.create(MapOptions::anonymous()).unwrap();
    let to = ("lender", Ends::WithInstance);
    for _ in 0..limits::LOANS_MAX {
        lender.lend(handle, Rights::READ, to).unwrap();
    }
    assert!(matches!(
        lender.lend(handle, Rights::READ, to),
        Err(MapError::NoMemory { .. })
    ));
    house.clock.advance(limits::TICKET_TIME);
    house.rest();
    lender.lend(handle, Rights::READ, to).unwrap();
    let mut ticket = lender.lend(handle, Rights::ALL, to).unwrap();
    let depth = std::iter::repeat_with(|| {
        let borrowed = lender.accept(&ticket)?;
        ticket = lender.lend(borrowed, Rights::ALL, to)?;
        Ok::<_, MapError>(())
    });
    let refused = depth.take(100).find_map(Result::err);
    assert!(
        matches!(refused, Some(MapError::NoMemory { max: 16, .. })),
        "{refused:?}"
    );
}

#[test]
fn a_borrowed_map_is_watched_while_it_is_lent() {
    let house = House::new();
    let mut lender = house.instance("lender", Rights::ALL);
    let mut borrower = house.instance("borrower", Rights::ALL);
    let map = lender.create(MapOptions::anonymous()).unwrap();
    let to = ("borrower", Ends::WithRequest(1));
    let ticket = lender.lend(map, Rights::ALL, to).unwrap();
    let borrowed = borrower.accept(&ticket).unwrap();
    let watch = borrower.watch(borrowed, b"").now().unwrap();
    lender
        .map(map, Rights::WRITE)
        .unwrap()
        .store()
        .set(b"k", b"v")
        .unwrap();
    lender.end_request(1);
    lender
        .map(map, Rights::WRITE)
        .unwrap()
        .store()
        .set(b"k2", b"v")
        .unwrap();
    assert_eq!(borrower.try_change(watch), Err(MapError::Stale));
}

/// Many more tickets than may be open at a time, one after the other.
#[test]
fn accepted_tickets_leave_nothing_behind() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let mut handle = one.create(MapOptions::anonymous()).unwrap();
    let unused = one.dup(handle, Rights::ALL).unwrap();
    let unused = one.transfer(unused, "filter").unwrap();
    for _ in 0..5000 {
        let ticket = one.transfer(handle, "filter").unwrap();
        handle = one.accept(&ticket).unwrap();
    }
    assert_eq!(house.engine.tickets_open(), 1);
    house.clock.advance(limits::TICKET_TIME);
    house.rest();
    assert_eq!(house.engine.tickets_open(), 0, "the order of ends is right");
    assert_eq!(one.accept(&unused), Err(MapError::NoEntry));
}

/// Tickets are the engine's, and one use could once have all of them: nobody else lent or handed on
/// anything for a minute.
#[test]
fn one_use_leaves_tickets_to_the_others() {
    let house = House::new();
    let mut greedy = house.instance("greedy", Rights::ALL);
    let mut other = house.instance("other", Rights::ALL);
    let handle = greedy.create(MapOptions::anonymous()).unwrap();
    let give = |greedy: &mut Handles| {
        let copy = greedy.dup(handle, Rights::ALL)?;
        greedy.transfer(copy, "nobody")
    };
    let refused = (0..=limits::TICKETS_MAX).find_map(|_| give(&mut greedy).err());
    let max = limits::TICKETS_OF_USE_MAX;
    assert!(
        matches!(refused, Some(MapError::NoMemory { max: most, .. }) if most == max),
        "{refused:?}"
    );
    let own = other.create(MapOptions::anonymous()).unwrap();
    let ticket = other.transfer(own, "greedy").unwrap();
    greedy.accept(&ticket).unwrap();
    house.clock.advance(limits::TICKET_TIME);
    house.rest();
    let left = greedy.len();
    give(&mut greedy).unwrap();
    assert_eq!(greedy.len(), left);
}
