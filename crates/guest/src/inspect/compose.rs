//! How facts become the report.

use wasmparser::{MemoryType, TableType};

use super::facts::{Facts, ImportFact, Item, signature};
use super::report::{
    Abi, CallbackExport, DialectChoice, Export, Exports, Import, ImportGroup, Kind, Marker, Memory,
    Purpose, Report, Sizes, Standing, Table,
};
use super::{Needs, origin, verdict};
use crate::abi::{
    ALLOCATORS, AbiVersion, CALLBACKS, HostFunction, MARKER_PREFIX, Namespace, Origin, STARTERS,
    dialect, find,
};

/// Turns facts into the report.
pub(super) fn report(facts: Facts<'_>, file_bytes: usize) -> Report {
    let version = AbiVersion::detect(function_exports(&facts));
    let is_plugin = function_exports(&facts).any(|name| name.starts_with(MARKER_PREFIX));
    let purpose = purpose(&facts, is_plugin);
    let judged = verdict::judge(&facts, version);
    let has_section = |prefix: &str| facts.custom.iter().any(|s| s.name.starts_with(prefix));
    Report {
        kind: facts.kind,
        purpose,
        abi: abi(&facts, version),
        dialect: is_plugin.then(|| {
            let imports = facts
                .imports
                .iter()
                .map(|import| (import.module, import.name));
            let (name, reason) = dialect(version, imports);
            DialectChoice { name, reason }
        }),
        built_with: origin::guess(&facts, version),
        sizes: Sizes {
            file_bytes: file_bytes as u64,
            code_bytes: facts.code_bytes,
            functions: facts.functions,
            data_bytes: facts.data_bytes,
            data_segments: facts.data_segments,
        },
        memories: facts.memories.iter().map(memory).collect(),
        tables: facts.tables.iter().map(table).collect(),
        imports: groups(&facts, version),
        exports: exports(&facts, version),
        has_names: has_section("name"),
        has_dwarf: has_section(".debug_info"),
        grants: verdict::grants(&facts),
        needs: Needs::of(&facts),
        in_weir: judged.weir,
        in_strict_host: judged.strict,
        custom_sections: facts.custom,
        producers: facts.producers,
    }
}

/// How the host sees an import.
pub(super) fn standing(import: &ImportFact<'_>, version: Option<AbiVersion>) -> Standing {
    if matches!(import.item, Item::Memory | Item::Table | Item::Interface) {
        return Standing::Known;
    }
    let Some(function) = find(import.module, import.name) else {
        return Standing::Unknown;
    };
    let mut types = function.params();
    if !types.any(|params| import.item.is_function(params, function.results)) {
        return Standing::WrongSignature {
            expected: host_signature(function),
        };
    }
    if function.origin == Origin::Higress {
        return Standing::OtherHost;
    }
    match version {
        Some(version) if !function.versions.contains(version) => Standing::OtherVersion,
        Some(_) | None => Standing::Known,
    }
}

fn function_exports<'f>(facts: &'f Facts<'_>) -> impl Iterator<Item = &'f str> {
    facts
        .exports
        .iter()
        .filter(|export| matches!(export.item, Item::Function(_)))
        .map(|export| export.name)
}

fn purpose(facts: &Facts<'_>, is_plugin: bool) -> Purpose {
    if facts.kind == Kind::Component {
        Purpose::Component
    } else if is_plugin {
        Purpose::ProxyWasmPlugin
    } else if function_exports(facts).any(|name| name == "_start") {
        Purpose::Command
    } else {
        Purpose::Library
    }
}

fn abi(facts: &Facts<'_>, version: Option<AbiVersion>) -> Abi {
    let markers = function_exports(facts).filter(|name| name.starts_with(MARKER_PREFIX));
    let marker = |name: &str| {
        let own = AbiVersion::of_marker(name);
        Marker {
            name: name.to_owned(),
            version: own.map(|own| own.text().to_owned()),
            decides: own.is_some() && own == version,
        }
    };
    Abi {
        markers: markers.map(marker).collect(),
        version: version.map(|version| version.text().to_owned()),
    }
}

