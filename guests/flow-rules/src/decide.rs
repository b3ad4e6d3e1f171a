//! What becomes of a request: all rules of its resource are asked, in their order.

use std::time::Duration;

use wasi_map::{Error, Map};

use crate::hot;
use crate::rule::{Control, Parameter, Rule};
use crate::throttle::{Pace, Turn, distance_ns};
use crate::window::{Limit, Place, Window};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<'a> {
    /// It goes on.
    Passed(Passed),
    /// This rule refuses it, the first one that does.
    Blocked(&'a Rule),
}

/// A request that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// After this time.
    pub wait: Duration,
    /// What must be given back when it is over.
    pub held: Held,
}

/// Counters of requests at the same time, which count this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "what is not released counts for ever"]
pub struct Held(Vec<String>);

/// What was taken so far.
#[derive(Default)]
struct Taken {
    places: Vec<Place>,
    passed: Passed,
}

/// Asks rules about a request that came at this time, in nanoseconds since 1970.
///
/// Limits of requests are asked before those of parameters. What the rules before the one that
/// refuses have counted is taken back.
///
/// # Errors
/// The map failed; nothing is held then.
pub fn decide<'a>(
    rules: impl Iterator<Item = &'a Rule> + Clone,
    map: &Map,
    now_ns: u64,
    parameter: &dyn Fn(&Parameter) -> Option<String>,
) -> Result<Verdict<'a>, Error> {
    let is_hot = |rule: &&Rule| matches!(rule.control, Control::Hot(_));
    let plain = rules.clone().filter(|rule| !is_hot(rule));
    let mut taken = Taken::default();
    for rule in plain.chain(rules.filter(is_hot)) {
        match taken.ask(rule, map, now_ns, parameter) {
            Ok(true) => {}
            Ok(false) => {
                taken.give_back(map)?;
                return Ok(Verdict::Blocked(rule));
            }
            Err(error) => {
                // The first failure is the one to tell.
                let _ = taken.give_back(map);
                return Err(error);
            }
        }
    }
    Ok(Verdict::Passed(taken.passed))
}

/// The request is over.
///
/// # Errors
/// The map failed: the request counts until somebody sets the counter right.
pub fn release(held: Held, map: &Map) -> Result<(), Error> {
    for key in held.0 {
        map.increment(key.as_bytes(), -1)?;
    }
    Ok(())
}

impl Held {
    /// Whether there is nothing to give back.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Taken {
    /// Whether a rule lets the request go on.
    fn ask(
        &mut self,
        rule: &Rule,
        map: &Map,
        now_ns: u64,
        parameter: &dyn Fn(&Parameter) -> Option<String>,
    ) -> Result<bool, Error> {
        let state = rule.state.as_str();
        let window = |limit| Window { map, state, limit };
        let place = match &rule.control {
            Control::Concurrency(count) => return self.hold(map, state, *count),
            Control::Reject(count) => window(Limit::Fixed(*count)).admit(now_ns / 1_000_000)?,
            Control::WarmUp(warm_up) => window(Limit::WarmUp(warm_up)).admit(now_ns / 1_000_000)?,
            Control::Throttle { count, queue } => {
                if *count <= 0.0 {
                    return Ok(false);
                }
                let pace = Pace {
                    map,
                    key: state.as_bytes(),
                    distance_ns: distance_ns(*count),
                    may_wait: &|wait_ns| Duration::from_nanos(wait_ns) <= *queue,
                };
                return Ok(self.wait(pace.take_turn(now_ns)?));
            }
            Control::Hot(rule) => {
                // A request without the parameter is none of this rule's.
                let Some(value) = parameter(&rule.parameter) else {
                    return Ok(true);
                };
                return Ok(self.wait(hot::turn(rule, map, (state, &value), now_ns)?));
            }
        };
        let is_admitted = place.is_some();
        self.places.extend(place);
        Ok(is_admitted)
    }

    fn hold(&mut self, map: &Map, state: &str, count: u32) -> Result<bool, Error> {
        if map.increment(state.as_bytes(), 1)? <= i64::from(count) {
            self.passed.held.0.push(state.to_owned());
            return Ok(true);
        }
        map.increment(state.as_bytes(), -1)?;
        Ok(false)
    }

    fn wait(&mut self, turn: Turn) -> bool {
        match turn {
            Turn::Wait(time) => {
                self.passed.wait = self.passed.wait.max(time);
                true
            }
            Turn::Refused => false,
        }
    }

    fn give_back(&mut self, map: &Map) -> Result<(), Error> {
        for place in self.places.drain(..) {
            place.give_back(map)?;
        }
        release(std::mem::take(&mut self.passed.held), map)
    }
}
