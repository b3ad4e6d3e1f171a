//! Guests in Rust, C, C++ and AssemblyScript on the engine, as they are committed: what checks their
//! SDKs (`sdk/checks`), and the examples (`examples/maps`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checks;
mod examples;
mod house;
#[cfg(feature = "real-components")]
mod real;

fn check(language: &str) {
    let binary = house::repository(&format!("sdk/checks/{language}/checks.wasm"));
    checks::check(language, &binary);
}

#[test]
fn the_rust_crate_works() {
    check("rust");
}

#[test]
fn the_c_header_works() {
    check("c");
}

#[test]
fn the_cpp_classes_work() {
    check("cpp");
}

#[test]
fn the_assemblyscript_module_works() {
    check("assemblyscript");
}
