//! Handles: rights, limits, lending and moving, as the specification's tables say.

mod lending;

use std::sync::Arc;

use weir_maps::budget::{Account, Amount};
use weir_maps::handles::Ends;
use weir_maps::scan::START;
use weir_maps::{
    Change, Engine, Grants, Handles, Identity, ManualClock, MapError, MapOptions, Rights,
};
use weir_model::limits::maps as limits;

use crate::memory::unlimited;
use crate::suite::Plain;

/// An engine with one named map, `cache`.
pub(crate) struct House {
    pub(crate) clock: ManualClock,
    pub(crate) engine: Engine,
}

impl House {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::default();
        let engine = Engine::new(Arc::new(clock.clone()));
        let owner = Arc::new(unlimited());
        engine
            .define("tenant", "cache", (MapOptions::default(), &owner))
            .unwrap();
        Self { clock, engine }
    }

    pub(crate) fn instance(&self, in_use: &str, rights: Rights) -> Handles {
        self.paid_by(in_use, rights, unlimited())
    }

    fn paid_by(&self, in_use: &str, rights: Rights, owner: Account) -> Handles {
        let identity = Identity {
            in_use: in_use.into(),
            grants: Arc::new(Grants::of("tenant").with("cache", rights)),
            owner: Arc::new(owner),
            meter: Arc::default(),
        };
        Handles::new(&self.engine, identity)
    }

    /// Lets the housekeeping do everything that is to do.
    pub(crate) fn rest(&self) {
        for _ in 0..1_000_000 {
            if !self.engine.tend(1000) {
                return;
            }
        }
        panic!("housekeeping has no end");
    }
}

fn anonymous(house: &House) -> usize {
    house.engine.stat().anonymous
}

#[test]
fn a_map_is_opened_as_far_as_it_is_granted() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::READ.and(Rights::LIST));
    let handle = one.open(b"cache", Rights::READ).unwrap();
    assert_eq!((handle, one.rights(handle)), (1, Ok(Rights::READ)));
    assert_eq!(one.open(b"cache", Rights::ALL), Err(MapError::NotCapable));
    assert_eq!(one.open(b"other", Rights::READ), Err(MapError::NoEntry));
    let stranger = Identity {
        in_use: "filter".into(),
        grants: Arc::new(Grants::of("another tenant").with("cache", Rights::ALL)),
        owner: Arc::new(unlimited()),
        meter: Arc::default(),
    };
    let mut stranger = Handles::new(&house.engine, stranger);
    assert_eq!(
        stranger.open(b"cache", Rights::READ),
        Err(MapError::NoEntry)
    );
}

#[test]
fn names_are_checked_first() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    assert!(matches!(
        one.open(b"", Rights::READ),
        Err(MapError::Invalid(_))
    ));
    assert!(matches!(
        one.open(b"\xff", Rights::READ),
        Err(MapError::Invalid(_))
    ));
    let long = [b'x'; limits::NAME_BYTES_MAX + 1];
    assert_eq!(
        one.open(&long, Rights::READ),
        Err(MapError::NameTooLong {
            bytes: 257,
            max: 256
        })
    );
    assert_eq!(one.open(&long[..256], Rights::READ), Err(MapError::NoEntry));
    let owner = Arc::new(unlimited());
    let again = house
        .engine
        .define("tenant", "cache", (MapOptions::default(), &owner));
    assert_eq!(again, Err(MapError::Exists));
}

#[test]
fn every_operation_needs_its_right() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let all = [
        Rights::READ,
        Rights::WRITE,
        Rights::DELETE,
        Rights::LIST,
        Rights::WATCH,
        Rights::CREATE,
        Rights::SHARE,
        Rights::MAP_READ,
        Rights::MAP_WRITE,
        Rights::CLEAR,
    ];
    let child = one.create(MapOptions::anonymous()).unwrap();
    for held in all {
        let handle = one.open(b"cache", held).unwrap();
        for needed in all {
            assert_eq!(
                one.map(handle, needed).is_ok(),
                held == needed,
                "{held:?} {needed:?}"
            );
        }
        let not = |needed| held != needed;
        assert_eq!(
            one.put_map(handle, b"k", child).is_err(),
            not(Rights::CREATE)
        );
        assert_eq!(
            one.get_map(handle, b"k") == Err(MapError::NotCapable),
            not(Rights::READ)
        );
        assert_eq!(
            one.scan(handle, &START, (b"", 1000)).now().is_err(),
            not(Rights::LIST)
        );
        assert_eq!(one.stat(handle).now().is_err(), not(Rights::READ));
        let lent = one.lend(handle, Rights::NONE, ("other", Ends::WithInstance));
        assert_eq!(lent.is_err(), not(Rights::SHARE));
        assert_eq!(one.transfer(handle, "other").is_err(), not(Rights::SHARE));
    }
}

