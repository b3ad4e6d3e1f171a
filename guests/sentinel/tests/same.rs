//! Decisions of our rules and of Sentinel's crate, request by request, on the same times.
//!
//! Each test says what Sentinel's rule is and what ours is in JSON, makes some thousands of requests
//! at times drawn from a fixed seed (bursts, trickles, pauses), and compares every single decision.
//! Where the two are meant to differ, a test says how and why.

use std::sync::Arc;
use std::time::Duration;

use flow_rules::{Parameter, Rule, Verdict, decide, rules_of};
use sentinel_core::base::{ResourceType, StatNode};
use sentinel_core::{EntryBuilder, flow, hotspot, stat};
use wasi_map::{Map, Rights, fake};

/// A time that is no whole second.
const START_NS: u64 = 1_700_000_000_123_456_789;
const REQUESTS: usize = 5000;

/// What becomes of a request: the nanoseconds that it waits, or nothing.
type Decision = Option<u64>;

/// Our rules over a map in memory.
struct Ours {
    rules: Vec<Rule>,
    map: Map,
}

impl Ours {
    fn new(rule: &str) -> Self {
        fake::reset();
        Self {
            rules: rules_of("t", format!("[{rule}]").as_bytes(), 1).expect("a good rule"),
            map: Map::open("state", Rights::READ | Rights::WRITE).expect("fakes are granted"),
        }
    }

    fn decide(&self, now_ns: u64, value: &str) -> Decision {
        let parameter = |_: &Parameter| Some(value.to_owned());
        let verdict = decide(self.rules.iter(), &self.map, now_ns, &parameter);
        match verdict.expect("fakes do not fail") {
            Verdict::Passed(passed) => {
                Some(u64::try_from(passed.wait.as_nanos()).expect("some seconds"))
            }
            Verdict::Blocked(_) => None,
        }
    }
}

/// Request times of all kinds, the same in every run.
struct Times {
    seed: u64,
    now_ns: u64,
    /// Requests of the present phase, and nanoseconds between two of them at most.
    phase: (u64, u64),
    /// Its times are whole tenths of a second: exactly where limits begin and end.
    is_even: bool,
}

impl Times {
    const fn new(seed: u64) -> Self {
        Self {
            seed,
            now_ns: START_NS,
            phase: (0, 0),
            is_even: false,
        }
    }

    /// A number below this one.
    const fn draw(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below
    }

    /// The next request's time; both clocks show it.
    fn next(&mut self) -> u64 {
        if self.phase.0 == 0 {
            let distances = [
                1_000,
                300_000,
                5_000_000,
                60_000_000,
                700_000_000,
                3_000_000_000,
            ];
            let distance = distances[usize::try_from(self.draw(6)).expect("it is small")];
            self.phase = (1 + self.draw(200), distance);
            self.is_even = self.draw(2) == 0;
        }
        self.phase.0 -= 1;
        let before_ns = self.now_ns;
        self.now_ns += self.draw(self.phase.1);
        if self.is_even {
            self.now_ns = self.now_ns.next_multiple_of(100_000_000);
        }
        let step = self.now_ns - before_ns;
        time::set(self.now_ns);
        fake::advance(Duration::from_millis(step.div_ceil(1_000_000)));
        self.now_ns
    }
}

/// Compares all decisions, and that there were some of both kinds.
fn compare(rule: &str, mut theirs: impl FnMut(&str) -> Decision) {
    let (ours, mut times) = (Ours::new(rule), Times::new(0x9e37_79b9_7f4a_7c15));
    let mut passed = 0;
    for number in 0..REQUESTS {
        let now_ns = times.next();
        let value = ["a", "b", "vip", "none"][usize::try_from(times.draw(4)).expect("it is small")];
        let (mine, expected) = (ours.decide(now_ns, value), theirs(value));
        let since = Duration::from_nanos(now_ns - START_NS);
        assert_eq!(
            mine, expected,
            "{rule}: request {number}, after {since:?}, {value}"
        );
        passed += usize::from(mine.is_some());
    }
    assert!(passed > 0 && passed < REQUESTS, "{rule}: {passed} passed");
}

