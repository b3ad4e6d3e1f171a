//! Components: programs (`wasi:cli/run` of WASI 0.2 and 0.3), or any exported function.

use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

use super::{Ended, Program, RunError, ended};
use crate::cell::Cell;
use crate::cli;
use crate::door::Door;
use crate::export::hand::{self, Call};
use crate::http::{exports, linker};
use crate::surroundings::Surroundings;

/// Runs it to its end.
pub(super) async fn run(
    (engine, module): (&Engine, &[u8]),
    program: &Program,
    mut wasi: WasiCtxBuilder,
    surroundings: Box<dyn Surroundings>,
) -> Result<Ended, RunError> {
    let component = Component::new(engine, module)
        .map_err(|error| RunError::Corrupted(format!("{error:#}")))?;
    // What can be said of the arguments is said before anything runs.
    let call = match &program.invoke {
        Some(invoke) => Some(Call::new(&component, &invoke.export, &program.arguments)?),
        None => None,
    };
    let import = |error: wasmtime::Error| RunError::Import(format!("{error:#}"));
    let linked = linker(engine).and_then(|linker| linker.instantiate_pre(&component));
    let linked = linked.map_err(import)?;
    let cell = Cell::unlimited(wasi.build(), Door::new(surroundings));
    let mut store = Store::new(engine, cell);
    if let Some(call) = call {
        return invoked(&mut store, &linked, call).await;
    }
    let program = cli::Program::new(&component, linked).map_err(import)?;
    let program = program.ok_or_else(|| RunError::Export {
        wanted: "wasi:cli/run".to_owned(),
        found: exports(&component),
    })?;
    match program.run(&mut store).await {
        // Its own failure is the exit code 1.
        Ok(Err(())) => Ok(Ended::Exit(1)),
        Ok(Ok(())) => ended(Ok(())),
        Err(error) => ended(Err(error)),
    }
}

async fn invoked(
    store: &mut Store<Cell>,
    linked: &InstancePre<Cell>,
    call: Call,
) -> Result<Ended, RunError> {
    let called = async {
        let instance = linked.instantiate_async(&mut *store).await?;
        call.made(store, instance).await
    };
    match called.await {
        Ok(hand::Told::Result(bytes)) => Ok(Ended::Told(bytes)),
        Ok(hand::Told::Refusal(bytes)) => Ok(Ended::Refused(bytes)),
        Err(error) => match error.downcast_ref() {
            Some(I32Exit(code)) => Ok(Ended::Exit(*code)),
            None => Err(RunError::Trapped(weir_guest::told(&error))),
        },
    }
}
