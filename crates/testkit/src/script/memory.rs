//! A Proxy-Wasm host that lives in memory.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use weir_guest::door::{BufferKind, Call, LogLevel, MapKind, MetricKind, Reply, Status};
use weir_guest::pairs;
use weir_maps::MapReply;

type Entries = Vec<(Bytes, Bytes)>;

#[derive(Default)]
pub(super) struct Memory {
    pub(super) maps: BTreeMap<u8, Entries>,
    pub(super) buffers: BTreeMap<u8, Vec<u8>>,
    pub(super) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) logs: Vec<(LogLevel, Vec<u8>)>,
    pub(super) log_level: u64,
    pub(super) nanos: u64,
    pub(super) nanos_per_reading: u64,
    shared: BTreeMap<Vec<u8>, (Bytes, u32)>,
    queues: Vec<(Vec<u8>, VecDeque<Bytes>)>,
    metrics: Vec<(MetricKind, Vec<u8>, u64)>,
    random_state: u64,
    callouts: u64,
}

impl Memory {
    pub(super) fn answer(&mut self, call: &Call<'_>) -> Reply {
        match *call {
            Call::Log { level, message } => {
                self.logs.push((level, message.to_vec()));
                Reply::Done
            }
            Call::LogLevel => Reply::Number(self.log_level),
            Call::Now(_) => {
                self.nanos += self.nanos_per_reading;
                Reply::Number(self.nanos)
            }
            Call::Random { length } => Reply::Bytes((0..length).map(|_| self.random()).collect()),
            Call::Environment => Reply::Bytes(self.environment()),
            Call::SetTick { .. }
            | Call::SetEffectiveContext { .. }
            | Call::ContinueStream(_)
            | Call::CloseStream(_)
            | Call::ClearRouteCache
            | Call::OverrideHost { .. }
            | Call::Touched { .. }
            | Call::LocalResponse(_) => Reply::Done,
            Call::Done | Call::Foreign { .. } => Reply::Refused(Status::NotFound),
            Call::Withheld { .. } => Reply::Refused(Status::InternalFailure),
            Call::Resolution(_) => Reply::Number(1),
            // There are no maps, and no files.
            Call::Map(_) => Reply::Map(MapReply::Refused(44, 0)),
            Call::File(_) => Reply::Refused(Status::Unimplemented),
            Call::CalloutStatus => Reply::Outcome(0, Bytes::new()),
            Call::Property { path } => found(self.properties.get(path)),
            Call::SetProperty { path, value } => {
                self.properties.insert(path.to_vec(), value.to_vec());
                Reply::Done
            }
            Call::Buffer { .. } | Call::BufferLength { .. } | Call::SetBuffer { .. } => {
                self.buffer(call)
            }
            Call::HttpCall(_) => {
                self.callouts += 1;
                Reply::Number(self.callouts)
            }
            // No Redis, no response, no route.
            Call::RedisInit(_)
            | Call::RedisCall { .. }
            | Call::Inject { .. }
            | Call::UpstreamHosts => Reply::Refused(Status::BadArgument),
            Call::GrpcCall(_)
            | Call::GrpcStream(_)
            | Call::GrpcSend { .. }
            | Call::GrpcClose { .. }
            | Call::GrpcCancel { .. } => Reply::Refused(Status::ParseFailure),
            Call::Header { .. }
            | Call::AddHeader { .. }
            | Call::ReplaceHeader { .. }
            | Call::RemoveHeader { .. }
            | Call::Headers { .. }
            | Call::SetHeaders { .. }
            | Call::HeadersSize { .. } => self.header(call),
            Call::SharedEntry { .. } | Call::SetSharedEntry { .. } => self.shared(call),
            Call::RegisterQueue { .. }
            | Call::ResolveQueue { .. }
            | Call::Enqueue { .. }
            | Call::Dequeue { .. } => self.queue(call),
            Call::DefineMetric { .. }
            | Call::IncrementMetric { .. }
            | Call::RecordMetric { .. }
            | Call::Metric { .. } => self.metric(call),
        }
    }

