//! The host's functions over the maps of this thread.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "these are the functions of the ABI, and whoever calls them keeps what it says"
)]

use core::{ptr, slice};

use super::{Entries, MAPS, Maps};
use crate::Error;
use crate::abi::{ADD, CHECK, DELETE, SET};
use crate::abi::{RawCursor, RawDone, RawOp, RawOptions, RawStat, RawTerms};

type Answer = Result<(), Error>;

fn with(call: impl FnOnce(&mut Maps) -> Answer) -> i32 {
    MAPS.with_borrow_mut(|maps| call(maps).err().map_or(0, Error::errno))
}

unsafe fn bytes<'a>(at: *const u8, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    unsafe { slice::from_raw_parts(at, len) }
}

impl Maps {
    fn handle(&mut self, map: usize, rights: u64) -> u32 {
        self.handles.push(Some((map, rights)));
        u32::try_from(self.handles.len()).unwrap_or(u32::MAX)
    }

    fn slot(&mut self, handle: u32) -> Result<&mut Option<(usize, u64)>, Error> {
        let place = (handle as usize).wrapping_sub(1);
        let slot = self.handles.get_mut(place).filter(|slot| slot.is_some());
        slot.ok_or(Error::BadHandle)
    }

    /// The map of a handle that has a right, and the time.
    fn map(&mut self, handle: u32, right: u64) -> Result<(&mut Entries, u64), Error> {
        let (map, rights) = self.slot(handle)?.ok_or(Error::BadHandle)?;
        if rights & right != right {
            return Err(Error::NotCapable);
        }
        let now_ms = self.now_ms;
        let map = self.all.get_mut(map).ok_or(Error::BadHandle)?;
        Ok((map, now_ms))
    }
}

pub(crate) unsafe fn open(name: *const u8, len: usize, rights: u64, out: *mut u32) -> i32 {
    let name = unsafe { bytes(name, len) };
    with(|maps| {
        if name.len() > 256 {
            return Err(Error::NameTooLong);
        }
        if name.is_empty() || rights > 1023 {
            return Err(Error::Invalid);
        }
        let fresh = maps.all.len();
        let map = *maps.names.entry(name.to_vec()).or_insert(fresh);
        if map == fresh {
            maps.all.push(Entries::default());
        }
        unsafe { *out = maps.handle(map, rights) };
        Ok(())
    })
}

pub(crate) unsafe fn create(_options: *const RawOptions, out: *mut u32) -> i32 {
    with(|maps| {
        maps.all.push(Entries::default());
        unsafe { *out = maps.handle(maps.all.len() - 1, 1023) };
        Ok(())
    })
}

pub(crate) unsafe fn close(handle: u32) -> i32 {
    with(|maps| maps.slot(handle).map(|slot| *slot = None))
}

pub(crate) unsafe fn dup(handle: u32, rights: u64, out: *mut u32) -> i32 {
    with(|maps| {
        let (map, held) = maps.slot(handle)?.ok_or(Error::BadHandle)?;
        if held & rights != rights {
            return Err(Error::NotCapable);
        }
        unsafe { *out = maps.handle(map, rights) };
        Ok(())
    })
}

pub(crate) unsafe fn rights(handle: u32, out: *mut u64) -> i32 {
    with(|maps| {
        let (_, rights) = maps.slot(handle)?.ok_or(Error::BadHandle)?;
        unsafe { *out = rights };
        Ok(())
    })
}

pub(crate) unsafe fn stat(handle: u32, out: *mut RawStat) -> i32 {
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 1)?;
        let version = map.version;
        let (mut entries, mut bytes) = (0, 0);
        for (key, entry) in map.listed(&[], now_ms) {
            entries += 1;
            bytes += (key.len() + entry.value.len()) as u64;
        }
        let stat = RawStat {
            entries,
            bytes,
            version,
            quota_bytes: u64::MAX,
            references: 1,
            flags: 0,
        };
        unsafe { *out = stat };
        Ok(())
    })
}

