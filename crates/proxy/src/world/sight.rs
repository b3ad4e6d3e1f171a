//! What a filter sees of an exchange: names that are hidden, values that are hashed or redacted.
//!
//! Every road to a value goes through a copy that holds what the filter may see: header maps and
//! the properties made of headers read [`Sight::seen`], other properties [`Sight::value`].
//! Invariant: what the original holds beside that is in no answer, nor are its size and number.

mod hash;
mod query;

use weir_guest::door::MapKind;
use weir_model::{HiddenBodies, Pattern, Sees, Showing};

use crate::message::{FieldValue, HeaderList, Side};
use crate::property::Value;
pub(crate) use hash::Key;

/// In the place of what is cut out of a value.
const CUT: &[u8] = b"***";

/// The rules of one filter, ready for use.
#[derive(Debug)]
pub(crate) struct Sight {
    request: Vec<(Pattern, Showing)>,
    response: Vec<(Pattern, Showing)>,
    query: Vec<(Pattern, Showing)>,
    properties: Vec<(Pattern, Showing)>,
    pub(crate) hidden_bodies: HiddenBodies,
    key: Key,
}

impl Sight {
    pub(crate) fn of(sees: &Sees, key: Key) -> Self {
        let of_request = sees.request_headers.iter().cloned();
        Self {
            // In a request, `host` is `:authority`.
            request: of_request
                .map(|(pattern, showing)| match pattern {
                    Pattern::Exact(name) if name == "host" => {
                        (Pattern::Exact(":authority".to_owned()), showing)
                    }
                    other => (other, showing),
                })
                .collect(),
            response: sees.response_headers.clone(),
            query: sees.query.clone(),
            properties: sees.properties.clone(),
            hidden_bodies: sees.hidden_bodies,
            key,
        }
    }

    fn rules(&self, side: Side) -> &[(Pattern, Showing)] {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    /// Whether there is anything that a map of this side does not show as it is.
    pub(crate) fn has_rules(&self, side: Side) -> bool {
        !self.rules(side).is_empty() || (side == Side::Request && !self.query.is_empty())
    }

    /// Whether there are rules for parameters of the query.
    pub(crate) fn rules_query(&self) -> bool {
        !self.query.is_empty()
    }

    /// Whether there are rules for properties.
    pub(crate) fn rules_properties(&self) -> bool {
        !self.properties.is_empty()
    }

    /// Whether the filter does not see this header as it is. The name is in lower case.
    pub(crate) fn covers(&self, side: Side, name: &[u8]) -> bool {
        !matches!(rule(self.rules(side), name), Showing::Show)
    }

    /// Whether the filter does not see this property as it is.
    pub(crate) fn covers_property(&self, names: &[Vec<u8>]) -> bool {
        !matches!(self.rule_of_property(names), Showing::Show)
    }

    /// The list that the filter sees in place of this one.
    pub(crate) fn seen(&self, list: &HeaderList, side: Side) -> HeaderList {
        list.filter_map(|name, value| self.seen_value(name, value, side))
    }

    fn seen_value(&self, name: &[u8], value: &FieldValue, side: Side) -> Option<FieldValue> {
        let showing = rule(self.rules(side), name);
        if side == Side::Request && name == b":path" && !self.query.is_empty() {
            let path = self.seen_path(value.as_bytes());
            let shown = self.shown(showing, &path)?;
            return Some(FieldValue::copied(&shown));
        }
        match showing {
            Showing::Show => Some(value.clone()),
            other => Some(FieldValue::copied(&self.shown(other, value.as_bytes())?)),
        }
    }

    /// How many entries the filter sees.
    pub(crate) fn count(&self, list: &HeaderList, side: Side) -> usize {
        let rules = self.rules(side);
        let is_seen = |name: &[u8]| !matches!(rule(rules, name), Showing::Hide);
        list.iter().filter(|(name, _)| is_seen(name)).count()
    }

    /// What the filter sees of a property's value, by the names that the property has; `None`: the
    /// property is hidden.
    pub(crate) fn value(&self, names: &[Vec<u8>], value: Value) -> Option<Value> {
        match self.rule_of_property(names) {
            Showing::Show => {}
            Showing::Hide => return None,
            other => {
                let bytes = value.serialize().unwrap_or_default();
                return self.shown(other, &bytes).map(|b| Value::String(b.into()));
            }
        }
        let Value::Map(entries) = value else {
            return Some(value);
        };
        let shown = entries.into_iter().filter_map(|(key, value)| {
            let below: Vec<Vec<u8>> = names
                .iter()
                .map(|n| [n, &b"."[..], &key].concat())
                .collect();
            Some((key, self.value(&below, value)?))
        });
        Some(Value::Map(shown.collect()))
    }

    /// The first rule that fits any of a property's names.
    fn rule_of_property(&self, names: &[Vec<u8>]) -> &Showing {
        let fits = |pattern: &Pattern| names.iter().any(|name| pattern.matches(name));
        let found = self.properties.iter().find(|(pattern, _)| fits(pattern));
        found.map_or(&Showing::Show, |(_, showing)| showing)
    }

    /// A value by a rule; `None`: it is hidden.
    fn shown(&self, showing: &Showing, value: &[u8]) -> Option<Vec<u8>> {
        Some(match showing {
            Showing::Show => value.to_vec(),
            Showing::Hide => return None,
            Showing::Hash => self.key.hash(value).into_bytes(),
            Showing::Text(text) => text.as_bytes().to_vec(),
            Showing::Ends { first, last } => ends(value, *first, *last),
        })
    }

    /// Whether the bytes of a side are hidden.
    pub(crate) fn hides_body(&self, side: Side) -> bool {
        match side {
            Side::Request => self.hidden_bodies.request,
            Side::Response => self.hidden_bodies.response,
        }
    }
}

/// The rule for a name, which is in lower case or as it is to be compared.
fn rule<'r>(rules: &'r [(Pattern, Showing)], name: &[u8]) -> &'r Showing {
    let found = rules.iter().find(|(pattern, _)| pattern.matches(name));
    found.map_or(&Showing::Show, |(_, showing)| showing)
}

