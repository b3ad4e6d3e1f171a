//! The example hosts do what their pages say.

#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../../examples/component.rs"]
mod component;

use component::host;

fn run(words: &[&str]) -> Result<String, String> {
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/counter.wat");
    let words = [&[module], words].concat();
    host::run(words.into_iter().map(str::to_owned))
}

#[test]
fn an_export_runs_over_the_maps_that_are_granted() {
    assert_eq!(
        run(&["count", "--map", "counters=read,write"]).unwrap(),
        "count() = [I32(0), I64(1)]\n\
         counters: \"calls\" = \"\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\", version 1\n"
    );
    assert_eq!(
        run(&["greet", "--map", "texts", "--default", "texts"]).unwrap(),
        "greet() = [I32(0)]\ntexts: \"greeting\" = \"hello\", version 1\n"
    );
}

#[test]
fn what_is_not_granted_is_refused() {
    let without = run(&["count"]).unwrap();
    assert_eq!(without, "count() = [I32(44), I64(0)]\n");
    let read_only = run(&["count", "--map", "counters=read"]).unwrap();
    assert_eq!(read_only, "count() = [I32(76), I64(0)]\n");
    let no_default = run(&["greet", "--map", "texts"]).unwrap();
    assert_eq!(no_default, "greet() = [I32(44)]\n");
}

#[test]
fn mistakes_on_the_command_line_are_told() {
    for words in [&["count", "--map"][..], &["count", "--what", "x"], &[]] {
        assert!(run(words).unwrap_err().starts_with("usage: "), "{words:?}");
    }
    let error = run(&["count", "--map", "counters=rule"]).unwrap_err();
    assert_eq!(error, "there is no right rule");
    let error = run(&["nothing"]).unwrap_err();
    assert!(error.contains("exports no function nothing"), "{error}");
}

fn run_component(words: &[&str]) -> Result<String, String> {
    let checks = "../../sdk/checks/component/checks.wasm";
    let words = [&[checks], words].concat();
    component::run(words.into_iter().map(str::to_owned))
}

#[test]
fn a_component_runs_over_the_maps_that_are_granted() {
    assert_eq!(
        run_component(&["play", "kv.open texts", "--map", "texts"]).unwrap(),
        "0\n"
    );
    assert_eq!(
        run_component(&["play", "open texts 3", "--map", "texts=read"]).unwrap(),
        "error not-capable\n"
    );
    let error = run_component(&["nothing", "text"]).unwrap_err();
    assert!(error.contains("nothing"), "{error}");
    assert!(run_component(&["play"]).unwrap_err().starts_with("usage: "));
}
