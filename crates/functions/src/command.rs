//! WASI commands: a process's way to answer a request (RFC 3875). The request stands in variables and
//! on standard input, the response comes on standard output.

mod head;
mod output;
mod variables;

use tokio::sync::oneshot;
use wasmtime::component::Component;
use wasmtime::{InstancePre, Module, Store};
use wasmtime_wasi::cli::{AsyncStdinStream, AsyncStdoutStream};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};
use weir_guest::mapping::MappedMemories;

use crate::call::{Call, Head};
use crate::cap::Refused;
use crate::cell::{Cell, Setup};
use crate::cli::Program;
use crate::core;
use crate::door::{Door, Output};
use crate::fault::{Fault, FaultKind};
use crate::http;
use crate::load::{Kind, LoadError};
use crate::message::{Request, Response};
use crate::module::{self, Guest};
use crate::pipe;
use crate::surroundings::{Stream, Surroundings};
use output::Answering;

/// A module that exports `_start`, or a component that exports `wasi:cli/run`.
#[derive(Clone)]
pub(crate) struct Command {
    setup: Setup,
    form: Form,
}

#[derive(Clone)]
enum Form {
    Module {
        module: InstancePre<Guest>,
        /// Those of a module that may map regions.
        memories: Option<MappedMemories>,
    },
    Component(Program),
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
            form: Form::Module {
                module: linked,
                memories,
            },
        })
    }

    pub(crate) fn of_component(setup: Setup, component: &Component) -> Result<Self, LoadError> {
        let program = http::linker(component.engine())
            .and_then(|linker| linker.instantiate_pre(component))
            .and_then(|linked| Program::new(component, linked))
            .map_err(|error| LoadError::Import {
                kind: Kind::Command,
                error: format!("{error:#}"),
            })?;
        let program = program.ok_or_else(|| LoadError::Export {
            kind: Kind::Command,
            expected: "an export wasi:cli/run of version 0.2 or 0.3".to_owned(),
            found: http::exports(component),
        })?;
        Ok(Self {
            setup,
            form: Form::Component(program),
        })
    }

    pub(crate) async fn call(
        &self,
        request: Request,
        surroundings: Box<dyn Surroundings>,
    ) -> Result<Response, Fault> {
        let (tell, answer) = oneshot::channel();
        let door = Door::new(surroundings);
        let mut wasi = self.wasi(request, &door, tell)?;
        let setup = self.setup.clone();
        let call = match &self.form {
            Form::Module { module, memories } => {
                let mut guest = Guest::new(&setup, door, wasi.build_p1());
                guest.memories.clone_from(memories);
                let (store, meter) = guest.into_store(&setup, module.module().engine());
                Call::new(&self.setup, meter, run(setup, module.clone(), store))
            }
            Form::Component(program) => {
                let store = setup.store_of(program.engine(), door, wasi.build());
                let meter = store.data().meter.clone();
                Call::new(
                    &self.setup,
                    meter,
                    run_program(setup, program.clone(), store),
                )
            }
        };
        call.head(answer).await
    }

    /// What a guest sees: the request in variables and on standard input, and where its answer goes.
    fn wasi(
        &self,
        request: Request,
        door: &Door,
        tell: oneshot::Sender<Head>,
    ) -> Result<WasiCtxBuilder, Fault> {
        let (head, body) = request.into_parts();
        let mut wasi = self.setup.wasi(door)?;
        for (name, value) in variables::of(&head) {
            wasi.env(name, value);
        }
        wasi.stdin(AsyncStdinStream::new(pipe::Reader::new(body)))
            .stdout(AsyncStdoutStream::new(
                pipe::BYTES,
                Answering::new(self.setup.clone(), tell),
            ))
            .stderr(Output::new(door, Stream::Error));
        Ok(wasi)
    }
}

/// A guest, from its first instruction to its last.
async fn run(
    setup: Setup,
    module: InstancePre<Guest>,
    mut store: Store<Guest>,
) -> Result<(), Fault> {
    let ran = async {
        let instance = module.instantiate_async(&mut store).await?;
        module::begin(&mut store, instance).await?;
        let start = instance.get_typed_func::<(), ()>(&mut store, START)?;
        start.call_async(&mut store, ()).await
    };
    let ran = ran.await;
    ended(&setup, ran, || store.data().cap.refused())
}

/// The same, of a component.
async fn run_program(setup: Setup, program: Program, mut store: Store<Cell>) -> Result<(), Fault> {
    let ran = program.run(&mut store).await;
    // What it says of itself is its exit code.
    let ran = ran.and_then(|said| said.map_err(|()| I32Exit(1).into()));
    ended(&setup, ran, || store.data().cap.refused())
}

/// What the end of a guest means.
fn ended(
    setup: &Setup,
    ran: wasmtime::Result<()>,
    refused: impl FnOnce() -> Option<Refused>,
) -> Result<(), Fault> {
    let Err(error) = ran else {
        return Ok(());
    };
    match error.downcast_ref() {
        Some(I32Exit(0)) => Ok(()),
        Some(I32Exit(code)) => {
            let text = format!("it ended itself with exit code {code}");
            Err(setup.fault(FaultKind::Trap, text))
        }
        None => Err(setup.failed(&error, refused())),
    }
}
