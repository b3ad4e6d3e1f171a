//! Numbers with a range and a unit: durations, sizes, counts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::problem::{Refusal, shortened};
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::{self, Node};

const DURATION_PATTERN: &str = "^[0-9]+(ms|s|m|h)$";
const DURATION_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZE_PATTERN: &str = "^[0-9]+(KiB|MiB|GiB)?$";
const SIZE_UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A day in milliseconds: the longest duration where nothing shorter is said.
pub(crate) const DAY_MS: u64 = 24 * 3_600_000;

/// A duration of `MIN` to `MAX` milliseconds: `5s`, `250ms`, `1m`, `1h`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time<const MIN: u64, const MAX: u64>(pub(crate) Duration);

/// A size of `MIN` to `MAX` bytes: `16MiB`, `64KiB`, `1GiB`, or a number of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size<const MIN: u64, const MAX: u64>(pub(crate) u64);

/// A whole number of `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count<const MIN: u64, const MAX: u64>(pub(crate) u64);

impl<const MIN: u64, const MAX: u64> Shape for Time<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let expected = "a duration such as 5s, 250ms, 1m or 1h";
        let yaml::Value::Scalar(scalar) = &node.value else {
            reader.refuse_kind(node, expected);
            return None;
        };
        let Some(ms) = with_unit(&scalar.text, &DURATION_UNITS) else {
            let what = format!("bad duration \"{}\"", shortened(&scalar.text));
            let suggestion = scalar.natural().map(|seconds| format!("{seconds}s"));
            reader.refuse(
                node.at,
                Refusal::new(what, &scalar.text, expected).suggest(suggestion),
            );
            return None;
        };
        if (MIN..=MAX).contains(&ms) {
            return Some(Self(Duration::from_millis(ms)));
        }
        let what = format!("duration {} is out of range", scalar.text);
        let expected = range(&time_text(MIN), &time_text(MAX));
        reader.refuse(node.at, Refusal::new(what, &scalar.text, expected));
        None
    }

    fn sort(_: &mut Catalog) -> Sort {
        let text = format!("duration, {}", range(&time_text(MIN), &time_text(MAX)));
        Sort::pattern(text, DURATION_PATTERN)
    }

    fn show(&self) -> Value {
        json!(time_text(
            u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
        ))
    }
}

impl<const MIN: u64, const MAX: u64> Shape for Size<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let expected = "a size such as 16MiB, 64KiB, 1GiB or a number of bytes";
        let yaml::Value::Scalar(scalar) = &node.value else {
            reader.refuse_kind(node, expected);
            return None;
        };
        let Some(bytes) = scalar.natural().or_else(|| size(&scalar.text)) else {
            let what = format!("bad size \"{}\"", shortened(&scalar.text));
            let suggestion = respelled_size(&scalar.text);
            reader.refuse(
                node.at,
                Refusal::new(what, &scalar.text, expected).suggest(suggestion),
            );
            return None;
        };
        if (MIN..=MAX).contains(&bytes) {
            return Some(Self(bytes));
        }
        let what = format!("size {} is out of range", scalar.text);
        let expected = range(&size_text(MIN), &size_text(MAX));
        reader.refuse(node.at, Refusal::new(what, &scalar.text, expected));
        None
    }

    fn sort(_: &mut Catalog) -> Sort {
        let schema = json!({ "anyOf": [
            { "type": "integer", "minimum": MIN, "maximum": MAX },
            { "type": "string", "pattern": SIZE_PATTERN },
        ] });
        Sort::new(
            format!("size, {}", range(&size_text(MIN), &size_text(MAX))),
            schema,
        )
    }

    fn show(&self) -> Value {
        json!(size_text(self.0))
    }
}

