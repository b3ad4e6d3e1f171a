//! More images, and ever new ones, of plugins that drew random numbers while they started.
//!
//! Copies of one image would all go on with the same numbers: a table's hash seed, a generator's
//! state. So a thread starts such a plugin again from time to time, in a VM that serves nobody, and
//! workers take their copies from several of its images. That is right only for a plugin whose state
//! does not change between requests: one with a timer, a queue or a call in flight keeps the one
//! image that its own VM has.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use weir_capsule::TapePrint;
use weir_guest::Snapshot;
use weir_guest::door::ContextId;
use weir_model::{Filter, Isolation, Seeding, limits};

use super::copies::Image;
use super::guest::{GuestSnapshot, VmMaker};
use super::slot::Slot;
use super::stats::Birth;
use super::{PluginError, RootSpec};
use crate::gateway::{Process, Shared};
use crate::world::WorldPrint;

/// How often the thread looks whether the process still needs it.
const LOOK: Duration = Duration::from_millis(200);
/// How often workers look for new images.
const ADOPTION: Duration = Duration::from_secs(2);
/// Pauses are at least so many times as long as the start before them: a twentieth of a processor.
const SPACING: u32 = 19;

/// The images of all plugins that need several, for all workers.
#[derive(Default)]
pub(crate) struct Nursery(Mutex<Vec<Entry>>);

/// One plugin.
struct Entry {
    /// Of its slot, on every worker.
    index: usize,
    filter: Arc<Filter>,
    specs: Vec<RootSpec>,
    images: Vec<Arc<SharedImage>>,
    seeding: Seeding,
    /// Images made so far.
    made: usize,
    /// When there is to be another one.
    due: Instant,
}

impl Entry {
    /// Takes a new image in, in the place of the oldest if there are enough.
    fn add(&mut self, image: Arc<SharedImage>) {
        let enough = self.seeding.images as usize;
        match self.images.get_mut(self.made % enough.max(1)) {
            Some(old) => *old = image,
            None => self.images.push(image),
        }
        self.made += 1;
        if self.images.len() < enough {
            self.due = Instant::now();
        }
    }
}

/// An image that goes from thread to thread.
struct SharedImage {
    snapshot: Snapshot,
    world: WorldPrint,
    roots: Vec<ContextId>,
    tape: Option<TapePrint>,
}

impl SharedImage {
    /// `None`: it lives in another process.
    fn of(image: &Image) -> Option<Self> {
        let GuestSnapshot::Here(snapshot) = &image.snapshot else {
            return None;
        };
        Some(Self {
            snapshot: snapshot.clone(),
            world: image.world.clone(),
            roots: image.roots.clone(),
            tape: image.tape.clone(),
        })
    }

    fn image(&self) -> Image {
        Image {
            snapshot: GuestSnapshot::Here(self.snapshot.clone()),
            world: self.world.clone(),
            roots: self.roots.clone(),
            tape: self.tape.clone(),
        }
    }
}

impl Nursery {
    /// Makes images of a plugin from now on.
    fn raise(process: &Arc<Process>, slot: &Slot, seeding: Seeding) {
        let mut entries = process.nursery.entries();
        if entries.iter().any(|entry| entry.index == slot.index()) {
            return;
        }
        let is_first = entries.is_empty();
        entries.push(Entry {
            index: slot.index(),
            filter: Arc::clone(slot.filter()),
            specs: slot.specs().to_vec(),
            images: Vec::new(),
            seeding,
            made: 0,
            due: Instant::now(),
        });
        drop(entries);
        tracing::info!(
            filter = %slot.filter().name,
            images = seeding.images,
            "the plugin drew random numbers while it started: requests get copies of several starts"
        );
        if is_first {
            let process = Arc::downgrade(process);
            let thread = std::thread::Builder::new()
                .name("weir-images".to_owned())
                .stack_size(limits::WORKER_STACK_BYTES)
                .spawn(move || work(&process));
            if let Err(error) = thread {
                tracing::warn!(%error, "no thread for more images of plugins");
            }
        }
    }

