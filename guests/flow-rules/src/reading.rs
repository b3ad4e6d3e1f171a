//! From JSON to rules: a set is taken as a whole, or refused with the place and the reason.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::rule::{Control, HotRule, Parameter, Rule, Wanted};
use crate::shape::{Exception, Item, Shape};
use crate::warm_up::WarmUp;

/// The largest count: admitted requests of half a second are kept in 30 bits.
const COUNT_MAX: f64 = 1_000_000_000.0;
/// Sentinel's own default.
const QUEUE_MS: i64 = 500;
/// The longest time of a rule: a day in seconds.
const SECONDS_MAX: i64 = 86_400;

/// The rules of an entry: a JSON array in Sentinel's field names. `parameters` is how many the filter
/// has listed.
///
/// # Errors
/// A sentence that says which rule and field is wrong, and what was expected.
pub fn rules_of(set: &str, text: &[u8], parameters: usize) -> Result<Vec<Rule>, String> {
    let rules: Vec<Value> =
        serde_json::from_slice(text).map_err(|error| format!("no JSON array of rules: {error}"))?;
    let mut good: Vec<Rule> = Vec::with_capacity(rules.len());
    for (number, value) in rules.iter().enumerate() {
        let resource = value.get("resource").and_then(Value::as_str);
        let place = match resource {
            Some(resource) => format!("rule {number} (resource {resource:?})"),
            None => format!("rule {number}"),
        };
        let rule =
            rule((set, number), value, parameters).map_err(|why| format!("{place}: {why}"))?;
        if let Some(twin) = good.iter().find(|other| other.state == rule.state) {
            let twin = &twin.name;
            return Err(format!(
                "{place}: says the same as {twin}; leave one of them out"
            ));
        }
        good.push(rule);
    }
    Ok(good)
}

fn rule((set, number): (&str, usize), value: &Value, parameters: usize) -> Result<Rule, String> {
    let shape = Shape::deserialize(value).map_err(|error| error.to_string())?;
    refuse_what_is_not_there(&shape)?;
    let control = control(&shape)?;
    if let Control::Hot(hot) = &control
        && let Parameter::Index(index) = hot.parameter
        && index >= parameters
    {
        return Err(format!(
            "paramIdx: {index}; the filter's configuration lists {parameters} parameters, from 0 on"
        ));
    }
    let state = state(set, &shape.resource, &control);
    Ok(Rule {
        name: format!("{set}/{number}"),
        resource: shape.resource,
        control,
        state,
    })
}

fn refuse_what_is_not_there(shape: &Shape) -> Result<(), String> {
    if shape.resource.is_empty() {
        return Err("resource: missing or empty; expected the name of a resource".to_owned());
    }
    if let Some(app) = &shape.limit_app
        && app != "default"
    {
        return Err(format!(
            "limitApp: {app:?} is not supported, as callers have no names here; expected \"default\""
        ));
    }
    if let Some(strategy) = shape.strategy
        && strategy != 0
    {
        return Err(format!(
            "strategy: {strategy} is not supported (1 relates resources, 2 is for call chains); \
             expected 0"
        ));
    }
    if shape
        .ref_resource
        .as_deref()
        .is_some_and(|name| !name.is_empty())
    {
        return Err("refResource: belongs to strategy 1, which is not supported".to_owned());
    }
    if shape.cluster_mode == Some(true) || shape.cluster_config.as_ref().is_some_and(is_something) {
        return Err(
            "clusterMode, clusterConfig: there is no token server; for a limit over machines keep \
             the state map in Redis"
                .to_owned(),
        );
    }
    if shape.regex == Some(true) {
        return Err("regex: not supported; expected a resource's whole name".to_owned());
    }
    Ok(())
}

fn is_something(value: &Value) -> bool {
    !value.is_null()
}

fn control(shape: &Shape) -> Result<Control, String> {
    let count = shape.count.ok_or("count: missing; expected a number")?;
    if !(0.0..=COUNT_MAX).contains(&count) {
        return Err(format!("count: {count}; expected 0 to {COUNT_MAX}"));
    }
    if shape.param_idx.is_some() || shape.param_item.is_some() {
        return hot(shape, count).map(Control::Hot);
    }
    for (name, is_there) in [
        ("durationInSec", shape.duration_in_sec.is_some()),
        ("burstCount", shape.burst_count.is_some()),
        ("paramFlowItemList", shape.param_flow_item_list.is_some()),
    ] {
        if is_there {
            return Err(format!(
                "{name}: belongs to a hot-parameter rule, which has paramIdx or paramItem"
            ));
        }
    }
    match (
        shape.grade.unwrap_or(1),
        shape.control_behavior.unwrap_or(0),
    ) {
        (0, 0) => Ok(Control::Concurrency(whole(count, "count")?)),
        (0, behavior) => Err(format!(
            "controlBehavior: {behavior} with grade 0; expected 0, as concurrency is only refused"
        )),
        (1, 0) => Ok(Control::Reject(count)),
        (1, 1) => {
            let period = seconds(shape.warm_up_period_sec, 10, "warmUpPeriodSec")?;
            WarmUp::new(count, period).map(Control::WarmUp)
        }
        (1, 2) => Ok(Control::Throttle {
            count,
            queue: queue(shape.max_queueing_time_ms, QUEUE_MS)?,
        }),
        (1, 3) => Err(
            "controlBehavior: 3 (warm-up with throttling) is not supported; expected 0, 1 or 2"
                .to_owned(),
        ),
        (1, behavior) => Err(format!("controlBehavior: {behavior}; expected 0, 1 or 2")),
        (grade, _) => Err(format!(
            "grade: {grade}; expected 0 (concurrency) or 1 (requests per second)"
        )),
    }
}

