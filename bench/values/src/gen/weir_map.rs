// Written by `weir bindgen`; do not edit. What generated types and maps stand on.
#![allow(dead_code, missing_docs, clippy::all, clippy::pedantic)]

extern crate alloc;

use self::alloc::string::String;
use self::alloc::vec::Vec;
use core::marker::PhantomData;

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Short,
    LongNumber,
    Tag,
    Kind,
    Utf8,
    Range,
    Length,
}

/// Why bytes are no value, and in which field (0: none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    pub fault: Fault,
    pub field: u32,
}

type Read<T> = Result<T, DecodeError>;

/// Bytes that are being read.
pub struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    start: usize,
    field: u32,
}

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0, start: 0, field: 0 }
    }

    fn wrong<T>(&self, fault: Fault) -> Read<T> {
        Err(DecodeError { fault, field: self.field })
    }

    /// The next field's number and kind; `None` at the end.
    pub fn next(&mut self) -> Read<Option<(u32, u32)>> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        self.start = self.at;
        let tag = self.varint()?;
        let kind = (tag & 7) as u32;
        if tag >> 32 != 0 || tag >> 3 == 0 || !matches!(kind, 0 | 1 | 2 | 5) {
            return self.wrong(Fault::Tag);
        }
        self.field = (tag >> 3) as u32;
        Ok(Some((self.field, kind)))
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub fn expect(&self, found: u32, expected: u32) -> Read<()> {
        if found == expected { Ok(()) } else { self.wrong(Fault::Kind) }
    }

    fn take(&mut self, length: usize) -> Read<&'b [u8]> {
        if length > self.bytes.len() - self.at {
            return self.wrong(Fault::Short);
        }
        let taken = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(taken)
    }

    pub fn varint(&mut self) -> Read<u64> {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.take(1)?[0];
            if shift == 63 && byte > 1 {
                return self.wrong(Fault::LongNumber);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    pub fn bool(&mut self) -> Read<bool> {
        Ok(self.varint()? != 0)
    }

    pub fn u8(&mut self) -> Read<u8> {
        let value = self.u32()?;
        u8::try_from(value).or_else(|_| self.wrong(Fault::Range))
    }

    pub fn u16(&mut self) -> Read<u16> {
        let value = self.u32()?;
        u16::try_from(value).or_else(|_| self.wrong(Fault::Range))
    }

    pub fn u32(&mut self) -> Read<u32> {
        Ok(self.varint()? as u32)
    }

    pub fn u64(&mut self) -> Read<u64> {
        self.varint()
    }

    pub fn i32(&mut self) -> Read<i32> {
        Ok(self.varint()? as i32)
    }

    pub fn i64(&mut self) -> Read<i64> {
        Ok(self.varint()? as i64)
    }

    pub fn s8(&mut self) -> Read<i8> {
        let value = self.s32()?;
        i8::try_from(value).or_else(|_| self.wrong(Fault::Range))
    }

    pub fn s16(&mut self) -> Read<i16> {
        let value = self.s32()?;
        i16::try_from(value).or_else(|_| self.wrong(Fault::Range))
    }

    pub fn s32(&mut self) -> Read<i32> {
        let value = self.u32()?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    pub fn s64(&mut self) -> Read<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub fn fixed32(&mut self) -> Read<u32> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(bytes))
    }

    pub fn fixed64(&mut self) -> Read<u64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    pub fn sfixed32(&mut self) -> Read<i32> {
        Ok(self.fixed32()? as i32)
    }

    pub fn sfixed64(&mut self) -> Read<i64> {
        Ok(self.fixed64()? as i64)
    }

    pub fn f32(&mut self) -> Read<f32> {
        Ok(f32::from_bits(self.fixed32()?))
    }

    pub fn f64(&mut self) -> Read<f64> {
        Ok(f64::from_bits(self.fixed64()?))
    }

    pub fn char(&mut self) -> Read<char> {
        let value = self.varint()?;
        let code = u32::try_from(value).ok().and_then(char::from_u32);
        match code {
            Some(code) => Ok(code),
            None => self.wrong(Fault::Range),
        }
    }

    pub fn slice(&mut self) -> Read<&'b [u8]> {
        let length = self.varint()?;
        if length > (self.bytes.len() - self.at) as u64 {
            return self.wrong(Fault::Short);
        }
        self.take(length as usize)
    }

    pub fn bytes(&mut self) -> Read<Vec<u8>> {
        Ok(self.slice()?.to_vec())
    }

    pub fn text(&mut self) -> Read<String> {
        match core::str::from_utf8(self.slice()?) {
            Ok(text) => Ok(text.into()),
            Err(_) => self.wrong(Fault::Utf8),
        }
    }

    pub fn message<M: Message>(&mut self) -> Read<M> {
        M::decode(self.slice()?)
    }

    /// Passes a field that is not known, and keeps it.
    pub fn keep(&mut self, kind: u32, unknown: &mut Vec<u8>) -> Read<()> {
        self.skip(kind)?;
        unknown.extend_from_slice(&self.bytes[self.start..self.at]);
        Ok(())
    }

    pub fn skip(&mut self, kind: u32) -> Read<()> {
        match kind {
            0 => self.varint().map(drop),
            1 => self.take(8).map(drop),
            2 => self.slice().map(drop),
            _ => self.take(4).map(drop),
        }
    }

    /// All bytes, from the first on.
    pub fn all(&self) -> &'b [u8] {
        self.bytes
    }
}

