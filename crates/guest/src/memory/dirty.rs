//! Which pages of a private mapping its owner has written to, as the kernel knows it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

/// `PAGEMAP_SCAN` (`linux/fs.h`): an `ioctl` on `/proc/self/pagemap`, since Linux 6.7.
const PAGEMAP_SCAN: libc::c_ulong = 0xc060_6610;
/// Runs of pages that one call of the kernel reports; more take more calls.
const RUNS: usize = 128;

const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct ScanArgument {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// The page map of this process; `None`: this kernel does not tell, or not us.
///
/// It is opened once and early: a process that gives up its rights cannot open it later.
pub(crate) fn page_map() -> Option<&'static File> {
    static PAGE_MAP: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        let file = File::open("/proc/self/pagemap").ok()?;
        let here = std::ptr::from_ref(&PAGE_MAP) as usize;
        let page = here - here % rustix::param::page_size();
        let probe = scan(&file, page..page + rustix::param::page_size(), |_| Ok(()));
        probe.is_ok().then_some(file)
    };
    PAGE_MAP.get_or_init(open).as_ref()
}

/// Reports every run of pages within these addresses that is private to this mapping: written to
/// since it was mapped or given back. Addresses are whole pages, in order.
///
/// # Errors
///
/// When the kernel refuses, or `each` fails.
pub(crate) fn scan(
    page_map: &File,
    addresses: Range<usize>,
    mut each: impl FnMut(Range<usize>) -> io::Result<()>,
) -> io::Result<()> {
    let mut runs = [PageRegion::default(); RUNS];
    let mut start = addresses.start as u64;
    let end = addresses.end as u64;
    while start < end {
        let mut argument = ScanArgument {
            size: size_of::<ScanArgument>() as u64,
            start,
            end,
            vec: runs.as_mut_ptr() as u64,
            vec_len: RUNS as u64,
            // Neither a page of the image nor the page of zeros that all readers share.
            category_inverted: PAGE_IS_FILE | PAGE_IS_PFNZERO,
            category_mask: PAGE_IS_FILE | PAGE_IS_PFNZERO,
            category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
            ..ScanArgument::default()
        };
        #[expect(unsafe_code, reason = "no crate has this call")]
        // SAFETY: the argument is the kernel's own structure with its size in it; the kernel writes
        // at most `vec_len` runs to `vec`, which is borrowed here, and to `walk_end`.
        let found = unsafe { libc::ioctl(page_map.as_raw_fd(), PAGEMAP_SCAN, &raw mut argument) };
        let found = usize::try_from(found).map_err(|_| io::Error::last_os_error())?;
        for run in &runs[..found.min(RUNS)] {
            // Addresses fit: they lie between two that were given.
            let address = |number| usize::try_from(number).unwrap_or(addresses.end);
            each(address(run.start)..address(run.end))?;
        }
        if argument.walk_end <= start {
            return Err(io::ErrorKind::Unsupported.into());
        }
        start = argument.walk_end;
    }
    Ok(())
}
