//! A VM that starts aside for a failed one, and those who wait for it.
//!
//! A start may take a large plugin a second or more. The worker goes on meanwhile; requests that need
//! the plugin wait, but not too many and not for too long: the others meet its policy. What the
//! guest began in its start (timers, callouts, notices of queues) happens once it has started, as if
//! it had been started on the worker.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use weir_guest::Program;
use weir_guest::door::ContextId;
use weir_model::{Isolation, OnFailure, limits};

use super::birth::{accept, start_events};
use super::fate::Attempt;
use super::{Admission, Guest, Slot};
use crate::plugin::aside::{Aside, Making};
use crate::plugin::guest::{GuestSnapshot, NewWorld};
use crate::plugin::stats::Birth;
use crate::plugin::{PluginError, RootSpec};
use crate::stream::{Order, StreamRef};
use crate::world::{LiveWorld, Root};

/// A start that goes on.
pub(super) struct Pending {
    began: Instant,
    /// Streams that wait for it, with their stage.
    waiting: Vec<(StreamRef, usize)>,
    /// Other things that do.
    held: usize,
    over: watch::Sender<()>,
}

/// A VM that has started elsewhere.
struct Raised {
    guest: Guest,
    program: Arc<Program>,
    cost: Duration,
}

impl Pending {
    fn has_room(&self) -> bool {
        self.waiting.len() + self.held < limits::START_WAITERS_MAX
    }
}

impl Slot {
    pub(in crate::plugin) fn is_starting(&self) -> bool {
        self.pending.borrow().is_some()
    }

    /// Whether the next VM can start while the worker does other things: on a thread of its own, if
    /// its state can come back from there, or here, if it may wait.
    pub(super) fn can_start_aside(&self) -> bool {
        self.copy_of().is_none()
            && !matches!(self.filter.isolation, Isolation::Process(_))
            && (self.line.is_some() || self.program.can_snapshot().is_ok())
    }

    /// Begins to start a VM aside, after a while.
    pub(super) fn start_aside(&self, delay: Duration) -> Attempt {
        let (over, gate) = watch::channel(());
        *self.pending.borrow_mut() = Some(Pending {
            began: Instant::now(),
            waiting: Vec::new(),
            held: 0,
            over,
        });
        let this = self.this();
        let task = self.shared.spawn(async move {
            let Some(slot) = this.upgrade() else { return };
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let mut raised = pin!(slot.raise(gate));
            let patience = limits::START_WAIT_MAX;
            let in_time = tokio::time::timeout(patience, raised.as_mut()).await;
            let outcome = if let Ok(outcome) = in_time {
                outcome
            } else {
                slot.turn_away();
                raised.await
            };
            slot.arrived(outcome);
        });
        if task.is_none() {
            self.pending.take();
            return Attempt::Wait(Duration::ZERO);
        }
        Attempt::Begun
    }

    /// A stream waits for the VM that starts, or meets the policy.
    pub(super) fn wait(&self, stream: &StreamRef, stage: usize) -> Admission {
        let mut pending = self.pending.borrow_mut();
        let Some(pending) = pending.as_mut() else {
            return self.without_vm();
        };
        let is_known = |known: &(StreamRef, usize)| Rc::ptr_eq(&known.0, stream);
        if pending.waiting.iter().any(is_known) {
            return Admission::Wait;
        }
        if !pending.has_room() || pending.began.elapsed() >= limits::START_WAIT_MAX {
            return self.without_vm();
        }
        pending.waiting.push((Rc::clone(stream), stage));
        Admission::Wait
    }

    /// Does something as soon as the VM that starts is there. `false`: too much waits for it.
    pub(super) fn after_start(&self, then: impl FnOnce(&Self) + 'static) -> bool {
        let mut pending = self.pending.borrow_mut();
        let Some(pending) = pending.as_mut().filter(|pending| pending.has_room()) else {
            return false;
        };
        pending.held += 1;
        let (this, mut gate) = (self.this(), pending.over.subscribe());
        let task = self.shared.spawn(async move {
            if gate.changed().await.is_ok()
                && let Some(slot) = this.upgrade()
            {
                then(&slot);
            }
        });
        task.is_some()
    }

