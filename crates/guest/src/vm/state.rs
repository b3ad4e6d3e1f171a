//! Taking a guest's state and putting it back.

use std::sync::Arc;

use wasmtime::{Global, Instance, Store, Val};
use weir_model::{GuestLimits, limits};

use super::{Host, StartError, Vm, refused};
use crate::cell::{Cell, Phase};
use crate::door::World;
use crate::image::Image;
use crate::memory::{Birth, Region, Seed, Written, faults};
use crate::program::Program;
use crate::snapshot::{Reset, Snapshot, SnapshotError, SnapshotRefusal, Value};

/// The parts of an instance that change while it runs.
pub(super) struct State {
    /// Of the module.
    identity: [u8; 32],
    refusal: Option<SnapshotRefusal>,
    /// The snapshot whose images are mapped, if it was taken of this VM.
    last: Option<Snapshot>,
    memories: Vec<Part>,
    globals: Vec<Global>,
    /// Whether this VM is made to be reset, with memories so large that asking the kernel which pages
    /// were written to costs more than asking after each event whether there can be new ones.
    notes_faults: bool,
}

/// Whether others have run on the thread between the beginning and the end of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    Alone,
    WithOthers,
}

/// A linear memory and the image that it maps.
struct Part {
    region: Arc<Region>,
    image: Arc<Image>,
    written: Written,
}

impl State {
    /// Of an instance whose memories were just made.
    pub(super) fn of<W: World>(
        program: &Program,
        instance: &Instance,
        store: &mut Store<Cell<W>>,
        (snapshot, birth): (&Snapshot, Birth),
    ) -> Result<Self, StartError> {
        let regions = birth.regions();
        let memories = regions
            .into_iter()
            .zip(snapshot.memories())
            .map(|(region, seed)| Part {
                region,
                image: Arc::clone(&seed.image),
                written: Written::default(),
            });
        let globals = program.exports.globals.iter().map(|export| {
            let global = instance.get_module_export(&mut *store, export);
            let global = global.and_then(wasmtime::Extern::into_global);
            global.ok_or_else(|| StartError::Instantiate("a global is missing".to_owned()))
        });
        Ok(Self {
            identity: *program.start_image.identity(),
            refusal: program.refusal.clone(),
            last: None,
            memories: memories.collect(),
            globals: globals.collect::<Result<_, _>>()?,
            notes_faults: false,
        })
    }

    /// Notes that the guest has run.
    pub(super) fn ran(&mut self, how: Ran) {
        // The faults of a thread are those of all that ran on it.
        if !self.notes_faults || how == Ran::WithOthers || faults::happened() {
            for part in &mut self.memories {
                part.written.forget();
            }
        }
    }

    /// Bytes of all memories.
    fn bytes(&self) -> u64 {
        let bytes = |part: &Part| part.region.bytes() as u64;
        self.memories.iter().map(bytes).sum()
    }
}

impl<W: World> Host<W> {
    /// Makes an instance that is in the state of a snapshot. Nothing of the guest runs.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the snapshot is another module's, memory is short or the limits are lower
    /// than what the snapshot needs.
    pub fn start_from(
        &self,
        program: &Program,
        snapshot: &Snapshot,
        world: W,
        limits: &GuestLimits,
    ) -> Result<Vm<W>, StartError> {
        can_start_from(program, snapshot, limits)?;
        let (mut vm, _) = self.make(program, snapshot, world, limits)?;
        vm.assume(snapshot)?;
        Ok(vm)
    }
}

/// Whether a VM of this program, with these limits, can be in the state of a snapshot.
pub(super) fn can_start_from(
    program: &Program,
    snapshot: &Snapshot,
    limits: &GuestLimits,
) -> Result<(), StartError> {
    if snapshot.identity() != program.start_image.identity() {
        return Err(StartError::Instantiate(
            "the snapshot is another module's".to_owned(),
        ));
    }
    if let Some(refusal) = &program.refusal {
        return Err(StartError::Instantiate(refusal.to_string()));
    }
    let bytes = snapshot.memory_bytes();
    if bytes > limits.memory_bytes {
        return Err(StartError::Instantiate(format!(
            "the snapshot has {bytes} bytes of memory, the limit is {}",
            limits.memory_bytes
        )));
    }
    Ok(())
}

