//! The live world: answers a guest's calls from the exchange, the plugin and the gateway.
//!
//! One world per VM. Before each callback it learns whose context runs; calls act on that context
//! until the guest chooses another (Proxy-Wasm reference 3.10). Invariant: nothing here calls a
//! guest; what a call starts goes on after the guest has returned.

mod attributes;
mod callouts;
mod copy;
mod foreign_calls;
mod grants;
mod grpc;
mod guard;
mod higress;
mod maps;
mod redis;
mod root;
mod shared;
mod shared_maps;
mod sharing;
mod sight;

use std::borrow::Cow;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use weir_guest::door::{Clock, ContextId, LogLevel, StreamKind};
use weir_guest::pairs;
use weir_guest::{Answer, Call, Event, Failure, Reply, Status, Stop, World};
use weir_model::{Name, Variable, limits};

use crate::gateway::Shared;
use crate::message::{FieldValue, HeaderList, Side};
use crate::plugin::{Pattern, PluginLevel, Slot};
use crate::stream::{LocalAnswer, Order, StreamRef};
pub(crate) use callouts::CalloutView;
pub(crate) use copy::WorldPrint;
use grants::Edit;
pub(crate) use grants::Rules;
pub(crate) use grpc::GrpcView;
use guard::Guard;
pub(crate) use guard::Usage;
pub(crate) use maps::stage_index;
pub(crate) use redis::RedisSettings;
pub(crate) use root::Root;
use shared::GuestMetrics;
pub(crate) use shared::tell_of_notice;
use shared_maps::MapSeat;
pub(crate) use shared_maps::Watched;
pub(crate) use sharing::SharedWorld;
pub(crate) use sight::{Key, Sight};

/// Everything that a VM's guests may see and do.
pub(crate) struct LiveWorld {
    pub(crate) shared: Rc<Shared>,
    pub(crate) slot: Weak<Slot>,
    pub(crate) roots: FxHashMap<ContextId, Root>,
    seats: FxHashMap<ContextId, Seat>,
    next_context: ContextId,
    /// The callback's own context and what it stands for.
    own: Here,
    /// The context that calls act on.
    here: Here,
    /// The callback runs in `on_configure`, or creates a root: its configuration can be read.
    shows_configuration: bool,
    /// The answer that the running `on_http_call_response` looks at.
    pub(crate) callout: Option<CalloutView>,
    /// The reply that the running `proxy_on_redis_call_response` looks at.
    redis_reply: Bytes,
    /// What the running gRPC callback looks at.
    pub(crate) grpc: Option<GrpcView>,
    next_token: u32,
    /// The last tokens of gRPC calls and of gRPC streams.
    grpc_tokens: [u32; 2],
    metrics: Arc<GuestMetrics>,
    /// It has registered a queue.
    has_queues: bool,
    /// It has drawn random bytes.
    pub(crate) is_seeded: bool,
    space: Arc<weir_maps::Space>,
    guard: Guard,
    rules: Arc<Rules>,
    files: weir_guest::files::Files,
    /// Made with the first call about shared maps.
    maps: Option<Box<MapSeat>>,
    /// The guest starts elsewhere: what it begins waits for the end of that.
    gate: Option<watch::Receiver<()>>,
    /// The guest may wait: what it orders is kept until it has returned from the event.
    kept: Option<Vec<(StreamRef, Order)>>,
}

/// A stream context.
#[derive(Clone)]
struct Seat {
    stream: StreamRef,
    stage: usize,
    root: ContextId,
    /// What its request has in common with others, if that matters to anybody.
    pattern: Option<Pattern>,
}

/// What a context id stands for.
#[derive(Clone, Default)]
struct Here {
    context: ContextId,
    root: ContextId,
    stream: Option<(StreamRef, usize)>,
}

type Outcome = Result<Reply, Status>;

