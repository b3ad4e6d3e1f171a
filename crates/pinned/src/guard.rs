//! What happens when somebody cuts a file that is mapped: touching a page that is gone is a signal
//! (`SIGBUS`), which ends a process that does nothing about it.
//!
//! A guarded mapping gets a page of zeros in the place of each page that is gone, of this process alone,
//! and is marked as cut. Whoever uses it looks at the mark after having touched it. All other signals of
//! this kind go where they went before.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libc::{c_int, c_void, siginfo_t};

/// Mappings of one process at a time.
const PLACES: usize = 1024;

/// A mapping that is looked after. An empty one has no bytes.
struct Place {
    taken: AtomicBool,
    start: AtomicUsize,
    bytes: AtomicUsize,
    is_cut: AtomicBool,
}

static ALL: [Place; PLACES] = [const {
    Place {
        taken: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
        is_cut: AtomicBool::new(false),
    }
}; PLACES];

/// Who was asked before, and how long a page is. Set before the first mapping is looked after.
static BEFORE: OnceLock<(libc::sigaction, usize)> = OnceLock::new();

/// Looks after a mapping until it is dropped, which must be before the mapping ends.
pub(crate) struct Guard(&'static Place);

impl Guard {
    /// Of these bytes from a page's beginning on.
    ///
    /// # Errors
    /// The system refuses, or there are too many.
    pub(crate) fn of(start: usize, bytes: usize) -> io::Result<Self> {
        install()?;
        let claim = |place: &&Place| !place.taken.swap(true, Ordering::AcqRel);
        let place = ALL.iter().find(claim);
        let told = "this process has 1024 pinned maps already";
        let place = place.ok_or_else(|| io::Error::other(told))?;
        place.is_cut.store(false, Ordering::Relaxed);
        place.start.store(start, Ordering::Relaxed);
        place.bytes.store(bytes, Ordering::Release);
        Ok(Self(place))
    }

    /// Whether a page of it was gone.
    pub(crate) fn is_cut(&self) -> bool {
        self.0.is_cut.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.bytes.store(0, Ordering::Release);
        self.0.taken.store(false, Ordering::Release);
    }
}

/// Has this process call [`on_bus_error`], from the first call on.
fn install() -> io::Result<()> {
    static INSTALLING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = INSTALLING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if BEFORE.get().is_some() {
        return Ok(());
    }
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = on_bus_error;
    #[expect(
        unsafe_code,
        reason = "no safe crate handles a signal that code has caused"
    )]
    // SAFETY: the structures are zeroed before they are filled, which is a valid state of theirs, and
    // are this function's own. The handler does only what a handler may do: it uses atomics and asks
    // the system, and is there as long as the program is. Who was asked before is known before the new
    // one is asked for the first time.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut before) != 0 {
            return Err(io::Error::last_os_error());
        }
        let _ = BEFORE.set((before, rustix::param::page_size()));
        let mut ours: libc::sigaction = std::mem::zeroed();
        ours.sa_sigaction = handler as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        if libc::sigaction(libc::SIGBUS, &raw const ours, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn on_bus_error(signal: c_int, about: *mut siginfo_t, context: *mut c_void) {
    #[expect(unsafe_code, reason = "the system hands over pointers")]
    // SAFETY: the system gives a valid structure to a handler with `SA_SIGINFO`.
    let address = unsafe { (*about).si_addr() }.addr();
    let Some((before, page_bytes)) = BEFORE.get() else {
        return;
    };
    if blank(address, *page_bytes) {
        return;
    }
    hand_on(before, (signal, about, context));
}

/// Puts a page of zeros there, if that is a mapping that is looked after.
fn blank(address: usize, page_bytes: usize) -> bool {
    let holds = |place: &&Place| {
        let bytes = place.bytes.load(Ordering::Acquire);
        let start = place.start.load(Ordering::Relaxed);
        address.checked_sub(start).is_some_and(|at| at < bytes)
    };
    let Some(place) = ALL.iter().find(holds) else {
        return false;
    };
    place.is_cut.store(true, Ordering::Relaxed);
    let page = std::ptr::without_provenance_mut(address & !(page_bytes - 1));
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    #[expect(unsafe_code, reason = "a page is mapped by address")]
    // SAFETY: the page lies in a mapping that its owner keeps, and uses as atomic words only: zeros are
    // such words. It held nothing that anybody could still read.
    let put = unsafe { libc::mmap(page, page_bytes, protection, flags, -1, 0) };
    put != libc::MAP_FAILED
}

/// Lets somebody else see to a signal that is not ours.
fn hand_on(
    before: &libc::sigaction,
    (signal, about, context): (c_int, *mut siginfo_t, *mut c_void),
) {
    let handler = before.sa_sigaction;
    #[expect(unsafe_code, reason = "handlers are numbers to the system")]
    // SAFETY: what was installed before is called as it was installed: with three arguments if it asked
    // for them, else with one. What is no function is put back, and the instruction that caused the
    // signal causes it again.
    unsafe {
        if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
            libc::sigaction(signal, before, std::ptr::null_mut());
        } else if before.sa_flags & libc::SA_SIGINFO != 0 {
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                std::mem::transmute(handler);
            handler(signal, about, context);
        } else {
            let handler: extern "C" fn(c_int) = std::mem::transmute(handler);
            handler(signal);
        }
    }
}