pub(crate) unsafe fn get(
    handle: u32,
    key: *const u8,
    key_len: usize,
    buf: *mut u8,
    buf_len: usize,
    size_out: *mut usize,
    version_out: *mut u64,
) -> i32 {
    let key = unsafe { bytes(key, key_len) };
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 1)?;
        let entry = map.find(key, now_ms).ok_or(Error::NoEntry)?;
        let needed = entry.value.len();
        unsafe { *size_out = needed };
        if needed > buf_len {
            return Err(Error::Overflow { needed });
        }
        unsafe {
            ptr::copy_nonoverlapping(entry.value.as_ptr(), buf, needed);
            *version_out = entry.version;
        }
        Ok(())
    })
}

pub(crate) unsafe fn get_alloc(
    handle: u32,
    key: *const u8,
    key_len: usize,
    pointer_out: *mut *mut u8,
    size_out: *mut usize,
    version_out: *mut u64,
) -> i32 {
    let key = unsafe { bytes(key, key_len) };
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 1)?;
        let entry = map.find(key, now_ms).ok_or(Error::NoEntry)?;
        let at = crate::events::wasi_map_alloc(entry.value.len());
        unsafe {
            ptr::copy_nonoverlapping(entry.value.as_ptr(), at, entry.value.len());
            *pointer_out = at;
            *size_out = entry.value.len();
            *version_out = entry.version;
        }
        Ok(())
    })
}

pub(crate) unsafe fn set(
    handle: u32,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
) -> i32 {
    let mut version = 0;
    let terms = RawTerms::default();
    unsafe {
        set_with(
            handle,
            key,
            key_len,
            value,
            value_len,
            &raw const terms,
            &raw mut version,
        )
    }
}

pub(crate) unsafe fn set_with(
    handle: u32,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    terms: *const RawTerms,
    version_out: *mut u64,
) -> i32 {
    let (key, value) = unsafe { (bytes(key, key_len), bytes(value, value_len)) };
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 2)?;
        let done = map.set(key, value, unsafe { &*terms }, now_ms);
        tell(done, version_out)
    })
}

pub(crate) unsafe fn delete(handle: u32, key: *const u8, key_len: usize) -> i32 {
    let key = unsafe { bytes(key, key_len) };
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 4)?;
        map.delete(key, now_ms).then_some(()).ok_or(Error::NoEntry)
    })
}

pub(crate) unsafe fn exists(handle: u32, key: *const u8, key_len: usize, out: *mut u32) -> i32 {
    let key = unsafe { bytes(key, key_len) };
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 1)?;
        unsafe { *out = map.find(key, now_ms).is_some().into() };
        Ok(())
    })
}

pub(crate) unsafe fn compare_and_swap(
    handle: u32,
    key: *const u8,
    key_len: usize,
    expected: u64,
    value: *const u8,
    value_len: usize,
    version_out: *mut u64,
) -> i32 {
    let condition = match expected {
        0 => crate::Condition::Absent,
        version => crate::Condition::Version(version),
    };
    let terms = crate::Terms::on(condition).raw();
    unsafe {
        set_with(
            handle,
            key,
            key_len,
            value,
            value_len,
            &raw const terms,
            version_out,
        )
    }
}

pub(crate) unsafe fn increment(
    handle: u32,
    key: *const u8,
    key_len: usize,
    delta: i64,
    out: *mut i64,
) -> i32 {
    let key = unsafe { bytes(key, key_len) };
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 2)?;
        unsafe { *out = map.add(key, delta, now_ms)?.0 };
        Ok(())
    })
}

