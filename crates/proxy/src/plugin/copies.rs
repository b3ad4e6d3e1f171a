//! Copies of a VM, one for each stream (`isolation: request`).
//!
//! The slot that chains know keeps the VM that was started and configured: its timers, queues and
//! callouts run there, and no stream ever does. A stream gets a copy of what that VM was at its last
//! snapshot. A copy that its stream has left is put back into that state and serves another one.
//! Invariant: nothing that a stream did to a copy is there when the next stream comes.

mod renewal;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use weir_capsule::TapePrint;
use weir_guest::door::ContextId;
use weir_guest::{Reset, StartError};
use weir_model::{Limit, limits};

use super::guest::{GuestSnapshot, NewWorld};
use super::slot::{Guest, Slot};
use super::stats::Birth;
use crate::world::{LiveWorld, WorldPrint};
pub(super) use renewal::Renewal;

/// What copies are made from.
pub(crate) struct Image {
    pub(super) snapshot: GuestSnapshot,
    pub(super) world: WorldPrint,
    /// Ids of the root contexts, in the order of the slot's roots.
    pub(super) roots: Vec<ContextId>,
    /// What came before it, if that is recorded.
    pub(super) tape: Option<TapePrint>,
}

impl Image {
    /// Whether copies of the other one are copies of this one.
    fn is_same(&self, other: &Self) -> bool {
        // What a root event changed may be on the host's side only.
        if !self.world.is_same(&other.world) {
            return false;
        }
        match (&self.snapshot, &other.snapshot) {
            (GuestSnapshot::Here(one), GuestSnapshot::Here(other)) => one.is_same(other),
            // They are made anew for each renewal.
            (GuestSnapshot::Here(_) | GuestSnapshot::Apart(_), _) => false,
        }
    }
}

/// The copies of one slot's VM.
pub(super) struct Copies {
    /// One for each image. Never empty once the slot has started.
    families: RefCell<Vec<Family>>,
    /// Those whose stream has ended while they wait for answers.
    lingering: RefCell<Vec<Rc<Slot>>>,
    /// Every copy that is there, and some that were.
    everyone: RefCell<Vec<Weak<Slot>>>,
    live: Rc<Cell<u32>>,
    cleaner: Rc<Notify>,
    is_tended: Cell<bool>,
    pub(super) renewal: Renewal,
}

/// An image and the copies of it that no stream uses.
struct Family {
    image: Rc<Image>,
    clean: Vec<Rc<Slot>>,
    /// To be reset.
    dirty: Vec<Rc<Slot>>,
    /// The least that `clean` held since the last look: what was not needed.
    spare: usize,
}

/// What makes a slot the place of a copy.
pub(super) struct CopyOf {
    origin: Weak<Slot>,
    image: RefCell<Rc<Image>>,
    live: Rc<Cell<u32>>,
    /// No stream uses it.
    is_left: Cell<bool>,
}

impl Drop for CopyOf {
    fn drop(&mut self) {
        self.live.set(self.live.get().saturating_sub(1));
    }
}

impl CopyOf {
    pub(super) fn origin(&self) -> Option<Rc<Slot>> {
        self.origin.upgrade()
    }
}

impl Copies {
    pub(super) fn new() -> Self {
        Self {
            families: RefCell::default(),
            lingering: RefCell::default(),
            everyone: RefCell::default(),
            live: Rc::default(),
            cleaner: Rc::default(),
            is_tended: Cell::new(false),
            renewal: Renewal::default(),
        }
    }

    /// There is a new copy.
    fn note(&self, copy: &Rc<Slot>) {
        let mut everyone = self.everyone.borrow_mut();
        if everyone.len() == everyone.capacity() {
            everyone.retain(|copy| copy.strong_count() > 0);
        }
        everyone.push(Rc::downgrade(copy));
    }

