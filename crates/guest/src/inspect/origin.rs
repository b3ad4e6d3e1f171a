//! Guesses which language and SDK a module was built with.

use super::facts::{Facts, Item};
use super::report::BuiltWith;
use crate::abi::AbiVersion;

/// Guesses from the producers section first, then from habits of tool chains.
pub(super) fn guess(facts: &Facts<'_>, version: Option<AbiVersion>) -> BuiltWith {
    let mut built = BuiltWith::default();
    from_producers(facts, &mut built);
    if built.language.is_none() {
        from_habits(facts, &mut built);
    }
    if let Some(version) = version {
        built.sdk = sdk(facts, version, built.language.as_deref());
    }
    built
}

fn from_producers(facts: &Facts<'_>, built: &mut BuiltWith) {
    let is_tinygo = facts
        .producers
        .iter()
        .any(|producer| producer.name.to_ascii_lowercase().contains("tinygo"));
    for producer in &facts.producers {
        let version = if producer.version.is_empty() {
            String::new()
        } else {
            format!(" {}", producer.version)
        };
        built
            .evidence
            .push(format!("{}: {}{version}", producer.field, producer.name));
    }
    let language = |wanted: &str| {
        let is_wanted = |name: &str| name == wanted || name.starts_with(&format!("{wanted}_"));
        facts
            .producers
            .iter()
            .any(|one| one.field == "language" && is_wanted(&one.name))
    };
    // A Rust or C++ module often holds C from its standard library: the richer language wins.
    built.language = if is_tinygo {
        Some("TinyGo".to_owned())
    } else {
        let order = [
            "Go",
            "Rust",
            "Zig",
            "Swift",
            "AssemblyScript",
            "C_plus_plus",
            "C",
        ];
        let found = order.into_iter().find(|wanted| language(wanted));
        found.map(|name| if name == "C_plus_plus" { "C++" } else { name }.to_owned())
    };
}

fn from_habits(facts: &Facts<'_>, built: &mut BuiltWith) {
    let has_section = |name: &str| facts.custom.iter().any(|section| section.name == name);
    let exports = |prefix: &str| facts.exports.iter().any(|e| e.name.starts_with(prefix));
    let imports = |name: &str| facts.imports.iter().any(|import| import.name == name);
    let is_producer = |part: &str| facts.producers.iter().any(|one| one.name.contains(part));
    let habits = [
        (
            has_section("go:buildid") || has_section("go.buildid"),
            "Go",
            "section go:buildid",
        ),
        (
            exports("asyncify_") && exports("go_"),
            "TinyGo",
            "exports go_* and asyncify_*",
        ),
        (is_producer("rustc"), "Rust", "producer rustc"),
        (
            exports("__new") || exports("__pin") || imports("seed"),
            "AssemblyScript",
            "exports of its runtime",
        ),
        (
            imports("emscripten_notify_memory_growth"),
            "C++",
            "imports of Emscripten",
        ),
        (is_producer("clang"), "C or C++", "producer clang"),
        (exports("_Z"), "C++", "mangled names"),
        (
            exports("proxy_on_memory_allocate") && exports("resume"),
            "TinyGo",
            "export resume",
        ),
    ];
    if let Some((_, language, evidence)) = habits.into_iter().find(|(holds, _, _)| *holds) {
        built.language = Some(language.to_owned());
        built.evidence.push(evidence.to_owned());
    }
}

fn sdk(facts: &Facts<'_>, version: AbiVersion, language: Option<&str>) -> Option<String> {
    let callbacks = facts
        .exports
        .iter()
        .filter(|e| matches!(e.item, Item::Function(_)) && e.name.starts_with("proxy_on_"))
        .count();
    // Every SDK exports its whole set of callbacks; hand-written modules export the few they need.
    if callbacks < 12 {
        return None;
    }
    let dialect = if version == AbiVersion::V0_2_100 {
        "Higress"
    } else {
        "Proxy-Wasm"
    };
    let language = match language? {
        "TinyGo" => "Go",
        "C" | "C or C++" => "C++",
        other => other,
    };
    Some(format!("{dialect} {language} SDK"))
}
