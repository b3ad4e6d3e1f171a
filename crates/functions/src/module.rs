//! Core modules: what the kinds `core` and `command` and `weir run` have in common.
//!
//! A module may import `weir_v1` (our own calls), WASI preview 1, `wasi_map_v1` and its first draft,
//! and the host functions of `TinyGo`'s demonstrations. Invariant: all that a guest points at is looked
//! at before it is used.

pub(crate) mod calls;
mod demonstration;
pub(crate) mod fetch;
pub(crate) mod memory;
mod regions;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::io::DuplexStream;
use tokio::sync::oneshot;
use wasmtime::{
    AsContextMut as _, Extern, ExternType, Instance, InstancePre, Linker, Module, Store,
};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use weir_guest::mapping::{MappedMemories, Mappings};
use weir_maps_wasmtime::{link_draft_forms, link_map_async};

use crate::call::Head;
use crate::cap::Cap;
use crate::cell::{Setup, texts};
use crate::door::Door;
use crate::load::{Kind, LoadError};
use crate::message::Response;
use crate::meter::Meter;
use crate::pipe;
use memory::{Exports, Grown};

/// The data of a core module's store.
pub(crate) struct Guest {
    pub(crate) door: Door,
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) cap: Cap,
    /// What `setting` answers.
    pub(crate) settings: Vec<(String, String)>,
    /// Bytes of a body that it sends whole.
    pub(crate) request_bytes: u64,
    /// Bytes of a body that it fetches whole.
    pub(crate) response_bytes: u64,
    /// What it answers; `None`: not by calls.
    pub(crate) answer: Option<Answer>,
    /// Known once it is instantiated.
    pub(crate) exports: Option<Exports>,
    pub(crate) grown: Grown,
    /// Where regions can be mapped; `None`: nowhere.
    pub(crate) memories: Option<MappedMemories>,
    pub(crate) mappings: Mappings,
}

/// A response that a guest composes by calls.
pub(crate) struct Answer {
    /// `None`: it has left.
    unsent: Option<Unsent>,
    pub(crate) body: DuplexStream,
}

struct Unsent {
    is_touched: bool,
    head: AnswerHead,
    tell: oneshot::Sender<Head>,
    body: DuplexStream,
}

/// Its head, as far as it is known.
#[derive(Default)]
pub(crate) struct AnswerHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Of all names and values.
    pub(crate) bytes: usize,
}

impl Answer {
    /// An empty response, which goes where `tell` leads.
    pub(crate) fn new(tell: oneshot::Sender<Head>) -> Self {
        let (body, read) = tokio::io::duplex(pipe::BYTES);
        let unsent = Unsent {
            is_touched: false,
            head: AnswerHead::default(),
            tell,
            body: read,
        };
        Self {
            unsent: Some(unsent),
            body,
        }
    }

    /// Whether the guest has composed nothing.
    pub(crate) fn is_untouched(&self) -> bool {
        self.unsent
            .as_ref()
            .is_some_and(|unsent| !unsent.is_touched)
    }

    /// Whether the head has left.
    pub(crate) fn has_left(&self) -> bool {
        self.unsent.is_none()
    }

    /// The head, while it can be changed.
    pub(crate) fn head(&mut self) -> Result<&mut AnswerHead, memory::Errno> {
        let unsent = self.unsent.as_mut().ok_or(memory::Errno::ALREADY)?;
        unsent.is_touched = true;
        Ok(&mut unsent.head)
    }

    /// Lets the head go, if it has not gone.
    pub(crate) fn send_head(&mut self) {
        let Some(Unsent {
            head, tell, body, ..
        }) = self.unsent.take()
        else {
            return;
        };
        let mut response = Response::new(pipe::body(body).boxed_unsync());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        // Whoever does not want it any more drops the guest.
        let _ = tell.send(Ok(response));
    }
}

/// Whether a field is about the connection, which is not the function's (RFC 9110, section 7.6.1).
pub(crate) fn is_of_connection(name: &HeaderName) -> bool {
    let others = ["keep-alive", "proxy-connection"];
    [
        header::CONNECTION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ]
    .contains(name)
        || others.contains(&name.as_str())
}

impl Guest {
    /// One of the gateway.
    pub(crate) fn new(setup: &Setup, door: Door, wasi: WasiP1Ctx) -> Self {
        let function = setup.function();
        Self {
            door,
            wasi,
            cap: Cap::new(function.limits.memory_bytes),
            settings: texts(&function.settings).collect(),
            request_bytes: function.limits.request_bytes,
            response_bytes: function.limits.response_bytes,
            answer: None,
            exports: None,
            grown: Grown::default(),
            memories: None,
            mappings: Mappings::default(),
        }
    }

    /// Its store, and what counts its time.
    pub(crate) fn into_store(
        self,
        setup: &Setup,
        engine: &wasmtime::Engine,
    ) -> (Store<Self>, Arc<Meter>) {
        let meter = Meter::new(setup.function().limits.time);
        let mut store = Store::new(engine, self);
        store.limiter(|guest| &mut guest.cap);
        meter.watch(&mut store);
        (store, meter)
    }
}

/// A module with all that it imports.
pub(crate) fn linked(kind: Kind, module: &Module) -> Result<InstancePre<Guest>, LoadError> {
    linker(module)
        .and_then(|linker| linker.instantiate_pre(module))
        .map_err(|error| LoadError::Import {
            kind,
            error: format!("{error:#}"),
        })
}

/// All that a module may import.
pub(crate) fn linker(module: &Module) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(module.engine());
    p1::add_to_linker_async(&mut linker, |guest: &mut Guest| &mut guest.wasi)?;
    calls::link(&mut linker)?;
    link_map_async(&mut linker)?;
    link_draft_forms(&mut linker, module)?;
    demonstration::link(&mut linker, module)?;
    Ok(linker)
}

/// Remembers what the host needs of an instance's exports, and runs `_initialize` if there is one.
pub(crate) async fn begin(store: &mut Store<Guest>, instance: Instance) -> wasmtime::Result<()> {
    let find = |store: &mut wasmtime::StoreContextMut<'_, Guest>, name: &str| -> Option<Extern> {
        instance.get_export(store, name)
    };
    let exports = Exports::find(store.as_context_mut(), find);
    if let (Some(memories), Ok(memory)) = (store.data().memories.clone(), exports.memory()) {
        store.data_mut().mappings = memories.mappings(memory, &*store);
    }
    store.data_mut().exports = Some(exports);
    if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut *store, "_initialize") {
        initialize.call_async(&mut *store, ()).await?;
    }
    Ok(())
}

/// Names and types of a module's exported functions, for people.
pub(crate) fn functions(module: &Module) -> String {
    let functions = module.exports().filter_map(|export| match export.ty() {
        ExternType::Func(ty) => Some(format!("{} {ty}", export.name())),
        _ => None,
    });
    let names: Vec<_> = functions.take(NAMES_MAX).collect();
    if names.is_empty() {
        return "no function".to_owned();
    }
    names.join(", ")
}

/// As many as people read.
const NAMES_MAX: usize = 20;
