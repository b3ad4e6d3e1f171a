//! A run on a thread of its own, which stops where it is told to.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use weir_guest::debug::{Code, Effect, Go, Listener, Paused, Place, Why};

use crate::calls::Calls;
use crate::play::{Ended, Play};
use crate::stop::{Changes, Shadow, Stop};
use crate::world::HostLog;

/// Where a run stops next, if nothing else stops it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// At the next instruction.
    Instruction,
    /// Before the instruction of this number, whatever there is on the way.
    Number(u64),
    /// Where at most so many calls are open.
    Depth(usize),
    /// After the call of the host of this number, counted from 0.
    HostCall(usize),
    /// At its end.
    End,
}

/// What stops a run on its way.
#[derive(Clone, Debug, Default)]
pub struct Breaks {
    /// Offsets of instructions.
    pub at: BTreeSet<u32>,
    /// Bytes that are not to change.
    pub watched: Vec<Watch>,
    /// Whether each call of the host stops it.
    pub host_calls: bool,
}

/// Bytes of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Which memory.
    pub memory: u32,
    /// Where.
    pub range: Range<u64>,
}

/// What a run tells.
#[derive(Debug)]
pub enum Report {
    /// It stands still.
    Stopped(Box<Stop>),
    /// What was asked of its memory.
    Memory(Vec<u8>),
    /// It has ended, after so many instructions.
    Ended(Ended, u64),
}

enum Command {
    Go(Until, Breaks),
    Memory(u32, Range<u64>),
}

/// A run.
pub struct Run {
    to: Option<Sender<Command>>,
    from: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
    /// Set by somebody who wants it to stop at once.
    pub pause: Arc<AtomicBool>,
    /// What it asked of its host.
    pub log: HostLog,
}

impl Run {
    /// Begins a run, which goes to its first stop.
    #[must_use]
    pub fn start(play: &Arc<dyn Play>, code: &Arc<Code>, until: Until, breaks: Breaks) -> Self {
        let (to, commands) = channel();
        let (reports, from) = channel();
        let (pause, log) = (Arc::new(AtomicBool::new(false)), HostLog::default());
        let guide = Guide {
            commands,
            reports: reports.clone(),
            calls: Calls::new(Arc::clone(code)),
            log: log.clone(),
            pause: Arc::clone(&pause),
            until,
            breaks,
            number: 0,
            calls_told: 0,
            watched: Vec::new(),
            shadow: Shadow::default(),
            last: None,
        };
        let (play, noted) = (Arc::clone(play), log.clone());
        let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counter = Arc::clone(&counted);
        let thread = std::thread::Builder::new().name("weir-debugged".to_owned());
        let thread = thread.spawn(move || {
            let listener = Counted { guide, counter };
            let ended = play.play(Box::new(listener), &noted);
            // Nobody may be there to hear it.
            let _ = reports.send(Report::Ended(ended, counted.load(Ordering::Relaxed)));
        });
        Self {
            to: Some(to),
            from,
            thread: thread.ok(),
            pause,
            log,
        }
    }

    /// Waits for what it tells next.
    #[must_use]
    pub fn wait(&self) -> Report {
        let gone = || Report::Ended(Ended::Refused("its thread ended".to_owned()), 0);
        self.from.recv().unwrap_or_else(|_| gone())
    }

    /// The same, if there is something.
    #[must_use]
    pub fn poll(&self) -> Option<Report> {
        self.from.try_recv().ok()
    }

    /// Lets it go on from a stop.
    pub fn go(&self, until: Until, breaks: Breaks) {
        self.pause.store(false, Ordering::Relaxed);
        if let Some(to) = &self.to {
            let _ = to.send(Command::Go(until, breaks));
        }
    }

