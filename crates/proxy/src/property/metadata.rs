//! Facts of listeners, routes and clusters: the properties `metadata` and `xds.…_metadata`.

use std::collections::BTreeMap;

use bytes::Bytes;
use weir_model::{self as model, Json, Name, Site};

use super::{PropertyError, Value};
use crate::protobuf::{put_bytes, put_message};

/// All metadata of a site, in the forms that properties show, made once.
#[derive(Debug)]
pub(crate) struct SiteMetadata {
    listeners: Vec<Listener>,
    clusters: BTreeMap<Name, Metadata>,
    nothing: Metadata,
}

#[derive(Debug)]
struct Listener {
    own: Metadata,
    routes: Vec<Metadata>,
}

/// The metadata of one thing: an `envoy.config.core.v3.Metadata`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    namespaces: Vec<(Bytes, Value)>,
    message: Bytes,
}

impl SiteMetadata {
    pub(crate) fn of(site: &Site) -> Self {
        let listener = |listener: &model::Listener| {
            let routes = listener.routes.iter();
            Listener {
                own: Metadata::of(&listener.metadata),
                routes: routes.map(|route| Metadata::of(&route.metadata)).collect(),
            }
        };
        let clusters = site.clusters.iter();
        Self {
            listeners: site.listeners.iter().map(listener).collect(),
            clusters: clusters
                .map(|(name, cluster)| (name.clone(), Metadata::of(&cluster.metadata)))
                .collect(),
            nothing: Metadata::default(),
        }
    }

    /// Of a listener, by its place in the site.
    pub(crate) fn listener(&self, index: usize) -> &Metadata {
        let listener = self.listeners.get(index);
        listener.map_or(&self.nothing, |listener| &listener.own)
    }

    /// Of a route, by its place in its listener.
    pub(crate) fn route(&self, listener: usize, index: usize) -> &Metadata {
        let listener = self.listeners.get(listener);
        let route = listener.and_then(|listener| listener.routes.get(index));
        route.unwrap_or(&self.nothing)
    }

    /// Of a cluster.
    pub(crate) fn cluster(&self, name: &str) -> &Metadata {
        self.clusters.get(name).unwrap_or(&self.nothing)
    }

    /// What nobody said anything about.
    pub(crate) fn nothing(&self) -> &Metadata {
        &self.nothing
    }
}

impl Metadata {
    fn of(metadata: &model::Metadata) -> Self {
        let namespaces = metadata.namespaces.iter();
        Self {
            namespaces: namespaces
                .map(|(name, entries)| (copied(name), map_of(entries)))
                .collect(),
            message: message(metadata).into(),
        }
    }

    /// The message, or what a path below it names: `filter_metadata`, a namespace, its keys.
    ///
    /// # Errors
    /// [`PropertyError::NotFound`] for what is no field or key.
    pub(crate) fn property(&self, rest: &[&[u8]]) -> Result<Value, PropertyError> {
        match rest {
            [] => Ok(Value::Message(self.message.clone())),
            [b"filter_metadata"] => Ok(Value::Map(self.namespaces.clone())),
            [b"filter_metadata", namespace, below @ ..] => {
                let found = self.namespaces.iter().find(|(name, _)| name == namespace);
                let (_, value) = found.ok_or(PropertyError::NotFound)?;
                value.descend(below).cloned()
            }
            [b"typed_filter_metadata", below @ ..] => {
                Value::Map(Vec::new()).descend(below).cloned()
            }
            [..] => Err(PropertyError::NotFound),
        }
    }
}

fn copied(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn map_of(entries: &[(String, Json)]) -> Value {
    let entries = entries.iter();
    Value::Map(
        entries
            .map(|(key, json)| (copied(key), value_of(json)))
            .collect(),
    )
}

fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => Value::Double(*number),
        Json::Text(text) => Value::text(text),
        Json::List(items) => Value::List(items.iter().map(value_of).collect()),
        Json::Map(entries) => map_of(entries),
    }
}