fn ends(value: &[u8], first: usize, last: usize) -> Vec<u8> {
    if value.len() <= first.saturating_add(last) {
        return CUT.to_vec();
    }
    [&value[..first], CUT, &value[value.len() - last..]].concat()
}

/// Which side a map of a stream is of; `None`: it is of the plugin's own callouts.
pub(super) fn side_of_stream(map: MapKind) -> Option<Side> {
    match map {
        MapKind::RequestHeaders | MapKind::RequestTrailers => Some(Side::Request),
        MapKind::ResponseHeaders | MapKind::ResponseTrailers => Some(Side::Response),
        MapKind::GrpcInitialMetadata
        | MapKind::GrpcTrailingMetadata
        | MapKind::CalloutHeaders
        | MapKind::CalloutTrailers => None,
    }
}

/// All names of a property: its path with dots, and the other paths that lead to the same value.
pub(super) fn names_of(segments: &[&[u8]]) -> Vec<Vec<u8>> {
    /// Beginnings of paths that mean the same.
    const SAME: [&[&str]; 9] = [
        &["route_name", "xds.route_name"],
        &["cluster_name", "xds.cluster_name"],
        &["connection_id", "connection.id"],
        &["node", "xds.node"],
        &["listener_direction", "xds.listener_direction"],
        &["metadata", "listener_metadata", "xds.listener_metadata"],
        &["route_metadata", "xds.route_metadata"],
        &["cluster_metadata", "xds.cluster_metadata"],
        &["upstream_host_metadata", "xds.upstream_host_metadata"],
    ];
    let path = segments.join(&b"."[..]);
    let below = |beginning: &str| {
        let rest = path.strip_prefix(beginning.as_bytes())?;
        (rest.is_empty() || rest[0] == b'.').then_some(rest)
    };
    let mut names = vec![path.clone()];
    for same in SAME {
        let Some(rest) = same.iter().find_map(|beginning| below(beginning)) else {
            continue;
        };
        names.extend(same.iter().map(|one| [one.as_bytes(), rest].concat()));
    }
    names
}

/// All names of what filters set on a stream: by its own name, and below `filter_state`.
pub(super) fn names_of_state(name: &[u8]) -> Vec<Vec<u8>> {
    let dotted: Vec<u8> = name
        .iter()
        .map(|byte| if *byte == 0 { b'.' } else { *byte })
        .collect();
    let own = dotted
        .strip_prefix(b"filter_state.wasm.")
        .unwrap_or(&dotted);
    let below = [b"filter_state.wasm.", own].concat();
    vec![own.to_vec(), below]
}

#[cfg(test)]
mod tests;
