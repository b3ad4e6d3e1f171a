//! Operations that need more than one map, or something of the instance.

use std::sync::Arc;

use super::begun::lock;
use super::{Handles, Hold, InUse};
use crate::MapError;
use crate::graph::Root;
use crate::map::Map;
use crate::region::{Access, Lease};
use crate::rights::Rights;
use crate::scan::{Cursor, Place};
use crate::store::{Answer, Page, Range, Stat, Store};

/// Numbers of a map as a guest sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleStat {
    /// Of its entries.
    pub entries: Stat,
    /// Handles, tickets and entries that refer to it.
    pub references: u64,
}

impl Handles {
    /// Lets an entry refer to another map.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::CREATE`] here or [`Rights::SHARE`] there, or if the child is only borrowed; what
    /// the store refuses.
    pub fn put_map(&mut self, handle: u32, key: &[u8], child: u32) -> Result<u64, MapError> {
        let parent = self.map(handle, Rights::CREATE)?;
        let held = &self.slot(child)?.held;
        held.map()?;
        // A reference outlives the handle: who has only borrowed cannot give that away.
        let Hold::Own(root) = &held.hold else {
            return Err(MapError::NotCapable);
        };
        Rights::SHARE.within(held.rights)?;
        let graph = self.engine.graph();
        let child = (root.map().id(), held.rights);
        let version = parent.put_child((key, self.payer(handle)), child, graph)?;
        graph.interest(root.map().id(), &self.identity.in_use);
        Ok(version)
    }

    /// A handle to the map that an entry refers to, with the rights that it was put there with and
    /// that the handle it was found with has too.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::READ`]; [`MapError::NoEntry`]; [`MapError::Invalid`]: the entry is no reference.
    pub fn get_map(&mut self, handle: u32, key: &[u8]) -> Result<u32, MapError> {
        self.check_room()?;
        let found_with = self.rights(handle)?;
        let (root, rights) = self.root_at(handle, key)?;
        let rights = rights.common(found_with);
        let payer = self.engine.payer(&self.identity.grants, &root);
        self.add(super::Held {
            hold: Hold::Own(root),
            rights,
            payer,
        })
    }

    /// Stores a region of zeros in an entry, in the place of what it held. Answers its version.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::WRITE`]; what [`Regions::make`](crate::region::Regions::make) and the store refuse.
    pub fn region_create(&self, handle: u32, key: &[u8], bytes: u64) -> Result<u64, MapError> {
        let map = self.map(handle, Rights::WRITE)?;
        let key = (key, self.payer(handle));
        let stored = map.put_region(key, bytes, self.engine.regions());
        self.settle();
        stored
    }

    /// Lets an entry of another map hold the region of this one. Both have the same pages from then on,
    /// so who hands it on must be allowed to write it.
    ///
    /// # Errors
    /// As [`region`](Self::region) and [`region_create`](Self::region_create).
    pub fn region_hand(
        &self,
        (handle, key): (u32, &[u8]),
        (to, to_key): (u32, &[u8]),
    ) -> Result<u64, MapError> {
        let from = self.map(handle, Rights::MAP_READ.and(Rights::MAP_WRITE))?;
        let into = self.map(to, Rights::WRITE)?;
        let from: &Arc<Map> = match &from {
            InUse::Own(map) => map,
            InUse::Borrowed(map) => map,
        };
        let lease = Lease::take(from, key, (Access::Read, 0..0))?;
        let stored = into.put_shared((to_key, self.payer(to)), lease.region());
        self.settle();
        stored
    }

    /// Takes the region of an entry, to map these bytes of it or to copy from it. Who may write can read as well: a guest sees all of
    /// its memory.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::MAP_READ`], and to write without [`Rights::MAP_WRITE`]; [`MapError::NoEntry`];
    /// [`MapError::Invalid`]: the entry is no region, or too short; [`MapError::Again`]: somebody else has it, and
    /// one of the two would write.
    pub fn region(
        &self,
        handle: u32,
        key: &[u8],
        (access, range): (Access, std::ops::Range<u64>),
    ) -> Result<Lease, MapError> {
        let needed = match access {
            Access::Read => Rights::MAP_READ,
            Access::Write => Rights::MAP_READ.and(Rights::MAP_WRITE),
        };
        match self.map(handle, needed)? {
            InUse::Own(map) => Lease::take(map, key, (access, range)),
            InUse::Borrowed(map) => Lease::take(&map, key, (access, range)),
        }
    }

    /// The next page of a scan, in the rights of a handle, and its next cursor;
    /// [`START`](crate::scan::START) again: it was the last page.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::LIST`]; what the back end refuses.
    pub fn scan(
        &mut self,
        handle: u32,
        cursor: &Cursor,
        range: (&[u8], usize),
    ) -> Answer<(Page, Cursor)> {
        match self.begin_page(handle, cursor, range) {
            Ok(answer) => answer,
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn begin_page(
        &mut self,
        handle: u32,
        cursor: &Cursor,
        (prefix, bytes): (&[u8], usize),
    ) -> Result<Answer<(Page, Cursor)>, MapError> {
        let begun = Arc::clone(self.begun());
        let map = self.map(handle, Rights::LIST)?;
        let place = lock(&begun).scans.place(cursor, handle)?;
        let after = match &place {
            Place::Start => None,
            Place::After(key) => Some(&**key),
        };
        let answer = map.store().scan(Range {
            prefix,
            after,
            entries: usize::MAX,
            bytes,
        });
        drop(map);
        self.origin.changed();
        let cursor = *cursor;
        Ok(answer.map(move |page| {
            let last = page.items.last().filter(|_| page.more);
            let last = last.map(|item| &*item.key);
            let next = lock(&begun).scans.step(&cursor, handle, last);
            Ok((page, next))
        }))
    }

    /// Numbers of a map.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::READ`]; what the back end fails with.
    #[must_use]
    pub fn stat(&self, handle: u32) -> Answer<HandleStat> {
        let map = match self.map(handle, Rights::READ) {
            Ok(map) => map,
            Err(error) => return Answer::Now(Err(error)),
        };
        let references = self.engine.graph().references(map.id());
        map.store().stat().map(move |entries| {
            Ok(HandleStat {
                entries,
                references,
            })
        })
    }

    /// Frees what an operation let go: to be called after one that may have replaced or removed a
    /// reference. Costs one look if there is nothing.
    #[inline]
    pub fn settle(&self) {
        self.engine.graph().free_waiting();
    }

    fn root_at(&self, handle: u32, key: &[u8]) -> Result<(Root, Rights), MapError> {
        let map = self.map(handle, Rights::READ)?;
        let mut last = None;
        loop {
            let (id, rights) = map.child(key)?;
            if let Some(root) = self.engine.graph().root(id) {
                return Ok((root, rights));
            }
            // The map went between the look and now, so the entry must have changed, unless the map
            // that holds it is over itself.
            if last.replace(id) == Some(id) {
                return Err(MapError::NoEntry);
            }
        }
    }
}
