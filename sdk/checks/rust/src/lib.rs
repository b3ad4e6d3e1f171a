//! Calls everything that the crate `wasi-map` has against a real host.
//!
//! The host grants `shared` with all rights, empty, and `readable` with one entry, `host` = `hello`,
//! to read it only; the module's use is called `checks`. Each export answers 0, or the line of the
//! expectation that did not hold; `regions` answers 58 on a host without regions.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::vec::Vec;
use core::time::Duration;

use wasi_map::region::{self, Span};
use wasi_map::{Batch, Change, Condition, Done, Error, Event, Map, Options, Rights, Terms};

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// Comparing memory is a function of C's library there.
#[cfg(target_os = "wasi")]
#[link(name = "c")]
unsafe extern "C" {}

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// What did not hold: its line, or an error.
enum Failed {
    At(u32),
    With(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::With(error)
    }
}

type Checked = Result<(), Failed>;

macro_rules! expect {
    ($what:expr) => {
        if !$what {
            return Err(Failed::At(line!()));
        }
    };
}

/// Exports checks. An error that nobody expected is its number less 1000.
macro_rules! checks {
    ($($name:ident: $check:ident;)*) => {
        $(
            /// A check.
            #[unsafe(no_mangle)]
            pub extern "C" fn $name() -> i32 {
                match $check() {
                    Ok(()) => 0,
                    Err(Failed::At(line)) => i32::try_from(line).unwrap_or(i32::MAX),
                    Err(Failed::With(error)) => error.errno() - 1000,
                }
            }
        )*
    };
}

checks! {
    entries: check_entries;
    lists: check_lists;
    changes: check_changes;
    handles: check_handles;
    references: check_references;
    errors: check_errors;
    regions: check_regions;
}

const ANY: Rights = Rights::ALL;

fn shared() -> Result<Map, Error> {
    let map = Map::open("shared", ANY)?;
    map.clear()?;
    Ok(map)
}

fn check_entries() -> Checked {
    let map = shared()?;
    map.set(b"key", b"value")?;
    let entry = map.get(b"key")?;
    expect!(entry.is_some_and(|entry| entry.value == b"value" && entry.version > 0));
    let mut three = [0; 3];
    let small = map.get_into(b"key", &mut three);
    expect!(small == Err(Error::Overflow { needed: 5 }) && three == [0; 3]);
    let mut five = [0; 5];
    expect!(
        map.get_into(b"key", &mut five)?
            .is_some_and(|(size, _)| size == 5)
    );
    expect!(five == *b"value");
    let large: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    map.set(b"large", &large)?;
    expect!(map.get(b"large")?.is_some_and(|entry| entry.value == large));
    expect!(map.exists(b"key")? && !map.exists(b"none")?);
    expect!(map.get(b"none")?.is_none());
    expect!(map.delete(b"key")? && !map.delete(b"key")?);
    expect!(map.increment(b"count", 40)? == 40 && map.increment(b"count", 2)? == 42);
    expect!(map.increment(b"count", i64::MAX) == Err(Error::Overflow { needed: 0 }));
    let first = map.compare_and_swap(b"swapped", 0, b"1")?;
    let lost = map.compare_and_swap(b"swapped", 0, b"2");
    expect!(lost == Err(Error::Again { current: first }));
    expect!(map.compare_and_swap(b"swapped", first, b"2")? > first);
    let absent = map.set_with(b"swapped", b"3", &Terms::on(Condition::Absent));
    expect!(matches!(absent, Err(Error::Again { .. })));
    let ending = Terms::lasting(Duration::from_millis(1));
    let stored = map.set_with(b"ending", b"", &ending)?;
    let long = Terms {
        condition: Condition::Version(stored),
        ttl: Some(Duration::from_hours(1)),
    };
    match map.set_with(b"ending", b"longer", &long) {
        Ok(version) => expect!(version > stored),
        Err(error) => expect!(error == Error::Again { current: 0 }),
    }
    let stat = map.stat()?;
    expect!(stat.entries >= 3 && stat.bytes > 100_000 && stat.version > stored - 1);
    expect!(stat.flags & 1 == 1);
    Ok(())
}