/// The cursor is how many entries were listed, which is good enough while nobody writes.
pub(crate) unsafe fn scan(
    handle: u32,
    prefix: *const u8,
    prefix_len: usize,
    cursor: *mut RawCursor,
    buf: *mut u8,
    buf_len: usize,
    used_out: *mut usize,
) -> i32 {
    let prefix = unsafe { bytes(prefix, prefix_len) };
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 8)?;
        let listed = u128::from_le_bytes(unsafe { *cursor });
        let skipped = usize::try_from(listed).map_err(|_| Error::Stale)?;
        let mut entries = map.listed(prefix, now_ms).skip(skipped).peekable();
        let (mut page, mut count) = (Vec::new(), listed);
        while let Some((key, entry)) = entries.peek() {
            let packed = packed(key, &entry.value, entry.version);
            if page.len() + packed.len() > buf_len {
                break;
            }
            page.extend(packed);
            count += 1;
            entries.next();
        }
        if let (true, Some((key, entry))) = (page.is_empty(), entries.peek()) {
            let needed = packed(key, &entry.value, entry.version).len();
            unsafe { *used_out = needed };
            return Err(Error::Overflow { needed });
        }
        let next = entries.peek().map_or(0, |_| count);
        unsafe {
            ptr::copy_nonoverlapping(page.as_ptr(), buf, page.len());
            *used_out = page.len();
            *cursor = next.to_le_bytes();
        }
        Ok(())
    })
}

fn packed(key: &[u8], value: &[u8], version: u64) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut packed = [length(key), length(value)].concat();
    packed.extend(version.to_le_bytes());
    packed.extend(key);
    packed.extend(value);
    packed.resize(packed.len().next_multiple_of(8), 0);
    packed
}

pub(crate) unsafe fn batch(
    handle: u32,
    ops: *const RawOp,
    count: usize,
    results: *mut RawDone,
) -> i32 {
    with(|maps| {
        let (map, now_ms) = maps.map(handle, 2)?;
        let mut changed = map.clone();
        for place in 0..count {
            let done = one(&mut changed, unsafe { &*ops.add(place) }, now_ms)?;
            unsafe { *results.add(place) = done };
        }
        *map = changed;
        Ok(())
    })
}

fn one(map: &mut Entries, op: &RawOp, now_ms: u64) -> Result<RawDone, Error> {
    let (key, value) = unsafe { (bytes(op.key, op.key_len), bytes(op.value, op.value_len)) };
    let terms = RawTerms {
        flags: op.flags,
        pad: 0,
        version: op.number,
        ttl_ms: op.ttl_ms,
    };
    let version = |version| RawDone { version, value: 0 };
    match op.kind {
        CHECK => map.check(key, &terms, now_ms).map(version),
        SET => map.set(key, value, &terms, now_ms).map(version),
        DELETE => Ok(RawDone {
            version: 0,
            value: map.delete(key, now_ms).into(),
        }),
        ADD => {
            let (value, version) = map.add(key, op.number.cast_signed(), now_ms)?;
            Ok(RawDone { version, value })
        }
        _ => Err(Error::Invalid),
    }
}

pub(crate) unsafe fn clear(handle: u32) -> i32 {
    with(|maps| {
        let (map, _) = maps.map(handle, 512)?;
        let version = map.version;
        *map = Entries::default();
        map.version = version;
        Ok(())
    })
}

fn tell(done: Result<u64, Error>, version_out: *mut u64) -> Answer {
    let version = match done {
        Ok(version) | Err(Error::Again { current: version }) => version,
        Err(error) => return Err(error),
    };
    unsafe { *version_out = version };
    done.map(drop)
}

/// What is not here.
macro_rules! unsupported {
    ($($name:ident($($kind:ty),*);)*) => {
        $(pub(crate) const unsafe fn $name($(_: $kind),*) -> i32 {
            Error::NotSupported.errno()
        })*
    };
}

unsupported! {
    lend(u32, u64, *const u8, usize, *mut [u8; 16]);
    transfer(u32, *const u8, usize, *mut [u8; 16]);
    accept(*const [u8; 16], *mut u32);
    watch(u32, *const u8, usize, *mut u32);
    next(u32, i64, *mut u8, usize, *mut usize);
    unwatch(u32);
    put_map(u32, *const u8, usize, u32);
    get_map(u32, *const u8, usize, *mut u32);
    region_create(u32, *const u8, usize, u64);
    region_map(u32, *const u8, usize, u64, usize, u32, *mut *mut u8);
    region_unmap(*mut u8, usize);
}
