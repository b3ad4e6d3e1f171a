//! Whether hosts load a module as a filter, and what it would have to be granted.

use wasmparser::MemoryType;
use weir_model::limits;

use super::compose::standing;
use super::facts::{ExportFact, Facts, ImportFact, Item};
use super::report::{Kind, Standing, Verdict};
use crate::abi::{
    ALLOCATORS, AbiVersion, CALLBACKS, Callback, MARKER_PREFIX, Namespace, Origin, Topic,
    ValueType, find,
};

/// Linear memory of one VM in Envoy.
const STRICT_MEMORY_BYTES: u64 = 1 << 30;

/// What can be granted or withheld: topic and its name.
const GRANTS: &[(Topic, &str)] = &[
    (Topic::Callouts, "HTTP callouts"),
    (Topic::Grpc, "gRPC callouts"),
    (Topic::Redis, "Redis commands"),
    (Topic::SharedData, "shared data"),
    (Topic::Queues, "shared queues"),
    (Topic::Maps, "shared maps"),
    (Topic::Metrics, "metrics"),
    (Topic::Foreign, "foreign functions"),
    (Topic::WasiEnvironment, "environment variables"),
];

/// Imports of the granted topics that reach nothing by themselves.
const HARMLESS: &[&str] = &[
    "proxy_get_status",
    "args_get",
    "args_sizes_get",
    "environ_sizes_get",
];

/// Both verdicts.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) weir: Verdict,
    pub(super) strict: Verdict,
}

impl Judged {
    /// Refused everywhere.
    fn refuse(&mut self, problem: &str) {
        self.weir.problems.push(problem.to_owned());
        self.strict.problems.push(problem.to_owned());
    }

    /// Refused by a strict host, worked around by Weir.
    fn tolerate(&mut self, problem: &str, remedy: &str) {
        self.strict.problems.push(problem.to_owned());
        self.weir.notes.push(format!("{problem}: {remedy}"));
    }
}

/// Judges a module as a filter.
pub(super) fn judge(facts: &Facts<'_>, version: Option<AbiVersion>) -> Judged {
    let mut judged = Judged::default();
    match facts.kind {
        Kind::Component => judged
            .refuse("it is a component; filters are core modules with the Proxy-Wasm interface"),
        Kind::CoreModule => {
            judge_marker(facts, version, &mut judged);
            judge_memory(facts, &mut judged);
            judge_allocator(facts, &mut judged);
            for import in &facts.imports {
                judge_import(import, version, &mut judged);
            }
            for export in &facts.exports {
                judge_callback(export, version, &mut judged);
            }
        }
    }
    judged.weir.loads = judged.weir.problems.is_empty();
    judged.strict.loads = judged.strict.problems.is_empty();
    judged
}

/// What the module would have to be granted, in words.
pub(super) fn grants(facts: &Facts<'_>) -> Vec<String> {
    let granted = GRANTS.iter().filter_map(|(topic, title)| {
        let names: Vec<&str> = facts
            .imports
            .iter()
            .filter(|import| find(import.module, import.name).is_some_and(|f| f.topic == *topic))
            .map(|import| import.name)
            .filter(|name| !HARMLESS.contains(name))
            .collect();
        (!names.is_empty()).then(|| format!("{title} ({})", names.join(", ")))
    });
    granted.collect()
}

/// Whether a host of this version calls an exported callback with the type that it has.
pub(super) fn is_called(export: &ExportFact<'_>, version: Option<AbiVersion>) -> bool {
    let has_version =
        |callback: &Callback| version.is_none_or(|version| callback.versions.contains(version));
    CALLBACKS
        .iter()
        .filter(|callback| callback.name == export.name && has_version(callback))
        .any(|callback| export.item.is_function(callback.params, callback.results))
}

fn judge_marker(facts: &Facts<'_>, version: Option<AbiVersion>, judged: &mut Judged) {
    let marker = facts
        .exports
        .iter()
        .find(|e| e.name.starts_with(MARKER_PREFIX) && matches!(e.item, Item::Function(_)));
    let has_envoy_marker = facts.exports.iter().any(|export| {
        AbiVersion::of_marker(export.name).is_some_and(|own| own != AbiVersion::V0_2_100)
    });
    match (version, marker) {
        (Some(_), _) if !has_envoy_marker => judged.strict.problems.push(
            "its only ABI marker is Higress's proxy_abi_version_0_2_100, which Envoy does not know"
                .to_owned(),
        ),
        (Some(_), _) => {}
        (None, Some(marker)) => judged.refuse(&format!(
            "its ABI marker {} is of no known version (known: 0.1.0, 0.2.0, 0.2.1, 0.2.100)",
            marker.name
        )),
        (None, None) => judged
            .refuse("it exports no function proxy_abi_version_*, so it is no Proxy-Wasm plugin"),
    }
}

