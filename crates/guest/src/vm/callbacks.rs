//! The exports of a plugin that the host calls, looked up once per instance.

use wasmtime::{Instance, Store, TypedFunc, WasmParams, WasmResults};

use crate::cell::Cell;
use crate::door::{Event, World};

type OneWay<P> = Option<TypedFunc<P, ()>>;
type Asking<P> = Option<TypedFunc<P, i32>>;

/// All callbacks of one instance; absent ones are `None`.
pub(super) struct Callbacks {
    context_create: OneWay<(i32, i32)>,
    vm_start: Asking<(i32, i32)>,
    configure: Asking<(i32, i32)>,
    tick: OneWay<i32>,
    request_headers: Headers,
    request_body: Asking<(i32, i32, i32)>,
    request_trailers: Asking<(i32, i32)>,
    response_headers: Headers,
    response_body: Asking<(i32, i32, i32)>,
    response_trailers: Asking<(i32, i32)>,
    new_connection: Asking<i32>,
    downstream_data: Asking<(i32, i32, i32)>,
    upstream_data: Asking<(i32, i32, i32)>,
    downstream_connection_close: OneWay<(i32, i32)>,
    upstream_connection_close: OneWay<(i32, i32)>,
    done: Asking<i32>,
    log: OneWay<i32>,
    delete: OneWay<i32>,
    http_call_response: OneWay<(i32, i32, i32, i32, i32)>,
    grpc_initial_metadata: OneWay<(i32, i32, i32)>,
    grpc_message: OneWay<(i32, i32, i32)>,
    grpc_trailing_metadata: OneWay<(i32, i32, i32)>,
    grpc_close: OneWay<(i32, i32, i32)>,
    queue_ready: OneWay<(i32, i32)>,
    redis_reply: OneWay<(i32, i32, i32, i32)>,
    foreign_function: OneWay<(i32, i32, i32)>,
}

/// A headers callback. Its own type decides how it is called, not the module's marker: real 0.1.0
/// modules have both forms.
enum Headers {
    Absent,
    Two(TypedFunc<(i32, i32), i32>),
    Three(TypedFunc<(i32, i32, i32), i32>),
}

impl Callbacks {
    pub(super) fn find<W: World>(instance: &Instance, store: &mut Store<Cell<W>>) -> Self {
        Self {
            context_create: typed(instance, store, "proxy_on_context_create"),
            vm_start: typed(instance, store, "proxy_on_vm_start"),
            configure: typed(instance, store, "proxy_on_configure"),
            tick: typed(instance, store, "proxy_on_tick"),
            request_headers: headers(instance, store, "proxy_on_request_headers"),
            request_body: typed(instance, store, "proxy_on_request_body"),
            request_trailers: typed(instance, store, "proxy_on_request_trailers"),
            response_headers: headers(instance, store, "proxy_on_response_headers"),
            response_body: typed(instance, store, "proxy_on_response_body"),
            response_trailers: typed(instance, store, "proxy_on_response_trailers"),
            new_connection: typed(instance, store, "proxy_on_new_connection"),
            downstream_data: typed(instance, store, "proxy_on_downstream_data"),
            upstream_data: typed(instance, store, "proxy_on_upstream_data"),
            downstream_connection_close: typed(
                instance,
                store,
                "proxy_on_downstream_connection_close",
            ),
            upstream_connection_close: typed(instance, store, "proxy_on_upstream_connection_close"),
            done: typed(instance, store, "proxy_on_done"),
            log: typed(instance, store, "proxy_on_log"),
            delete: typed(instance, store, "proxy_on_delete"),
            http_call_response: typed(instance, store, "proxy_on_http_call_response"),
            grpc_initial_metadata: typed(instance, store, "proxy_on_grpc_receive_initial_metadata"),
            grpc_message: typed(instance, store, "proxy_on_grpc_receive"),
            grpc_trailing_metadata: typed(
                instance,
                store,
                "proxy_on_grpc_receive_trailing_metadata",
            ),
            grpc_close: typed(instance, store, "proxy_on_grpc_close"),
            queue_ready: typed(instance, store, "proxy_on_queue_ready"),
            redis_reply: typed(instance, store, "proxy_on_redis_call_response"),
            foreign_function: typed(instance, store, "proxy_on_foreign_function"),
        }
    }

