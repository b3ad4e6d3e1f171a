//! Requests that wait for their turn: paused, and resumed by the timer of their root context.
//!
//! Invariant: while somebody waits, the timer runs, and fires when the first of them may go on.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

/// Requests of one root context, by the time when they may go on, in nanoseconds since 1970.
pub(crate) struct Waiting {
    root: u32,
    turns: BTreeSet<(u64, u32)>,
}

impl Waiting {
    pub(crate) const fn of(root: u32) -> Self {
        Self {
            root,
            turns: BTreeSet::new(),
        }
    }

    /// A request waits. It is one of this root, and being served just now.
    pub(crate) fn add(&mut self, turn: (u64, u32), now_ns: u64) {
        self.turns.insert(turn);
        self.set_timer(now_ns);
    }

    /// It is over.
    pub(crate) fn remove(&mut self, turn: (u64, u32)) {
        self.turns.remove(&turn);
    }

    fn set_timer(&self, now_ns: u64) {
        let period = self.turns.first().map_or(Duration::ZERO, |(turn_ns, _)| {
            let wait_ms = turn_ns.saturating_sub(now_ns).div_ceil(1_000_000);
            Duration::from_millis(wait_ms.max(1))
        });
        if let Err(status) = hostcalls::set_tick_period(period) {
            crate::log(
                LogLevel::Error,
                &format!("cannot set the timer: {status:?}"),
            );
        }
    }
}

/// The timer fired: whose turn it is goes on.
pub(crate) fn wake(waiting: &RefCell<Waiting>) {
    loop {
        let now_ns = now_ns();
        let (root, next) = {
            let mut waiting = waiting.borrow_mut();
            let is_due = waiting
                .turns
                .first()
                .is_some_and(|(turn, _)| *turn <= now_ns);
            let next = if is_due {
                waiting.turns.pop_first()
            } else {
                None
            };
            (waiting.root, next)
        };
        let Some((_, request)) = next else {
            // The timer belongs to the root, which is not who acted last.
            let _ = hostcalls::set_effective_context(root);
            waiting.borrow().set_timer(now_ns);
            return;
        };
        // One that has ended meanwhile is not known any more.
        if hostcalls::set_effective_context(request).is_ok() {
            let _ = hostcalls::resume_http_request();
        }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let now = hostcalls::get_current_time().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
