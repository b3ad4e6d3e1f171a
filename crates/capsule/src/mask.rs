//! Values that are not to be in a file: they are replaced when it is written, wherever they stand.
//!
//! A value is found by the name of its header, then replaced everywhere: in what the guest was told,
//! in what it asked, and in its memory. The replacement is as long and made of the same kinds of
//! characters, and the same for the same value, so that a guest that passes values on can still be
//! replayed. Of a long value, any part of some length is found, too: memory that was given back is
//! overwritten bit by bit. What a guest made of a value (its hash, its base64) is not found.

use std::collections::HashMap;

use memchr::memmem;
use weir_guest::door::{Call, Reply};
use weir_guest::pairs;
use weir_model::limits::capsule as limits;

use crate::record::{self, Outcome, Record};

/// What is masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Names of headers, in lower case.
    pub headers: Vec<String>,
    /// Names of environment variables.
    pub variables: Vec<String>,
    /// These values, wherever they come from.
    pub values: Vec<Vec<u8>>,
}

/// More values than are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds more values to be masked than {}", limits::MASKED_VALUES_MAX)]
pub struct TooManyValues;

/// The values that were found, with what takes their place.
pub(crate) struct Masker {
    /// Those that are shorter than a window.
    short: Vec<(Vec<u8>, Vec<u8>)>,
    /// Every window of the others.
    windows: HashMap<Window, Window>,
    /// The beginnings of windows, so that most places cost no look into the map.
    beginnings: Vec<bool>,
}

/// A part of a value that is masked wherever it stands.
type Window = [u8; WINDOW];

/// Long enough not to occur by chance.
const WINDOW: usize = 8;

impl Mask {
    /// Whether nothing is masked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.variables.is_empty() && self.values.is_empty()
    }

    /// Finds the values in records.
    pub(crate) fn find(&self, records: &[&[u8]]) -> Result<Masker, TooManyValues> {
        let mut values: Vec<Vec<u8>> = Vec::new();
        if !self.is_empty() {
            values.extend(self.values.iter().cloned());
            for bytes in records {
                for record in record::split(bytes) {
                    self.look_at(&bytes::Bytes::copy_from_slice(record), &mut values);
                    if values.len() > limits::MASKED_VALUES_MAX {
                        values.sort_unstable();
                        values.dedup();
                    }
                    if values.len() > limits::MASKED_VALUES_MAX {
                        return Err(TooManyValues);
                    }
                }
            }
        }
        values.retain(|value| can_be_masked(value));
        values.sort_unstable();
        values.dedup();
        Ok(Masker::of(values))
    }

    fn look_at(&self, bytes: &bytes::Bytes, values: &mut Vec<Vec<u8>>) {
        let Ok(Record::Call { asked, outcome }) = record::decode(bytes) else {
            return;
        };
        let reply = match &outcome {
            Outcome::Reply(Reply::Bytes(bytes)) => &bytes[..],
            _ => &[],
        };
        asked.with(|call| match *call {
            Call::Header { name, .. } => self.header(name, reply, values),
            Call::Headers { .. } => self.pairs(reply, values),
            Call::Property { path } => {
                let name = path.rsplit(|byte| *byte == 0).find(|part| !part.is_empty());
                self.header(name.unwrap_or_default(), reply, values);
            }
            Call::Environment => {
                for (name, value) in pairs::decode(reply) {
                    if self.variables.iter().any(|known| known.as_bytes() == name) {
                        values.push(value.to_vec());
                    }
                }
            }
            Call::AddHeader { name, value, .. } | Call::ReplaceHeader { name, value, .. } => {
                self.header(name, value, values);
            }
            Call::SetHeaders { pairs, .. } => self.pairs(pairs, values),
            Call::HttpCall(call) => {
                self.pairs(call.headers, values);
                self.pairs(call.trailers, values);
            }
            Call::GrpcCall(call) | Call::GrpcStream(call) => self.pairs(call.metadata, values),
            Call::LocalResponse(response) => self.pairs(response.headers, values),
            Call::RedisInit(init) => values.push(init.password.to_vec()),
            _ => {}
        });
    }

    fn pairs(&self, bytes: &[u8], values: &mut Vec<Vec<u8>>) {
        for (name, value) in pairs::decode(bytes) {
            self.header(name, value, values);
        }
    }

    fn header(&self, name: &[u8], value: &[u8], values: &mut Vec<Vec<u8>>) {
        let is_masked = self
            .headers
            .iter()
            .any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        if is_masked {
            values.extend(secrets_of(value).map(<[u8]>::to_vec));
        }
    }
}

