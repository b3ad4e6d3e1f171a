//! Programs in other languages that read and write the same bytes.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use weir_bindgen::Schema;
use weir_bindgen::codec::encode;
use weir_bindgen::generate::{Language, generate};
use weir_bindgen::schema::{Type, TypeId};

use crate::support::{Dice, strip_unknown};

/// Messages of a schema: those that a program reads by their place in the list.
pub(crate) fn messages(schema: &Schema) -> Vec<TypeId> {
    let is_message = |id: &TypeId| schema.is_message(Type::Named(*id));
    (0..schema.types.len())
        .map(TypeId)
        .filter(is_message)
        .collect()
}

/// Lines "type bytes", and what they are written as again.
fn cases(schema: &Schema) -> (String, String) {
    let mut dice = Dice(4);
    let (mut asked, mut expected) = (String::new(), String::new());
    for _ in 0..200 {
        for (at, id) in messages(schema).into_iter().enumerate() {
            let mut value = dice.value(schema, Type::Named(id));
            // What maps keep as C lays it out has no room for unknown fields.
            if is_laid_out(schema, id)
                && let weir_bindgen::value::Value::Record(record) = &mut value
            {
                strip_unknown(record);
            }
            let hex = hex(&encode(schema, id, &value).unwrap());
            let _ = writeln!(asked, "{at} {hex}");
            let _ = writeln!(expected, "{hex}");
        }
    }
    // Broken bytes: a field that ends early, a kind that there is not, text that is none.
    for bytes in ["0a05", "0b", "00", "ffffffffffffffffffff01", "0aff"] {
        let _ = writeln!(asked, "0 {bytes}");
        expected.push_str("error\n");
    }
    (asked, expected)
}

fn is_laid_out(schema: &Schema, id: TypeId) -> bool {
    ["data-packet", "frame"].contains(&schema.definition(id).name.as_str())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

pub(crate) fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn compile(command: &mut Command) {
    let output = command.output().expect("the compiler is there");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !told.contains("warning"),
        "{command:?}\n{told}"
    );
}

#[track_caller]
pub(crate) fn check_same(schema: &Schema, command: &mut Command) {
    let (asked, expected) = cases(schema);
    let answered = run(command, &asked);
    for (at, (answer, expected)) in answered.lines().zip(expected.lines()).enumerate() {
        assert_eq!(answer, expected, "{command:?}: {:?}", asked.lines().nth(at));
    }
    assert_eq!(answered.lines().count(), expected.lines().count());
}

pub(crate) fn write_files(folder: &Path, schema: &Schema, language: Language, stem: &str) {
    for file in generate(schema, language, stem) {
        fs::write(folder.join(file.name), file.text).unwrap();
    }
}

pub(crate) fn pascal(schema: &Schema, id: TypeId) -> String {
    weir_bindgen::name::pascal(&schema.definition(id).name)
}