    /// Every copy that is there.
    pub(super) fn everyone(&self) -> Vec<Rc<Slot>> {
        let everyone = self.everyone.borrow();
        everyone.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether there is nothing to make copies from.
    pub(super) fn is_without_image(&self) -> bool {
        self.families.borrow().is_empty()
    }

    /// What copies are made from is gone, with every copy.
    pub(super) fn forget_images(&self) {
        let gone = self.families.take();
        drop(gone);
    }

    /// From now on copies are made from these.
    pub(super) fn set_images(&self, images: Vec<Rc<Image>>) {
        let mut families = self.families.borrow_mut();
        families.truncate(images.len());
        for (index, image) in images.into_iter().enumerate() {
            match families.get_mut(index) {
                Some(family) if family.image.is_same(&image) => {}
                Some(family) => {
                    family.image = image;
                    // They are of the image before.
                    family.dirty.append(&mut family.clean);
                }
                None => families.push(Family {
                    image,
                    clean: Vec::new(),
                    dirty: Vec::new(),
                    spare: 0,
                }),
            }
        }
        drop(families);
        self.cleaner.notify_one();
    }

    /// What copies are made from.
    pub(super) fn images(&self) -> Vec<Rc<Image>> {
        let families = self.families.borrow();
        families
            .iter()
            .map(|family| Rc::clone(&family.image))
            .collect()
    }

    /// A copy that is ready, of an image that is picked by chance.
    fn take(&self) -> Taken {
        let mut families = self.families.borrow_mut();
        let count = families.len();
        let index = if count < 2 { 0 } else { chance(count) };
        let Some(family) = families.get_mut(index) else {
            return Taken::Nothing;
        };
        if let Some(copy) = family.clean.pop() {
            family.spare = family.spare.min(family.clean.len());
            return Taken::Clean(copy);
        }
        family.spare = 0;
        match family.dirty.pop() {
            Some(copy) => Taken::Dirty(copy, Rc::clone(&family.image)),
            None => Taken::Image(Rc::clone(&family.image)),
        }
    }

    /// A copy that is to be reset, with the image for it.
    fn next_dirty(&self) -> Option<(Rc<Slot>, Rc<Image>)> {
        let mut families = self.families.borrow_mut();
        families.iter_mut().find_map(|family| {
            let copy = family.dirty.pop()?;
            Some((copy, Rc::clone(&family.image)))
        })
    }

    fn keep_clean(&self, copy: Rc<Slot>, image: &Rc<Image>) {
        let mut families = self.families.borrow_mut();
        let family = families
            .iter_mut()
            .find(|family| Rc::ptr_eq(&family.image, image));
        // If not: its image is gone, and with it the copy.
        if let Some(family) = family
            && family.clean.len() < limits::IDLE_COPIES_MAX
        {
            family.clean.push(copy);
        }
    }

    fn keep_dirty(&self, copy: Rc<Slot>, image: &Rc<Image>) {
        let mut families = self.families.borrow_mut();
        let of_image = families
            .iter()
            .position(|family| Rc::ptr_eq(&family.image, image));
        // A copy of an image that is gone can become one of another.
        if let Some(family) = families.get_mut(of_image.unwrap_or(0)) {
            family.dirty.push(copy);
        }
        drop(families);
        self.cleaner.notify_one();
    }

    /// There is better code: copies that no stream uses are made anew.
    pub(super) fn follow_code(&self) {
        for family in self.families.borrow_mut().iter_mut() {
            family.dirty.append(&mut family.clean);
        }
        self.cleaner.notify_one();
    }

    /// Drops the copies that nobody has needed since the last time.
    fn trim(&self) {
        for family in self.families.borrow_mut().iter_mut() {
            let kept = family.clean.len() - family.spare.min(family.clean.len());
            family.clean.truncate(kept);
            family.spare = family.clean.len();
        }
    }

    fn has_clean(&self) -> bool {
        let families = self.families.borrow();
        families.iter().any(|family| !family.clean.is_empty())
    }
}

/// What there is for a stream.
enum Taken {
    Clean(Rc<Slot>),
    Dirty(Rc<Slot>, Rc<Image>),
    Image(Rc<Image>),
    Nothing,
}

impl Slot {
    /// A copy for a stream; `None`: there are as many as there may be.
    pub(super) fn copy(&self, copies: &Copies) -> Option<Rc<Self>> {
        loop {
            match copies.take() {
                Taken::Clean(copy) => return Some(copy.given_out()),
                Taken::Dirty(copy, image) => {
                    if copy.reset(&image) {
                        return Some(copy.given_out());
                    }
                }
                Taken::Image(image) => return self.make_copy(copies, &image),
                Taken::Nothing => return None,
            }
        }
    }

    /// A stream is going to use it.
    fn given_out(self: Rc<Self>) -> Rc<Self> {
        self.copy_of().inspect(|copy| copy.is_left.set(false));
        self
    }

