//! Mappings without a guest: regions of a real engine in a memory that the tests look at.

use std::sync::Arc;

use weir_maps::budget::{Account, Amount};
use weir_maps::region::{Access, Lease};
use weir_maps::{Engine, Grants, Handles, Identity, ManualClock, MapError, MapOptions};

use super::{GRAIN, MappingError, Mappings, Place};
use crate::image::Image;
use crate::memory::{Memories, Region, Seed, Written};

const PAGE: usize = 4096;
/// Of the memory's own.
const OWN: usize = 2 * GRAIN;

struct Bench {
    _memories: Memories,
    memory: Arc<Region>,
    image: Arc<Image>,
    mappings: Mappings,
    handles: Handles,
    map: u32,
}

impl Bench {
    /// A memory of two grains of ones and zeros, and room for `grains` more; a region `k` of three
    /// grains and a byte, full of sevens.
    fn new(grains: usize) -> Self {
        let memories = Memories::default();
        let ones = vec![1; GRAIN];
        let image = Image::of([(0, &*ones)].into_iter());
        let image = Arc::new(image.expect("an image"));
        let seed = Seed {
            image: Arc::clone(&image),
            bytes: OWN,
        };
        let memory = memories.make(Some(&seed), OWN, (1 << 32, 32 << 20));
        let memory = Arc::new(memory.expect("a memory"));
        let end = OWN + grains * GRAIN;
        memory.reservation.open(OWN..end).expect("room");
        memory
            .bytes
            .store(end, std::sync::atomic::Ordering::Relaxed);
        let amount = Amount {
            entries: u64::MAX,
            bytes: u64::MAX,
        };
        let identity = Identity {
            in_use: "filter".into(),
            grants: Arc::new(Grants::default()),
            owner: Arc::new(Account::new(amount)),
            meter: Arc::default(),
        };
        let engine = Engine::new(Arc::new(ManualClock::default()));
        let mut handles = Handles::new(&engine, identity);
        let map = handles.create(MapOptions::anonymous()).expect("a map");
        let length = 3 * GRAIN + 1;
        handles
            .region_create(map, b"k", length as u64)
            .expect("a region");
        let mut bench = Self {
            mappings: Mappings::of(Some(Arc::clone(&memory))),
            _memories: memories,
            memory,
            image,
            handles,
            map,
        };
        let lease = bench.lease(Access::Write).expect("free");
        lease.write(0, &vec![7; length]).expect("in it");
        bench
    }

    fn lease(&mut self, access: Access) -> Result<Arc<Lease>, MapError> {
        let lease = self.handles.region(self.map, b"k", (access, 0..0));
        lease.map(Arc::new)
    }

    #[expect(unsafe_code, reason = "the memory is given by address")]
    fn bytes(&mut self) -> &mut [u8] {
        let (base, bytes) = (self.memory.reservation.base(), self.memory.bytes());
        // SAFETY: the memory is accessible for this long, and the bench has it alone.
        unsafe { std::slice::from_raw_parts_mut(base, bytes) }
    }

    /// Maps bytes of the region from an offset on into a place that begins at this grain.
    fn map(&mut self, access: Access, (offset, bytes): (usize, usize), grain: usize) {
        let lease = self.lease(access).expect("free");
        let start = OWN + grain * GRAIN;
        let place = Place::grown(start..start + bytes.next_multiple_of(GRAIN));
        let put = self
            .mappings
            .put_region(place, lease, (offset as u64, bytes));
        put.expect("mapped");
    }

    /// What a byte of the region is now.
    fn value(&mut self, offset: u64) -> u8 {
        let mut byte = [0];
        let lease = self.lease(Access::Read).expect("nobody writes");
        lease.read(offset, &mut byte).expect("in it");
        byte[0]
    }
}

/// A grain behind the memory's own.
fn grain(number: usize) -> usize {
    OWN + number * GRAIN
}

#[test]
fn readers_have_pages_of_their_own_as_soon_as_they_write() {
    let mut bench = Bench::new(8);
    bench.map(Access::Read, (0, GRAIN), 0);
    bench.map(Access::Read, (0, GRAIN), 2);
    let bytes = bench.bytes();
    assert_eq!((bytes[grain(0)], bytes[grain(2)]), (7, 7));
    bytes[grain(0)] = 9;
    assert_eq!((bytes[grain(0)], bytes[grain(2)]), (9, 7));
    bench.mappings.clear().expect("cleared");
    assert_eq!(bench.value(0), 7);
    assert!(bench.bytes()[OWN..].iter().all(|byte| *byte == 0));
}

#[test]
fn what_a_writer_writes_is_in_the_region() {
    let mut bench = Bench::new(8);
    bench.map(Access::Write, (GRAIN, 2 * GRAIN + 1), 1);
    let end = grain(1) + 2 * GRAIN;
    assert_eq!(bench.bytes()[end], 7, "the last byte");
    assert_eq!(bench.bytes()[end + PAGE], 0, "no page of the region");
    bench.bytes()[end] = 8;
    assert!(matches!(
        bench.lease(Access::Read),
        Err(MapError::Again { .. })
    ));
    bench
        .mappings
        .unmap(grain(1), 2 * GRAIN + 1)
        .expect("unmapped");
    assert_eq!(bench.value(3 * GRAIN as u64), 8);
    assert!(bench.bytes()[OWN..].iter().all(|byte| *byte == 0));
}

