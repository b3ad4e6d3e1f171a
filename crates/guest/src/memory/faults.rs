//! Page faults of this thread, as the kernel counts them.
//!
//! Memory becomes private to its mapping by a write that faults. So a guest that ran without a fault
//! has written to no other pages than those that were private before.

use std::cell::Cell;
use std::sync::OnceLock;

use rustix::mm::{MapFlags, ProtFlags};

thread_local! {
    /// The count when this thread last asked.
    static SEEN: Cell<Option<i64>> = const { Cell::new(None) };
}

/// Whether this thread may have taken page faults since it last asked: those of the code that runs
/// directly before count, those of other threads do not.
pub(crate) fn happened() -> bool {
    let now = count();
    now.is_none() || SEEN.replace(now) != now
}

/// Whether this kernel counts every write that makes a page private. Tried once.
pub(crate) fn are_counted() -> bool {
    static ARE_COUNTED: OnceLock<bool> = OnceLock::new();
    *ARE_COUNTED.get_or_init(|| try_it().unwrap_or(false))
}

/// Faults of this thread so far.
fn count() -> Option<i64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    #[expect(unsafe_code, reason = "no safe crate here has this call for a thread")]
    // SAFETY: the kernel fills the structure, which is as large as it thinks, or says that it failed.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) != 0 {
            return None;
        }
        usage.assume_init()
    };
    usage.ru_minflt.checked_add(usage.ru_majflt)
}

/// Reads pages of zeros, then writes to each: all of the writes must have been counted.
fn try_it() -> Option<bool> {
    const PAGES: usize = 8;
    let page = rustix::param::page_size();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    #[expect(unsafe_code, reason = "mappings are made by address")]
    // SAFETY: the mapping is new, as long as what is read and written in it, and nobody else has it.
    unsafe {
        let kind = MapFlags::PRIVATE;
        let start = rustix::mm::mmap_anonymous(std::ptr::null_mut(), PAGES * page, access, kind);
        let start = start.ok()?.cast::<u8>();
        // Huge pages would make one fault of them all.
        let advice = rustix::mm::Advice::LinuxNoHugepage;
        let _ = rustix::mm::madvise(start.cast(), PAGES * page, advice);
        for number in 0..PAGES {
            start.add(number * page).read_volatile();
        }
        let before = count();
        for number in 0..PAGES {
            start.add(number * page).write_volatile(1);
        }
        let after = count();
        rustix::mm::munmap(start.cast(), PAGES * page).ok()?;
        Some(after? - before? >= i64::try_from(PAGES).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this can go without a fault. The kernel makes some by itself: it takes pages away to see
    /// whether they are used. They are told as well, so that one quiet round of many is what is asked
    /// for.
    fn can_be_quiet(mut round: impl FnMut()) -> bool {
        (0..100).any(|_| {
            // The first call touches pages of its own for the first time after it has counted: its code,
            // and this thread's variables.
            happened();
            happened();
            round();
            !happened()
        })
    }

    #[test]
    fn a_write_to_a_new_page_is_noticed_and_one_to_an_old_page_is_not() {
        assert!(are_counted());
        let mut pages = vec![0_u8; 64 << 20];
        assert!(can_be_quiet(|| ()));
        for number in 0..8 {
            let place = number * (8 << 20) + (4 << 20);
            happened();
            pages[place] = 1;
            assert!(happened());
            assert!(can_be_quiet(|| pages[place + 1] = 1));
        }
        let of_another_thread = std::thread::spawn(happened);
        assert!(of_another_thread.join().expect("a thread"));
    }
}