fn check_lists() -> Checked {
    let map = shared()?;
    for number in 0..300_u16 {
        let key = [b"a".as_slice(), &number.to_be_bytes()].concat();
        map.set(&key, &[7; 40])?;
    }
    map.set(b"a\x00\x10", &alloc::vec![9; 10_000])?;
    map.set(b"b", b"")?;
    let items = map.scan(b"a").collect::<Result<Vec<_>, _>>()?;
    expect!(items.len() == 300);
    expect!(items.windows(2).all(|pair| pair[0].key < pair[1].key));
    expect!(
        items[16]
            .value
            .as_ref()
            .is_some_and(|value| value.len() == 10_000)
    );
    expect!(items[17].value.as_deref() == Some(&[7; 40]) && items[17].version > 0);
    expect!(map.scan(b"").count() == 301 && map.scan(b"c").next().is_none());
    let batch = Batch::new()
        .check(b"new", Condition::Absent)
        .set(b"new", b"1", &Terms::default())
        .increment(b"n", -5)
        .delete(b"b")
        .delete(b"none");
    let done = map.batch(&batch)?;
    expect!(done.len() == 5 && done[0] == Done::Checked(0));
    expect!(matches!(done[1], Done::Stored(version) if version > 0));
    expect!(matches!(done[2], Done::Counted { value: -5, version } if version > 0));
    expect!(done[3] == Done::Deleted(true) && done[4] == Done::Deleted(false));
    let refused = Batch::new()
        .set(b"b", b"", &Terms::default())
        .check(b"new", Condition::Absent);
    expect!(matches!(map.batch(&refused), Err(Error::Again { .. })) && !map.exists(b"b")?);
    expect!(map.batch(&Batch::new())?.is_empty());
    map.clear()?;
    expect!(map.scan(b"").next().is_none());
    Ok(())
}

fn check_changes() -> Checked {
    let map = shared()?;
    let mut watch = map.watch(b"w")?;
    expect!(watch.id() > 0 && watch.poll()?.is_none());
    expect!(watch.next(Duration::from_millis(2))?.is_none());
    map.set(b"other", b"")?;
    map.set(b"w1", b"")?;
    map.delete(b"w1")?;
    let long = alloc::vec![b'w'; 6000];
    map.set(&long, b"")?;
    let mut told = Vec::new();
    while let Some(change) = watch.poll()? {
        told.push(change);
    }
    expect!(told.len() == 2);
    let is = |change: &Change, wanted: &[u8], kind| {
        matches!(change, Change::Entry { key, event, version }
            if key == wanted && *event == kind && *version > 0)
    };
    expect!(told.iter().any(|change| is(change, b"w1", Event::Deleted)));
    expect!(told.iter().any(|change| is(change, &long, Event::Set)));
    map.clear()?;
    expect!(watch.poll()? == Some(Change::Cleared));
    drop(watch);
    // Their number is limited: dropping them gives them back.
    for _ in 0..100 {
        map.watch(b"")?;
    }
    Ok(())
}

fn check_handles() -> Checked {
    let map = shared()?;
    map.set(b"key", b"1")?;
    let reader = map.duplicate(Rights::READ | Rights::SHARE)?;
    expect!(reader.rights()? == Rights::READ | Rights::SHARE);
    expect!(reader.set(b"key", b"2") == Err(Error::NotCapable));
    expect!(reader.duplicate(ANY) == Err(Error::NotCapable));
    let ticket = reader.lend(Rights::READ, "checks")?;
    let borrowed = Map::accept(&ticket)?;
    expect!(
        borrowed
            .get(b"key")?
            .is_some_and(|entry| entry.value == b"1")
    );
    expect!(Map::accept(&ticket) == Err(Error::NoEntry));
    reader.close()?;
    expect!(borrowed.get(b"key") == Err(Error::Stale));
    let ticket = map
        .duplicate(ANY)?
        .transfer("checks")
        .map_err(Error::from)?;
    let moved = Map::accept(&ticket)?;
    expect!(moved.rights()? == ANY);
    let Err(refused) = moved.duplicate(Rights::READ)?.transfer("checks") else {
        return Err(Failed::At(line!()));
    };
    expect!(refused.error == Error::NotCapable && refused.map.exists(b"key")?);
    let elsewhere = map.lend(Rights::READ, "another")?;
    expect!(Map::accept(&elsewhere) == Err(Error::NoEntry));
    // Their number is limited: dropping them gives them back.
    for _ in 0..5000 {
        map.duplicate(Rights::READ)?;
    }
    Ok(())
}

