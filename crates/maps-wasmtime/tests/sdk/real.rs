//! The SDKs with the compilers of today: `sdk/build.sh` builds what checks them in C++,
//! AssemblyScript and Go, and each is run on the engine.
//!
//! Behind the feature `real-components`: the compilers must be there. `GO` and `ASC` name them.

use std::process::Command;

use crate::{checks, house};

fn built(language: &str, source: &str) {
    let into = std::env::temp_dir().join(format!("weir-sdk-{}-{language}", std::process::id()));
    let mut build = Command::new(house::repository("sdk/build.sh"));
    let status = build.arg(&into).arg(language).status().unwrap();
    assert!(status.success(), "sdk/build.sh {language}: {status}");
    let binary = into.join(source).with_extension("wasm");
    checks::check(language, &binary);
    std::fs::remove_dir_all(into).unwrap();
}

#[test]
fn the_cpp_classes_work() {
    built("cpp", "sdk/checks/cpp/checks.cpp");
}

#[test]
fn the_assemblyscript_module_works() {
    built("assemblyscript", "sdk/checks/assemblyscript/checks.ts");
}

#[test]
fn the_go_package_works() {
    built("go", "sdk/checks/go/guest.go");
}
