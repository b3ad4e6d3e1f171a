//! A program linked with the host's functions, kept for all its instances.

use std::rc::Rc;
use std::sync::{Arc, Weak};

use wasmtime::{Extern, ExternType, Func, FuncType, InstancePre, Linker, Store, Val, ValType};
use weir_model::Dialect;

use super::callbacks::CallbackExports;
use super::{Host, Linking, StartError, refused};
use crate::abi::{Namespace, Topic};
use crate::cell::Cell;
use crate::door::{Call, Status, World};
use crate::program::Program;

/// `errno` of a WASI function that is not there.
const WASI_NOSYS: i32 = 52;
/// `errno` of a WASI function that is withheld.
const WASI_NOTCAPABLE: i32 = 76;

/// The same number for a function of WASI-Map that is not there: `notsup`.
const MAP_NOTSUP: i32 = 58;

/// A program with everything that it imports, for worlds that allow the same.
pub(super) struct Link<W: World> {
    life: Weak<()>,
    /// What the world said to each name that it is asked about.
    allowed: Vec<bool>,
    pub(super) instance: InstancePre<Cell<W>>,
    pub(super) callbacks: CallbackExports,
}

impl<W: World> Host<W> {
    /// The program linked for the world in this store. Worlds are asked what they allow once for each
    /// instance; linking is done once for each answer.
    pub(super) fn link(
        &self,
        program: &Program,
        store: &mut Store<Cell<W>>,
    ) -> Result<Rc<Link<W>>, StartError> {
        let allowed = program
            .gated
            .iter()
            .map(|name| store.data().world.allows(name));
        let allowed: Vec<bool> = allowed.collect();
        if store.data().world.watches() {
            // What it is linked with belongs to this store.
            return self.link_anew(program, store, allowed);
        }
        let mut links = self.links.borrow_mut();
        links.retain(|link| link.life.strong_count() > 0);
        let known = links.iter().find(|link| {
            std::ptr::eq(link.life.as_ptr(), Arc::as_ptr(&program.life)) && link.allowed == allowed
        });
        if let Some(known) = known {
            return Ok(Rc::clone(known));
        }
        let link = self.link_anew(program, store, allowed)?;
        links.push(Rc::clone(&link));
        Ok(link)
    }

    fn link_anew(
        &self,
        program: &Program,
        store: &mut Store<Cell<W>>,
        allowed: Vec<bool>,
    ) -> Result<Rc<Link<W>>, StartError> {
        let mut linker = self.linker(program.engine)?.clone();
        link_own(&mut linker, program, store, &self.linking).map_err(refused)?;
        Ok(Rc::new(Link {
            life: Arc::downgrade(&program.life),
            allowed,
            instance: linker.instantiate_pre(&program.module).map_err(refused)?,
            callbacks: program.exports.callbacks.allowed(&store.data().world),
        }))
    }
}

/// Adds the stubs that only this program asks for.
fn link_own<W: World>(
    linker: &mut Linker<Cell<W>>,
    program: &Program,
    store: &mut Store<Cell<W>>,
    linking: &Linking<W>,
) -> wasmtime::Result<()> {
    if program.dialect == Dialect::Higress {
        (linking.higress)(linker)?;
    }
    weir_maps_wasmtime::link_draft_forms(linker, &program.module)?;
    for import in program.module.imports() {
        let (module, name) = (import.module(), import.name());
        match import.ty() {
            ExternType::Func(ty) if !is_granted(&store.data().world, module, name) => {
                withhold(linker, (module, name), ty)?;
            }
            ExternType::Func(ty)
                if store.data().world.watches() && capability(module, name).is_some() =>
            {
                watch_import(linker, &mut *store, (module, name, ty), linking.watch)?;
            }
            ExternType::Func(ty) if linker.get(&mut *store, module, name).is_err() => {
                let answer = match Namespace::of(module) {
                    Some(Namespace::Wasi) => WASI_NOSYS,
                    Some(Namespace::Maps | Namespace::DraftMaps) => MAP_NOTSUP,
                    Some(Namespace::Env) | None => Status::Unimplemented as i32,
                };
                let answers: Vec<Val> = ty.results().map(|ty| stub_answer(&ty, answer)).collect();
                linker.func_new(module, name, ty, move |_, _, results| {
                    results.clone_from_slice(&answers);
                    Ok(())
                })?;
            }
            // Imported memories and tables became the module's own; the others were refused.
            ExternType::Func(_)
            | ExternType::Memory(_)
            | ExternType::Table(_)
            | ExternType::Global(_)
            | ExternType::Tag(_) => {}
        }
    }
    Ok(())
}

