//! Reads: from memory, and from the disk what is not there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use weir_maps::store::{Found, Item, Page, Range};
use weir_maps::{Answer, MapError};
use weir_model::limits::{disk as limits, maps as map_limits};

use super::record::Held;
use super::shared::Shared;

/// What a look into memory finds.
pub(crate) enum Look {
    /// All there is to know.
    Here(Option<Found>),
    /// The entry is there, and its value on the disk.
    OnDisk,
}

/// An entry of a page whose value may have to be fetched.
struct Place {
    key: Bytes,
    found: Option<Found>,
}

impl Shared {
    pub(crate) fn look(&self, key: &[u8]) -> Look {
        let state = self.see();
        let Some(slot) = state.index.get(key) else {
            return Look::Here(None);
        };
        let ends = slot.record.expires_ms != super::record::NEVER;
        if ends && !slot.record.lives(self.now_ms()) {
            return Look::Here(None);
        }
        slot.touch();
        match &slot.record.held {
            Held::Here(value) => Look::Here(Some(Found {
                value: value.clone(),
                version: slot.record.version,
            })),
            Held::Cold(_) => Look::OnDisk,
        }
    }

    /// The entry, wherever it is. Waits for the disk.
    pub(crate) fn fetch(&self, key: &[u8]) -> Result<Option<Found>, MapError> {
        let start = Instant::now();
        loop {
            let record = match self.look(key) {
                Look::Here(found) => return Ok(found),
                Look::OnDisk => self.file.read(key)?,
            };
            let Some(record) = record.and_then(|record| match record.held {
                Held::Here(value) => Some((value, record.version)),
                Held::Cold(_) => None,
            }) else {
                self.wait(start)?;
                continue;
            };
            let (value, version) = record;
            let mut state = self.change();
            let current = state.index.get(key).map(|slot| slot.record.version);
            if current == Some(version) {
                state.index.warm_up(key, version, &value);
                state.index.cool(self.memory_bytes);
                return Ok(Some(Found { value, version }));
            }
            drop(state);
            // A change that the disk has already, and that becomes visible in a moment.
            self.wait(start)?;
        }
    }

    fn wait(&self, start: Instant) -> Result<(), MapError> {
        if start.elapsed() > limits::READ_TIME {
            let path = self.file.path().display();
            let told = format!("{path}: an entry on the disk is not the one that was written");
            return Err(MapError::Io(told));
        }
        std::thread::sleep(Duration::from_micros(50));
        Ok(())
    }

    /// A page of a scan.
    pub(crate) fn page(self: &Arc<Self>, range: Range<'_>) -> Answer<Page> {
        if range.prefix.len() > map_limits::KEY_BYTES_MAX {
            return Answer::Now(Err(MapError::Invalid("the prefix is longer than 64 KiB")));
        }
        let (places, more) = match self.places(range) {
            Ok(places) => places,
            Err(error) => return Answer::Now(Err(error)),
        };
        if places.iter().all(|place| place.found.is_some()) {
            let items = places.into_iter().filter_map(item).collect();
            return Answer::Now(Ok(Page { items, more }));
        }
        let shared = Arc::clone(self);
        let (prefix, entries) = (Bytes::copy_from_slice(range.prefix), range.entries);
        let room = range.bytes;
        let fill = move || {
            let (mut places, mut more) = (places, more);
            loop {
                let after = places.last().map(|place| place.key.clone());
                let page = shared.fill(places, more, room)?;
                // All of them are gone meanwhile: a page without entries would end the scan.
                if !page.items.is_empty() || !page.more {
                    return Ok(page);
                }
                (places, more) = shared.places(Range {
                    prefix: &prefix,
                    after: after.as_deref(),
                    entries,
                    bytes: room,
                })?;
            }
        };
        match self.readers.ask(fill) {
            Ok(later) => Answer::Later(later),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    /// The entries of a page, and whether there are more.
    fn places(&self, range: Range<'_>) -> Result<(Vec<Place>, bool), MapError> {
        let entries_max = range.entries.clamp(1, map_limits::PAGE_ENTRIES_MAX);
        let now_ms = self.now_ms();
        let state = self.see();
        let mut places: Vec<Place> = Vec::new();
        let mut room = range.bytes;
        for name in state.index.keys_after(range.prefix, range.after) {
            let Some(slot) = state.index.get(name) else {
                continue;
            };
            if !slot.record.lives(now_ms) {
                continue;
            }
            if places.len() >= entries_max {
                return Ok((places, true));
            }
            let needed = Item::packed_bytes(name.len(), slot.record.held.length());
            if needed > room {
                if places.is_empty() {
                    return Err(MapError::Overflow { needed });
                }
                return Ok((places, true));
            }
            room -= needed;
            let found = match &slot.record.held {
                Held::Here(value) => Some(Found {
                    value: value.clone(),
                    version: slot.record.version,
                }),
                Held::Cold(_) => None,
            };
            let key = Bytes::copy_from_slice(name);
            places.push(Place { key, found });
        }
        Ok((places, false))
    }

    /// Fetches what is missing. An entry that changed meanwhile may be longer, and the page end
    /// sooner.
    fn fill(&self, places: Vec<Place>, more: bool, room: usize) -> Result<Page, MapError> {
        let (mut items, mut room): (Vec<Item>, usize) = (Vec::new(), room);
        for mut place in places {
            if place.found.is_none() {
                place.found = self.fetch(&place.key)?;
            }
            let Some(item) = item(place) else {
                continue;
            };
            let needed = Item::packed_bytes(item.key.len(), item.value.length());
            if needed > room {
                if items.is_empty() {
                    return Err(MapError::Overflow { needed });
                }
                return Ok(Page { items, more: true });
            }
            room -= needed;
            items.push(item);
        }
        Ok(Page { items, more })
    }
}

fn item(place: Place) -> Option<Item> {
    let found = place.found?;
    Some(Item {
        key: place.key,
        value: found.value,
        version: found.version,
    })
}
