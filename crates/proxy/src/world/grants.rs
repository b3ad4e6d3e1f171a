//! What a filter is granted: asked before anything is done for it.
//!
//! Invariants: what is not granted answers as what does not exist, so that it tells nothing; each
//! refusal is counted, and told once by its name; values are never told.

mod headers;

use std::rc::Rc;
use std::sync::Arc;

use weir_guest::door::Clock;
use weir_guest::{Event, Reply, Status};
use weir_model::{Filter, GrantMode, Grants, Name, Randomness};

use super::sight::{Sight, names_of_state};
use super::{LiveWorld, Outcome};
use crate::message::Side;
use crate::property::{PropertyError, Value};
use crate::touched::{Kind, News, Touched, Verdict};
pub(super) use headers::{Edit, Messages};

/// `errno` of WASI: not granted.
const NOTCAPABLE: u32 = 76;

/// The rules of one filter, the same on all workers.
#[derive(Debug)]
pub(crate) struct Rules {
    filter: Name,
    capabilities: Option<Vec<String>>,
    grants: Grants,
    pub(crate) sight: Option<Sight>,
    pub(crate) folders: weir_guest::files::Folders,
    touched: Arc<Touched>,
    /// Everything is noted, and nothing refused.
    watches: bool,
    /// Header writes have rules beside those for the connection's.
    judges_headers: bool,
}

impl Rules {
    pub(crate) fn new(
        filter: &Filter,
        sight: Option<Sight>,
        folders: weir_guest::files::Folders,
        touched: Arc<Touched>,
    ) -> Self {
        let grants = filter.grants.clone();
        let watches = grants.mode == GrantMode::DryRun;
        Self {
            filter: filter.name.clone(),
            capabilities: filter.capabilities.clone(),
            judges_headers: watches || sight.is_some() || !grants.protected_headers.is_empty(),
            grants,
            sight,
            folders,
            touched,
            watches,
        }
    }

    pub(crate) fn watches(&self) -> bool {
        self.watches
    }

    /// Whether a function may be called or a callback is called.
    pub(crate) fn allows(&self, name: &str) -> bool {
        let hidden = self.sight.as_ref().map(|sight| sight.hidden_bodies);
        let hidden = hidden.unwrap_or_default();
        match name {
            // A callback without anything to look at would only wait for more.
            "proxy_on_request_body" | "proxy_on_downstream_data" if hidden.request => false,
            "proxy_on_response_body" | "proxy_on_upstream_data" if hidden.response => false,
            _ => self.watches || self.lists(name),
        }
    }

    fn lists(&self, capability: &str) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|allowed| allowed == capability);
        self.capabilities.as_ref().is_none_or(listed)
    }

    /// Notes a thing, and says whether it may be: granted, or a dry run.
    fn judge(&self, kind: Kind, name: &[u8], is_granted: bool) -> bool {
        if is_granted {
            if self.watches {
                self.touched.note(kind, name, Verdict::Granted);
            }
            return true;
        }
        self.refuse(kind, name);
        self.watches
    }

    pub(super) fn refuse(&self, kind: Kind, name: &[u8]) {
        let filter = &*self.filter;
        let what = kind.name();
        match self.touched.note(kind, name, Verdict::Refused) {
            News::Known => {}
            News::NoRoom => tracing::warn!(
                filter,
                "the plugin was refused so many different things that further ones are only counted"
            ),
            News::First => {
                let kept = &name[..name.len().min(weir_model::limits::TOUCHED_NAME_BYTES_MAX)];
                let name = super::one_line(kept);
                if self.watches {
                    tracing::warn!(
                        filter,
                        what,
                        %name,
                        "the plugin touched what is not granted (a dry run: it was let)"
                    );
                } else {
                    tracing::warn!(filter, what, %name, "the plugin was refused what is not granted");
                }
            }
        }
    }

    /// Notes what needs no grant, in a dry run.
    pub(super) fn note(&self, kind: Kind, name: &[u8]) {
        if self.watches {
            self.touched.note(kind, name, Verdict::Granted);
        }
    }

    pub(super) fn may_reach(&self, cluster: &str) -> bool {
        let listed = |list: &Vec<Name>| list.iter().any(|known| **known == *cluster);
        let is_granted = self.grants.clusters.as_ref().is_none_or(listed);
        if is_granted && !self.watches {
            return true;
        }
        self.judge(Kind::Cluster, cluster.as_bytes(), is_granted)
    }

    pub(super) fn may_call(&self, foreign: &[u8]) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|known| known.as_bytes() == foreign);
        let is_granted = self.grants.foreign_functions.as_ref().is_none_or(listed);
        self.judge(Kind::Foreign, foreign, is_granted)
    }

    fn may_use_queues_of(&self, vm_id: &str, own: &str) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|known| known == vm_id);
        let is_granted = vm_id == own || self.grants.vm_ids.as_ref().is_none_or(listed);
        self.judge(Kind::VmId, vm_id.as_bytes(), is_granted)
    }
}

impl LiveWorld {
    /// A cluster, if it is there and granted.
    pub(super) fn cluster(&self, name: &str) -> Option<&Rc<crate::upstream::Cluster>> {
        let cluster = self.shared.upstreams.cluster(name)?;
        self.rules.may_reach(name).then_some(cluster)
    }

    /// Notes the host function that is called in a dry run.
    pub(super) fn note_function(&self, function: &str) {
        let is_listed = self.rules.lists(function);
        self.rules
            .judge(Kind::Function, function.as_bytes(), is_listed);
    }

