//! Cursors of 16 bytes for scans that go by key.
//!
//! A key may be longer than a cursor, so the instance keeps it. A cursor names a scan of its
//! instance and the page that comes next; it is good for one page. Zeros begin a scan.

use std::collections::VecDeque;

use weir_model::limits::maps as limits;

use crate::MapError;

/// As a guest keeps it between two pages.
pub type Cursor = [u8; 16];

/// Begins a scan.
pub const START: Cursor = [0; 16];

/// The scans that one instance has begun, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    open: VecDeque<Scan>,
    last: u64,
}

#[derive(Debug)]
struct Scan {
    id: u64,
    page: u64,
    handle: u32,
    /// The last key that was listed.
    after: Box<[u8]>,
}

/// Where the next page begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Start,
    After(Box<[u8]>),
}

impl Scans {
    /// Where a cursor points to.
    ///
    /// # Errors
    /// [`MapError::Stale`]: the scan was forgotten, is over, or is another handle's, or the cursor
    /// is not its newest.
    pub(crate) fn place(&self, cursor: &Cursor, handle: u32) -> Result<Place, MapError> {
        if *cursor == START {
            return Ok(Place::Start);
        }
        let (id, page) = halves(cursor);
        let ours = |scan: &&Scan| scan.id == id && scan.page == page && scan.handle == handle;
        let scan = self.open.iter().find(ours).ok_or(MapError::Stale)?;
        Ok(Place::After(scan.after.clone()))
    }

    /// After a page: the next cursor. `after`: its last key; `None`: it was the last page.
    pub(crate) fn step(&mut self, cursor: &Cursor, handle: u32, after: Option<&[u8]>) -> Cursor {
        let (id, page) = halves(cursor);
        let place = self.open.iter().position(|scan| scan.id == id && id != 0);
        let known = place.and_then(|place| self.open.remove(place));
        let Some(after) = after else {
            return START;
        };
        let id = known.map_or_else(|| self.next_id(), |scan| scan.id);
        let page = page + 1;
        if self.open.len() >= limits::SCANS_MAX {
            self.open.pop_front();
        }
        self.open.push_back(Scan {
            id,
            page,
            handle,
            after: after.into(),
        });
        let mut cursor = START;
        cursor[..8].copy_from_slice(&id.to_le_bytes());
        cursor[8..].copy_from_slice(&page.to_le_bytes());
        cursor
    }

    /// A handle is closed: its scans are over.
    pub(crate) fn forget(&mut self, handle: u32) {
        self.open.retain(|scan| scan.handle != handle);
    }

    fn next_id(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

fn halves(cursor: &Cursor) -> (u64, u64) {
    let cursor = u128::from_le_bytes(*cursor);
    let low = u64::try_from(cursor & u128::from(u64::MAX)).unwrap_or_default();
    let high = u64::try_from(cursor >> 64).unwrap_or_default();
    (low, high)
}
