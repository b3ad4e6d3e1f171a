//! Regions: what an entry of pages is to those who copy it, have it, replace it and pay for it.

use std::sync::Arc;

use weir_maps::call::{Called, MapCall, MapReply, packed};
use weir_maps::handles::InUse;
use weir_maps::region::{Access, Lease};
use weir_maps::scan::START;
use weir_maps::store::{Condition, Range};
use weir_maps::{Change, Ends, Event, Handles, MapError, MapOptions, Rights, Store, Terms, Value};
use weir_model::limits::maps as limits;

use crate::handles::House;

const KIB: u64 = 1 << 10;
const PAGE: u64 = 4096;

/// An instance with a handle to `cache`.
fn instance(house: &House) -> (Handles, u32) {
    let mut one = house.instance("filter", Rights::ALL);
    let handle = one.open(b"cache", Rights::ALL).unwrap();
    (one, handle)
}

/// Value and version of `k`.
fn entry(one: &Handles, handle: u32) -> (Value, u64) {
    let map = one.map(handle, Rights::READ).unwrap();
    let seen = map
        .store()
        .read(b"k", &mut |seen| (seen.value.clone(), seen.version));
    seen.now().unwrap().unwrap()
}

fn copied(one: &Handles, handle: u32) -> Result<Vec<u8>, MapError> {
    let (value, version) = entry(one, handle);
    let region = value.as_region().unwrap();
    region.copy(version, 1 << 20).map(|bytes| bytes.to_vec())
}

fn take(one: &Handles, handle: u32, access: Access) -> Result<Lease, MapError> {
    one.region(handle, b"k", (access, 0..0))
}

/// Bytes counted for the map.
fn used(one: &Handles, handle: u32) -> u64 {
    one.stat(handle).now().unwrap().entries.bytes
}

#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn a_region_begins_with_zeros_and_counts_in_whole_pages() {
    let house = House::new();
    let (one, handle) = instance(&house);
    let version = one.region_create(handle, b"k", 5000).unwrap();
    assert_eq!(entry(&one, handle).1, version);
    assert_eq!(copied(&one, handle), Ok(vec![0; 5000]));
    assert_eq!(
        used(&one, handle),
        2 * PAGE + 1 + limits::ENTRY_BYTES as u64
    );
    assert_eq!(house.engine.regions().count(), 1);
}

#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn who_writes_is_alone_and_what_was_written_is_a_new_version() {
    let house = House::new();
    let (one, handle) = instance(&house);
    let first = one.region_create(handle, b"k", KIB).unwrap();
    let again = Some(MapError::Again { current: first });
    let writer = take(&one, handle, Access::Write).unwrap();
    writer.write(1000, b"xyz").unwrap();
    assert_eq!(take(&one, handle, Access::Write).err(), again);
    assert_eq!(take(&one, handle, Access::Read).err(), again);
    assert_eq!(copied(&one, handle).err(), again);
    drop(writer);
    let (_, second) = entry(&one, handle);
    assert!(second > first);
    assert_eq!(&copied(&one, handle).unwrap()[1000..1003], b"xyz");

    let readers = [(); 3].map(|()| take(&one, handle, Access::Read).unwrap());
    let again = Some(MapError::Again { current: second });
    assert_eq!(take(&one, handle, Access::Write).err(), again);
    let mut seen = [0; 4];
    readers[2].read(1000, &mut seen).unwrap();
    assert_eq!(&seen, b"xyz\0");
    assert_eq!(readers[0].write(0, b"x"), Err(MapError::NotCapable));
    drop(readers);
    assert_eq!(entry(&one, handle).1, second, "readers change nothing");
    drop(take(&one, handle, Access::Write));
    assert_eq!(entry(&one, handle).1, second, "nothing was written");
}

#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn watchers_are_told_of_what_was_written() {
    let house = House::new();
    let (one, handle) = instance(&house);
    one.region_create(handle, b"k", KIB).unwrap();
    let map = one.map(handle, Rights::WATCH).unwrap();
    let watch = map.store().watch(b"").now().unwrap();
    drop(take(&one, handle, Access::Read));
    assert_eq!(watch.try_next(), None);
    drop(take(&one, handle, Access::Write));
    assert_eq!(watch.try_next(), None);
    take(&one, handle, Access::Write)
        .unwrap()
        .write(0, b"x")
        .unwrap();
    let change = watch.try_next();
    let event = Event::Set;
    assert!(
        matches!(&change, Some(Change::Entry { event: told, .. }) if *told == event),
        "{change:?}"
    );
}

