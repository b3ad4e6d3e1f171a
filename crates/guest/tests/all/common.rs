//! Short ways to write and run a guest.

use weir_guest::door::{Event, World};
use weir_guest::{Cause, Failure, LoadError, Program, ProgramOptions, Stop, Vm, abi};
use weir_model::{Dialect, Strictness};
use weir_testkit::run::{self, CALL};
use weir_testkit::{Script, program, start};

pub(crate) const MARKER: &str = r#"(func (export "proxy_abi_version_0_2_1"))"#;
pub(crate) const MEMORY: &str = r#"(memory (export "memory") 1)"#;
/// Always the same place, beyond everything that the tests use.
pub(crate) const MALLOC: &str =
    r#"(func (export "malloc") (param i32) (result i32) (i32.const 0x8000))"#;

pub(crate) const REQUEST_HEADERS: Event = Event::RequestHeaders {
    context: 2,
    count: 0,
    end: true,
};

/// Imports of host functions of `env`, each under its own name.
pub(crate) fn env(names: &[&str]) -> String {
    names.iter().map(|name| import("env", name)).collect()
}

/// Imports of WASI functions, each under its own name.
pub(crate) fn wasi(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| import("wasi_snapshot_preview1", name))
        .collect()
}

/// One import under its own name.
pub(crate) fn import(module: &str, name: &str) -> String {
    import_as(module, name, &format!("${name}"))
}

/// One import, typed by the ABI's own table. `id`: how the module's text calls it, may be empty.
pub(crate) fn import_as(module: &str, name: &str, id: &str) -> String {
    let function = abi::find(module, name).expect("a function of the ABI");
    let list = |types: &[abi::ValueType]| {
        types
            .iter()
            .fold(String::new(), |list, ty| list + " " + &ty.to_string())
    };
    let (params, results) = (list(function.params), list(function.results));
    format!("(import \"{module}\" \"{name}\" (func {id} (param{params}) (result{results})))\n")
}

/// A module with everything it must have.
pub(crate) fn module(imports: &str, body: &str) -> String {
    format!("(module {imports} {MARKER} {MEMORY} {MALLOC} {body})")
}

/// A module whose request-headers callback is these instructions, which leave one `i32`.
pub(crate) fn on_request(imports: &str, instructions: &str) -> String {
    module(
        imports,
        &callback("proxy_on_request_headers", 3, instructions),
    )
}

/// A callback with `params` numbers and a result.
pub(crate) fn callback(name: &str, params: usize, instructions: &str) -> String {
    let params = " i32".repeat(params);
    format!("(func (export \"{name}\") (param{params}) (result i32) {instructions})")
}

/// A function without parameters and results.
pub(crate) fn procedure(name: &str, instructions: &str) -> String {
    format!("(func (export \"{name}\") {instructions})")
}

/// Loads strictly, as Envoy does.
pub(crate) fn load_strictly(text: &str) -> Result<Program, LoadError> {
    let options = ProgramOptions {
        strictness: Strictness::Strict,
        dialect: Dialect::Auto,
    };
    run::load(text.as_bytes(), options)
}

/// Starts a module and delivers one request.
pub(crate) fn ask<W: World>(text: &str, world: W) -> (Result<i32, Failure>, Vm<W>) {
    let mut vm = start(&program(text), world).expect("a guest that starts");
    (vm.deliver(&REQUEST_HEADERS, CALL), vm)
}

/// What the module's request-headers callback returns in an empty world.
pub(crate) fn answer(text: &str) -> Result<i32, Failure> {
    ask(text, Script::new()).0
}

/// The words that a failed call gives.
pub(crate) fn words(result: &Result<i32, Failure>) -> String {
    match result {
        Ok(number) => format!("no failure, but {number}"),
        Err(failure) => failure.to_string(),
    }
}

/// Why the world ended the guest; `None`: it did not.
pub(crate) fn stopped_by(result: &Result<i32, Failure>) -> Option<&Stop> {
    match result {
        Err(Failure {
            cause: Cause::Stopped(stop),
            ..
        }) => Some(stop),
        Ok(_) | Err(_) => None,
    }
}

/// Why a call failed.
pub(crate) fn cause(result: Result<i32, Failure>) -> Option<Cause> {
    result.err().map(|failure| failure.cause)
}
