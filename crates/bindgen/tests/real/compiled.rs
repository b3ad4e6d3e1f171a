//! C++, Go and AssemblyScript: compiled, and run next to the crate's own codec.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use weir_bindgen::Schema;
use weir_bindgen::generate::Language;

use crate::programs::{check_same, compile, messages, pascal, write_files};
use crate::support::{demo, users};

fn program(variable: &str, default: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| default.into())
}

/// A line for each message of a schema.
fn lines(schema: &Schema, line: impl Fn(usize, &str) -> String) -> String {
    let named = messages(schema).into_iter().enumerate();
    let lines: Vec<_> = named
        .map(|(at, id)| line(at, &pascal(schema, id)))
        .collect();
    lines.join("\n")
}

fn check_cpp(schema: &Schema, stem: &str) {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), schema, Language::Cpp, stem);
    let cases = lines(schema, |at, name| {
        format!("    case {at}: return again<{stem}::{name}>(bytes, out);")
    });
    let main = format!(
        "#include \"{stem}.hpp\"\n#include <climits>\n{}\n{}",
        include_str!("../samples/maps.cpp"),
        include_str!("../samples/again.cpp").replace("CASES", &cases)
    );
    fs::write(folder.path().join("main.cpp"), main).unwrap();
    let built = folder.path().join("program");
    let flags = [
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-O1",
        "-g",
        "-fno-rtti",
        "-fno-exceptions",
        // The library checks what it is asked for.
        "-D_GLIBCXX_ASSERTIONS",
        "-o",
    ];
    compile(
        Command::new(program("CXX", "clang++"))
            .args(flags)
            .arg(&built)
            .arg(folder.path().join("main.cpp")),
    );
    check_same(schema, &mut Command::new(built));
    check_section(schema, stem, folder.path());
}

/// A guest of these files carries its schema; `main` would want a host.
fn check_section(schema: &Schema, stem: &str, folder: &Path) {
    write_files(folder, schema, Language::C, stem);
    let header = |ending: &str| {
        format!("#include \"{stem}.{ending}\"\nint size_{ending}() {{ return 0; }}\n")
    };
    fs::write(folder.join("one.cpp"), header("hpp")).unwrap();
    fs::write(folder.join("two.c"), header("h")).unwrap();
    compile(
        Command::new(program("CXX", "clang++"))
            .current_dir(folder)
            .args(["--target=wasm32-wasi", "-fno-exceptions", "-std=c++17"])
            .args(["one.cpp", "-c"]),
    );
    compile(
        Command::new(program("CC", "clang"))
            .current_dir(folder)
            .args(["--target=wasm32-wasi", "-mexec-model=reactor"])
            .args(["two.c", "one.o", "-o", "guest.wasm"]),
    );
    let module = fs::read(folder.join("guest.wasm")).unwrap();
    let kept = Schema::from_json(&schema.to_json()).unwrap();
    assert_eq!(weir_bindgen::section::schemas(&module).unwrap(), [kept]);
}

#[test]
fn cpp_reads_and_writes_the_same_bytes() {
    check_cpp(&demo(), "demo");
    check_cpp(&users(), "users");
}

fn go(folder: &Path) -> Command {
    let mut go = Command::new(program("GO", "go"));
    go.current_dir(folder)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod");
    go
}

fn check_go(schema: &Schema, stem: &str, maps: &str) {
    let folder = tempfile::tempdir().unwrap();
    let generated = folder.path().join("gen");
    fs::create_dir(&generated).unwrap();
    write_files(&generated, schema, Language::Go, stem);
    let cases = lines(schema, |_, name| {
        format!("\tfunc() message {{ return new(gen.{name}) }},")
    });
    let main = include_str!("../samples/again.go").replace("CASES", &cases);
    fs::write(folder.path().join("main.go"), main).unwrap();
    fs::write(folder.path().join("maps.go"), maps).unwrap();
    fs::write(folder.path().join("go.mod"), "module sample\n\ngo 1.24\n").unwrap();
    compile(go(folder.path()).args(["vet", "./gen"]));
    compile(go(folder.path()).args(["build", "-o", "program", "."]));
    check_same(schema, &mut Command::new(folder.path().join("program")));
    // For guests the host's functions are there, with types that its linker takes.
    compile(
        go(folder.path())
            .args(["build", "-o", "guest.wasm", "."])
            .env("GOOS", "wasip1")
            .env("GOARCH", "wasm"),
    );
}

#[test]
fn go_reads_and_writes_the_same_bytes() {
    check_go(&demo(), "demo", include_str!("../samples/maps.go"));
    check_go(&users(), "users", include_str!("../samples/service.go"));
}

fn check_assemblyscript(schema: &Schema, stem: &str, maps: &str) {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), schema, Language::AssemblyScript, stem);
    let cases = lines(schema, |at, name| {
        format!("    case {at}: return again<gen.{name}>();")
    });
    let main = include_str!("../samples/again.ts")
        .replace("STEM", stem)
        .replace("CASES", &cases);
    fs::write(folder.path().join("main.ts"), main + maps).unwrap();
    let driver = folder.path().join("again.mjs");
    fs::write(&driver, include_str!("../samples/again-assembly.mjs")).unwrap();
    compile(
        Command::new(program("ASC", "asc"))
            .current_dir(folder.path())
            .args(["main.ts", "-O1", "--runtime", "incremental"])
            .args(["-o", "guest.wasm"]),
    );
    check_same(
        schema,
        Command::new("node")
            .arg(driver)
            .arg(folder.path().join("guest.wasm")),
    );
}

#[test]
fn assemblyscript_reads_and_writes_the_same_bytes() {
    check_assemblyscript(&demo(), "demo", include_str!("../samples/maps.ts"));
    check_assemblyscript(&users(), "users", include_str!("../samples/service.ts"));
}
