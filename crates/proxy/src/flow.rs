//! How one direction of an exchange passes a chain of filters. Pure: no guest, no clock, no socket.
//!
//! A flow is told what arrives ([`Flow::arrive`]), says what must be shown to which stage next
//! ([`Flow::next`]), is told what the stage decided ([`Flow::apply`]), and collects what has passed
//! all stages ([`Flow::pop`]). Stopping, holding, resuming and limits follow Envoy's filter manager
//! (Proxy-Wasm reference 3.3, 3.4, 3.7). Invariant: bytes leave in the order in which they came,
//! unless a stage edits or drops them.

use std::collections::VecDeque;

use bytes::Bytes;
use smallvec::SmallVec;
use weir_model::limits;

use crate::message::BodyBuffer;

/// What moves. Heads and trailers are in the message, so that edits are seen by later stages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Headers { end: bool },
    Body { bytes: Bytes, end: bool },
    Trailers,
}

/// What a stage is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Headers {
        end: bool,
    },
    /// The bytes are in the stage's window.
    Body {
        end: bool,
    },
    Trailers,
}

/// What a stage decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Go on, with everything that was held.
    Continue,
    /// Headers: hold them, but go on showing the body. Trailers: hold everything.
    StopIteration,
    /// Hold everything, unseen; too much is an error.
    StopAllAndBuffer,
    /// Hold everything, unseen; too much pauses the sender.
    StopAllAndWatermark,
    /// Body: hold it and show all of it next time; too much is an error.
    Buffer,
    /// Body: hold it, show only new bytes next time; too much pauses the sender.
    Watermark,
    /// Body: forget these bytes.
    Drop,
}

/// Why a stage holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Nothing,
    /// The stage still sees what arrives.
    Single,
    /// The stage sees nothing until it is resumed.
    All,
}

/// What happens when a stage holds too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    Fails,
    Waits,
}

/// Whether a stage that is released passes on a body part even if it holds no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwesBody {
    Yes,
    IfAny,
}

#[derive(Debug, PartialEq, Eq)]
enum Arrival {
    Frame(Frame),
    /// Bytes that an earlier stage has held and released.
    Released {
        bytes: Bytes,
        end: bool,
    },
    /// The bytes that were held unseen.
    Held {
        end: bool,
    },
}

/// Trailers that a stage holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeldTrailers {
    Unseen,
    Seen,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts; each has its own name and reader"
)]
struct Stage {
    arrivals: VecDeque<Arrival>,
    hold: Hold,
    full: Full,
    /// Whether the next body part shows what is held too.
    accumulates: bool,
    holds_headers: bool,
    /// The headers are all there is.
    headers_end: bool,
    /// Bytes that were shown are gone.
    has_dropped: bool,
    held: BodyBuffer,
    window: BodyBuffer,
    /// The window shows bytes that were held before: dropping leaves them held (as Envoy, where they
    /// stay in the buffer).
    shows_held: bool,
    /// The end of the stream was seen or is held.
    has_ended: bool,
    trailers: Option<HeldTrailers>,
    has_shown_body: bool,
    /// The end has gone on to the next stage: nothing can follow.
    has_left: bool,
}

/// One direction of an exchange.
#[derive(Debug)]
pub(crate) struct Flow {
    stages: SmallVec<[Stage; 2]>,
    /// What has come and no stage has seen: each frame waits until those before it have settled.
    inbox: VecDeque<Frame>,
    out: VecDeque<Frame>,
    out_bytes: usize,
    limit: usize,
    showing: Option<(usize, Part)>,
    has_overflown: bool,
    /// Some stage has held bytes, if only none: from then on whoever is released passes a body part
    /// on, if only an empty one (as Envoy, where the buffer stays).
    has_buffered: bool,
}

impl Frame {
    fn is_end(&self) -> bool {
        match self {
            Self::Headers { end } | Self::Body { end, .. } => *end,
            Self::Trailers => true,
        }
    }
}

impl Stage {
    fn new() -> Self {
        Self {
            arrivals: VecDeque::new(),
            hold: Hold::Nothing,
            full: Full::Waits,
            accumulates: false,
            holds_headers: false,
            headers_end: false,
            has_dropped: false,
            held: BodyBuffer::default(),
            window: BodyBuffer::default(),
            shows_held: false,
            has_ended: false,
            trailers: None,
            has_shown_body: false,
            has_left: false,
        }
    }
}

impl Flow {
    /// A flow through `stages` stages, each of which may hold `limit` bytes.
    pub(crate) fn new(stages: usize, limit: usize) -> Self {
        Self {
            stages: (0..stages).map(|_| Stage::new()).collect(),
            inbox: VecDeque::new(),
            out: VecDeque::new(),
            out_bytes: 0,
            limit,
            showing: None,
            has_overflown: false,
            has_buffered: false,
        }
    }

