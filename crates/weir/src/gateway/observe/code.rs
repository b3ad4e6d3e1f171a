//! What the admin server shows of compiled code.

use serde_json::{Map, Value, json};
use weir_guest::code::CacheReport;
use weir_proxy::Process;
use weir_proxy::metrics::{FamilyKind, Writer};

/// Where code stands, as JSON.
pub(super) fn shown(process: &Process) -> Value {
    let library = process.library();
    let counts = |cache: &CacheReport| -> Map<String, Value> {
        let counts = named(cache).into_iter();
        counts
            .map(|(name, _, count)| (name.to_owned(), count.into()))
            .collect()
    };
    json!({
        "modules_waiting": library.waiting(),
        "cache": library.cache().as_ref().map(counts),
    })
}

/// The same as metrics.
pub(super) fn export(process: &Process, writer: &mut Writer) {
    let library = process.library();
    let help = "Modules that wait for optimised code.";
    writer
        .family("weir_code_modules_waiting", FamilyKind::Gauge, help)
        .sample(&[], library.waiting() as u64);
    let mut engines = writer.family(
        "weir_filter_engine",
        FamilyKind::Gauge,
        "1 for the engine that new VMs of a filter run on.",
    );
    for name in process.site.filters.keys() {
        if let Some(program) = process.program(name) {
            engines.sample(&[("filter", name), ("engine", program.engine.name())], 1u64);
        }
    }
    for (name, help, count) in library.cache().iter().flat_map(named) {
        let family = format!("weir_code_cache_{name}_total");
        writer
            .family(&family, FamilyKind::Counter, help)
            .sample(&[], count);
    }
}

/// What the cache of compiled code did, with names and meanings.
fn named(cache: &CacheReport) -> [(&'static str, &'static str, u64); 6] {
    [
        ("hits", "Compiled code that was found.", cache.hits),
        ("misses", "Compiled code that was not there.", cache.misses),
        ("stored", "Files of compiled code written.", cache.stored),
        (
            "refused",
            "Files of compiled code that were not fit.",
            cache.refused,
        ),
        (
            "evicted",
            "Files of compiled code removed to make room.",
            cache.evicted,
        ),
        (
            "failed",
            "Compiled code that could not be kept.",
            cache.failed,
        ),
    ]
}
