//! An ordered list of headers with Envoy's rules for adding and replacing.
//!
//! Order of arrival is kept and duplicates stay separate entries: a guest that lists the headers
//! sees what was sent. Pseudo-headers stand in front. Any bytes may be stored; what HTTP forbids is
//! refused where the list leaves for the wire.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use weir_model::limits::{HEADER_MAP_BYTES_MAX, HEADER_MAP_ENTRIES_MAX};

use super::inline::{self, Side};

/// A pseudo-header (RFC 9113 §8.3) that the gateway knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pseudo {
    Authority,
    Method,
    Path,
    Scheme,
    Status,
}

impl Pseudo {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b":authority" => Self::Authority,
            b":method" => Self::Method,
            b":path" => Self::Path,
            b":scheme" => Self::Scheme,
            b":status" => Self::Status,
            _ => return None,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::Authority => ":authority",
            Self::Method => ":method",
            Self::Path => ":path",
            Self::Scheme => ":scheme",
            Self::Status => ":status",
        }
    }
}

/// A header name, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderName {
    Pseudo(Pseudo),
    /// A name that HTTP allows.
    Field(http::HeaderName),
    /// A name that HTTP forbids, lower-cased.
    Raw(Bytes),
}

impl HeaderName {
    /// The name that a guest wrote; `host` means `:authority` in a request.
    pub(crate) fn parse(name: &[u8], side: Side) -> Self {
        if name.first() == Some(&b':') {
            let lower = name.to_ascii_lowercase();
            return Pseudo::of(&lower).map_or_else(|| Self::Raw(lower.into()), Self::Pseudo);
        }
        match http::HeaderName::from_bytes(name) {
            Ok(http::header::HOST) if side == Side::Request => Self::Pseudo(Pseudo::Authority),
            Ok(name) => Self::Field(name),
            Err(_) => Self::Raw(name.to_ascii_lowercase().into()),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Pseudo(pseudo) => pseudo.text().as_bytes(),
            Self::Field(name) => name.as_str().as_bytes(),
            Self::Raw(name) => name,
        }
    }

    /// Whether the name, in any case, is this one. Compares without allocating.
    fn is(&self, name: &[u8]) -> bool {
        self.as_bytes().eq_ignore_ascii_case(name)
    }
}

/// A header that cannot be sent: HTTP forbids its name or value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("header {name:?} cannot be sent: its {part} has bytes that HTTP forbids")]
pub(crate) struct InvalidHeader {
    name: String,
    part: &'static str,
}

impl InvalidHeader {
    /// As Envoy says it.
    pub(crate) fn words(&self) -> String {
        match self.part {
            "name" => format!("invalid header name: {}", self.name),
            _ => format!("invalid header value for: {}", self.name),
        }
    }
}

/// A header value: bytes that HTTP allows, checked once, or bytes that it forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldValue {
    Valid(HeaderValue),
    Raw(Bytes),
}

impl FieldValue {
    pub(crate) fn copied(bytes: &[u8]) -> Self {
        HeaderValue::from_bytes(bytes)
            .map_or_else(|_| Self::Raw(Bytes::copy_from_slice(bytes)), Self::Valid)
    }

    pub(crate) fn from_static(text: &'static str) -> Self {
        Self::Valid(HeaderValue::from_static(text))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Valid(value) => value.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }

    /// The text, if it is UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }
}

impl From<HeaderValue> for FieldValue {
    fn from(value: HeaderValue) -> Self {
        Self::Valid(value)
    }
}

/// An ordered list of headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderList {
    entries: Vec<(HeaderName, FieldValue)>,
    /// At least the bytes that guests have added and that are still there.
    written: usize,
}

