//! Components that are commands: `wasi:cli/run` of WASI 0.2 and 0.3.

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, p2, p3};

use super::{Ended, RunError, ended};

/// The data of its store.
struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// The export, without its version.
const RUN: &str = "wasi:cli/run@0.";

/// Runs it to its end.
pub(super) async fn run(
    engine: &Engine,
    module: &[u8],
    mut wasi: WasiCtxBuilder,
) -> Result<Ended, RunError> {
    let component = Component::new(engine, module)
        .map_err(|error| RunError::Corrupted(format!("{error:#}")))?;
    let guest = Guest {
        wasi: wasi.build(),
        table: ResourceTable::new(),
    };
    let store = Store::new(engine, guest);
    let import = |error: wasmtime::Error| RunError::Import(format!("{error:#}"));
    let mut linker = Linker::new(engine);
    p2::add_to_linker_async(&mut linker).map_err(import)?;
    p3::add_to_linker(&mut linker).map_err(import)?;
    let linked = linker.instantiate_pre(&component).map_err(import)?;
    let names = exports(&component);
    let has = |minor: char| {
        let mut versions = names.iter().filter_map(|name| name.strip_prefix(RUN));
        versions.any(|version| version.starts_with(minor))
    };
    // What a toolchain for 0.2 makes of a program for 0.3 has both, and only the newer does something.
    if has('3') {
        let command = p3::bindings::CommandPre::new(linked).map_err(import)?;
        return newer(store, command).await;
    }
    if has('2') {
        let command = p2::bindings::CommandPre::new(linked).map_err(import)?;
        return older(store, command).await;
    }
    Err(RunError::Export {
        wanted: "wasi:cli/run".to_owned(),
        found: match &*names {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        },
    })
}

async fn older(
    mut store: Store<Guest>,
    command: p2::bindings::CommandPre<Guest>,
) -> Result<Ended, RunError> {
    let ran = async {
        let command = command.instantiate_async(&mut store).await?;
        command.wasi_cli_run().call_run(&mut store).await
    };
    told(ran.await)
}

async fn newer(
    mut store: Store<Guest>,
    command: p3::bindings::CommandPre<Guest>,
) -> Result<Ended, RunError> {
    let ran = async {
        let command = command.instantiate_async(&mut store).await?;
        let run = store.run_concurrent(async |store| command.wasi_cli_run().call_run(store).await);
        run.await?
    };
    told(ran.await)
}

/// Its own failure is the exit code 1.
fn told(ran: wasmtime::Result<Result<(), ()>>) -> Result<Ended, RunError> {
    match ran {
        Ok(Err(())) => Ok(Ended::Exit(1)),
        Ok(Ok(())) => ended(Ok(())),
        Err(error) => ended(Err(error)),
    }
}

fn exports(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    let names = ty.exports(component.engine());
    names.map(|(name, _)| name.to_owned()).collect()
}