    /// A frame enters the first stage.
    pub(crate) fn arrive(&mut self, frame: Frame) {
        if self.stages.is_empty() {
            self.enter(0, frame);
        } else {
            self.inbox.push_back(frame);
        }
    }

    /// Whether the source of this flow may send more.
    pub(crate) fn wants_more(&self) -> bool {
        self.out_bytes < limits::STREAM_WINDOW_BYTES
            && self.stages.iter().all(|stage| {
                stage.full == Full::Fails
                    || stage.hold == Hold::Nothing
                    || stage.held.len() < self.limit
            })
    }

    /// What must be shown next, and to which stage. Each frame goes as far as it gets before the one
    /// behind it moves, as in Envoy: a stage may answer or close what an earlier one still holds.
    pub(crate) fn next(&mut self) -> Option<(usize, Part)> {
        debug_assert!(self.showing.is_none(), "a decision is due first");
        let index = self.deepest_arrival()?;
        let stage = &mut self.stages[index];
        stage.shows_held = stage.accumulates;
        let part = match stage.arrivals.pop_front()? {
            Arrival::Frame(Frame::Headers { end }) => Part::Headers { end },
            Arrival::Frame(Frame::Trailers) => Part::Trailers,
            Arrival::Frame(Frame::Body { bytes, end }) => {
                if stage.accumulates {
                    stage.window.append(&mut stage.held);
                }
                stage.window.push(bytes);
                Part::Body { end }
            }
            Arrival::Released { bytes, end } => {
                if stage.accumulates {
                    stage.window.append(&mut stage.held);
                }
                stage.window.push(bytes);
                stage.shows_held = true;
                Part::Body { end }
            }
            Arrival::Held { end } => {
                stage.window.append(&mut stage.held);
                stage.shows_held = true;
                Part::Body { end }
            }
        };
        stage.has_shown_body |= matches!(part, Part::Body { .. });
        self.showing = Some((index, part));
        Some((index, part))
    }

    /// The headers that [`Flow::next`] gave are to be given again: their stage could not look at them.
    pub(crate) fn put_back(&mut self, index: usize, part: Part) {
        debug_assert!(
            matches!(part, Part::Headers { .. }),
            "a stage begins with headers"
        );
        self.showing = None;
        if let Part::Headers { end } = part {
            let arrivals = &mut self.stages[index].arrivals;
            arrivals.push_front(Arrival::Frame(Frame::Headers { end }));
        }
    }

    /// The last stage that something waits for; what has come enters once nothing does.
    fn deepest_arrival(&mut self) -> Option<usize> {
        loop {
            let waits = |stage: &Stage| !stage.arrivals.is_empty();
            if let Some(index) = self.stages.iter().rposition(waits) {
                return Some(index);
            }
            let frame = self.inbox.pop_front()?;
            self.enter(0, frame);
        }
    }

    /// The body bytes that a stage may read and edit now.
    pub(crate) fn window(&mut self, index: usize) -> Option<&mut BodyBuffer> {
        let shown = self.shown(index);
        let stage = self.stages.get_mut(index)?;
        match shown {
            Some(Part::Body { .. }) => return Some(&mut stage.window),
            // What was held before can be read and edited to the end.
            Some(Part::Trailers) => return stage.has_shown_body.then_some(&mut stage.held),
            Some(Part::Headers { .. }) => return None,
            None => {}
        }
        (stage.hold == Hold::Single && stage.has_shown_body).then_some(&mut stage.held)
    }

    /// What the stage decided about the part that [`Flow::next`] gave. `made_trailers`: it made
    /// trailers for a body that ended without.
    pub(crate) fn apply(&mut self, index: usize, part: Part, action: Action, made_trailers: bool) {
        self.showing = None;
        if made_trailers {
            self.stages[index].trailers = Some(HeldTrailers::Seen);
        }
        match part {
            Part::Headers { end } => self.apply_headers(index, end, action),
            Part::Body { end } => self.apply_body(index, end, action),
            Part::Trailers => self.apply_trailers(index, action),
        }
        self.check_limit(index);
    }

    fn apply_headers(&mut self, index: usize, end: bool, action: Action) {
        let stage = &mut self.stages[index];
        let (hold, full) = match action {
            Action::StopIteration => (Hold::Single, Full::Waits),
            Action::StopAllAndBuffer => (Hold::All, Full::Fails),
            Action::StopAllAndWatermark => (Hold::All, Full::Waits),
            Action::Continue | Action::Buffer | Action::Watermark | Action::Drop => {
                return self.pass(index, Frame::Headers { end });
            }
        };
        (stage.hold, stage.full) = (hold, full);
        (stage.holds_headers, stage.has_ended) = (true, end);
        stage.headers_end = end;
        if hold == Hold::All {
            for arrival in std::mem::take(&mut stage.arrivals) {
                match arrival {
                    Arrival::Frame(frame) => self.enter(index, frame),
                    Arrival::Released { bytes, end } => {
                        self.enter(index, Frame::Body { bytes, end });
                    }
                    // Only a stage that has held its headers once has these.
                    Arrival::Held { .. } => {}
                }
            }
        }
    }

