//! What becomes of a VM that fails: whom it takes along, and when another takes its place.

use std::cell::Cell;
use std::rc::Weak;
use std::time::{Duration, Instant};

use weir_capsule::{Taken, Tape};
use weir_guest::apart::PluginProcess;
use weir_guest::{Cause, Event, Failure, FailureKind, StartError};
use weir_model::{OnFailure, limits, one_line};

use super::Slot;
use crate::plugin::breaker::Permit;
use crate::plugin::copies::{Copies, CopyOf};
use crate::plugin::lines::FailureLine;
use crate::plugin::quarantine::Pattern;
use crate::plugin::reports::{FailureReport, Notice};
use crate::plugin::stats::Birth;
use crate::plugin::{PluginError, Remark, exceeded_by};
use crate::stream::{Order, StreamRef};

/// What a slot knows about its next VM.
#[derive(Default)]
pub(super) struct Fate {
    /// No stream has ended as it should since the VM took a failed one's place.
    is_on_trial: Cell<bool>,
    /// A task will start a VM if nobody does before.
    is_awaited: Cell<bool>,
}

/// What came of trying to replace a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Started,
    /// It starts on another thread.
    Begun,
    /// Not before so long.
    Wait(Duration),
}

/// Whether there is a VM in the place of a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    Yes,
    /// One starts.
    Soon,
    No,
}

/// Who ran when a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    Own,
    Others,
}

/// What was in a VM that is gone.
struct Lost {
    streams: Vec<(StreamRef, usize)>,
    /// Whether it did something that lasts.
    has_acted: bool,
    /// What was recorded of it.
    taken: Option<Taken>,
}

impl Slot {
    /// The VM failed: it is gone, and every stream that had a context in it is told.
    pub(super) fn failed(&self, failure: &Failure, event: &Event) {
        let pattern = self.with_guest(|guest| guest.vm.world().pattern_of(event.context()));
        let (callback, pattern) = (event.callback(), pattern.flatten());
        let origin = self.copy_of().and_then(CopyOf::origin);
        let (blame, told) = match &failure.cause {
            Cause::Process(_) => (Blame::Own, (callback, pattern)),
            Cause::Lost(_) => (Blame::Others, ("(none)", None)),
            _ => return self.broke(failure, callback, pattern),
        };
        let process = self.process();
        match origin {
            Some(origin) => {
                self.go_down(blame);
                origin.lost_process(process.as_ref(), failure, told);
            }
            None => self.lost_process(process.as_ref(), failure, told),
        }
    }

