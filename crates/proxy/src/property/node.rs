//! What the gateway says of itself: the properties `xds.node` and `node`.

use bytes::Bytes;
use weir_model as model;

use super::{PropertyError, Value};
use crate::protobuf::{put_bytes, put_message};

/// Name and version of this program, as `user_agent_name` and `user_agent_version`.
pub const USER_AGENT: (&str, &str) = ("weir", env!("CARGO_PKG_VERSION"));

/// A node in all forms that properties show, made once per configuration. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    id: Bytes,
    cluster: Bytes,
    metadata: Vec<(Bytes, Value)>,
    message: Bytes,
}

impl Node {
    /// The forms of a node. The message is an `envoy.config.core.v3.Node`.
    #[must_use]
    pub fn of(node: &model::Node) -> Self {
        let copied = |text: &String| Bytes::copy_from_slice(text.as_bytes());
        let entry = |(key, text): (&String, &String)| (copied(key), Value::String(copied(text)));
        Self {
            id: copied(&node.id),
            cluster: copied(&node.cluster),
            metadata: node.metadata.iter().map(entry).collect(),
            message: message(node).into(),
        }
    }

    /// The node's message, or what a path below it names by field, as in `metadata`, `KEY`.
    ///
    /// # Errors
    /// [`PropertyError::NotFound`] for what is no field or key.
    pub fn property(&self, rest: &[&[u8]]) -> Result<Value, PropertyError> {
        let Some((field, rest)) = rest.split_first() else {
            return Ok(Value::Message(self.message.clone()));
        };
        if let (b"metadata", [key, rest @ ..]) = (*field, rest) {
            let entry = self.metadata.iter().find(|(known, _)| known == key);
            let (_, value) = entry.ok_or(PropertyError::NotFound)?;
            return value.descend(rest).cloned();
        }
        self.field(field)?.descend(rest).cloned()
    }

    /// Every field of the message's schema; those that Weir does not fill have their defaults.
    fn field(&self, name: &[u8]) -> Result<Value, PropertyError> {
        Ok(match name {
            b"id" => Value::String(self.id.clone()),
            b"cluster" => Value::String(self.cluster.clone()),
            b"metadata" => Value::Map(self.metadata.clone()),
            b"user_agent_name" => Value::literal(USER_AGENT.0),
            b"user_agent_version" => Value::literal(USER_AGENT.1),
            b"dynamic_parameters" => Value::Map(Vec::new()),
            b"locality" | b"user_agent_build_version" => Value::Message(Bytes::new()),
            b"extensions" | b"client_features" | b"listening_addresses" => Value::List(Vec::new()),
            _ => return Err(PropertyError::NotFound),
        })
    }
}

fn message(node: &model::Node) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, node.id.as_bytes());
    put_bytes(&mut out, 2, node.cluster.as_bytes());
    if !node.metadata.is_empty() {
        let mut fields = Vec::new();
        for (key, text) in &node.metadata {
            put_message(&mut fields, 1, &struct_entry(key, text));
        }
        put_message(&mut out, 3, &fields);
    }
    put_bytes(&mut out, 6, USER_AGENT.0.as_bytes());
    put_bytes(&mut out, 7, USER_AGENT.1.as_bytes());
    out
}

/// An entry of `google.protobuf.Struct.fields`: a key and a `Value` with its field `string_value`.
fn struct_entry(key: &str, text: &str) -> Vec<u8> {
    let (mut entry, mut value) = (Vec::new(), Vec::new());
    put_message(&mut value, 3, text.as_bytes());
    put_bytes(&mut entry, 1, key.as_bytes());
    put_message(&mut entry, 2, &value);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::{Field, Fields};

    fn node() -> Node {
        Node::of(&model::Node {
            id: "gw-1".into(),
            cluster: "edge".into(),
            metadata: [
                ("ZONE".to_owned(), "a".to_owned()),
                ("E".to_owned(), String::new()),
            ]
            .into(),
        })
    }

    fn check(path: &[&[u8]], expected: Option<Value>) {
        assert_eq!(
            node().property(path),
            expected.ok_or(PropertyError::NotFound),
            "{path:?}"
        );
    }

    #[test]
    fn fields_are_reached_by_name() {
        check(&[b"id"], Some(Value::literal("gw-1")));
        check(&[b"cluster"], Some(Value::literal("edge")));
        check(&[b"metadata", b"ZONE"], Some(Value::literal("a")));
        check(&[b"metadata", b"E"], Some(Value::literal("")));
        check(&[b"metadata", b"zone"], None);
        check(&[b"metadata", b"ZONE", b"x"], None);
        check(&[b"id", b"x"], None);
        check(&[b"nosuch"], None);
        check(&[b"user_agent_name"], Some(Value::literal("weir")));
        check(&[b"locality"], Some(Value::Message(Bytes::new())));
        check(&[b"locality", b"zone"], None);
    }

    #[test]
    fn the_whole_is_a_message() {
        let Ok(Value::Message(bytes)) = node().property(&[]) else {
            panic!("no message")
        };
        let fields: Vec<_> = Fields::of(&bytes).map(Result::unwrap).collect();
        assert_eq!(fields[0], (1, Field::Bytes(b"gw-1")));
        assert_eq!(fields[1], (2, Field::Bytes(b"edge")));
        let metadata = b"\x0A\x07\x0A\x01E\x12\x02\x1A\x00\x0A\x0B\x0A\x04ZONE\x12\x03\x1A\x01a";
        assert_eq!(fields[2], (3, Field::Bytes(metadata)));
        assert_eq!(fields[3], (6, Field::Bytes(b"weir")));
        assert_eq!(fields[4].0, 7);
    }
}
