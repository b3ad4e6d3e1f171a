//! What the admin server shows of filters.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};
use weir_guest::FailureKind;
use weir_guest::apart::Report;
use weir_model::Name;
use weir_proxy::Process;
use weir_proxy::metrics::{FamilyKind, Writer};
use weir_proxy::plugin::{BreakerState, FailureReport, FilterReport};
use weir_proxy::touched::Kind;

/// How one number of a filter is read.
type Read = fn(&FilterReport) -> u64;

/// The numbers of a filter: name of the family, kind, explanation.
const FAMILIES: [(&str, FamilyKind, &str, Read); 16] = [
    ("weir_filter_vms", FamilyKind::Gauge, "VMs that run.", |r| {
        r.vms
    }),
    (
        "weir_filter_memory_bytes",
        FamilyKind::Gauge,
        "Linear memory of running VMs.",
        |r| r.memory_bytes,
    ),
    (
        "weir_filter_replacements_total",
        FamilyKind::Counter,
        "VMs that replaced a failed one.",
        |r| r.replacements,
    ),
    (
        "weir_filter_recycled_total",
        FamilyKind::Counter,
        "VMs that replaced one that worked.",
        |r| r.recycled,
    ),
    (
        "weir_filter_refused_total",
        FamilyKind::Counter,
        "Exchanges refused for want of a VM.",
        |r| r.refused,
    ),
    (
        "weir_filter_bypassed_total",
        FamilyKind::Counter,
        "Exchanges that went on without the filter.",
        |r| r.bypassed,
    ),
    (
        "weir_filter_restarted_total",
        FamilyKind::Counter,
        "Exchanges that began again at the filter, whose process was gone.",
        |r| r.restarted,
    ),
    (
        "weir_filter_quarantined_total",
        FamilyKind::Counter,
        "Exchanges kept from the filter because they looked like those that made it fail.",
        |r| r.quarantined,
    ),
    (
        "weir_filter_quarantined_patterns",
        FamilyKind::Gauge,
        "Patterns of requests that are kept from the filter.",
        |r| r.quarantined_patterns,
    ),
    (
        "weir_filter_calls_microseconds_total",
        FamilyKind::Counter,
        "Time that exchanges have waited for the filter's callbacks.",
        |r| micros(r.calls),
    ),
    (
        "weir_filter_instances_exhausted_total",
        FamilyKind::Counter,
        "Exchanges that met as many VMs for requests as there may be.",
        |r| r.exhausted,
    ),
    (
        "weir_filter_snapshots_total",
        FamilyKind::Counter,
        "Snapshots of a running VM that later requests start from.",
        |r| r.renewals,
    ),
    (
        "weir_filter_snapshots_failed_total",
        FamilyKind::Counter,
        "Snapshots that could not be taken.",
        |r| r.renewal_failures,
    ),
    (
        "weir_filter_snapshots_microseconds_total",
        FamilyKind::Counter,
        "Time that snapshots took.",
        |r| micros(r.renewal),
    ),
    (
        "weir_filter_snapshot_staleness_microseconds",
        FamilyKind::Gauge,
        "Age of the oldest change in a VM that requests do not see yet.",
        |r| micros(r.staleness),
    ),
    (
        "weir_filter_snapshot_staleness_max_microseconds",
        FamilyKind::Gauge,
        "The longest that requests ever did without a change.",
        |r| micros(r.staleness_max),
    ),
];

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Every filter, as the page and `/stats` show it.
pub(super) fn shown(process: &Process) -> Vec<Value> {
    let stats = process.filter_stats().into_iter();
    stats
        .map(|(name, report)| filter(process, &name, &report))
        .collect()
}

fn filter(process: &Process, name: &Name, report: &FilterReport) -> Value {
    let program = process.program(name);
    let filter = process.site.filters.get(name);
    let failures = report.failures_total();
    let state = match report.vms {
        0 if failures > 0 => "failed",
        0 => "idle",
        _ => "running",
    };
    json!({
        "name": &**name,
        "module": filter.map(|filter| filter.module.to_string()),
        "walls": walls(process, name),
        "abi": program.as_ref().map(|program| program.version.text()),
        "engine": program.map(|program| program.engine.name()),
        "state": state,
        "vms": report.vms,
        "memory_bytes": report.memory_bytes,
        "failures": failures,
        "failures_by_kind": by_kind(report),
        "breaker": report.breaker.word(),
        "replacements": report.replacements,
        "recycled": report.recycled,
        "refused": report.refused,
        "bypassed": report.bypassed,
        "restarted": report.restarted,
        "quarantined": report.quarantined,
        "quarantined_patterns": report.quarantined_patterns,
        "instances_exhausted": report.exhausted,
        "snapshots": report.renewals,
        "staleness_max_ms": u64::try_from(report.staleness_max.as_millis()).unwrap_or(u64::MAX),
        "calls_ms": u64::try_from(report.calls.as_millis()).unwrap_or(u64::MAX),
        "limits_hit": limits_hit(process, name),
        "total_memory_bytes": process.meters.get(name).map(|meter| meter.memory_bytes()),
    })
}

