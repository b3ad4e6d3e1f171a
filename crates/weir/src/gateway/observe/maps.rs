//! What the admin server shows of shared maps: their numbers, never their entries.

use std::time::Duration;

use weir_maps::numbers::{Near, ROUND_TRIPS, Traffic};
use weir_maps::store::Stat;
use weir_model::Site;
use weir_proxy::Process;
use weir_proxy::maps::{MapReport, RoomReport, UseReport};
use weir_proxy::metrics::{FamilyKind, Writer};

use FamilyKind::{Counter, Gauge, Histogram};

/// A family of metrics with one number for each map that has it.
type Row = (
    &'static str,
    FamilyKind,
    &'static str,
    fn(&MapReport) -> Option<u64>,
);

const ROWS: [Row; 19] = [
    (
        "weir_map_entries",
        Gauge,
        "Entries of a shared map.",
        |map| stat(map, |stat| stat.entries),
    ),
    (
        "weir_map_bytes",
        Gauge,
        "Bytes of a shared map, as its limit counts them.",
        |map| stat(map, |stat| stat.bytes),
    ),
    (
        "weir_map_bytes_max",
        Gauge,
        "Bytes that a shared map may hold.",
        |map| stat(map, |stat| stat.quota_bytes),
    ),
    (
        "weir_map_version",
        Gauge,
        "The last version that was given to an entry of a shared map.",
        |map| stat(map, |stat| stat.version),
    ),
    (
        "weir_map_evicted_total",
        Counter,
        "Entries of a shared map that gave way to others.",
        |map| stat(map, |stat| stat.evicted),
    ),
    (
        "weir_map_expired_total",
        Counter,
        "Entries of a shared map that this gateway removed because their time was up.",
        |map| stat(map, |stat| stat.expired),
    ),
    (
        "weir_map_watches",
        Gauge,
        "Watches of a shared map.",
        |map| stat(map, |stat| stat.watches),
    ),
    (
        "weir_map_hits_total",
        Counter,
        "Looks for an entry of a shared map that found one.",
        |map| Some(map.numbers.counts.hits),
    ),
    (
        "weir_map_misses_total",
        Counter,
        "Looks for an entry of a shared map that found none.",
        |map| Some(map.numbers.counts.misses),
    ),
    (
        "weir_map_refused_total",
        Counter,
        "Changes of a shared map that were refused because a quota was used up.",
        |map| Some(map.numbers.counts.refused),
    ),
    (
        "weir_map_references",
        Gauge,
        "Handles, tickets, entries and the configuration, as far as they refer to a shared map.",
        |map| Some(map.numbers.references),
    ),
    (
        "weir_map_round_trips_total",
        Counter,
        "Requests for a shared map to another machine that are over.",
        |map| traffic(map, |traffic| traffic.requests),
    ),
    (
        "weir_map_round_trips_failed_total",
        Counter,
        "Those of them that failed: no answer in time, no connection, an error of the server.",
        |map| traffic(map, |traffic| traffic.failed),
    ),
    (
        "weir_map_near_hits_total",
        Counter,
        "Looks for an entry that the near cache answered.",
        |map| near(map, |near| near.hits),
    ),
    (
        "weir_map_near_misses_total",
        Counter,
        "Looks for an entry that the near cache could not answer.",
        |map| near(map, |near| near.misses),
    ),
    (
        "weir_map_near_entries",
        Gauge,
        "Entries in the near cache.",
        |map| near(map, |near| near.entries),
    ),
    (
        "weir_map_near_bytes",
        Gauge,
        "Bytes of the near cache.",
        |map| near(map, |near| near.bytes),
    ),
    (
        "weir_map_near_follows",
        Gauge,
        "1: the near cache is told of changes; 0: only its time to live ends what it holds.",
        |map| near(map, |near| u64::from(near.follows)),
    ),
    (
        "weir_map_changes_total",
        Counter,
        "Changes of entries of a shared map in this process.",
        |map| {
            let is_here = map.numbers.known.traffic.is_none();
            stat(map, |stat| stat.version).filter(|_| is_here)
        },
    ),
];

fn stat(map: &MapReport, number: fn(&Stat) -> u64) -> Option<u64> {
    map.numbers.known.stat.as_ref().map(number)
}

fn traffic(map: &MapReport, number: fn(&Traffic) -> u64) -> Option<u64> {
    map.numbers.known.traffic.as_ref().map(number)
}

fn near(map: &MapReport, number: fn(&Near) -> u64) -> Option<u64> {
    map.numbers.known.near.as_ref().map(number)
}

/// A family of metrics with one number for each filter that has it.
type OfFilter = (
    &'static str,
    FamilyKind,
    &'static str,
    fn(&UseReport) -> Option<u64>,
);

