//! What a guest has mapped into its memory: pages of regions, and copies of files.
//!
//! The host grows the memory for a mapping and puts pages there. A range that was unmapped reads as
//! zeros and takes the next mapping that fits, so that mapping for each request does not grow the
//! memory for ever. Invariant: a region is given back only when no page of it is in the memory any
//! more; however a guest ends, nothing of it stays mapped.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use weir_maps::region::{Access, Lease};
use weir_model::limits::maps as limits;

use super::Region;
use super::reservation::Sharing;

/// The grain of addresses: a page of WebAssembly.
pub(crate) const GRAIN: usize = weir_maps::region::GRAIN as usize;

/// What one guest has mapped into its memory. It ends with this.
#[derive(Default)]
pub struct Mappings {
    /// `None`: the guest is not there yet.
    memory: Option<Arc<Region>>,
    mapped: Vec<Mapped>,
    /// Memory that was grown for mappings and has none now; whole grains, in order, apart from each
    /// other.
    free: Vec<Range<usize>>,
}

struct Mapped {
    /// Whole grains.
    at: Range<usize>,
    /// As long as it was asked for.
    bytes: usize,
    /// `None`: the pages are the guest's own.
    lease: Option<Arc<Lease>>,
}

/// A range for a mapping, which holds zeros.
pub(crate) struct Place(Range<usize>);

/// Why a mapping was not made or not ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MappingError {
    /// There is no mapping with this beginning and length.
    #[error("nothing of this length is mapped at this address")]
    NotMapped,
    /// The system refused to map, and everything is as it was.
    #[error("the system maps no more: {0}")]
    Refused(io::Error),
    /// The system refused, and nobody knows what the range holds now: the guest must end.
    #[error("the guest's memory is broken, as the system maps no more: {0}")]
    Broken(io::Error),
}

impl Place {
    /// Memory that was just grown.
    pub(crate) fn grown(at: Range<usize>) -> Self {
        Self(at)
    }

    pub(crate) fn start(&self) -> usize {
        self.0.start
    }
}

impl Mappings {
    /// Those of a guest with this memory.
    pub(crate) fn of(memory: Option<Arc<Region>>) -> Self {
        let mut mappings = Self::default();
        mappings.memory = memory;
        mappings
    }

    pub(crate) fn memory(&self) -> Option<&Arc<Region>> {
        self.memory.as_ref()
    }

    /// Whether anything is mapped now.
    pub(crate) fn any(&self) -> bool {
        !self.mapped.is_empty()
    }

    /// Whether there can be no more.
    pub(crate) fn are_full(&self) -> bool {
        self.mapped.len() >= limits::MAPPINGS_MAX
    }

    /// A range that was unmapped and is long enough; its content is replaced by zeros. `None`: the
    /// memory must be grown.
    pub(crate) fn reuse(&mut self, bytes: usize) -> Result<Option<Place>, MappingError> {
        let room = bytes.next_multiple_of(GRAIN);
        let Some(place) = self.free.iter().position(|free| free.len() >= room) else {
            return Ok(None);
        };
        let start = self.free[place].start;
        let at = start..start + room;
        if let Some(memory) = &self.memory {
            memory.blank(at.clone()).map_err(MappingError::Broken)?;
        }
        self.free[place].start = at.end;
        self.free.retain(|free| !free.is_empty());
        Ok(Some(Place(at)))
    }

    /// Puts pages of a region into a place, whose range was checked against the region.
    pub(crate) fn put_region(
        &mut self,
        place: Place,
        lease: Arc<Lease>,
        (offset, bytes): (u64, usize),
    ) -> Result<(), MappingError> {
        let sharing = match lease.access() {
            Access::Read => Sharing::Private,
            Access::Write if bytes <= limits::REGION_PRESENT_BYTES_MAX => Sharing::SharedPresent,
            Access::Write => Sharing::Shared,
        };
        let memory = self.memory.as_ref().ok_or(MappingError::NotMapped)?;
        let start = place.0.start;
        let put = memory.put(start..start + bytes, (lease.file(), offset), sharing);
        let Err(error) = put else {
            self.note(place, bytes, Some(lease));
            return Ok(());
        };
        // Some kernels have removed by then what was there before.
        let blank = memory.blank(place.0.clone());
        blank.map_err(MappingError::Broken)?;
        self.release(place);
        Err(MappingError::Refused(error))
    }

    /// Notes that a place holds something of the guest's own.
    pub(crate) fn put_own(&mut self, place: Place, bytes: usize) {
        self.note(place, bytes, None);
    }

    /// Takes back a place that nothing was put into.
    pub(crate) fn release(&mut self, place: Place) {
        let index = self.free.partition_point(|free| free.end <= place.0.start);
        self.free.insert(index, place.0);
        self.free.dedup_by(|next, free| {
            let touches = free.end == next.start;
            if touches {
                free.end = next.end;
            }
            touches
        });
    }

    fn note(&mut self, place: Place, bytes: usize, lease: Option<Arc<Lease>>) {
        self.mapped.push(Mapped {
            at: place.0,
            bytes,
            lease,
        });
    }

    /// Ends the mapping that begins there and is so long: the range holds zeros.
    pub(crate) fn unmap(&mut self, start: usize, bytes: usize) -> Result<(), MappingError> {
        let is_it = |mapped: &Mapped| (mapped.at.start, mapped.bytes) == (start, bytes);
        let index = self.mapped.iter().position(is_it);
        let index = index.ok_or(MappingError::NotMapped)?;
        let memory = self.memory.as_ref().ok_or(MappingError::NotMapped)?;
        let at = self.mapped[index].at.clone();
        memory.blank(at).map_err(MappingError::Broken)?;
        let Mapped { at, lease, .. } = self.mapped.swap_remove(index);
        // Others may have the region from now on.
        drop(lease);
        self.release(Place(at));
        Ok(())
    }

    /// Ends all mappings and forgets where they were.
    ///
    /// # Errors
    ///
    /// When the system refuses: the memory must not be used again.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.free.clear();
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        while let Some(mapped) = self.mapped.last() {
            memory.blank(mapped.at.clone())?;
            self.mapped.pop();
        }
        Ok(())
    }
}

impl Drop for Mappings {
    fn drop(&mut self) {
        if self.clear().is_err() {
            // Nobody may have these regions while their pages are still here; their entries can be
            // replaced.
            for mapped in self.mapped.drain(..) {
                std::mem::forget(mapped.lease);
            }
        }
    }
}

#[cfg(test)]
mod tests;
