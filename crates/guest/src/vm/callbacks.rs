//! The exports of a plugin that the host calls: looked up and checked once per program, bound to
//! every instance.

mod binding;

use wasmtime::{Func, Instance, Store, TypedFunc, WasmParams, WasmResults};

use crate::cell::Cell;
use crate::door::{Event, World};
use binding::{Bind, Exported, Numbers, Shape, bind};

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
    map_change: OneWay<(i32, i32)> = "wasi_map_on_change";
    map_release: OneWay<i64> = "wasi_map_on_release";
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

/// A callback as a function with so many parameters and results.
pub(super) struct Callee<'c> {
    pub(super) function: &'c Func,
    pub(super) params: usize,
    pub(super) results: usize,
}

fn callee<P: WasmParams + Numbers, R: WasmResults + Numbers>(
    function: Option<&TypedFunc<P, R>>,
) -> Option<Callee<'_>> {
    function.map(|function| Callee {
        function: function.func(),
        params: P::COUNT,
        results: R::COUNT,
    })
}

impl Callbacks {
    /// Whether the guest has a callback for the event.
    pub(super) fn has(&self, event: &Event) -> bool {
        self.callee(event).is_some()
    }

    /// The function that is the callback of the event.
    pub(super) fn callee(&self, event: &Event) -> Option<Callee<'_>> {
        match event {
            Event::ContextCreate { .. } => callee(self.context_create.as_ref()),
            Event::VmStart { .. } => callee(self.vm_start.as_ref()),
            Event::Configure { .. } => callee(self.configure.as_ref()),
            Event::Tick { .. } => callee(self.tick.as_ref()),
            Event::RequestHeaders { .. } => self.request_headers.callee(),
            Event::RequestBody { .. } => callee(self.request_body.as_ref()),
            Event::RequestTrailers { .. } => callee(self.request_trailers.as_ref()),
            Event::ResponseHeaders { .. } => self.response_headers.callee(),
            Event::ResponseBody { .. } => callee(self.response_body.as_ref()),
            Event::ResponseTrailers { .. } => callee(self.response_trailers.as_ref()),
            Event::NewConnection { .. } => callee(self.new_connection.as_ref()),
            Event::DownstreamData { .. } => callee(self.downstream_data.as_ref()),
            Event::UpstreamData { .. } => callee(self.upstream_data.as_ref()),
            Event::DownstreamConnectionClose { .. } => {
                callee(self.downstream_connection_close.as_ref())
            }
            Event::UpstreamConnectionClose { .. } => {
                callee(self.upstream_connection_close.as_ref())
            }
            Event::Done { .. } => callee(self.done.as_ref()),
            Event::Log { .. } => callee(self.log.as_ref()),
            Event::Delete { .. } => callee(self.delete.as_ref()),
            Event::HttpCallResponse { .. } => callee(self.http_call_response.as_ref()),
            Event::GrpcInitialMetadata { .. } => callee(self.grpc_initial_metadata.as_ref()),
            Event::GrpcMessage { .. } => callee(self.grpc_message.as_ref()),
            Event::GrpcTrailingMetadata { .. } => callee(self.grpc_trailing_metadata.as_ref()),
            Event::GrpcClose { .. } => callee(self.grpc_close.as_ref()),
            Event::QueueReady { .. } => callee(self.queue_ready.as_ref()),
            Event::RedisReply { .. } => callee(self.redis_reply.as_ref()),
            Event::ForeignFunction { .. } => callee(self.foreign_function.as_ref()),
            Event::MapChange { .. } => callee(self.map_change.as_ref()),
            Event::MapRelease { .. } => callee(self.map_release.as_ref()),
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
            Event::MapChange { context, watch } => {
                tell(self.map_change.as_ref(), store, (n(context), n(watch)))
            }
            Event::MapRelease { map, .. } => {
                tell(self.map_release.as_ref(), store, map.cast_signed())
            }
            _ => Ok(0),
        }
    }
}

impl Headers {
    fn callee(&self) -> Option<Callee<'_>> {
        match self {
            Self::Absent => None,
            Self::Two(function) => callee(Some(function)),
            Self::Three(function) => callee(Some(function)),
        }
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
