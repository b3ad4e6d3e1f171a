//! Generated code in the languages whose programs are not there wherever Rust is.
#![allow(missing_docs, clippy::unwrap_used, dead_code, reason = "tests")]

mod compiled;
#[path = "../all/programs.rs"]
mod programs;
#[path = "../all/support.rs"]
mod support;

use std::fs;
use std::process::Command;

use weir_bindgen::generate::Language;

use crate::programs::{check_same, messages, pascal, write_files};
use crate::support::{demo, users};

#[test]
fn python_and_javascript_read_and_write_the_same_bytes() {
    let programs = [
        (
            Language::Python,
            "python3",
            "again.py",
            include_str!("../samples/again.py"),
        ),
        (
            Language::JavaScript,
            "node",
            "again.mjs",
            include_str!("../samples/again.mjs"),
        ),
    ];
    for (language, program, file, driver) in programs {
        for (stem, schema) in [("demo", demo()), ("users", users())] {
            let folder = tempfile::tempdir().unwrap();
            write_files(folder.path(), &schema, language, stem);
            fs::write(folder.path().join(file), driver).unwrap();
            let names: Vec<_> = messages(&schema)
                .into_iter()
                .map(|id| pascal(&schema, id))
                .collect();
            let mut command = Command::new(program);
            command
                .current_dir(folder.path())
                .arg(file)
                .arg(stem)
                .arg(names.join(","));
            check_same(&schema, &mut command);
        }
    }
}
