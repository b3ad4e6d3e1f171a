//! Operations that need more than one map, or something of the instance.

use super::{Handles, Hold};
use crate::MapError;
use crate::graph::Root;
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
        let version = parent.put_child(key, child, graph)?;
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
        self.add(super::Held {
            hold: Hold::Own(root),
            rights,
        })
    }

    /// The next page of a scan, in the rights of a handle, and its next cursor;
    /// [`START`](crate::scan::START) again: it was the last page.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::LIST`]; [`MapError::NotSupported`]: the back end must be waited for; what it
    /// refuses.
    pub fn scan(
        &mut self,
        handle: u32,
        cursor: &Cursor,
        (prefix, bytes): (&[u8], usize),
    ) -> Result<(Page, Cursor), MapError> {
        let map = self.map(handle, Rights::LIST)?;
        let place = self.scans.place(cursor, handle)?;
        let after = match &place {
            Place::Start => None,
            Place::After(key) => Some(&**key),
        };
        let page = map.store().scan(Range {
            prefix,
            after,
            entries: usize::MAX,
            bytes,
        });
        let page = page.now()?;
        drop(map);
        let last = page
            .items
            .last()
            .filter(|_| page.more)
            .map(|item| &*item.key);
        let next = self.scans.step(cursor, handle, last);
        Ok((page, next))
    }

    /// Numbers of a map.
    ///
    /// # Errors
    /// [`MapError::BadHandle`], [`MapError::Stale`]; [`MapError::NotCapable`] without
    /// [`Rights::READ`]; what the back end fails with.
    pub fn stat(&self, handle: u32) -> Result<HandleStat, MapError> {
        let map = self.map(handle, Rights::READ)?;
        let entries = match map.store().stat() {
            Answer::Now(stat) => stat?,
            Answer::Later(_) => return Err(MapError::NotSupported("numbers at once")),
        };
        let references = self.engine.graph().references(map.id());
        Ok(HandleStat {
            entries,
            references,
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
