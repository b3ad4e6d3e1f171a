//! The events of a VM that may wait: one after the other, in the order in which they happened.
//!
//! A guest that waits is suspended with its event; what happens to its VM meanwhile stands in line
//! behind it. If nobody stands there and the guest does not wait, an event is delivered at once, as to
//! any other VM. Invariant: of one VM, at most one event is being delivered, and `begin` and `end` of
//! all events run in their order, whatever becomes of the VM.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use weir_guest::{Event, Failure};
use weir_model::limits;

use super::{Failed, Slot};
use crate::plugin::guest::{GuestVm, WaitingGuest};
use crate::stream::StreamRef;
use crate::world::SharedWorld;

/// Events that wait for one VM.
#[derive(Default)]
pub(super) struct Line {
    queue: RefCell<VecDeque<Job>>,
    /// An event is being delivered.
    is_busy: Cell<bool>,
}

/// One event.
struct Job {
    limit: Duration,
    begin: Begin,
    end: End,
}

/// Makes the event just before it is delivered; `None`: there is nothing to deliver any more.
type Begin = Box<dyn FnOnce(&Slot) -> Option<Event>>;
/// Deals with what came of it.
type End = Box<dyn FnOnce(&Slot, Result<i32, Failed>)>;

/// A guest and what comes of its event.
type Back = (WaitingGuest, Result<i32, Failure>);
/// The guest has the VM until it has returned.
type Delivery = Pin<Box<dyn Future<Output = Back>>>;

/// An event whose guest waits.
struct Away {
    delivery: Delivery,
    world: SharedWorld,
    event: Event,
    end: End,
}

/// What came of an event.
pub(crate) enum Shown {
    /// It is over, and took so long.
    Now(Result<i32, Failed>, Duration),
    /// It will be over later; the stream is woken.
    Later(Ticket),
    /// Too many events wait for the VM.
    Refused,
}

/// Stands for an event that was not delivered at once. As a future, it waits for its end.
#[derive(Clone)]
pub(crate) struct Ticket(Rc<Entry>);

struct Entry {
    state: Cell<State>,
    waker: Cell<Option<Waker>>,
}

#[derive(Clone, Copy)]
enum State {
    InLine,
    /// Nobody wants it any more.
    Cancelled,
    /// The guest has been told.
    Begun(Instant),
    Over(Result<i32, Failed>, Duration),
}

impl Ticket {
    fn new() -> Self {
        Self(Rc::new(Entry {
            state: Cell::new(State::InLine),
            waker: Cell::new(None),
        }))
    }

    /// The event is about to be delivered, if anybody wants it.
    fn begin(&self) -> bool {
        match self.0.state.get() {
            State::InLine => {
                self.0.state.set(State::Begun(Instant::now()));
                true
            }
            State::Cancelled | State::Begun(_) | State::Over(..) => false,
        }
    }

    fn end(&self, outcome: Result<i32, Failed>) {
        let took = match self.0.state.get() {
            State::Begun(at) => at.elapsed(),
            State::InLine | State::Cancelled | State::Over(..) => Duration::ZERO,
        };
        self.0.state.set(State::Over(outcome, took));
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    /// Does without the event, if the guest has not been told of it.
    pub(crate) fn cancel(&self) {
        if matches!(self.0.state.get(), State::InLine) {
            self.0.state.set(State::Cancelled);
        }
    }

    /// Whether the guest is told of it, or has been.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(self.0.state.get(), State::Begun(_) | State::Over(..))
    }

    /// What came of it, and how long the guest took.
    pub(crate) fn outcome(&self) -> Option<(Result<i32, Failed>, Duration)> {
        match self.0.state.get() {
            State::Over(outcome, took) => Some((outcome, took)),
            State::InLine | State::Cancelled | State::Begun(_) => None,
        }
    }
}

impl Future for Ticket {
    type Output = Result<i32, Failed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some((outcome, _)) = self.outcome() {
            return Poll::Ready(outcome);
        }
        self.0.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

/// What was told to a guest, for whoever needs to know when it is over.
pub(crate) struct Told(Option<Ticket>);

impl Told {
    /// What there is still to wait for.
    pub(crate) fn pending(self) -> Option<Ticket> {
        self.0.filter(|ticket| ticket.outcome().is_none())
    }

    /// Waits for the end.
    pub(crate) async fn over(self) {
        if let Some(ticket) = self.0 {
            // What came of it was dealt with.
            let _ = ticket.await;
        }
    }
}

impl Line {
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.get()
    }

    /// Whether an event may be put into the line that can be refused.
    pub(super) fn has_room(&self) -> bool {
        self.queue.borrow().len() < limits::WAITING_EVENTS_MAX
    }

    fn next(&self) -> Option<Job> {
        self.queue.borrow_mut().pop_front()
    }
}

impl Slot {
    /// Tells the guest of an event: now, or, if it may wait, after all that came before. `begin` makes
    /// the event and sees to it that the guest finds what it is about; `end` learns what came of it.
    pub(in crate::plugin) fn tell(
        &self,
        limit: Duration,
        begin: impl FnOnce(&Self) -> Option<Event> + 'static,
        end: impl FnOnce(&Self, Result<i32, Failed>) + 'static,
    ) -> Told {
        let Some(line) = &self.line else {
            let event = begin(self);
            let outcome = event.map_or(Err(Failed), |event| self.deliver(&event, limit));
            end(self, outcome);
            return Told(None);
        };
        let ticket = Ticket::new();
        let (mine, yours) = (ticket.clone(), ticket.clone());
        line.queue.borrow_mut().push_back(Job {
            limit,
            begin: Box::new(move |slot| begin(slot).filter(|_| mine.begin())),
            end: Box::new(move |slot, outcome| {
                end(slot, outcome);
                yours.end(outcome);
            }),
        });
        self.go_on(line);
        Told(Some(ticket))
    }