    /// Whether the guest has a callback for the event.
    pub(super) fn has(&self, event: &Event) -> bool {
        match event {
            Event::ContextCreate { .. } => self.context_create.is_some(),
            Event::VmStart { .. } => self.vm_start.is_some(),
            Event::Configure { .. } => self.configure.is_some(),
            Event::Tick { .. } => self.tick.is_some(),
            Event::RequestHeaders { .. } => self.request_headers.is_there(),
            Event::RequestBody { .. } => self.request_body.is_some(),
            Event::RequestTrailers { .. } => self.request_trailers.is_some(),
            Event::ResponseHeaders { .. } => self.response_headers.is_there(),
            Event::ResponseBody { .. } => self.response_body.is_some(),
            Event::ResponseTrailers { .. } => self.response_trailers.is_some(),
            Event::NewConnection { .. } => self.new_connection.is_some(),
            Event::DownstreamData { .. } => self.downstream_data.is_some(),
            Event::UpstreamData { .. } => self.upstream_data.is_some(),
            Event::DownstreamConnectionClose { .. } => self.downstream_connection_close.is_some(),
            Event::UpstreamConnectionClose { .. } => self.upstream_connection_close.is_some(),
            Event::Done { .. } => self.done.is_some(),
            Event::Log { .. } => self.log.is_some(),
            Event::Delete { .. } => self.delete.is_some(),
            Event::HttpCallResponse { .. } => self.http_call_response.is_some(),
            Event::GrpcInitialMetadata { .. } => self.grpc_initial_metadata.is_some(),
            Event::GrpcMessage { .. } => self.grpc_message.is_some(),
            Event::GrpcTrailingMetadata { .. } => self.grpc_trailing_metadata.is_some(),
            Event::GrpcClose { .. } => self.grpc_close.is_some(),
            Event::QueueReady { .. } => self.queue_ready.is_some(),
            Event::RedisReply { .. } => self.redis_reply.is_some(),
            Event::ForeignFunction { .. } => self.foreign_function.is_some(),
        }
    }

    /// Calls the callback of the event.
    pub(super) fn call<W: World>(
        &self,
        store: &mut Store<Cell<W>>,
        event: &Event,
    ) -> wasmtime::Result<i32> {
        let n = u32::cast_signed;
        match *event {
            Event::ContextCreate { context, parent } => {
                tell(self.context_create.as_ref(), store, (n(context), n(parent)))
            }
            Event::VmStart { root, size } => ask(self.vm_start.as_ref(), store, (n(root), n(size))),
            Event::Configure { root, size } => {
                ask(self.configure.as_ref(), store, (n(root), n(size)))
            }
            Event::Tick { root } => tell(self.tick.as_ref(), store, n(root)),
            Event::RequestHeaders {
                context,
                count,
                end,
            } => self
                .request_headers
                .call(store, (n(context), n(count), i32::from(end))),
            Event::RequestBody { context, size, end } => ask(
                self.request_body.as_ref(),
                store,
                (n(context), n(size), i32::from(end)),
            ),
            Event::RequestTrailers { context, count } => ask(
                self.request_trailers.as_ref(),
                store,
                (n(context), n(count)),
            ),
            Event::ResponseHeaders {
                context,
                count,
                end,
            } => self
                .response_headers
                .call(store, (n(context), n(count), i32::from(end))),
            Event::ResponseBody { context, size, end } => ask(
                self.response_body.as_ref(),
                store,
                (n(context), n(size), i32::from(end)),
            ),
            Event::ResponseTrailers { context, count } => ask(
                self.response_trailers.as_ref(),
                store,
                (n(context), n(count)),
            ),
            Event::Done { context } => ask(self.done.as_ref(), store, n(context)),
            Event::Log { context } => tell(self.log.as_ref(), store, n(context)),
            Event::Delete { context } => tell(self.delete.as_ref(), store, n(context)),
            _ => self.call_network(store, event),
        }
    }