#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn what_is_replaced_or_deleted_stays_with_who_has_it() {
    let house = House::new();
    let (one, handle) = instance(&house);
    for removes in [false, true] {
        one.region_create(handle, b"k", KIB).unwrap();
        let writer = take(&one, handle, Access::Write).unwrap();
        writer.write(0, b"mine").unwrap();
        let map = one.map(handle, Rights::ALL).unwrap();
        if removes {
            map.store().remove(b"k", Condition::Always).now().unwrap();
        } else {
            let value = Value::copy_of(b"another");
            map.store()
                .write(b"k", value, Terms::default())
                .now()
                .unwrap();
        }
        let before = one.stat(handle).now().unwrap().entries.version;
        let mut seen = [0; 4];
        writer.read(0, &mut seen).unwrap();
        assert_eq!(&seen, b"mine");
        assert_eq!(house.engine.regions().count(), 1);
        drop(writer);
        // Nothing came back, and the memory is given back.
        assert_eq!(one.stat(handle).now().unwrap().entries.version, before);
        assert_eq!(house.engine.regions().count(), 0);
        if removes {
            assert_eq!(used(&one, handle), 0);
        } else {
            assert_eq!(entry(&one, handle).0, Value::copy_of(b"another"));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn a_region_outlives_its_map() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = one.create(MapOptions::anonymous()).unwrap();
    one.region_create(handle, b"k", KIB).unwrap();
    let lease = take(&one, handle, Access::Write).unwrap();
    one.close(handle).unwrap();
    house.rest();
    assert_eq!(house.engine.stat().anonymous, 0);
    lease.write(0, b"still there").unwrap();
    drop(lease);
    assert_eq!(house.engine.regions().count(), 0);
}

#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn what_is_refused_changes_nothing() {
    let house = House::new();
    let (mut one, handle) = instance(&house);
    let invalid = |result: Result<u64, MapError>| matches!(result, Err(MapError::Invalid(_)));
    let no_space = |result: Result<u64, MapError>| matches!(result, Err(MapError::NoSpace { .. }));
    assert!(invalid(one.region_create(handle, b"k", 0)));
    assert!(no_space(one.region_create(handle, b"k", u64::MAX)));
    assert!(no_space(one.region_create(handle, b"k", limits::BYTES)));
    assert!(invalid(one.region_create(handle, &vec![0; 1 << 17], KIB)));
    assert_eq!(one.region_create(9, b"k", KIB), Err(MapError::BadHandle(9)));
    let less = one
        .open(b"cache", Rights::READ.and(Rights::MAP_READ))
        .unwrap();
    assert_eq!(
        one.region_create(less, b"k", KIB),
        Err(MapError::NotCapable)
    );
    assert_eq!(house.engine.regions().count(), 0);
    assert_eq!(used(&one, handle), 0);
    assert_eq!(
        take(&one, handle, Access::Read).err(),
        Some(MapError::NoEntry)
    );

    one.region_create(handle, b"k", KIB).unwrap();
    let of_writers = one.open(b"cache", Rights::MAP_WRITE).unwrap();
    assert_eq!(
        take(&one, less, Access::Write).err(),
        Some(MapError::NotCapable)
    );
    assert_eq!(
        take(&one, of_writers, Access::Write).err(),
        Some(MapError::NotCapable)
    );
    let lease = take(&one, less, Access::Read).unwrap();
    for (offset, bytes) in [(0, KIB + 1), (KIB, 1), (u64::MAX, 1), (1, u64::MAX)] {
        assert!(
            lease.check(offset, bytes).is_err(),
            "{bytes} bytes at {offset}"
        );
    }
    assert_eq!(lease.check(KIB, 0), Ok(()));
    let value = entry(&one, handle).0;
    let region = value.as_region().unwrap();
    assert!(matches!(
        region.copy(1, 1023),
        Err(MapError::NoSpace { .. })
    ));
}

#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn a_region_is_no_counter_and_is_listed_without_its_bytes() {
    let house = House::new();
    let (one, handle) = instance(&house);
    one.region_create(handle, b"k", 8).unwrap();
    let map = one.map(handle, Rights::ALL).unwrap();
    assert!(matches!(
        map.store().add(b"k", 1).now(),
        Err(MapError::Invalid(_))
    ));
    let range = Range {
        prefix: b"",
        after: None,
        entries: 10,
        bytes: 24,
    };
    let page = map.store().scan(range).now().unwrap();
    assert!(page.items[0].value.as_region().is_some());
}

