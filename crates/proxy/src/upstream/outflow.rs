//! The body of a request on its way to an upstream.
//!
//! The exchange pushes frames, hyper's connection reads them. Frames that were read are kept while
//! the whole body is small, so that another try can read it from the start. Invariant: at most
//! `REPLAY_BODY_BYTES` of read frames are held, and the producer is told to pause while
//! `STREAM_WINDOW_BYTES` wait to be read.

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use weir_model::limits::{REPLAY_BODY_BYTES, STREAM_WINDOW_BYTES};

/// The producer's end of a request body. Clones are the same body.
#[derive(Clone, Debug)]
pub(crate) struct BodySender(Option<Rc<Flow>>);

/// The end that an upstream connection reads, from the first byte on. A later reader of the same
/// body cuts an earlier one off.
#[derive(Debug)]
pub(crate) struct BodyReader(Option<Position>);

/// The request was given up before its body had ended; the connection, or on a shared one the
/// request, must be reset.
#[derive(Debug, thiserror::Error)]
#[error("the request was given up before the end of its body")]
pub(crate) struct BodyAborted(#[source] h2::Error);

impl Default for BodyAborted {
    /// What HTTP/2 is to say: the other side did nothing wrong.
    fn default() -> Self {
        Self(h2::Reason::CANCEL.into())
    }
}

/// Dropping it cuts a reader off that has not read everything: whoever polls it is woken, and gets
/// an error.
#[derive(Debug)]
pub(super) struct Cut(Position);

#[derive(Debug)]
pub(super) struct Position {
    flow: Rc<Flow>,
    reader: u32,
}

#[derive(Debug)]
struct Flow {
    length: Option<u64>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Frames read and kept (the first `read` ones), then frames to be read.
    frames: VecDeque<Bytes>,
    read: usize,
    /// Bytes not yet read by the present reader.
    pending: usize,
    /// Bytes pushed so far.
    total: u64,
    trailers: Option<HeaderMap>,
    end: End,
    keep: Keep,
    /// Number of the present reader; 0: none yet.
    reader: u32,
    wants_frame: Option<Waker>,
    wants_capacity: Option<Waker>,
    wants_end: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Finished,
    /// Finished, and the present reader has taken the trailers or the end.
    Delivered,
    Aborted,
    /// The upstream wants no more of it.
    Unwanted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Keep {
    /// Nothing was given up; another reader may come.
    #[default]
    All,
    /// Nothing was given up yet, but no other reader will come.
    Settled,
    /// Frames are given up as they are read.
    Lost,
}

impl BodySender {
    /// A request without a body.
    pub(crate) const fn empty() -> Self {
        Self(None)
    }

    /// A whole body.
    pub(crate) fn full(body: Bytes) -> Self {
        if body.is_empty() {
            return Self::empty();
        }
        let sender = Self::streaming(Some(body.len() as u64));
        sender.push(body);
        sender.finish();
        sender
    }

    /// A body that comes in frames; `length`: its bytes, where the request says so.
    pub(crate) fn streaming(length: Option<u64>) -> Self {
        Self(Some(Rc::new(Flow {
            length,
            state: RefCell::default(),
        })))
    }

    /// Adds bytes to the end. Bytes that the upstream does not want any more are let go.
    pub(crate) fn push(&self, frame: Bytes) {
        let Some(mut state) = self.state() else {
            debug_assert!(
                frame.is_empty(),
                "a request without body got {} bytes",
                frame.len()
            );
            return;
        };
        if frame.is_empty() || state.end != End::Open {
            return;
        }
        state.total += frame.len() as u64;
        state.pending += frame.len();
        state.frames.push_back(frame);
        if state.read > 0 && !state.fits_replay() {
            state.give_up();
        }
        let waker = state.wants_frame.take();
        drop(state);
        wake(waker);
    }

    /// Bytes that wait to be read.
    pub(crate) fn unread(&self) -> usize {
        self.state().map_or(0, |state| state.pending)
    }

    /// Ends the body with trailers.
    pub(crate) fn trailers(&self, trailers: HeaderMap) {
        if let Some(mut state) = self.state()
            && !trailers.is_empty()
        {
            state.trailers = Some(trailers);
        }
        self.finish();
    }

    /// Ends the body.
    pub(crate) fn finish(&self) {
        self.end(End::Finished);
    }

    /// Gives the request up: whoever reads the body must reset the upstream connection.
    pub(crate) fn abort(&self) {
        self.end(End::Aborted);
    }

    /// Ready while less than a window of bytes waits to be read, and when no more are wanted.
    pub(crate) fn poll_capacity(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut state) = self.state() else {
            return Poll::Ready(());
        };
        if state.pending < STREAM_WINDOW_BYTES || state.end != End::Open {
            return Poll::Ready(());
        }
        store(&mut state.wants_capacity, cx);
        Poll::Pending
    }

    /// Ready when the producer has ended the body, one way or the other.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut state) = self.state() else {
            return Poll::Ready(());
        };
        if state.end != End::Open {
            return Poll::Ready(());
        }
        store(&mut state.wants_end, cx);
        Poll::Pending
    }

    /// A reader from the first byte on; `None` once frames were given up.
    pub(crate) fn attach(&self) -> Option<BodyReader> {
        let Some(flow) = &self.0 else {
            return Some(BodyReader(None));
        };
        let mut state = flow.state.borrow_mut();
        if state.keep == Keep::Lost {
            return None;
        }
        let kept: usize = state.frames.iter().map(Bytes::len).sum();
        state.read = 0;
        state.pending = kept;
        state.reader += 1;
        if state.end == End::Delivered {
            state.end = End::Finished;
        }
        // An earlier reader learns that it was cut off.
        let earlier = state.wants_frame.take();
        let reader = state.reader;
        drop(state);
        wake(earlier);
        Some(BodyReader(Some(Position {
            flow: Rc::clone(flow),
            reader,
        })))
    }

    /// Whether another reader may be attached.
    pub(crate) fn is_replayable(&self) -> bool {
        self.state().is_none_or(|state| state.keep == Keep::All)
    }

    /// Says that no other reader will come: frames are let go as they are read.
    pub(crate) fn settle(&self) {
        if let Some(mut state) = self.state() {
            state.keep = if state.keep == Keep::All {
                Keep::Settled
            } else {
                state.keep
            };
            if state.read > 0 {
                state.give_up();
            }
        }
    }

    /// Whether the present reader has taken everything to the end, and that was as much as announced.
    pub(crate) fn is_delivered(&self) -> bool {
        self.0.as_ref().is_none_or(|flow| flow.is_delivered())
    }

    /// Whether it has ended with less than was announced.
    pub(crate) fn is_short(&self) -> bool {
        let flow = self.0.as_ref();
        flow.is_some_and(|flow| {
            let state = flow.state.borrow();
            state.end == End::Finished && !flow.is_kept(&state)
        })
    }

    /// Whether there is no body: known before the first byte.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().is_none_or(|state| {
            state.total == 0 && state.end == End::Finished && state.trailers.is_none()
        })
    }

    /// Bytes of the whole body, where they are known beforehand.
    pub(crate) fn length(&self) -> Option<u64> {
        self.0.as_ref().map_or(Some(0), |flow| flow.length)
    }

    fn state(&self) -> Option<RefMut<'_, State>> {
        self.0.as_ref().map(|flow| flow.state.borrow_mut())
    }

    fn end(&self, end: End) {
        let Some(mut state) = self.state() else {
            return;
        };
        if state.end != End::Open && end != End::Aborted {
            return;
        }
        state.end = end;
        if end == End::Aborted {
            state.frames.clear();
            state.read = 0;
            state.pending = 0;
            state.keep = Keep::Lost;
        }
        let wakers = [
            state.wants_frame.take(),
            state.wants_capacity.take(),
            state.wants_end.take(),
        ];
        drop(state);
        wakers.into_iter().for_each(wake);
    }
}