/// A guest has filled a list, or wants to put too much into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl HeaderList {
    pub(crate) fn with_capacity(entries: usize) -> Self {
        Self {
            entries: Vec::with_capacity(entries),
            written: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    /// The first value under a name, which is compared without regard to case. In a request,
    /// `host` is `:authority`.
    pub(crate) fn first(&self, name: &[u8], side: Side) -> Option<&FieldValue> {
        if side == Side::Request && name.eq_ignore_ascii_case(b"host") {
            return self.pseudo(Pseudo::Authority);
        }
        self.entries
            .iter()
            .find(|(known, _)| known.is(name))
            .map(|(_, value)| value)
    }

    /// The value of a field by its parsed name: the fast way for names that the gateway knows.
    pub(crate) fn field(&self, name: &http::HeaderName) -> Option<&FieldValue> {
        self.entries.iter().find_map(|(known, value)| match known {
            HeaderName::Field(known) if known == name => Some(value),
            _ => None,
        })
    }

    /// The entries as they are stored.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &(HeaderName, FieldValue)> {
        self.entries.iter()
    }

    /// The list with other values, or without some.
    pub(crate) fn filter_map(
        &self,
        mut show: impl FnMut(&[u8], &FieldValue) -> Option<FieldValue>,
    ) -> Self {
        let shown = |(name, value): &(HeaderName, FieldValue)| {
            Some((name.clone(), show(name.as_bytes(), value)?))
        };
        Self {
            entries: self.entries.iter().filter_map(shown).collect(),
            written: 0,
        }
    }

    /// All values under a name.
    pub(crate) fn all<'l>(
        &'l self,
        name: &'l [u8],
        side: Side,
    ) -> impl Iterator<Item = &'l FieldValue> + 'l {
        let name: &[u8] = match side {
            Side::Request if name.eq_ignore_ascii_case(b"host") => b":authority",
            Side::Request | Side::Response => name,
        };
        self.entries
            .iter()
            .filter(move |(known, _)| known.is(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn pseudo(&self, pseudo: Pseudo) -> Option<&FieldValue> {
        self.entries.iter().find_map(|(known, value)| match known {
            HeaderName::Pseudo(known) if *known == pseudo => Some(value),
            _ => None,
        })
    }

    /// The decimal value of `:status`.
    pub(crate) fn status(&self) -> Option<http::StatusCode> {
        http::StatusCode::from_bytes(self.pseudo(Pseudo::Status)?.as_bytes()).ok()
    }

    /// Appends an entry as it is: for heads that come from the wire.
    pub(crate) fn push(&mut self, name: HeaderName, value: FieldValue) {
        self.entries.push((name, value));
    }

    /// Appends a field whose name and value the gateway wrote.
    pub(crate) fn push_field(&mut self, name: http::HeaderName, value: FieldValue) {
        self.entries.push((HeaderName::Field(name), value));
    }

    /// Adds a value. An inline (well-known) header that is there is joined with a comma and no
    /// space instead; adding nothing to it changes nothing (Envoy's header map).
    pub(crate) fn add(&mut self, name: &[u8], value: FieldValue, side: Side) {
        let name = HeaderName::parse(name, side);
        if inline::is_inline(&name, side)
            && let Some((_, present)) = self.entries.iter_mut().find(|(known, _)| *known == name)
        {
            if present.as_bytes().is_empty() {
                *present = value;
            } else if !value.as_bytes().is_empty() {
                let joined = [present.as_bytes(), b",", value.as_bytes()].concat();
                *present = FieldValue::copied(&joined);
            }
            return;
        }
        self.insert(name, value);
    }

    /// Removes every entry of the name and puts one at the end, or behind the last pseudo-header.
    pub(crate) fn replace(&mut self, name: &[u8], value: FieldValue, side: Side) {
        let name = HeaderName::parse(name, side);
        self.entries.retain(|(known, _)| *known != name);
        self.insert(name, value);
    }

    /// Removes every entry of the name.
    pub(crate) fn remove(&mut self, name: &[u8], side: Side) {
        let name = HeaderName::parse(name, side);
        self.entries.retain(|(known, _)| *known != name);
    }

    /// Removes a field by its parsed name.
    pub(crate) fn remove_field(&mut self, name: &http::HeaderName) {
        self.entries
            .retain(|(known, _)| !matches!(known, HeaderName::Field(known) if known == name));
    }

    /// Counts what a guest is about to write. Adds it up; only a list that seems full is looked at.
    /// `name`: of the entries that this replaces.
    pub(crate) fn admit(&mut self, bytes: usize, name: Option<&[u8]>) -> Result<(), Full> {
        let written = self.written.saturating_add(bytes);
        if written <= HEADER_MAP_BYTES_MAX && self.entries.len() < HEADER_MAP_ENTRIES_MAX {
            self.written = written;
            return Ok(());
        }
        let stays = |known: &&(HeaderName, FieldValue)| name.is_none_or(|name| !known.0.is(name));
        let stay = self.entries.iter().filter(stays);
        let (count, held) = stay.fold((0, 0_usize), |(count, sum), (name, value)| {
            (
                count + 1,
                sum + name.as_bytes().len() + value.as_bytes().len(),
            )
        });
        let written = held.saturating_add(bytes);
        if written > HEADER_MAP_BYTES_MAX || count >= HEADER_MAP_ENTRIES_MAX {
            return Err(Full);
        }
        self.written = written;
        Ok(())
    }

    /// A guest has made the list anew.
    pub(crate) fn was_written(&mut self) {
        self.written = self.bytes();
    }

    /// Sum of the lengths of all names and values.
    pub(crate) fn bytes(&self) -> usize {
        self.entries
            .iter()
            .map(|(name, value)| name.as_bytes().len() + value.as_bytes().len())
            .sum()
    }

    /// Appends an entry. Pseudo-headers stay in front of fields.
    pub(crate) fn insert(&mut self, name: HeaderName, value: FieldValue) {
        let is_pseudo = name.as_bytes().first() == Some(&b':');
        if is_pseudo {
            let fields = self
                .entries
                .iter()
                .position(|(known, _)| known.as_bytes().first() != Some(&b':'))
                .unwrap_or(self.entries.len());
            self.entries.insert(fields, (name, value));
        } else {
            self.entries.push((name, value));
        }
    }

    /// The fields as hyper wants them, without pseudo-headers and without what only the codec may
    /// say to a neighbour.
    ///
    /// # Errors
    ///
    /// Names the first header that HTTP forbids.
    pub(crate) fn to_map(&self, mut into: HeaderMap) -> Result<HeaderMap, InvalidHeader> {
        into.reserve(self.entries.len());
        for (name, value) in &self.entries {
            let name = match name {
                HeaderName::Pseudo(_) => continue,
                HeaderName::Field(name) if is_hop_by_hop(name) => continue,
                HeaderName::Field(name) => name,
                // As Envoy, pseudo-headers that HTTP/1 does not know stay behind.
                HeaderName::Raw(name) if name.first() == Some(&b':') => continue,
                HeaderName::Raw(name) => return Err(invalid(name, "name")),
            };
            match value {
                FieldValue::Valid(value) => into.append(name.clone(), value.clone()),
                FieldValue::Raw(_) => return Err(invalid(name.as_str().as_bytes(), "value")),
            };
        }
        Ok(into)
    }

    /// Appends the fields of a map that came from the wire, of those that `keep` accepts; joins
    /// what Envoy joins.
    pub(crate) fn extend_from_map(
        &mut self,
        map: HeaderMap,
        side: Side,
        keep: impl Fn(&http::HeaderName) -> bool,
    ) {
        self.entries.reserve(map.len());
        // A map gives the name with its first value only.
        let mut last: Option<(http::HeaderName, bool)> = None;
        for (name, value) in map {
            let is_repeated = name.is_none();
            if let Some(name) = name {
                let keeps = keep(&name);
                last = Some((name, keeps));
            }
            let Some((name, true)) = &last else { continue };
            let value = FieldValue::Valid(value);
            if is_repeated && inline::is_inline_field(name, side) {
                self.add(name.as_str().as_bytes(), value, side);
            } else {
                self.entries.push((HeaderName::Field(name.clone()), value));
            }
        }
    }
}

/// Header fields between two neighbours, beside those that `connection` names (RFC 9110 §7.6.1).
pub(crate) fn is_hop_by_hop(name: &http::HeaderName) -> bool {
    use http::header::{CONNECTION, TRANSFER_ENCODING, UPGRADE};
    [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

impl InvalidHeader {
    /// In Envoy's words.
    pub(crate) fn text(&self) -> String {
        match self.part {
            "value" => format!("invalid header value for: {}", self.name),
            _ => format!("invalid header name: {}", self.name),
        }
    }
}

fn invalid(name: &[u8], part: &'static str) -> InvalidHeader {
    InvalidHeader {
        name: String::from_utf8_lossy(name).into_owned(),
        part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(&'static str, &'static str)]) -> HeaderList {
        let mut list = HeaderList::default();
        for (name, value) in entries {
            list.push(
                HeaderName::parse(name.as_bytes(), Side::Request),
                FieldValue::copied(value.as_bytes()),
            );
        }
        list
    }

    #[track_caller]
    fn check(list: &HeaderList, expected: &[(&str, &str)]) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found: Vec<_> = list.iter().map(|(n, v)| (text(n), text(v))).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(found, expected);
    }

    fn value(text: &'static str) -> FieldValue {
        FieldValue::copied(text.as_bytes())
    }

    #[test]
    fn unknown_headers_stay_separate_and_inline_ones_are_joined() {
        let mut headers = list(&[(":path", "/a"), ("x-a", "1")]);
        headers.add(b"X-A", value("2"), Side::Request);
        headers.add(b"x-forwarded-for", value("1.1.1.1"), Side::Request);
        headers.add(b"x-forwarded-for", value("2.2.2.2"), Side::Request);
        headers.add(b"x-forwarded-for", value(""), Side::Request);
        headers.add(b":path", value("/b"), Side::Request);
        check(
            &headers,
            &[
                (":path", "/a,/b"),
                ("x-a", "1"),
                ("x-a", "2"),
                ("x-forwarded-for", "1.1.1.1,2.2.2.2"),
            ],
        );
    }

    #[test]
    fn what_guests_write_is_bounded() {
        let mut headers = list(&[(":path", "/a")]);
        let half = vec![b'x'; HEADER_MAP_BYTES_MAX / 2];
        let mut write = |name: &[u8], value: &[u8], replaces: bool| {
            let bytes = name.len() + value.len();
            let admitted = headers.admit(bytes, replaces.then_some(name)).is_ok();
            if admitted {
                let value = FieldValue::copied(value);
                headers.replace(name, value, Side::Request);
            }
            assert!(headers.bytes() <= HEADER_MAP_BYTES_MAX);
            admitted
        };
        assert!(write(b"a", &half, false));
        assert!(!write(b"b", &half, false));
        assert!(write(b"b", b"1", false));
        // As often as it likes in the same place.
        for _ in 0..5 {
            assert!(write(b"a", &half, true));
        }
        assert!(!write(b"A", &[half.clone(), half].concat(), true));
        let mut number = 0_u32;
        while write(format!("n{number}").as_bytes(), b"", false) {
            number += 1;
        }
        let present = number as usize + 3;
        assert_eq!(present, HEADER_MAP_ENTRIES_MAX);
        assert!(write(b"n0", b"1", true), "one for another");
    }

    #[test]
    fn replacing_moves_to_the_end() {
        let mut headers = list(&[(":path", "/a"), ("x-a", "1"), ("x-b", "1"), ("x-a", "2")]);
        headers.replace(b"x-a", value("3"), Side::Request);
        headers.replace(b":path", value("/c"), Side::Request);
        headers.replace(b"host", value("h"), Side::Request);
        check(
            &headers,
            &[
                (":path", "/c"),
                (":authority", "h"),
                ("x-b", "1"),
                ("x-a", "3"),
            ],
        );
    }

    #[test]
    fn what_http_forbids_is_stored_and_refused_on_the_way_out() {
        let mut headers = list(&[]);
        headers.add(b"x-a", value("a\r\nb"), Side::Response);
        assert!(headers.to_map(HeaderMap::new()).is_err());
        let mut headers = list(&[]);
        headers.add(b"x a", value("b"), Side::Response);
        assert!(headers.to_map(HeaderMap::new()).is_err());
    }
}
