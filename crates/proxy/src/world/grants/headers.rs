//! What a filter may do to headers, and which of them it is shown.
//!
//! Invariant: a header that the filter does not see as it is stays as it is, whatever it writes.

use weir_guest::Event;
use weir_guest::door::MapKind;
use weir_model::Pattern;

use super::Rules;
use crate::message::{FieldValue, Full, HeaderList, HeaderName, Side};
use crate::stream::{Stream, StreamRef};
use crate::touched::Kind;
use crate::world::sight::{Sight, side_of_stream};
use crate::world::{LiveWorld, Outcome};

/// Headers between two neighbours that no filter writes unless granted: they would make other
/// messages of what the gateway frames. `keep-alive` is stored as in Envoy, and not sent.
const OF_CONNECTION: [&[u8]; 6] = [
    b"connection",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
];

/// A change that a filter makes to a header.
#[derive(Clone, Copy)]
pub(in crate::world) enum Edit<'e> {
    Add(&'e [u8]),
    Replace(&'e [u8]),
    Remove,
}

impl Edit<'_> {
    fn apply(self, list: &mut HeaderList, side: Side, name: &[u8]) -> Result<(), Full> {
        self.admit(list, name)?;
        match self {
            Self::Add(value) => list.add(name, FieldValue::copied(value), side),
            Self::Replace(value) => list.replace(name, FieldValue::copied(value), side),
            Self::Remove => list.remove(name, side),
        }
        Ok(())
    }

    fn admit(self, list: &mut HeaderList, name: &[u8]) -> Result<(), Full> {
        match self {
            Self::Add(value) => list.admit(name.len() + value.len(), None),
            Self::Replace(value) => list.admit(name.len() + value.len(), Some(name)),
            Self::Remove => Ok(()),
        }
    }
}

/// What stands for the heads and trailers of an exchange that a filter does not see as they are.
pub(in crate::world) struct Messages {
    pub(in crate::world) request: HeaderList,
    pub(in crate::world) response: HeaderList,
    pub(in crate::world) trailers: Option<HeaderList>,
}

impl LiveWorld {
    /// Carries out a change of a header, if the filter may make it. A refused one answers like a
    /// done one: SDKs end the plugin at any other answer, and it tells nothing.
    pub(in crate::world) fn edit_header(
        &self,
        map: MapKind,
        name: &[u8],
        edit: Edit<'_>,
    ) -> Outcome {
        let rules = &*self.rules;
        if !rules.judges_headers && !is_of_connection(name) {
            return self.edit_headers(map, |list, side| edit.apply(list, side, name));
        }
        self.edit_headers(map, |list, side| {
            let known = HeaderName::parse(name, side);
            let lower = known.as_bytes();
            if !rules.may_send(lower) || !rules.may_see_to_write(side, lower) {
                return Ok(());
            }
            match rules.sight_of_query(side, lower) {
                Some(sight) => edit_path(sight, list, edit),
                None => edit.apply(list, side, name),
            }
        })
    }

    /// Puts these pairs in the place of all headers but those that the filter may not write or does
    /// not see as they are.
    pub(in crate::world) fn replace_headers(
        &self,
        map: MapKind,
        pairs: &[(&[u8], &[u8])],
    ) -> Outcome {
        self.edit_headers(map, |list, side| {
            self.rules.replace_all(list, pairs, side);
            list.was_written();
            Ok(())
        })
    }

    /// The pairs of an answer of the filter's own, without what it may not send.
    pub(in crate::world) fn may_answer_with(&self, name: &[u8]) -> bool {
        let known = HeaderName::parse(name, Side::Response);
        self.rules.may_send(known.as_bytes())
    }

    /// Shows a map to the filter as it may see it.
    pub(in crate::world) fn seen_map<T>(
        &self,
        map: MapKind,
        list: &HeaderList,
        look: impl FnOnce(&HeaderList) -> T,
    ) -> T {
        let side = side_of_stream(map);
        match (&self.rules.sight, side) {
            (Some(sight), Some(side)) if sight.has_rules(side) => look(&sight.seen(list, side)),
            _ => look(list),
        }
    }

    /// What the filter sees of the messages, if that is less than there is, for an attribute that
    /// may be made of them.
    pub(in crate::world) fn seen_messages(
        &self,
        stream: &Stream,
        first: &[u8],
    ) -> Option<Messages> {
        let sight = self.rules.sight.as_ref()?;
        let is_made_of = matches!(first, b"request" | b"response");
        let has_rules = sight.has_rules(Side::Request) || sight.has_rules(Side::Response);
        (is_made_of && has_rules).then(|| {
            let of_response = |list: &HeaderList| sight.seen(list, Side::Response);
            Messages {
                request: sight.seen(&stream.request.headers, Side::Request),
                response: of_response(&stream.response.headers),
                trailers: stream.response.trailers.as_ref().map(of_response),
            }
        })
    }

    /// Notes in a dry run that a header is read.
    pub(in crate::world) fn note_read(&self, map: MapKind, name: &[u8]) {
        if self.rules.watches
            && let Some(side) = side_of_stream(map)
        {
            let kind = match side {
                Side::Request => Kind::RequestHeader,
                Side::Response => Kind::ResponseHeader,
            };
            let known = HeaderName::parse(name, side);
            self.rules.note(kind, known.as_bytes());
        }
    }
}

