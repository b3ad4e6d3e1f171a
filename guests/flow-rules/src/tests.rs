//! Rules over maps in memory, on times that the test makes.

use std::time::Duration;

use wasi_map::{Map, Rights, fake};

use crate::{Held, Parameter, Rule, Verdict, decide, release, rules_of};

/// A full second.
const START_MS: u64 = 1_700_000_000_000;

/// Rules, and a map that begins empty.
struct Bench {
    rules: Vec<Rule>,
    map: Map,
}

impl Bench {
    fn new(rules: &str) -> Self {
        fake::reset();
        Self {
            rules: rules_of("t", rules.as_bytes(), 1).expect("good rules"),
            map: Map::open("state", Rights::READ | Rights::WRITE).expect("fakes are granted"),
        }
    }

    /// What becomes of a request so many milliseconds after the start: the time it waits, or none.
    fn ask(&self, ms: u64, value: &str) -> Option<(u128, Held)> {
        let parameter = |_: &Parameter| (!value.is_empty()).then(|| value.to_owned());
        let now_ns = (START_MS + ms) * 1_000_000;
        let verdict = decide(self.rules.iter(), &self.map, now_ns, &parameter);
        match verdict.expect("fakes do not fail") {
            Verdict::Passed(passed) => Some((passed.wait.as_millis(), passed.held)),
            Verdict::Blocked(_) => None,
        }
    }

    /// How many of so many requests at this time pass.
    fn passes(&self, ms: u64, requests: usize, value: &str) -> usize {
        (0..requests)
            .filter(|_| self.ask(ms, value).is_some())
            .count()
    }
}

#[test]
fn a_second_is_this_half_and_the_one_before() {
    let bench = Bench::new(r#"[{"resource":"a","count":10}]"#);
    assert_eq!(bench.passes(400, 6, ""), 6);
    assert_eq!(bench.passes(500, 6, ""), 4);
    assert_eq!(bench.passes(999, 6, ""), 0);
    // The first half is over.
    assert_eq!(bench.passes(1000, 9, ""), 6);
    assert_eq!(bench.passes(1500, 9, ""), 4);
    // After a pause all of it is there.
    assert_eq!(bench.passes(5000, 30, ""), 10);
}

#[test]
fn who_comes_late_to_a_closed_half_counts_in_the_next_one() {
    let bench = Bench::new(r#"[{"resource":"a","count":3}]"#);
    assert_eq!(bench.passes(100, 1, ""), 1);
    assert_eq!(bench.passes(600, 1, ""), 1);
    // Three of a second are never exceeded, however late the clock of this one is.
    assert_eq!(bench.passes(499, 9, ""), 1);
    assert_eq!(bench.passes(600, 9, ""), 0);
}

#[test]
fn what_a_later_rule_refuses_is_not_counted() {
    let rules = r#"[{"resource":"a","count":5},{"resource":"a","grade":0,"count":1}]"#;
    let bench = Bench::new(rules);
    let (_, held) = bench.ask(0, "").expect("the first one passes");
    assert_eq!(bench.passes(0, 100, ""), 0);
    release(held, &bench.map).unwrap();
    for _ in 0..4 {
        let (_, held) = bench.ask(0, "").expect("five in a second");
        release(held, &bench.map).unwrap();
    }
    assert!(bench.ask(0, "").is_none());
}

#[test]
fn a_cold_service_gets_a_third() {
    let rules = r#"[{"resource":"a","count":30,"controlBehavior":1,"warmUpPeriodSec":10}]"#;
    let bench = Bench::new(rules);
    assert_eq!(bench.passes(0, 100, ""), 10);
    // Busy for long enough, it has all of it.
    let last = (1..60)
        .map(|half| bench.passes(half * 500, 100, ""))
        .collect::<Vec<_>>();
    assert_eq!(last[57] + last[58], 30, "{last:?}");
    // Cold again after a minute.
    assert_eq!(bench.passes(90_000, 100, ""), 10);
}

#[test]
fn throttled_requests_get_equal_distances() {
    let rules = r#"[{"resource":"a","count":10,"controlBehavior":2,"maxQueueingTimeMs":250}]"#;
    let bench = Bench::new(rules);
    let waits: Vec<_> = (0..5)
        .map(|_| bench.ask(0, "").map(|(wait, _)| wait))
        .collect();
    assert_eq!(waits, [Some(0), Some(100), Some(200), None, None]);
    assert_eq!(bench.ask(1000, "").map(|(wait, _)| wait), Some(0));
}

#[test]
fn each_value_has_tokens_of_its_own() {
    let rules = r#"[{"resource":"a","paramIdx":0,"count":2,"burstCount":1,"durationInSec":10,
        "paramFlowItemList":[{"object":"vip","count":5,"classType":"java.lang.String"},
        {"object":"nobody","count":0}]}]"#;
    let bench = Bench::new(rules);
    assert_eq!(bench.passes(0, 9, "x"), 3);
    assert_eq!(bench.passes(0, 9, "y"), 3);
    assert_eq!(bench.passes(0, 9, "vip"), 6);
    assert_eq!(bench.passes(0, 9, "nobody"), 0);
    assert_eq!(bench.passes(0, 9, ""), 9);
    assert_eq!(bench.passes(10_000, 9, "x"), 0);
    fake::advance(Duration::from_millis(10_001));
    assert_eq!(bench.passes(10_001, 9, "x"), 2);
}

