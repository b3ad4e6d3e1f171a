//! Shared data, queues and metrics of a VM (Proxy-Wasm reference 6.4–6.6).

use std::sync::Arc;

use bytes::Bytes;
use weir_guest::door::MetricKind;
use weir_guest::{Reply, Status};
use weir_maps::{DequeueError, EnqueueError, MapError, RegisterError, SetError};
use weir_model::limits::TOUCHED_NAME_BYTES_MAX;
use weir_model::{Exceeded, Limit};

use super::guard::Guard;
use super::{LiveWorld, Outcome};
use crate::metrics::{self, DefineError, MetricRef, Metrics, Share};
use crate::plugin::{Meter, Remark};

impl LiveWorld {
    pub(super) fn shared_entry(&self, key: &[u8]) -> Outcome {
        let (value, cas) = self.space.get(key).ok_or(Status::NotFound)?;
        Ok(Reply::Entry(value, cas))
    }

    pub(super) fn set_shared_entry(&self, key: &[u8], value: &[u8], cas: u32) -> Outcome {
        // What never fits is not copied.
        let bytes_max = self.guard.limits().shared_data_bytes;
        if key.len().max(value.len()) as u64 > bytes_max {
            return Err(self.guard.refuse(Limit::SharedData));
        }
        match self.space.set(key, value, cas, self.guard.quota()) {
            Ok(_) => Ok(Reply::Done),
            Err(SetError::CasMismatch) => Err(Status::CasMismatch),
            Err(SetError::Full { .. }) => Err(self.guard.refuse(Limit::SharedData)),
            Err(SetError::Map(error)) => Err(status_of(&error)),
        }
    }

    /// The registrant is told of each item on its own worker, never inside the enqueue.
    pub(super) fn register_queue(&mut self, name: &[u8]) -> Outcome {
        let slot = self.slot.upgrade().ok_or(Status::InternalFailure)?;
        let notices = self.shared.notices.clone();
        let meter = Arc::clone(slot.meter());
        let (slot, root, life) = (slot.index(), self.here.root, slot.root_life());
        let listener = Arc::new(move |token| {
            // A full channel means that the worker has more notices than it can take; the items
            // are still in the queue.
            if notices
                .try_send(crate::gateway::Notice {
                    slot,
                    life,
                    root,
                    token,
                })
                .is_err()
            {
                tell_of_notice(&meter, token);
            }
        });
        let token = self
            .space
            .register(name, listener, self.guard.quota())
            .map_err(|error| match error {
                RegisterError::TooManyQueues { .. } => self.guard.refuse(Limit::Queues),
                RegisterError::Map(error) => status_of(&error),
            })?;
        self.has_queues = true;
        Ok(Reply::Number(u64::from(token)))
    }

    pub(super) fn resolve_queue(&self, vm_id: &[u8], name: &[u8]) -> Outcome {
        let vm_id = std::str::from_utf8(vm_id).map_err(|_| Status::NotFound)?;
        let vm_id = if vm_id.is_empty() {
            self.space.vm_id()
        } else {
            vm_id
        };
        if !self.may_use_queues_of(vm_id) {
            return Err(Status::NotFound);
        }
        let token = self.space.resolve(vm_id, name).ok_or(Status::NotFound)?;
        Ok(Reply::Number(u64::from(token)))
    }

    pub(super) fn enqueue(&self, token: u32, item: &[u8]) -> Outcome {
        if !self.may_use_queue(token) {
            return Err(Status::NotFound);
        }
        match self.space.enqueue(token, item) {
            Ok(()) => Ok(Reply::Done),
            Err(EnqueueError::UnknownToken(_)) => Err(Status::NotFound),
            // The limit may be that of another filter, which made the queue.
            Err(EnqueueError::Full { quota_bytes, .. }) => {
                let exceeded = Exceeded {
                    limit: Limit::QueueBytes,
                    value: quota_bytes,
                };
                self.guard
                    .meter()
                    .hit(exceeded, "an item was not put into a queue");
                Err(Status::InternalFailure)
            }
            Err(EnqueueError::Map(error)) => Err(status_of(&error)),
        }
    }

    pub(super) fn dequeue(&self, token: u32) -> Outcome {
        if !self.may_use_queue(token) {
            return Err(Status::NotFound);
        }
        match self.space.dequeue(token) {
            Ok(Some(item)) => Ok(Reply::Bytes(item)),
            Ok(None) => Err(Status::Empty),
            Err(DequeueError::UnknownToken(_)) => Err(Status::NotFound),
            Err(DequeueError::Map(error)) => Err(status_of(&error)),
        }
    }
}