/// Bytes that are being written.
#[derive(Default)]
pub struct Writer {
    pub out: Vec<u8>,
}

impl Writer {
    pub fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    pub fn tag(&mut self, number: u32, kind: u32) {
        self.varint(u64::from(number) << 3 | u64::from(kind));
    }

    pub fn bool(&mut self, value: &bool) {
        self.out.push(u8::from(*value));
    }

    pub fn u8(&mut self, value: &u8) {
        self.varint(u64::from(*value));
    }

    pub fn u16(&mut self, value: &u16) {
        self.varint(u64::from(*value));
    }

    pub fn u32(&mut self, value: &u32) {
        self.varint(u64::from(*value));
    }

    pub fn u64(&mut self, value: &u64) {
        self.varint(*value);
    }

    pub fn i32(&mut self, value: &i32) {
        self.varint(i64::from(*value) as u64);
    }

    pub fn i64(&mut self, value: &i64) {
        self.varint(*value as u64);
    }

    pub fn s8(&mut self, value: &i8) {
        self.s64(&i64::from(*value));
    }

    pub fn s16(&mut self, value: &i16) {
        self.s64(&i64::from(*value));
    }

    pub fn s32(&mut self, value: &i32) {
        self.s64(&i64::from(*value));
    }

    pub fn s64(&mut self, value: &i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    pub fn fixed32(&mut self, value: &u32) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn fixed64(&mut self, value: &u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn sfixed32(&mut self, value: &i32) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn sfixed64(&mut self, value: &i64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn f32(&mut self, value: &f32) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn f64(&mut self, value: &f64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn char(&mut self, value: &char) {
        self.varint(u64::from(u32::from(*value)));
    }

    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.varint(value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// A piece that begins with its length.
    pub fn piece(&mut self, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(&inner.out);
    }

    pub fn message<M: Message>(&mut self, value: &M) {
        self.piece(|inner| value.write(inner));
    }

    /// A message that is left out if there is nothing in it.
    pub fn filled<M: Message>(&mut self, number: u32, value: &M) {
        let bytes = value.encode();
        if !bytes.is_empty() {
            self.tag(number, 2);
            self.bytes(&bytes);
        }
    }
}

/// A value with bytes.
pub trait Message: Default {
    /// Reads fields over what is there.
    fn merge(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError>;

    fn write(&self, writer: &mut Writer);

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut value = Self::default();
        value.merge(&mut Reader::new(bytes))?;
        Ok(value)
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.out
    }
}

/// A key whose bytes are in the order of its values.
pub trait Key: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

macro_rules! keys {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl Key for $unsigned {
            fn to_bytes(&self) -> Vec<u8> {
                self.to_be_bytes().to_vec()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(<$unsigned>::from_be_bytes)
            }
        }

        impl Key for $signed {
            fn to_bytes(&self) -> Vec<u8> {
                (*self as $unsigned ^ (1 << (<$unsigned>::BITS - 1))).to_be_bytes().to_vec()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let turned = <$unsigned>::from_be_bytes(bytes.try_into().ok()?);
                Some((turned ^ (1 << (<$unsigned>::BITS - 1))) as $signed)
            }
        }
    )*};
}

keys! { u8, i8; u16, i16; u32, i32; u64, i64; }

impl Key for bool {
    fn to_bytes(&self) -> Vec<u8> {
        [u8::from(*self)].to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl Key for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        core::str::from_utf8(bytes).ok().map(Into::into)
    }
}

impl Key for Vec<u8> {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

/// What a map is, as its declaration says.
pub trait Declared {
    type Key: Key;
    type Value;
    /// The name to open it by.
    const NAME: &'static str;
    /// The beginning of its schema's hash.
    const SCHEMA: u64;
    fn encode(value: &Self::Value) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Result<Self::Value, DecodeError>;
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The host's answer: a number of WASI.
    Errno(i32),
    /// An entry is no value of the map's type.
    Decode(DecodeError),
    /// A key is not of the map's type.
    Key,
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

pub mod errno {
    pub const AGAIN: i32 = 6;
    pub const BADF: i32 = 8;
    pub const INVAL: i32 = 28;
    pub const IO: i32 = 29;
    pub const NOENT: i32 = 44;
    pub const NOSPC: i32 = 51;
    pub const NOTSUP: i32 = 58;
    pub const OVERFLOW: i32 = 61;
    pub const STALE: i32 = 72;
    pub const TIMEDOUT: i32 = 73;
    pub const NOTCAPABLE: i32 = 76;
}

pub mod rights {
    pub const READ: i64 = 1;
    pub const WRITE: i64 = 2;
    pub const DELETE: i64 = 4;
    pub const LIST: i64 = 8;
    pub const WATCH: i64 = 16;
}

/// A map of bytes: the host's, or one of a test. Errors are numbers of WASI.
pub trait Store {
    fn get(&self, key: &[u8]) -> Result<(Vec<u8>, u64), i32>;
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), i32>;
    /// `ttl_ms` after which the entry ends.
    fn set_for(&self, key: &[u8], value: &[u8], ttl_ms: u64) -> Result<u64, i32>;
    fn delete(&self, key: &[u8]) -> Result<(), i32>;
    fn exists(&self, key: &[u8]) -> Result<bool, i32>;
    /// The new version, or `AGAIN` with the current one.
    fn compare_and_swap(&self, key: &[u8], expected: u64, value: &[u8]) -> Result<u64, (i32, u64)>;
    fn increment(&self, key: &[u8], delta: i64) -> Result<i64, i32>;
    /// A page of entries: `{u32 klen, u32 vlen, u64 version, key, value}`, each padded to 8.
    fn scan(&self, prefix: &[u8], cursor: &mut [u8; 16]) -> Result<Vec<u8>, i32>;
    fn watch(&self, prefix: &[u8]) -> Result<u32, i32>;
    /// Events: `{u32 kind, u32 klen, u64 version, key}`, each padded to 8.
    fn next(&self, watch: u32, timeout_ms: i64) -> Result<Vec<u8>, i32>;
}

/// A map of the host.
#[cfg(target_family = "wasm")]
pub struct Host(u32);

#[cfg(target_family = "wasm")]
mod abi {
    #[link(wasm_import_module = "wasi_map_v1")]
    unsafe extern "C" {
        pub fn open(name: *const u8, len: usize, rights: i64, out: *mut u32) -> i32;
        pub fn close(handle: u32) -> i32;
        pub fn get(h: u32, key: *const u8, klen: usize, buf: *mut u8, len: usize, size: *mut usize, version: *mut u64) -> i32;
        pub fn set(h: u32, key: *const u8, klen: usize, val: *const u8, vlen: usize) -> i32;
        pub fn set_with(h: u32, key: *const u8, klen: usize, val: *const u8, vlen: usize, options: *const [u64; 3], version: *mut u64) -> i32;
        pub fn delete(h: u32, key: *const u8, klen: usize) -> i32;
        pub fn exists(h: u32, key: *const u8, klen: usize, out: *mut u32) -> i32;
        pub fn compare_and_swap(h: u32, key: *const u8, klen: usize, expected: i64, val: *const u8, vlen: usize, version: *mut u64) -> i32;
        pub fn increment(h: u32, key: *const u8, klen: usize, delta: i64, out: *mut i64) -> i32;
        pub fn scan(h: u32, prefix: *const u8, plen: usize, cursor: *mut [u8; 16], buf: *mut u8, len: usize, used: *mut usize) -> i32;
        pub fn watch(h: u32, prefix: *const u8, plen: usize, out: *mut u32) -> i32;
        pub fn next(watch: u32, timeout_ms: i64, buf: *mut u8, len: usize, used: *mut usize) -> i32;
    }
}

#[cfg(target_family = "wasm")]
impl Host {
    pub fn open(name: &str, rights: i64) -> Result<Self, Error> {
        let mut handle = 0;
        // SAFETY: the pointers are to a live string and a live number.
        match unsafe { abi::open(name.as_ptr(), name.len(), rights, &mut handle) } {
            0 => Ok(Self(handle)),
            errno => Err(Error::Errno(errno)),
        }
    }

    /// Calls with a larger buffer until the answer fits.
    fn fill(mut call: impl FnMut(&mut Vec<u8>, &mut usize) -> i32) -> Result<Vec<u8>, i32> {
        let mut room = 512;
        loop {
            let mut buffer = Vec::new();
            buffer.resize(room, 0);
            let mut size = 0;
            match call(&mut buffer, &mut size) {
                0 => {
                    buffer.truncate(size);
                    return Ok(buffer);
                }
                errno::OVERFLOW if size > room => room = size,
                errno => return Err(errno),
            }
        }
    }
}

#[cfg(target_family = "wasm")]
impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: no pointers.
        unsafe { abi::close(self.0) };
    }
}

#[cfg(target_family = "wasm")]
fn checked<T>(errno: i32, value: T) -> Result<T, i32> {
    if errno == 0 { Ok(value) } else { Err(errno) }
}

// SAFETY, for all calls: each pointer is to a live slice of the length beside it, or a live number.
#[cfg(target_family = "wasm")]
impl Store for Host {
    fn get(&self, key: &[u8]) -> Result<(Vec<u8>, u64), i32> {
        let mut version = 0;
        let value = Self::fill(|buffer, size| unsafe {
            abi::get(self.0, key.as_ptr(), key.len(), buffer.as_mut_ptr(), buffer.len(), size, &mut version)
        })?;
        Ok((value, version))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), i32> {
        checked(unsafe { abi::set(self.0, key.as_ptr(), key.len(), value.as_ptr(), value.len()) }, ())
    }

    fn set_for(&self, key: &[u8], value: &[u8], ttl_ms: u64) -> Result<u64, i32> {
        let mut version = 0;
        let options = [4, 0, ttl_ms];
        let errno = unsafe {
            abi::set_with(self.0, key.as_ptr(), key.len(), value.as_ptr(), value.len(), &options, &mut version)
        };
        checked(errno, version)
    }

    fn delete(&self, key: &[u8]) -> Result<(), i32> {
        checked(unsafe { abi::delete(self.0, key.as_ptr(), key.len()) }, ())
    }

    fn exists(&self, key: &[u8]) -> Result<bool, i32> {
        let mut out = 0;
        let errno = unsafe { abi::exists(self.0, key.as_ptr(), key.len(), &mut out) };
        checked(errno, out != 0)
    }

    fn compare_and_swap(&self, key: &[u8], expected: u64, value: &[u8]) -> Result<u64, (i32, u64)> {
        let mut version = 0;
        let errno = unsafe {
            abi::compare_and_swap(self.0, key.as_ptr(), key.len(), expected as i64, value.as_ptr(), value.len(), &mut version)
        };
        if errno == 0 { Ok(version) } else { Err((errno, version)) }
    }

    fn increment(&self, key: &[u8], delta: i64) -> Result<i64, i32> {
        let mut out = 0;
        let errno = unsafe { abi::increment(self.0, key.as_ptr(), key.len(), delta, &mut out) };
        checked(errno, out)
    }

    fn scan(&self, prefix: &[u8], cursor: &mut [u8; 16]) -> Result<Vec<u8>, i32> {
        Self::fill(|buffer, size| unsafe {
            abi::scan(self.0, prefix.as_ptr(), prefix.len(), cursor, buffer.as_mut_ptr(), buffer.len(), size)
        })
    }

    fn watch(&self, prefix: &[u8]) -> Result<u32, i32> {
        let mut out = 0;
        let errno = unsafe { abi::watch(self.0, prefix.as_ptr(), prefix.len(), &mut out) };
        checked(errno, out)
    }

    fn next(&self, watch: u32, timeout_ms: i64) -> Result<Vec<u8>, i32> {
        Self::fill(|buffer, size| unsafe {
            abi::next(watch, timeout_ms, buffer.as_mut_ptr(), buffer.len(), size)
        })
    }
}

/// A typed map.
pub struct Map<D, S> {
    store: S,
    declared: PhantomData<D>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<K, V> {
    pub key: K,
    pub value: V,
    pub version: u64,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<K> {
    Set(K, u64),
    Deleted(K, u64),
    Expired(K, u64),
    Evicted(K, u64),
    /// All entries are gone.
    Cleared,
    /// The map is gone.
    Gone,
    /// Something was missed: read the map again.
    Resync,
}

#[cfg(target_family = "wasm")]
impl<D: Declared> Map<D, Host> {
    /// Opens the map of this use of the module that has the declaration's name.
    pub fn open(rights: i64) -> Result<Self, Error> {
        Host::open(D::NAME, rights).map(Self::over)
    }
}

impl<D: Declared, S: Store> Map<D, S> {
    /// The typed view of a map of bytes.
    pub fn over(store: S) -> Self {
        Self { store, declared: PhantomData }
    }

    /// The value and its version, if there is one.
    pub fn get(&self, key: &D::Key) -> Result<Option<(D::Value, u64)>, Error> {
        match self.store.get(&key.to_bytes()) {
            Ok((bytes, version)) => Ok(Some((D::decode(&bytes)?, version))),
            Err(errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::Errno(errno)),
        }
    }

    pub fn set(&self, key: &D::Key, value: &D::Value) -> Result<(), Error> {
        self.store.set(&key.to_bytes(), &D::encode(value)).map_err(Error::Errno)
    }

    /// Stores a value that ends after some milliseconds.
    pub fn set_for(&self, key: &D::Key, value: &D::Value, ttl_ms: u64) -> Result<u64, Error> {
        self.store.set_for(&key.to_bytes(), &D::encode(value), ttl_ms).map_err(Error::Errno)
    }

    /// Whether there was one.
    pub fn delete(&self, key: &D::Key) -> Result<bool, Error> {
        match self.store.delete(&key.to_bytes()) {
            Ok(()) => Ok(true),
            Err(errno::NOENT) => Ok(false),
            Err(errno) => Err(Error::Errno(errno)),
        }
    }

    pub fn exists(&self, key: &D::Key) -> Result<bool, Error> {
        self.store.exists(&key.to_bytes()).map_err(Error::Errno)
    }

    /// Stores a value if the entry has this version (0: is not there). The new version, or the
    /// current one as `Err` inside.
    pub fn compare_and_swap(&self, key: &D::Key, expected: u64, value: &D::Value) -> Result<Result<u64, u64>, Error> {
        match self.store.compare_and_swap(&key.to_bytes(), expected, &D::encode(value)) {
            Ok(version) => Ok(Ok(version)),
            Err((errno::AGAIN, current)) => Ok(Err(current)),
            Err((errno, _)) => Err(Error::Errno(errno)),
        }
    }

    /// All entries whose keys begin with these bytes, in the order of their keys.
    pub fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry<D::Key, D::Value>>, Error> {
        let mut entries = Vec::new();
        let mut cursor = [0; 16];
        loop {
            let page = self.store.scan(prefix, &mut cursor).map_err(Error::Errno)?;
            let mut at = 0;
            while let Some((lengths, version, parts)) = head(&page, at) {
                let key = page.get(parts..parts + lengths.0).and_then(D::Key::from_bytes).ok_or(Error::Key)?;
                let start = parts + lengths.0;
                let value = page.get(start..start + lengths.1).ok_or(Error::Key)?;
                entries.push(Entry { key, value: D::decode(value)?, version });
                at = (start + lengths.1).next_multiple_of(8);
            }
            if cursor == [0; 16] {
                return Ok(entries);
            }
        }
    }

    /// Tells changes from now on to keys that begin with these bytes.
    pub fn watch(&self, prefix: &[u8]) -> Result<u32, Error> {
        self.store.watch(prefix).map_err(Error::Errno)
    }

    /// What a watch has to tell; waits for so many milliseconds at most.
    pub fn next(&self, watch: u32, timeout_ms: i64) -> Result<Vec<Change<D::Key>>, Error> {
        let page = self.store.next(watch, timeout_ms).map_err(Error::Errno)?;
        let mut changes = Vec::new();
        let mut at = 0;
        while let Some(((kind, length), version, start)) = head(&page, at) {
            let key = || page.get(start..start + length).and_then(D::Key::from_bytes).ok_or(Error::Key);
            changes.push(match kind {
                1 => Change::Set(key()?, version),
                2 => Change::Deleted(key()?, version),
                3 => Change::Expired(key()?, version),
                4 => Change::Evicted(key()?, version),
                5 => Change::Cleared,
                6 => Change::Gone,
                _ => Change::Resync,
            });
            at = (start + length).next_multiple_of(8);
        }
        Ok(changes)
    }

    pub fn store(&self) -> &S {
        &self.store
    }
}

impl<D: Declared<Value = i64>, S: Store> Map<D, S> {
    /// Adds to a counter, which begins at 0, and says what it is then.
    pub fn increment(&self, key: &D::Key, delta: i64) -> Result<i64, Error> {
        self.store.increment(&key.to_bytes(), delta).map_err(Error::Errno)
    }
}

/// Two numbers, a version, and where what follows begins.
fn head(page: &[u8], at: usize) -> Option<((usize, usize), u64, usize)> {
    let bytes = page.get(at..at + 16)?;
    let word = |from: usize| u32::from_le_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]]);
    let version = u64::from(word(8)) | u64::from(word(12)) << 32;
    Some(((word(0) as usize, word(4) as usize), version, at + 16))
}