fn check_references() -> Checked {
    let map = shared()?;
    let options = Options {
        entries_max: 2,
        ttl: Some(Duration::from_hours(1)),
        ..Options::default()
    };
    let own = Map::create(&options)?;
    own.set(b"in", b"side")?;
    own.set(b"in2", b"")?;
    expect!(own.set(b"in3", b"") == Err(Error::NoSpace));
    expect!(own.stat()?.flags == 4);
    map.put_map(b"child", &own)?;
    drop(own);
    let found = map.get_map(b"child")?;
    let Some(found) = found else {
        return Err(Failed::At(line!()));
    };
    expect!(
        found
            .get(b"in")?
            .is_some_and(|entry| entry.value == b"side")
    );
    expect!(map.get_map(b"none")?.is_none());
    expect!(
        map.scan(b"child")
            .next()
            .is_some_and(|item| item.is_ok_and(|item| item.value.is_none()))
    );
    map.set(b"bytes", b"")?;
    expect!(map.get_map(b"bytes") == Err(Error::Invalid));
    Ok(())
}

fn check_errors() -> Checked {
    expect!(Map::open("missing", Rights::READ) == Err(Error::NoEntry));
    expect!(Map::open("", Rights::READ) == Err(Error::Invalid));
    let long = alloc::string::String::from_utf8(alloc::vec![b'n'; 257]).unwrap_or_default();
    expect!(Map::open(&long, Rights::READ) == Err(Error::NameTooLong));
    expect!(Map::open("readable", ANY) == Err(Error::NotCapable));
    expect!(Map::open("shared", Rights::from_bits(1024)) == Err(Error::Invalid));
    let readable = Map::open("readable", Rights::READ)?;
    expect!(
        readable
            .get(b"host")?
            .is_some_and(|entry| entry.value == b"hello")
    );
    let refused = [
        readable.set(b"host", b""),
        readable.delete(b"host").map(drop),
        readable.increment(b"n", 1).map(drop),
        readable.compare_and_swap(b"n", 0, b"").map(drop),
        readable.clear(),
        readable.watch(b"").map(drop),
        readable
            .scan(b"")
            .next()
            .unwrap_or(Err(Error::NoEntry))
            .map(drop),
        readable
            .batch(&Batch::new().set(b"n", b"", &Terms::default()))
            .map(drop),
        readable.lend(Rights::READ, "checks").map(drop),
        readable.put_map(b"n", &readable),
    ];
    expect!(refused == [Err(Error::NotCapable); 10]);
    let number = readable.handle();
    readable.close()?;
    expect!(Map::from_handle(number).get(b"host") == Err(Error::BadHandle));
    expect!(shared()?.set(&alloc::vec![0; 70_000], b"") == Err(Error::Invalid));
    expect!(shared()?.set(b"text", b"no") == Ok(()));
    expect!(Map::open("shared", ANY)?.increment(b"text", 1) == Err(Error::Invalid));
    Ok(())
}

fn check_regions() -> Checked {
    let map = shared()?;
    match region::create(&map, b"region", 100_000) {
        Err(Error::NotSupported) => return Err(Failed::At(58)),
        created => created?,
    }
    let listed = map.scan(b"region").next();
    expect!(
        listed.is_some_and(|item| item.is_ok_and(|item| item.is_region && item.value.is_none()))
    );
    let span = |offset, len| Span { offset, len };
    let writing = region::write(&map, b"region", span(0, 100_000));
    if writing
        .as_ref()
        .is_err_and(|error| *error == Error::NotSupported)
    {
        return Err(Failed::At(58));
    }
    let mut writing = writing?;
    expect!(writing.len() == 100_000 && writing.iter().all(|byte| *byte == 0));
    writing[..4].copy_from_slice(b"here");
    writing[99_999] = 7;
    let busy = region::read(&map, b"region", span(0, 1));
    expect!(matches!(busy, Err(Error::Again { .. })));
    drop(writing);
    let reading = region::read(&map, b"region", span(0, 100_000))?;
    expect!(reading.starts_with(b"here") && reading[99_999] == 7);
    drop(reading);
    expect!(region::read(&map, b"region", span(0, 1_000_000)).is_err());
    expect!(region::read(&map, b"none", span(0, 1)).is_err_and(|error| error == Error::NoEntry));
    Ok(())
}
