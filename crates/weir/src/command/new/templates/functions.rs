//! Functions: handlers of requests.

use super::super::tools::{CARGO, CLANG, COMPONENTIZE_PY, CURL, GO, LINKER, NPM, Tool};
use super::{File, Template, part};
use crate::cli::{ProjectCall, ProjectLanguage};

/// The function of a language that is called like this.
pub(super) fn template(lang: ProjectLanguage, call: ProjectCall) -> Option<Template> {
    match (lang, call) {
        (ProjectLanguage::Rust, ProjectCall::Http) => Some(rust_http()),
        (ProjectLanguage::Rust, ProjectCall::Command) => Some(rust_command()),
        (ProjectLanguage::Go, ProjectCall::Command) => Some(go_command()),
        (ProjectLanguage::C, ProjectCall::Core) => Some(c_core()),
        (ProjectLanguage::C, ProjectCall::Command) => Some(c_command()),
        (ProjectLanguage::AssemblyScript, ProjectCall::Core) => Some(assemblyscript_core()),
        (ProjectLanguage::Python, ProjectCall::Http) => Some(python_http()),
        (ProjectLanguage::JavaScript, ProjectCall::Http) => Some(javascript_http()),
        _ => None,
    }
}

fn with_shared(mut own: Vec<File>) -> Vec<File> {
    own.extend([
        part!("weir.yaml", "function/weir.yaml"),
        part!("test.sh", "function/test.sh"),
        part!("README.md", "shared/README.md"),
        part!(".gitignore", "shared/gitignore"),
    ]);
    own
}

fn rust_http() -> Template {
    Template {
        files: with_shared(vec![
            part!("Cargo.toml", "function/rust-http/Cargo.toml.in"),
            part!("src/main.rs", "function/rust-http/src/main.rs"),
        ]),
        tools: vec![CARGO, Tool::RustTarget("wasm32-wasip2"), CURL],
        about: "A function in Rust: a component that handles `wasi:http`, with the library `wstd`. It \
                greets, and says in capitals what it was sent.",
        needs: "Rust, and once: `rustup target add wasm32-wasip2`.",
        source: "src/main.rs",
        build: "cargo build --release --target wasm32-wasip2 --target-dir target",
        file: "target/wasm32-wasip2/release/{{name}}.wasm",
        watch: "src, Cargo.toml",
        memory: "16MiB",
        kind: "http",
        greeting: "environment",
    }
}

fn rust_command() -> Template {
    Template {
        files: with_shared(vec![
            part!("Cargo.toml", "function/rust-command/Cargo.toml.in"),
            part!("src/main.rs", "function/rust-command/src/main.rs"),
        ]),
        tools: vec![CARGO, Tool::RustTarget("wasm32-wasip1"), CURL],
        about: "A function in Rust: a program of WASI that is called as CGI programs are, with nothing \
                but the standard library. It greets, and says in capitals what it was sent.",
        needs: "Rust, and once: `rustup target add wasm32-wasip1`.",
        source: "src/main.rs",
        build: "cargo build --release --target wasm32-wasip1 --target-dir target",
        file: "target/wasm32-wasip1/release/{{name}}.wasm",
        watch: "src, Cargo.toml",
        memory: "16MiB",
        kind: "command",
        greeting: "environment",
    }
}

fn go_command() -> Template {
    Template {
        files: with_shared(vec![
            part!("go.mod", "function/go-command/go.mod.in"),
            part!("main.go", "function/go-command/main.go"),
        ]),
        tools: vec![GO, CURL],
        about: "A function in Go: a program of WASI that is called as CGI programs are, which \
                `net/http/cgi` makes a handler of `net/http`. It greets, and says in capitals what it \
                was sent.",
        needs: "Go 1.21 or later. The variable `GO` may name a `go` that is not on the path.",
        source: "main.go",
        build: "GOOS=wasip1 GOARCH=wasm ${GO:-go} build -ldflags=-s -o {{name}}.wasm .",
        file: "{{name}}.wasm",
        watch: ".",
        memory: "128MiB",
        kind: "command",
        greeting: "environment",
    }
}

fn c_core() -> Template {
    Template {
        files: with_shared(vec![
            part!("main.c", "function/c-core/main.c"),
            part!("weir.h", "function/c-core/weir.h"),
        ]),
        tools: vec![CLANG, LINKER, CURL],
        about: "A function in C: a core module with the plain ABI of Weir, a kilobyte in size. It \
                greets, and says in capitals what it was sent.",
        needs: "`clang` and `lld`, as your system packages them; no C library and no WASI. The \
                variable `CLANG` may name another clang.",
        source: "main.c",
        build: "${CLANG:-clang} --target=wasm32 -nostdlib -Wl,--no-entry -O2 -Wall -Wextra -o \
                {{name}}.wasm main.c",
        file: "{{name}}.wasm",
        watch: "main.c, weir.h",
        memory: "16MiB",
        kind: "core",
        greeting: "settings",
    }
}