    fn make_copy(&self, copies: &Copies, image: &Rc<Image>) -> Option<Rc<Self>> {
        if copies.live.get() >= self.filter().limits.instances {
            self.stats().exhausted();
            let limit = self.filter().limits.exceeded(Limit::Instances);
            self.meter().hit(limit, "a request got no copy");
            return None;
        }
        copies.live.set(copies.live.get() + 1);
        let role = CopyOf {
            origin: self.this(),
            image: RefCell::new(Rc::clone(image)),
            live: Rc::clone(&copies.live),
            is_left: Cell::new(false),
        };
        let copy = self.place_for_copy(role);
        let shared = Rc::clone(self.shared());
        let world = LiveWorld::of_copy(shared, &copy, &image.world);
        let world = NewWorld::new(world, copy.copied_tape(image.tape.as_ref()));
        let made = self
            .maker()
            .start_from(&copy.running(), &image.snapshot, world, self.filter());
        match made {
            Ok(vm) => {
                let roots = image.roots.clone();
                copy.put(Guest { vm, roots }, Birth::Copy);
                copies.note(&copy);
                Some(copy)
            }
            Err(error) => {
                match &error {
                    StartError::Process(why) => self.lost_image(why),
                    _ => copy.report_no_copy(&error),
                }
                None
            }
        }
    }

    /// Puts a copy into the state of an image. `false`: it is of no use any more.
    fn reset(&self, image: &Rc<Image>) -> bool {
        let Some(copy) = self.copy_of() else {
            return false;
        };
        // The next one will run better code.
        if self.is_outdated() || self.is_busy() {
            return false;
        }
        let is_reset = self.with_guest(|guest| {
            let is_reset = guest.vm.reset(&image.snapshot) == Reset::Done;
            if is_reset {
                guest.vm.world().restore(&image.world);
                guest.roots.clone_from(&image.roots);
                if let Some(print) = &image.tape {
                    guest.vm.with_tape(|tape| tape.rewind(print));
                }
            }
            is_reset
        });
        copy.image.replace(Rc::clone(image));
        is_reset == Some(true)
    }

    /// A copy whose stream has ended goes back to the others, unless it waits for answers.
    pub(super) fn leave_copy(&self) {
        let (Some(copy), Some(this)) = (self.copy_of(), self.this().upgrade()) else {
            return;
        };
        // Whatever waits for its guest comes first.
        if copy.is_left.get() || self.is_busy() {
            return;
        }
        let Some(origin) = copy.origin() else { return };
        let Some(copies) = origin.copies() else {
            return;
        };
        let state = self.with_guest(|guest| {
            let world = guest.vm.world();
            (world.has_streams(), world.awaits_answers())
        });
        let mut lingering = copies.lingering.borrow_mut();
        let place = lingering.iter().position(|other| Rc::ptr_eq(other, &this));
        match (state, place) {
            (Some((true, _)), _) | (Some((false, true)), Some(_)) | (None, None) => {}
            (Some((false, true)), None) => lingering.push(this),
            (Some((false, false)), place) => {
                if let Some(place) = place {
                    lingering.swap_remove(place);
                }
                drop(lingering);
                copy.is_left.set(true);
                self.end_life();
                let image = Rc::clone(&copy.image.borrow());
                copies.keep_dirty(this, &image);
            }
            (None, Some(place)) => drop(lingering.swap_remove(place)),
        }
    }

    /// Resets copies as soon as whoever used them has gone on, and ends those that nobody needs.
    pub(super) fn tend_copies(&self) {
        let Some(copies) = self.copies() else { return };
        if copies.is_tended.replace(true) {
            return;
        }
        let (this, cleaner) = (self.this(), Rc::clone(&copies.cleaner));
        self.shared().spawn(async move {
            let mut trim_at = Instant::now() + TRIM_INTERVAL;
            loop {
                let is_idle = match this.upgrade().as_deref().and_then(Self::copies) {
                    Some(copies) => !copies.has_clean(),
                    None => return,
                };
                if is_idle {
                    cleaner.notified().await;
                } else if tokio::time::timeout_at(trim_at, cleaner.notified())
                    .await
                    .is_err()
                {
                    trim_at = Instant::now() + TRIM_INTERVAL;
                    if let Some(slot) = this.upgrade() {
                        slot.copies().inspect(|copies| copies.trim());
                    }
                    continue;
                }
                // The answer of whoever left a copy goes out first.
                tokio::task::yield_now().await;
                if let Some(slot) = this.upgrade() {
                    slot.clean();
                }
            }
        });
    }

    fn clean(&self) {
        let Some(copies) = self.copies() else { return };
        while let Some((copy, image)) = copies.next_dirty() {
            if copy.reset(&image) {
                copies.keep_clean(copy, &image);
            }
        }
    }
}

/// How long a copy that nobody needs is kept at least.
const TRIM_INTERVAL: Duration = Duration::from_secs(5);

/// A number below `count`, which need not be unpredictable.
fn chance(count: usize) -> usize {
    use std::hash::{BuildHasher, RandomState};
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0) | 1);
    }
    STATE.with(|state| {
        // xorshift64
        let mut number = state.get();
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        state.set(number);
        usize::try_from(number % count as u64).unwrap_or(0)
    })
}
