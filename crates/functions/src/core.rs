//! Core modules with the plain ABI: `handle` is called with the request in linear memory, and answers
//! by calls of `weir_v1` (docs/functions.md).

use bytes::Bytes;
use http::StatusCode;
use http::header::HOST;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::sync::oneshot;
use wasmtime::{AsContextMut as _, InstancePre, Module, Store};
use wasmtime_wasi::I32Exit;
use weir_guest::mapping::MappedMemories;

use crate::call::Call;
use crate::cell::Setup;
use crate::door::{Door, Output};
use crate::fault::{Fault, FaultKind};
use crate::load::{Kind, LoadError};
use crate::message::{BodyError, Request, Response};
use crate::module::memory::{self, Exports};
use crate::module::{self, Answer, Guest, calls, fetch};
use crate::surroundings::{Stream, Surroundings};

/// A module that exports `handle`.
#[derive(Clone)]
pub(crate) struct Core {
    setup: Setup,
    module: InstancePre<Guest>,
    /// Those of a module that may map regions.
    memories: Option<MappedMemories>,
}

/// Address and length of method, path, headers and body.
type Arguments = (i32, i32, i32, i32, i32, i32, i32, i32);

/// The export that is called.
pub(crate) const HANDLE: &str = "handle";

impl Core {
    pub(crate) fn new(
        setup: Setup,
        module: &Module,
        memories: Option<MappedMemories>,
    ) -> Result<Self, LoadError> {
        let linked = module::linked(Kind::Core, module)?;
        let missing = |expected: &str| LoadError::Export {
            kind: Kind::Core,
            expected: expected.to_owned(),
            found: module::functions(module),
        };
        let handle = module.get_export(HANDLE);
        let handle = handle.and_then(|handle| handle.func().cloned());
        let fits = handle.is_some_and(|handle| {
            let is_number = |ty| matches!(ty, wasmtime::ValType::I32);
            (handle.params().len(), handle.results().len()) == (8, 1)
                && handle.params().chain(handle.results()).all(is_number)
        });
        if !fits {
            return Err(missing("a function handle (i32 × 8) -> (i32)"));
        }
        let memory = module.get_export("memory");
        let memory = memory.and_then(|memory| memory.memory().cloned());
        if memory.is_none_or(|memory| memory.is_64() || memory.is_shared()) {
            return Err(missing("a memory of 32-bit addresses, named memory"));
        }
        Ok(Self {
            setup,
            module: linked,
            memories,
        })
    }

    pub(crate) async fn call(
        &self,
        request: Request,
        surroundings: Box<dyn Surroundings>,
    ) -> Result<Response, Fault> {
        let limits = &self.setup.function().limits;
        let asked = Asked::new(request, limits.request_bytes);
        let asked = match tokio::time::timeout(limits.timeout, asked).await {
            Ok(Ok(asked)) => asked,
            Ok(Err(refusal)) => return Ok(refusal),
            Err(_) => {
                let text = format!("{}\n", BodyError::TimedOut);
                return Ok(refusal(StatusCode::REQUEST_TIMEOUT, text));
            }
        };
        let (tell, head) = oneshot::channel();
        let door = Door::new(surroundings);
        let mut wasi = self.setup.wasi(&door)?;
        wasi.stdout(Output::new(&door, Stream::Out))
            .stderr(Output::new(&door, Stream::Error));
        let mut guest = Guest::new(&self.setup, door, wasi.build_p1());
        guest.answer = Some(Answer::new(tell));
        guest.memories.clone_from(&self.memories);
        let (store, meter) = guest.into_store(&self.setup, self.module.module().engine());
        let guest = run(self.clone(), store, asked);
        Call::new(&self.setup, meter, guest).head(head).await
    }
}

