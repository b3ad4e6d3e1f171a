//! What a YAML scalar means: the core schema of YAML 1.2, and the same values as JSON.

use crate::problem::shortened;

/// A scalar as written.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// Its text, escapes and folding done.
    pub(crate) text: String,
    /// Without quotes, so that it may stand for something other than a text.
    pub(crate) plain: bool,
}

/// What a scalar stands for (YAML 1.2.2, section 10.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Null,
    Bool,
    Integer,
    Float,
    Text,
}

impl Scalar {
    /// What it stands for.
    pub(crate) fn sort(&self) -> Sort {
        if !self.plain {
            return Sort::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Sort::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Sort::Bool,
            text if is_integer(text) => Sort::Integer,
            text if is_float(text) => Sort::Float,
            _ => Sort::Text,
        }
    }

    /// Its truth, if it is one.
    pub(crate) fn truth(&self) -> Option<bool> {
        (self.sort() == Sort::Bool).then(|| self.text.eq_ignore_ascii_case("true"))
    }

    /// Its value, if it is a natural number that fits.
    pub(crate) fn natural(&self) -> Option<u64> {
        if self.sort() != Sort::Integer {
            return None;
        }
        self.json_number()?.parse().ok()
    }

    /// Its value as JSON if it is a number that JSON has. Digits stay as the author wrote them,
    /// so that large and precise numbers keep their value.
    pub(crate) fn json_number(&self) -> Option<String> {
        match self.sort() {
            Sort::Integer => json_integer(&self.text),
            Sort::Float => json_float(&self.text),
            Sort::Null | Sort::Bool | Sort::Text => None,
        }
    }

    /// What it is, for people.
    pub(crate) fn description(&self) -> String {
        let text = shortened(&self.text);
        match self.sort() {
            Sort::Null => "nothing".to_owned(),
            Sort::Bool => format!("the truth value {text}"),
            Sort::Integer | Sort::Float => format!("the number {text}"),
            Sort::Text => format!("the text \"{text}\""),
        }
    }

    /// Nothing at all is written where a value could stand.
    pub(crate) fn is_left_out(&self) -> bool {
        self.plain && self.text.is_empty()
    }

    pub(crate) fn is_merge_key(&self) -> bool {
        self.plain && self.text == "<<"
    }
}

fn is_integer(text: &str) -> bool {
    let all =
        |digits: &str, of: fn(&u8) -> bool| !digits.is_empty() && digits.bytes().all(|b| of(&b));
    if let Some(digits) = text.strip_prefix("0o") {
        return all(digits, |b| (b'0'..=b'7').contains(b));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, u8::is_ascii_hexdigit);
    }
    all(
        text.strip_prefix(['-', '+']).unwrap_or(text),
        u8::is_ascii_digit,
    )
}

fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0 && exponent_fits
}

fn json_integer(text: &str) -> Option<String> {
    if let Some(digits) = text.strip_prefix("0o") {
        return u128::from_str_radix(digits, 8)
            .ok()
            .map(|value| value.to_string());
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u128::from_str_radix(digits, 16)
            .ok()
            .map(|value| value.to_string());
    }
    let (sign, digits) = signed(text);
    Some(format!("{sign}{}", without_leading_zeros(digits)))
}

fn json_float(text: &str) -> Option<String> {
    let (sign, unsigned) = signed(text);
    let exponent_start = unsigned.find(['e', 'E']).unwrap_or(unsigned.len());
    let (mantissa, exponent) = unsigned.split_at(exponent_start);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let whole = without_leading_zeros(whole);
    match (fraction, exponent) {
        ("", "") => Some(format!("{sign}{whole}.0")),
        ("", _) => Some(format!("{sign}{whole}{exponent}")),
        _ => Some(format!("{sign}{whole}.{fraction}{exponent}")),
    }
}

fn signed(text: &str) -> (&'static str, &str) {
    match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

fn without_leading_zeros(digits: &str) -> &str {
    match digits.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar {
            text: text.to_owned(),
            plain: true,
        }
    }

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let check = |text: &str, sort: Sort| assert_eq!(plain(text).sort(), sort, "{text}");
        for text in ["", "~", "null", "NULL"] {
            check(text, Sort::Null);
        }
        for text in ["true", "False"] {
            check(text, Sort::Bool);
        }
        for text in [
            "0",
            "-12",
            "+7",
            "007",
            "0o17",
            "0xfF",
            "99999999999999999999",
        ] {
            check(text, Sort::Integer);
        }
        for text in ["1.", ".5", "-1.5e+3", "1e3", ".inf", "-.INF", ".nan"] {
            check(text, Sort::Float);
        }
        for text in [
            "yes", "off", "1_000", "0x", "e3", ".", "1e", "-", "+.nan", "5s", "1:30", "0o8",
        ] {
            check(text, Sort::Text);
        }
    }

    #[test]
    fn numbers_keep_their_value_in_json() {
        let check = |text: &str, json: Option<&str>| {
            assert_eq!(plain(text).json_number().as_deref(), json, "{text}");
        };
        check("007", Some("7"));
        check("+5", Some("5"));
        check("-0", Some("-0"));
        check("0x1F", Some("31"));
        check("0o17", Some("15"));
        check(
            "123456789012345678901234567890",
            Some("123456789012345678901234567890"),
        );
        check("1.", Some("1.0"));
        check(".5", Some("0.5"));
        check("-00.25", Some("-0.25"));
        check("1e3", Some("1e3"));
        check("1.10", Some("1.10"));
        check("1.E+5", Some("1E+5"));
        check(".inf", None);
        check(".nan", None);
        check("abc", None);
    }
}
