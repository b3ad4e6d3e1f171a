//! Paths whose query shows a filter less than there is.
//!
//! Invariant: whatever path a filter writes, the parameters that it does not see as they are go on as
//! they came, once each, and none of its own have their names. So reading back what it wrote tells it
//! nothing about them, and it can have no value of its own choice hashed.

use std::collections::{HashMap, VecDeque};

use weir_model::Showing;

use super::{Sight, rule};

/// What stands between two `&`.
struct Part<'q, 'r> {
    /// What the filter sees as it is.
    plain: &'q [u8],
    /// The rest, from the first name on that has a rule. Some servers part it at `;`, others take
    /// all of it for one value.
    covered: Option<(&'q [u8], &'r Showing)>,
}

impl Sight {
    /// A path whose query has only what the filter sees.
    pub(in crate::world) fn seen_path(&self, path: &[u8]) -> Vec<u8> {
        let Some(query) = query_of(path) else {
            return path.to_vec();
        };
        let mut made = Made::of(&path[..path.len() - query.len() - 1]);
        for part in self.parts_of(query) {
            made.push(b'&', part.plain);
            if let Some((bytes, showing)) = part.covered
                && let Some(masked) = self.masked(bytes, showing)
            {
                made.push(part.mark(), &masked);
            }
        }
        made.bytes
    }

    /// The path that a filter wrote, with what it did not see of the original in its place again, or
    /// at the end.
    pub(in crate::world) fn restored_path(&self, written: &[u8], original: &[u8]) -> Vec<u8> {
        if self.query.is_empty() {
            return written.to_vec();
        }
        let mut unseen = Unseen::of(self, without_fragment(original));
        // What stands behind a fragment's mark would be cut off with it.
        let written = without_fragment(written);
        let query = query_of(written);
        let path = query.map_or(written.len(), |query| written.len() - query.len() - 1);
        let mut made = Made::of(&written[..path]);
        for part in self.parts_of(query.unwrap_or_default()) {
            made.push(b'&', part.plain);
            if let Some((bytes, _)) = part.covered {
                made.push(part.mark(), unseen.take(bytes).unwrap_or_default());
            }
        }
        unseen.rest().for_each(|bytes| made.push(b'&', bytes));
        made.bytes
    }

    fn parts_of<'q, 'r>(&'r self, query: &'q [u8]) -> impl Iterator<Item = Part<'q, 'r>> {
        let parts = query.split(|byte| *byte == b'&');
        parts.map(|part| {
            let mut from = 0;
            for piece in part.split(|byte| *byte == b';') {
                match rule(&self.query, &decoded(split(piece).0)) {
                    Showing::Show => from += piece.len() + 1,
                    showing => {
                        return Part {
                            plain: &part[..from.saturating_sub(1)],
                            covered: Some((&part[from..], showing)),
                        };
                    }
                }
            }
            Part {
                plain: part,
                covered: None,
            }
        })
    }

    /// A parameter as the filter sees it.
    fn masked(&self, bytes: &[u8], showing: &Showing) -> Option<Vec<u8>> {
        let (name, value) = split(bytes);
        let mask = self.shown(showing, value.unwrap_or_default())?;
        Some(match value {
            Some(_) => [name, b"=", &mask].concat(),
            None => name.to_vec(),
        })
    }
}

impl Part<'_, '_> {
    /// What parts the covered rest from what stands before it.
    fn mark(&self) -> u8 {
        if self.plain.is_empty() { b'&' } else { b';' }
    }
}

/// Parameters that a filter does not see as they are, in their order.
struct Unseen<'q> {
    parameters: Vec<Option<&'q [u8]>>,
    by_name: HashMap<Vec<u8>, VecDeque<usize>>,
}

impl<'q> Unseen<'q> {
    fn of(sight: &Sight, path: &'q [u8]) -> Self {
        let query = query_of(path).unwrap_or_default();
        let covered = sight.parts_of(query).filter_map(|part| part.covered);
        let parameters: Vec<_> = covered.map(|(bytes, _)| Some(bytes)).collect();
        let mut by_name: HashMap<Vec<u8>, VecDeque<usize>> = HashMap::new();
        for (index, bytes) in parameters.iter().flatten().enumerate() {
            let places = by_name.entry(decoded(split(bytes).0)).or_default();
            places.push_back(index);
        }
        Self {
            parameters,
            by_name,
        }
    }

    /// The next one with the name of this parameter.
    fn take(&mut self, like: &[u8]) -> Option<&'q [u8]> {
        let places = self.by_name.get_mut(&decoded(split(like).0))?;
        self.parameters[places.pop_front()?].take()
    }

    fn rest(self) -> impl Iterator<Item = &'q [u8]> {
        self.parameters.into_iter().flatten()
    }
}

/// A path in the making.
struct Made {
    bytes: Vec<u8>,
    has_query: bool,
}

impl Made {
    fn of(path: &[u8]) -> Self {
        Self {
            bytes: path.to_vec(),
            has_query: false,
        }
    }

    fn push(&mut self, mark: u8, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mark = if self.has_query { mark } else { b'?' };
        self.has_query = true;
        self.bytes.push(mark);
        self.bytes.extend_from_slice(bytes);
    }
}

/// The query of a path, without its mark.
fn query_of(path: &[u8]) -> Option<&[u8]> {
    let mark = path.iter().position(|byte| *byte == b'?')?;
    Some(&path[mark + 1..])
}

fn without_fragment(path: &[u8]) -> &[u8] {
    let mark = path.iter().position(|byte| *byte == b'#');
    &path[..mark.unwrap_or(path.len())]
}

fn split(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match part.iter().position(|byte| *byte == b'=') {
        Some(mark) => (&part[..mark], Some(&part[mark + 1..])),
        None => (part, None),
    }
}

/// A name of a parameter as servers read it: `%74oken` and `token` are one name.
fn decoded(name: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.get(..2)).flatten();
        let escaped = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = escaped {
            decoded.push(byte);
            rest = &after[2..];
        } else {
            decoded.push(if byte == b'+' { b' ' } else { byte });
            rest = after;
        }
    }
    decoded
}
