//! The breaker of a filter: when a new VM may take a failed one's place, for all workers together.
//!
//! It is asked for the start of a VM only. VMs that run go on, so a worker whose requests are well
//! is not held up by another's. Two things make a start wait: failures in a row without a request
//! that went well between them, for longer and longer; and what a start costs, so that a plugin which
//! serves some requests and crashes at others comes back as often as its starts are cheap.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_model::limits;

/// Counts failures in a row and remembers when the next start may be tried.
#[derive(Debug)]
pub(crate) struct Breaker {
    rules: weir_model::Breaker,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since a request last went well in a new VM.
    row: u32,
    /// Failures of which each came soon after the one before, whatever went well between them.
    recent: u32,
    last: Option<Instant>,
    /// How long the last start took.
    cost: Duration,
    phase: Phase,
}

/// What a breaker lets happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Any VM may start.
    #[default]
    Closed,
    /// Any may, from then on: starts are not to take all the time.
    Spaced { until: Instant },
    /// None may, until then.
    Open { until: Instant },
    /// One has started on trial; the others wait for what becomes of it.
    Probing { since: Instant },
}

/// Whether a VM may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    Yes,
    /// On trial: if its first request goes well, the breaker closes.
    OnTrial,
    /// In so long, whatever becomes of others.
    After(Duration),
    /// Not for so long.
    No(Duration),
}

/// A breaker as operators see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakerState {
    /// VMs are replaced at once.
    #[default]
    Closed,
    /// The plugin is left alone for a while.
    Open,
    /// A VM runs on trial.
    HalfOpen,
}

impl BreakerState {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl Breaker {
    pub(crate) fn new(rules: weir_model::Breaker) -> Self {
        Self {
            rules,
            state: Mutex::default(),
        }
    }

    /// Whether a VM may start now.
    pub(crate) fn permit(&self, now: Instant) -> Permit {
        let mut state = self.state();
        let may_try = match state.phase {
            Phase::Closed => return Permit::Yes,
            Phase::Spaced { until } => {
                let wait = until.saturating_duration_since(now);
                if wait.is_zero() {
                    state.phase = Phase::Closed;
                    return Permit::Yes;
                }
                return Permit::After(wait);
            }
            Phase::Open { until } => until,
            Phase::Probing { since } => since + limits::BREAKER_PROBE_TIME,
        };
        match may_try.checked_duration_since(now) {
            Some(wait) if !wait.is_zero() => Permit::No(wait),
            Some(_) | None => {
                state.phase = Phase::Probing { since: now };
                Permit::OnTrial
            }
        }
    }

    /// A VM failed, or did not start. Returns how many did in a row.
    pub(crate) fn failed(&self, now: Instant) -> u32 {
        let mut state = self.state();
        let is_new_row = state
            .last
            .is_none_or(|last| now.saturating_duration_since(last) > self.rules.window);
        if is_new_row {
            (state.row, state.recent) = (0, 0);
        }
        state.row = state.row.saturating_add(1);
        state.recent = state.recent.saturating_add(1);
        state.last = Some(now);
        let wait = self.rules.wait_after(state.row);
        state.phase = if !wait.is_zero() {
            Phase::Open { until: now + wait }
        } else if state.recent > self.rules.failures {
            let space = state.cost.saturating_mul(limits::START_SPACING);
            let until = now + space.min(self.rules.wait_max);
            Phase::Spaced { until }
        } else {
            Phase::Closed
        };
        state.row
    }

    /// A VM has started in the place of a failed one, which took this long.
    pub(crate) fn started(&self, cost: Duration) {
        self.state().cost = cost;
    }

    /// The first request of a new VM went well.
    pub(crate) fn succeeded(&self) {
        let mut state = self.state();
        state.row = 0;
        if matches!(state.phase, Phase::Probing { .. }) {
            state.phase = Phase::Closed;
        }
    }

