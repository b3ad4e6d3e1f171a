//! The numbers of fields, cases and flags: what `@n` says, else the one before and one more.

use std::collections::HashMap;

use weir_model::limits::bindgen as limits;

use super::{Raw, RawMember};
use crate::problem::Problem;

/// Numbers that the wire format keeps for itself.
const RESERVED: std::ops::RangeInclusive<u32> = 19_000..=19_999;

/// What is numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// Fields and cases: from 1 on.
    Fields,
    /// Names of an enum: from 0 on, and 0 is there.
    Enum,
    /// Bits: from 0 to 63.
    Flags,
}

/// The number of each member; none if something is wrong, which is noted.
pub(crate) fn given(
    raw: &Raw,
    members: &[RawMember],
    of: Of,
    problems: &mut Vec<Problem>,
) -> Option<Vec<u32>> {
    let before = problems.len();
    let mut next = u32::from(of == Of::Fields);
    let mut numbers = Vec::new();
    let mut taken: HashMap<u32, &str> = HashMap::new();
    for member in members {
        let number = member.number.unwrap_or(next);
        next = number.saturating_add(1);
        numbers.push(number);
        if let Some(range) = outside(number, of) {
            let found = format!(
                "`{}` of `{}` has the number {number}",
                member.name, raw.name
            );
            problems.push(Problem::new(raw.place.clone(), found, range));
        }
        if let Some(other) = taken.insert(number, &member.name) {
            let found = format!(
                "`{other}` and `{}` of `{}` have the same number {number}",
                member.name, raw.name
            );
            let expected = "another number: `/// @n` on a line above one of them";
            problems.push(Problem::new(raw.place.clone(), found, expected));
        }
    }
    if of == Of::Enum && !members.is_empty() && !numbers.contains(&0) {
        let found = format!("no case of `{}` has the number 0", raw.name);
        let expected = "one: it is what a field holds that is not stored";
        problems.push(Problem::new(raw.place.clone(), found, expected));
    }
    (problems.len() == before).then_some(numbers)
}

/// What was expected of a number that is outside its range.
fn outside(number: u32, of: Of) -> Option<String> {
    match of {
        Of::Fields if number == 0 || number > limits::FIELD_NUMBER_MAX => {
            Some(format!("1 to {}", limits::FIELD_NUMBER_MAX))
        }
        Of::Fields if RESERVED.contains(&number) => Some(format!(
            "none of {} to {}",
            RESERVED.start(),
            RESERVED.end()
        )),
        Of::Flags if number > 63 => Some("a bit from 0 to 63".to_owned()),
        Of::Enum if i32::try_from(number).is_err() => Some(format!("at most {}", i32::MAX)),
        Of::Fields | Of::Flags | Of::Enum => None,
    }
}
