//! The Prometheus text format, version 0.0.4.
//!
//! Invariant: what a [`Writer`] holds is always well-formed: names and labels are checked or
//! escaped here, nowhere else.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

use super::{BUCKETS, HistogramCounts};

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number from 0.
    Unsigned(u64),
    /// A whole number.
    Signed(i64),
    /// Any number.
    Float(f64),
}

/// Collects families of samples as text.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
    families: BTreeSet<Box<str>>,
}

/// One family whose heading has been written; its samples follow.
#[derive(Debug)]
pub struct Family<'w> {
    name: &'w str,
    text: &'w mut String,
}

impl Writer {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a family: its HELP and TYPE lines. `name` matches `[a-zA-Z_:][a-zA-Z0-9_:]*`, and is
    /// begun once.
    pub fn family<'w>(&'w mut self, name: &'w str, kind: FamilyKind, help: &str) -> Family<'w> {
        debug_assert!(is_name(name), "{name:?} is no Prometheus name");
        let is_new = self.families.insert(name.into());
        debug_assert!(is_new, "{name} is begun twice");
        self.push("# HELP ");
        self.push(name);
        self.push(" ");
        escape(&mut self.text, help, Quote::Outside);
        self.push("\n# TYPE ");
        self.push(name);
        self.push(match kind {
            FamilyKind::Counter => " counter\n",
            FamilyKind::Gauge => " gauge\n",
            FamilyKind::Histogram => " histogram\n",
        });
        Family {
            name,
            text: &mut self.text,
        }
    }

    /// Whether a family of this name has begun.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.families.contains(name)
    }

    /// All that was written.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

impl Family<'_> {
    /// Adds a sample. Label names match `[a-zA-Z_][a-zA-Z0-9_]*`; values are any text.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) -> &mut Self {
        match value.into() {
            Number::Unsigned(value) => self.line("", labels, value),
            Number::Signed(value) => self.line("", labels, value),
            Number::Float(value) if value.is_infinite() => {
                self.line("", labels, if value > 0.0 { "+Inf" } else { "-Inf" })
            }
            Number::Float(value) => self.line("", labels, value),
        }
    }

    /// Adds the buckets, sum and count of a histogram. The label `le` is added here.
    pub fn histogram(&mut self, labels: &[(&str, &str)], counts: &HistogramCounts) -> &mut Self {
        let bounds = BUCKETS.iter().map(|(_, bound)| *bound);
        let buckets = bounds.zip(counts.cumulative);
        self.buckets(labels, buckets, (counts.sum, counts.count))
    }

    /// The same with bounds of its own: each with how many are not above it; then the sum and the
    /// count of all.
    pub fn buckets<'b>(
        &mut self,
        labels: &[(&str, &'b str)],
        buckets: impl IntoIterator<Item = (&'b str, u64)>,
        (sum, count): (impl Display, u64),
    ) -> &mut Self {
        let mut with_bound = labels.to_vec();
        with_bound.push(("le", ""));
        let last = labels.len();
        for (bound, count) in buckets {
            with_bound[last].1 = bound;
            self.line("_bucket", &with_bound, count);
        }
        with_bound[last].1 = "+Inf";
        self.line("_bucket", &with_bound, count);
        self.line("_sum", labels, sum);
        self.line("_count", labels, count)
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (index, (name, content)) in labels.iter().enumerate() {
            debug_assert!(is_name(name), "{name:?} is no label name");
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(self.text, content, Quote::Inside);
            self.text.push('"');
        }
        self.text
            .push_str(if labels.is_empty() { " " } else { "} " });
        let written = writeln!(self.text, "{value}");
        debug_assert!(written.is_ok(), "a String takes all text");
        self
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::Unsigned(value as u64)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Signed(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// Whether a text stands between quotation marks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Inside,
    Outside,
}

fn escape(out: &mut String, text: &str, quote: Quote) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quote == Quote::Inside => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    let mut bytes = name.bytes();
    bytes.next().is_some_and(is_first) && bytes.all(|byte| is_first(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Histogram;

    #[test]
    fn headings_and_labels_are_escaped() {
        let mut writer = Writer::new();
        writer
            .family(
                "weir_requests",
                FamilyKind::Counter,
                "All \"requests\",\nby \\ route.",
            )
            .sample(&[("route", "a\"b\\c\nd"), ("code", "200")], 3_u64)
            .sample(&[], 0_u64);
        writer
            .family("weir_load", FamilyKind::Gauge, "Load.")
            .sample(&[], 0.5)
            .sample(&[], -1_i64);
        let expected = concat!(
            "# HELP weir_requests All \"requests\",\\nby \\\\ route.\n",
            "# TYPE weir_requests counter\n",
            "weir_requests{route=\"a\\\"b\\\\c\\nd\",code=\"200\"} 3\n",
            "weir_requests 0\n",
            "# HELP weir_load Load.\n",
            "# TYPE weir_load gauge\n",
            "weir_load 0.5\n",
            "weir_load -1\n",
        );
        assert_eq!(writer.finish(), expected);
    }

    #[test]
    fn numbers_that_are_no_numbers_have_prometheus_names() {
        let mut writer = Writer::new();
        writer
            .family("x", FamilyKind::Gauge, "X.")
            .sample(&[], f64::INFINITY)
            .sample(&[], f64::NEG_INFINITY)
            .sample(&[], f64::NAN);
        assert!(writer.finish().ends_with("x +Inf\nx -Inf\nx NaN\n"));
    }

    #[test]
    fn histograms_are_cumulative_and_end_with_infinity() {
        let histogram = Histogram::default();
        for value in [0, 7, 4_000_000] {
            histogram.record(value);
        }
        let mut writer = Writer::new();
        let mut family = writer.family("t", FamilyKind::Histogram, "T.");
        family.histogram(&[("r", "a")], &histogram.counts());
        let text = writer.finish();
        for line in [
            "t_bucket{r=\"a\",le=\"0.5\"} 1\n",
            "t_bucket{r=\"a\",le=\"5\"} 1\n",
            "t_bucket{r=\"a\",le=\"10\"} 2\n",
            "t_bucket{r=\"a\",le=\"3600000\"} 2\n",
            "t_bucket{r=\"a\",le=\"+Inf\"} 3\n",
            "t_sum{r=\"a\"} 4000007\n",
            "t_count{r=\"a\"} 3\n",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
