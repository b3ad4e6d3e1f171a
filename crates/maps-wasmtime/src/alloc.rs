//! Memory that the guest allocates for a value.

use wasmtime::{AsContext, AsContextMut, Caller, Extern, Func, TypedFunc, WasmParams};

use crate::host::MapHost;
use crate::view::Code;

/// What allocates memory in a guest.
#[derive(Clone)]
pub enum Allocator {
    /// Takes a length, answers an address: `wasi_map_alloc`, `proxy_on_memory_allocate`, `malloc`.
    Length(TypedFunc<i32, i32>),
    /// `cabi_realloc`: old address, old length, alignment, new length.
    Realloc(TypedFunc<(i32, i32, i32, i32), i32>),
}

/// Of what a value is aligned to: whatever it holds.
const ALIGNMENT: i32 = 8;

impl Allocator {
    /// The first that the guest exports of `wasi_map_alloc`, `cabi_realloc`,
    /// `proxy_on_memory_allocate` and `malloc`. One of another type is none.
    #[must_use]
    pub fn of<T: 'static>(guest: &mut Caller<'_, T>) -> Option<Self> {
        if let Some(alloc) = typed(guest, "wasi_map_alloc") {
            return Some(Self::Length(alloc));
        }
        if let Some(realloc) = typed(guest, "cabi_realloc") {
            return Some(Self::Realloc(realloc));
        }
        let alloc = typed(guest, "proxy_on_memory_allocate");
        let alloc = alloc.or_else(|| typed(guest, "malloc"));
        alloc.map(Self::Length)
    }
}

fn typed<T: 'static, P: WasmParams>(
    guest: &mut Caller<'_, T>,
    name: &str,
) -> Option<TypedFunc<P, i32>> {
    let function: Func = guest.get_export(name).and_then(Extern::into_func)?;
    function.typed(guest.as_context()).ok()
}

/// Asks the guest for memory. The inner error is the guest's answer.
pub(crate) fn allocate<T: MapHost>(
    guest: &mut Caller<'_, T>,
    bytes: usize,
) -> wasmtime::Result<Result<i32, Code>> {
    let (Some(allocator), Ok(bytes)) = (T::map_allocator(guest), i32::try_from(bytes)) else {
        return Ok(Err(Code::NOTSUP));
    };
    let before = guest.data_mut().map_allocating();
    let address = match allocator {
        Allocator::Length(alloc) => alloc.call(guest.as_context_mut(), bytes),
        Allocator::Realloc(realloc) => {
            realloc.call(guest.as_context_mut(), (0, 0, ALIGNMENT, bytes))
        }
    };
    T::map_allocated(guest, before, address).map(given)
}

/// The same in a store whose guests can be suspended.
pub(crate) async fn allocate_async<T: MapHost + Send>(
    guest: &mut Caller<'_, T>,
    bytes: usize,
) -> wasmtime::Result<Result<i32, Code>> {
    let (Some(allocator), Ok(bytes)) = (T::map_allocator(guest), i32::try_from(bytes)) else {
        return Ok(Err(Code::NOTSUP));
    };
    let before = guest.data_mut().map_allocating();
    let address = match allocator {
        Allocator::Length(alloc) => alloc.call_async(guest.as_context_mut(), bytes).await,
        Allocator::Realloc(realloc) => {
            let arguments = (0, 0, ALIGNMENT, bytes);
            realloc.call_async(guest.as_context_mut(), arguments).await
        }
    };
    T::map_allocated(guest, before, address).map(given)
}

fn given(address: i32) -> Result<i32, Code> {
    if address == 0 {
        Err(Code::NOMEM)
    } else {
        Ok(address)
    }
}
