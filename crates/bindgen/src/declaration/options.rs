//! The settings of a map.

use super::{Encoding, Options};
use crate::problem::{Place, Problem};
use crate::schema::Policy;

const NAMES: &str = "`policy`, `storage`, `ttl` or `encoding`";

/// A setting as it is written.
pub(super) struct Written<'w> {
    pub(super) name: &'w str,
    pub(super) place: Place,
    pub(super) value: &'w str,
    pub(super) value_place: Place,
}

/// Notes a setting, or what is wrong with it.
pub(super) fn note(written: &Written<'_>, options: &mut Options, problems: &mut Vec<Problem>) {
    let is_new = match written.name {
        "policy" => policy(written, problems).map(|it| options.policy.replace(it).is_none()),
        "storage" => storage(written, problems).map(|it| options.storage.replace(it).is_none()),
        "ttl" => ttl(written, problems).map(|it| options.ttl_ms.replace(it).is_none()),
        "encoding" => encoding(written, problems).map(|it| {
            let it = (it, written.value_place.clone());
            options.encoding.replace(it).is_none()
        }),
        other => {
            let found = format!("there is no setting `{other}`");
            problems.push(Problem::new(written.place.clone(), found, NAMES));
            None
        }
    };
    if is_new == Some(false) {
        let found = format!("`{}` is set twice", written.name);
        problems.push(Problem::new(written.place.clone(), found, "it once"));
    }
}

/// Notes a wrong value.
fn wrong<T>(written: &Written<'_>, expected: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let value: String = written
        .value
        .chars()
        .take(60)
        .flat_map(char::escape_debug)
        .collect();
    let found = format!("`{}` is \"{value}\"", written.name);
    problems.push(Problem::new(written.value_place.clone(), found, expected));
    None
}

fn policy(written: &Written<'_>, problems: &mut Vec<Problem>) -> Option<Policy> {
    match written.value {
        "eager" => Some(Policy::Eager),
        "lazy_init" => Some(Policy::LazyInit),
        _ => wrong(written, "\"eager\" or \"lazy_init\"", problems),
    }
}

fn storage(written: &Written<'_>, problems: &mut Vec<Problem>) -> Option<String> {
    let is_name = !written.value.is_empty()
        && written
            .value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if is_name {
        return Some(written.value.to_owned());
    }
    let expected = "\"memory\", \"ssd_backed\", \"durable\" or the name of a configured back end";
    wrong(written, expected, problems)
}

fn ttl(written: &Written<'_>, problems: &mut Vec<Problem>) -> Option<u64> {
    let expected =
        "a whole number from 1 on and a unit, as in \"250ms\", \"5s\", \"1m\", \"1h\" or \"7d\"";
    let digits = written.value.len()
        - written
            .value
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .len();
    let (number, unit) = written.value.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return wrong(written, expected, problems),
    };
    let ms = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    match ms {
        Some(ms) if ms > 0 => Some(ms),
        _ => wrong(written, expected, problems),
    }
}

fn encoding(written: &Written<'_>, problems: &mut Vec<Problem>) -> Option<Encoding> {
    match written.value {
        "protobuf" => Some(Encoding::Protobuf),
        "c" => Some(Encoding::C),
        "raw" => Some(Encoding::Raw),
        _ => wrong(written, "\"protobuf\", \"c\" or \"raw\"", problems),
    }
}