impl<W: World> Vm<W> {
    /// The state of this guest, to start others from. If nothing changed since the last one, it is
    /// the last one.
    ///
    /// The guest itself goes on in the images of the snapshot, so that its state is in memory once.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] when the module can hide state, the guest has failed or memory is short.
    pub fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        if let Some(refusal) = &self.state.refusal {
            return Err(refusal.clone().into());
        }
        if self.has_failed {
            return Err(SnapshotError::Failed);
        }
        if self.store.data().mappings.any() {
            return Err(SnapshotError::Mapped);
        }
        let globals = self.state.globals.iter();
        // Only globals of plain types are exported to us.
        let globals = globals.filter_map(|global| Value::of(&global.get(&mut self.store)));
        let globals: Vec<_> = globals.collect();
        if let Some(last) = self
            .state
            .last
            .as_ref()
            .filter(|last| last.globals() == globals)
            && self
                .state
                .memories
                .iter()
                .all(|part| part.region.is_untouched())
        {
            return Ok(last.clone());
        }
        let memories = self.state.memories.iter().map(Part::seed);
        let memories = memories.collect::<std::io::Result<Vec<_>>>()?;
        for (part, seed) in self.state.memories.iter_mut().zip(&memories) {
            if let Err(error) = part.map(seed) {
                // Half of it may be another state than the other half.
                self.has_failed = true;
                return Err(error.into());
            }
        }
        let snapshot = Snapshot::of(self.state.identity, memories, Some(globals));
        self.state.last = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Puts the guest back into the state of a snapshot, which may be a newer one than the one that
    /// it was made from. Its world stays: see [`Vm::replace_world`].
    pub fn reset(&mut self, snapshot: &Snapshot) -> Reset {
        if self.has_failed {
            return Reset::Failed;
        }
        if *snapshot.identity() != self.state.identity || self.state.refusal.is_some() {
            return Reset::OtherModule;
        }
        let seeds = snapshot.memories();
        if self.unmap_all(seeds).is_err() {
            // Something of it may still be there.
            self.has_failed = true;
            return Reset::Refused;
        }
        let lengths = self.state.memories.iter().map(|part| part.region.bytes());
        if !lengths.eq(seeds.iter().map(|seed| seed.bytes)) {
            return Reset::OtherLength;
        }
        let mut parts = self.state.memories.iter_mut().zip(seeds);
        let restored = parts.try_for_each(|(part, seed)| part.restore(seed));
        if restored.is_err() || self.set_globals(snapshot).is_err() {
            // Half of it may be another state than the other half.
            self.has_failed = true;
            return Reset::Refused;
        }
        self.state.last = None;
        self.settle();
        Reset::Done
    }

    /// Ends all mappings, and makes the memory that they were in as short as a snapshot has it: the
    /// host, or the guest, may have grown it.
    fn unmap_all(&mut self, seeds: &[Seed]) -> std::io::Result<()> {
        let mappings = &mut self.store.data_mut().mappings;
        mappings.clear()?;
        let Some(region) = mappings.memory() else {
            return Ok(());
        };
        let mut parts = self.state.memories.iter_mut().zip(seeds);
        let part = parts.find(|(part, _)| Arc::ptr_eq(&part.region, region));
        let Some((part, seed)) = part.filter(|(part, seed)| part.region.bytes() > seed.bytes)
        else {
            return Ok(());
        };
        part.written.forget();
        #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
        // SAFETY: as in `Part::seed`; below, Wasmtime learns the new length before anything runs.
        unsafe {
            part.region.shrink(seed.bytes)?;
        }
        // Growing by nothing makes the engine ask for the length, which it keeps a copy of.
        let asked = self.memory.grow(&mut self.store, 0);
        if asked.is_err() || self.memory.data_size(&self.store) != seed.bytes {
            return Err(std::io::ErrorKind::Unsupported.into());
        }
        Ok(())
    }

    /// Gives the guest another world and returns the one that it had.
    pub fn replace_world(&mut self, world: W) -> W {
        std::mem::replace(&mut self.store.data_mut().world, world)
    }

    /// Makes a VM whose memories were made of a snapshot go on from there.
    pub(super) fn assume(&mut self, snapshot: &Snapshot) -> Result<(), StartError> {
        self.set_globals(snapshot).map_err(refused)?;
        self.state.notes_faults =
            self.state.bytes() >= limits::FAULTS_NOTED_BYTES_MIN && faults::are_counted();
        self.settle();
        Ok(())
    }

    fn set_globals(&mut self, snapshot: &Snapshot) -> wasmtime::Result<()> {
        let globals = self.state.globals.iter().zip(snapshot.globals());
        for (global, value) in globals {
            global.set(&mut self.store, Val::from(*value))?;
        }
        Ok(())
    }

    /// Forgets what the host noted about earlier calls.
    fn settle(&mut self) {
        let bytes = self.state.bytes();
        let cell = self.store.data_mut();
        cell.phase = Phase::Running;
        cell.broken = None;
        cell.cap.hold(bytes);
    }
}

impl Part {
    /// What a memory begins with that shall hold what this one holds now.
    fn seed(&self) -> std::io::Result<Seed> {
        #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
        // SAFETY: parts are used only while the VM that owns them is borrowed exclusively, so its
        // guest does not run and nobody has a reference into its memory.
        let image = unsafe { self.region.image(&self.image)? };
        Ok(Seed {
            image: Arc::new(image),
            bytes: self.region.bytes(),
        })
    }

    /// Makes the memory hold what a seed says, which is as long.
    fn restore(&mut self, seed: &Seed) -> std::io::Result<()> {
        if !Arc::ptr_eq(&self.image, &seed.image) {
            return self.map(seed);
        }
        #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
        // SAFETY: as in `Part::seed`.
        unsafe {
            self.region
                .restore(&self.image, limits::RESET_KEPT_BYTES_MAX, &mut self.written)
        }
    }

    /// Maps the image of a seed, whatever the memory held.
    fn map(&mut self, seed: &Seed) -> std::io::Result<()> {
        #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
        // SAFETY: as in `Part::seed`.
        unsafe {
            self.region.map(&seed.image)?;
        }
        self.written.forget();
        self.image = Arc::clone(&seed.image);
        Ok(())
    }
}