    /// A byte of a fixed sequence (Knuth's MMIX generator).
    fn random(&mut self) -> u8 {
        let state = self.random_state.wrapping_mul(6_364_136_223_846_793_005);
        self.random_state = state.wrapping_add(1_442_695_040_888_963_407);
        self.random_state.to_be_bytes()[0]
    }

    fn environment(&self) -> Bytes {
        pairs::encode(
            self.environment
                .iter()
                .map(|(k, v)| (k.as_bytes(), v.as_bytes())),
        )
    }

    fn buffer(&mut self, call: &Call<'_>) -> Reply {
        match *call {
            Call::Buffer { kind, start, max } => match self.buffers.get(&(kind as u8)) {
                Some(bytes) => part(bytes, start, max),
                None => Reply::Refused(Status::NotFound),
            },
            Call::BufferLength { kind } => match self.buffers.get(&(kind as u8)) {
                Some(bytes) => Reply::Number(bytes.len() as u64),
                None => Reply::Refused(Status::NotFound),
            },
            Call::SetBuffer {
                kind,
                start,
                length,
                bytes,
            } => self.set_buffer(kind, (start, length), bytes),
            _ => Reply::Refused(Status::InternalFailure),
        }
    }

    fn set_buffer(&mut self, kind: BufferKind, (start, length): (u32, u32), new: &[u8]) -> Reply {
        let Some(bytes) = self.buffers.get_mut(&(kind as u8)) else {
            return Reply::Refused(Status::NotFound);
        };
        let start = (start as usize).min(bytes.len());
        let end = start.saturating_add(length as usize).min(bytes.len());
        bytes.splice(start..end, new.iter().copied());
        Reply::Done
    }

    fn header(&mut self, call: &Call<'_>) -> Reply {
        let (Call::Header { map, .. }
        | Call::AddHeader { map, .. }
        | Call::ReplaceHeader { map, .. }
        | Call::RemoveHeader { map, .. }
        | Call::Headers { map }
        | Call::SetHeaders { map, .. }
        | Call::HeadersSize { map }) = *call
        else {
            return Reply::Refused(Status::InternalFailure);
        };
        match self.maps.get_mut(&(map as u8)) {
            Some(entries) => header_in(entries, call),
            None => Reply::Refused(absent_map(map)),
        }
    }

    fn shared(&mut self, call: &Call<'_>) -> Reply {
        match *call {
            Call::SharedEntry { key } => match self.shared.get(key) {
                Some((value, cas)) => Reply::Entry(value.clone(), *cas),
                None => Reply::Refused(Status::NotFound),
            },
            Call::SetSharedEntry { key, value, cas } => {
                let current = self.shared.get(key).map_or(0, |(_, cas)| *cas);
                if cas != 0 && current != 0 && cas != current {
                    return Reply::Refused(Status::CasMismatch);
                }
                let entry = (Bytes::copy_from_slice(value), current + 1);
                self.shared.insert(key.to_vec(), entry);
                Reply::Done
            }
            _ => Reply::Refused(Status::InternalFailure),
        }
    }

    /// Tokens of queues count from 1.
    fn queue(&mut self, call: &Call<'_>) -> Reply {
        let known = |queues: &[(Vec<u8>, VecDeque<Bytes>)], name: &[u8]| {
            queues
                .iter()
                .position(|(known, _)| known == name)
                .map(|at| at as u64 + 1)
        };
        let at = |token: u32| (token as usize).wrapping_sub(1);
        match *call {
            Call::RegisterQueue { name } => {
                Reply::Number(known(&self.queues, name).unwrap_or_else(|| {
                    self.queues.push((name.to_vec(), VecDeque::new()));
                    self.queues.len() as u64
                }))
            }
            Call::ResolveQueue { name, .. } => {
                known(&self.queues, name).map_or(Reply::Refused(Status::NotFound), Reply::Number)
            }
            Call::Enqueue { token, item } => match self.queues.get_mut(at(token)) {
                Some((_, items)) => {
                    items.push_back(Bytes::copy_from_slice(item));
                    Reply::Done
                }
                None => Reply::Refused(Status::NotFound),
            },
            Call::Dequeue { token } => match self.queues.get_mut(at(token)) {
                Some((_, items)) => items
                    .pop_front()
                    .map_or(Reply::Refused(Status::Empty), Reply::Bytes),
                None => Reply::Refused(Status::NotFound),
            },
            _ => Reply::Refused(Status::InternalFailure),
        }
    }

