//! A host with maps that is not Weir, for components: calls one export that takes a text and answers
//! one, over the engine of maps.
//!
//! ```text
//! component COMPONENT EXPORT TEXT [--map NAME[=RIGHT,RIGHT…]]… [--default NAME]
//! ```
//!
//! Options are those of the example `host`. The component finds `wasi-map:map`, `wasi:keyvalue` and
//! WASI 0.2 without files, network, variables or output.

#![expect(clippy::print_stdout, reason = "its output")]

#[expect(dead_code, reason = "it is an example of its own")]
#[path = "host.rs"]
pub(crate) mod host;

use std::process::ExitCode;

use wasmtime::Store;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use weir_maps::handles::Ends;
use weir_maps::{Called, Handles, MapCall};
use weir_maps_wasmtime::{Begun, CannotWait, MapAnswer, MapCtx, MapDoor, MapView, link_component};

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Answers calls: all that a host needs for maps.
struct Door(Handles);

impl MapDoor for Door {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        // The run is the instance's only one, so loans end with it.
        match self.0.call(call, Ends::WithInstance) {
            Called::Now(reply) => Ok(reply.into()),
            // Maps in memory answer at once, but for waiting for changes: nobody else is here to
            // make any.
            Called::Later(_) => Err(CannotWait.into()),
        }
    }
}

/// The data of the component's store.
struct Guest {
    door: Door,
    begun: Begun,
    table: ResourceTable,
    wasi: WasiCtx,
}

impl MapView for Guest {
    fn maps(&mut self) -> MapCtx<'_> {
        MapCtx {
            door: &mut self.door,
            begun: &mut self.begun,
            table: &mut self.table,
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Does what the arguments say; the text to be printed.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let mut words: Vec<_> = arguments.collect();
    if words.len() < 3 {
        return Err("usage: component COMPONENT EXPORT TEXT [--map NAME[=RIGHT,…]]…".to_owned());
    }
    let text = words.remove(2);
    let arguments = host::parse(words.into_iter())?;
    let (maps, handles) = host::prepare(&arguments)?;
    let worker = tokio::runtime::Builder::new_current_thread().build();
    let worker = worker.map_err(|error| error.to_string())?;
    let called = worker.block_on(call(&arguments, text, handles));
    let mut answer = called.map_err(|error| format!("{error:?}"))?;
    answer.push('\n');
    host::list_all(&maps, &arguments, &mut answer)?;
    Ok(answer)
}

/// Links the component and calls its export.
async fn call(
    arguments: &host::Arguments,
    text: String,
    handles: Handles,
) -> wasmtime::Result<String> {
    let engine = wasmtime::Engine::default();
    let component = Component::from_file(&engine, &arguments.module)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    link_component(&mut linker)?;
    let guest = Guest {
        door: Door(handles),
        begun: Begun::default(),
        table: ResourceTable::new(),
        wasi: WasiCtx::builder().build(),
    };
    let mut store = Store::new(&engine, guest);
    let instance = linker.instantiate_async(&mut store, &component).await?;
    let name = &arguments.export;
    let export = instance.get_func(&mut store, name);
    let export = export
        .ok_or_else(|| wasmtime::format_err!("the component exports no function {name}"))?
        .typed::<(String,), (String,)>(&store)?;
    let (answer,) = export.call_async(&mut store, (text,)).await?;
    Ok(answer)
}