    pub(crate) fn report(&self) -> BreakerState {
        match self.state().phase {
            Phase::Closed | Phase::Spaced { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::Probing { .. } => BreakerState::HalfOpen,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three failures are free; then 100 ms, 200 ms, at most 300 ms.
    fn breaker() -> Breaker {
        Breaker::new(weir_model::Breaker {
            wait_max: Duration::from_millis(300),
            ..weir_model::Breaker::default()
        })
    }

    fn fail(breaker: &Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.failed(now);
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_crash_costs_no_wait_and_a_row_of_them_does() {
        let (breaker, start) = (breaker(), Instant::now());
        for _ in 0..3 {
            breaker.failed(start);
            assert_eq!(breaker.permit(start), Permit::Yes);
        }
        for wait in [100, 200, 300, 300] {
            breaker.failed(start);
            assert_eq!(breaker.report(), BreakerState::Open);
            assert_eq!(breaker.permit(start), Permit::No(ms(wait)));
        }
    }

    #[test]
    fn one_vm_is_tried_and_the_others_wait_for_it() {
        let (breaker, start) = (breaker(), Instant::now());
        fail(&breaker, 4, start);
        let later = start + ms(100);
        assert_eq!(breaker.permit(later), Permit::OnTrial);
        assert_eq!(breaker.report(), BreakerState::HalfOpen);
        assert_eq!(
            breaker.permit(later),
            Permit::No(limits::BREAKER_PROBE_TIME)
        );
        breaker.succeeded();
        assert_eq!(breaker.permit(later), Permit::Yes);
    }

    #[test]
    fn a_request_that_went_well_ends_a_row_and_one_that_did_not_does_not() {
        let (breaker, start) = (breaker(), Instant::now());
        fail(&breaker, 4, start);
        assert_eq!(breaker.permit(start + ms(100)), Permit::OnTrial);
        breaker.failed(start + ms(100));
        assert_eq!(breaker.permit(start + ms(100)), Permit::No(ms(200)));
        assert_eq!(breaker.permit(start + ms(300)), Permit::OnTrial);
        breaker.succeeded();
        assert_eq!(breaker.failed(start + ms(300)), 1);
        assert_eq!(breaker.permit(start + ms(300)), Permit::Yes);
    }

    /// Half of the requests crash the plugin: every VM serves some.
    #[test]
    fn starts_of_a_plugin_that_serves_and_crashes_take_a_part_of_the_time() {
        let (breaker, start) = (breaker(), Instant::now());
        let cost = ms(10);
        let space = cost * limits::START_SPACING;
        for round in 0..100 {
            breaker.started(cost);
            breaker.succeeded();
            assert_eq!(breaker.failed(start), 1);
            let expected = if round < 3 {
                Permit::Yes
            } else {
                Permit::After(space)
            };
            assert_eq!(breaker.permit(start), expected, "{round}");
        }
        assert_eq!(breaker.permit(start + space), Permit::Yes);
        assert_eq!(breaker.report(), BreakerState::Closed);
        // The longest wait is the longest here, too.
        breaker.started(ms(10_000));
        breaker.succeeded();
        breaker.failed(start);
        assert_eq!(breaker.permit(start), Permit::After(ms(300)));
    }

    #[test]
    fn a_trial_that_nobody_uses_ends() {
        let (breaker, start) = (breaker(), Instant::now());
        fail(&breaker, 4, start);
        let later = start + ms(100);
        assert_eq!(breaker.permit(later), Permit::OnTrial);
        let late = later + limits::BREAKER_PROBE_TIME;
        assert_eq!(breaker.permit(late), Permit::OnTrial);
    }

    #[test]
    fn quiet_time_ends_a_row() {
        let (breaker, start) = (breaker(), Instant::now());
        fail(&breaker, 4, start);
        let calm = start + weir_model::Breaker::default().window + ms(1);
        assert_eq!(breaker.failed(calm), 1);
        assert_eq!(breaker.permit(calm), Permit::Yes);
    }
}