fn memory(ty: &MemoryType) -> Memory {
    Memory {
        min_pages: ty.initial,
        max_pages: ty.maximum,
        page_bytes: 1_u64
            .checked_shl(ty.page_size_log2.unwrap_or(16))
            .unwrap_or(0),
        is_64_bit: ty.memory64,
        is_shared: ty.shared,
    }
}

fn table(ty: &TableType) -> Table {
    Table {
        element: ty.element_type.to_string(),
        min: ty.initial,
        max: ty.maximum,
    }
}

/// Imports sorted into groups: Proxy-Wasm by topic, WASI by topic, the rest.
fn groups(facts: &Facts<'_>, version: Option<AbiVersion>) -> Vec<ImportGroup> {
    let mut groups: Vec<(u8, ImportGroup)> = Vec::new();
    for fact in &facts.imports {
        let (order, family, topic) = place(fact);
        let import = Import {
            module: fact.module.to_owned(),
            name: fact.name.to_owned(),
            signature: fact.item.describe(),
            standing: standing(fact, version),
        };
        match groups
            .iter_mut()
            .find(|(at, group)| *at == order && group.topic == topic)
        {
            Some((_, group)) => group.imports.push(import),
            None => groups.push((
                order,
                ImportGroup {
                    family,
                    topic,
                    imports: vec![import],
                },
            )),
        }
    }
    groups.sort_by_key(|(order, _)| *order);
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Where an import stands in the report: order, family, topic.
fn place(fact: &ImportFact<'_>) -> (u8, &'static str, &'static str) {
    if matches!(fact.item, Item::Interface) {
        return (0, "interfaces", "");
    }
    match find(fact.module, fact.name) {
        Some(HostFunction {
            namespace: Namespace::Env,
            topic,
            ..
        }) => (*topic as u8, "proxy-wasm", topic.title()),
        Some(HostFunction {
            namespace: Namespace::Wasi,
            topic,
            ..
        }) => (*topic as u8, "wasi", topic.title()),
        Some(HostFunction {
            namespace: Namespace::Maps | Namespace::DraftMaps,
            topic,
            ..
        }) => (*topic as u8, "wasi-map", topic.title()),
        None if matches!(fact.item, Item::Function(_)) => (u8::MAX, "unknown", "functions"),
        None => (u8::MAX, "unknown", "memories, tables, globals, tags"),
    }
}

fn exports(facts: &Facts<'_>, version: Option<AbiVersion>) -> Exports {
    let mut exports = Exports::default();
    for fact in &facts.exports {
        let is_function = matches!(fact.item, Item::Function(_));
        let name = fact.name.to_owned();
        let signature = fact.item.describe();
        if is_function && CALLBACKS.iter().any(|callback| callback.name == name) {
            let has_expected_type = verdict::is_called(fact, version);
            exports.callbacks.push(CallbackExport {
                name,
                signature,
                has_expected_type,
            });
        } else if fact.name == "memory" && matches!(fact.item, Item::Memory) {
            exports.has_memory = true;
        } else if !is_function || !fact.name.starts_with(MARKER_PREFIX) {
            exports.others.push(Export { name, signature });
        }
    }
    let exported = |wanted: &&&str| function_exports(facts).any(|name| name == **wanted);
    exports.allocator = ALLOCATORS
        .iter()
        .find(exported)
        .map(|name| (*name).to_owned());
    exports.start = STARTERS
        .iter()
        .filter(exported)
        .map(|name| (*name).to_owned())
        .collect();
    if facts.has_start {
        exports.start.push("(start)".to_owned());
    }
    let is_used = |name: &str| {
        exports.allocator.as_deref() == Some(name) || exports.start.iter().any(|one| one == name)
    };
    let others = std::mem::take(&mut exports.others);
    exports.others = others
        .into_iter()
        .filter(|export| !is_used(&export.name))
        .collect();
    exports
}

/// The host's type of a function.
pub(super) fn host_signature(function: &HostFunction) -> String {
    signature(
        function.params.iter().map(ToString::to_string),
        function.results.iter().map(ToString::to_string),
    )
}