#[test]
fn rights_never_grow() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let some = Rights::READ.and(Rights::SHARE);
    let handle = one.open(b"cache", some).unwrap();
    assert_eq!(
        one.dup(handle, Rights::READ.and(Rights::WRITE)),
        Err(MapError::NotCapable)
    );
    let read = one.dup(handle, Rights::READ).unwrap();
    assert_eq!(one.dup(read, some), Err(MapError::NotCapable));
    let to = ("filter", Ends::WithInstance);
    assert_eq!(
        one.lend(handle, Rights::WRITE, to),
        Err(MapError::NotCapable)
    );
    assert_eq!(
        one.lend(read, Rights::READ, to),
        Err(MapError::NotCapable),
        "no SHARE"
    );
    let ticket = one.lend(handle, Rights::READ, to).unwrap();
    let borrowed = one.accept(&ticket).unwrap();
    assert_eq!(one.rights(borrowed), Ok(Rights::READ));
}

#[test]
fn a_reference_gives_no_more_than_was_put_and_than_it_was_found_with() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let parent = one.create(MapOptions::anonymous()).unwrap();
    let child = one.create(MapOptions::anonymous()).unwrap();
    let few = one
        .dup(child, Rights::READ.and(Rights::WRITE).and(Rights::SHARE))
        .unwrap();
    one.put_map(parent, b"child", few).unwrap();
    let found = one.get_map(parent, b"child").unwrap();
    assert_eq!(one.rights(found), one.rights(few));
    let reader = one.dup(parent, Rights::READ).unwrap();
    let found = one.get_map(reader, b"child").unwrap();
    assert_eq!(one.rights(found), Ok(Rights::READ));
    let mute = one.dup(child, Rights::READ).unwrap();
    assert_eq!(
        one.put_map(parent, b"x", mute),
        Err(MapError::NotCapable),
        "no SHARE"
    );
}

#[test]
fn closed_and_foreign_handles_are_bad() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    for handle in [0, 1, 2, u32::MAX] {
        assert_eq!(one.close(handle), Err(MapError::BadHandle(handle)));
        assert_eq!(one.rights(handle), Err(MapError::BadHandle(handle)));
        assert_eq!(
            one.dup(handle, Rights::NONE),
            Err(MapError::BadHandle(handle))
        );
        assert_eq!(one.transfer(handle, "x"), Err(MapError::BadHandle(handle)));
    }
    let handle = one.create(MapOptions::anonymous()).unwrap();
    one.close(handle).unwrap();
    assert_eq!(one.close(handle), Err(MapError::BadHandle(handle)));
}

#[test]
fn handles_are_bounded_and_reused() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    for expected in 1..=limits::HANDLES_MAX {
        assert_eq!(one.open(b"cache", Rights::ALL).unwrap() as usize, expected);
    }
    let full = |refused: Result<u32, MapError>| matches!(refused, Err(MapError::NoMemory { .. }));
    assert!(full(one.open(b"cache", Rights::READ)));
    assert!(full(one.dup(1, Rights::READ)));
    assert!(full(one.create(MapOptions::anonymous())));
    assert_eq!(anonymous(&house), 0, "nothing was made");
    let ticket = one
        .lend(2, Rights::READ, ("filter", Ends::WithInstance))
        .unwrap();
    assert!(full(one.accept(&ticket)));
    one.close(7).unwrap();
    assert_eq!(one.accept(&ticket), Ok(7), "the ticket was still good");
    assert_eq!(one.len(), limits::HANDLES_MAX);
}

#[test]
fn a_cursor_is_good_for_one_page_of_its_handle() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = one.open(b"cache", Rights::ALL).unwrap();
    let other = one.dup(handle, Rights::ALL).unwrap();
    for number in 0..10_u8 {
        one.map(handle, Rights::WRITE)
            .unwrap()
            .store()
            .set(&[number], b"x")
            .unwrap();
    }
    let range = (&b""[..], 3 * 24);
    let (page, second) = one.scan(handle, &START, range).now().unwrap();
    assert_eq!(page.items.len(), 3);
    assert_eq!(one.scan(other, &second, range).now(), Err(MapError::Stale));
    let (_, third) = one.scan(handle, &second, range).now().unwrap();
    assert_eq!(
        one.scan(handle, &second, range).now(),
        Err(MapError::Stale),
        "used up"
    );
    let (page, fourth) = one.scan(handle, &third, range).now().unwrap();
    assert_eq!(page.items[2].key, &[8][..]);
    assert_eq!(
        one.scan(handle, &fourth, range).now().unwrap().1,
        START,
        "the end"
    );
    let refused = one.scan(handle, &third, range).now();
    assert_eq!(refused, Err(MapError::Stale), "over");
    let (_, old) = one.scan(handle, &START, range).now().unwrap();
    for _ in 0..limits::SCANS_MAX {
        one.scan(handle, &START, range).now().unwrap();
    }
    assert_eq!(
        one.scan(handle, &old, range).now(),
        Err(MapError::Stale),
        "forgotten"
    );
    assert_eq!(
        one.scan(handle, &[9; 16], range).now(),
        Err(MapError::Stale),
        "made up"
    );
}