impl<const MIN: u64, const MAX: u64> Shape for Count<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let expected = format!(
            "a whole number, {}",
            range(&MIN.to_string(), &MAX.to_string())
        );
        let yaml::Value::Scalar(scalar) = &node.value else {
            reader.refuse_kind(node, expected);
            return None;
        };
        match scalar.natural() {
            Some(number) if (MIN..=MAX).contains(&number) => Some(Self(number)),
            Some(_) => {
                let what = format!("number {} is out of range", shortened(&scalar.text));
                reader.refuse(node.at, Refusal::new(what, &scalar.text, expected));
                None
            }
            None => {
                reader.refuse_kind(node, expected);
                None
            }
        }
    }

    fn sort(_: &mut Catalog) -> Sort {
        let schema = json!({ "type": "integer", "minimum": MIN, "maximum": MAX });
        Sort::new(
            format!("number, {}", range(&MIN.to_string(), &MAX.to_string())),
            schema,
        )
    }

    fn show(&self) -> Value {
        json!(self.0)
    }
}

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// The number as a narrower type that holds `MAX`.
    pub(crate) fn to<N: TryFrom<u64> + num_bounds::Largest>(self) -> N {
        N::try_from(self.0).unwrap_or(N::LARGEST)
    }
}

impl<const MIN: u64, const MAX: u64> Size<MIN, MAX> {
    /// The size as a length in memory.
    pub(crate) fn length(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The largest value of a type, for conversions that cannot pass it.
pub(crate) mod num_bounds {
    /// A number type with a largest value.
    pub(crate) trait Largest {
        /// That value.
        const LARGEST: Self;
    }

    macro_rules! largest {
        ($($type:ty),+) => { $( impl Largest for $type { const LARGEST: Self = <$type>::MAX; } )+ };
    }
    largest!(u8, u16, u32, usize);
}

/// The whole number before one of the units, times the unit.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// A size in quotes or with a unit.
fn size(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    with_unit(text, &SIZE_UNITS)
}

/// `16MB`, `16 mib`, `16M` as the binary unit that is probably meant.
fn respelled_size(text: &str) -> Option<String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return None;
    }
    match unit.trim().to_ascii_lowercase().as_str() {
        "b" => Some(number.to_owned()),
        "k" | "kb" | "kib" | "ki" => Some(format!("{number}KiB")),
        "m" | "mb" | "mib" | "mi" => Some(format!("{number}MiB")),
        "g" | "gb" | "gib" | "gi" => Some(format!("{number}GiB")),
        _ => None,
    }
}

fn time_text(ms: u64) -> String {
    in_largest_unit(ms, &DURATION_UNITS).unwrap_or_else(|| "0s".to_owned())
}

fn size_text(bytes: u64) -> String {
    in_largest_unit(bytes, &SIZE_UNITS).unwrap_or_else(|| bytes.to_string())
}

fn in_largest_unit(amount: u64, units: &[(&str, u64)]) -> Option<String> {
    let (unit, factor) = units
        .iter()
        .find(|(_, factor)| amount > 0 && amount.is_multiple_of(*factor))?;
    Some(format!("{}{unit}", amount / factor))
}

fn range(min: &str, max: &str) -> String {
    format!("{min} to {max}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_exact() {
        let check = |text: &str, ms: Option<u64>| {
            assert_eq!(with_unit(text, &DURATION_UNITS), ms, "{text}");
        };
        check("5s", Some(5000));
        check("250ms", Some(250));
        check("1m", Some(60_000));
        check("1h", Some(3_600_000));
        check("0s", Some(0));
        check("5", None);
        check("s", None);
        check("-5s", None);
        check("1.5s", None);
        check("5 s", None);
        check("99999999999999999h", None);
    }

    #[test]
    fn sizes_are_binary() {
        let check = |text: &str, bytes: Option<u64>| assert_eq!(size(text), bytes, "{text}");
        check("16MiB", Some(16 << 20));
        check("64KiB", Some(64 << 10));
        check("1GiB", Some(1 << 30));
        check("1000", Some(1000));
        check("16MB", None);
        check("", None);
    }

    #[test]
    fn amounts_are_shown_in_their_largest_unit() {
        assert_eq!(time_text(300_000), "5m");
        assert_eq!(time_text(1500), "1500ms");
        assert_eq!(size_text(60 << 10), "60KiB");
        assert_eq!(size_text(1000), "1000");
    }
}
