//! Generated code: as it was (golden files), and as it runs, next to this crate's own codec.
//!
//! `WEIR_BLESS=1` writes the golden files anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_bindgen::Schema;
use weir_bindgen::generate::{Language, generate};
use weir_bindgen::schema::Kind;

use crate::programs::{check_same, compile, messages, pascal, write_files};
use crate::support::{demo, users};

#[track_caller]
fn check_golden(language: Language, folder: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = root.join("tests/golden").join(folder);
    let runtime = root.join("src/generate/runtime");
    let is_blessed = std::env::var_os("WEIR_BLESS").is_some();
    for (stem, schema) in [("demo", demo()), ("users", users())] {
        for file in generate(&schema, language, stem) {
            if file.name == "mod.rs" {
                continue;
            }
            // What is the same for all is given out as it stands here.
            let is_runtime = file.name.starts_with("weir_");
            let folder = if is_runtime { &runtime } else { &golden };
            let path = folder.join(&file.name);
            if is_blessed && !is_runtime {
                fs::create_dir_all(folder).unwrap();
                fs::write(&path, &file.text).unwrap();
            }
            let mut known = fs::read_to_string(&path).unwrap_or_default();
            if is_runtime && language == Language::Go {
                known = known.replacen("PACKAGE", stem, 1);
            }
            assert!(
                known == file.text,
                "{} has changed; see it with WEIR_BLESS=1",
                path.display()
            );
        }
    }
}

#[test]
fn generated_code_is_as_it_was() {
    check_golden(Language::Rust, "rust");
    check_golden(Language::C, "c");
    check_golden(Language::Cpp, "cpp");
    check_golden(Language::AssemblyScript, "assemblyscript");
    check_golden(Language::Go, "go");
    check_golden(Language::Proto, "proto");
    check_golden(Language::Python, "python");
    check_golden(Language::JavaScript, "javascript");
}

const RUST_HEAD: &str = r#"
use gen_::weir_map::{Key, Map, Message, Store, errno};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};

fn again<M: Message>(bytes: &[u8]) -> Option<Vec<u8>> {
    M::decode(bytes).ok().map(|value| value.encode())
}
"#;

const RUST_TAIL: &str = r#"
fn main() {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (ty, hex) = line.split_once(' ').unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        match message(ty, &bytes) {
            Some(bytes) => writeln!(out, "{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).unwrap(),
            None => writeln!(out, "error").unwrap(),
        }
    }
    maps();
}
"#;

fn rust_program(schema: &Schema, stem: &str, maps: &str) -> String {
    let mut main = format!(
        "#[path = \"gen/mod.rs\"]\nmod gen_;\n{RUST_HEAD}\nfn message(ty: &str, bytes: &[u8]) -> Option<Vec<u8>> {{\n match ty {{\n"
    );
    for (at, id) in messages(schema).into_iter().enumerate() {
        let _ = writeln!(
            main,
            "\"{at}\" => again::<gen_::{stem}::{}>(bytes),",
            pascal(schema, id)
        );
    }
    main.push_str("_ => None,\n }\n}\n");
    main + maps + RUST_TAIL
}

fn check_rust(schema: &Schema, stem: &str, maps: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("gen")).unwrap();
    write_files(&folder.path().join("gen"), schema, Language::Rust, stem);
    fs::write(
        folder.path().join("main.rs"),
        rust_program(schema, stem, maps),
    )
    .unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let program = folder.path().join("program");
    let source = folder.path().join("main.rs");
    compile(
        Command::new(rustc)
            .args(["--edition=2024", "-Aunused", "-o"])
            .arg(&program)
            .arg(source),
    );
    check_same(schema, &mut Command::new(program));
}

#[test]
fn rust_reads_and_writes_the_same_bytes() {
    check_rust(&demo(), "demo", include_str!("../samples/maps.rs"));
    check_rust(&users(), "users", include_str!("../samples/service.rs"));
}

const C_TAIL: &str = r#"
int main(void) {
  static char line[1 << 20];
  while (fgets(line, sizeof line, stdin)) {
    static uint8_t bytes[1 << 19];
    char *hex;
    unsigned long at = strtoul(line, &hex, 10);
    size_t size = 0;
    int error;
    weir_arena arena = {0};
    weir_writer w = {0};
    for (hex++; hex[0] > ' '; hex += 2) {
      char pair[3] = {hex[0], hex[1], 0};
      bytes[size++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    error = message(at, (weir_bytes){bytes, size}, &arena, &w);
    if (error) printf("error");
    else for (size_t i = 0; i < w.size; i++) printf("%02x", w.data[i]);
    printf("\n");
    weir_free(&arena);
    free(w.data);
  }
  return maps();
}
"#;

fn check_c(schema: &Schema, stem: &str, maps: &str) {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), schema, Language::C, stem);
    let mut main = format!(
        "#include <stdio.h>\n#include \"{stem}.h\"\n{maps}\nstatic int message(unsigned long at, weir_bytes bytes, weir_arena *arena, weir_writer *w) {{\n  int error;\n  switch (at) {{\n"
    );
    for (at, id) in messages(schema).into_iter().enumerate() {
        let name = format!(
            "{stem}_{}",
            weir_bindgen::name::snake(&schema.definition(id).name)
        );
        let _ = writeln!(
            main,
            "    case {at}: {{ {name} value; error = {name}_decode(bytes, arena, &value); if (!error) {name}_encode(&value, w); return error; }}"
        );
    }
    main.push_str("    default: return -100;\n  }\n}\n");
    main.push_str(C_TAIL);
    fs::write(folder.path().join("main.c"), main).unwrap();
    let program: PathBuf = folder.path().join("program");
    // The sanitiser finds reads beyond an end; the linker of every Rust build is a C compiler.
    let flags = [
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-O1",
        "-g",
        "-fsanitize=address,undefined",
        "-o",
    ];
    compile(
        Command::new("cc")
            .args(flags)
            .arg(&program)
            .arg(folder.path().join("main.c")),
    );
    check_same(schema, &mut Command::new(program));
}

#[test]
fn c_reads_and_writes_the_same_bytes() {
    check_c(&demo(), "demo", include_str!("../samples/maps.c"));
    check_c(&users(), "users", include_str!("../samples/service.c"));
}

#[test]
fn enums_and_flags_are_no_messages() {
    let demo = demo();
    let others = demo
        .types
        .iter()
        .filter(|ty| matches!(ty.kind, Kind::Enum(_) | Kind::Flags(_)));
    assert_eq!(others.count() + messages(&demo).len(), demo.types.len());
}
