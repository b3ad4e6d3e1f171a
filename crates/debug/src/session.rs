//! Forwards and backwards in a run.
//!
//! Backwards means: from the beginning again, up to the instruction before. A run does the same each
//! time, so that is where one was.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use weir_guest::debug::{Code, Effect, Why};

use crate::play::{Ended, Play};
use crate::run::{Breaks, Report, Run, Until};
use crate::stop::Stop;
use crate::world::HostCall;

/// Where a session is.
#[derive(Clone, Debug)]
pub enum Now {
    /// The machine stands still.
    Stopped(Arc<Stop>),
    /// It runs.
    Running,
    /// It has run to its end, after so many instructions.
    Ended(Ended, u64),
}

/// A run that somebody looks at.
pub struct Session {
    play: Arc<dyn Play>,
    code: Arc<Code>,
    run: Run,
    now: Now,
    /// What stops it on its way.
    pub breaks: Breaks,
}

impl Session {
    /// Begins a run. It is about to stop at its first instruction.
    #[must_use]
    pub fn new(play: Arc<dyn Play>, code: Arc<Code>) -> Self {
        let run = Run::start(&play, &code, Until::Instruction, Breaks::default());
        Self {
            play,
            code,
            run,
            now: Now::Running,
            breaks: Breaks::default(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn now(&self) -> &Now {
        &self.now
    }

    /// Where it stands still.
    #[must_use]
    pub fn stop(&self) -> Option<&Arc<Stop>> {
        match &self.now {
            Now::Stopped(stop) => Some(stop),
            Now::Running | Now::Ended(..) => None,
        }
    }

    /// Waits until it runs no more.
    pub fn wait(&mut self) -> &Now {
        if matches!(self.now, Now::Running) {
            let report = self.run.wait();
            self.take(report);
        }
        &self.now
    }

    /// Notes where it is, without waiting.
    pub fn poll(&mut self) -> &Now {
        if matches!(self.now, Now::Running)
            && let Some(report) = self.run.poll()
        {
            self.take(report);
        }
        &self.now
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Stopped(mut stop) => {
                self.restore_operands(&mut stop);
                self.now = Now::Stopped(Arc::from(stop));
            }
            Report::Ended(ended, instructions) => self.now = Now::Ended(ended, instructions),
            Report::Memory(_) => {}
        }
    }

    /// Where an instruction has failed, its operands are gone: they are looked up in a run that stops
    /// before it.
    fn restore_operands(&self, stop: &mut Stop) {
        let (Some(frame), Some(number)) = (stop.frames.first_mut(), stop.number.checked_sub(1))
        else {
            return;
        };
        if stop.why == Why::Instruction {
            return;
        }
        let run = Run::start(
            &self.play,
            &self.code,
            Until::Number(number),
            Breaks::default(),
        );
        if let Report::Stopped(before) = run.wait()
            && let Some(was) = before.frames.first()
            && was.place == frame.place
        {
            *frame = was.clone();
        }
    }

    /// Goes on until something.
    pub fn go(&mut self, until: Until) {
        if matches!(self.now, Now::Stopped(_)) {
            self.run.go(until, self.breaks.clone());
            self.now = Now::Running;
        }
    }

    /// One instruction; what it calls is gone into.
    pub fn step(&mut self) {
        self.go(Until::Instruction);
    }

    /// One instruction, with all that it calls.
    pub fn over(&mut self) {
        let Some(stop) = self.stop() else {
            return;
        };
        let place = stop.frames.first().map(|frame| frame.place);
        let instruction = place.and_then(|place| {
            let listing = self.code.listing(place.function).ok()?;
            let at = listing.at(place.offset)?;
            listing
                .instructions
                .get(at)
                .map(|instruction| instruction.effect)
        });
        let depth = stop.depth;
        match instruction {
            Some(Effect::Call { .. }) => self.go(Until::Depth(depth)),
            Some(Effect::None | Effect::Memory | Effect::Steer) | None => {
                self.go(Until::Instruction);
            }
        }
    }

    /// To where the innermost call has returned.
    pub fn out(&mut self) {
        if let Some(stop) = self.stop() {
            let depth = stop.depth.saturating_sub(1);
            self.go(Until::Depth(depth));
        }
    }

    /// To the instruction before this one. At the first, nothing happens.
    pub fn back(&mut self) {
        let number = match &self.now {
            Now::Stopped(stop) => stop.number,
            Now::Ended(_, instructions) => *instructions,
            Now::Running => return,
        };
        if let Some(before) = number.checked_sub(1) {
            self.jump(before);
        }
    }

    /// To the instruction of this number, in whatever direction it lies.
    pub fn jump(&mut self, number: u64) {
        if self.stop().is_some_and(|stop| stop.number < number) {
            self.run.go(Until::Number(number), self.breaks.clone());
        } else {
            self.run = Run::start(
                &self.play,
                &self.code,
                Until::Number(number),
                self.breaks.clone(),
            );
        }
        self.now = Now::Running;
    }

    /// Stops it where it is.
    pub fn pause(&self) {
        self.run.pause.store(true, Ordering::Relaxed);
    }

    /// Bytes of a memory, as far as they are there; none while it runs.
    #[must_use]
    pub fn memory(&self, memory: u32, range: Range<u64>) -> Vec<u8> {
        match self.now {
            Now::Stopped(_) => self.run.memory(memory, range),
            Now::Running | Now::Ended(..) => Vec::new(),
        }
    }

    /// All calls of the host so far.
    #[must_use]
    pub fn host_calls(&self) -> Vec<HostCall> {
        self.run.log.since(0)
    }
}