    fn apply_body(&mut self, index: usize, end: bool, action: Action) {
        let stage = &mut self.stages[index];
        stage.has_ended |= end;
        match action {
            Action::Continue => {
                let mut window = std::mem::take(&mut stage.window);
                stage.held.append(&mut window);
                self.has_buffered |= stage.hold == Hold::Single;
                return self.release(index, OwesBody::Yes);
            }
            Action::Drop if !stage.shows_held => {
                stage.window.clear();
                stage.has_dropped = true;
                self.has_buffered |= end;
            }
            Action::Drop
            | Action::Buffer
            | Action::Watermark
            | Action::StopIteration
            | Action::StopAllAndBuffer
            | Action::StopAllAndWatermark => {
                let mut window = std::mem::take(&mut stage.window);
                stage.held.append(&mut window);
                self.has_buffered = true;
            }
        }
        stage.hold = Hold::Single;
        stage.accumulates = action == Action::Buffer;
        stage.full = if action == Action::Buffer {
            Full::Fails
        } else {
            Full::Waits
        };
    }

    fn apply_trailers(&mut self, index: usize, action: Action) {
        let stage = &mut self.stages[index];
        stage.has_ended = true;
        stage.trailers = Some(HeldTrailers::Seen);
        if action == Action::Continue {
            let owes = if stage.hold == Hold::Single && self.has_buffered {
                OwesBody::Yes
            } else {
                OwesBody::IfAny
            };
            return self.release(index, owes);
        }
        stage.hold = Hold::Single;
    }

    /// Whether whoever is released passes a body part on.
    fn owes_body(&self) -> OwesBody {
        if self.has_buffered {
            OwesBody::Yes
        } else {
            OwesBody::IfAny
        }
    }

    /// Whether a decision about this part is due.
    pub(crate) fn is_showing(&self, index: usize, part: Part) -> bool {
        self.showing == Some((index, part))
    }

    /// What this stage is being shown.
    fn shown(&self, index: usize) -> Option<Part> {
        self.showing
            .filter(|(showing, _)| *showing == index)
            .map(|(_, part)| part)
    }

    /// Resumes a stage that holds. Without effect on one that does not.
    pub(crate) fn resume(&mut self, index: usize) {
        let owes = self.owes_body();
        // A flow that an answer has replaced has no stages any more.
        let Some(stage) = self.stages.get_mut(index) else {
            return;
        };
        match stage.hold {
            Hold::Nothing => {}
            Hold::Single => self.release(index, owes),
            Hold::All => {
                let end = stage.has_ended && !self.has_buffered && stage.trailers.is_none();
                stage.hold = Hold::Nothing;
                stage.full = Full::Waits;
                let had_headers = std::mem::take(&mut stage.holds_headers);
                // What is shown again says again whether it is the end.
                let body_ends = std::mem::take(&mut stage.has_ended) && stage.trailers.is_none();
                if self.has_buffered {
                    stage.arrivals.push_back(Arrival::Held { end: body_ends });
                }
                if stage.trailers.take().is_some() {
                    stage.arrivals.push_back(Arrival::Frame(Frame::Trailers));
                }
                if had_headers {
                    self.pass(index, Frame::Headers { end });
                }
            }
        }
    }

    /// Whether a stage still has all that came to it, as it came but for the headers: then it can be
    /// shown once more.
    pub(crate) fn can_begin_again(&self, index: usize) -> bool {
        self.stages.get(index).is_some_and(|stage| {
            stage.holds_headers && !stage.has_dropped && stage.trailers != Some(HeldTrailers::Seen)
        })
    }

    /// Shows a stage once more all that it holds, as if it had just come.
    pub(crate) fn begin_again(&mut self, index: usize) {
        let Some(stage) = self.stages.get_mut(index) else {
            return;
        };
        let fresh = Stage {
            has_left: stage.has_left,
            ..Stage::new()
        };
        let mut before = std::mem::replace(stage, fresh);
        before.held.join();
        let mut again = |frame| stage.arrivals.push_back(Arrival::Frame(frame));
        again(Frame::Headers {
            end: before.headers_end,
        });
        let body_ends = before.has_ended && !before.headers_end && before.trailers.is_none();
        if !before.held.is_empty() || body_ends {
            again(Frame::Body {
                bytes: before.held.pop().unwrap_or_default(),
                end: body_ends,
            });
        }
        if before.trailers.is_some() {
            again(Frame::Trailers);
        }
        stage.arrivals.append(&mut before.arrivals);
    }

