//! What an exchange must do, said once more and as simply as can be: text in, text out.
//!
//! Frames go through the filters one after the other, each as far as it gets (as in Envoy's filter
//! manager), and a filter's decision is the next letter of its plan.

use std::collections::VecDeque;

/// What moves: a head, a piece of body, trailers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    Head {
        end: bool,
    },
    Body {
        text: String,
        end: bool,
        /// It was held by a filter: who drops it, holds it.
        is_held: bool,
    },
    Trailers,
}

/// A direction of the exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    There,
    Back,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Mode {
    #[default]
    Open,
    /// It holds, and is shown what else comes.
    Part,
    /// It holds, and is shown nothing.
    Shut,
}

/// What one filter holds of one direction.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts; each has its own name"
)]
struct Hold {
    mode: Mode,
    head: bool,
    text: String,
    has_ended: bool,
    trailers: bool,
    /// What is held is shown again with the next piece.
    accumulates: bool,
}

/// What the client has got.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) is_complete: bool,
    pub(super) was_cut: bool,
}

/// One exchange with a chain of filters.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts; each has its own name"
)]
pub(super) struct Model {
    plans: Vec<VecDeque<char>>,
    /// The value 1 of a headers callback still shows the body.
    shows_body: bool,
    /// What the upstream answers.
    answer: Vec<Frame>,
    there: Vec<Hold>,
    back: Vec<Hold>,
    /// Something of this direction was held once, if only no bytes.
    has_buffered: [bool; 2],
    has_seen: Vec<bool>,
    request_is_over: bool,
    response_has_begun: bool,
    /// Counts the responses: frames of an earlier one go nowhere.
    response: usize,
    status: u16,
    /// What the head of a reply says of the body's length.
    length: Option<usize>,
    /// Callbacks of each filter.
    pub(super) shown: Vec<Vec<String>>,
    pub(super) got: Got,
    /// Envoy shows trailers twice when a filter stops at the body that was held before them.
    pub(super) is_beyond_envoy: bool,
    /// What the upstream has seen; `None`: no request.
    pub(super) upstream: Option<(String, bool)>,
}

