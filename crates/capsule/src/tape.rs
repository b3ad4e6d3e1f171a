//! What happens to one VM, as far back as it is needed to make the same VM again.
//!
//! A tape holds three things: the *start* (everything up to when the VM was configured), perhaps an
//! *image* of the VM at a later moment, and the *log* of what has happened since. Without an image
//! the log follows the start without a gap. When the log is full, whoever keeps the VM gives the tape
//! a new image, and the log begins again. Invariant: what a tape says can be replayed can be: a
//! record that is missing makes it [`Lost`].

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use weir_guest::Snapshot;
use weir_guest::door::{Answer, Call, ContextId, Event, Failure, Reply, Stop};
use weir_model::limits::capsule as limits;

use crate::record::{self, Open, Record, Told};

/// Why the records of a VM have no known beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// More happened than a tape holds, and the state of the module cannot be put into an image.
    NoImage,
    /// More happened within one event than a tape holds.
    Long,
    /// The image is in the plugin's process, and more happened there than a tape holds.
    Apart,
    /// The guest shares memory with others, which no record holds.
    Region,
    /// The image is larger than a file may hold.
    LargeImage,
}

impl Lost {
    const ALL: [Self; 5] = [
        Self::NoImage,
        Self::Long,
        Self::Apart,
        Self::Region,
        Self::LargeImage,
    ];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::NoImage => "no-image",
            Self::Long => "long",
            Self::Apart => "apart",
            Self::Region => "region",
            Self::LargeImage => "large-image",
        }
    }

    pub(crate) fn of(word: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|lost| lost.word().as_bytes() == word)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoImage => {
                "more happened than is recorded, and no image can be made of the module's state"
            }
            Self::Long => "more happened within one event than is recorded",
            Self::Apart => {
                "more happened in the plugin's process than is recorded, and its image is there"
            }
            Self::Region => "the guest shares pages of memory with others",
            Self::LargeImage => "the image of the VM is larger than a capsule may hold",
        })
    }
}

/// Room that the log of a copy keeps for its next exchange: there may be thousands of copies.
const KEPT_BYTES: usize = 16 << 10;

/// What happens to one VM.
#[derive(Debug)]
pub struct Tape {
    past: TapePrint,
    log: Vec<u8>,
    /// The last record, if its outcome is not known yet.
    open: Option<Open>,
    /// Bytes of the log from which on it wants an image.
    log_bytes: usize,
    has_started: bool,
    /// Nobody can make an image.
    is_without_images: bool,
    withheld: RefCell<Vec<String>>,
}

/// What came before a log: cheap to clone, so that every copy of a VM has it.
#[derive(Clone)]
pub struct TapePrint {
    start: Arc<[u8]>,
    image: Option<Snapshot>,
    lost: Option<Lost>,
}

/// What is needed to write a capsule.
#[derive(Clone, Debug)]
pub struct Taken {
    pub(crate) past: TapePrint,
    pub(crate) log: Vec<u8>,
    pub(crate) withheld: Vec<String>,
}

impl fmt::Debug for TapePrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapePrint")
            .field("start_bytes", &self.start.len())
            .field("image", &self.image.is_some())
            .field("lost", &self.lost)
            .finish()
    }
}

impl Tape {
    /// Of a VM that is about to start; its log is to have so many bytes.
    #[must_use]
    pub fn new(log_bytes: usize) -> Self {
        let past = TapePrint {
            start: Arc::from([]),
            image: None,
            lost: None,
        };
        Self {
            has_started: false,
            ..Self::of(past, log_bytes)
        }
    }

    /// Of a VM that has this behind it.
    #[must_use]
    pub fn of(past: TapePrint, log_bytes: usize) -> Self {
        Self {
            past,
            log: Vec::new(),
            open: None,
            log_bytes: log_bytes.min(limits::RECORD_BYTES_MAX),
            has_started: true,
            is_without_images: false,
            withheld: RefCell::default(),
        }
    }

