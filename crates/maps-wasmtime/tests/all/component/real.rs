//! Components that others' tools make: componentize-py and componentize-js.
//!
//! Behind the feature `real-components`. `COMPONENTIZE_PY` names the first one's program;
//! `COMPONENTIZE_JS` the folder where npm has installed the second one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Guest, compile, guest};
use crate::house::House;

const CHECKS: &str = "../../sdk/checks/component";

/// A folder with all interfaces in the form that tools read.
fn interfaces(name: &str) -> PathBuf {
    let into = std::env::temp_dir().join(format!("weir-component-{name}-{}", std::process::id()));
    copy(Path::new("../../wit/deps"), &into.join("wit/deps"));
    std::fs::create_dir_all(into.join("wit/deps/map")).unwrap();
    std::fs::copy("../../wit/map.wit", into.join("wit/deps/map/map.wit")).unwrap();
    let player = Path::new(CHECKS).join("wit/player.wit");
    std::fs::copy(player, into.join("wit/player.wit")).unwrap();
    into
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .unwrap();
        if from.is_dir() {
            copy(&from, &to.join(name));
        } else {
            std::fs::copy(from, to.join(name)).unwrap();
        }
    }
}

fn run(command: &mut Command) {
    let status = command.status();
    let is_done = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    assert!(is_done, "{command:?}: {status:?}");
}

/// Two visits to a book that both interfaces keep, and what is refused.
fn visits(component: &Path) {
    let component = compile(&std::fs::read(component).unwrap());
    let house = House::new();
    let start = |house: &House| -> Guest { guest(&component, house.handles("filter")) };
    start(&house).expect(&[("visit ann", "1 2 was here/nobody ann,hits 2 was here")]);
    start(&house).expect(&[
        ("visit bob", "3 4 was here/nobody ann,bob,hits 5 was here"),
        ("refused", "no-such-store no-entry invalid"),
    ]);
}

#[test]
fn python() {
    let folder = interfaces("python");
    let program = std::env::var_os("COMPONENTIZE_PY").unwrap_or("componentize-py".into());
    let into = folder.join("app.wasm");
    let mut make = Command::new(program);
    make.args(["-d"])
        .arg(folder.join("wit"))
        .args(["-w", "visitor", "componentize", "-p"]);
    run(make
        .arg(Path::new(CHECKS).join("python"))
        .arg("app")
        .arg("-o")
        .arg(&into));
    visits(&into);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn javascript() {
    let folder = interfaces("javascript");
    let installed = std::env::var_os("COMPONENTIZE_JS");
    let installed = PathBuf::from(installed.expect("COMPONENTIZE_JS: where npm installed it"));
    let into = folder.join("app.wasm");
    // Node looks for packages beside the script.
    let script = installed.join(format!("weir-make-{}.mjs", std::process::id()));
    std::fs::copy(Path::new(CHECKS).join("js/make.mjs"), &script).unwrap();
    let mut make = Command::new("node");
    make.arg(&script).arg(Path::new(CHECKS).join("js/app.js"));
    run(make.arg(folder.join("wit")).arg(&into));
    std::fs::remove_file(script).unwrap();
    visits(&into);
    std::fs::remove_dir_all(folder).unwrap();
}