impl Model {
    pub(super) fn new(plans: &[String], shows_body: bool, answer: &[Frame]) -> Self {
        let count = plans.len();
        Self {
            plans: plans.iter().map(|plan| plan.chars().collect()).collect(),
            shows_body,
            answer: answer.to_vec(),
            there: vec![Hold::default(); count],
            back: vec![Hold::default(); count],
            has_buffered: [false; 2],
            has_seen: vec![false; count],
            request_is_over: false,
            response_has_begun: false,
            response: 0,
            status: 0,
            length: None,
            shown: vec![Vec::new(); count],
            got: Got::default(),
            is_beyond_envoy: false,
            upstream: None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.got.is_complete || self.got.was_cut
    }

    /// A frame from the client.
    pub(super) fn send(&mut self, frame: Frame) {
        self.push(Way::There, 0, frame);
    }

    /// A filter acts on the exchange from outside its callbacks.
    pub(super) fn kick(&mut self, filter: usize, letter: char) {
        if !self.has_seen[filter] || self.is_over() {
            return;
        }
        match letter {
            '0' => self.resume(Way::There, filter),
            '1' => self.resume(Way::Back, filter),
            'r' => self.reply(filter),
            _ => self.got.was_cut = true,
        }
    }

    /// Whether the filter holds something that this letter releases, or has an exchange to end.
    pub(super) fn matters(&self, filter: usize, letter: char) -> bool {
        let is_held = |hold: &Hold| hold.mode != Mode::Open;
        match letter {
            '0' => !self.request_is_over && is_held(&self.there[filter]),
            '1' => is_held(&self.back[filter]),
            'r' => false,
            _ => self.has_seen[filter],
        }
    }

    /// A filter that holds something, and the letter that releases it.
    pub(super) fn holder(&self) -> Option<(usize, char)> {
        let holds = |hold: &Hold| hold.mode != Mode::Open;
        let there = self.there.iter().position(holds);
        let there = there.filter(|_| !self.request_is_over);
        let back = self.back.iter().rposition(holds);
        there
            .map(|filter| (filter, '0'))
            .or(back.map(|filter| (filter, '1')))
    }

    fn hold(&mut self, way: Way, filter: usize) -> &mut Hold {
        match way {
            Way::There => &mut self.there[filter],
            Way::Back => &mut self.back[filter],
        }
    }

    /// Whether frames of this direction still matter, given the response they belong to.
    fn is_alive(&self, way: Way, response: usize) -> bool {
        !self.is_over() && self.response == response && (way == Way::Back || !self.request_is_over)
    }

    /// A frame reaches the filter at this place of its direction.
    fn push(&mut self, way: Way, place: usize, frame: Frame) {
        let response = self.response;
        if !self.is_alive(way, response) {
            return;
        }
        let count = self.plans.len();
        if place == count {
            return self.leave(way, frame);
        }
        let filter = match way {
            Way::There => place,
            Way::Back => count - 1 - place,
        };
        if way == Way::Back && !self.has_seen[filter] {
            return self.push(way, place + 1, frame);
        }
        let hold = self.hold(way, filter);
        if hold.mode == Mode::Shut {
            match frame {
                Frame::Head { .. } => {}
                Frame::Body { text, end, .. } => {
                    hold.text += &text;
                    hold.has_ended |= end;
                    self.has_buffered[way as usize] = true;
                }
                Frame::Trailers => (hold.trailers, hold.has_ended) = (true, true),
            }
            return;
        }
        match frame {
            Frame::Head { end } => self.show_head(way, (place, filter), end),
            Frame::Body { text, end, is_held } => {
                self.show_body((way, place, filter), &text, (end, is_held));
            }
            Frame::Trailers => self.show_trailers(way, (place, filter)),
        }
    }

    fn show_head(&mut self, way: Way, (place, filter): (usize, usize), end: bool) {
        self.has_seen[filter] = true;
        let letter = if way == Way::There { "H" } else { "h" };
        let Some((action, continues)) = self.ask(way, filter, &mark(letter, None, end)) else {
            return;
        };
        if matches!(action, '0' | '2') {
            return self.push(way, place + 1, Frame::Head { end });
        }
        let is_part = action == '1' && self.shows_body;
        let hold = self.hold(way, filter);
        hold.mode = if is_part { Mode::Part } else { Mode::Shut };
        (hold.head, hold.has_ended) = (true, end);
        if continues {
            self.resume(way, filter);
        }
    }

    fn show_body(
        &mut self,
        (way, place, filter): (Way, usize, usize),
        text: &str,
        (end, is_held): (bool, bool),
    ) {
        let hold = self.hold(way, filter);
        let is_held = is_held || hold.accumulates;
        let window = if hold.accumulates {
            std::mem::take(&mut hold.text) + text
        } else {
            text.to_owned()
        };
        let letter = if way == Way::There { "B" } else { "b" };
        let line = mark(letter, Some(window.len()), end);
        let Some((action, continues)) = self.ask(way, filter, &line) else {
            return;
        };
        let hold = self.hold(way, filter);
        hold.has_ended |= end;
        let is_kept = matches!(action, '0' | '1' | '2') || is_held;
        if is_kept {
            hold.text += &window;
        }
        let passes = action == '0' && hold.mode == Mode::Open;
        if passes {
            let frame = Frame::Body {
                text: std::mem::take(&mut hold.text),
                end,
                is_held,
            };
            return self.push(way, place + 1, frame);
        }
        if action != '0' {
            hold.mode = Mode::Part;
            hold.accumulates = action == '1';
        }
        self.has_buffered[way as usize] |= is_kept || end;
        if action == '0' {
            return self.resume(way, filter);
        }
        if continues {
            self.resume(way, filter);
        }
    }

    fn show_trailers(&mut self, way: Way, (place, filter): (usize, usize)) {
        let letter = if way == Way::There { "T" } else { "t" };
        let Some((action, continues)) = self.ask(way, filter, letter) else {
            return;
        };
        let hold = self.hold(way, filter);
        if action == '0' && hold.mode == Mode::Open {
            return self.push(way, place + 1, Frame::Trailers);
        }
        (hold.trailers, hold.has_ended) = (true, true);
        if action == '0' {
            return self.resume(way, filter);
        }
        hold.mode = Mode::Part;
        if continues {
            self.resume(way, filter);
        }
    }

    /// The filter's decision, and whether it has continued within; `None`: nothing goes on.
    fn ask(&mut self, way: Way, filter: usize, line: &str) -> Option<(char, bool)> {
        let response = self.response;
        self.shown[filter].push(line.to_owned());
        match self.plans[filter].pop_front().unwrap_or('0') {
            'r' => self.reply(filter),
            'x' => self.got.was_cut = true,
            'k' => return Some(('1', true)),
            digit => return Some((digit, false)),
        }
        debug_assert!(!self.is_alive(way, response) || way == Way::Back);
        None
    }

    fn resume(&mut self, way: Way, filter: usize) {
        if way == Way::There && self.request_is_over {
            return;
        }
        let mode = self.hold(way, filter).mode;
        if mode == Mode::Open {
            return;
        }
        // What was held unseen begins at this filter, what it has seen at the next one.
        let place = self.place(way, filter);
        let start = if mode == Mode::Shut { place } else { place + 1 };
        let response = self.response;
        let hold = std::mem::take(self.hold(way, filter));
        let owes_body = self.has_buffered[way as usize];
        let ends = hold.has_ended && !hold.trailers;
        if hold.head {
            let end = ends && !owes_body;
            self.push(way, place + 1, Frame::Head { end });
        }
        let body = Frame::Body {
            text: hold.text,
            end: ends,
            is_held: true,
        };
        let body = owes_body.then_some(body);
        let trailers = hold.trailers.then_some(Frame::Trailers);
        for frame in body.into_iter().chain(trailers) {
            if self.is_alive(way, response) {
                self.is_beyond_envoy |= frame == Frame::Trailers
                    && start == place
                    && self.hold(way, filter).mode == Mode::Part;
                self.push(way, start, frame);
            }
        }
    }

    fn place(&self, way: Way, filter: usize) -> usize {
        match way {
            Way::There => filter,
            Way::Back => self.plans.len() - 1 - filter,
        }
    }

    /// A frame has passed all filters.
    fn leave(&mut self, way: Way, frame: Frame) {
        if way == Way::There {
            let (seen, is_whole) = self.upstream.get_or_insert_default();
            match frame {
                Frame::Head { end } => *is_whole = end,
                Frame::Body { text, end, .. } => {
                    *seen += &text;
                    *is_whole |= end;
                }
                Frame::Trailers => *is_whole = true,
            }
            if *is_whole {
                self.response_has_begun = true;
                self.status = 200;
                for frame in self.answer.clone() {
                    self.push(Way::Back, 0, frame);
                }
            }
            return;
        }
        match frame {
            Frame::Head { end } => {
                self.got.status = self.status;
                self.got.is_complete = end;
            }
            Frame::Body { text, end, .. } => {
                self.got.body += &text;
                self.end_if(end);
            }
            Frame::Trailers => self.end_if(true),
        }
    }

    /// A body shorter than its head has said cannot end well.
    fn end_if(&mut self, end: bool) {
        let is_short = self
            .length
            .is_some_and(|length| length != self.got.body.len());
        self.got.was_cut = end && is_short;
        self.got.is_complete = end && !is_short;
    }

    fn reply(&mut self, filter: usize) {
        self.request_is_over = true;
        if self.got.status != 0 {
            self.got.was_cut = true;
            return;
        }
        let text = format!("r{filter}");
        self.status = 403;
        self.length = Some(text.len());
        if std::mem::replace(&mut self.response_has_begun, true) {
            self.response += 1;
            self.back
                .iter_mut()
                .for_each(|hold| *hold = Hold::default());
            self.got = Got {
                status: 403,
                body: text,
                is_complete: true,
                was_cut: false,
            };
            return;
        }
        self.push(Way::Back, 0, Frame::Head { end: false });
        let response = self.response;
        if self.is_alive(Way::Back, response) {
            let body = Frame::Body {
                text,
                end: true,
                is_held: false,
            };
            self.push(Way::Back, 0, body);
        }
    }
}

fn mark(letter: &str, size: Option<usize>, end: bool) -> String {
    let size = size.map(|size| size.to_string()).unwrap_or_default();
    format!("{letter}{size}{}", if end { "!" } else { "" })
}
