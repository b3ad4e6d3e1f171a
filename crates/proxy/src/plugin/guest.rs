//! A VM in this process or in one of its own: slots do not see the difference.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use weir_guest::apart::{ApartSnapshot, ApartVm, PluginProcess, Refuge};
use weir_guest::{Event, Failure, Host, Program, Reset, Snapshot, SnapshotError, StartError, Vm};
use weir_model::{Filter, Inside, Isolation};

use super::Slot;
use crate::gateway::Shared;
use crate::world::LiveWorld;

/// Where VMs of one worker are made.
pub(crate) struct VmMaker {
    host: Host<LiveWorld>,
    shared: Rc<Shared>,
}

/// A VM and its world.
pub(super) enum GuestVm {
    Here(Box<Vm<LiveWorld>>),
    Apart(Box<ApartVm<LiveWorld>>),
}

/// The state of a VM.
#[derive(Clone)]
pub(super) enum GuestSnapshot {
    Here(Snapshot),
    Apart(ApartSnapshot),
}

impl VmMaker {
    pub(super) fn new(shared: &Rc<Shared>) -> Result<Self, StartError> {
        Ok(Self {
            host: Host::new(&shared.process.engine)?,
            shared: Rc::clone(shared),
        })
    }

    /// Starts a VM, in a new process if the filter wants one.
    pub(super) fn start(
        &self,
        program: &Program,
        world: LiveWorld,
        filter: &Arc<Filter>,
    ) -> Result<GuestVm, StartError> {
        let Isolation::Process(apart) = filter.isolation else {
            let vm = self.host.start(program, world, &filter.limits)?;
            return Ok(GuestVm::Here(Box::new(vm)));
        };
        let refuge = Refuge {
            user: apart.user,
            vms: match apart.inside {
                Inside::Plugin => 1,
                Inside::Request => filter.limits.instances.saturating_add(1),
            },
        };
        let launcher = &self.shared.process.launcher;
        let process = launcher.launch(program, &filter.limits, refuge)?;
        self.shared
            .process
            .note_walls(&filter.name, &process.walls());
        Ok(GuestVm::Apart(Box::new(process.start(world)?)))
    }

    /// Makes a VM in the state of a snapshot, where that is.
    pub(super) fn start_from(
        &self,
        program: &Program,
        snapshot: &GuestSnapshot,
        world: LiveWorld,
        filter: &Filter,
    ) -> Result<GuestVm, StartError> {
        match snapshot {
            GuestSnapshot::Here(snapshot) => {
                let vm = self
                    .host
                    .start_from(program, snapshot, world, &filter.limits)?;
                Ok(GuestVm::Here(Box::new(vm)))
            }
            GuestSnapshot::Apart(snapshot) => Ok(GuestVm::Apart(Box::new(snapshot.start(world)?))),
        }
    }
}

impl GuestVm {
    pub(super) fn deliver(&mut self, event: &Event, limit: Duration) -> Result<i32, Failure> {
        match self {
            Self::Here(vm) => vm.deliver(event, limit),
            Self::Apart(vm) => vm.deliver(event, limit),
        }
    }

    pub(super) fn world(&mut self) -> &mut LiveWorld {
        match self {
            Self::Here(vm) => vm.world(),
            Self::Apart(vm) => vm.world(),
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        match self {
            Self::Here(vm) => vm.memory_bytes(),
            Self::Apart(vm) => vm.memory_bytes(),
        }
    }

    pub(super) fn snapshot(&mut self) -> Result<GuestSnapshot, SnapshotError> {
        match self {
            Self::Here(vm) => vm.snapshot().map(GuestSnapshot::Here),
            Self::Apart(vm) => vm.snapshot().map(GuestSnapshot::Apart),
        }
    }

    pub(super) fn reset(&mut self, snapshot: &GuestSnapshot) -> Reset {
        match (self, snapshot) {
            (Self::Here(vm), GuestSnapshot::Here(snapshot)) => vm.reset(snapshot),
            (Self::Apart(vm), GuestSnapshot::Apart(snapshot)) => vm.reset(snapshot),
            // A filter's VMs are all here or all there.
            (Self::Here(_), GuestSnapshot::Apart(_)) | (Self::Apart(_), GuestSnapshot::Here(_)) => {
                Reset::OtherModule
            }
        }
    }

    /// Whether it did what its end does not undo, for all that is known.
    pub(super) fn has_acted(&self) -> bool {
        match self {
            // Nobody looks.
            Self::Here(_) => true,
            Self::Apart(vm) => vm.has_acted(),
        }
    }

    /// The process that it runs in; `None`: this one.
    pub(super) fn process(&self) -> Option<PluginProcess> {
        match self {
            Self::Here(_) => None,
            Self::Apart(vm) => Some(vm.process()),
        }
    }
}

impl Slot {
    /// Hears of the end of a VM's process though nobody asks the VM anything.
    pub(super) fn watch(&self, process: &PluginProcess) {
        let notice = process.end_notice().and_then(|notice| {
            notice.set_nonblocking(true)?;
            UnixStream::from_std(notice)
        });
        let notice = match notice {
            Ok(notice) => notice,
            Err(error) => {
                // Its end is noticed by the next event.
                tracing::warn!(filter = %self.filter().name, %error, "a plugin's process is not watched");
                return;
            }
        };
        let (this, process) = (self.this(), process.downgrade());
        self.shared().spawn(async move {
            if notice.readable().await.is_err() {
                return;
            }
            if let (Some(slot), Some(process)) = (this.upgrade(), process.upgrade()) {
                slot.process_ended(&process);
            }
        });
    }
}