/// What a plugin is told that the map behind its shared data has refused something.
fn status_of(error: &MapError) -> Status {
    match error {
        MapError::Invalid(_) | MapError::NameTooLong { .. } => Status::BadArgument,
        _ => Status::InternalFailure,
    }
}

/// Says that a worker did not learn of an item.
pub(crate) fn tell_of_notice(meter: &Meter, token: u32) {
    meter.remark(Remark::QueueNotice, |filter, untold| {
        tracing::warn!(
            filter,
            token,
            untold,
            "a notice of a shared queue was dropped"
        );
    });
}

/// The metrics that a VM has defined. Ids carry the kind in their two lowest bits: counters 4, 8 …,
/// gauges 5, 9 …, histograms 6, 10 …
#[derive(Clone, Default)]
pub(super) struct GuestMetrics {
    counters: Vec<(Bytes, MetricRef)>,
    gauges: Vec<(Bytes, MetricRef)>,
    histograms: Vec<(Bytes, MetricRef)>,
}

impl GuestMetrics {
    pub(super) fn define(
        &mut self,
        all: &Metrics,
        (kind, name): (MetricKind, &[u8]),
        guard: &Guard,
    ) -> Outcome {
        let (list, bits, kind) = match kind {
            MetricKind::Counter => (&mut self.counters, 0, metrics::MetricKind::Counter),
            MetricKind::Gauge => (&mut self.gauges, 1, metrics::MetricKind::Gauge),
            MetricKind::Histogram => (&mut self.histograms, 2, metrics::MetricKind::Histogram),
        };
        let known = list.iter().position(|(known, _)| known == name);
        let index = if let Some(index) = known {
            index
        } else {
            let limits = guard.limits();
            if name.len() > limits.metric_name_bytes as usize {
                return Err(guard.refuse(Limit::MetricName));
            }
            let text = String::from_utf8_lossy(name);
            let share = Share {
                defined: &guard.meter().metrics,
                metrics_max: limits.metrics as usize,
                name_bytes_max: limits.metric_name_bytes as usize,
            };
            let refused = |error| refusal(error, name, guard);
            let metric = all.define(kind, &text, &share).map_err(refused)?;
            list.push((Bytes::copy_from_slice(name), metric));
            list.len() - 1
        };
        Ok(Reply::Number(4 * (index as u64 + 1) + bits))
    }

    pub(super) fn increment(&self, id: u32, offset: i64) -> Outcome {
        if id & 3 == 3 {
            return Err(Status::BadArgument);
        }
        let metric = self.metric(id).ok_or(Status::NotFound)?;
        metric
            .increment(offset)
            .map(|()| Reply::Done)
            .map_err(|_| Status::BadArgument)
    }

    pub(super) fn record(&self, id: u32, value: u64) -> Outcome {
        self.metric(id).ok_or(Status::NotFound)?.record(value);
        Ok(Reply::Done)
    }

    pub(super) fn value(&self, id: u32) -> Outcome {
        if id & 3 == 3 {
            return Err(Status::BadArgument);
        }
        let metric = self.metric(id).ok_or(Status::NotFound)?;
        metric
            .value()
            .map(Reply::Number)
            .map_err(|_| Status::BadArgument)
    }

    fn metric(&self, id: u32) -> Option<&MetricRef> {
        let list = match id & 3 {
            0 => &self.counters,
            1 => &self.gauges,
            2 => &self.histograms,
            _ => return None,
        };
        let index = (id >> 2).checked_sub(1)? as usize;
        list.get(index).map(|(_, metric)| metric)
    }
}

/// The status for a metric that was not defined, which is told.
fn refusal(error: DefineError, name: &[u8], guard: &Guard) -> Status {
    match error {
        DefineError::TooManyMetrics { .. } => {
            guard.meter().remark(Remark::MetricsFull, |filter, untold| {
                let metric = super::one_line(&name[..name.len().min(TOUCHED_NAME_BYTES_MAX)]);
                tracing::warn!(filter, %metric, %error, untold, "a metric was not defined");
            });
            Status::InternalFailure
        }
        DefineError::TooManyOfOne { .. } => guard.refuse(Limit::Metrics),
        DefineError::NameTooLong { .. } => guard.refuse(Limit::MetricName),
    }
}