fn hot(shape: &Shape, count: f64) -> Result<HotRule, String> {
    if let Some(grade) = shape.grade
        && grade != 1
    {
        return Err(format!(
            "grade: {grade} is not supported for parameters; expected 1 (requests per second)"
        ));
    }
    if shape.warm_up_period_sec.is_some() {
        return Err("warmUpPeriodSec: parameters are not warmed up".to_owned());
    }
    let parameter = match (shape.param_idx, &shape.param_item) {
        (Some(_), Some(_)) => Err("paramIdx, paramItem: expected one of them".to_owned()),
        (Some(index), None) => usize::try_from(index)
            .map(Parameter::Index)
            .map_err(|_| format!("paramIdx: {index}; expected 0 or more")),
        (None, Some(item)) => wanted(item).map(Parameter::Wanted),
        (None, None) => Err("paramIdx: missing".to_owned()),
    }?;
    let burst = shape.burst_count.unwrap_or(0);
    let behavior = shape.control_behavior.unwrap_or(0);
    let queue = match behavior {
        0 => None,
        2 => Some(queue(shape.max_queueing_time_ms, 0)?),
        _ => return Err(format!("controlBehavior: {behavior}; expected 0 or 2")),
    };
    let exceptions = shape.param_flow_item_list.as_deref().unwrap_or_default();
    Ok(HotRule {
        parameter,
        count: whole(count, "count")?.into(),
        duration: seconds(shape.duration_in_sec, 1, "durationInSec")?,
        burst: u32::try_from(burst)
            .map_err(|_| format!("burstCount: {burst}; expected 0 to {}", u32::MAX))?
            .into(),
        queue,
        exceptions: exceptions.iter().map(exception).collect::<Result<_, _>>()?,
    })
}

fn wanted(item: &Item) -> Result<Wanted, String> {
    if item.pattern.as_deref().is_some_and(|text| !text.is_empty()) {
        return Err("paramItem.pattern: not supported; every value counts".to_owned());
    }
    let name = || match item.field_name.as_deref() {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err("paramItem.fieldName: missing; expected a name".to_owned()),
    };
    match item.parse_strategy {
        0 => Ok(Wanted::ClientAddress),
        1 => Ok(Wanted::Host),
        2 => name().map(|name| Wanted::Header(name.to_ascii_lowercase())),
        3 => name().map(Wanted::Query),
        4 => name().map(Wanted::Cookie),
        other => Err(format!(
            "paramItem.parseStrategy: {other}; expected 0 (client address), 1 (host), 2 (header), \
             3 (query) or 4 (cookie)"
        )),
    }
}

fn exception(exception: &Exception) -> Result<(String, u64), String> {
    let object = match &exception.object {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(bool) => bool.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err("paramFlowItemList: object: expected a text or a number".to_owned());
        }
    };
    let count = u32::try_from(exception.count).map_err(|_| {
        let count = exception.count;
        format!("paramFlowItemList: {object}: count: {count}; expected 0 or more")
    })?;
    Ok((object, count.into()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are checked to lie between 0 and a thousand million"
)]
fn whole(count: f64, name: &str) -> Result<u32, String> {
    if count.fract() == 0.0 {
        Ok(count as u32)
    } else {
        Err(format!("{name}: {count}; expected a whole number here"))
    }
}

fn seconds(given: Option<i64>, default: i64, name: &str) -> Result<Duration, String> {
    let seconds = given.unwrap_or(default);
    match u64::try_from(seconds) {
        Ok(known @ 1..) if seconds <= SECONDS_MAX => Ok(Duration::from_secs(known)),
        _ => Err(format!("{name}: {seconds}; expected 1 to {SECONDS_MAX}")),
    }
}

fn queue(given: Option<i64>, default: i64) -> Result<Duration, String> {
    let millis = given.unwrap_or(default);
    match u64::try_from(millis) {
        Ok(known) if millis <= SECONDS_MAX * 1000 => Ok(Duration::from_millis(known)),
        _ => Err(format!(
            "maxQueueingTimeMs: {millis}; expected 0 to {}",
            SECONDS_MAX * 1000
        )),
    }
}

/// What begins the keys of a rule's state: kind, set, resource, and a mark of all that the rule says.
fn state(set: &str, resource: &str, control: &Control) -> String {
    // FNV-1a, because it must be the same in all builds and on all machines.
    let text = format!("{control:?}");
    let mark = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |mark, byte| {
        (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{}/{set}/{resource}/{mark:016x}", control.letter())
}
