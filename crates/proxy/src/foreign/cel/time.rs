//! Timestamps and durations as text, and their parts. All times are UTC.

/// In nanoseconds.
pub(super) const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What can be asked of a timestamp, and some of it of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    FullYear,
    /// From 0.
    Month,
    /// Of the month, from 1.
    Date,
    /// Of the month, from 0.
    DayOfMonth,
    /// From 0.
    DayOfYear,
    /// From 0, Sunday.
    DayOfWeek,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl Part {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "getFullYear" => Self::FullYear,
            "getMonth" => Self::Month,
            "getDate" => Self::Date,
            "getDayOfMonth" => Self::DayOfMonth,
            "getDayOfYear" => Self::DayOfYear,
            "getDayOfWeek" => Self::DayOfWeek,
            "getHours" => Self::Hours,
            "getMinutes" => Self::Minutes,
            "getSeconds" => Self::Seconds,
            "getMilliseconds" => Self::Milliseconds,
            _ => return None,
        })
    }

    /// Of nanoseconds since 1970.
    pub(super) fn of_time(self, time: i64) -> i64 {
        let (days, in_day) = (time.div_euclid(DAY), time.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        match self {
            Self::FullYear => year,
            Self::Month => month - 1,
            Self::Date => day,
            Self::DayOfMonth => day - 1,
            Self::DayOfYear => days - days_until(year, 1, 1),
            // 1970 began on a Thursday.
            Self::DayOfWeek => (days + 4).rem_euclid(7),
            Self::Hours => in_day / HOUR,
            Self::Minutes => in_day % HOUR / MINUTE,
            Self::Seconds => in_day % MINUTE / SECOND,
            Self::Milliseconds => in_day % SECOND / 1_000_000,
        }
    }

    /// Of nanoseconds: the whole length in this unit, but milliseconds of its second.
    pub(super) fn of_duration(self, length: i64) -> Option<i64> {
        match self {
            Self::Hours => Some(length / HOUR),
            Self::Minutes => Some(length / MINUTE),
            Self::Seconds => Some(length / SECOND),
            Self::Milliseconds => Some(length % SECOND / 1_000_000),
            Self::FullYear
            | Self::Month
            | Self::Date
            | Self::DayOfMonth
            | Self::DayOfYear
            | Self::DayOfWeek => None,
        }
    }
}

/// Nanoseconds since 1970 of a text as in RFC 3339; `None` also for what 64 bits do not hold.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    let separators = [text.as_bytes()[4], text.as_bytes()[7], text.as_bytes()[10]];
    if !matches!(separators, [b'-', b'-', b'T' | b't']) {
        return None;
    }
    let (year, month, day) = (
        digits(&date[..4])?,
        digits(date.get(5..7)?)?,
        digits(date.get(8..)?)?,
    );
    let days = days_until(year, month, day);
    if date_of(days) != (year, month, day) {
        return None;
    }
    let (clock, offset) = clock_and_offset(time)?;
    let seconds = days.checked_mul(86_400)?.checked_add(clock.0 - offset)?;
    seconds.checked_mul(SECOND)?.checked_add(clock.1)
}

/// Seconds of the day with nanoseconds, and the offset of the zone in seconds.
fn clock_and_offset(time: &str) -> Option<((i64, i64), i64)> {
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone);
    let offset = match zone.strip_prefix(['Z', 'z']) {
        Some("") => 0,
        Some(_) => return None,
        None => {
            let minutes = clock_minutes(zone.get(1..)?)?;
            if zone.starts_with('-') {
                -minutes * 60
            } else {
                minutes * 60
            }
        }
    };
    let (whole, fraction) = clock
        .split_once('.')
        .map_or((clock, None), |(w, f)| (w, Some(f)));
    let seconds = whole
        .get(5..)?
        .strip_prefix(':')
        .filter(|seconds| seconds.len() == 2)?;
    let seconds = digits(seconds).filter(|seconds| *seconds < 60)?;
    let nanoseconds = match fraction {
        Some(fraction) if (1..=9).contains(&fraction.len()) => digits(&format!("{fraction:0<9}"))?,
        Some(_) => return None,
        None => 0,
    };
    Some((
        (clock_minutes(whole.get(..5)?)? * 60 + seconds, nanoseconds),
        offset,
    ))
}

/// Of `HH:MM`.
fn clock_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

