//! What there is to see, and what somebody did to it.

use std::sync::Arc;

use weir_guest::debug::{Frame, Listing, Place};

use super::keys::{Action, Pressed};
use crate::listing::Symbols;
use crate::run::{Until, Watch};
use crate::session::{Now, Session};
use crate::stop::Stop;

/// Bytes of memory in one line.
pub(super) const MEMORY_COLUMNS: u64 = 16;

/// A question at the bottom of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// The number of an instruction.
    Number,
    /// The number of a call of the host.
    HostCall,
    /// A function to stop at.
    Function,
    /// Bytes to watch.
    Watch,
    /// An address to look at.
    Memory,
    /// A text to look for.
    Search,
}

impl Prompt {
    pub(super) const fn question(self) -> &'static str {
        match self {
            Self::Number => "go to instruction",
            Self::HostCall => "go on to call of the host",
            Self::Function => "stop at function",
            Self::Watch => "stop when these bytes change",
            Self::Memory => "memory at",
            Self::Search => "search",
        }
    }
}

/// A session with everything that is chosen on the screen.
pub struct View<'m> {
    /// What is looked at.
    pub session: Session,
    pub(super) symbols: Symbols<'m>,
    pub(super) title: String,
    /// The last stop, which is still shown while it runs and when it has ended.
    pub(super) stop: Option<Arc<Stop>>,
    /// Which call is shown, 0 the innermost.
    pub(super) frame: usize,
    /// Which line of its code is selected.
    pub(super) line: usize,
    /// First address of memory that is shown.
    pub(super) address: u64,
    pub(super) prompt: Option<(Prompt, String)>,
    pub(super) shows_help: bool,
    /// Said at the bottom.
    pub(super) message: String,
}

impl<'m> View<'m> {
    /// Shows a session.
    #[must_use]
    pub fn new(session: Session, symbols: Symbols<'m>, title: &str) -> Self {
        Self {
            session,
            symbols,
            title: title.to_owned(),
            stop: None,
            frame: 0,
            line: 0,
            address: 0,
            prompt: None,
            shows_help: false,
            message: String::new(),
        }
    }

    /// Takes over where the session is.
    pub fn refresh(&mut self) {
        if let Now::Stopped(stop) = self.session.poll() {
            let stop = Arc::clone(stop);
            self.show(stop);
        }
    }

    fn show(&mut self, stop: Arc<Stop>) {
        if self
            .stop
            .as_ref()
            .is_some_and(|shown| Arc::ptr_eq(shown, &stop))
        {
            return;
        }
        if let Some(change) = stop.changes.list.first() {
            self.address = change.address - change.address % MEMORY_COLUMNS;
        }
        self.stop = Some(stop);
        self.frame = 0;
        self.select_current();
    }

    /// Selects the instruction of the call that is shown.
    fn select_current(&mut self) {
        let place = self.shown().map(|frame| frame.place);
        let found = place.and_then(|place| self.symbols.instruction(place));
        self.line = found.map_or(0, |(_, at)| at);
    }

    /// The call that is shown.
    pub(super) fn shown(&self) -> Option<&Frame> {
        self.stop.as_ref()?.frames.get(self.frame)
    }

    /// Its code.
    pub(super) fn listing(&mut self) -> Option<(Place, Arc<Listing>)> {
        let place = self.shown()?.place;
        let listing = self.symbols.listing(place.function).ok()?;
        Some((place, listing))
    }

    /// Carries an action out.
    pub fn act(&mut self, action: Action) -> Pressed {
        self.message.clear();
        match action {
            Action::Step => self.session.step(),
            Action::Over => self.session.over(),
            Action::Out => self.session.out(),
            Action::Back => self.session.back(),
            Action::Continue => self.session.go(Until::End),
            Action::Restart => self.session.jump(0),
            Action::Pause => self.session.pause(),
            Action::Toggle => self.toggle(),
            Action::HostCalls => {
                let stops = &mut self.session.breaks.host_calls;
                *stops = !*stops;
                let stops = if *stops { "stops" } else { "does not stop" };
                self.message = format!("it {stops} at calls of the host");
            }
            Action::Line(by) => self.move_line(by),
            Action::Frame(by) => self.move_frame(by),
            Action::Memory(by) => {
                let by = by * MEMORY_COLUMNS.cast_signed();
                self.address = self.address.saturating_add_signed(by);
            }
            Action::Ask(prompt) => self.prompt = Some((prompt, String::new())),
            Action::Type(letter) => {
                if let Some((_, text)) = &mut self.prompt {
                    text.push(letter);
                }
            }
            Action::Erase => {
                if let Some((_, text)) = &mut self.prompt {
                    text.pop();
                }
            }
            Action::Answer => self.answer(),
            Action::Cancel => {
                self.prompt = None;
                self.shows_help = false;
            }
            Action::Help => self.shows_help = true,
            Action::Leave => return Pressed::Leave,
            Action::None => {}
        }
        Pressed::Stay
    }

    fn move_line(&mut self, by: i32) {
        if let Some((_, listing)) = self.listing() {
            let last = listing.instructions.len().saturating_sub(1);
            let by = isize::try_from(by).unwrap_or(0);
            self.line = self.line.saturating_add_signed(by).min(last);
        }
    }

    fn move_frame(&mut self, by: i32) {
        let count = self.stop.as_ref().map_or(0, |stop| stop.frames.len());
        let by = isize::try_from(by).unwrap_or(0);
        self.frame = self
            .frame
            .saturating_add_signed(by)
            .min(count.saturating_sub(1));
        self.select_current();
    }

    fn toggle(&mut self) {
        let Some((_, listing)) = self.listing() else {
            return;
        };
        let Some(instruction) = listing.instructions.get(self.line) else {
            return;
        };
        let at = &mut self.session.breaks.at;
        if !at.remove(&instruction.offset) {
            at.insert(instruction.offset);
        }
    }

    fn answer(&mut self) {
        let Some((prompt, text)) = self.prompt.take() else {
            return;
        };
        let text = text.trim();
        let done = match prompt {
            Prompt::Number => text.parse().ok().map(|number| self.session.jump(number)),
            Prompt::HostCall => text.parse().ok().map(|number| {
                self.session.go(Until::HostCall(number));
            }),
            Prompt::Function => self.stop_at(text),
            Prompt::Watch => watch(text).map(|watch| self.session.breaks.watched.push(watch)),
            Prompt::Memory => address(text).map(|address| {
                self.address = address - address % MEMORY_COLUMNS;
            }),
            Prompt::Search => self.search(text),
        };
        if done.is_none() {
            self.message = format!(
                "{}: {text:?} is not there, or means nothing",
                prompt.question()
            );
        }
    }

    fn stop_at(&mut self, name: &str) -> Option<()> {
        let function = self.symbols.code.find(name)?;
        let first = function
            .import
            .is_none()
            .then_some(function.instructions.start)?;
        self.message = format!("it stops at {}", self.symbols.function_name(function.index));
        self.session.breaks.at.insert(first);
        Some(())
    }

    /// Selects the next line that has a text.
    fn search(&mut self, text: &str) -> Option<()> {
        let (_, listing) = self.listing()?;
        let count = listing.instructions.len();
        let mut behind = (1..=count).map(|by| (self.line + by) % count);
        self.line = behind.find(|line| listing.instructions[*line].text.contains(text))?;
        Some(())
    }
}

fn watch(text: &str) -> Option<Watch> {
    let (start, length) = text.split_once(',').unwrap_or((text, "4"));
    let start = address(start)?;
    Some(Watch {
        memory: 0,
        range: start..start.checked_add(address(length)?)?,
    })
}

fn address(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