    /// Notes the callback that is entered in a dry run.
    pub(super) fn note_event(&self, event: &Event) {
        if self.rules.watches {
            let callback = event.callback();
            let is_listed = self.rules.lists(callback);
            self.rules
                .judge(Kind::Callback, callback.as_bytes(), is_listed);
        }
    }

    /// Nanoseconds of a clock, in the steps that are granted.
    pub(super) fn now(&self, clock: Clock) -> u64 {
        self.rules.note(Kind::Clock, clock_name(clock));
        let nanos = self.shared.now(clock);
        match self.rules.grants.clock_resolution {
            Some(_) => nanos - nanos % self.resolution(),
            None => nanos,
        }
    }

    /// Nanoseconds between two times of a clock.
    pub(super) fn resolution(&self) -> u64 {
        let granted = self.rules.grants.clock_resolution;
        granted.map_or(1, |step| {
            u64::try_from(step.as_nanos()).unwrap_or(u64::MAX).max(1)
        })
    }

    pub(super) fn random(&self, length: u32) -> Outcome {
        let is_granted = self.rules.grants.randomness == Randomness::Granted;
        if !self.rules.judge(Kind::Random, b"random_get", is_granted) {
            return Ok(Reply::Outcome(NOTCAPABLE, bytes::Bytes::new()));
        }
        super::random(length)
    }

    /// Whether a VM id's queues may be used.
    pub(super) fn may_use_queues_of(&self, vm_id: &str) -> bool {
        self.rules.may_use_queues_of(vm_id, self.space.vm_id())
    }

    /// Whether a queue may be used: tokens are small numbers, and can be guessed.
    pub(super) fn may_use_queue(&self, token: u32) -> bool {
        if self.rules.grants.vm_ids.is_none() && !self.rules.watches {
            return true;
        }
        // Who does not exist answers so by itself.
        let owner = self.space.owner(token);
        owner.is_none_or(|owner| self.may_use_queues_of(&owner))
    }

    /// What the filter sees of a property's value, by the property's names.
    pub(super) fn seen_value(
        &self,
        names: impl FnOnce() -> Vec<Vec<u8>>,
        value: Value,
    ) -> Result<Value, PropertyError> {
        let value = match (self.rules.grants.clock_resolution, value) {
            (Some(_), Value::Timestamp(nanos)) => Value::Timestamp(self.coarse(nanos)),
            (Some(_), Value::Duration(nanos)) => Value::Duration(self.coarse(nanos)),
            (_, value) => value,
        };
        match &self.rules.sight {
            Some(sight) if sight.rules_properties() => {
                sight.value(&names(), value).ok_or(PropertyError::NotFound)
            }
            Some(_) | None => Ok(value),
        }
    }

    fn coarse(&self, nanos: i64) -> i64 {
        let step = i64::try_from(self.resolution()).unwrap_or(i64::MAX);
        nanos - nanos.rem_euclid(step)
    }

    /// Notes in a dry run that a property is read or written.
    pub(super) fn note_property(&self, path: &[u8], kind: Kind) {
        if self.rules.watches {
            let path = path.strip_suffix(b"\0").unwrap_or(path);
            let dotted: Vec<u8> = path
                .iter()
                .map(|b| if *b == 0 { b'.' } else { *b })
                .collect();
            self.rules.note(kind, &dotted);
        }
    }

    /// Whether a property may be written: not if the filter does not see it as it is.
    pub(super) fn may_set(&self, path: &[u8]) -> bool {
        let Some(sight) = &self.rules.sight else {
            return true;
        };
        let path = path.strip_suffix(b"\0").unwrap_or(path);
        let is_covered = sight.covers_property(&names_of_state(path));
        if is_covered {
            self.rules.refuse(Kind::WrittenProperty, path);
        }
        !is_covered
    }

    /// Whether the bytes of a side are hidden from the filter.
    pub(super) fn hides_body(&self, side: Side) -> bool {
        let sight = self.rules.sight.as_ref();
        let is_hidden = sight.is_some_and(|sight| sight.hides_body(side));
        if self.rules.watches || is_hidden {
            let name: &[u8] = match side {
                Side::Request => b"request",
                Side::Response => b"response",
            };
            if is_hidden {
                self.rules.refuse(Kind::Body, name);
            } else {
                self.rules.note(Kind::Body, name);
            }
        }
        is_hidden
    }

    /// Asks for something of a granted file.
    pub(super) fn file(&mut self, call: &weir_guest::files::FileCall<'_>) -> Reply {
        if let Some(path) = call.path() {
            self.rules.note(Kind::File, path);
        }
        let answer = self.files.answer(call);
        if answer.is_refusal() {
            self.rules
                .refuse(Kind::File, call.path().unwrap_or(b"(a descriptor)"));
        }
        answer.into_reply()
    }

    pub(super) fn may_call_foreign(&self, name: &[u8]) -> Result<(), Status> {
        let is_free = self.rules.grants.foreign_functions.is_none() && !self.rules.watches;
        if is_free || self.rules.may_call(name) {
            Ok(())
        } else {
            Err(Status::NotFound)
        }
    }
}

fn clock_name(clock: Clock) -> &'static [u8] {
    match clock {
        Clock::Wall => b"wall",
        Clock::Monotonic => b"monotonic",
    }
}