    /// Shows a part of a stream to the guest.
    pub(crate) fn show(
        &self,
        stream: &StreamRef,
        limit: Duration,
        begin: impl FnOnce(&Self, &StreamRef) -> Event + 'static,
    ) -> Shown {
        let Some(line) = &self.line else {
            let event = begin(self, stream);
            let begun = Instant::now();
            let outcome = self.deliver(&event, limit);
            return Shown::Now(outcome, begun.elapsed());
        };
        if !line.has_room() {
            return Shown::Refused;
        }
        let (shown, woken) = (Rc::clone(stream), Rc::clone(stream));
        let ticket = Ticket::new();
        let (mine, yours) = (ticket.clone(), ticket.clone());
        line.queue.borrow_mut().push_back(Job {
            limit,
            begin: Box::new(move |slot| mine.begin().then(|| begin(slot, &shown))),
            end: Box::new(move |_, outcome| {
                yours.end(outcome);
                woken.borrow_mut().wake();
            }),
        });
        self.go_on(line);
        match ticket.outcome() {
            Some((outcome, took)) => Shown::Now(outcome, took),
            None => Shown::Later(ticket),
        }
    }

    /// Whether its guest may have to wait.
    pub(in crate::plugin) fn may_wait(&self) -> bool {
        self.line.is_some()
    }

    /// Whether an event is being delivered to a guest that waits.
    pub(in crate::plugin) fn is_busy(&self) -> bool {
        self.line.as_ref().is_some_and(Line::is_busy)
    }

    /// Whether an event would be refused.
    pub(super) fn is_line_full(&self) -> bool {
        self.line.as_ref().is_some_and(|line| !line.has_room())
    }

    /// Delivers what stands in line, unless that goes on already.
    fn go_on(&self, line: &Line) {
        if line.is_busy.replace(true) {
            return;
        }
        if let Some(away) = self.run_line(line) {
            self.follow(away);
        }
    }

    /// Delivers one event after the other until a guest waits, or none is left.
    fn run_line(&self, line: &Line) -> Option<Away> {
        while let Some(job) = line.next() {
            let Job { limit, begin, end } = job;
            let event = begin(self);
            let sent = event.and_then(|event| Some((event, self.send_off(event, limit)?)));
            let Some((event, (mut delivery, world))) = sent else {
                end(self, Err(Failed));
                continue;
            };
            let mut context = Context::from_waker(Waker::noop());
            match delivery.as_mut().poll(&mut context) {
                Poll::Ready(back) => self.came_back(back, &world, (&event, end)),
                Poll::Pending => {
                    return Some(Away {
                        delivery,
                        world,
                        event,
                        end,
                    });
                }
            }
        }
        line.is_busy.set(false);
        self.rested();
        None
    }

    /// Begins the delivery of an event; `None`: there is no VM.
    fn send_off(&self, event: Event, limit: Duration) -> Option<(Delivery, SharedWorld)> {
        let taken = self.with_guest(|guest| match &mut guest.vm {
            GuestVm::Waiting(waiting) => waiting.take(),
            GuestVm::Here(_)
            | GuestVm::Recorded(_)
            | GuestVm::Apart(_)
            | GuestVm::RecordedApart(_) => None,
        });
        let (mut vm, world) = taken.flatten()?;
        let delivery: Delivery = Box::pin(async move {
            let outcome = vm.deliver(&event, limit).await;
            (vm, outcome)
        });
        Some((delivery, world))
    }

    /// Waits for a guest, then goes on with those that stand behind it.
    fn follow(&self, away: Away) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let waits = self.shared.spawn(async move {
            let mut away = Some(away);
            while let (Some(waits), Some(line)) = (away, &this.line) {
                let Away {
                    mut delivery,
                    world,
                    event,
                    end,
                } = waits;
                let back = poll_fn(|context| delivery.as_mut().poll(context)).await;
                this.came_back(back, &world, (&event, end));
                away = this.run_line(line);
            }
        });
        if waits.is_none() {
            // The worker ends: nobody will hear an answer.
            self.give_up_waiting();
        }
    }

    /// A guest has returned.
    fn came_back(&self, (vm, outcome): Back, world: &SharedWorld, (event, end): (&Event, End)) {
        let memory = self.with_guest(|guest| {
            if let GuestVm::Waiting(waiting) = &mut guest.vm {
                waiting.put_back(vm, world);
            }
            guest.vm.memory_bytes()
        });
        let outcome = match memory {
            Some(memory) => self.conclude(outcome, memory, event),
            // It was ended meanwhile.
            None => Err(Failed),
        };
        end(self, outcome);
    }

    /// Tells all that stand in line that there is no VM any more.
    pub(super) fn dismiss_line(&self) {
        let Some(line) = &self.line else { return };
        let jobs = line.queue.take();
        for job in jobs {
            (job.end)(self, Err(Failed));
        }
    }

    fn give_up_waiting(&self) {
        self.abandon_vm();
        if let Some(line) = &self.line {
            line.is_busy.set(false);
        }
    }

    /// Nothing stands in line.
    fn rested(&self) {
        self.end_if_retired();
        self.leave_copy();
    }
}