/// The wire bytes of an `envoy.config.core.v3.Metadata`.
fn message(metadata: &model::Metadata) -> Vec<u8> {
    let mut out = Vec::new();
    for (namespace, entries) in &metadata.namespaces {
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, namespace.as_bytes());
        put_message(&mut entry, 2, &struct_of(entries));
        put_message(&mut out, 1, &entry);
    }
    out
}

/// A `google.protobuf.Struct`.
fn struct_of(entries: &[(String, Json)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, json) in entries {
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, key.as_bytes());
        put_message(&mut entry, 2, &wire_value(json));
        put_message(&mut out, 1, &entry);
    }
    out
}

/// A `google.protobuf.Value`: one of its kinds is always there, even if it holds a default.
fn wire_value(json: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    match json {
        // Tags: the field's number, then 0 for a varint or 1 for eight bytes.
        Json::Null => out.extend([1 << 3, 0]),
        Json::Number(number) => {
            out.push(2 << 3 | 1);
            out.extend(number.to_le_bytes());
        }
        Json::Text(text) => put_message(&mut out, 3, text.as_bytes()),
        Json::Bool(truth) => out.extend([4 << 3, u8::from(*truth)]),
        Json::Map(entries) => put_message(&mut out, 5, &struct_of(entries)),
        Json::List(items) => {
            let mut list = Vec::new();
            for item in items {
                put_message(&mut list, 1, &wire_value(item));
            }
            put_message(&mut out, 6, &list);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Metadata {
        let inner = vec![
            ("b".to_owned(), Json::Bool(true)),
            ("n".to_owned(), Json::Number(1.5)),
            ("t".to_owned(), Json::Text("x".to_owned())),
            ("z".to_owned(), Json::Null),
            (
                "l".to_owned(),
                Json::List(vec![Json::Text("y".to_owned()), Json::Map(Vec::new())]),
            ),
        ];
        Metadata::of(&model::Metadata {
            namespaces: vec![("ns".to_owned(), inner)],
        })
    }

    #[track_caller]
    fn check(path: &[&[u8]], expected: &Result<Value, PropertyError>) {
        assert_eq!(&example().property(path), expected, "{path:?}");
    }

    #[test]
    fn paths_lead_through_the_fields_of_the_message() {
        const MISSING: Result<Value, PropertyError> = Err(PropertyError::NotFound);
        let ns: &[u8] = b"filter_metadata";
        check(&[ns, b"ns", b"b"], &Ok(Value::Bool(true)));
        check(&[ns, b"ns", b"n"], &Ok(Value::Double(1.5)));
        check(&[ns, b"ns", b"l", b"0"], &Ok(Value::literal("y")));
        check(&[ns, b"ns", b"z"], &Ok(Value::Null));
        check(&[ns, b"ns", b"b", b"c"], &MISSING);
        check(&[ns, b"other"], &MISSING);
        check(&[b"typed_filter_metadata"], &Ok(Value::Map(Vec::new())));
        check(&[b"typed_filter_metadata", b"ns"], &MISSING);
        check(&[b"nosuch"], &MISSING);
    }

    #[test]
    fn the_whole_is_a_message() {
        let Ok(Value::Message(bytes)) = example().property(&[]) else {
            panic!("no message")
        };
        let expected: &[u8] = b"\x0a\x44\x0a\x02ns\x12\x3e\
            \x0a\x07\x0a\x01b\x12\x02\x20\x01\
            \x0a\x0e\x0a\x01n\x12\x09\x11\x00\x00\x00\x00\x00\x00\xf8\x3f\
            \x0a\x08\x0a\x01t\x12\x03\x1a\x01x\
            \x0a\x07\x0a\x01z\x12\x02\x08\x00\
            \x0a\x10\x0a\x01l\x12\x0b\x32\x09\x0a\x03\x1a\x01y\x0a\x02\x2a\x00";
        assert_eq!(bytes, expected);
    }
}
