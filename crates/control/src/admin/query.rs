//! The query of a URL: bytes by name. Keys of maps are any bytes.

/// The bytes of the parameter `name`; empty if it has no value, `None` if it is not there.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Option<Vec<u8>> {
    let pairs = query.unwrap_or_default().split('&');
    let mut values = pairs.filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    });
    values.next().map(decoded)
}

/// The bytes of a text with percent signs.
pub(super) fn decoded(value: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after.get(..2);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(b'%');
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Bytes as they stand in a URL.
#[must_use]
pub fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_bytes() {
        let check = |query, name, expected: Option<&[u8]>| {
            assert_eq!(
                parameter(query, name).as_deref(),
                expected,
                "{query:?} {name}"
            );
        };
        check(None, "key", None);
        check(Some("key=a%2fb&key=c"), "key", Some(b"a/b"));
        check(Some("key=%ff%00"), "key", Some(b"\xff\0"));
        check(Some("if_absent"), "if_absent", Some(b""));
        check(Some("key=100%&x=%zz"), "key", Some(b"100%"));
        check(Some("key=100%&x=%zz"), "x", Some(b"%zz"));
        check(Some("keys=1"), "key", None);
        check(Some("x=%+1"), "x", Some(b"%+1"));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&encoded(&all)), all);
        assert_eq!(encoded(b"a/b c\xff"), "a%2fb%20c%ff");
    }
}
