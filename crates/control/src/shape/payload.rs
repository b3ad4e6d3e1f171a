//! Configuration that is a plugin's own business: any YAML, handed over as bytes.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::problem::Refusal;
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::{self, Node, Scalar};

/// The bytes a plugin gets: the bare text of a text, compact JSON of anything else, in the
/// author's order of keys. `None`: nothing was written, which is the same as a key left out.
#[derive(Clone, Debug)]
pub(crate) struct Payload(pub(crate) Option<Bytes>);

impl Shape for Payload {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let yaml::Value::Scalar(scalar) = &node.value {
            match scalar.sort() {
                yaml::Sort::Null => return Some(Self(None)),
                yaml::Sort::Text => {
                    return Some(Self(Some(Bytes::copy_from_slice(scalar.text.as_bytes()))));
                }
                yaml::Sort::Bool | yaml::Sort::Integer | yaml::Sort::Float => {}
            }
        }
        let mut json = String::new();
        write_json(node, &mut json, reader)?;
        Some(Self(Some(json.into())))
    }

    fn sort(_: &mut Catalog) -> Sort {
        Sort::new("anything", json!({}))
    }

    fn show(&self) -> Value {
        Value::Null
    }
}

/// Writes the node; goes on after a value that JSON does not have, so that all are reported.
fn write_json(node: &Node, json: &mut String, reader: &mut Reader<'_>) -> Option<()> {
    match &node.value {
        yaml::Value::Scalar(scalar) => write_scalar(scalar, node, json, reader),
        yaml::Value::Sequence(items) => {
            let mut written = Some(());
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                let item = reader.under_index(index, |reader| write_json(item, json, reader));
                written = written.and(item);
            }
            json.push(']');
            written
        }
        yaml::Value::Mapping(entries) => {
            let mut written = Some(());
            json.push('{');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                json.push_str(&quoted(&entry.key));
                json.push(':');
                let value =
                    reader.under_key(&entry.key, |reader| write_json(&entry.value, json, reader));
                written = written.and(value);
            }
            json.push('}');
            written
        }
    }
}

fn write_scalar(
    scalar: &Scalar,
    node: &Node,
    json: &mut String,
    reader: &mut Reader<'_>,
) -> Option<()> {
    match scalar.sort() {
        yaml::Sort::Null => json.push_str("null"),
        yaml::Sort::Bool => json.push_str(&scalar.text.to_ascii_lowercase()),
        yaml::Sort::Text => json.push_str(&quoted(&scalar.text)),
        yaml::Sort::Integer | yaml::Sort::Float => {
            let Some(number) = scalar.json_number() else {
                let what = format!("{} does not exist in JSON", scalar.description());
                let expected = "another number, or a text in quotes";
                reader.refuse(node.at, Refusal::new(what, &scalar.text, expected));
                return None;
            };
            json.push_str(&number);
        }
    }
    Some(())
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