/// What stands around a filter's processes: each wall with `true`, or with what it is missing for.
fn walls(process: &Process, name: &Name) -> Option<Value> {
    let walls = process.walls(name);
    let shown = |report: &Report| {
        let state = report
            .missing
            .clone()
            .map_or(Value::Bool(true), Value::String);
        (report.wall.to_string(), state)
    };
    let shown: Map<String, Value> = walls.iter().map(shown).collect();
    (!shown.is_empty()).then_some(Value::Object(shown))
}

/// The kinds that occurred.
fn by_kind(report: &FilterReport) -> Value {
    let kinds = FailureKind::ALL.iter().zip(report.failures);
    let occurred = kinds.filter(|(_, count)| *count > 0);
    let shown: Map<String, Value> = occurred
        .map(|(kind, count)| (kind.word().to_owned(), count.into()))
        .collect();
    Value::Object(shown)
}

/// The limits that it has hit, by their keys.
fn limits_hit(process: &Process, filter: &Name) -> Value {
    let meter = process.meters.get(filter);
    let hits = meter.map(|meter| meter.hits()).unwrap_or_default();
    let hits = hits.into_iter().filter(|(_, count)| *count > 0);
    let shown: Map<String, Value> = hits
        .map(|(limit, count)| (limit.key().to_owned(), count.into()))
        .collect();
    Value::Object(shown)
}

/// How often each limit was hit, in Prometheus's format.
fn export_limits(process: &Process, writer: &mut Writer) {
    let mut family = writer.family(
        "weir_filter_limits_hit_total",
        FamilyKind::Counter,
        "Limits of a filter that were hit.",
    );
    for (filter, meter) in &process.meters {
        for (limit, count) in meter.hits() {
            if count > 0 {
                family.sample(&[("filter", filter), ("limit", limit.key())], count);
            }
        }
    }
}

/// The last failure of each filter that had one.
pub(super) fn failures(process: &Process) -> Vec<Value> {
    let stats = process.filter_stats().into_iter();
    stats
        .filter_map(|(name, report)| Some(failure(&name, &report.last_failure?)))
        .collect()
}

fn failure(filter: &Name, report: &FailureReport) -> Value {
    let ago = SystemTime::now().duration_since(report.time);
    let frames = report.trace.frames.iter();
    json!({
        "filter": &**filter,
        "kind": report.kind.word(),
        "reason": report.reason,
        "callback": report.callback,
        "seconds_ago": ago.unwrap_or_default().as_secs(),
        "backtrace": frames.map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// Every filter in Prometheus's format.
pub(super) fn export(process: &Process, writer: &mut Writer) {
    export_limits(process, writer);
    let stats = process.filter_stats();
    for (name, kind, help, read) in FAMILIES {
        let mut family = writer.family(name, kind, help);
        for (filter, report) in &stats {
            family.sample(&[("filter", filter)], read(report));
        }
    }
    let mut failures = writer.family(
        "weir_filter_failures_total",
        FamilyKind::Counter,
        "Traps and exceeded limits.",
    );
    for (filter, report) in &stats {
        for (kind, count) in FailureKind::ALL.iter().zip(report.failures) {
            failures.sample(&[("filter", filter), ("kind", kind.word())], count);
        }
    }
    let mut breaker = writer.family(
        "weir_filter_breaker_open",
        FamilyKind::Gauge,
        "1 while failed VMs are not replaced, 0 otherwise.",
    );
    for (filter, report) in &stats {
        let is_open = report.breaker != BreakerState::Closed;
        breaker.sample(&[("filter", filter)], u64::from(is_open));
    }
    export_refusals(process, writer);
}

/// What filters asked for and were not granted. A kind has a line once it has occurred.
fn export_refusals(process: &Process, writer: &mut Writer) {
    let mut refusals = writer.family(
        "weir_filter_not_granted_total",
        FamilyKind::Counter,
        "What a plugin asked for and was not granted, by kind; in a dry run it was let.",
    );
    for name in process.site.filters.keys() {
        let Some(touched) = process.touched(name) else {
            continue;
        };
        for kind in Kind::ALL {
            let labels = [("filter", &**name), ("kind", kind.name())];
            let refused = touched.refused(kind);
            if refused > 0 {
                refusals.sample(&labels, refused);
            }
        }
    }
}