impl Flow {
    fn is_delivered(&self) -> bool {
        let state = self.state.borrow();
        state.is_delivered() && self.is_kept(&state)
    }

    /// Whether what came is not less than what was announced.
    fn is_kept(&self, state: &State) -> bool {
        self.length.is_none_or(|length| state.total >= length)
    }
}

impl State {
    fn fits_replay(&self) -> bool {
        self.keep == Keep::All && self.total <= REPLAY_BODY_BYTES as u64
    }

    fn give_up(&mut self) {
        self.frames.drain(..self.read);
        self.read = 0;
        self.keep = Keep::Lost;
    }

    fn next_frame(&mut self) -> Option<Bytes> {
        let frame = if self.fits_replay() {
            let frame = self.frames.get(self.read)?.clone();
            self.read += 1;
            frame
        } else {
            if self.read > 0 {
                self.give_up();
            }
            let frame = self.frames.pop_front()?;
            self.keep = Keep::Lost;
            frame
        };
        self.pending -= frame.len();
        Some(frame)
    }

    fn next_trailers(&mut self) -> Option<HeaderMap> {
        if self.keep == Keep::All {
            self.trailers.clone()
        } else {
            self.trailers.take()
        }
    }

    fn is_delivered(&self) -> bool {
        match self.end {
            End::Delivered => true,
            End::Finished => self.read == self.frames.len() && self.trailers.is_none(),
            End::Open | End::Aborted | End::Unwanted => false,
        }
    }
}

