//! Binds exported functions to the types that callbacks have.

use wasmtime::{Func, Instance, ModuleExport, Store, TypedFunc, ValType, WasmParams, WasmResults};

use crate::cell::Cell;
use crate::door::World;

/// An exported function whose parameters are `i32` all, or one `i64`, and whose results are `i32`.
#[derive(Clone, Copy)]
pub(super) struct Exported {
    export: ModuleExport,
    shape: Shape,
}

/// How many numbers a function takes and gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) params: usize,
    pub(super) results: usize,
}

impl Exported {
    /// The export of this name, if it is a function that a callback of this type can be.
    pub(super) fn find<B: Bind>(module: &wasmtime::Module, name: &str) -> Option<Self> {
        let ty = module.get_export(name)?;
        let ty = ty.func()?;
        let shape = Shape {
            params: ty.params().len(),
            results: ty.results().len(),
        };
        let is_param = |ty: ValType| {
            if B::TAKES_I64 {
                ty.is_i64()
            } else {
                ty.is_i32()
            }
        };
        let is_fitting =
            B::fits(shape) && ty.params().all(is_param) && ty.results().all(|ty| ty.is_i32());
        let export = module.get_export_index(name).filter(|_| is_fitting)?;
        Some(Self { export, shape })
    }
}

/// A callback that can be bound to a function.
pub(super) trait Bind {
    /// Whether parameters are `i64` in the place of `i32`.
    const TAKES_I64: bool = false;

    /// Whether functions of this shape can be this callback.
    fn fits(shape: Shape) -> bool;

    /// # Safety
    ///
    /// The function belongs to the store, takes and gives as many numbers as the shape says and
    /// nothing else, and the shape fits: `i64` if [`TAKES_I64`](Self::TAKES_I64) says so and it takes
    /// them, else `i32`.
    #[expect(
        unsafe_code,
        reason = "checking types at every instantiation costs microseconds"
    )]
    unsafe fn bind<W: World>(store: &Store<Cell<W>>, function: Func, shape: Shape) -> Self;

    /// The callback that is not there.
    fn absent() -> Self;
}

/// Parameters or results that are `i32` all, or one `i64`.
pub(super) trait Numbers {
    const COUNT: usize;
    const ARE_I64: bool = false;
}

impl Numbers for i64 {
    const COUNT: usize = 1;
    const ARE_I64: bool = true;
}

impl Numbers for () {
    const COUNT: usize = 0;
}
impl Numbers for i32 {
    const COUNT: usize = 1;
}
impl Numbers for (i32, i32) {
    const COUNT: usize = 2;
}
impl Numbers for (i32, i32, i32) {
    const COUNT: usize = 3;
}
impl Numbers for (i32, i32, i32, i32) {
    const COUNT: usize = 4;
}
impl Numbers for (i32, i32, i32, i32, i32) {
    const COUNT: usize = 5;
}

#[expect(
    unsafe_code,
    reason = "checking types at every instantiation costs microseconds"
)]
impl<P: WasmParams + Numbers, R: WasmResults + Numbers> Bind for Option<TypedFunc<P, R>> {
    const TAKES_I64: bool = P::ARE_I64;

    fn fits(shape: Shape) -> bool {
        (shape.params, shape.results) == (P::COUNT, R::COUNT) && !R::ARE_I64
    }

    unsafe fn bind<W: World>(store: &Store<Cell<W>>, function: Func, _: Shape) -> Self {
        // SAFETY: the caller promises that the function has as many numbers as the shape says, of the
        // width that `P` has and `i32` as results, and that the shape fits: these are `P` and `R`.
        Some(unsafe { TypedFunc::new_unchecked(store, function) })
    }

    fn absent() -> Self {
        None
    }
}

/// Binds one callback to an instance.
pub(super) fn bind<B: Bind, W: World>(
    exported: Option<Exported>,
    instance: &Instance,
    store: &mut Store<Cell<W>>,
) -> B {
    let found = exported.and_then(|exported| {
        let function = instance.get_module_export(&mut *store, &exported.export)?;
        Some((function.into_func()?, exported.shape))
    });
    let Some((function, shape)) = found else {
        return B::absent();
    };
    #[expect(
        unsafe_code,
        reason = "checking types at every instantiation costs microseconds"
    )]
    // SAFETY: the instance is of the module in which `Exported::find` saw this export, for it knows
    // the index; there, its type and that the shape fits were checked.
    unsafe {
        B::bind(store, function, shape)
    }
}
