//! Guests of one thread that compute take turns.
//!
//! Invariant: between the turns of two guests the thread looks for whatever else there is to do, new
//! requests among it. So an ordinary exchange waits for one turn at most, however many guests compute.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll, Waker};

thread_local! {
    static ROTATION: RefCell<Rotation> = const { RefCell::new(Rotation::new()) };
}

/// The guests of a thread that wait for their next turn, in the order in which they had the last.
struct Rotation {
    waiting: VecDeque<Waiting>,
    /// Whether one of them has its turn now.
    is_taken: bool,
    next: u64,
}

struct Waiting {
    number: u64,
    /// `None`: it has not been asked yet.
    waker: Option<Waker>,
}

impl Rotation {
    const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            is_taken: false,
            next: 0,
        }
    }

    fn enter(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.waiting.push_back(Waiting {
            number: self.next,
            waker: None,
        });
        self.next
    }

    /// Ready when it is the first of those that wait, and nobody has a turn.
    fn poll_first(&mut self, number: u64, context: &Context<'_>) -> Poll<()> {
        let is_first = self.waiting.front().map(|first| first.number) == Some(number);
        if is_first && !self.is_taken {
            return Poll::Ready(());
        }
        let place = self.waiting.iter_mut().find(|one| one.number == number);
        if let Some(place) = place {
            place.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Whose turn is next.
    fn next(&self) -> Option<Waker> {
        self.waiting.front()?.waker.clone()
    }
}

/// Whether guests of this thread wait for a turn.
pub(crate) fn is_contended() -> bool {
    ROTATION.with_borrow(|rotation| !rotation.waiting.is_empty())
}

/// Ready when it is the turn of the guest that waits, and the thread has looked for other work.
pub(crate) fn turn() -> impl Future<Output = ()> + Send {
    let place = Place(ROTATION.with_borrow_mut(Rotation::enter));
    async move {
        // All of it, not only its number.
        let place = place;
        let number = place.0;
        poll_fn(|context| {
            ROTATION.with_borrow_mut(|rotation| rotation.poll_first(number, context))
        })
        .await;
        // The runtime wakes who waits here after it has asked the system for what is ready.
        tokio::task::yield_now().await;
        ROTATION.with_borrow_mut(|rotation| rotation.is_taken = true);
        drop(place);
    }
}

/// A place among those that wait, until this is dropped.
struct Place(u64);

impl Drop for Place {
    fn drop(&mut self) {
        let next = ROTATION.with_borrow_mut(|rotation| {
            let was_first = rotation.waiting.front().map(|first| first.number) == Some(self.0);
            rotation.waiting.retain(|one| one.number != self.0);
            let is_free = was_first && !rotation.is_taken;
            is_free.then(|| rotation.next()).flatten()
        });
        if let Some(next) = next {
            next.wake();
        }
    }
}

/// Around each time that a guest runs: its turn ends with this, if it had one.
pub(crate) struct TurnEnd;

impl Drop for TurnEnd {
    fn drop(&mut self) {
        let next = ROTATION.with_borrow_mut(|rotation| {
            let had_one = std::mem::take(&mut rotation.is_taken);
            had_one.then(|| rotation.next()).flatten()
        });
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use tokio::task::{JoinHandle, LocalSet, spawn_local, yield_now};

    use super::*;

    /// Has so many turns, as a guest that computes; each is told.
    fn computing(turns: usize, told: &Rc<Cell<Vec<usize>>>, name: usize) -> JoinHandle<()> {
        let told = Rc::clone(told);
        let mut turns_left = turns;
        let mut waits = None;
        let polled = poll_fn(move |context| {
            let _end = TurnEnd;
            loop {
                let wait = waits.get_or_insert_with(|| Box::pin(turn()));
                if wait.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                waits = None;
                let mut names = told.take();
                names.push(name);
                told.set(names);
                turns_left -= 1;
                if turns_left == 0 {
                    return Poll::Ready(());
                }
            }
        });
        spawn_local(polled)
    }

    fn on_thread<F: Future>(work: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        LocalSet::new().block_on(&runtime.expect("a runtime"), work)
    }

    #[test]
    fn guests_take_turns_and_nobody_is_left_behind() {
        let told = Rc::default();
        on_thread(async {
            let guests = [1, 2, 3].map(|name| computing(3, &told, name));
            for guest in guests {
                guest.await.expect("it ends");
            }
        });
        assert_eq!(told.take(), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
        assert!(!is_contended());
    }

    #[test]
    fn who_is_dropped_lets_the_next_one_go_on() {
        let told = Rc::default();
        on_thread(async {
            let [first, second, third] = [1, 2, 3].map(|name| computing(2, &told, name));
            yield_now().await;
            first.abort();
            third.abort();
            second.await.expect("it ends");
        });
        assert!(told.take().ends_with(&[2]));
        assert!(!is_contended());
    }
}