    /// Starts a VM on a thread of its own. Its world is here, and what that begins waits.
    async fn raise(&self, gate: watch::Receiver<()>) -> Result<Raised, PluginError> {
        // It is never closed.
        let _turn = self.shared.starts.acquire().await;
        let began = Instant::now();
        let this = self.this.upgrade();
        let this = this.ok_or_else(|| PluginError::Unknown(self.filter.name.clone()))?;
        let world = LiveWorld::new(Rc::clone(&self.shared), &this).held(gate);
        let world = NewWorld::new(world, self.new_tape());
        if self.program.can_snapshot().is_err() {
            let (mut guest, program) = self.raise_here(world).await?;
            guest.vm.world().release();
            return Ok(Raised {
                guest,
                program,
                cost: began.elapsed(),
            });
        }
        let program = self.tier.current();
        let making = Making {
            engine: self.shared.process.engine.clone(),
            program: Arc::clone(&program),
            rules: Arc::clone(&self.rules),
            limits: self.filter.limits.clone(),
        };
        let start = Aside::start(making, world).await;
        let mut aside = start.map_err(|error| self.no_start(error))?;
        let mut roots = Vec::with_capacity(self.specs.len());
        for spec in &self.specs {
            let root = self.raise_root(&mut aside, spec).await;
            roots.push(root.inspect_err(|error| self.capture_start(aside.tape(), error))?);
        }
        let end = aside.end().await;
        let (snapshot, mut world) = end.map_err(|error| self.no_snapshot(error))?;
        world.world().release();
        let snapshot = GuestSnapshot::Here(snapshot);
        let vm = self
            .maker
            .start_from(&program, &snapshot, world, &self.filter)
            .map_err(|error| self.no_start(error))?;
        Ok(Raised {
            guest: Guest { vm, roots },
            program,
            cost: began.elapsed(),
        })
    }

    async fn raise_root(
        &self,
        aside: &mut Aside,
        spec: &RootSpec,
    ) -> Result<ContextId, PluginError> {
        let root = Root::new(Arc::clone(&spec.filter), spec.configuration.clone());
        let root = aside.world().add_root(root);
        for event in start_events(spec, root) {
            let result = aside.deliver(event, spec.filter.limits.start).await;
            accept((&event, result), &spec.filter, &self.meter)?;
        }
        Ok(root)
    }

    /// The start is over.
    fn arrived(&self, outcome: Result<Raised, PluginError>) {
        // What is made while nobody needs it any more is dropped.
        let settled = outcome.and_then(|raised| {
            if !self.rebuild.is_replaced() {
                self.settle(raised.guest, raised.program, Birth::Replacement)?;
            }
            Ok(raised.cost)
        });
        let Some(pending) = self.pending.take() else {
            return;
        };
        match settled {
            Ok(cost) => {
                self.begin_trial(cost);
                // Those who have gone do not hear it.
                let _ = pending.over.send(());
                for (stream, _) in pending.waiting {
                    stream.borrow_mut().wake();
                }
            }
            Err(error) => {
                self.start_failed(&error);
                self.refuse(pending.waiting);
            }
        }
    }

    /// The start takes too long: those who have waited for it meet the policy.
    fn turn_away(&self) {
        let waiting = self
            .pending
            .borrow_mut()
            .as_mut()
            .map(|pending| std::mem::take(&mut pending.waiting));
        self.refuse(waiting.unwrap_or_default());
    }

    fn refuse(&self, waiting: Vec<(StreamRef, usize)>) {
        for (stream, stage) in waiting {
            match self.filter.on_failure {
                OnFailure::Open => self.stats.bypassed(1),
                OnFailure::Reload | OnFailure::Closed => self.stats.refused(),
            }
            stream.borrow_mut().order(Order::Failed { stage });
        }
    }
}