#[test]
fn an_undefined_map_lives_as_long_as_its_handles() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = one.open(b"cache", Rights::ALL).unwrap();
    house.engine.undefine("tenant", "cache");
    assert_eq!(one.open(b"cache", Rights::READ), Err(MapError::NoEntry));
    one.map(handle, Rights::WRITE)
        .unwrap()
        .store()
        .set(b"k", b"v")
        .unwrap();
    let owner = Arc::new(unlimited());
    house
        .engine
        .define("tenant", "cache", (MapOptions::default(), &owner))
        .unwrap();
    let new = one.open(b"cache", Rights::ALL).unwrap();
    assert_eq!(one.map(new, Rights::READ).unwrap().store().text(b"k"), None);
    assert_ne!(one.id(new), one.id(handle));
}

#[test]
fn anonymous_maps_are_paid_by_their_makers() {
    let house = House::new();
    let owner = Account::new(Amount {
        entries: 2,
        bytes: 10_000,
    });
    let mut one = house.paid_by("filter", Rights::ALL, owner);
    let maps = [0, 1, 2].map(|_| one.create(MapOptions::anonymous()).unwrap());
    let set =
        |one: &Handles, map: u32| one.map(map, Rights::WRITE).unwrap().store().set(b"k", b"v");
    set(&one, maps[0]).unwrap();
    set(&one, maps[1]).unwrap();
    assert!(matches!(
        set(&one, maps[2]),
        Err(MapError::NoSpace { max: 2, .. })
    ));
    one.close(maps[0]).unwrap();
    set(&one, maps[2]).unwrap();
}

#[test]
fn stat_counts_entries_and_references() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let map = one.create(MapOptions::anonymous()).unwrap();
    let second = one.dup(map, Rights::ALL).unwrap();
    one.put_map(map, b"itself", second).unwrap();
    let stat = one.stat(map).now().unwrap();
    assert_eq!((stat.entries.entries, stat.references), (1, 3));
}

#[test]
fn watches_are_of_the_instance_and_end_with_the_map() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let map = one.create(MapOptions::anonymous()).unwrap();
    let deaf = one.dup(map, Rights::READ).unwrap();
    assert_eq!(one.watch(deaf, b"").now(), Err(MapError::NotCapable));
    let watch = one.watch(map, b"").now().unwrap();
    one.map(map, Rights::WRITE)
        .unwrap()
        .store()
        .set(b"k", b"v")
        .unwrap();
    one.close(map).unwrap();
    assert!(matches!(
        one.try_change(watch),
        Ok(Some(Change::Entry { .. }))
    ));
    assert_eq!(one.try_change(watch), Ok(None));
    one.close(deaf).unwrap();
    house.rest();
    assert_eq!(one.try_change(watch), Ok(Some(Change::Gone)));
    assert_eq!(one.unwatch(watch), Ok(()));
    assert_eq!(one.unwatch(watch), Err(MapError::BadHandle(watch)));
    assert_eq!(one.try_change(0), Err(MapError::BadHandle(0)));
    let cache = one.open(b"cache", Rights::ALL).unwrap();
    for expected in 1..=limits::INSTANCE_WATCHES_MAX {
        assert_eq!(one.watch(cache, b"").now().unwrap() as usize, expected);
    }
    assert!(matches!(
        one.watch(cache, b"").now(),
        Err(MapError::NoMemory { max: 64, .. })
    ));
    one.unwatch(7).unwrap();
    assert_eq!(one.watch(cache, b"").now(), Ok(7));
}

#[test]
fn an_empty_map_is_paid_for_too() {
    let house = House::new();
    let owner = Account::new(Amount {
        entries: 10,
        bytes: 3 * limits::MAP_BYTES + 100,
    });
    let mut one = house.paid_by("filter", Rights::ALL, owner);
    let greedy = MapOptions {
        shards: 1024,
        ..MapOptions::anonymous()
    };
    let map = one.create(greedy).unwrap();
    let shards = one.map(map, Rights::READ).unwrap().options().shards;
    assert_eq!(shards, limits::ANONYMOUS_SHARDS_MAX);
    assert!(one.create(MapOptions::anonymous()).is_ok());
    let refused = one.create(MapOptions::anonymous());
    assert!(
        matches!(refused, Err(MapError::NoSpace { .. })),
        "{refused:?}"
    );
    one.close(map).unwrap();
    one.create(MapOptions::anonymous()).unwrap();
    one.create(MapOptions::anonymous()).unwrap();
    assert_eq!(anonymous(&house), 3);
}
