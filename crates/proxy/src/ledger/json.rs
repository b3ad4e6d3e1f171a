//! JSON of log lines, written without an intermediate.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One object, written as it is told. Keys are the gateway's own and need no escaping.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    separator: u8,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        let separator = b'{';
        Self { out, separator }
    }

    /// Ends the object and its line.
    pub(crate) fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    /// A text of any bytes; the empty one is written as `null`.
    pub(crate) fn text(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        if value.is_empty() {
            self.out.extend_from_slice(b"null");
        } else {
            quoted(value, self.out);
        }
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        let mut digits = itoa::Buffer::new();
        self.out.extend_from_slice(digits.format(value).as_bytes());
    }

    /// Milliseconds with three decimals.
    pub(crate) fn milliseconds(&mut self, key: &str, value: Duration) {
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        self.number(key, micros / 1000);
        self.out.push(b'.');
        decimals(micros % 1000, 3, self.out);
    }

    /// A socket address, or `null`.
    pub(crate) fn address(&mut self, key: &str, value: Option<SocketAddr>) {
        self.key(key);
        match value {
            Some(SocketAddr::V4(address)) => {
                self.out.push(b'"');
                let mut digits = itoa::Buffer::new();
                for (octet, end) in address.ip().octets().into_iter().zip(*b"...:") {
                    self.out.extend_from_slice(digits.format(octet).as_bytes());
                    self.out.push(end);
                }
                let port = digits.format(address.port());
                self.out.extend_from_slice(port.as_bytes());
                self.out.push(b'"');
            }
            Some(SocketAddr::V6(address)) => {
                // Writing to memory cannot fail.
                let _ = write!(self.out, "\"{address}\"");
            }
            None => self.out.extend_from_slice(b"null"),
        }
    }

    /// A moment as RFC 3339, UTC, with milliseconds.
    pub(crate) fn time(&mut self, key: &str, value: SystemTime) {
        self.key(key);
        let since = value.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (year, month, day) = date(since.as_secs() / 86_400);
        let second = since.as_secs() % 86_400;
        self.out.push(b'"');
        for (value, width, end) in [
            (year, 4, b'-'),
            (month, 2, b'-'),
            (day, 2, b'T'),
            (second / 3600, 2, b':'),
            (second / 60 % 60, 2, b':'),
            (second % 60, 2, b'.'),
            (u64::from(since.subsec_millis()), 3, b'Z'),
        ] {
            decimals(value, width, self.out);
            self.out.push(end);
        }
        self.out.push(b'"');
    }

    /// An array of texts.
    pub(crate) fn texts(&mut self, key: &str, values: &[&str]) {
        self.key(key);
        let mut separator = b'[';
        for value in values {
            self.out.push(separator);
            separator = b',';
            quoted(value.as_bytes(), self.out);
        }
        self.out.push(b']');
    }

    /// An object within; its keys are escaped too.
    pub(crate) fn object(&mut self, key: &str, entries: &[(String, Vec<u8>)]) {
        self.key(key);
        let mut separator = b'{';
        for (name, value) in entries {
            self.out.push(separator);
            separator = b',';
            quoted(name.as_bytes(), self.out);
            self.out.push(b':');
            quoted(value, self.out);
        }
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        self.out.push(self.separator);
        self.separator = b',';
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// A JSON string of any bytes (RFC 8259 §7). What is not UTF-8 becomes U+FFFD.
fn quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    // Nearly every text of a log needs nothing: one pass without a branch finds out.
    let is_plain = |all, byte: &u8| all & byte.is_ascii() & !needs_escape(*byte);
    if bytes.iter().fold(true, is_plain) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    for chunk in bytes.utf8_chunks() {
        escaped(chunk.valid().as_bytes(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn escaped(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    while let Some(end) = rest.iter().position(|byte| needs_escape(*byte)) {
        out.extend_from_slice(&rest[..end]);
        match rest[end] {
            quote @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', quote]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        rest = &rest[end + 1..];
    }
    out.extend_from_slice(rest);
}

#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches it runs on whole vectors"
)]
fn needs_escape(byte: u8) -> bool {
    // DEL is allowed in JSON and unwelcome on terminals.
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

/// The last `width` decimal digits, at most four.
fn decimals(value: u64, width: usize, out: &mut Vec<u8>) {
    let digit = |power: u64| b'0' + u8::try_from(value / power % 10).unwrap_or_default();
    let all = [digit(1000), digit(100), digit(10), digit(1)];
    out.extend_from_slice(&all[4 - width..]);
}

/// Year, month, day of a day since 1970-01-01: the days of a year are counted from 1 March, so
/// that the leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    let days = days + 719_468;
    let era = days / DAYS_OF_400_YEARS;
    let day = days % DAYS_OF_400_YEARS;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    let january_or_february = u64::from(calendar_month <= 2);
    (
        era * 400 + year + january_or_february,
        calendar_month,
        day_of_month,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seconds: u64) -> String {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        object.time("t", UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_calendar_dates() {
        assert_eq!(moment(0), r#"{"t":"1970-01-01T00:00:00.007Z""#);
        assert_eq!(moment(951_782_399), r#"{"t":"2000-02-28T23:59:59.007Z""#);
        assert_eq!(moment(951_782_400), r#"{"t":"2000-02-29T00:00:00.007Z""#);
        assert_eq!(moment(951_868_800), r#"{"t":"2000-03-01T00:00:00.007Z""#);
        assert_eq!(moment(1_798_761_599), r#"{"t":"2026-12-31T23:59:59.007Z""#);
        assert_eq!(moment(4_107_542_400), r#"{"t":"2100-03-01T00:00:00.007Z""#);
    }

    #[test]
    fn any_bytes_make_valid_json() {
        for byte in 0..=255_u8 {
            let mut out = Vec::new();
            quoted(&[b'a', byte, b'z'], &mut out);
            let text: String = serde_json::from_slice(&out).unwrap();
            let expected = String::from_utf8_lossy(&[b'a', byte, b'z']).into_owned();
            assert_eq!(text, expected);
        }
        let mut out = Vec::new();
        quoted("ä\u{1f600}\"\\\u{0}".as_bytes(), &mut out);
        let text: String = serde_json::from_slice(&out).unwrap();
        assert_eq!(text, "ä\u{1f600}\"\\\u{0}");
    }
}
