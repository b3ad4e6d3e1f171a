//! Requests that begin again at a filter whose process is gone.
//!
//! A filter in a process of its own may lose it through no fault of the request. If the request has
//! left nothing behind there, and the filter still holds all of it, the next process sees it as if it
//! came for the first time. Otherwise it fails like every request whose VM fails.

use weir_model::{Inside, Isolation, limits};

use super::{Exchange, SeatState};
use crate::listen::Reset;
use crate::stream::Access;

impl Exchange {
    /// Keeps the head as a filter first sees it, if it may have to be seen again.
    pub(super) fn keep_head(&mut self, stage: usize) {
        let is_at_risk = match self.chain[stage].filter.isolation {
            Isolation::Process(apart) => apart.inside == Inside::Request,
            Isolation::Module
            | Isolation::Plugin
            | Isolation::Configuration
            | Isolation::Request(_) => false,
        };
        if is_at_risk {
            let headers = self.stream.borrow().request.headers.clone();
            self.seats[stage].first_head = Some(Box::new(headers));
        }
    }

    /// The process of this filter is gone, and what the request did there left nothing.
    pub(super) fn filter_lost(&mut self, stage: usize) -> Result<(), Reset> {
        if self.seats[stage].state == SeatState::Bypassed {
            return Ok(());
        }
        if self.can_begin_again(stage) {
            self.begin_again(stage);
            return Ok(());
        }
        self.slot(stage).note_lost_stream();
        self.filter_failed(stage)
    }

    fn can_begin_again(&self, stage: usize) -> bool {
        let seat = &self.seats[stage];
        seat.first_head.is_some()
            && seat.restarts < limits::REQUEST_RESTARTS_MAX
            && !self.request_is_over
            && !self.response_has_begun
            && self.stream.borrow().request_flow.can_begin_again(stage)
    }

    fn begin_again(&mut self, stage: usize) {
        self.slot(stage).note_restart();
        let seat = &mut self.seats[stage];
        seat.state = SeatState::Unseen;
        seat.slot = None;
        seat.restarts += 1;
        let stream = &mut *self.stream.borrow_mut();
        if let Some(head) = &seat.first_head {
            stream.request.headers.clone_from(head);
        }
        // What it has used is used.
        stream.access[stage] = Access {
            usage: stream.access[stage].usage,
            ..Access::default()
        };
        stream.request_flow.begin_again(stage);
    }
}