    /// The callbacks of TCP connections.
    fn call_network<W: World>(
        &self,
        store: &mut Store<Cell<W>>,
        event: &Event,
    ) -> wasmtime::Result<i32> {
        let n = u32::cast_signed;
        match *event {
            Event::NewConnection { context } => {
                ask(self.new_connection.as_ref(), store, n(context))
            }
            Event::DownstreamData { context, size, end } => ask(
                self.downstream_data.as_ref(),
                store,
                (n(context), n(size), i32::from(end)),
            ),
            Event::UpstreamData { context, size, end } => ask(
                self.upstream_data.as_ref(),
                store,
                (n(context), n(size), i32::from(end)),
            ),
            Event::DownstreamConnectionClose { context, by } => tell(
                self.downstream_connection_close.as_ref(),
                store,
                (n(context), by as i32),
            ),
            Event::UpstreamConnectionClose { context, by } => tell(
                self.upstream_connection_close.as_ref(),
                store,
                (n(context), by as i32),
            ),
            _ => self.call_root(store, event),
        }
    }

    /// The callbacks that only root contexts get.
    fn call_root<W: World>(
        &self,
        store: &mut Store<Cell<W>>,
        event: &Event,
    ) -> wasmtime::Result<i32> {
        let n = u32::cast_signed;
        match *event {
            Event::HttpCallResponse {
                root,
                token,
                headers,
                body_size,
                trailers,
            } => tell(
                self.http_call_response.as_ref(),
                store,
                (n(root), n(token), n(headers), n(body_size), n(trailers)),
            ),
            Event::GrpcInitialMetadata { root, token, count } => tell(
                self.grpc_initial_metadata.as_ref(),
                store,
                (n(root), n(token), n(count)),
            ),
            Event::GrpcMessage { root, token, size } => tell(
                self.grpc_message.as_ref(),
                store,
                (n(root), n(token), n(size)),
            ),
            Event::GrpcTrailingMetadata { root, token, count } => tell(
                self.grpc_trailing_metadata.as_ref(),
                store,
                (n(root), n(token), n(count)),
            ),
            Event::GrpcClose {
                root,
                token,
                status,
            } => tell(
                self.grpc_close.as_ref(),
                store,
                (n(root), n(token), n(status)),
            ),
            Event::QueueReady { root, token } => {
                tell(self.queue_ready.as_ref(), store, (n(root), n(token)))
            }
            Event::RedisReply {
                root,
                token,
                status,
                size,
            } => tell(
                self.redis_reply.as_ref(),
                store,
                (n(root), n(token), n(status), n(size)),
            ),
            Event::ForeignFunction {
                root,
                function,
                size,
            } => tell(
                self.foreign_function.as_ref(),
                store,
                (n(root), n(function), n(size)),
            ),
            _ => Ok(0),
        }
    }
}

impl Headers {
    fn is_there(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    fn call<W: World>(
        &self,
        store: &mut Store<Cell<W>>,
        (context, count, end): (i32, i32, i32),
    ) -> wasmtime::Result<i32> {
        match self {
            Self::Absent => Ok(0),
            Self::Two(function) => function.call(store, (context, count)),
            Self::Three(function) => function.call(store, (context, count, end)),
        }
    }
}

/// What the host assumes when the callback is missing: success, go on, nothing.
pub(super) fn default_result(event: &Event) -> i32 {
    match event {
        Event::VmStart { .. } | Event::Configure { .. } | Event::Done { .. } => 1,
        _ => 0,
    }
}

fn typed<P: WasmParams, R: WasmResults, W: World>(
    instance: &Instance,
    store: &mut Store<Cell<W>>,
    name: &str,
) -> Option<TypedFunc<P, R>> {
    if !store.data().world.allows(name) {
        return None;
    }
    instance.get_typed_func(store, name).ok()
}

fn headers<W: World>(instance: &Instance, store: &mut Store<Cell<W>>, name: &str) -> Headers {
    if let Some(three) = typed(instance, store, name) {
        return Headers::Three(three);
    }
    typed(instance, store, name).map_or(Headers::Absent, Headers::Two)
}

fn tell<P: WasmParams, W: World>(
    function: Option<&TypedFunc<P, ()>>,
    store: &mut Store<Cell<W>>,
    params: P,
) -> wasmtime::Result<i32> {
    function
        .map_or(Ok(()), |function| function.call(store, params))
        .map(|()| 0)
}

fn ask<P: WasmParams, W: World>(
    function: Option<&TypedFunc<P, i32>>,
    store: &mut Store<Cell<W>>,
    params: P,
) -> wasmtime::Result<i32> {
    function.map_or(Ok(0), |function| function.call(store, params))
}
