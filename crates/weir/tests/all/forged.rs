//! Names in a module forge nothing: operators decide by reports and logs what it may do.

use weir::Outcome;

use crate::Folder;
use crate::harness::{Gateway, Upstream, site};

/// Its import, its export and its section tell what is not so.
const LIAR: &str = r#"(module
    (import "env" "nosuch\1b[31m\0a\0aNeeds no grants\0a\0aImports (0)\0d\e2\80\ae" (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "other\0aFAKE\e2\81\a6"))
    (func (export "malloc") (param i32) (result i32) i32.const 0)
    (@custom "sect\0aFAKE\1b" "x"))"#;

fn liar() -> Vec<u8> {
    wat::parse_str(LIAR).expect("the test's text is valid")
}

#[track_caller]
fn check_plain(text: &str) {
    assert!(text.contains("nosuch\\u{1b}[31m\\n\\nNeeds"), "{text}");
    for line in text.lines() {
        assert!(
            !line.starts_with("Imports (0)") && !line.starts_with("FAKE"),
            "{text}"
        );
        assert!(!line.contains(weir_model::text::is_misread), "{line:?}");
    }
}

#[test]
fn reports_escape_names() {
    let text = "listeners:\n  - address: 127.0.0.1:0\n    routes:\n      - { filters: [f], echo: true }\n\
                modules:\n  m: { file: plugin.wasm }\nfilters:\n  f: { module: m }\n";
    let folder = Folder::new()
        .with("weir.yaml", text)
        .with("plugin.wasm", liar());
    let told = folder.run("inspect @plugin.wasm").expect(
        Outcome::Fine,
        &["other\\nFAKE\\u{2066} ()", "sect\\nFAKE\\u{1b}"],
    );
    check_plain(&told.out);
    let told = folder.run("check @weir.yaml").expect(Outcome::Fine, &[]);
    check_plain(&format!("{}{}", told.out, told.err));
}

#[test]
fn logs_escape_names() {
    let (upstream, _) = Upstream::echoing();
    let folder = tempfile::tempdir().expect("a folder");
    let module = folder.path().join("liar.wasm");
    std::fs::write(&module, liar()).expect("the folder can be written");
    let more = format!(
        "modules: {{ m: {{ file: {} }} }}\nfilters: {{ liar: {{ module: m }} }}",
        module.display()
    );
    let routes = "      - { filters: [liar], forward: up }";
    let gateway = Gateway::start(&site(upstream.address, routes, &more));
    gateway.logged("imports a function that this host does not have");
    check_plain(&gateway.log());
    gateway.end();
}
