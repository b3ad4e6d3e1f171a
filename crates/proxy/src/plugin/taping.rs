//! What slots record, and of what they make capsules.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use weir_capsule::{Head, ModuleId, RootHead, RunLimits, Start, Taken, Tape, TapePrint, Trigger};
use weir_guest::FailureKind;
use weir_guest::door::ContextId;
use weir_model::limits::capsule as limits;
use weir_model::{CAPTURE_HEADER, Inside, Isolation, Recording};

use super::slot::Slot;
use super::{PluginError, RootSpec};
use crate::capsules::{Capsules, Job, module_path};
use crate::message::Side;
use crate::stream::StreamRef;

impl Slot {
    fn recording(&self) -> Option<(&Recording, &Capsules)> {
        let recording = self.filter().recording.as_ref()?;
        Some((recording, self.shared().process.capsules.as_ref()?))
    }

    /// The tape of a VM that is about to start.
    pub(super) fn new_tape(&self) -> Option<Tape> {
        let (recording, _) = self.recording()?;
        Some(Tape::new(recording.log_bytes))
    }

    /// The tape of a copy that has this behind it.
    pub(super) fn copied_tape(&self, print: Option<&TapePrint>) -> Option<Tape> {
        let (recording, _) = self.recording()?;
        Some(Tape::of(print?.clone(), recording.log_bytes))
    }

    /// A stream has got a context: perhaps there is to be a capsule of it.
    pub(super) fn consider_capture(&self, context: ContextId, stream: &StreamRef) {
        let Some((recording, capsules)) = self.recording() else {
            return;
        };
        if !recording.captures() {
            return;
        }
        let asks = || {
            let stream = stream.borrow();
            let said = stream
                .request
                .headers
                .first(CAPTURE_HEADER.as_bytes(), Side::Request);
            said.is_some_and(|said| capsules.is_secret(said.as_bytes()))
        };
        let trigger = if recording.header && asks() {
            Trigger::Header
        } else if recording.always {
            Trigger::Always
        } else if let Some(of) = recording.sample
            && self.stats().is_sample(of)
        {
            Trigger::Sample(of)
        } else {
            return;
        };
        self.with_guest(|guest| {
            let log_bytes = guest.vm.with_tape(|tape| tape.log_bytes());
            if log_bytes.is_some_and(|bytes| bytes > limits::CAPTURE_LOG_BYTES) {
                guest.vm.renew_tape();
            }
        });
        self.captures().borrow_mut().push((context, trigger));
    }

    /// A stream has ended of which there may be a capsule to be written.
    pub(super) fn capture(&self, context: ContextId) {
        let mut captures = self.captures().borrow_mut();
        let place = captures.iter().position(|(of, _)| *of == context);
        let Some((context, trigger)) = place.map(|place| captures.swap_remove(place)) else {
            return;
        };
        drop(captures);
        let taken = self.with_guest(|guest| guest.vm.with_tape(|tape| tape.copied()));
        if let Some(taken) = taken.flatten() {
            self.write_capsule(taken, trigger, Some(context));
        }
    }

    /// Has a capsule of a failure written, if there are to be any.
    pub(super) fn capture_failure(&self, taken: Option<Taken>, kind: FailureKind, cause: &str) {
        let is_wanted = self
            .recording()
            .is_some_and(|(recording, _)| recording.failures);
        if let Some(taken) = taken.filter(|_| is_wanted) {
            let trigger = Trigger::Failure(kind, cause.to_owned());
            self.write_capsule(taken, trigger, None);
        }
    }

    /// The same of a VM that did not start.
    pub(super) fn capture_start(&self, tape: Option<&mut Tape>, error: &PluginError) {
        let taken = tape.map(Tape::take);
        self.capture_failure(taken, FailureKind::Start, &error.to_string());
    }

    fn write_capsule(&self, taken: Taken, trigger: Trigger, context: Option<ContextId>) {
        let Some((_, capsules)) = self.recording() else {
            return;
        };
        let (filter, program) = (self.filter(), self.running());
        let origin = self.copy_of().and_then(super::copies::CopyOf::origin);
        let specs = origin.as_deref().unwrap_or(self).specs();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_nanos();
        let head = Head {
            weir: env!("CARGO_PKG_VERSION").to_owned(),
            written_at: u64::try_from(now).unwrap_or(u64::MAX),
            module: ModuleId {
                name: filter.module.to_string(),
                sha256: *program.identity(),
            },
            filter: filter.name.to_string(),
            roots: specs.iter().map(root_head).collect(),
            vm_id: filter.vm_id.to_string(),
            vm_configuration: filter.vm_configuration.to_vec(),
            isolation: isolation_word(filter.isolation).to_owned(),
            engine: program.engine,
            dialect: program.dialect,
            strictness: filter.strictness,
            withheld: Vec::new(),
            watches: self.rules().watches(),
            has_files: !self.rules().folders.is_empty(),
            limits: RunLimits::from(&filter.limits),
            trigger,
            subject: context.unwrap_or_else(|| taken.last_context()),
            start: Start::Beginning,
            masked: Vec::new(),
        };
        capsules.put(Job {
            head,
            taken,
            program: Arc::clone(&program),
            module: module_path(&self.shared().process.site, &filter.module),
        });
    }
}

fn root_head(spec: &RootSpec) -> RootHead {
    RootHead {
        filter: spec.filter.name.to_string(),
        root_id: spec.filter.root_id.to_string(),
        configuration: spec.configuration.to_vec(),
    }
}

fn isolation_word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Module => "module",
        Isolation::Plugin => "plugin",
        Isolation::Configuration => "configuration",
        Isolation::Request(_) => "request",
        Isolation::Process(apart) => match apart.inside {
            Inside::Request => "process, request",
            Inside::Plugin => "process, plugin",
        },
    }
}