/// A guest, from its first instruction to its last.
async fn run(core: Core, mut store: Store<Guest>, asked: Asked) -> Result<(), Fault> {
    let status = core.status(&mut store, &asked).await;
    let setup = &core.setup;
    let Some(answer) = store.data_mut().answer.as_mut() else {
        return Ok(());
    };
    let status = match status {
        Ok(0) if answer.is_untouched() => {
            let text = format!("`{HANDLE}` answered 0 and composed no response");
            return Err(setup.fault(FaultKind::NoResponse, text));
        }
        Ok(status) => status,
        // It has said all that it wanted to.
        Err(error) if has_exited(&error) && answer.has_left() => 0,
        Err(error) if error.is::<NoRoom>() => {
            return Err(setup.fault(FaultKind::Limit, format!("{error:#}")));
        }
        Err(error) => return Err(setup.failed(&error, store.data().cap.refused())),
    };
    if status != 0 {
        let Some(status) = calls::final_status(status) else {
            let text = format!(
                "`{HANDLE}` answered {status}, which is no status: expected 0 or 200 to 599"
            );
            return Err(setup.fault(FaultKind::BadResponse, text));
        };
        if let Ok(head) = answer.head() {
            head.status = status;
        } else {
            // Its own `respond_write` let another one go.
            tracing::debug!(function = %setup.name(), "a status came after the head");
        }
    }
    answer.send_head();
    Ok(())
}

impl Core {
    /// What `handle` answers.
    async fn status(&self, store: &mut Store<Guest>, asked: &Asked) -> wasmtime::Result<i32> {
        let instance = self.module.instantiate_async(&mut *store).await?;
        module::begin(store, instance).await?;
        let handle = instance.get_typed_func::<Arguments, i32>(&mut *store, HANDLE)?;
        let exports = store.data().exports.clone();
        let exports = exports.ok_or_else(|| wasmtime::format_err!("it has no exports"))?;
        let at = asked.put(store, &exports).await?;
        handle.call_async(&mut *store, at).await
    }
}

/// Whether it ended itself with success.
fn has_exited(error: &wasmtime::Error) -> bool {
    matches!(error.downcast_ref(), Some(I32Exit(0)))
}

/// A request as `handle` gets it.
struct Asked {
    /// Method, path, headers and body, one behind the other.
    bytes: Vec<u8>,
    lengths: [usize; 4],
}

impl Asked {
    /// Takes all of a request; the inner error is what the client gets.
    async fn new(request: Request, bytes_max: u64) -> Result<Self, Response> {
        let (mut head, body) = request.into_parts();
        let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                let text = format!("the request's body is longer than {bytes_max} bytes\n");
                refusal(StatusCode::PAYLOAD_TOO_LARGE, text)
            } else {
                refusal(StatusCode::BAD_REQUEST, format!("{error}\n"))
            }
        })?;
        let body = body.to_bytes();
        if let (false, Some(authority)) = (head.headers.contains_key(HOST), head.uri.authority())
            && let Ok(host) = authority.as_str().parse()
        {
            head.headers.insert(HOST, host);
        }
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let headers = fetch::lines(&head.headers);
        let parts = [
            head.method.as_str().as_bytes(),
            path.as_bytes(),
            &*headers,
            &*body,
        ];
        Ok(Self {
            bytes: parts.concat(),
            lengths: parts.map(<[u8]>::len),
        })
    }

    /// Puts it into the guest's memory.
    async fn put(
        &self,
        store: &mut Store<Guest>,
        exports: &Exports,
    ) -> wasmtime::Result<Arguments> {
        let given = memory::give(store.as_context_mut(), exports, &self.bytes).await?;
        let Ok(mut at) = given else {
            let bytes = self.bytes.len();
            return Err(wasmtime::Error::new(NoRoom { bytes }));
        };
        let mut arguments = [0; 8];
        for (place, length) in arguments.chunks_exact_mut(2).zip(self.lengths) {
            let length = u32::try_from(length)?;
            place.copy_from_slice(&[at.cast_signed(), length.cast_signed()]);
            at = at.saturating_add(length);
        }
        let [m, m_bytes, p, p_bytes, h, h_bytes, b, b_bytes] = arguments;
        Ok((m, m_bytes, p, p_bytes, h, h_bytes, b, b_bytes))
    }
}

/// The guest has no room for the request.
#[derive(Debug, thiserror::Error)]
#[error("it gave no memory for the {bytes} bytes of a request")]
pub(crate) struct NoRoom {
    bytes: usize,
}

/// What a client gets whose request the guest never saw.
fn refusal(status: StatusCode, text: String) -> Response {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}