impl Body for BodyReader {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        let Some(position) = &self.0 else {
            return Poll::Ready(None);
        };
        let (frame, waker) = ready!(position.poll_frame(cx));
        wake(waker);
        Poll::Ready(frame.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|position| position.flow.is_delivered())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(position) => position.size_hint(),
        }
    }
}

type Polled = (Result<Option<Frame<Bytes>>, BodyAborted>, Option<Waker>);

impl Position {
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Polled> {
        let mut state = self.flow.state.borrow_mut();
        if state.reader != self.reader || state.end == End::Aborted {
            return Poll::Ready((Err(BodyAborted::default()), None));
        }
        let read = state.total - state.pending as u64;
        if let Some(mut frame) = state.next_frame() {
            if let Some(length) = self.flow.length {
                // No more than was announced: HTTP/2 would let it pass.
                let left = length.saturating_sub(read);
                frame.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            }
            let has_room = state.pending < STREAM_WINDOW_BYTES;
            let waker = if has_room {
                state.wants_capacity.take()
            } else {
                None
            };
            return Poll::Ready((Ok(Some(Frame::data(frame))), waker));
        }
        if state.end == End::Finished && !self.flow.is_kept(&state) {
            return Poll::Ready((Err(BodyAborted::default()), None));
        }
        if state.end == End::Finished {
            state.end = End::Delivered;
            return Poll::Ready((Ok(state.next_trailers().map(Frame::trailers)), None));
        }
        if state.end != End::Open {
            return Poll::Ready((Ok(None), None));
        }
        store(&mut state.wants_frame, cx);
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.flow.state.borrow();
        let read = state.total - state.pending as u64;
        match self.flow.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(read)),
            None => SizeHint::default(),
        }
    }
}

impl BodyReader {
    /// Of a request without a body.
    pub(crate) const fn empty() -> Self {
        Self(None)
    }

    /// What cuts this reader off; `None`: there is nothing to read.
    pub(super) fn cut(&self) -> Option<Cut> {
        let position = self.0.as_ref()?;
        Some(Cut(Position {
            flow: Rc::clone(&position.flow),
            reader: position.reader,
        }))
    }
}

impl Drop for BodyReader {
    /// After the last try was settled, a reader that goes before the end wants no more.
    fn drop(&mut self) {
        if let Some(position) = &self.0 {
            position.leave();
        }
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let mut state = self.0.flow.state.borrow_mut();
        if state.reader != self.0.reader || state.is_delivered() || state.end == End::Aborted {
            return;
        }
        let reader = state.wants_frame.take();
        drop(state);
        self.0.leave();
        // No reader has this number.
        self.0.flow.state.borrow_mut().reader += 1;
        wake(reader);
    }
}

impl Position {
    fn leave(&self) {
        let mut state = self.flow.state.borrow_mut();
        let is_last = state.reader == self.reader && state.keep != Keep::All;
        if !is_last || state.is_delivered() || state.end == End::Aborted {
            return;
        }
        state.end = End::Unwanted;
        state.frames.clear();
        state.read = 0;
        state.pending = 0;
        state.keep = Keep::Lost;
        let wakers = [state.wants_capacity.take(), state.wants_end.take()];
        drop(state);
        wakers.into_iter().for_each(wake);
    }
}

fn store(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