    /// Bytes of a memory, as far as they are there. Only while it stands still.
    #[must_use]
    pub fn memory(&self, memory: u32, range: Range<u64>) -> Vec<u8> {
        if let Some(to) = &self.to {
            let _ = to.send(Command::Memory(memory, range));
        }
        match self.from.recv() {
            Ok(Report::Memory(bytes)) => bytes,
            Ok(Report::Stopped(_) | Report::Ended(..)) | Err(_) => Vec::new(),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.to = None;
        self.pause.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Lets the thread know how far it came.
struct Counted {
    guide: Guide,
    counter: Arc<std::sync::atomic::AtomicU64>,
}

impl Listener for Counted {
    fn stopped(&mut self, machine: &mut dyn Paused) -> Go {
        let go = self.guide.stopped(machine);
        self.counter.store(self.guide.number, Ordering::Relaxed);
        go
    }
}

/// Decides at each instruction whether to stop.
struct Guide {
    commands: Receiver<Command>,
    reports: Sender<Report>,
    calls: Calls,
    log: HostLog,
    pause: Arc<AtomicBool>,
    until: Until,
    breaks: Breaks,
    /// Instructions so far.
    number: u64,
    /// Calls of the host that were told, at a stop.
    calls_told: usize,
    /// What the watched bytes were.
    watched: Vec<Vec<u8>>,
    shadow: Shadow,
    /// The last stop: its number and place.
    last: Option<(u64, Place)>,
}

impl Guide {
    fn stopped(&mut self, machine: &mut dyn Paused) -> Go {
        let number = self.number;
        let is_instruction = *machine.why() == Why::Instruction;
        if is_instruction {
            self.number += 1;
            self.calls.follow(machine);
        }
        if !self.is_due(machine, number) {
            return Go::On;
        }
        let changes = self.changes(machine, number);
        let mut stop = Stop::of(machine, number, changes);
        self.calls.settle(&mut stop.frames);
        stop.host_calls_before = self.calls_told;
        stop.host_calls = self.log.since(self.calls_told);
        self.calls_told += stop.host_calls.len();
        let place = self.calls.last().filter(|_| is_instruction);
        self.last = place.map(|place| (number, place));
        if self.reports.send(Report::Stopped(Box::new(stop))).is_err() {
            return Go::Quit;
        }
        self.obey(machine)
    }

    /// Does what it is told while the machine stands still.
    fn obey(&mut self, machine: &mut dyn Paused) -> Go {
        loop {
            match self.commands.recv() {
                Ok(Command::Go(until, breaks)) => {
                    (self.until, self.breaks) = (until, breaks);
                    self.watched = self.watch(machine);
                    return Go::On;
                }
                Ok(Command::Memory(index, range)) => {
                    let bytes = bytes(machine, index, &range).to_vec();
                    let _ = self.reports.send(Report::Memory(bytes));
                }
                Err(_) => return Go::Quit,
            }
        }
    }

    fn is_due(&mut self, machine: &mut dyn Paused, number: u64) -> bool {
        if self.pause.load(Ordering::Relaxed) {
            return true;
        }
        if let Until::Number(wanted) = self.until {
            if number + 1 == wanted {
                // What changes from here on is what the last instruction before the stop changes.
                self.shadow.take(machine);
                self.calls_told = self.log.len();
            }
            return number == wanted && *machine.why() == Why::Instruction;
        }
        if *machine.why() != Why::Instruction {
            return true;
        }
        let is_reached = match self.until {
            Until::Instruction => true,
            Until::Number(_) | Until::End => false,
            Until::Depth(depth) => machine.depth() <= depth,
            Until::HostCall(wanted) => self.log.len() > wanted,
        };
        is_reached || self.breaks_at(machine)
    }

    fn breaks_at(&mut self, machine: &mut dyn Paused) -> bool {
        if self.breaks.host_calls && self.log.len() > self.calls_told {
            return true;
        }
        if !self.breaks.at.is_empty()
            && machine
                .place()
                .is_some_and(|place| self.breaks.at.contains(&place.offset))
        {
            return true;
        }
        if self.breaks.watched.is_empty() {
            return false;
        }
        let now = self.watch(machine);
        std::mem::replace(&mut self.watched, now) != self.watched
    }

    fn watch(&self, machine: &mut dyn Paused) -> Vec<Vec<u8>> {
        let watched = self.breaks.watched.iter();
        watched
            .map(|watch| bytes(machine, watch.memory, &watch.range).to_vec())
            .collect()
    }

    /// What changed in memory since the last stop. If that was one instruction ago and it writes no
    /// memory, nothing is compared.
    fn changes(&mut self, machine: &mut dyn Paused, number: u64) -> Changes {
        if let Some((last, place)) = self.last
            && last + 1 == number
            && matches!(self.calls.effect(place), Effect::None | Effect::Steer)
        {
            return Changes::default();
        }
        self.shadow.compare(machine)
    }
}

/// As far as they are there.
fn bytes<'m>(machine: &'m mut dyn Paused, memory: u32, range: &Range<u64>) -> &'m [u8] {
    let bytes = machine.memory(memory).unwrap_or_default();
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let start = place(range.start);
    &bytes[start..place(range.end).max(start)]
}