#[test]
fn a_changed_rule_begins_anew() {
    let mut bench = Bench::new(r#"[{"resource":"a","count":2}]"#);
    assert_eq!(bench.passes(0, 9, ""), 2);
    bench.rules = rules_of("t", br#"[{"resource":"a","count":3}]"#, 0).unwrap();
    assert_eq!(bench.passes(0, 9, ""), 3);
}

fn refused(rule: &str, why: &str) {
    let text = format!("[{{\"resource\":\"ok\",\"count\":1}},{rule}]");
    let error = rules_of("t", text.as_bytes(), 1).expect_err(rule);
    assert!(error.contains(why), "{error}");
    assert!(error.contains("rule 1"), "{error}");
}

#[test]
fn what_is_wrong_or_not_there_is_refused_by_name() {
    refused(r#"{"count":1}"#, "resource: missing");
    refused(r#"{"resource":"a"}"#, "(resource \"a\"): count: missing");
    refused(r#"{"resource":"a","count":-1}"#, "count: -1; expected 0 to");
    refused(r#"{"resource":"a","count":"1"}"#, "invalid type: string");
    refused(
        r#"{"resource":"a","count":1,"cuont":2}"#,
        "unknown field `cuont`",
    );
    refused(
        r#"{"resource":"a","count":1,"limitApp":"x"}"#,
        "limitApp: \"x\" is not supported",
    );
    refused(r#"{"resource":"a","count":1,"strategy":1}"#, "strategy: 1");
    refused(
        r#"{"resource":"a","count":1,"refResource":"b"}"#,
        "refResource",
    );
    refused(
        r#"{"resource":"a","count":1,"controlBehavior":3}"#,
        "controlBehavior: 3",
    );
    refused(
        r#"{"resource":"a","count":1,"clusterMode":true}"#,
        "keep the state map in Redis",
    );
    refused(r#"{"resource":"a","count":1,"regex":true}"#, "regex");
    refused(
        r#"{"resource":"a","count":1.5,"grade":0}"#,
        "expected a whole number",
    );
    refused(r#"{"resource":"a","count":1,"grade":2}"#, "grade: 2");
    refused(
        r#"{"resource":"a","count":1,"burstCount":2}"#,
        "burstCount: belongs to",
    );
    refused(
        r#"{"resource":"a","count":1,"paramIdx":1}"#,
        "lists 1 parameters",
    );
    refused(
        r#"{"resource":"a","count":1,"paramIdx":0,"grade":0}"#,
        "grade: 0",
    );
    refused(
        r#"{"resource":"a","count":0,"controlBehavior":1,"warmUpPeriodSec":5}"#,
        "expected more than 0",
    );
    refused(
        r#"{"resource":"a","count":1,"controlBehavior":1,"warmUpPeriodSec":0}"#,
        "warmUpPeriodSec: 0",
    );
    refused(
        r#"{"resource":"a","count":1,"paramItem":{"parseStrategy":2}}"#,
        "paramItem.fieldName: missing",
    );
    refused(r#"{"resource":"ok","count":1.0}"#, "says the same as t/0");
    let error = rules_of("t", b"{}", 0).unwrap_err();
    assert!(error.contains("no JSON array of rules"), "{error}");
    let error = rules_of("t", b"[\n{]", 0).unwrap_err();
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn what_sentinels_dashboard_writes_is_taken() {
    let text = r#"[{"id":1,"app":"shop","ip":"10.0.0.1","port":8719,"limitApp":"default",
        "resource":"a","grade":1,"count":5.0,"strategy":0,"refResource":"","controlBehavior":0,
        "warmUpPeriodSec":10,"maxQueueingTimeMs":500,"clusterMode":false,"clusterConfig":null,
        "gmtCreate":null,"gmtModified":"2026-01-01"}]"#;
    let rules = rules_of("t", text.as_bytes(), 0).unwrap();
    assert_eq!(rules[0].name, "t/0");
    assert_eq!(rules[0].control.to_string(), "5 per second");
}
