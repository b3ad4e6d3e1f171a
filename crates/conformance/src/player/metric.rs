//! Metrics in Prometheus's text format.

use serde_json::Value as Json;

use crate::pattern::matches;

/// Why a metric does not stand as told in a Prometheus text; all series of one name add up, unless
/// the name comes with labels.
pub(super) fn metric_flaw(text: &str, name: &str, expected: &Json) -> Option<String> {
    let series = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '));
    let values: Vec<f64> = series
        .filter(|(known, _)| {
            *known == name
                || known
                    .split_once('{')
                    .is_some_and(|(known, _)| known == name)
        })
        .filter_map(|(_, value)| value.parse().ok())
        .collect();
    let sum: f64 = values.iter().sum();
    let holds = match expected {
        Json::Null => values.is_empty(),
        Json::String(pattern) => !values.is_empty() && matches(pattern, &sum.to_string()),
        other => {
            !values.is_empty()
                && other
                    .as_f64()
                    .is_some_and(|expected| (expected - sum).abs() < 1e-9)
        }
    };
    if holds {
        return None;
    }
    let close: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains(name.trim_start_matches("envoy_")))
        .take(10)
        .collect();
    let value = if values.is_empty() {
        "absent".to_owned()
    } else {
        sum.to_string()
    };
    Some(format!(
        "metric {name} is {value}, expected {expected}; similar: {close:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_metric(name: &str, value: &Json, holds: bool) {
        let text = "# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3\nb{} 4\nab 1\n";
        assert_eq!(
            metric_flaw(text, name, value).is_none(),
            holds,
            "{name} {value}"
        );
    }

    #[test]
    fn metrics_add_up() {
        check_metric("a", &5.into(), true);
        check_metric("a{x=\"2\"}", &3.into(), true);
        check_metric("b", &4.into(), true);
        check_metric("b", &5.into(), false);
        check_metric("c", &Json::Null, true);
        check_metric("c", &0.into(), false);
        check_metric("ab", &"<#>".into(), true);
    }
}
