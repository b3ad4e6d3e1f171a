//! Memories without a guest: the tests write to them as one would.

use std::sync::Arc;

use super::{Memories, Region, Seed, Written, page_map};
use crate::image::Image;

/// Pages of 4 KiB, of which the first half comes from an image.
const PAGES: usize = 1024;
const PAGE: usize = 4096;

fn image() -> Image {
    let pages: Vec<_> = (0..PAGES / 2)
        .map(|number| vec![content(number); PAGE])
        .collect();
    let parts = pages
        .iter()
        .enumerate()
        .map(|(number, page)| (number * PAGE, page.as_slice()));
    Image::of(parts).expect("an image")
}

/// Every third page of the image is zero.
fn content(number: usize) -> u8 {
    let is_filled = number < PAGES / 2 && !number.is_multiple_of(3);
    if is_filled {
        u8::try_from(number % 200 + 1).expect("small")
    } else {
        0
    }
}

fn region() -> (Memories, Region, Arc<Image>) {
    let memories = Memories::default();
    let image = Arc::new(image());
    let seed = Seed {
        image: Arc::clone(&image),
        bytes: PAGES * PAGE,
    };
    let region = memories.make(Some(&seed), seed.bytes, (1 << 32, 32 << 20));
    (memories, region.expect("a region"), image)
}

/// The whole memory.
#[expect(unsafe_code, reason = "the memory is given by address")]
fn bytes(region: &mut Region) -> &mut [u8] {
    // SAFETY: the region is accessible for this long and borrowed exclusively.
    unsafe { std::slice::from_raw_parts_mut(region.reservation.base(), region.bytes()) }
}

fn check(region: &mut Region) {
    for (number, page) in bytes(region).chunks(PAGE).enumerate() {
        assert!(
            page.iter().all(|byte| *byte == content(number)),
            "page {number}"
        );
    }
}

/// Writes to the pages of these numbers, restores, and looks at everything.
#[expect(unsafe_code, reason = "restoring needs a promise")]
fn check_restored(pages: impl IntoIterator<Item = usize>, kept_max: usize) {
    let (_memories, mut region, image) = region();
    check(&mut region);
    let pages: Vec<usize> = pages.into_iter().collect();
    let write = |region: &mut Region| {
        for number in &pages {
            bytes(region)[number * PAGE + number % PAGE] = 0xee;
        }
    };
    let mut written = Written::default();
    for round in 0..4 {
        // In the last round all that is kept is known; what was given back never is.
        if round < 3 || pages.len() * PAGE > kept_max {
            written.forget();
        }
        write(&mut region);
        // SAFETY: nobody else has the region, and no reference into it lives.
        unsafe {
            let restored = region.restore(&image, kept_max, &mut written);
            restored.expect("restored");
        }
        check(&mut region);
    }
    write(&mut region);
    region.restore_all().expect("given back");
    check(&mut region);
}

#[test]
fn everything_written_is_restored_however_scattered() {
    check_restored([], usize::MAX);
    check_restored([0, 511, 512, 1023], usize::MAX);
    // More runs than the kernel reports at once, and one run over everything.
    check_restored((0..PAGES).step_by(2), usize::MAX);
    check_restored(0..PAGES, usize::MAX);
}

#[test]
fn what_is_not_kept_is_restored_too() {
    check_restored((0..PAGES).step_by(2), 10 * PAGE);
    check_restored(0..PAGES, 0);
}

#[test]
fn this_kernel_tells_what_was_written() {
    // Since Linux 6.7; without it nothing here breaks, but `request` isolation is slower.
    let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("Linux");
    let mut numbers = version
        .split(['.', '-'])
        .map_while(|number| number.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    assert_eq!(page_map().is_some(), version >= (6, 7));
}

#[test]
#[expect(unsafe_code, reason = "taking an image needs a promise")]
fn an_image_of_a_memory_holds_what_the_memory_holds() {
    let (memories, mut region, image) = region();
    assert_eq!(region.is_untouched(), page_map().is_some());
    for number in [1, 3, 600] {
        bytes(&mut region)[number * PAGE] = 0;
        bytes(&mut region)[number * PAGE + 7] = 9;
    }
    assert!(!region.is_untouched());
    // SAFETY: nobody else has the region, and no reference into it lives.
    let taken = unsafe { region.image(&image).expect("an image") };
    assert!(
        taken
            .filled()
            .iter()
            .map(ExactSizeIterator::len)
            .sum::<usize>()
            < PAGES / 2 * PAGE
    );
    let seed = Seed {
        bytes: region.bytes(),
        image: Arc::new(taken),
    };
    let other = memories.make(Some(&seed), seed.bytes, (1 << 32, 32 << 20));
    let mut other = other.expect("a region");
    assert!(bytes(&mut region) == bytes(&mut other));
}

/// Addresses that were used come back without what was in them.
#[test]
fn reused_addresses_hold_nothing() {
    let (memories, mut region, _) = region();
    bytes(&mut region).fill(7);
    let at = region.reservation.address();
    drop(region);
    let again = memories.make(None, 4 * PAGE, (1 << 32, 32 << 20));
    let mut again = again.expect("a region");
    assert_eq!(again.reservation.address(), at);
    assert!(bytes(&mut again).iter().all(|byte| *byte == 0));
}
