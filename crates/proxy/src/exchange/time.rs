//! Deadlines of an exchange: the route's timeout and silence.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use weir_model::limits;

use super::{Exchange, Reply};
use crate::listen::Reset;

/// One timer for all deadlines of an exchange. Armed when the exchange first waits; re-armed only
/// when it fires, so that traffic costs it nothing.
#[derive(Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    moved: bool,
    last_move: Option<Instant>,
    /// When the request had arrived whole.
    pub(super) request_ended: Option<Instant>,
}

impl Timer {
    /// Something moved.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }
}

impl Exchange {
    /// Looks whether a deadline has passed. Says whether that moved anything.
    pub(super) fn check_time(&mut self, cx: &mut Context<'_>) -> Result<bool, Reset> {
        if self.timer.sleep.is_some() && !std::mem::take(&mut self.timer.moved) {
            return self.poll_timer(cx);
        }
        let now = Instant::now();
        self.timer.last_move = Some(now);
        if self.timer.sleep.is_none() {
            let sleep = Box::pin(tokio::time::sleep_until(self.next_deadline(now)));
            self.timer.sleep = Some(sleep);
        }
        self.poll_timer(cx)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Result<bool, Reset> {
        loop {
            let Some(sleep) = &mut self.timer.sleep else {
                return Ok(false);
            };
            if sleep.as_mut().poll(cx).is_pending() {
                return Ok(false);
            }
            let now = Instant::now();
            if self
                .route_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                return self.time_out(("UT", "response_timeout", "upstream request timeout"), 504);
            }
            if self.silence_deadline(now) <= now {
                return self.time_out(
                    ("SI", "stream_idle_timeout", "stream timeout"),
                    self.idle_status(),
                );
            }
            let next = self.next_deadline(now);
            if let Some(sleep) = &mut self.timer.sleep {
                sleep.as_mut().reset(next);
            }
        }
    }

    fn idle_status(&self) -> u16 {
        if self.timer.request_ended.is_some() {
            504
        } else {
            408
        }
    }

    fn time_out(
        &mut self,
        (flag, details, text): (&'static str, &'static str, &'static str),
        status: u16,
    ) -> Result<bool, Reset> {
        self.timer.sleep = None;
        self.timer.request_ended = None;
        self.upstream_timed_out();
        if self.reply != Reply::Awaited {
            let facts = &mut self.stream.borrow_mut().facts;
            facts.flags = crate::stream::Flags::of(flag);
            facts.details = Some(details.to_owned());
            return Err(Reset(details));
        }
        self.leave_waiting();
        self.fault(status, details, (flag, text))?;
        Ok(true)
    }

    /// When the earliest deadline may be; far away if there is none.
    fn next_deadline(&self, now: Instant) -> Instant {
        let silence = self.silence_deadline(now);
        self.route_deadline()
            .map_or(silence, |route| route.min(silence))
    }

    fn route_deadline(&self) -> Option<Instant> {
        let timeout = self.forward().and_then(|forward| forward.timeout)?;
        // While the request has not ended there is none: looked at again when it has.
        self.timer.request_ended.map(|ended| ended + timeout)
    }

    fn silence_deadline(&self, now: Instant) -> Instant {
        let idle: Duration = match self.forward() {
            Some(forward) => match forward.idle_timeout {
                Some(idle) => idle,
                None => return now + Duration::from_hours(24),
            },
            None => limits::STREAM_IDLE_TIMEOUT,
        };
        self.timer.last_move.unwrap_or(now) + idle
    }

    fn forward(&self) -> Option<&weir_model::Forward> {
        match &self.route_at()?.action {
            weir_model::Action::Forward(forward) => Some(forward),
            weir_model::Action::Function(_)
            | weir_model::Action::Respond(_)
            | weir_model::Action::Echo => None,
        }
    }

    /// The request has arrived whole: the route's timeout begins.
    pub(super) fn request_ended(&mut self) {
        self.timer.request_ended = Some(Instant::now());
        // Armed anew with the route's deadline when the exchange next waits.
        self.timer.sleep = None;
    }
}
