//! A new VM beside one that works: because the plugin asked for it (Higress's `wasm_need_rebuild`;
//! Go's memory never shrinks), or because the operator has VMs recycled.
//!
//! The slot that chains know stays where it is and names an heir, which new streams go to. A slot
//! that has an heir is retired: its VM ends with its last stream.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::copies::Copies;
use super::stats::Birth;
use super::{PluginError, Remark, Slot, Ticket};
use crate::stream::StreamRef;

/// The shortest life of a VM that was made this way: a plugin that asks at every request must not
/// get a VM for each.
const REBUILD_INTERVAL: Duration = Duration::from_secs(1);

/// Why a VM that works is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The plugin asked for it.
    Asked,
    /// It has served its time.
    Old,
}

/// What a slot knows about its replacement.
#[derive(Default)]
pub(super) struct Rebuild {
    wanted: Cell<Option<Reason>>,
    is_retired: Cell<bool>,
    /// When it took over; `None`: it was the first.
    born: Cell<Option<Instant>>,
    heir: RefCell<Option<Rc<Slot>>>,
    /// An heir starts, and waits.
    is_succeeded: Cell<bool>,
}

impl Rebuild {
    /// The slot takes over.
    pub(super) fn begin(&self) {
        self.born.set(Some(Instant::now()));
    }

    /// Whether new streams go to another slot.
    pub(super) fn is_replaced(&self) -> bool {
        self.is_retired.get() || self.heir.borrow().is_some()
    }

    fn is_due(&self) -> bool {
        let is_old = || {
            let born = self.born.get();
            born.is_none_or(|born| born.elapsed() >= REBUILD_INTERVAL)
        };
        self.wanted.get().is_some() && is_old()
    }
}

impl Slot {
    /// The plugin wants a new VM for the streams to come.
    pub(crate) fn rebuild_soon(&self) {
        self.rebuild().wanted.set(Some(Reason::Asked));
    }

    /// The VM has served its time.
    pub(super) fn recycle_soon(&self) {
        let wanted = &self.rebuild().wanted;
        wanted.set(wanted.get().or(Some(Reason::Old)));
    }

    /// The slot that new streams of this one go to, if it is another one. Makes it if it is due. To
    /// be asked of slots in chains only.
    pub(crate) fn heir(&self) -> Option<Rc<Slot>> {
        let known = self.newest();
        let newest = known.as_deref().unwrap_or(self);
        if !newest.rebuild().is_due() {
            return known;
        }
        if newest.may_wait() {
            self.succeed_later(newest, Self::tell_of_heir);
            return known;
        }
        let outcome = self.succeed(newest);
        self.tell_of_heir(newest, outcome.as_ref().err());
        outcome.ok().or(known)
    }

    /// Says what came of a new VM that was due.
    fn tell_of_heir(&self, newest: &Self, error: Option<&PluginError>) {
        if let Some(error) = error {
            newest.rebuild().wanted.set(None);
            self.meter().remark(Remark::NoNewVm, |filter, untold| {
                tracing::error!(filter, untold, %error, "the plugin was to get a new VM, which did not start");
            });
            return;
        }
        match newest.rebuild().wanted.get() {
            Some(Reason::Asked) => {
                self.meter().remark(Remark::NewVm, |filter, untold| {
                    tracing::info!(filter, untold, "the plugin gets a new VM, as it asked");
                });
            }
            Some(Reason::Old) | None => {
                tracing::debug!(filter = %self.filter().name, "the plugin gets a new VM: the old one has served its time");
            }
        }
    }

    /// Puts a new VM in the place of the newest one of this slot, which is in chains.
    pub(super) fn succeed(&self, newest: &Self) -> Result<Rc<Self>, PluginError> {
        let heir = newest.successor()?;
        heir.start_at_once(Birth::Recycling)?;
        self.hand_over(newest, &heir);
        Ok(heir)
    }

    /// The same for a VM whose start may wait: streams go to the one that is there until then.
    pub(super) fn succeed_later(
        &self,
        newest: &Self,
        told: fn(&Self, &Self, Option<&PluginError>),
    ) {
        if self.rebuild().is_succeeded.replace(true) {
            return;
        }
        let (Some(this), Some(newest)) = (self.this().upgrade(), newest.this().upgrade()) else {
            return;
        };
        self.shared().spawn(async move {
            let outcome = match newest.successor() {
                Ok(heir) => heir.start(Birth::Recycling).await.map(|()| heir),
                Err(error) => Err(error),
            };
            this.rebuild().is_succeeded.set(false);
            if let Ok(heir) = &outcome {
                this.hand_over(&newest, heir);
            }
            told(&this, &newest, outcome.as_ref().err());
        });
    }

    fn hand_over(&self, newest: &Self, heir: &Rc<Self>) {
        *self.rebuild().heir.borrow_mut() = Some(Rc::clone(heir));
        newest.rebuild().is_retired.set(true);
        newest.end_if_retired();
    }

    /// The heir as it is.
    pub(crate) fn newest(&self) -> Option<Rc<Slot>> {
        self.rebuild().heir.borrow().clone()
    }

    /// A retired VM that nobody uses is told to end, and does.
    pub(super) fn end_if_retired(&self) {
        if !self.rebuild().is_retired.get() || self.is_in_use() || self.is_busy() {
            return;
        }
        self.drain_here();
        if !self.has_ending_root() && !self.is_busy() {
            self.end_vm();
        }
    }

    /// Lets an access-log plugin see a stream that is complete. What comes along waits for it.
    pub(crate) fn log(&self, root: usize, stream: &StreamRef) -> Option<Ticket> {
        let heir = self.heir();
        let slot = heir.as_deref().unwrap_or(self);
        let Some(copies) = slot.copies() else {
            return slot.log_here(root, stream)?.pending();
        };
        let copy = slot.copy(copies)?;
        let told = copy.log_here(root, stream);
        copy.leave_copy();
        told?.pending()
    }

    /// The worker drains: every root is told; those that need more time say `proxy_done` later.
    pub(crate) fn drain(&self) {
        self.drain_here();
        if let Some(heir) = self.newest() {
            heir.drain_here();
        }
    }

    /// Whether a root has been told to end and has not yet, or a guest is to return.
    pub(crate) fn is_ending(&self) -> bool {
        let is_ending = |slot: &Self| slot.has_ending_root() || slot.has_busy_guest();
        is_ending(self) || self.newest().is_some_and(|heir| is_ending(&heir))
    }

    /// Whether a guest of this slot, or of a copy of it, waits.
    fn has_busy_guest(&self) -> bool {
        let is_copy_busy = |copies: &Copies| copies.everyone().iter().any(|copy| copy.is_busy());
        self.may_wait() && (self.is_busy() || self.copies().is_some_and(is_copy_busy))
    }
}