fn judge_memory(facts: &Facts<'_>, judged: &mut Judged) {
    let exported = facts.exports.iter().find(|export| export.name == "memory");
    if !exported.is_some_and(|export| matches!(export.item, Item::Memory)) {
        judged.refuse("it exports no memory named \"memory\"");
    }
    if facts.memories.iter().any(|memory| memory.memory64) {
        judged.refuse("it has a 64-bit memory; Proxy-Wasm addresses have 32 bits");
    }
    if facts.memories.iter().any(|memory| memory.shared) {
        judged.refuse("it has a shared memory; a plugin has one thread");
    }
    let bytes = facts
        .memories
        .iter()
        .map(initial_bytes)
        .fold(0, u64::saturating_add);
    if bytes > STRICT_MEMORY_BYTES {
        judged.strict.problems.push(format!(
            "it starts with {bytes} bytes of memory, over 1 GiB"
        ));
    }
    if bytes > limits::GUEST_MEMORY_BYTES {
        judged.weir.notes.push(format!(
            "it starts with {bytes} bytes of memory: raise limits.memory of the filter above that"
        ));
    }
}

fn initial_bytes(memory: &MemoryType) -> u64 {
    let page = 1_u64
        .checked_shl(memory.page_size_log2.unwrap_or(16))
        .unwrap_or(u64::MAX);
    memory.initial.saturating_mul(page)
}

fn judge_allocator(facts: &Facts<'_>, judged: &mut Judged) {
    let allocator = ALLOCATORS.iter().find_map(|wanted| {
        facts
            .exports
            .iter()
            .find(|export| export.name == *wanted && matches!(export.item, Item::Function(_)))
    });
    match allocator {
        None => judged.refuse("it exports neither malloc nor proxy_on_memory_allocate"),
        Some(export)
            if export
                .item
                .is_function(&[ValueType::I32], &[ValueType::I32]) => {}
        Some(export) => judged.refuse(&format!(
            "its allocator {} has type {}, expected (i32) -> i32",
            export.name,
            export.item.describe()
        )),
    }
}

fn judge_import(import: &ImportFact<'_>, version: Option<AbiVersion>, judged: &mut Judged) {
    let name = format!("{}.{}", import.module, import.name);
    match (standing(import, version), &import.item) {
        (Standing::Known, _) => judge_known(import, judged),
        (Standing::OtherVersion, _) => judged.tolerate(
            &format!("{name} is not part of its ABI version"),
            "Weir offers it all the same",
        ),
        (Standing::OtherHost, _) => judged
            .strict
            .problems
            .push(format!("it imports {name}, which only Higress has")),
        (Standing::WrongSignature { expected }, item) => judged.refuse(&format!(
            "it imports {name} with type {}, expected {expected}",
            item.describe()
        )),
        (Standing::Unknown, Item::Function(_)) => judged.tolerate(
            &format!("the host knows no function {name}"),
            "a stub answers Unimplemented (strict_imports: true refuses the module)",
        ),
        (Standing::Unknown, item) => {
            judged.refuse(&format!(
                "it imports the {} {name}; hosts offer none",
                item.describe()
            ));
        }
    }
}

/// Known to Weir, but not to Envoy.
fn judge_known(import: &ImportFact<'_>, judged: &mut Judged) {
    let Some(function) = find(import.module, import.name) else {
        return;
    };
    if function.origin == Origin::Weir {
        let problem = format!(
            "it imports {}.{}, which Envoy has not",
            import.module, import.name
        );
        judged.strict.problems.push(problem);
    }
    let is_misdeclared = function.namespace == Namespace::Wasi
        && ["path_link", "path_symlink"].contains(&function.name);
    if is_misdeclared {
        let problem = format!("Envoy declares {} with another type than WASI", import.name);
        judged.strict.problems.push(problem);
    }
}

fn judge_callback(export: &ExportFact<'_>, version: Option<AbiVersion>, judged: &mut Judged) {
    let mut known = CALLBACKS
        .iter()
        .filter(|callback| callback.name == export.name)
        .peekable();
    let Some(first) = known.peek() else { return };
    let is_function = matches!(export.item, Item::Function(_));
    if !is_function || is_called(export, version) || is_never_called(first, version) {
        return;
    }
    let problem = format!(
        "its callback {} has type {}",
        export.name,
        export.item.describe()
    );
    // Builds of 2020 and 2021 have the headers callbacks of a version later than their marker.
    if known.any(|callback| export.item.is_function(callback.params, callback.results)) {
        judged.tolerate(
            &format!("{problem}, that of another ABI version"),
            "Weir calls it so",
        );
    } else {
        judged.refuse(&format!("{problem}, which is not the ABI's"));
    }
}

/// Whether a host of this version never looks the callback up, so that its type does not matter.
fn is_never_called(callback: &Callback, version: Option<AbiVersion>) -> bool {
    let Some(version) = version else { return false };
    !CALLBACKS
        .iter()
        .any(|other| other.name == callback.name && other.versions.contains(version))
}