/// The parts of a header's value that are secret: the word of a scheme and the names of cookies and
/// parameters are not, and guests look for them.
fn secrets_of(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b';').filter_map(|part| {
        let part = part.trim_ascii();
        let behind_name = part.iter().position(|byte| *byte == b'=');
        let behind_scheme = part.iter().position(|byte| *byte == b' ');
        let from = match (behind_scheme, behind_name) {
            (Some(space), _) => space + 1,
            // Padding of base64 is no name's end.
            (None, Some(name)) if name + 2 < part.len() => name + 1,
            (None, _) => 0,
        };
        let secret = part[from..].trim_ascii();
        let secret = secret.strip_prefix(b"\"").unwrap_or(secret);
        let secret = secret.strip_suffix(b"\"").unwrap_or(secret);
        (!secret.is_empty()).then_some(secret)
    })
}

/// Short values occur by chance, and control characters are part of what a file is made of.
fn can_be_masked(value: &[u8]) -> bool {
    value.len() >= limits::MASKED_BYTES_MIN && value.iter().all(|byte| *byte >= b' ')
}

/// As long, with letters for letters and digits for digits, and another one for each number. Other
/// characters stay: text around them must remain UTF-8.
fn filler(value: &[u8], number: usize) -> Vec<u8> {
    let mut filler = value.to_vec();
    let mut left = number;
    let mut from = |count: usize| {
        let digit = left % count;
        left /= count;
        u8::try_from(digit).unwrap_or(0)
    };
    for byte in filler.iter_mut().rev() {
        *byte = match *byte {
            b'0'..=b'9' => b'0' + from(10),
            b'A'..=b'Z' => b'A' + (23 + from(26)) % 26,
            b'a'..=b'z' => b'a' + (23 + from(26)) % 26,
            other => other,
        };
    }
    filler
}

impl Masker {
    fn of(values: Vec<Vec<u8>>) -> Self {
        let mut masker = Self {
            short: Vec::new(),
            windows: HashMap::new(),
            beginnings: Vec::new(),
        };
        for (number, value) in values.into_iter().enumerate() {
            let filler = filler(&value, number);
            if value.len() < WINDOW {
                masker.short.push((value, filler));
                continue;
            }
            masker.beginnings.resize(1 << 16, false);
            let windows = value.array_windows::<WINDOW>();
            for (window, filler) in windows.zip(filler.array_windows::<WINDOW>()) {
                masker.beginnings[beginning(*window)] = true;
                masker.windows.entry(*window).or_insert(*filler);
            }
        }
        masker
    }

    /// Replaces the values; returns how many bytes were replaced.
    pub(crate) fn apply(&self, bytes: &mut [u8]) -> u64 {
        let mut found: Vec<(usize, &[u8])> = Vec::new();
        for (value, filler) in &self.short {
            found.extend(memmem::find_iter(bytes, value).map(|at| (at, &filler[..])));
        }
        if !self.windows.is_empty() {
            let places = bytes.array_windows::<WINDOW>().enumerate();
            let places = places.filter(|(_, window)| self.beginnings[beginning(**window)]);
            found.extend(places.filter_map(|(at, window)| {
                let filler = self.windows.get(window)?;
                Some((at, &filler[..]))
            }));
        }
        let (mut count, mut end) = (0, 0);
        found.sort_unstable_by_key(|(at, _)| *at);
        for (at, filler) in found {
            let next = at + filler.len();
            bytes[at..next].copy_from_slice(filler);
            count += next.saturating_sub(end.max(at)) as u64;
            end = end.max(next);
        }
        count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.short.is_empty() && self.windows.is_empty()
    }
}

fn beginning(window: Window) -> usize {
    usize::from(u16::from_le_bytes([window[0], window[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, secrets: &[&str]) {
        let found: Vec<_> = secrets_of(value.as_bytes())
            .map(|secret| std::str::from_utf8(secret).expect("text"))
            .collect();
        assert_eq!(found, secrets);
    }

    #[test]
    fn names_and_schemes_are_no_secrets() {
        check("Bearer abc.def-1", &["abc.def-1"]);
        check("Basic dXNlcjpwYXNz=", &["dXNlcjpwYXNz="]);
        check("session=s3cret; theme=\"dark\"", &["s3cret", "dark"]);
        check("k3y-of-somebody==", &["k3y-of-somebody=="]);
        check("", &[]);
    }

    #[test]
    fn fillers_are_of_the_same_kind_and_differ() {
        let of = |number| String::from_utf8(filler(b"aB3-zz", number)).expect("text");
        assert_eq!(of(0), "xX0-xx");
        assert_eq!(of(1), "xX0-xy");
        assert_ne!(of(27), of(28));
    }
}