impl LiveWorld {
    /// The world of a VM of this slot, which lives.
    pub(crate) fn new(shared: Rc<Shared>, slot: &Rc<Slot>) -> Self {
        let filter = Arc::clone(slot.filter());
        let space = Arc::clone(slot.space());
        let guard = Guard::new(filter, Arc::clone(slot.meter()));
        let rules = Arc::clone(slot.rules());
        let slot = Rc::downgrade(slot);
        Self {
            shared,
            slot,
            roots: FxHashMap::default(),
            seats: FxHashMap::default(),
            next_context: 1,
            own: Here::default(),
            here: Here::default(),
            shows_configuration: false,
            callout: None,
            redis_reply: Bytes::new(),
            grpc: None,
            next_token: 0,
            grpc_tokens: [0; 2],
            metrics: Arc::default(),
            has_queues: false,
            is_seeded: false,
            files: weir_guest::files::Files::new(rules.folders.clone()),
            rules,
            space,
            guard,
            maps: None,
            gate: None,
            kept: None,
        }
    }

    /// The same world, in which nothing that the guest begins happens before it is released.
    pub(crate) fn held(mut self, gate: watch::Receiver<()>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// What the guest begins from now on happens at once; what it has begun, when the gate opens.
    pub(crate) fn release(&mut self) {
        self.gate = None;
    }

    /// Runs a task of the guest on this worker; `None` when the worker ends.
    fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Option<AbortHandle> {
        let Some(mut gate) = self.gate.clone() else {
            return self.shared.spawn(task);
        };
        self.shared.spawn(async move {
            // If it does not open, the guest has not started.
            if gate.changed().await.is_ok() {
                task.await;
            }
        })
    }

    /// A new root context.
    pub(crate) fn add_root(&mut self, root: Root) -> ContextId {
        let id = self.next_id();
        self.roots.insert(id, root);
        id
    }

    /// A new stream context.
    pub(crate) fn add_stream(
        &mut self,
        root: ContextId,
        (stream, stage): (&StreamRef, usize),
        pattern: Option<Pattern>,
    ) -> ContextId {
        let id = self.next_id();
        self.seats.insert(
            id,
            Seat {
                stream: Rc::clone(stream),
                stage,
                root,
                pattern,
            },
        );
        id
    }

    pub(crate) fn remove_stream(&mut self, context: ContextId) {
        self.seats.remove(&context);
        if let Some(maps) = &mut self.maps {
            maps.end_request(context);
        }
    }

    /// What the request of a context has in common with others.
    pub(crate) fn pattern_of(&self, context: ContextId) -> Option<Pattern> {
        self.seats.get(&context)?.pattern
    }

    pub(crate) fn has_streams(&self) -> bool {
        !self.seats.is_empty()
    }

    /// Streams that have a context here, with their stage.
    pub(crate) fn streams(&self) -> Vec<(StreamRef, usize)> {
        self.seats
            .values()
            .map(|seat| (Rc::clone(&seat.stream), seat.stage))
            .collect()
    }

    /// Lets a root look at a stream while it logs it.
    pub(crate) fn lend(&mut self, root: ContextId, stream: Option<&StreamRef>) {
        if let Some(root) = self.roots.get_mut(&root) {
            root.lent = stream.map(Rc::clone);
        }
    }

    fn next_id(&mut self) -> ContextId {
        loop {
            let id = self.next_context;
            self.next_context = self.next_context.checked_add(1).unwrap_or(1);
            if !self.seats.contains_key(&id) && !self.roots.contains_key(&id) {
                return id;
            }
        }
    }

    /// A token for what a guest waits for. As in Envoy, its two lowest bits are its kind.
    fn token(&mut self, kind: u32) -> u32 {
        self.next_token = self.next_token.wrapping_add(4).max(4);
        self.next_token | kind
    }

    fn locate(&self, context: ContextId) -> Option<Here> {
        if let Some(seat) = self.seats.get(&context) {
            let stream = Some((Rc::clone(&seat.stream), seat.stage));
            return Some(Here {
                context,
                root: seat.root,
                stream,
            });
        }
        let root = self.roots.get(&context)?;
        Some(Here {
            context,
            root: context,
            stream: root.lent.as_ref().map(|s| (Rc::clone(s), usize::MAX)),
        })
    }

    fn root(&self) -> Option<&Root> {
        self.roots.get(&self.here.root)
    }

    fn root_mut(&mut self) -> Option<&mut Root> {
        self.roots.get_mut(&self.here.root)
    }

    /// The stream that calls act on, and the stage that acts.
    fn stream(&self) -> Option<(StreamRef, usize)> {
        self.here.stream.clone()
    }

    fn answer(&mut self, call: Call<'_>) -> Outcome {
        match call {
            Call::Header { map, name } => self.header(map, name),
            Call::AddHeader { map, name, value } => self.edit_header(map, name, Edit::Add(value)),
            Call::ReplaceHeader { map, name, value } => {
                self.edit_header(map, name, Edit::Replace(value))
            }
            Call::RemoveHeader { map, name } => self.edit_header(map, name, Edit::Remove),
            Call::Headers { map } => Ok(self.headers(map)),
            Call::SetHeaders { map, pairs } => self.replace_headers(map, &pairs::decode(pairs)),
            Call::HeadersSize { map } => self.headers_size(map),
            Call::Buffer { kind, start, max } => self.buffer(kind, start, max),
            Call::BufferLength { kind } => self.buffer_length(kind),
            Call::SetBuffer {
                kind,
                start,
                length,
                bytes,
            } => self.set_buffer(kind, (start, length), bytes),
            Call::Property { path } => self.property(path),
            Call::SetProperty { path, value } => self.set_property(path, value),
            _ => self.answer_general(call),
        }
    }

    fn answer_general(&mut self, call: Call<'_>) -> Outcome {
        match call {
            Call::Log { level, message } => {
                self.log(level, message);
                Ok(Reply::Done)
            }
            Call::LogLevel => Ok(Reply::Number(self.log_level() as u64)),
            Call::Now(clock) => Ok(Reply::Number(self.now(clock))),
            Call::Resolution(_) => Ok(Reply::Number(self.resolution())),
            Call::Random { length } => {
                self.is_seeded = true;
                self.random(length)
            }
            Call::File(call) => Ok(self.file(&call)),
            Call::Environment => Ok(self.environment()),
            Call::SetTick { period_ms } => self.set_tick(period_ms),
            Call::SetEffectiveContext { context } => self.set_effective(context),
            Call::Done => self.end_root(),
            Call::ContinueStream(kind) => self.continue_stream(kind),
            Call::CloseStream(kind) => {
                self.close_stream(kind);
                Ok(Reply::Done)
            }
            Call::ClearRouteCache => {
                if let Some((stream, _)) = self.stream() {
                    stream.borrow_mut().route_is_stale = true;
                }
                Ok(Reply::Done)
            }
            Call::LocalResponse(response) => self.local_response(&response),
            Call::Foreign { name, arguments } => self.foreign(name, arguments),
            Call::Withheld { function } => {
                self.note_function(function);
                Err(Status::InternalFailure)
            }
            Call::Touched { function } => {
                self.note_function(function);
                Ok(Reply::Done)
            }
            _ => self.answer_outward(call),
        }
    }

    /// Calls that leave the stream: callouts, shared data, metrics.
    fn answer_outward(&mut self, call: Call<'_>) -> Outcome {
        match call {
            Call::CalloutStatus => Ok(self.callout_status()),
            Call::HttpCall(call) => self.http_call(&call),
            Call::GrpcCall(call) => self.grpc_call(&call),
            Call::GrpcStream(call) => self.grpc_stream(&call),
            Call::GrpcSend {
                token,
                message,
                end,
            } => self.grpc_send(token, message, end),
            Call::GrpcClose { token } => self.grpc_close(token),
            Call::GrpcCancel { token } => self.grpc_cancel(token),
            Call::RedisInit(init) => self.redis_init(&init),
            Call::RedisCall { service, query } => self.redis_call(service, query),
            Call::Inject { bytes, end } => self.inject(bytes, end),
            Call::UpstreamHosts => self.upstream_hosts(),
            Call::OverrideHost { address } => Ok(self.override_host(address)),
            Call::SharedEntry { key } => self.shared_entry(key),
            Call::SetSharedEntry { key, value, cas } => self.set_shared_entry(key, value, cas),
            Call::RegisterQueue { name } => self.register_queue(name),
            Call::ResolveQueue { vm_id, name } => self.resolve_queue(vm_id, name),
            Call::Enqueue { token, item } => self.enqueue(token, item),
            Call::Dequeue { token } => self.dequeue(token),
            Call::DefineMetric { kind, name } => {
                let all = &self.shared.process.metrics;
                Arc::make_mut(&mut self.metrics).define(all, (kind, name), &self.guard)
            }
            Call::IncrementMetric { id, offset } => self.metrics.increment(id, offset),
            Call::RecordMetric { id, value } => self.metrics.record(id, value),
            Call::Metric { id } => self.metrics.value(id),
            _ => Err(Status::Unimplemented),
        }
    }

    /// The filter that runs; before its root is there, the one that the VM is made for.
    fn filter_name(&self) -> Name {
        let of_slot = || self.slot.upgrade().map(|slot| slot.filter().name.clone());
        let of_root = self.root().map(|root| root.filter.name.clone());
        of_root.or_else(of_slot).unwrap_or_else(|| "".into())
    }

    fn log_level(&self) -> PluginLevel {
        self.shared.process.plugin_log.of(&self.filter_name())
    }

    fn log(&self, level: LogLevel, message: &[u8]) {
        if !self.log_level().takes(level) {
            return;
        }
        let kept = &message[..message.len().min(limits::GUEST_LOG_BYTES_MAX)];
        if !self.admits_line(kept.len()) {
            return;
        }
        let text = one_line(kept);
        let name = self.filter_name();
        let plugin = &*name;
        match level {
            LogLevel::Trace => tracing::trace!(target: "wasm", plugin, "{text}"),
            LogLevel::Debug => tracing::debug!(target: "wasm", plugin, "{text}"),
            LogLevel::Info => tracing::info!(target: "wasm", plugin, "{text}"),
            LogLevel::Warn => tracing::warn!(target: "wasm", plugin, "{text}"),
            LogLevel::Error => tracing::error!(target: "wasm", plugin, "{text}"),
            LogLevel::Critical => {
                tracing::error!(target: "wasm", plugin, critical = true, "{text}");
            }
        }
    }

    fn environment(&self) -> Reply {
        let Some(slot) = self.slot.upgrade() else {
            return Reply::Bytes(Bytes::new());
        };
        let of_gateway = &self.shared.process.environment;
        let variables = slot.filter().environment.iter();
        let variables: Vec<(&[u8], &[u8])> = variables
            .filter_map(|(name, value)| {
                let value = match value {
                    Variable::Text(text) => text.as_bytes(),
                    Variable::OfGateway(source) => of_gateway.get(source)?,
                };
                Some((name.as_bytes(), value))
            })
            .collect();
        Reply::Bytes(pairs::encode(variables.iter().copied()))
    }

    fn set_effective(&mut self, context: ContextId) -> Outcome {
        self.here = match context {
            0 => self.own.clone(),
            _ => self.locate(context).ok_or(Status::BadArgument)?,
        };
        Ok(Reply::Done)
    }

    fn continue_stream(&mut self, kind: StreamKind) -> Outcome {
        let side = match kind {
            StreamKind::Request => Side::Request,
            StreamKind::Response => Side::Response,
            StreamKind::Downstream => {
                if let Some((stream, stage)) = self.stream() {
                    self.order(&stream, Order::PassOn { stage });
                }
                return Ok(Reply::Done);
            }
            StreamKind::Upstream => return Err(Status::Unimplemented),
        };
        if let Some((stream, stage)) = self.stream() {
            if let Some(access) = stream.borrow_mut().access.get_mut(stage) {
                // Either direction takes the request's maps away at once, as in Envoy.
                access.request_headers = false;
                access.request_trailers = false;
            }
            self.order(&stream, Order::Resume { stage, side });
        }
        Ok(Reply::Done)
    }

    /// Closes the stream if it is of this kind, HTTP or TCP.
    fn close_stream(&mut self, kind: StreamKind) {
        let Some((stream, _)) = self.stream() else {
            return;
        };
        let order = match kind {
            StreamKind::Request | StreamKind::Response => Order::Close,
            StreamKind::Downstream | StreamKind::Upstream => Order::Hang(kind),
        };
        self.order(&stream, order);
    }

    fn local_response(&mut self, response: &weir_guest::door::LocalResponse<'_>) -> Outcome {
        let Some((stream, stage)) = self.stream() else {
            return Ok(Reply::Done);
        };
        if response.body.len() > limits::ANSWER_BODY_BYTES_MAX {
            return Err(Status::InternalFailure);
        }
        let mut headers = HeaderList::default();
        for (name, value) in pairs::decode(response.headers) {
            if !self.may_answer_with(name) {
                continue;
            }
            headers.add(name, FieldValue::copied(value), Side::Response);
        }
        let details = response.details;
        let details = &details[..details.len().min(limits::ANSWER_DETAILS_BYTES_MAX)];
        let details = String::from_utf8_lossy(details).replace(is_space, "_");
        let answer = LocalAnswer {
            status: u16::try_from(response.status).unwrap_or(500),
            details,
            headers,
            body: Bytes::copy_from_slice(response.body),
            grpc_status: u32::try_from(response.grpc_status)
                .ok()
                .filter(|code| *code <= 16),
        };
        let speaks_higress = self.speaks_higress();
        // Higress: the first one of a context counts, whatever became of it.
        if let Some(access) = stream.borrow_mut().access.get_mut(stage)
            && std::mem::replace(&mut access.has_answered, true)
            && speaks_higress
        {
            return Ok(Reply::Done);
        }
        self.give_answer(&stream, Order::Answer { stage, answer });
        Ok(Reply::Done)
    }
}

impl World for LiveWorld {
    fn enter(&mut self, event: &Event) {
        self.note_event(event);
        self.own = self.locate(event.context()).unwrap_or_default();
        self.guard.enter(&self.own);
        self.here = self.own.clone();
        self.shows_configuration = matches!(
            event,
            Event::Configure { .. } | Event::ContextCreate { parent: 0, .. }
        );
    }