#[test]
fn only_a_whole_mapping_is_unmapped() {
    let mut bench = Bench::new(8);
    bench.map(Access::Write, (0, GRAIN + 1), 1);
    for (start, bytes) in [
        (grain(1), GRAIN),
        (grain(1), 2 * GRAIN),
        (grain(2), 1),
        (0, GRAIN),
        (usize::MAX, 1),
    ] {
        let unmapped = bench.mappings.unmap(start, bytes);
        assert!(matches!(unmapped, Err(MappingError::NotMapped)));
    }
    assert_eq!(bench.bytes()[grain(2)], 7);
    bench.mappings.unmap(grain(1), GRAIN + 1).expect("unmapped");
    let again = bench.mappings.unmap(grain(1), GRAIN + 1);
    assert!(matches!(again, Err(MappingError::NotMapped)));
}

#[test]
fn ranges_are_used_again_and_hold_nothing() {
    let mut bench = Bench::new(8);
    bench.map(Access::Read, (0, GRAIN), 0);
    bench.map(Access::Read, (0, GRAIN), 1);
    bench.map(Access::Read, (0, GRAIN), 2);
    let reuse = |bench: &mut Bench, bytes| {
        let place = bench.mappings.reuse(bytes).expect("zeros");
        place.map(|place| place.start())
    };
    assert_eq!(reuse(&mut bench, 1), None);
    for number in [0, 2, 1] {
        bench.mappings.unmap(grain(number), GRAIN).expect("mapped");
    }
    // Neighbours became one, and what the guest wrote there is gone.
    bench.bytes()[OWN..].fill(5);
    assert_eq!(reuse(&mut bench, 3 * GRAIN + 1), None);
    assert_eq!(reuse(&mut bench, 2 * GRAIN + 1), Some(grain(0)));
    assert!(bench.bytes()[OWN..grain(3)].iter().all(|byte| *byte == 0));
    assert_eq!(reuse(&mut bench, 1), None);
}

#[test]
fn however_mappings_end_nobody_is_kept_out() {
    let mut bench = Bench::new(8);
    bench.map(Access::Write, (0, GRAIN), 0);
    bench.bytes()[grain(0)] = 3;
    let memory = Arc::clone(&bench.memory);
    bench.mappings = Mappings::of(Some(memory));
    assert_eq!(bench.value(0), 3);
    assert_eq!(bench.bytes()[grain(0)], 0);
    bench.lease(Access::Write).expect("free");
}

/// A memory that is put back, or kept, is so also where something was mapped over its image.
#[test]
#[expect(unsafe_code, reason = "restoring needs a promise")]
fn what_was_mapped_over_is_restored_from_the_image() {
    let mut bench = Bench::new(0);
    let (image, memory) = (Arc::clone(&bench.image), Arc::clone(&bench.memory));
    let lease = bench.lease(Access::Read).expect("free");
    let place = Place::grown(0..GRAIN);
    bench
        .mappings
        .put_region(place, lease, (0, GRAIN))
        .expect("mapped");
    bench.mappings.clear().expect("cleared");
    assert_eq!(bench.bytes()[0], 0);
    assert!(!memory.is_untouched(), "zeros are not the image");
    // SAFETY: nobody else has the memory, and no reference into it lives.
    let kept = unsafe { memory.image(&image).expect("an image") };
    assert!(kept.view().iter().all(|byte| *byte == 0));
    let mut written = Written::default();
    // SAFETY: as above.
    unsafe {
        let restored = memory.restore(&image, usize::MAX, &mut written);
        restored.expect("restored");
    }
    assert!(bench.bytes()[..GRAIN].iter().all(|byte| *byte == 1));
    assert!(memory.is_untouched() || crate::memory::page_map().is_none());
}

/// What a memory loses is gone when it grows again.
#[test]
#[expect(unsafe_code, reason = "shrinking needs a promise")]
fn a_memory_that_shrank_and_grew_holds_zeros() {
    let mut bench = Bench::new(4);
    bench.map(Access::Write, (0, GRAIN), 1);
    bench.bytes()[OWN..grain(1)].fill(6);
    bench.mappings.clear().expect("cleared");
    let memory = Arc::clone(&bench.memory);
    // SAFETY: nobody else has the memory, and no reference into it lives.
    unsafe { memory.shrink(OWN).expect("shrunk") };
    assert!(!memory.is_replaced());
    assert_eq!(memory.bytes(), OWN);
    memory.reservation.open(OWN..grain(4)).expect("room");
    memory
        .bytes
        .store(grain(4), std::sync::atomic::Ordering::Relaxed);
    assert!(bench.bytes()[OWN..].iter().all(|byte| *byte == 0));
}
