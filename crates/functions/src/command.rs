//! WASI commands: a process's way to answer a request (RFC 3875). The request stands in variables and
//! on standard input, the response comes on standard output.

mod head;
mod output;
mod variables;

use tokio::sync::oneshot;
use wasmtime::{InstancePre, Module, Store};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::cli::{AsyncStdinStream, AsyncStdoutStream};
use weir_guest::mapping::MappedMemories;

use crate::call::Call;
use crate::cell::Setup;
use crate::core;
use crate::door::{Door, Output};
use crate::fault::{Fault, FaultKind};
use crate::load::{Kind, LoadError};
use crate::message::{Request, Response};
use crate::module::{self, Guest};
use crate::pipe;
use crate::surroundings::{Stream, Surroundings};
use output::Answering;

/// A module that exports `_start`.
#[derive(Clone)]
pub(crate) struct Command {
    setup: Setup,
    module: InstancePre<Guest>,
    /// Those of a module that may map regions.
    memories: Option<MappedMemories>,
}

/// The export that is called.
pub(crate) const START: &str = "_start";

/// Whether a module of which nothing else is known is a command.
pub(crate) fn is_one(module: &Module) -> bool {
    module.get_export(START).is_some() && module.get_export(core::HANDLE).is_none()
}

impl Command {
    pub(crate) fn new(
        setup: Setup,
        module: &Module,
        memories: Option<MappedMemories>,
    ) -> Result<Self, LoadError> {
        let linked = module::linked(Kind::Command, module)?;
        let start = module.get_export(START);
        let start = start.and_then(|start| start.func().cloned());
        if start.is_none_or(|ty| ty.params().len() + ty.results().len() > 0) {
            return Err(LoadError::Export {
                kind: Kind::Command,
                expected: "a function _start () -> ()".to_owned(),
                found: module::functions(module),
            });
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
        let (head, body) = request.into_parts();
        let (tell, answer) = oneshot::channel();
        let door = Door::new(surroundings);
        let mut wasi = self.setup.wasi(&door)?;
        for (name, value) in variables::of(&head) {
            wasi.env(name, value);
        }
        wasi.stdin(AsyncStdinStream::new(pipe::Reader::new(body)))
            .stdout(AsyncStdoutStream::new(
                pipe::BYTES,
                Answering::new(self.setup.clone(), tell),
            ))
            .stderr(Output::new(&door, Stream::Error));
        let mut guest = Guest::new(&self.setup, door, wasi.build_p1());
        guest.memories.clone_from(&self.memories);
        let engine = self.module.module().engine();
        let (store, meter) = guest.into_store(&self.setup, engine);
        let guest = run(self.clone(), store);
        Call::new(&self.setup, meter, guest).head(answer).await
    }
}

/// A guest, from its first instruction to its last.
async fn run(command: Command, mut store: Store<Guest>) -> Result<(), Fault> {
    let ran = async {
        let instance = command.module.instantiate_async(&mut store).await?;
        module::begin(&mut store, instance).await?;
        let start = instance.get_typed_func::<(), ()>(&mut store, START)?;
        start.call_async(&mut store, ()).await
    };
    let Err(error) = ran.await else {
        return Ok(());
    };
    match error.downcast_ref() {
        Some(I32Exit(0)) => Ok(()),
        Some(I32Exit(code)) => {
            let text = format!("it ended itself with exit code {code}");
            Err(command.setup.fault(FaultKind::Trap, text))
        }
        None => Err(command.setup.failed(&error, store.data().cap.refused())),
    }
}