#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn guests_create_copy_take_and_list_regions() {
    let house = House::new();
    let (mut one, handle) = instance(&house);
    let mut call = |call| match one.call(call, Ends::WithInstance) {
        Called::Now(reply) => reply,
        Called::Later(_) => panic!("at once"),
    };
    let (key, bytes) = (&b"k"[..], 70_000);
    let made = call(MapCall::RegionCreate { handle, key, bytes });
    let MapReply::Number(version) = made else {
        panic!("{made:?}")
    };
    let map = |offset, bytes, prot| MapCall::RegionMap {
        handle,
        key,
        offset,
        bytes,
        prot,
    };
    for (offset, bytes, prot) in [
        (0, 0, 1),
        (0, 1, 0),
        (0, 1, 4),
        (1, 1, 1),
        (4096, 1, 1),
        (0, 70_001, 1),
        (65_536, 4465, 2),
        (1 << 63, 1, 1),
        (u64::MAX - 65_535, u32::MAX, 3),
    ] {
        let refused = call(map(offset, bytes, prot));
        assert_eq!(refused.errno(), 28, "{bytes} at {offset}: {refused:?}");
    }
    let copied = MapReply::Entry(Value::copy_of(&vec![0; 70_000]), version);
    assert_eq!(call(MapCall::Get { handle, key }), copied);
    let page = call(MapCall::Scan {
        handle,
        prefix: b"",
        cursor: START,
        bytes: 100,
    });
    let MapReply::Page(page, _) = page else {
        panic!("{page:?}")
    };
    assert_eq!(page[4..8], packed::IS_REGION.to_le_bytes());
    let items: Vec<_> = packed::items(&page).collect();
    assert_eq!((&*items[0].key, &items[0].value), (key, &None));
    let taken = call(map(65_536, 4464, 3));
    let MapReply::Region(lease) = taken else {
        panic!("{taken:?}")
    };
    lease.write(69_999, b"!").unwrap();
    let again = MapReply::Refused(6, version);
    assert_eq!(call(MapCall::Get { handle, key }), again);
    assert_eq!(call(map(0, 1, 1)), again);
    drop(lease);
    let MapReply::Entry(value, second) = call(MapCall::Get { handle, key }) else {
        panic!("nobody writes")
    };
    assert_eq!(value.bytes().unwrap()[69_999], b'!');
    assert!(second > version);
}

/// As many as an engine may have, and one more.
#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn regions_have_a_limit_and_come_back_under_it() {
    let house = House::new();
    let regions = house.engine.regions();
    let few: Vec<_> = (0..3).map(|_| regions.make(1).unwrap()).collect();
    assert_eq!(regions.count(), 3);
    drop(few);
    let many = std::iter::from_fn(|| regions.make(1).ok());
    let many: Vec<_> = many.take(limits::REGIONS_MAX + 1).collect();
    assert_eq!(many.len(), limits::REGIONS_MAX);
    assert!(matches!(regions.make(1), Err(MapError::NoMemory { .. })));
    drop(many);
    assert_eq!(regions.count(), 0);
}

/// Nobody can take away pages that somebody has mapped.
#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn a_region_cannot_be_cut() {
    let house = House::new();
    let (one, handle) = instance(&house);
    one.region_create(handle, b"k", 3 * PAGE).unwrap();
    let lease = take(&one, handle, Access::Write).unwrap();
    let file = std::fs::File::from(lease.file().try_clone_to_owned().unwrap());
    assert!(file.set_len(PAGE).is_err());
    assert!(file.set_len(9 * PAGE).is_err());
    let mut seen = [1; 8];
    lease.read(PAGE, &mut seen).unwrap();
    assert_eq!(seen, [0; 8]);
}

/// Once the pages of a region that somebody had were free for others as soon as its entry was gone: who
/// kept a few bytes of each mapped took a map's quota of memory as often as it liked.
#[test]
#[cfg_attr(miri, ignore = "needs a file of the kernel")]
fn who_has_a_region_pays_for_it_when_its_entry_is_gone() {
    let house = House::new();
    let mut one = house.instance("filter", Rights::ALL);
    let entry = 1 + limits::ENTRY_BYTES as u64;
    let handle = one
        .create(MapOptions {
            bytes_max: 10 * PAGE + entry,
            ..MapOptions::anonymous()
        })
        .unwrap();
    let create = |one: &Handles| one.region_create(handle, b"k", 6 * PAGE);
    let map = |one: &Handles| {
        Arc::clone(match &one.map(handle, Rights::ALL).unwrap() {
            InUse::Own(map) => map,
            InUse::Borrowed(map) => map,
        })
    };
    for removes in [true, false] {
        create(&one).unwrap();
        let version = self::entry(&one, handle).1;
        let lease = take(&one, handle, Access::Write).unwrap();
        if removes {
            map(&one)
                .store()
                .remove(b"k", Condition::Always)
                .now()
                .unwrap();
            assert_eq!(used(&one, handle), 6 * PAGE);
        } else {
            let again = create(&one);
            assert!(matches!(again, Err(MapError::NoSpace { .. })), "{again:?}");
            assert_eq!(used(&one, handle), 6 * PAGE + entry);
            assert_eq!(self::entry(&one, handle).1, version);
            let small = map(&one)
                .store()
                .write(b"k", Value::copy_of(b""), Terms::default());
            small.now().unwrap();
            assert_eq!(used(&one, handle), 6 * PAGE + entry);
            map(&one)
                .store()
                .remove(b"k", Condition::Always)
                .now()
                .unwrap();
        }
        let again = create(&one);
        assert!(matches!(again, Err(MapError::NoSpace { .. })), "{again:?}");
        drop(lease);
        assert_eq!(used(&one, handle), 0);
        create(&one).unwrap();
        create(&one).expect("one takes the place of the other");
        assert_eq!(used(&one, handle), 6 * PAGE + entry);
        // What was refused has closed nothing.
        assert!(one.region_create(handle, b"k", 11 * PAGE).is_err());
        drop(take(&one, handle, Access::Read).unwrap());
        map(&one)
            .store()
            .remove(b"k", Condition::Always)
            .now()
            .unwrap();
    }
    assert_eq!((used(&one, handle), house.engine.regions().count()), (0, 0));
}