    fn leave(&mut self, _event: &Event, outcome: &Result<i32, Failure>) {
        self.guard.leave(&self.own, outcome);
        self.shows_configuration = false;
        self.own = Here::default();
        self.here = Here::default();
        self.give_orders();
    }

    fn allows(&self, name: &str) -> bool {
        self.rules.allows(name)
    }

    fn watches(&self) -> bool {
        self.rules.watches()
    }

    fn has_files(&self) -> bool {
        !self.rules.folders.is_empty()
    }

    fn memory_budget(&self) -> Option<Arc<weir_guest::MemoryBudget>> {
        Some(self.guard.memory())
    }

    fn exceeded(&mut self, what: weir_model::Exceeded) {
        self.guard.refused_memory(what);
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        self.guard.call()?;
        if let Call::Map(call) = call {
            return self.map_call(call);
        }
        Ok(self.answer(call).unwrap_or_else(Reply::Refused).into())
    }

    fn arrive(&mut self, reply: Reply) -> Result<Reply, Stop> {
        self.map_arrived(&reply);
        Ok(reply)
    }
}

/// What Envoy replaces in the details of an answer.
fn is_space(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\u{b}'
}

/// Text of a guest as one line.
pub(crate) fn one_line(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => weir_model::one_line(text),
        Cow::Owned(text) => weir_model::one_line(&text).into_owned().into(),
    }
}

fn random(length: u32) -> Outcome {
    let mut bytes = vec![0; length as usize];
    getrandom::fill(&mut bytes).map_err(|_| Status::InternalFailure)?;
    Ok(Reply::Bytes(bytes.into()))
}

/// Nanoseconds of a clock.
pub(crate) fn clock(clock: Clock, origin: std::time::Instant) -> u64 {
    let since = match clock {
        Clock::Wall => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default(),
        // Never 0: some guests take a monotonic 0 for "no clock".
        Clock::Monotonic => origin.elapsed() + std::time::Duration::from_secs(1),
    };
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