    fn images(&self, index: usize) -> Vec<Rc<Image>> {
        let entries = self.entries();
        let entry = entries.iter().find(|entry| entry.index == index);
        let images = entry.map_or(&[][..], |entry| &entry.images);
        images.iter().map(|image| Rc::new(image.image())).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Sees to more images, if the plugin needs them.
    pub(super) fn seek_images(&self) {
        let is_fit = self.with_guest(|guest| {
            // What is in a process can be given to no other worker, and ends with the process.
            let is_here = guest.vm.process().is_none();
            let world = guest.vm.world();
            is_here && world.is_seeded && world.is_at_rest()
        });
        let Isolation::Request(seeding) = self.filter().isolation else {
            return;
        };
        if is_fit != Some(true) {
            return;
        }
        Nursery::raise(&self.shared().process, self, seeding);
        let (this, index) = (self.this(), self.index());
        self.shared().spawn(async move {
            let own = match this.upgrade().as_deref().and_then(Self::copies) {
                Some(copies) => copies.images(),
                None => return,
            };
            loop {
                tokio::time::sleep(ADOPTION).await;
                let Some(slot) = this.upgrade() else { return };
                let mut images = slot.shared().process.nursery.images(index);
                let missing = (seeding.images as usize).saturating_sub(images.len());
                images.extend(own.iter().take(missing).cloned());
                slot.copies().inspect(|copies| copies.set_images(images));
            }
        });
    }
}

/// Makes images until the process ends.
fn work(process: &Weak<Process>) {
    loop {
        let began = Instant::now();
        {
            let Some(process) = process.upgrade() else {
                return;
            };
            add_image(&process);
        }
        let pause = began.elapsed().saturating_mul(SPACING).max(LOOK);
        let until = Instant::now() + pause;
        while Instant::now() < until {
            std::thread::sleep(LOOK);
            if process.strong_count() == 0 {
                return;
            }
        }
    }
}

/// Makes one more image of the plugin that has waited longest, if one is due.
fn add_image(process: &Arc<Process>) {
    let now = Instant::now();
    let wanted = {
        let mut entries = process.nursery.entries();
        let waiting = entries.iter_mut().filter(|entry| entry.due <= now);
        waiting.min_by_key(|entry| entry.due).map(|entry| {
            entry.due = now + entry.seeding.renewal;
            (entry.index, Arc::clone(&entry.filter), entry.specs.clone())
        })
    };
    let Some((index, filter, specs)) = wanted else {
        return;
    };
    let name = Arc::clone(&filter.name);
    let image = match start(process, (index, filter, specs)) {
        Ok(Some(image)) => Arc::new(image),
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(filter = %name, %error, "no further image of the plugin");
            return;
        }
    };
    let mut entries = process.nursery.entries();
    if let Some(entry) = entries.iter_mut().find(|entry| entry.index == index) {
        entry.add(image);
    }
}

/// Starts a plugin as a worker does, for its image. `None`: this start began something that is not
/// over.
fn start(
    process: &Arc<Process>,
    (index, filter, specs): (usize, Arc<Filter>, Vec<RootSpec>),
) -> Result<Option<SharedImage>, PluginError> {
    let failed = |error: String| PluginError::Start {
        filter: Arc::clone(&filter.name),
        error: weir_guest::StartError::Instantiate(error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let local = tokio::task::LocalSet::new();
    let image = local.block_on(&runtime, async {
        let (notices, _receiver) = mpsc::channel(1);
        let shared = Shared::new(Arc::clone(process), notices);
        let maker = VmMaker::new(&shared).map_err(|error| failed(error.to_string()))?;
        let slot = Slot::new(
            index,
            Arc::clone(&filter),
            specs,
            (&shared, &Rc::new(maker)),
        )?;
        slot.start(Birth::First).await?;
        let is_at_rest = slot.with_guest(|guest| guest.vm.world().is_at_rest());
        let images = slot.copies().map(super::copies::Copies::images);
        let image = images.and_then(|images| SharedImage::of(images.first()?));
        Ok(image.filter(|_| is_at_rest == Some(true)))
    });
    runtime.shutdown_background();
    image
}
