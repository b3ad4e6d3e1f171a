//! What the admin server shows of shared maps: their numbers, never their entries.

use serde_json::{Value, json};
use weir_proxy::Process;
use weir_proxy::maps::MapReport;
use weir_proxy::metrics::{FamilyKind, Writer};

/// A family of metrics with one number for each map.
type Row = (
    &'static str,
    FamilyKind,
    &'static str,
    fn(&MapReport) -> u64,
);

const ROWS: [Row; 6] = [
    (
        "weir_map_entries",
        FamilyKind::Gauge,
        "Entries of a shared map.",
        |map| map.stat.entries,
    ),
    (
        "weir_map_bytes",
        FamilyKind::Gauge,
        "Bytes of a shared map, as its limit counts them.",
        |map| map.stat.bytes,
    ),
    (
        "weir_map_bytes_max",
        FamilyKind::Gauge,
        "Bytes that a shared map may hold.",
        |map| map.stat.quota_bytes,
    ),
    (
        "weir_map_changes_total",
        FamilyKind::Counter,
        "Changes of entries of a shared map.",
        |map| map.stat.version,
    ),
    (
        "weir_map_evicted_total",
        FamilyKind::Counter,
        "Entries of a shared map that gave way to others.",
        |map| map.stat.evicted,
    ),
    (
        "weir_map_watches",
        FamilyKind::Gauge,
        "Watches of a shared map.",
        |map| map.stat.watches,
    ),
];

/// All maps, as JSON.
pub(super) fn shown(process: &Process) -> Value {
    let maps = process.map_reports().into_iter().map(|map| {
        json!({
            "name": &*map.name,
            "entries": map.stat.entries,
            "bytes": map.stat.bytes,
            "bytes_max": map.stat.quota_bytes,
            "changes": map.stat.version,
            "evicted": map.stat.evicted,
            "watches": map.stat.watches,
        })
    });
    let own = process.map_totals();
    json!({
        "named": maps.collect::<Vec<_>>(),
        "anonymous": own.anonymous,
        "freeing": own.freeing,
        "collected": own.collected,
        "tickets": own.tickets,
    })
}

/// The same as metrics, and what filters keep in maps that they made.
pub(super) fn export(process: &Process, writer: &mut Writer) {
    let maps = process.map_reports();
    for (name, kind, help, number) in ROWS {
        let mut family = writer.family(name, kind, help);
        for map in &maps {
            family.sample(&[("map", &map.name)], number(map));
        }
    }
    let totals = process.map_totals();
    let mut gauge = |name, help, number: u64| {
        writer
            .family(name, FamilyKind::Gauge, help)
            .sample(&[], number);
    };
    gauge(
        "weir_maps_anonymous",
        "Maps that plugins made.",
        totals.anonymous,
    );
    gauge(
        "weir_maps_freeing",
        "Maps that are over and not yet freed.",
        totals.freeing,
    );
    gauge(
        "weir_map_tickets",
        "Tickets that nobody has accepted yet.",
        totals.tickets,
    );
    let help = "Maps that only referred to each other, and were freed.";
    writer
        .family("weir_maps_collected_total", FamilyKind::Counter, help)
        .sample(&[], totals.collected);
    let help = "Bytes of the maps that a filter made.";
    let mut bytes = writer.family("weir_filter_map_bytes", FamilyKind::Gauge, help);
    for filter in process.site.filters.keys() {
        let used = process.map_bytes(filter).filter(|used| *used > 0);
        if let Some(used) = used {
            bytes.sample(&[("filter", filter)], used);
        }
    }
}