impl Rules {
    /// The event as the filter may be told it: with the number of headers that it sees.
    pub(crate) fn shown_event(&self, event: Event, stream: &StreamRef) -> Event {
        let Some(sight) = &self.sight else {
            return event;
        };
        let stream = &*stream.borrow();
        let seen = |list: Option<&HeaderList>, side| {
            let seen = list.map_or(0, |list| sight.count(list, side));
            u32::try_from(seen).unwrap_or(u32::MAX)
        };
        let (request, response) = (&stream.request, &stream.response);
        let mut event = event;
        match &mut event {
            Event::RequestHeaders { count, .. } => {
                *count = seen(Some(&request.headers), Side::Request);
            }
            Event::ResponseHeaders { count, .. } => {
                *count = seen(Some(&response.headers), Side::Response);
            }
            Event::RequestTrailers { count, .. } => {
                *count = seen(request.trailers.as_ref(), Side::Request);
            }
            Event::ResponseTrailers { count, .. } => {
                *count = seen(response.trailers.as_ref(), Side::Response);
            }
            // Other events of an exchange tell nothing of its headers.
            _ => {}
        }
        event
    }

    /// Whether a header may be sent in an answer or written into a map.
    fn may_send(&self, name: &[u8]) -> bool {
        let of_connection = is_of_connection(name);
        if !of_connection && !self.judges_headers {
            return true;
        }
        let protected = || fits(&self.grants.protected_headers, name);
        let is_granted = !(of_connection || protected()) || fits(&self.grants.write_headers, name);
        self.judge(Kind::WrittenHeader, name, is_granted)
    }

    /// Whether a header is shown to the filter as it is, or was granted for writing all the same.
    fn shows(&self, side: Side, name: &[u8]) -> bool {
        let covered = |sight: &Sight| sight.covers(side, name);
        !self.sight.as_ref().is_some_and(covered) || fits(&self.grants.write_headers, name)
    }

    /// Whether the filter sees a header well enough to change it. That is no matter of a dry run:
    /// a value that the filter never saw would be lost.
    fn may_see_to_write(&self, side: Side, name: &[u8]) -> bool {
        if self.shows(side, name) {
            return true;
        }
        self.refuse(Kind::WrittenHeader, name);
        false
    }

    /// The rules for the query, if this is the path that has it.
    fn sight_of_query(&self, side: Side, name: &[u8]) -> Option<&Sight> {
        let sight = self.sight.as_ref()?;
        (side == Side::Request && name == b":path" && sight.rules_query()).then_some(sight)
    }

    fn replace_all(&self, list: &mut HeaderList, pairs: &[(&[u8], &[u8])], side: Side) {
        let is_kept = |name: &[u8]| {
            let protected = is_of_connection(name)
                || (self.judges_headers && fits(&self.grants.protected_headers, name));
            let protected = protected && !self.watches && !fits(&self.grants.write_headers, name);
            protected || !self.shows(side, name)
        };
        let before = std::mem::take(list);
        let mut path = Vec::new();
        for (name, value) in pairs {
            let known = HeaderName::parse(name, side);
            let lower = known.as_bytes();
            if is_kept(lower) {
                // What it saw and gives back is no write.
                let seen = self.sight.as_ref().map(|sight| sight.seen(&before, side));
                let seen = seen.as_ref().unwrap_or(&before);
                if !seen
                    .all(lower, side)
                    .any(|known| known.as_bytes() == *value)
                {
                    self.refuse(Kind::WrittenHeader, lower);
                }
                continue;
            }
            self.may_send(lower);
            if self.sight_of_query(side, lower).is_some() {
                path = joined(path, value);
            } else {
                list.add(name, FieldValue::copied(value), side);
            }
        }
        if let Some(sight) = self.sight_of_query(side, b":path")
            && !is_kept(b":path")
        {
            put_path(sight, list, &path, path_of(&before));
        }
        for (name, value) in before.entries() {
            if is_kept(name.as_bytes()) {
                list.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Changes a path in which the filter does not see all parameters as they are.
fn edit_path(sight: &Sight, list: &mut HeaderList, edit: Edit<'_>) -> Result<(), Full> {
    edit.admit(list, b":path")?;
    let original = path_of(list).to_vec();
    let written = match edit {
        Edit::Replace(value) => value.to_vec(),
        Edit::Remove => Vec::new(),
        // What is left of one that was removed is none.
        Edit::Add(value) if original.first() == Some(&b'?') => value.to_vec(),
        Edit::Add(value) => joined(sight.seen_path(&original), value),
    };
    put_path(sight, list, &written, &original);
    Ok(())
}

/// Writes a path that holds the unseen parameters of the original. Those stay where there is no path
/// any more: one that is written next gets them.
fn put_path(sight: &Sight, list: &mut HeaderList, written: &[u8], original: &[u8]) {
    let path = sight.restored_path(written, original);
    if path.is_empty() {
        list.remove(b":path", Side::Request);
    } else {
        list.replace(b":path", FieldValue::copied(&path), Side::Request);
    }
}

fn path_of(list: &HeaderList) -> &[u8] {
    let path = list.first(b":path", Side::Request);
    path.map(FieldValue::as_bytes).unwrap_or_default()
}

/// Two values as adding the second one makes them.
fn joined(mut first: Vec<u8>, second: &[u8]) -> Vec<u8> {
    if !first.is_empty() && !second.is_empty() {
        first.push(b',');
    }
    first.extend_from_slice(second);
    first
}

/// Whether it is a header of the connection, in any case.
fn is_of_connection(name: &[u8]) -> bool {
    let is_same = |known: &[u8]| known.len() == name.len() && known.eq_ignore_ascii_case(name);
    OF_CONNECTION.into_iter().any(is_same)
}

fn fits(patterns: &[Pattern], name: &[u8]) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}