    /// Puts bytes behind a stage, as if it had made them; headers that it holds go before them. A
    /// stage that has ended the stream this way adds nothing more to it.
    pub(crate) fn inject(&mut self, index: usize, bytes: Bytes, end: bool) {
        // A flow that an answer has replaced has no stages any more.
        let Some(stage) = self.stages.get_mut(index) else {
            return;
        };
        if std::mem::take(&mut stage.holds_headers) {
            self.pass(index, Frame::Headers { end: false });
        }
        self.pass(index, Frame::Body { bytes, end });
    }

    /// Body bytes that have passed all stages and wait to be taken.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.out_bytes
    }

    /// Whether a stage has held more than it may.
    pub(crate) fn has_overflown(&self) -> bool {
        self.has_overflown
    }

    /// How much each stage may hold.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Changes how much each stage may hold.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether something that has passed all stages waits to be taken.
    pub(crate) fn has_passed(&self) -> bool {
        !self.out.is_empty()
    }

    /// The next frame that has passed all stages.
    pub(crate) fn pop(&mut self) -> Option<Frame> {
        let frame = self.out.pop_front()?;
        if let Frame::Body { bytes, .. } = &frame {
            self.out_bytes -= bytes.len();
        }
        Some(frame)
    }

    /// Puts frames behind the last stage: an answer that no filter sees.
    pub(crate) fn leave(&mut self, frame: Frame) {
        self.enter(self.stages.len(), frame);
    }

    /// Headers, then all held bytes, then trailers go to the next stage.
    fn release(&mut self, index: usize, owes: OwesBody) {
        let stage = &mut self.stages[index];
        let was_held = stage.hold == Hold::Single || stage.shows_held;
        stage.hold = Hold::Nothing;
        stage.full = Full::Waits;
        stage.accumulates = false;
        let had_headers = std::mem::take(&mut stage.holds_headers);
        let trailers = stage.trailers.take();
        let ends = stage.has_ended && trailers.is_none();
        let mut held = std::mem::take(&mut stage.held);
        if index + 1 < self.stages.len() {
            // What goes on together is shown to the next stage together (as Envoy's buffers).
            held.join();
        }
        let owes_body = owes == OwesBody::Yes || !held.is_empty();
        if had_headers {
            let end = ends && !owes_body;
            self.pass(index, Frame::Headers { end });
        }
        while let Some(bytes) = held.pop() {
            let end = ends && held.is_empty();
            self.pass_body(index, (bytes, end), was_held);
            if held.is_empty() {
                return self.release_trailers(index, trailers);
            }
        }
        if owes_body {
            self.pass_body(index, (Bytes::new(), ends), was_held);
        }
        self.release_trailers(index, trailers);
    }

    fn pass_body(&mut self, index: usize, (bytes, end): (Bytes, bool), was_held: bool) {
        let stage = &mut self.stages[index];
        if stage.has_left {
            return;
        }
        stage.has_left = end;
        match self.stages.get_mut(index + 1) {
            Some(stage) if was_held && stage.hold != Hold::All => {
                stage.arrivals.push_back(Arrival::Released { bytes, end });
            }
            Some(_) | None => self.enter(index + 1, Frame::Body { bytes, end }),
        }
    }

    fn release_trailers(&mut self, index: usize, trailers: Option<HeldTrailers>) {
        if trailers.is_some() {
            self.pass(index, Frame::Trailers);
        }
    }

    /// A frame goes on from a stage, unless the stage has ended the stream already.
    fn pass(&mut self, index: usize, frame: Frame) {
        let stage = &mut self.stages[index];
        if !stage.has_left {
            stage.has_left = frame.is_end();
            self.enter(index + 1, frame);
        }
    }

    fn enter(&mut self, index: usize, frame: Frame) {
        let Some(stage) = self.stages.get_mut(index) else {
            if let Frame::Body { bytes, end } = &frame {
                if bytes.is_empty() && !end {
                    return;
                }
                self.out_bytes += bytes.len();
            }
            self.out.push_back(frame);
            return;
        };
        if stage.hold != Hold::All {
            stage.arrivals.push_back(Arrival::Frame(frame));
            return;
        }
        match frame {
            Frame::Headers { .. } => {}
            Frame::Body { bytes, end } => {
                stage.held.push(bytes);
                stage.has_ended |= end;
                self.has_buffered = true;
            }
            Frame::Trailers => {
                stage.trailers = Some(HeldTrailers::Unseen);
                stage.has_ended = true;
            }
        }
        self.check_limit(index);
    }

    fn check_limit(&mut self, index: usize) {
        let stage = &self.stages[index];
        let is_full = stage.held.len() > self.limit;
        self.has_overflown |= is_full && stage.hold != Hold::Nothing && stage.full == Full::Fails;
    }
}

#[cfg(test)]
mod tests;