fn c_command() -> Template {
    Template {
        files: with_shared(vec![part!("main.c", "function/c-command/main.c")]),
        tools: vec![CLANG, LINKER, CURL],
        about: "A function in C: a program of WASI that is called as CGI programs are. It greets, and \
                says in capitals what it was sent.",
        needs: "`clang` and `lld` with a C library for WASI, as Debian's `wasi-libc` and \
                `libclang-rt-dev-wasm32`. The variable `CLANG` may name another clang: that of \
                wasi-sdk, for example, which has its own library.",
        source: "main.c",
        build: "${CLANG:-clang} --target=wasm32-wasi -O2 -Wall -Wextra -o {{name}}.wasm main.c",
        file: "{{name}}.wasm",
        watch: "main.c",
        memory: "16MiB",
        kind: "command",
        greeting: "environment",
    }
}

fn assemblyscript_core() -> Template {
    Template {
        files: with_shared(vec![
            part!("package.json", "function/assemblyscript-core/package.json"),
            part!(
                "assembly/index.ts",
                "function/assemblyscript-core/assembly/index.ts"
            ),
            part!(
                "assembly/weir.ts",
                "function/assemblyscript-core/assembly/weir.ts"
            ),
        ]),
        tools: vec![NPM, CURL],
        about: "A function in AssemblyScript: a core module with the plain ABI of Weir. It greets, and \
                says in capitals what it was sent.",
        needs: "Node.js with npm; the first build installs the compiler.",
        source: "assembly/index.ts",
        build: "test -d node_modules || npm install --silent; npm run --silent build",
        file: "{{name}}.wasm",
        watch: "assembly, package.json",
        memory: "16MiB",
        kind: "core",
        greeting: "settings",
    }
}

/// The interfaces that compilers of components want beside the source.
fn with_interfaces(mut own: Vec<File>) -> Vec<File> {
    own.extend([
        part!("wit/world.wit", "function/wasi/world.wit"),
        part!("wit/deps/cli.wit", "function/wasi/deps/cli.wit"),
        part!("wit/deps/clocks.wit", "function/wasi/deps/clocks.wit"),
        part!("wit/deps/http.wit", "function/wasi/deps/http.wit"),
        part!("wit/deps/io.wit", "function/wasi/deps/io.wit"),
    ]);
    with_shared(own)
}

fn python_http() -> Template {
    Template {
        files: with_interfaces(vec![
            part!("app.py", "function/python/app.py"),
            part!("build.sh", "function/python/build.sh"),
            part!("requirements.txt", "function/python/requirements.txt"),
        ]),
        tools: vec![COMPONENTIZE_PY, CURL],
        about: "A function in Python: a component that handles `wasi:http`, with an interpreter of its \
                own inside (18 MB). It greets, and says in capitals what it was sent.",
        needs: "Python 3.10 or later with `venv`; the first build installs the compiler \
                `componentize-py` into the folder `venv`. The variable `COMPONENTIZE_PY` may name one \
                that is there. Libraries in Python alone can be used: install them, and name their \
                folder in `build.sh` with `--python-path`. `componentize-py --wit-path wit --world \
                handler bindings .` writes the modules that `app.py` imports, for your editor.",
        source: "app.py",
        build: "./build.sh",
        file: "{{name}}.wasm",
        watch: "app.py, wit, requirements.txt",
        memory: "128MiB",
        kind: "http",
        greeting: "environment",
    }
}

fn javascript_http() -> Template {
    Template {
        files: with_interfaces(vec![
            part!("app.js", "function/javascript/app.js"),
            part!("build.mjs", "function/javascript/build.mjs"),
            part!("package.json", "function/javascript/package.json"),
        ]),
        tools: vec![NPM, CURL],
        about: "A function in JavaScript: a component that handles `wasi:http`, with an engine of its \
                own inside (13 MB). It greets, and says in capitals what it was sent. `fetch` sends \
                requests to where `grants.http` of `weir.yaml` lets it.",
        needs: "Node.js with npm; the first build installs the compiler `componentize-js`. Its version \
                and that of the interfaces in `wit` belong together.",
        source: "app.js",
        build: "test -d node_modules || npm install --silent; npm run --silent build",
        file: "{{name}}.wasm",
        watch: "app.js, build.mjs, package.json, wit",
        memory: "128MiB",
        kind: "http",
        greeting: "environment",
    }
}