    /// Numbers of metrics count from 1.
    fn metric(&mut self, call: &Call<'_>) -> Reply {
        let id = match *call {
            Call::DefineMetric { kind, name } => return self.define_metric(kind, name),
            Call::IncrementMetric { id, .. }
            | Call::RecordMetric { id, .. }
            | Call::Metric { id } => id,
            _ => return Reply::Refused(Status::InternalFailure),
        };
        let Some((_, _, number)) = self.metrics.get_mut((id as usize).wrapping_sub(1)) else {
            return Reply::Refused(Status::NotFound);
        };
        match *call {
            Call::IncrementMetric { offset, .. } => *number = number.wrapping_add_signed(offset),
            Call::RecordMetric { value, .. } => *number = value,
            _ => return Reply::Number(*number),
        }
        Reply::Done
    }

    fn define_metric(&mut self, kind: MetricKind, name: &[u8]) -> Reply {
        let known = self
            .metrics
            .iter()
            .position(|(k, n, _)| *k == kind && n == name);
        let at = known.unwrap_or_else(|| {
            self.metrics.push((kind, name.to_vec(), 0));
            self.metrics.len() - 1
        });
        Reply::Number(at as u64 + 1)
    }
}

fn header_in(entries: &mut Entries, call: &Call<'_>) -> Reply {
    let is = |entry: &(Bytes, Bytes), name: &[u8]| entry.0.eq_ignore_ascii_case(name);
    let owned = Bytes::copy_from_slice;
    match *call {
        Call::Header { name, .. } => {
            let value = entries
                .iter()
                .find(|entry| is(entry, name))
                .map(|(_, value)| value);
            value
                .cloned()
                .map_or(Reply::Refused(Status::NotFound), Reply::Bytes)
        }
        Call::AddHeader { name, value, .. } => {
            entries.push((owned(name), owned(value)));
            Reply::Done
        }
        Call::ReplaceHeader { name, value, .. } => {
            entries.retain(|entry| !is(entry, name));
            entries.push((owned(name), owned(value)));
            Reply::Done
        }
        Call::RemoveHeader { name, .. } => {
            entries.retain(|entry| !is(entry, name));
            Reply::Done
        }
        Call::Headers { .. } => Reply::Bytes(pairs::encode(
            entries.iter().map(|(name, value)| (&name[..], &value[..])),
        )),
        Call::SetHeaders { pairs, .. } => {
            let decoded = pairs::decode(pairs);
            *entries = decoded
                .into_iter()
                .map(|(k, v)| (owned(k), owned(v)))
                .collect();
            Reply::Done
        }
        _ => Reply::Number(
            entries
                .iter()
                .map(|(k, v)| (k.len() + v.len()) as u64)
                .sum(),
        ),
    }
}

/// Reading a map that is not there: Envoy's answer.
fn absent_map(_map: MapKind) -> Status {
    Status::BadArgument
}

fn found(value: Option<&Vec<u8>>) -> Reply {
    match value {
        Some(value) => Reply::Bytes(Bytes::copy_from_slice(value)),
        None => Reply::Refused(Status::NotFound),
    }
}

fn part(bytes: &[u8], start: u32, max: u32) -> Reply {
    let start = (start as usize).min(bytes.len());
    let end = start.saturating_add(max as usize).min(bytes.len());
    Reply::Bytes(Bytes::copy_from_slice(&bytes[start..end]))
}
