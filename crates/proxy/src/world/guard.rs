//! Holds a guest to those limits that count what it asks for.
//!
//! Host calls cost one decrement. What a request has used stands in its stream, so a limit per
//! request holds over all events of the request, and does not add a look-up.

use std::sync::Arc;

use weir_guest::{Failure, MemoryBudget, Status, Stop};
use weir_maps::Quota;
use weir_model::{Exceeded, Filter, GuestLimits, Limit};

use super::{Here, LiveWorld};
use crate::gateway::Shared;
use crate::plugin::{LineVerdict, Meter};

/// What a world counts.
pub(super) struct Guard {
    filter: Arc<Filter>,
    meter: Arc<Meter>,
    /// Host calls that may still be made before the guest returns.
    calls_left: u32,
}

impl Guard {
    /// For the VM of a filter.
    pub(super) fn new(filter: Arc<Filter>, meter: Arc<Meter>) -> Self {
        Self {
            calls_left: filter.limits.host_calls,
            filter,
            meter,
        }
    }

    pub(super) fn limits(&self) -> &GuestLimits {
        &self.filter.limits
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn memory(&self) -> Arc<MemoryBudget> {
        self.meter.memory()
    }

    pub(super) fn quota(&self) -> Quota {
        Quota::of(self.limits())
    }

    /// A guest is entered for this context.
    pub(super) fn enter(&mut self, own: &Here) {
        let used = own.usage(|usage| usage.host_calls).unwrap_or(0);
        self.calls_left = self.limits().host_calls.saturating_sub(used);
    }

    /// The guest has returned.
    pub(super) fn leave(&mut self, own: &Here, outcome: &Result<i32, Failure>) {
        if outcome.is_ok() {
            let used = self.limits().host_calls - self.calls_left;
            let _ = own.usage(|usage| usage.host_calls = used);
        }
        self.calls_left = self.limits().host_calls;
    }

    /// One more host call.
    pub(super) fn call(&mut self) -> Result<(), Stop> {
        match self.calls_left.checked_sub(1) {
            Some(left) => {
                self.calls_left = left;
                Ok(())
            }
            None => Err(Stop::Exhausted(self.limits().exceeded(Limit::HostCalls))),
        }
    }

    /// Counts a limit that makes a host function fail.
    pub(super) fn refuse(&self, limit: Limit) -> Status {
        self.meter
            .hit(self.limits().exceeded(limit), "the host function failed");
        Status::InternalFailure
    }

    pub(super) fn refused_memory(&self, exceeded: Exceeded) {
        self.meter.hit(exceeded, "the guest was not given memory");
    }
}

/// What one stage has used for one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    host_calls: u32,
    callouts: u32,
}

impl Here {
    /// What the request has used at this stage; `None`: no request, or a TCP connection, which may
    /// last for ever.
    fn usage<T>(&self, with: impl FnOnce(&mut Usage) -> T) -> Option<T> {
        let (stream, stage) = self.stream.as_ref()?;
        let mut stream = stream.borrow_mut();
        if stream.lanes.is_some() {
            return None;
        }
        stream
            .access
            .get_mut(*stage)
            .map(|access| with(&mut access.usage))
    }
}

impl LiveWorld {
    /// Whether a callout of any kind may begin. It counts from here on.
    pub(super) fn begin_callout(&self) -> Result<(), Status> {
        let limits = self.guard.limits();
        let in_flight = self
            .root()
            .map_or(0, |root| root.calls.len() + root.grpc.len());
        if in_flight >= limits.callouts as usize {
            return Err(self.guard.refuse(Limit::Callouts));
        }
        let begun = self.here.usage(|usage| {
            let may_begin = usage.callouts < limits.request_callouts;
            usage.callouts += u32::from(may_begin);
            may_begin
        });
        match begun {
            Some(false) => Err(self.guard.refuse(Limit::RequestCallouts)),
            Some(true) | None => Ok(()),
        }
    }

    /// Whether a line of the guest may be written. What is dropped is told within a second.
    pub(super) fn admits_line(&self, bytes: usize) -> bool {
        match self.guard.meter.admits_line(bytes, self.guard.limits()) {
            LineVerdict::Write => true,
            LineVerdict::Drop => false,
            LineVerdict::DropFirst => {
                tell_soon(&self.shared, &self.guard);
                false
            }
        }
    }
}

/// Lets the summary of dropped lines follow; at the end of the worker at once.
fn tell_soon(shared: &Shared, guard: &Guard) {
    let (meter, filter) = (Arc::clone(&guard.meter), Arc::clone(&guard.filter));
    let told = shared.spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        meter.tell_dropped_lines(&filter.limits);
    });
    if told.is_none() {
        guard.meter.tell_dropped_lines(guard.limits());
    }
}
