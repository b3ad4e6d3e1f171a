//! Starting VMs.

use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;
use weir_capsule::Tape;
use weir_guest::door::ContextId;
use weir_guest::{Event, Failure, Program, SnapshotError, StartError};
use weir_model::{Filter, ModuleSource};

use super::{Guest, Slot};
use crate::plugin::guest::NewWorld;
use crate::plugin::stats::Birth;
use crate::plugin::{Meter, PluginError, RootSpec};
use crate::world::{LiveWorld, Root};

impl Slot {
    /// A slot for the same plugin, whose VM is to be started, in a life that no other slot had.
    pub(in crate::plugin) fn successor(&self) -> Result<Rc<Self>, PluginError> {
        let (filter, specs) = (Arc::clone(&self.filter), self.specs.clone());
        let slot = Self::new(self.index, filter, specs, (&self.shared, &self.maker))?;
        slot.life.set(self.life.get() + 1);
        slot.rebuild.begin();
        Ok(slot)
    }

    /// Starts a VM that does not wait.
    pub(in crate::plugin) fn start_at_once(&self, birth: Birth) -> Result<(), PluginError> {
        let mut start = pin!(self.start(birth));
        let mut context = Context::from_waker(Waker::noop());
        match start.as_mut().poll(&mut context) {
            Poll::Ready(started) => started,
            Poll::Pending => {
                let error = "its start would have to wait".to_owned();
                Err(self.no_start(StartError::Instantiate(error)))
            }
        }
    }

    /// Starts the VM: module, then per root context its creation, `vm_start` and `configure`. Only a
    /// guest that may wait does so.
    pub(in crate::plugin) async fn start(&self, birth: Birth) -> Result<(), PluginError> {
        if self.copies().is_some() {
            self.program
                .can_snapshot()
                .map_err(|refusal| self.no_snapshot(refusal.into()))?;
        }
        let unknown = || PluginError::Unknown(self.filter.name.clone());
        let this = self.this.upgrade().ok_or_else(unknown)?;
        let world = LiveWorld::new(Rc::clone(&self.shared), &this);
        let tape = self.new_tape();
        if self.line.is_none() {
            let (guest, program) = self.raise_here(NewWorld::new(world, tape)).await?;
            return self.settle(guest, program, birth);
        }
        // What the guest begins happens when it has started: others run while it waits.
        let (over, gate) = watch::channel(());
        let (mut guest, program) = self
            .raise_here(NewWorld::new(world.held(gate), tape))
            .await?;
        guest.vm.world().release();
        self.settle(guest, program, birth)?;
        let _ = over.send(());
        Ok(())
    }

    /// Makes a VM on this worker and starts it.
    pub(super) async fn raise_here(
        &self,
        world: NewWorld,
    ) -> Result<(Guest, Arc<Program>), PluginError> {
        let program = self.tier.current();
        let vm = self.maker.start(&program, world, &self.filter).await;
        let vm = vm.map_err(|error| self.no_start(error))?;
        let mut guest = Guest {
            vm,
            roots: Vec::with_capacity(self.specs.len()),
        };
        for spec in &self.specs {
            if let Err(error) = guest.start_root(spec, &self.meter).await {
                guest
                    .vm
                    .with_tape(|tape| self.capture_start(Some(tape), &error));
                return Err(error);
            }
        }
        Ok((guest, program))
    }

    /// A VM that has started takes its place.
    pub(super) fn settle(
        &self,
        mut guest: Guest,
        program: Arc<Program>,
        birth: Birth,
    ) -> Result<(), PluginError> {
        guest.vm.with_tape(Tape::started);
        self.put(guest, birth);
        *self.runs.borrow_mut() = program;
        if let Some(copies) = self.copies() {
            let first = self
                .first_image()
                .map_err(|error| self.no_snapshot(error))?;
            copies.set_images(vec![first]);
            self.tend_copies();
        }
        Ok(())
    }

    /// Streams can come.
    pub(in crate::plugin) fn put(&self, guest: Guest, birth: Birth) {
        if self.copy_of().is_none()
            && let Some(process) = guest.vm.process()
        {
            self.watch(&process);
        }
        self.note_memory(guest.vm.memory_bytes());
        self.stats.started(birth);
        *self.vm.borrow_mut() = Some(guest);
    }

    pub(super) fn no_start(&self, error: StartError) -> PluginError {
        PluginError::Start {
            filter: self.filter.name.clone(),
            error: self.meter.at_start(error, &self.filter.limits),
        }
    }

    pub(super) fn no_snapshot(&self, error: SnapshotError) -> PluginError {
        let modules = &self.shared.process.site.modules;
        let source = modules.get(&self.filter.module);
        PluginError::NoSnapshot {
            filter: self.filter.name.clone(),
            file: source.map_or_else(PathBuf::new, |module| {
                let ModuleSource::File(file) = &module.source;
                file.clone()
            }),
            error,
        }
    }
}

impl Guest {
    async fn start_root(&mut self, spec: &RootSpec, meter: &Meter) -> Result<(), PluginError> {
        let root = Root::new(Arc::clone(&spec.filter), spec.configuration.clone());
        let root = self.vm.world().add_root(root);
        self.roots.push(root);
        for event in start_events(spec, root) {
            let limit = spec.filter.limits.start;
            let result = self.vm.deliver_in_time(&event, limit).await;
            accept((&event, result), &spec.filter, meter)?;
        }
        Ok(())
    }
}

/// What a root context is told at its start.
pub(super) fn start_events(spec: &RootSpec, root: ContextId) -> [Event; 3] {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [
        Event::ContextCreate {
            context: root,
            parent: 0,
        },
        Event::VmStart {
            root,
            size: size(&spec.filter.vm_configuration),
        },
        Event::Configure {
            root,
            size: size(&spec.configuration),
        },
    ]
}

/// What a start callback's result means.
pub(super) fn accept(
    (event, result): (&Event, Result<i32, Failure>),
    filter: &Filter,
    meter: &Meter,
) -> Result<(), PluginError> {
    let (name, callback) = (&filter.name, event.callback());
    let result = result.map_err(|failure| PluginError::Callback {
        filter: name.clone(),
        callback,
        failure: meter.in_start(failure, &filter.limits),
    })?;
    if result == 0 && !matches!(event, Event::ContextCreate { .. }) {
        return Err(PluginError::Refused {
            filter: name.clone(),
            callback,
        });
    }
    Ok(())
}