    /// The VM is configured: what was recorded so far is kept.
    pub fn started(&mut self) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let start = std::mem::take(&mut self.log);
        self.open = None;
        if start.len() > limits::START_BYTES_MAX {
            self.past.lost = Some(Lost::Long);
        } else {
            self.past.start = start.into();
        }
    }

    /// Whether it is time for a new image of the VM, which must not be running.
    #[must_use]
    pub fn wants_image(&self) -> bool {
        let is_due = self.log.len() >= self.log_bytes || self.past.lost.is_some();
        is_due && self.has_started && !self.is_without_images
    }

    /// Bytes that were recorded since the last image, or the start.
    #[must_use]
    pub fn log_bytes(&self) -> usize {
        self.log.len()
    }

    /// From here on the VM is as this image has it. What was recorded before is not needed.
    pub fn set_image(&mut self, image: Snapshot) {
        self.clear();
        self.past.lost = None;
        self.past.image = Some(image);
    }

    /// There are no images of this VM.
    pub fn refuse_images(&mut self, why: Lost) {
        self.is_without_images = true;
        self.lose(why);
    }

    /// What came before now, for copies of the VM that are made of it as it is. `image` is its state,
    /// where that can be had.
    #[must_use]
    pub fn print(&self, image: Option<&Snapshot>) -> TapePrint {
        let mut past = self.past.clone();
        if past.image.is_none() && past.lost.is_none() {
            // Nothing is missing since the start, so no image is needed.
            let whole = past.start.len() + self.log.len();
            if whole <= limits::START_BYTES_MAX {
                if !self.log.is_empty() {
                    past.start = [&past.start[..], &self.log[..]].concat().into();
                }
                return past;
            }
        }
        past.image = image.cloned();
        past.lost = image.is_none().then_some(Lost::Apart);
        past
    }

    /// The VM was made what it was when this was printed.
    pub fn rewind(&mut self, past: &TapePrint) {
        self.clear();
        self.log.shrink_to(KEPT_BYTES);
        self.past.clone_from(past);
    }

    /// Takes what was recorded, for a capsule; nothing more will be recorded.
    pub fn take(&mut self) -> Taken {
        self.open = None;
        Taken {
            past: self.past.clone(),
            log: std::mem::take(&mut self.log),
            withheld: self.withheld.borrow().clone(),
        }
    }

    /// The same of a VM that goes on.
    #[must_use]
    pub fn copied(&self) -> Taken {
        Taken {
            past: self.past.clone(),
            log: self.log.clone(),
            withheld: self.withheld.borrow().clone(),
        }
    }

    /// Notes that the guest does not have a function or a callback.
    pub(crate) fn withhold(&self, name: &str) {
        let mut withheld = self.withheld.borrow_mut();
        if !withheld.iter().any(|known| known == name) {
            withheld.push(name.to_owned());
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        record::put_event(event, &mut self.log);
    }

    /// Records a call; its outcome is told by [`Tape::answered`].
    #[inline]
    pub(crate) fn asked(&mut self, call: &Call<'_>) -> Open {
        let record = self.log.len();
        let outcome_at = record::begin_call(call, &mut self.log);
        Open { record, outcome_at }
    }

    #[inline]
    pub(crate) fn answered(&mut self, open: Open, answer: &Result<Answer, Stop>) {
        let told = match answer {
            Ok(Answer::Ready(reply)) => {
                self.check(reply);
                Told::Reply(reply)
            }
            Ok(Answer::Pending(_)) => {
                self.open = Some(open);
                Told::Waiting
            }
            Err(stop) => Told::Stopped(stop),
        };
        record::put_outcome_at(open, told, &mut self.log);
        if self.log.len() > self.log_bytes {
            self.shorten();
        }
    }

    /// The reply that was pending is there.
    pub(crate) fn arrived(&mut self, reply: &Result<Reply, Stop>) {
        let Some(open) = self.open.take() else { return };
        let told = match reply {
            Ok(reply) => {
                self.check(reply);
                Told::Reply(reply)
            }
            Err(stop) => Told::Stopped(stop),
        };
        record::put_outcome_at(open, told, &mut self.log);
    }

    pub(crate) fn exceeded(&mut self, what: &str) {
        record::put_exceeded(what, &mut self.log);
    }

    pub(crate) fn returned(&mut self, outcome: &Result<i32, Failure>) {
        match outcome {
            Ok(result) => record::put_result(*result, &mut self.log),
            Err(failure) => {
                let (cause, place) = (failure.cause.to_string(), failure.trace.to_string());
                record::put_failed(failure.kind(), &cause, &place, &mut self.log);
            }
        }
    }

    /// The log is longer than it is to be: within an event there can be no image.
    #[cold]
    fn shorten(&mut self) {
        let most = if self.has_started {
            self.log_bytes.saturating_mul(2)
        } else {
            limits::START_BYTES_MAX
        };
        if self.log.len() > most {
            self.lose(Lost::Long);
        }
    }

    fn check(&mut self, reply: &Reply) {
        if !record::can_hold(reply) {
            self.is_without_images = true;
            self.past.lost = Some(Lost::Region);
        }
    }

    fn lose(&mut self, why: Lost) {
        self.clear();
        self.past.image = None;
        self.past.lost.get_or_insert(why);
    }

    fn clear(&mut self) {
        self.log.clear();
        self.open = None;
    }
}

impl TapePrint {
    /// What was recorded from the start of the VM on.
    pub(crate) fn start(&self) -> &[u8] {
        &self.start
    }

    pub(crate) fn image(&self) -> Option<&Snapshot> {
        self.image.as_ref()
    }

    pub(crate) fn lost(&self) -> Option<Lost> {
        self.lost
    }
}

impl Taken {
    /// The context of the last event.
    #[must_use]
    pub fn last_context(&self) -> ContextId {
        let last_of = |records| {
            record::split(records)
                .filter(|record| record::is_event(record))
                .last()
        };
        let last = last_of(&self.log[..]).or_else(|| last_of(self.past.start()));
        let record = last.map(|record| record::decode(&bytes::Bytes::copy_from_slice(record)));
        match record {
            Some(Ok(Record::Event(event))) => event.context(),
            _ => 0,
        }
    }

    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.log.len()
    }
}