/// Through Sentinel's own front door, which counts what passes.
fn entry(resource: &str, value: &str) -> Decision {
    let builder = EntryBuilder::new(resource.to_owned());
    let entry = builder.with_args(Some(vec![value.to_owned()])).build();
    entry.ok().map(|entry| {
        entry.exit();
        0
    })
}

fn load(rule: flow::Rule) {
    let resource = rule.resource.clone();
    let loaded = flow::load_rules_of_resource(&resource, vec![Arc::new(rule)]);
    assert!(loaded.expect("Sentinel takes it"), "{resource}");
}

fn load_hot(rule: hotspot::Rule) {
    let resource = rule.resource.clone();
    let loaded = hotspot::load_rules_of_resource(&resource, vec![Arc::new(rule)]);
    assert!(loaded.expect("Sentinel takes it"), "{resource}");
}

#[test]
fn requests_per_second() {
    for count in [1.0, 2.5, 7.0, 20.0, 150.0] {
        let resource = format!("reject-{count}");
        load(flow::Rule {
            resource: resource.clone(),
            threshold: count,
            ..Default::default()
        });
        let rule = format!(r#"{{"resource":"r","count":{count}}}"#);
        compare(&rule, |_| entry(&resource, ""));
    }
}

#[test]
fn warm_up() {
    for (count, period) in [
        (10.0, 10),
        (30.0, 10),
        (100.0, 3),
        (7.5, 20),
        (3.0, 5),
        (200.0, 60),
    ] {
        let resource = format!("warm-{count}");
        load(flow::Rule {
            resource: resource.clone(),
            threshold: count,
            calculate_strategy: flow::CalculateStrategy::WarmUp,
            warm_up_period_sec: period,
            warm_up_cold_factor: 3,
            ..Default::default()
        });
        let rule = format!(
            r#"{{"resource":"r","count":{count},"controlBehavior":1,"warmUpPeriodSec":{period}}}"#
        );
        compare(&rule, |_| entry(&resource, ""));
    }
}

/// A turn from Sentinel's controllers: its front door would sleep until then.
fn turn(resource: &str) -> Decision {
    let node = stat::get_or_create_resource_node(&resource.to_owned(), &ResourceType::Common);
    let controllers = flow::get_traffic_controller_list_for(&resource.to_owned());
    let node: Arc<dyn StatNode> = node;
    let answer = controllers[0].perform_checking(node, 1, 0);
    (!answer.is_blocked()).then(|| answer.nanos_to_wait())
}

fn throttling(resource: &str, count: f64, queue_ms: u32) {
    load(flow::Rule {
        resource: resource.to_owned(),
        threshold: count,
        control_strategy: flow::ControlStrategy::Throttling,
        max_queueing_time_ms: queue_ms,
        ..Default::default()
    });
}

fn throttled(count: f64, queue_ms: u32) -> String {
    format!(
        r#"{{"resource":"r","count":{count},"controlBehavior":2,"maxQueueingTimeMs":{queue_ms}}}"#
    )
}

#[test]
fn throttled_requests() {
    for (count, queue_ms) in [
        (1.0, 2500),
        (3.0, 0),
        (10.0, 500),
        (33.3, 1000),
        (900.0, 20),
    ] {
        let resource = format!("throttle-{count}");
        throttling(&resource, count, queue_ms);
        compare(&throttled(count, queue_ms), |_| turn(&resource));
    }
}

fn hot(resource: &str, (count, burst, seconds): (u64, u64, u64)) -> hotspot::Rule {
    hotspot::Rule {
        resource: resource.to_owned(),
        metric_type: hotspot::MetricType::QPS,
        threshold: count,
        burst_count: burst,
        duration_in_sec: seconds,
        specific_items: [("vip".to_owned(), 3 * count), ("none".to_owned(), 0)].into(),
        ..Default::default()
    }
}

fn ours_hot((count, burst, seconds): (u64, u64, u64), more: &str) -> String {
    let vip = 3 * count;
    format!(
        r#"{{"resource":"r","paramIdx":0,"count":{count},"burstCount":{burst},
        "durationInSec":{seconds}{more},"paramFlowItemList":[{{"object":"vip","count":{vip}}},
        {{"object":"none","count":0}}]}}"#
    )
}