    /// A process is gone in which copies of this VM were, and this VM, too, unless it was started
    /// again since.
    fn lost_process(
        &self,
        process: Option<&PluginProcess>,
        failure: &Failure,
        (callback, pattern): (&'static str, Option<Pattern>),
    ) {
        let own = self.process();
        let is_own = match (&own, process) {
            (Some(own), Some(process)) => own.is_same(process),
            (None, _) | (_, None) => true,
        };
        if is_own {
            self.broke(failure, callback, pattern);
            self.copies().inspect(|copies| copies.forget_images());
        }
        let everyone = self.copies().map(Copies::everyone).unwrap_or_default();
        for copy in everyone {
            let is_in_it =
                |process: &PluginProcess| copy.process().is_none_or(|own| own.is_same(process));
            if process.is_none_or(is_in_it) {
                copy.go_down(Blame::Others);
            }
        }
    }

    /// A process has ended, and nobody in it ran then.
    pub(in crate::plugin) fn process_ended(&self, process: &PluginProcess) {
        self.lost_process(Some(process), &process.note_end(), ("(none)", None));
    }

    fn process(&self) -> Option<PluginProcess> {
        self.with_guest(|guest| guest.vm.process()).flatten()
    }

    /// The process is gone in which this VM was. That was counted for the VM that it was started
    /// for.
    fn go_down(&self, blame: Blame) {
        let Some(lost) = self.lose_vm() else {
            return;
        };
        if blame == Blame::Others && !lost.has_acted {
            tell(lost.streams, |stage| Order::Lost { stage });
        } else {
            self.tell_failed(lost.streams);
        }
        self.leave_copy();
    }

    /// Ends the life of a failed VM.
    fn lose_vm(&self) -> Option<Lost> {
        let mut guest = self.vm.borrow_mut().take()?;
        self.note_memory(0);
        self.stats.ended();
        self.life.set(self.life.get() + 1);
        let streams = guest.vm.world().streams();
        let taken = guest.vm.with_tape(Tape::take);
        self.captures.take();
        self.dismiss_line();
        Some(Lost {
            taken,
            has_acted: guest.vm.has_acted(),
            streams,
        })
    }

    /// A VM is given up whose guest waits for something that will not come any more.
    pub(super) fn abandon_vm(&self) {
        if let Some(lost) = self.lose_vm() {
            self.tell_failed(lost.streams);
        }
    }

    fn tell_failed(&self, streams: Vec<(StreamRef, usize)>) {
        if self.filter.on_failure == OnFailure::Open {
            self.stats.bypassed(streams.len() as u64);
        }
        tell(streams, |stage| Order::Failed { stage });
    }

    /// A stream has lost its VM and cannot begin again.
    pub(crate) fn note_lost_stream(&self) {
        if self.filter.on_failure == OnFailure::Open {
            self.stats.bypassed(1);
        }
    }

    /// A stream has lost its VM and begins again in another.
    pub(crate) fn note_restart(&self) {
        self.stats.restarted();
    }

    /// The VM is of no use any more, whatever happened to it.
    pub(in crate::plugin) fn broke(
        &self,
        failure: &Failure,
        callback: &'static str,
        pattern: Option<Pattern>,
    ) {
        let Some(Lost { streams, taken, .. }) = self.lose_vm() else {
            return;
        };
        let mut report = FailureReport::new(failure.kind(), failure, callback);
        if let Some(limit) = exceeded_by(failure, &self.filter.limits) {
            self.meter.count(limit);
            if failure.kind() == FailureKind::Deadline {
                report.reason = format!("{} ({limit})", report.reason);
            }
        }
        self.take_down(report, streams.len(), taken);
        if let (Some(quarantine), Some(pattern)) = (&self.stats.quarantine, pattern)
            && quarantine.blame(pattern, Instant::now())
        {
            self.meter.remark(Remark::Quarantine, |filter, untold| {
                tracing::warn!(
                    filter,
                    untold,
                    "requests like the last one have made the plugin fail: they are kept from it"
                );
            });
        }
        self.tell_failed(streams);
        self.restart_later();
        self.leave_copy();
    }

    /// Counts a failure, and logs it if it is new.
    fn take_down(&self, mut report: FailureReport, streams: usize, taken: Option<Taken>) {
        let now = Instant::now();
        self.stats.failed(report.kind);
        // A copy costs nobody else anything.
        let is_copy = self.copy_of().is_some();
        let failures = (!is_copy).then(|| self.stats.breaker.failed(now));
        let notice = self.stats.reports.take(&mut report, now);
        if notice != Notice::Nothing {
            self.capture_failure(taken, report.kind, &report.reason);
        }
        match notice {
            Notice::InFull => {
                let line = FailureLine {
                    filter: self.filter.name.clone(),
                    report,
                    streams,
                    failures,
                };
                self.stats.lines.log(line, &self.stats);
            }
            Notice::Summary(failures) => tracing::error!(
                filter = &*self.filter.name,
                failures,
                "the plugin goes on failing, last with: {}",
                one_line(&report.text())
            ),
            Notice::Nothing => {}
        }
    }

    /// A new VM for a failed one, if the policy and the breaker allow it now.
    pub(super) fn replace(&self) -> Replaced {
        if !self.filter.recovers() {
            return Replaced::No;
        }
        match self.attempt() {
            Attempt::Started => Replaced::Yes,
            Attempt::Begun => Replaced::Soon,
            Attempt::Wait(_) => Replaced::No,
        }
    }

    fn attempt(&self) -> Attempt {
        if self.is_starting() {
            return Attempt::Begun;
        }
        let delay = match self.stats.breaker.permit(Instant::now()) {
            Permit::No(wait) => return Attempt::Wait(wait),
            Permit::After(wait) if wait > limits::START_SPACING_WAIT_MAX => {
                return Attempt::Wait(wait);
            }
            Permit::After(wait) => wait,
            Permit::Yes | Permit::OnTrial => Duration::ZERO,
        };
        if self.can_start_aside() {
            return self.start_aside(delay);
        }
        if !delay.is_zero() {
            return Attempt::Wait(delay);
        }
        let began = Instant::now();
        match self.start_at_once(Birth::Replacement) {
            Ok(()) => {
                self.begin_trial(began.elapsed());
                Attempt::Started
            }
            Err(error) => {
                self.start_failed(&error);
                Attempt::Wait(Duration::ZERO)
            }
        }
    }

    /// There is a VM in the place of a failed one, whose start took this long.
    pub(super) fn begin_trial(&self, cost: Duration) {
        self.stats.breaker.started(cost);
        self.fate.is_on_trial.set(true);
        tracing::debug!(filter = %self.filter.name, "the plugin runs in a new VM");
    }

    pub(super) fn start_failed(&self, error: &PluginError) {
        self.take_down(report_of(error), 0, None);
    }

    /// A stream has ended as it should.
    pub(super) fn end_trial(&self) {
        if self.fate.is_on_trial.get() {
            self.fate.is_on_trial.set(false);
            self.stats.breaker.succeeded();
        }
    }

    /// Sees to it that there is a VM again, even if no stream asks for one: timers and queues are
    /// to go on.
    fn restart_later(&self) {
        if !self.filter.recovers() || self.rebuild.is_replaced() || self.copy_of().is_some() {
            return;
        }
        if self.fate.is_awaited.replace(true) {
            return;
        }
        let this = Weak::clone(&self.this);
        self.shared.spawn(async move {
            let mut wait = limits::RESTART_DELAY;
            loop {
                tokio::time::sleep(wait).await;
                let Some(slot) = this.upgrade() else { return };
                let is_needed = slot.vm.borrow().is_none() && !slot.rebuild.is_replaced();
                let attempt = if is_needed {
                    slot.attempt()
                } else {
                    Attempt::Started
                };
                wait = match attempt {
                    Attempt::Started => {
                        slot.fate.is_awaited.set(false);
                        return;
                    }
                    // It may fail.
                    Attempt::Begun => limits::RESTART_DELAY,
                    Attempt::Wait(more) => more.max(limits::RESTART_DELAY),
                };
            }
        });
    }
}

impl Slot {
    /// No copy can be made: the process is gone.
    pub(in crate::plugin) fn lost_image(&self, why: &str) {
        let failure = Cause::Lost(why.to_owned()).into();
        self.lost_process(None, &failure, ("(none)", None));
    }

    /// There is no copy for a stream, though there might be one.
    pub(in crate::plugin) fn report_no_copy(&self, error: &StartError) {
        let report = FailureReport::bare(FailureKind::Start, error.to_string(), "copy");
        self.take_down(report, 0, None);
    }
}

/// A start that failed, for operators.
fn report_of(error: &PluginError) -> FailureReport {
    let callback = match error {
        PluginError::Start {
            error: StartError::Start { export, failure },
            ..
        } => return FailureReport::new(FailureKind::Start, failure, export),
        PluginError::Callback {
            callback, failure, ..
        } => return FailureReport::new(FailureKind::Start, failure, callback),
        PluginError::Refused { callback, .. } => callback,
        PluginError::Start { .. }
        | PluginError::Unknown(_)
        | PluginError::SharedData { .. }
        | PluginError::NoSnapshot { .. } => "start",
    };
    FailureReport::bare(FailureKind::Start, error.to_string(), callback)
}

fn tell(streams: Vec<(StreamRef, usize)>, order: impl Fn(usize) -> Order) {
    for (stream, stage) in streams {
        stream.borrow_mut().order(order(stage));
    }
}
