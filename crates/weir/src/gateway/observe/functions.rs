//! What the admin server shows of functions.

use serde_json::{Map, Value, json};
use weir_model::Name;
use weir_proxy::Process;
use weir_proxy::function::FunctionReport;
use weir_proxy::metrics::{FamilyKind, HistogramCounts, Writer};

/// A family of metrics with one number for each function.
type Row = (
    &'static str,
    FamilyKind,
    &'static str,
    fn(&FunctionReport) -> u64,
);

const ROWS: [Row; 4] = [
    (
        "weir_function_calls_total",
        FamilyKind::Counter,
        "Calls of a function, those that were sent away included.",
        |report| report.calls,
    ),
    (
        "weir_function_running",
        FamilyKind::Gauge,
        "Instances of a function that are there.",
        |report| report.running.into(),
    ),
    (
        "weir_function_waiting",
        FamilyKind::Gauge,
        "Calls of a function that wait for their turn.",
        |report| report.waiting.into(),
    ),
    (
        "weir_function_log_lines_dropped_total",
        FamilyKind::Counter,
        "Lines of a function that were not written to the log.",
        |report| report.lines_dropped,
    ),
];

/// Every function, as the page and `/stats.json` show it.
pub(super) fn shown(process: &Process) -> Vec<Value> {
    let reports = process.function_reports().into_iter();
    reports
        .map(|(name, report)| function(process, &name, &report))
        .collect()
}

fn function(process: &Process, name: &Name, report: &FunctionReport) -> Value {
    let model = process.site.functions.get(name);
    json!({
        "name": &**name,
        "module": model.map(|function| function.module.to_string()),
        "kind": report.kind,
        "calls": report.calls,
        "cold_starts": report.cold,
        "warm_starts": report.warm,
        "faults": report.faults().map(|(_, count)| count).sum::<u64>(),
        "faults_by_kind": occurred(report.faults()),
        "running": report.running,
        "instances": model.map(|function| function.limits.instances),
        "waiting": report.waiting,
        "fetches": occurred(report.fetches()),
        "latency_microseconds": times(&report.latency),
        "wait_microseconds": times(&report.wait),
        "log_lines_dropped": report.lines_dropped,
    })
}

fn times(counts: &HistogramCounts) -> Value {
    json!({ "count": counts.count, "mean": counts.sum.checked_div(counts.count) })
}

fn occurred(counts: impl Iterator<Item = (&'static str, u64)>) -> Value {
    let shown: Map<String, Value> = counts
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| (word.to_owned(), count.into()))
        .collect();
    Value::Object(shown)
}

/// The same in Prometheus's format.
pub(super) fn export(process: &Process, writer: &mut Writer) {
    let reports = process.function_reports();
    for (name, kind, help, read) in ROWS {
        let mut family = writer.family(name, kind, help);
        for (function, report) in &reports {
            family.sample(&[("function", function)], read(report));
        }
    }
    let mut starts = writer.family(
        "weir_function_starts_total",
        FamilyKind::Counter,
        "Calls that began while no instance of the function was there (cold), or beside others.",
    );
    for (function, report) in &reports {
        starts.sample(&[("function", function), ("start", "cold")], report.cold);
        starts.sample(&[("function", function), ("start", "warm")], report.warm);
    }
    let mut faults = writer.family(
        "weir_function_faults_total",
        FamilyKind::Counter,
        "Calls of a function without a whole response, by kind.",
    );
    for (function, report) in &reports {
        for (kind, count) in report.faults() {
            faults.sample(&[("function", function), ("kind", kind)], count);
        }
    }
    let mut fetches = writer.family(
        "weir_function_fetches_total",
        FamilyKind::Counter,
        "Requests that a function sent, by what became of them.",
    );
    for (function, report) in &reports {
        for (outcome, count) in report.fetches() {
            fetches.sample(&[("function", function), ("outcome", outcome)], count);
        }
    }
    export_times(&reports, writer);
}

fn export_times(reports: &[(Name, FunctionReport)], writer: &mut Writer) {
    let mut latency = writer.family(
        "weir_function_response_microseconds",
        FamilyKind::Histogram,
        "From the turn of a call to the head of its response.",
    );
    for (function, report) in reports {
        latency.histogram(&[("function", function)], &report.latency);
    }
    let mut wait = writer.family(
        "weir_function_wait_microseconds",
        FamilyKind::Histogram,
        "How long calls waited for their turn.",
    );
    for (function, report) in reports {
        wait.histogram(&[("function", function)], &report.wait);
    }
}
