//! What `weir new` writes builds with the languages' own tools, runs in the gateway and passes its
//! own test.
//!
//! Needs what the generated pages name: Rust's targets, clang, npm, Python. `GO` names a Go; `GO_SDK` a copy
//! of its Proxy-Wasm SDK, where there is no module proxy.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// Begins a project in a folder of its own.
fn begin(arguments: &[&str]) -> TempDir {
    let folder = TempDir::new().expect("a folder can be made");
    let output = Command::new(WEIR)
        .current_dir(folder.path())
        .arg("new")
        .args(arguments)
        .output()
        .expect("weir can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("missing:"), "{told}");
    folder
}

#[track_caller]
fn play(project: &Path, variables: &[(&str, &str)]) {
    let output = Command::new(WEIR)
        .current_dir(project)
        .args(["dev", "--run", "./test.sh"])
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("weir can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("test: all is as expected"), "{told}");
}

#[track_caller]
fn check(what: &str, lang: &str, kind: &[&str]) {
    let name = format!("a-{lang}-{what}");
    let folder = begin(&[&[what, &name, "--lang", lang], kind].concat());
    play(&folder.path().join(name), &[]);
}

#[test]
fn a_filter_in_rust() {
    check("filter", "rust", &[]);
}

#[test]
fn a_filter_in_c() {
    check("filter", "c", &[]);
}

#[test]
fn a_filter_in_assemblyscript() {
    check("filter", "assemblyscript", &[]);
}

#[test]
fn a_function_in_rust() {
    check("function", "rust", &[]);
}

#[test]
fn a_command_in_rust() {
    check("function", "rust", &["--kind", "command"]);
}

#[test]
fn a_function_in_go() {
    check("function", "go", &[]);
}

#[test]
fn a_function_in_c() {
    check("function", "c", &[]);
}

#[test]
fn a_command_in_c() {
    check("function", "c", &["--kind", "command"]);
}

#[test]
fn a_function_in_assemblyscript() {
    check("function", "assemblyscript", &[]);
}

/// `COMPONENTIZE_PY` names a compiler; without it one is installed.
#[test]
fn a_function_in_python() {
    check("function", "python", &[]);
}

#[test]
fn a_function_in_javascript() {
    check("function", "javascript", &[]);
}

#[test]
fn the_go_filter_of_weir_new() {
    let folder = begin(&["filter", "a-go-filter", "--lang", "go"]);
    let project = folder.path().join("a-go-filter");
    let Ok(sdk) = std::env::var("GO_SDK") else {
        return play(&project, &[]);
    };
    let text = fs::read_to_string(project.join("go.mod")).expect("it was written");
    let replaced = format!("{text}\nreplace github.com/proxy-wasm/proxy-wasm-go-sdk => {sdk}\n");
    let other = folder.path().join("other.mod");
    fs::write(&other, replaced).expect("the folder can be written");
    let flags = format!("-modfile={}", other.display());
    play(&project, &[("GOFLAGS", &flags)]);
}