fn digits(text: &str) -> Option<i64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// Nanoseconds of a text like `1h30m`, `-1.5s`, `20ms`.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i128 = 0;
    loop {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, from_unit) = rest.split_at(unit_at);
        let end = from_unit.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, others) = from_unit.split_at(end.unwrap_or(from_unit.len()));
        total = total.checked_add(scaled(number, unit)?)?;
        rest = others;
        if rest.is_empty() {
            return i64::try_from(total * sign).ok();
        }
    }
}

fn scaled(number: &str, unit: &str) -> Option<i128> {
    let unit = match unit {
        "h" => HOUR,
        "m" => MINUTE,
        "s" => SECOND,
        "ms" => 1_000_000,
        "us" | "µs" => 1000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let mut nanoseconds = match whole {
        "" => 0,
        whole => i128::from(whole.parse::<u64>().ok()?) * i128::from(unit),
    };
    let mut place = i128::from(unit);
    for digit in fraction.bytes() {
        place /= 10;
        nanoseconds += i128::from(digit - b'0') * place;
    }
    Some(nanoseconds)
}

/// Days since 1970-01-01 until a date of the Gregorian calendar.
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day is a year's last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Days of the months before: 0, 31, 61, 92, 122, 153, …
    let before_month = (153 * month + 2) / 5;
    // 719 469 days lie between 0000-02-29 and 1970-01-01.
    365 * year + leap_days + before_month + day - 719_469
}

/// The date so many days after 1970-01-01.
fn date_of(days: i64) -> (i64, i64, i64) {
    // 400 years have 146 097 days; the estimate is at most one year off.
    let mut year = 1970 + (days * 400).div_euclid(146_097);
    while days_until(year, 1, 1) > days {
        year -= 1;
    }
    while days_until(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 12;
    while days_until(year, month, 1) > days {
        month -= 1;
    }
    (year, month, days - days_until(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_agree() {
        assert_eq!(days_until(1970, 1, 1), 0);
        assert_eq!(days_until(2000, 3, 1), 11_017);
        let mut last = date_of(-200_000);
        for days in -199_999..200_000 {
            let date = date_of(days);
            assert!(date > last, "{date:?}");
            assert_eq!(days_until(date.0, date.1, date.2), days);
            last = date;
        }
    }

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(timestamp(text), expected, "{text}");
    }

    #[test]
    fn timestamps_are_read() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("1970-01-01T00:00:01.5Z", Some(1_500_000_000));
        check("2024-02-29T12:30:45Z", Some(1_709_209_845 * SECOND));
        check(
            "2024-02-29T12:30:45+02:30",
            Some((1_709_209_845 - 9000) * SECOND),
        );
        check("1969-12-31T23:59:59-00:01", Some(59 * SECOND));
        check("2023-02-29T12:30:45Z", None);
        check("2023-13-01T00:00:00Z", None);
        check("2023-01-01T24:00:00Z", None);
        check("2023-01-01T00:00:00", None);
        check("2023-01-01T00:00:00Zx", None);
        check("2023-01-01 00:00:00Z", None);
        check("9999-01-01T00:00:00Z", None);
        check("é023-01-01T00:00:00Z", None);
        check("", None);
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("1h30m"), Some(90 * MINUTE));
        assert_eq!(duration("-1.5s"), Some(-1_500_000_000));
        assert_eq!(duration("20ms3us1ns"), Some(20_003_001));
        assert_eq!(duration(".5s"), Some(SECOND / 2));
        assert_eq!(duration("0"), Some(0));
        for text in [
            "",
            "1",
            "s",
            ".s",
            "1x",
            "1s2",
            "1..5s",
            "99999999999h",
            "-",
            "1 s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn parts_are_those_of_utc() {
        let time = timestamp("2024-12-31T23:58:57.123Z").unwrap();
        let parts = [
            (Part::FullYear, 2024),
            (Part::Month, 11),
            (Part::Date, 31),
            (Part::DayOfMonth, 30),
            (Part::DayOfYear, 365),
            (Part::DayOfWeek, 2),
            (Part::Hours, 23),
            (Part::Minutes, 58),
            (Part::Seconds, 57),
            (Part::Milliseconds, 123),
        ];
        for (part, expected) in parts {
            assert_eq!(part.of_time(time), expected, "{part:?}");
        }
        assert_eq!(Part::Minutes.of_duration(90 * MINUTE), Some(90));
        assert_eq!(Part::Month.of_duration(1), None);
        Part::FullYear.of_time(i64::MIN);
        Part::FullYear.of_time(i64::MAX);
    }
}
