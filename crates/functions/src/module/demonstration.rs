//! Host functions of the classic demonstrations of `TinyGo`: import module `env`, names of Go packages
//! and functions (`main.add`) or plain ones, with or without two parameters at the end that older
//! compilers added (a context and a parent: ignored).
//!
//! Which form it is says the type of the import. What the original host did wrong is done right here:
//! a body that was fetched lies in memory of the guest's own allocator, whole.

use std::collections::HashSet;

use wasmtime::{AsContextMut as _, Caller, ExternType, FuncType, Linker, Module, Val, ValType};
use weir_model::limits::functions as of;

use super::memory::{self, Errno, Exports};
use super::{Guest, fetch};

const MODULE: &str = "env";
/// Parameters that older compilers add.
const ADDED: usize = 2;

/// An import that has the name of a demonstration, but not its type.
#[derive(Debug, thiserror::Error)]
#[error(
    "the module imports env {name:?} as {found}; expected (i32 × {parameters}) -> (i32), or with two \
     more parameters"
)]
struct OtherType {
    name: String,
    found: String,
    parameters: usize,
}

/// Adds those that a module imports.
pub(super) fn link(linker: &mut Linker<Guest>, module: &Module) -> wasmtime::Result<()> {
    let mut linked = HashSet::new();
    for import in module.imports() {
        let (true, ExternType::Func(ty)) = (import.module() == MODULE, import.ty()) else {
            continue;
        };
        let name = import.name();
        let function = name.strip_prefix("main.").unwrap_or(name);
        let parameters = match function {
            "add" => 2,
            "getHttpResp" | "get_http_resp" => 4,
            _ => continue,
        };
        if !linked.insert(name.to_owned()) {
            continue;
        }
        if !fits(&ty, parameters) {
            return Err(wasmtime::Error::new(OtherType {
                name: name.to_owned(),
                found: ty.to_string(),
                parameters,
            }));
        }
        if parameters == 2 {
            linker.func_new(MODULE, name, ty, |_, arguments, results| {
                results[0] = Val::I32(add(arguments));
                Ok(())
            })?;
        } else {
            linker.func_new_async(MODULE, name, ty, |guest, arguments, results| {
                Box::new(async move {
                    results[0] = Val::I32(get(guest, arguments).await?);
                    Ok(())
                })
            })?;
        }
    }
    Ok(())
}

fn fits(ty: &FuncType, parameters: usize) -> bool {
    let is_number = |ty: ValType| matches!(ty, ValType::I32);
    let has_length = [parameters, parameters + ADDED].contains(&ty.params().len());
    has_length
        && ty.params().all(is_number)
        && ty.results().len() == 1
        && ty.results().all(is_number)
}

fn add(arguments: &[Val]) -> i32 {
    let numbers = arguments.iter().take(2).filter_map(Val::i32);
    numbers.fold(0, i32::wrapping_add)
}

/// 1, with address and length of what was fetched where the guest wants them; 0 if nothing was.
async fn get(mut guest: Caller<'_, Guest>, arguments: &[Val]) -> wasmtime::Result<i32> {
    let mut numbers = arguments.iter().map(|argument| argument.i32().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (url, address_at, length_at) = ((next(), next()), next(), next());
    let got = match taken(&mut guest, url, [address_at, length_at]) {
        Ok(url) => fetch::get(fetch::sender(&guest), &url).await,
        Err(_) => None,
    };
    let Some(body) = got else {
        return Ok(0);
    };
    let exports = Exports::of(&mut guest);
    let address = memory::give(guest.as_context_mut(), &exports, &body).await?;
    let put = address.and_then(|address| {
        let length = u32::try_from(body.len()).map_err(|_| Errno::FBIG)?;
        let memory = exports.memory()?.data_mut(&mut guest);
        memory::put(memory, address_at, &[address])?;
        memory::put(memory, length_at, &[length])
    });
    Ok(i32::from(put.is_ok()))
}

/// The URL, if it and the places of the answer lie in memory.
fn taken(
    guest: &mut Caller<'_, Guest>,
    url: (i32, i32),
    places: [i32; 2],
) -> Result<Vec<u8>, Errno> {
    for place in places {
        memory::taken(guest, (place, 4), 4)?;
    }
    memory::taken(guest, url, of::HEAD_BYTES)
}
