//! Scans: the entries of a map in the order of their keys.

use alloc::vec;
use alloc::vec::Vec;

use crate::abi::{IS_MAP, IS_REGION, RawCursor};
use crate::calls;
use crate::error::{Error, Result};
use crate::map::Map;

/// Bytes of a page to begin with; one that is too small for an entry grows.
const PAGE: usize = 4096;
/// Bytes before key and value of a packed entry.
const HEAD: usize = 16;

/// An entry of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its key.
    pub key: Vec<u8>,
    /// What it holds; `None`: it refers to a map, or is a region.
    pub value: Option<Vec<u8>>,
    /// Whether it is a region: map it, or get it.
    pub is_region: bool,
    /// Its version.
    pub version: u64,
}

/// Lists entries, a page at a time. An entry that is there all the time, unchanged, is listed
/// exactly once; one that comes or goes meanwhile may be listed or not.
///
/// After an error it ends. On [`Error::Stale`] begin again: the host has forgotten the scan.
#[derive(Debug)]
pub struct Scan<'a> {
    map: &'a Map,
    prefix: &'a [u8],
    cursor: RawCursor,
    page: Vec<u8>,
    used: usize,
    read: usize,
    over: bool,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(map: &'a Map, prefix: &'a [u8]) -> Self {
        Self {
            map,
            prefix,
            cursor: [0; 16],
            page: Vec::new(),
            used: 0,
            read: 0,
            over: false,
        }
    }

    /// Fetches the next page, which may be empty.
    fn turn(&mut self) -> Result<()> {
        if self.page.is_empty() {
            self.page = vec![0; PAGE];
        }
        let fetch = |scan: &mut Self| {
            let handle = scan.map.handle();
            calls::scan(handle, scan.prefix, &mut scan.cursor, &mut scan.page)
        };
        // Between two tries an even larger entry may have come.
        let used = loop {
            match fetch(self) {
                Err(Error::Overflow { needed }) if needed > self.page.len() => {
                    self.page.resize(needed, 0);
                }
                other => break other?,
            }
        };
        self.used = used.min(self.page.len());
        self.read = 0;
        self.over = self.cursor == [0; 16];
        Ok(())
    }

    /// The next entry of the page.
    fn unpack(&mut self) -> Result<Item> {
        let rest = self.page.get(self.read..self.used).unwrap_or_default();
        let (item, took) = unpack(rest).ok_or(Error::Io)?;
        self.read += took;
        Ok(item)
    }
}

/// An entry, and how many bytes it took.
fn unpack(bytes: &[u8]) -> Option<(Item, usize)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (key_len, value_len) = (u32_at(head, 0)?, u32_at(head, 4)?);
    let (key, rest) = rest.split_at_checked(key_len as usize)?;
    let value = match value_len {
        IS_MAP | IS_REGION => None,
        bytes => Some(rest.get(..bytes as usize)?),
    };
    let took = HEAD + key.len() + value.map_or(0, <[u8]>::len);
    let item = Item {
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
        is_region: value_len == IS_REGION,
        version: u64_at(head, 8)?,
    };
    Some((item, took.next_multiple_of(8)))
}

/// A number of a packed list.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

/// A number of a packed list.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

impl Iterator for Scan<'_> {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.read >= self.used {
            if self.over {
                return None;
            }
            if let Err(error) = self.turn() {
                self.over = true;
                self.used = 0;
                return Some(Err(error));
            }
        }
        let item = self.unpack();
        if item.is_err() {
            self.over = true;
            self.used = 0;
        }
        Some(item)
    }
}