/// Whether a world lets its guest call what it imports. What tool chains need to run, and what this
/// host does not know, is no capability.
fn is_granted<W: World>(world: &W, module: &str, name: &str) -> bool {
    capability(module, name).is_none_or(|capability| world.allows(capability))
}

/// The name by which a world can withhold an import; `None`: it cannot.
fn capability(module: &str, name: &str) -> Option<&'static str> {
    let known = crate::abi::find(module, name)?;
    (known.topic != Topic::Runtime).then_some(known.capability)
}

/// How a function comes before a host function: import, its type, the host function.
pub(super) type Watch<W> =
    fn(&mut Linker<Cell<W>>, (&str, &str), FuncType, Func) -> wasmtime::Result<()>;

/// Lets the world know each call of a host function, before it is carried out.
fn watch_import<W: World>(
    linker: &mut Linker<Cell<W>>,
    store: &mut Store<Cell<W>>,
    (module, name, ty): (&str, &str, FuncType),
    watch: Watch<W>,
) -> wasmtime::Result<()> {
    let Ok(Some(original)) = linker.get(&mut *store, module, name).map(Extern::into_func) else {
        return Ok(());
    };
    linker.allow_shadowing(true);
    watch(linker, (module, name), ty, original)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Puts a function before one that answers at once.
pub(super) fn watch<W: World>(
    linker: &mut Linker<Cell<W>>,
    (module, name): (&str, &str),
    ty: FuncType,
    original: Func,
) -> wasmtime::Result<()> {
    let function = capability(module, name).unwrap_or_default();
    linker.func_new(module, name, ty, move |mut guest, arguments, results| {
        let world = &mut guest.data_mut().world;
        world.call(Call::Touched { function })?;
        original.call(&mut guest, arguments, results)
    })?;
    Ok(())
}

/// The same for a host in which guests may wait.
pub(super) fn watch_waiting<W: World + Send>(
    linker: &mut Linker<Cell<W>>,
    (module, name): (&str, &str),
    ty: FuncType,
    original: Func,
) -> wasmtime::Result<()> {
    let function = capability(module, name).unwrap_or_default();
    linker.func_new_async(module, name, ty, move |mut guest, arguments, results| {
        Box::new(async move {
            let world = &mut guest.data_mut().world;
            world.call(Call::Touched { function })?;
            original.call_async(&mut guest, arguments, results).await
        })
    })?;
    Ok(())
}

/// Puts a stub in the place of a host function: it tells the world and fails.
fn withhold<W: World>(
    linker: &mut Linker<Cell<W>>,
    (module, name): (&str, &str),
    ty: FuncType,
) -> wasmtime::Result<()> {
    let answer = match (Namespace::of(module), name) {
        (Some(Namespace::DraftMaps), "wasi_map_open") => 0,
        // Addresses, lengths and truths; failures are below them.
        (Some(Namespace::Wasi), "memory_map")
        | (Some(Namespace::DraftMaps), "wasi_map_get" | "wasi_map_exists") => -WASI_NOTCAPABLE,
        (Some(Namespace::Wasi | Namespace::Maps | Namespace::DraftMaps), _) => WASI_NOTCAPABLE,
        (Some(Namespace::Env) | None, _) => Status::InternalFailure as i32,
    };
    let answers: Vec<Val> = ty.results().map(|ty| stub_answer(&ty, answer)).collect();
    let function = capability(module, name).unwrap_or_default();
    linker.allow_shadowing(true);
    linker.func_new(module, name, ty, move |mut guest, _, results| {
        let world = &mut guest.data_mut().world;
        world.call(Call::Withheld { function })?;
        results.clone_from_slice(&answers);
        Ok(())
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What a stub returns for a result of this type.
fn stub_answer(ty: &ValType, answer: i32) -> Val {
    match ty {
        ValType::I32 => Val::I32(answer),
        ValType::I64 => Val::I64(i64::from(answer)),
        ValType::F32 => Val::F32(0),
        ValType::F64 => Val::F64(0),
        ValType::V128 => Val::V128(0u128.into()),
        ValType::Ref(_) => Val::null_func_ref(),
    }
}
