//! The projects that `weir new` can write. Their texts stand in `templates/` of this crate.
//!
//! In a text, `{{name}}` is the project's name, `{{word}}` the same with `_`, `{{file}}` what the
//! build makes, `{{build}}` how; the rest is of the shared page README.md.

use super::tools::{CARGO, CLANG, CURL, GO, LINKER, NPM, Tool};
use crate::cli::{ProjectCall, ProjectKind, ProjectLanguage};

/// One file of a project.
pub(super) struct File {
    /// Below the project's folder.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// A kind of project.
pub(super) struct Template {
    files: Vec<File>,
    /// What its build and its test need.
    pub(super) tools: Vec<Tool>,
    about: &'static str,
    needs: &'static str,
    /// Where to begin to read.
    source: &'static str,
    build: &'static str,
    file: &'static str,
    /// What `weir dev` watches.
    watch: &'static str,
    /// Linear memory: languages with a runtime need more.
    memory: &'static str,
}

/// A file of this crate's folder `templates`.
macro_rules! file {
    ($name:literal, $path:literal) => {
        File {
            name: $name,
            text: include_str!(concat!("../../../templates/", $path)),
        }
    };
}

impl Template {
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// A text of this template for a project of this name.
    pub(super) fn filled(&self, text: &str, name: &str) -> String {
        let word = name.replace('-', "_");
        text.replace("{{about}}", self.about)
            .replace("{{needs}}", self.needs)
            .replace("{{source}}", self.source)
            .replace("{{build}}", self.build)
            .replace("{{file}}", self.file)
            .replace("{{watch}}", self.watch)
            .replace("{{memory}}", self.memory)
            .replace("{{word}}", &word)
            .replace("{{name}}", name)
    }
}

/// Every project that there is.
pub(super) fn all() -> impl Iterator<Item = (ProjectKind, ProjectLanguage, Option<ProjectCall>)> {
    use ProjectKind::Filter;
    use ProjectLanguage::{AssemblyScript, C, Go, Rust};
    [
        (Filter, Rust, None),
        (Filter, Go, None),
        (Filter, C, None),
        (Filter, AssemblyScript, None),
    ]
    .into_iter()
}

/// A project; of a function without a kind, the first one of its language.
pub(super) fn template(
    what: ProjectKind,
    lang: ProjectLanguage,
    call: Option<ProjectCall>,
) -> Option<Template> {
    let mut offered = all();
    let (_, _, call) =
        offered.find(|(w, l, c)| (*w, *l) == (what, lang) && (call.is_none() || *c == call))?;
    match (what, lang, call) {
        (ProjectKind::Filter, ProjectLanguage::Rust, _) => Some(filter_rust()),
        (ProjectKind::Filter, ProjectLanguage::Go, _) => Some(filter_go()),
        (ProjectKind::Filter, ProjectLanguage::C, _) => Some(filter_c()),
        (ProjectKind::Filter, ProjectLanguage::AssemblyScript, _) => Some(filter_assemblyscript()),
        _ => None,
    }
}

/// The language as the command line has it.
pub(super) const fn word(lang: ProjectLanguage) -> &'static str {
    match lang {
        ProjectLanguage::Rust => "rust",
        ProjectLanguage::Go => "go",
        ProjectLanguage::C => "c",
        ProjectLanguage::AssemblyScript => "assemblyscript",
        ProjectLanguage::Python => "python",
        ProjectLanguage::JavaScript => "javascript",
    }
}

/// The kind as the command line has it.
pub(super) const fn call_word(call: ProjectCall) -> &'static str {
    match call {
        ProjectCall::Http => "http",
        ProjectCall::Command => "command",
        ProjectCall::Core => "core",
    }
}

fn filter_files(mut own: Vec<File>) -> Vec<File> {
    own.extend([
        file!("weir.yaml", "filter/weir.yaml"),
        file!("test.sh", "filter/test.sh"),
        file!("README.md", "shared/README.md"),
        file!(".gitignore", "shared/gitignore"),
    ]);
    own
}

fn filter_rust() -> Template {
    Template {
        files: filter_files(vec![
            file!("Cargo.toml", "filter/rust/Cargo.toml.in"),
            file!("src/lib.rs", "filter/rust/src/lib.rs"),
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
    }
}

fn filter_go() -> Template {
    Template {
        files: filter_files(vec![
            file!("go.mod", "filter/go/go.mod.in"),
            file!("main.go", "filter/go/main.go"),
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
    }
}

fn filter_c() -> Template {
    Template {
        files: filter_files(vec![
            file!("main.c", "filter/c/main.c"),
            file!("proxy_wasm.h", "filter/c/proxy_wasm.h"),
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
    }
}

fn filter_assemblyscript() -> Template {
    Template {
        files: filter_files(vec![
            file!("package.json", "filter/assemblyscript/package.json"),
            file!(
                "assembly/index.ts",
                "filter/assemblyscript/assembly/index.ts"
            ),
            file!(
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
    }
}
