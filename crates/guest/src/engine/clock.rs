//! The clock that ends guests which run too long: a thread that ticks while guests may run.
//!
//! Invariant: it ticks from [`Clock::rouse`] to [`Clock::rest`], and stops soon after. Stopped, it
//! wakes nobody; while calls follow one another it goes on, so that they cost a store and no wake-up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use super::TICK;

/// Ticks without anything to tick for, after which the clock stops.
const IDLE_TICKS: u32 = 25;

/// A ticking thread. It ends with this.
pub(super) struct Clock {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Default)]
struct State {
    is_over: AtomicBool,
    /// Guests may run.
    is_needed: AtomicBool,
    /// They might have since the last tick.
    was_needed: AtomicBool,
    is_stopped: AtomicBool,
}

impl Clock {
    /// Starts the thread, which calls this at each tick.
    pub(super) fn start(tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let state = Arc::<State>::default();
        let watched = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("weir-deadline".to_owned())
            .spawn(move || watched.run(tick))?;
        Ok(Self {
            state,
            thread: thread.thread().clone(),
        })
    }

    pub(super) fn rouse(&self) {
        self.state.was_needed.store(true, Ordering::Relaxed);
        // Before the look at the clock: whoever stops it looks here afterwards.
        self.state.is_needed.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(super) fn rest(&self) {
        self.state.is_needed.store(false, Ordering::Relaxed);
    }

    fn wake(&self) {
        if self.state.is_stopped.load(Ordering::SeqCst) {
            self.state.is_stopped.store(false, Ordering::SeqCst);
            self.thread.unpark();
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.wake();
    }
}

impl State {
    fn run(&self, tick: impl Fn()) {
        let mut idle = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            std::thread::sleep(TICK);
            tick();
            let was_needed = self.was_needed.swap(false, Ordering::Relaxed);
            if was_needed || self.is_needed.load(Ordering::Relaxed) {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle == IDLE_TICKS {
                self.stop();
                idle = 0;
            }
        }
    }

    /// Waits until guests may run, or all is over.
    fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        let may_stop =
            || !self.is_needed.load(Ordering::SeqCst) && !self.is_over.load(Ordering::SeqCst);
        while may_stop() && self.is_stopped.load(Ordering::SeqCst) {
            std::thread::park();
        }
        self.is_stopped.store(false, Ordering::SeqCst);
    }
}
