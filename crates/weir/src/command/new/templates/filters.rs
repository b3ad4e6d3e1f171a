//! Filters: Proxy-Wasm plugins.

use super::super::tools::{CARGO, CLANG, CURL, GO, LINKER, NPM, Tool};
use super::{File, Template, part};
use crate::cli::ProjectLanguage;

/// The filter of a language; `None`: its compilers make components only, which no filter is.
pub(super) fn template(lang: ProjectLanguage) -> Option<Template> {
    match lang {
        ProjectLanguage::Rust => Some(rust()),
        ProjectLanguage::Go => Some(go()),
        ProjectLanguage::C => Some(c()),
        ProjectLanguage::AssemblyScript => Some(assemblyscript()),
        ProjectLanguage::Python | ProjectLanguage::JavaScript => None,
    }
}

fn with_shared(mut own: Vec<File>) -> Vec<File> {
    own.extend([
        part!("weir.yaml", "filter/weir.yaml"),
        part!("test.sh", "filter/test.sh"),
        part!("README.md", "shared/README.md"),
        part!(".gitignore", "shared/gitignore"),
    ]);
    own
}

fn rust() -> Template {
    Template {
        files: with_shared(vec![
            part!("Cargo.toml", "filter/rust/Cargo.toml.in"),
            part!("src/lib.rs", "filter/rust/src/lib.rs"),
        ]),
        tools: vec![CARGO, Tool::RustTarget("wasm32-wasip1"), CURL],
        about: "A Proxy-Wasm filter in Rust, with the SDK `proxy-wasm`. It greets in responses, and \
                asks who wants to see what is private.",
        needs: "Rust, and once: `rustup target add wasm32-wasip1`.",
        source: "src/lib.rs",
        build: "cargo build --release --target wasm32-wasip1 --target-dir target",
        file: "target/wasm32-wasip1/release/{{word}}.wasm",
        watch: "src, Cargo.toml",
        memory: "4MiB",
        kind: "",
        greeting: "",
    }
}

fn go() -> Template {
    Template {
        files: with_shared(vec![
            part!("go.mod", "filter/go/go.mod.in"),
            part!("main.go", "filter/go/main.go"),
        ]),
        tools: vec![GO, CURL],
        about: "A Proxy-Wasm filter in Go, with the SDK `proxy-wasm-go-sdk`. It greets in responses, \
                and asks who wants to see what is private.",
        needs: "Go 1.24 or later: the first version whose modules can be plugins. The variable `GO` \
                may name a `go` that is not on the path. The first build fetches the SDK.",
        source: "main.go",
        build: "GOOS=wasip1 GOARCH=wasm ${GO:-go} build -mod=mod -buildmode=c-shared -o {{name}}.wasm .",
        file: "{{name}}.wasm",
        watch: ".",
        memory: "64MiB",
        kind: "",
        greeting: "",
    }
}

fn c() -> Template {
    Template {
        files: with_shared(vec![
            part!("main.c", "filter/c/main.c"),
            part!("proxy_wasm.h", "filter/c/proxy_wasm.h"),
        ]),
        tools: vec![CLANG, LINKER, CURL],
        about: "A Proxy-Wasm filter in C, with nothing but the ABI. It greets in responses, and asks \
                who wants to see what is private.",
        needs: "`clang` and `lld`, as your system packages them; no C library and no WASI. The \
                variable `CLANG` may name another clang.",
        source: "main.c",
        build: "${CLANG:-clang} --target=wasm32 -nostdlib -Wl,--no-entry -O2 -Wall -Wextra -o \
                {{name}}.wasm main.c",
        file: "{{name}}.wasm",
        watch: "main.c, proxy_wasm.h",
        memory: "4MiB",
        kind: "",
        greeting: "",
    }
}

fn assemblyscript() -> Template {
    Template {
        files: with_shared(vec![
            part!("package.json", "filter/assemblyscript/package.json"),
            part!(
                "assembly/index.ts",
                "filter/assemblyscript/assembly/index.ts"
            ),
            part!(
                "assembly/proxy.ts",
                "filter/assemblyscript/assembly/proxy.ts"
            ),
        ]),
        tools: vec![NPM, CURL],
        about: "A Proxy-Wasm filter in AssemblyScript. It greets in responses, and asks who wants to \
                see what is private. `assembly/proxy.ts` is all of the ABI that it needs.",
        needs: "Node.js with npm; the first build installs the compiler.",
        source: "assembly/index.ts",
        build: "test -d node_modules || npm install --silent; npm run --silent build",
        file: "{{name}}.wasm",
        watch: "assembly, package.json",
        memory: "4MiB",
        kind: "",
        greeting: "",
    }
}