#[test]
fn hot_parameters() {
    for numbers in [(1, 0, 1), (5, 0, 1), (5, 3, 2), (40, 10, 10), (2, 0, 60)] {
        let resource = format!("hot-{numbers:?}");
        load_hot(hot(&resource, numbers));
        compare(&ours_hot(numbers, ""), |value| entry(&resource, value));
    }
}

#[test]
fn throttled_hot_parameters() {
    for (numbers, queue_ms) in [((1, 0, 1), 2500), ((7, 0, 1), 400), ((9, 0, 10), 3000)] {
        let resource = format!("hot-throttle-{numbers:?}");
        load_hot(hotspot::Rule {
            control_strategy: hotspot::ControlStrategy::Throttling,
            max_queueing_time_ms: queue_ms,
            ..hot(&resource, numbers)
        });
        let more = format!(r#","controlBehavior":2,"maxQueueingTimeMs":{queue_ms}"#);
        compare(&ours_hot(numbers, &more), |value| {
            let controllers = hotspot::get_traffic_controller_list_for(&resource);
            let answer = controllers[0].perform_checking(value.to_owned(), 1);
            // Milliseconds, in a field for nanoseconds.
            (!answer.is_blocked()).then(|| answer.nanos_to_wait() * 1_000_000)
        });
    }
}

#[test]
fn less_than_one_per_second_is_a_rate_for_us_and_nothing_for_them() {
    throttling("slow", 0.5, 3000);
    let ours = Ours::new(&throttled(0.5, 3000));
    time::set(START_NS);
    // Sentinel's crate compares the request itself with the count. Sentinel for Java does as we do.
    assert_eq!(turn("slow"), None);
    assert_eq!(ours.decide(START_NS, ""), Some(0));
    assert_eq!(ours.decide(START_NS, ""), Some(2_000_000_000));
    assert_eq!(ours.decide(START_NS, ""), None);
}

#[test]
fn a_warm_up_without_tokens_is_the_count_for_us_and_no_limit_for_them() {
    load(flow::Rule {
        resource: "short".to_owned(),
        threshold: 1.0,
        calculate_strategy: flow::CalculateStrategy::WarmUp,
        warm_up_period_sec: 1,
        ..Default::default()
    });
    let rule = r#"{"resource":"r","count":1,"controlBehavior":1,"warmUpPeriodSec":1}"#;
    let ours = Ours::new(rule);
    time::set(START_NS);
    // They divide by nothing, and compare with what is no number.
    assert_eq!([entry("short", ""), entry("short", "")], [Some(0), Some(0)]);
    assert_eq!(
        [ours.decide(START_NS, ""), ours.decide(START_NS, "")],
        [Some(0), None]
    );
}

#[test]
fn a_changed_rule_begins_a_new_second_for_us_and_not_for_them() {
    let rule = |count| flow::Rule {
        resource: "changed".to_owned(),
        threshold: count,
        ..Default::default()
    };
    load(rule(2.0));
    let mut ours = Ours::new(r#"{"resource":"r","count":2}"#);
    time::set(START_NS);
    for expected in [Some(0), Some(0), None] {
        assert_eq!(entry("changed", ""), expected);
        assert_eq!(ours.decide(START_NS, ""), expected);
    }
    load(rule(3.0));
    ours.rules = rules_of("t", br#"[{"resource":"r","count":3}]"#, 0).expect("a good rule");
    assert_eq!(
        [entry("changed", ""), entry("changed", "")],
        [Some(0), None]
    );
    let all = [0; 4].map(|_| ours.decide(START_NS, ""));
    assert_eq!(all, [Some(0), Some(0), Some(0), None]);
}
