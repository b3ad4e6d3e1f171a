//! The examples of functions in `examples/functions`: each is built with its language's own tools, in
//! its place, and answers as the others do. Needs what `templates` needs.

use std::path::Path;
use std::process::{Command, Stdio};

#[track_caller]
fn check(lang: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/functions");
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(&folder)
        .args(["dev", &format!("{lang}/weir.yaml"), "--run", "./test.sh"])
        .stdin(Stdio::null())
        .output()
        .expect("weir can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("test: all is as expected"), "{told}");
}

#[test]
fn counting_in_rust() {
    check("rust");
}

#[test]
fn counting_in_go() {
    check("go");
}

#[test]
fn counting_in_assemblyscript() {
    check("assemblyscript");
}

#[test]
fn counting_in_javascript() {
    check("javascript");
}

#[test]
fn counting_in_python() {
    check("python");
}
