//! Core modules: `_start`, or any export.

use wasmtime::{AsContextMut as _, Engine, Instance, Module, Store};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};
use weir_guest::mapping::{MappedMemories, Mappings};

use super::values::{self, Given};
use super::{Ended, Invoke, Program, RunError, ended};
use crate::cap::Cap;
use crate::command::START;
use crate::door::Door;
use crate::module::memory::{self, Exports, Grown};
use crate::module::{self, Guest};
use crate::surroundings::Surroundings;

/// Runs it to its end.
pub(super) async fn run(
    (engine, module, memories): (&Engine, &[u8], Option<MappedMemories>),
    program: &Program,
    mut wasi: WasiCtxBuilder,
    surroundings: Box<dyn Surroundings>,
) -> Result<Ended, RunError> {
    let module =
        Module::new(engine, module).map_err(|error| RunError::Corrupted(format!("{error:#}")))?;
    let wanted = program
        .invoke
        .as_ref()
        .map_or(START, |invoke| &invoke.export);
    let export = module.get_export(wanted);
    let Some(ty) = export.and_then(|export| export.func().cloned()) else {
        return Err(RunError::Export {
            wanted: format!("function {wanted}"),
            found: module::functions(&module),
        });
    };
    // What can be said of the arguments is said before anything runs.
    let given = match &program.invoke {
        Some(invoke) => values::given((&invoke.export, &ty), &program.arguments)?,
        None => Vec::new(),
    };
    let linked = module::linker(&module)
        .and_then(|linker| linker.instantiate_pre(&module))
        .map_err(|error| RunError::Import(format!("{error:#}")))?;
    let guest = Guest {
        door: Door::new(surroundings),
        wasi: wasi.build_p1(),
        cap: Cap::new(u64::MAX),
        settings: Vec::new(),
        request_bytes: u64::MAX,
        response_bytes: u64::MAX,
        answer: None,
        exports: None,
        grown: Grown::default(),
        memories,
        mappings: Mappings::default(),
    };
    let mut store = Store::new(engine, guest);
    let begun = async {
        let instance = linked.instantiate_async(&mut store).await?;
        module::begin(&mut store, instance).await?;
        Ok(instance)
    };
    let instance = match begun.await {
        Ok(instance) => instance,
        Err(error) => return ended(Err(error)),
    };
    match &program.invoke {
        None => ended(start(&mut store, instance).await),
        Some(invoke) => invoked(&mut store, instance, invoke, &given).await,
    }
}

async fn start(store: &mut Store<Guest>, instance: Instance) -> wasmtime::Result<()> {
    let start = instance.get_typed_func::<(), ()>(&mut *store, START)?;
    start.call_async(&mut *store, ()).await
}

async fn invoked(
    store: &mut Store<Guest>,
    instance: Instance,
    invoke: &Invoke,
    given: &[Given],
) -> Result<Ended, RunError> {
    if invoke.starts {
        match start(store, instance).await {
            Err(error) if matches!(error.downcast_ref(), Some(I32Exit(0))) => {}
            Err(error) => return ended(Err(error)),
            Ok(()) => {}
        }
    }
    let trapped = |error: wasmtime::Error| match error.downcast_ref() {
        Some(I32Exit(code)) => Ok(Ended::Exit(*code)),
        None => Err(RunError::Trapped(weir_guest::told(&error))),
    };
    let exports = store.data().exports.clone();
    let function = instance.get_func(&mut *store, &invoke.export);
    let (Some(exports), Some(function)) = (exports, function) else {
        return trapped(wasmtime::format_err!("it lost its exports"));
    };
    let called = async {
        let arguments = placed(store, &exports, given).await?;
        let ty = function.ty(&*store);
        let mut results = values::room(&ty);
        function
            .call_async(&mut *store, &arguments, &mut results)
            .await?;
        Ok(results)
    };
    let results = match called.await {
        Ok(results) => results,
        Err(error) => return trapped(error),
    };
    if invoke.is_text {
        let memory = exports.memory().ok();
        let memory = memory
            .map(|memory| memory.data(&*store))
            .unwrap_or_default();
        return Ok(Ended::Answered(vec![values::text(&results, memory)?]));
    }
    Ok(Ended::Answered(results.iter().map(values::shown).collect()))
}

/// The arguments as the engine has them; text lies in the guest's memory.
async fn placed(
    store: &mut Store<Guest>,
    exports: &Exports,
    given: &[Given],
) -> wasmtime::Result<Vec<wasmtime::Val>> {
    let mut arguments = Vec::new();
    for given in given {
        match given {
            Given::Number(number) => arguments.push(*number),
            Given::Text(text) => {
                let placed = memory::give(store.as_context_mut(), exports, text.as_bytes()).await?;
                let Ok(address) = placed else {
                    return Err(wasmtime::format_err!(
                        "it has no memory for the {} bytes of an argument",
                        text.len()
                    ));
                };
                let length = u32::try_from(text.len())?;
                let numbers = [address, length].map(|n| wasmtime::Val::I32(n.cast_signed()));
                arguments.extend(numbers);
            }
        }
    }
    Ok(arguments)
}