const OF_FILTERS: [OfFilter; 3] = [
    (
        "weir_filter_map_bytes",
        Gauge,
        "Bytes of the maps that a filter made.",
        |filter| Some(filter.own_bytes).filter(|bytes| *bytes > 0),
    ),
    (
        "weir_filter_map_refused_total",
        Counter,
        "Calls of a filter for maps that were refused because a quota was used up.",
        |filter| Some(filter.refused).filter(|_| filter.units.is_some() || filter.refused > 0),
    ),
    (
        "weir_filter_map_units_total",
        Counter,
        "Units that a filter with a rate has spent on maps.",
        |filter| filter.units,
    ),
];

/// All maps as metrics, and what filters and stores have to do with them.
pub(super) fn export(process: &Process, writer: &mut Writer) {
    let maps = process.map_reports();
    for (name, kind, help, number) in ROWS {
        let mut family = writer.family(name, kind, help);
        for map in &maps {
            if let Some(number) = number(map) {
                family.sample(&[("map", &map.name)], number);
            }
        }
    }
    round_trips(&maps, writer);
    grants(&process.site, writer);
    rooms(process, writer);
    connections(process, writer);
    totals(process, writer);
    for (name, kind, help, number) in OF_FILTERS {
        let mut family = writer.family(name, kind, help);
        for filter in process.site.filters.keys() {
            if let Some(number) = process.map_use(filter).as_ref().and_then(number) {
                family.sample(&[("filter", filter)], number);
            }
        }
    }
}

fn round_trips(maps: &[MapReport], writer: &mut Writer) {
    let help = "How long requests for a shared map to another machine took.";
    let mut family = writer.family("weir_map_round_trip_seconds", Histogram, help);
    for map in maps {
        let Some(traffic) = map.numbers.known.traffic else {
            continue;
        };
        let buckets = ROUND_TRIPS.iter().map(|(_, bound)| *bound);
        let sum = Duration::from_micros(traffic.micros).as_secs_f64();
        let labels = [("map", &*map.name)];
        family.buckets(
            &labels,
            buckets.zip(traffic.within),
            (sum, traffic.requests),
        );
    }
}

fn grants(site: &Site, writer: &mut Writer) {
    let help = "Which filter is granted which shared map; always 1.";
    let mut family = writer.family("weir_map_granted", Gauge, help);
    for (filter, settings) in &site.filters {
        for map in settings.grants.maps.maps.keys() {
            family.sample(&[("map", map), ("filter", filter)], 1_u64);
        }
    }
}

/// One number of what a filter has of a map.
type OfRoom = (&'static str, &'static str, fn(&RoomReport) -> u64);

const OF_ROOMS: [OfRoom; 4] = [
    (
        "weir_map_granted_entries",
        "Entries that a filter or function has of a map that it may have only so much of.",
        |room| room.used.entries,
    ),
    (
        "weir_map_granted_entries_max",
        "Entries that it may have.",
        |room| room.max.entries,
    ),
    (
        "weir_map_granted_bytes",
        "Bytes of these entries.",
        |room| room.used.bytes,
    ),
    (
        "weir_map_granted_bytes_max",
        "Bytes that it may have.",
        |room| room.max.bytes,
    ),
];

/// What filters and functions have of maps that they may have only so much of.
fn rooms(process: &Process, writer: &mut Writer) {
    let uses = process
        .site
        .filters
        .keys()
        .chain(process.site.functions.keys());
    let uses: Vec<_> = uses
        .filter_map(|name| Some((name, process.map_use(name)?.rooms)))
        .collect();
    for (name, help, number) in OF_ROOMS {
        let mut family = writer.family(name, Gauge, help);
        for (filter, rooms) in &uses {
            for room in rooms {
                let number = number(room);
                // No limit is no number.
                if number < u64::MAX {
                    family.sample(&[("map", &room.map), ("filter", filter)], number);
                }
            }
        }
    }
}

fn connections(process: &Process, writer: &mut Writer) {
    let stores = process.store_reports();
    let help = "Connections to a store of maps that were made, by all workers.";
    let mut opened = writer.family("weir_map_store_connections_total", Counter, help);
    for store in &stores {
        opened.sample(&[("store", &store.name)], store.opened);
    }
    let help = "Connections to a store of maps that were lost, and are made again.";
    let mut lost = writer.family("weir_map_store_connections_lost_total", Counter, help);
    for store in &stores {
        lost.sample(&[("store", &store.name)], store.lost);
    }
}

fn totals(process: &Process, writer: &mut Writer) {
    let totals = process.map_totals();
    let rows = [
        (
            "weir_maps_anonymous",
            Gauge,
            "Maps that plugins made.",
            totals.anonymous,
        ),
        (
            "weir_maps_freeing",
            Gauge,
            "Maps that are over and not yet freed.",
            totals.freeing,
        ),
        (
            "weir_map_tickets",
            Gauge,
            "Tickets that nobody has accepted yet.",
            totals.tickets,
        ),
        (
            "weir_maps_collected_total",
            Counter,
            "Maps that only referred to each other, and were freed.",
            totals.collected,
        ),
    ];
    for (name, kind, help, number) in rows {
        writer.family(name, kind, help).sample(&[], number);
    }
}
