//! The exports of a plugin that the host calls: looked up and checked once per program, bound to
//! every instance.

mod binding;

use wasmtime::{Func, Instance, Store, TypedFunc, WasmParams};

use crate::cell::Cell;
use crate::door::{Event, World};
use binding::{Bind, Exported, Shape, bind};

type OneWay<P> = Option<TypedFunc<P, ()>>;
type Asking<P> = Option<TypedFunc<P, i32>>;

/// Declares the callbacks: where a module exports them, and bound to an instance.
macro_rules! callbacks {
    ($($field:ident: $ty:ty = $name:literal;)*) => {
        /// Where a module exports its callbacks, their types checked.
        #[derive(Clone)]
        pub(crate) struct CallbackExports {
            $($field: Option<Exported>,)*
        }

        /// All callbacks of one instance; absent ones are `None`.
        pub(super) struct Callbacks {
            $($field: $ty,)*
        }

        impl CallbackExports {
            /// Looks a module's callbacks up. Those of another type are taken for absent.
            pub(crate) fn find(module: &wasmtime::Module) -> Self {
                Self { $($field: Exported::find::<$ty>(module, $name),)* }
            }

            /// The names of those that are there.
            pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
                [$(($name, self.$field.is_some()),)*]
                    .into_iter()
                    .filter_map(|(name, is_there)| is_there.then_some(name))
            }

            /// Those of them that a world lets the host call.
            pub(super) fn allowed(&self, world: &impl World) -> Self {
                Self { $($field: self.$field.filter(|_| world.allows($name)),)* }
            }

            /// Binds them to an instance of their module.
            pub(super) fn bind<W: World>(
                &self,
                instance: &Instance,
                store: &mut Store<Cell<W>>,
            ) -> Callbacks {
                Callbacks { $($field: bind::<$ty, W>(self.$field, instance, store),)* }
            }
        }
    };
}

callbacks! {
    context_create: OneWay<(i32, i32)> = "proxy_on_context_create";
    vm_start: Asking<(i32, i32)> = "proxy_on_vm_start";
    configure: Asking<(i32, i32)> = "proxy_on_configure";
    tick: OneWay<i32> = "proxy_on_tick";
    request_headers: Headers = "proxy_on_request_headers";
    request_body: Asking<(i32, i32, i32)> = "proxy_on_request_body";
    request_trailers: Asking<(i32, i32)> = "proxy_on_request_trailers";
    response_headers: Headers = "proxy_on_response_headers";
    response_body: Asking<(i32, i32, i32)> = "proxy_on_response_body";
    response_trailers: Asking<(i32, i32)> = "proxy_on_response_trailers";
    new_connection: Asking<i32> = "proxy_on_new_connection";
    downstream_data: Asking<(i32, i32, i32)> = "proxy_on_downstream_data";
    upstream_data: Asking<(i32, i32, i32)> = "proxy_on_upstream_data";
    downstream_connection_close: OneWay<(i32, i32)> = "proxy_on_downstream_connection_close";
    upstream_connection_close: OneWay<(i32, i32)> = "proxy_on_upstream_connection_close";
    done: Asking<i32> = "proxy_on_done";
    log: OneWay<i32> = "proxy_on_log";
    delete: OneWay<i32> = "proxy_on_delete";
    http_call_response: OneWay<(i32, i32, i32, i32, i32)> = "proxy_on_http_call_response";
    grpc_initial_metadata: OneWay<(i32, i32, i32)> = "proxy_on_grpc_receive_initial_metadata";
    grpc_message: OneWay<(i32, i32, i32)> = "proxy_on_grpc_receive";
    grpc_trailing_metadata: OneWay<(i32, i32, i32)> = "proxy_on_grpc_receive_trailing_metadata";
    grpc_close: OneWay<(i32, i32, i32)> = "proxy_on_grpc_close";
    queue_ready: OneWay<(i32, i32)> = "proxy_on_queue_ready";
    redis_reply: OneWay<(i32, i32, i32, i32)> = "proxy_on_redis_call_response";
    foreign_function: OneWay<(i32, i32, i32)> = "proxy_on_foreign_function";
}

/// A headers callback. Its own type decides how it is called, not the module's marker: real 0.1.0
/// modules have both forms.
enum Headers {
    Absent,
    Two(TypedFunc<(i32, i32), i32>),
    Three(TypedFunc<(i32, i32, i32), i32>),
}

#[expect(
    unsafe_code,
    reason = "checking types at every instantiation costs microseconds"
)]
impl Bind for Headers {
    fn fits(shape: Shape) -> bool {
        matches!(shape.params, 2 | 3) && shape.results == 1
    }

    unsafe fn bind<W: World>(store: &Store<Cell<W>>, function: Func, shape: Shape) -> Self {
        // SAFETY: the caller promises that the function takes as many `i32` as the shape says and
        // gives one, for the shape fits.
        unsafe {
            match shape.params {
                2 => Self::Two(TypedFunc::new_unchecked(store, function)),
                _ => Self::Three(TypedFunc::new_unchecked(store, function)),
            }
        }
    }

    fn absent() -> Self {
        Self::Absent
    }
}

impl Callbacks {
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
pub(crate) fn default_result(event: &Event) -> i32 {
    match event {
        Event::VmStart { .. } | Event::Configure { .. } | Event::Done { .. } => 1,
        _ => 0,
    }
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
