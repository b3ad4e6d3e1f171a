//! From the names of plugins to Prometheus families.
//!
//! Invariant: each family is written once. Names that become equal are one family if they are of
//! one kind, and their values add up; a name that is taken gets its kind as a suffix, so that no
//! plugin can spoil the page with a name of Weir's own.

use std::collections::BTreeMap;

use super::{ByName, Cell, FamilyKind, HistogramCounts, MetricKind, Number, Writer};

/// Writes every metric.
pub(super) fn export(metrics: &ByName, writer: &mut Writer) {
    let mut families: BTreeMap<(String, MetricKind), Total> = BTreeMap::new();
    for ((name, kind), metric) in metrics {
        let total = Total::of(&metric.0, name);
        families
            .entry((exported_name(name), *kind))
            .and_modify(|family| family.add(&total))
            .or_insert(total);
    }
    let mut written: BTreeMap<String, (MetricKind, Total)> = BTreeMap::new();
    for ((mut name, kind), total) in families {
        while written.contains_key(&name) || writer.has(&name) {
            name.push_str(suffix(kind));
        }
        written.insert(name, (kind, total));
    }
    for (name, (kind, total)) in written {
        total.write(writer, &name, kind);
    }
}

struct Total {
    help: String,
    sum: Sum,
}

enum Sum {
    Number(Number),
    Histogram(Box<HistogramCounts>),
}

impl Total {
    fn of(cell: &Cell, name: &str) -> Self {
        let sum = match cell {
            Cell::Counter(cell) => Sum::Number(Number::Unsigned(cell.load())),
            Cell::Gauge(cell) => Sum::Number(Number::Signed(cell.load().cast_signed())),
            Cell::Histogram(histogram) => Sum::Histogram(Box::new(histogram.counts())),
        };
        Self {
            help: format!("Defined by plugins as {name}"),
            sum,
        }
    }

    /// Both are of one kind.
    fn add(&mut self, other: &Self) {
        match (&mut self.sum, &other.sum) {
            (Sum::Number(Number::Unsigned(ours)), Sum::Number(Number::Unsigned(theirs))) => {
                *ours = ours.wrapping_add(*theirs);
            }
            (Sum::Number(Number::Signed(ours)), Sum::Number(Number::Signed(theirs))) => {
                *ours = ours.wrapping_add(*theirs);
            }
            (Sum::Histogram(ours), Sum::Histogram(theirs)) => {
                ours.cumulative
                    .iter_mut()
                    .zip(theirs.cumulative)
                    .for_each(|(a, b)| *a += b);
                ours.sum = ours.sum.wrapping_add(theirs.sum);
                ours.count += theirs.count;
            }
            (Sum::Number(_) | Sum::Histogram(_), _) => {
                debug_assert!(false, "two kinds in one family");
            }
        }
    }

    fn write(&self, writer: &mut Writer, name: &str, kind: MetricKind) {
        let kind = match kind {
            MetricKind::Counter => FamilyKind::Counter,
            MetricKind::Gauge => FamilyKind::Gauge,
            MetricKind::Histogram => FamilyKind::Histogram,
        };
        let mut family = writer.family(name, kind, &self.help);
        match &self.sum {
            Sum::Number(number) => family.sample(&[], *number),
            Sum::Histogram(counts) => family.histogram(&[], counts),
        };
    }
}

/// As Envoy exports custom metrics, except that a name which then begins with a digit or is empty
/// gets a leading `_`, where Envoy leaves the metric out.
fn exported_name(name: &str) -> String {
    let keep = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte)
        } else {
            '_'
        }
    };
    let name: String = name.bytes().map(keep).collect();
    if name
        .bytes()
        .next()
        .is_none_or(|first| first.is_ascii_digit())
    {
        return format!("_{name}");
    }
    name
}

fn suffix(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "_counter",
        MetricKind::Gauge => "_gauge",
        MetricKind::Histogram => "_histogram",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn check(metrics: &[(MetricKind, &str, u64)], expected: &str) {
        let registry = Metrics::new();
        for (kind, name, value) in metrics {
            registry.define_any(*kind, name).unwrap().record(*value);
        }
        let mut writer = Writer::new();
        registry.export(&mut writer);
        let text = writer.finish();
        let samples: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("# H"))
            .collect();
        assert_eq!(samples.join("\n"), expected);
    }

    #[test]
    fn names_are_sanitised_and_sorted() {
        check(
            &[
                (MetricKind::Counter, "z.requests-total", 1),
                (MetricKind::Gauge, "a:b", u64::MAX),
                (MetricKind::Counter, "5xx", 2),
                (MetricKind::Counter, "é", 3),
            ],
            "# TYPE _5xx counter\n_5xx 2\n# TYPE __ counter\n__ 3\n# TYPE a_b gauge\na_b -1\n\
             # TYPE z_requests_total counter\nz_requests_total 1",
        );
    }

    #[test]
    fn a_name_of_weirs_own_is_not_written_twice() {
        let registry = Metrics::new();
        registry
            .define_any(MetricKind::Counter, "weir_requests")
            .unwrap()
            .record(1);
        let mut writer = Writer::new();
        writer
            .family("weir_requests", FamilyKind::Counter, "Own.")
            .sample(&[], 5_u64);
        registry.export(&mut writer);
        assert!(writer.finish().ends_with("\nweir_requests_counter 1\n"));
    }

    #[test]
    fn names_that_become_equal_add_up_or_get_a_suffix() {
        check(
            &[
                (MetricKind::Counter, "a.b", 1),
                (MetricKind::Counter, "a-b", 2),
                (MetricKind::Gauge, "a_b", 7),
            ],
            "# TYPE a_b counter\na_b 3\n# TYPE a_b_gauge gauge\na_b_gauge 7",
        );
    }
}
