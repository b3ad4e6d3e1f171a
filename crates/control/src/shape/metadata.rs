//! Facts for plugins: namespaces with mappings of JSON values.

use serde_json::json;
use weir_model::{Json, Metadata};

use crate::problem::Refusal;
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::{self, Entry, Node, Scalar};

/// Metadata as it stands in a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetadataText(pub(crate) Metadata);

impl Shape for MetadataText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let yaml::Value::Mapping(entries) = &node.value else {
            reader.refuse_kind(node, "a mapping of namespaces");
            return None;
        };
        let namespaces = entries.iter().filter_map(|entry| {
            let entries = reader.under_key(&entry.key, |reader| match &entry.value.value {
                yaml::Value::Mapping(entries) => Some(map_of(entries, reader)),
                yaml::Value::Scalar(_) | yaml::Value::Sequence(_) => {
                    reader.refuse_kind(&entry.value, "a mapping");
                    None
                }
            });
            Some((entry.key.clone(), entries?))
        });
        let namespaces = namespaces.collect();
        Some(Self(Metadata { namespaces }))
    }

    fn sort(_: &mut Catalog) -> Sort {
        let schema = json!({ "type": "object", "additionalProperties": { "type": "object" } });
        Sort::new("mapping of namespace to mapping", schema)
    }
}

/// The values of a mapping; goes on after one that JSON does not have, so that all are reported.
fn map_of(entries: &[Entry], reader: &mut Reader<'_>) -> Vec<(String, Json)> {
    let values = entries.iter().filter_map(|entry| {
        let value = reader.under_key(&entry.key, |reader| json_of(&entry.value, reader));
        Some((entry.key.clone(), value?))
    });
    values.collect()
}

fn json_of(node: &Node, reader: &mut Reader<'_>) -> Option<Json> {
    match &node.value {
        yaml::Value::Scalar(scalar) => scalar_of(scalar, node, reader),
        yaml::Value::Sequence(items) => {
            let items = items.iter().enumerate().filter_map(|(index, item)| {
                reader.under_index(index, |reader| json_of(item, reader))
            });
            Some(Json::List(items.collect()))
        }
        yaml::Value::Mapping(entries) => Some(Json::Map(map_of(entries, reader))),
    }
}

fn scalar_of(scalar: &Scalar, node: &Node, reader: &mut Reader<'_>) -> Option<Json> {
    match scalar.sort() {
        yaml::Sort::Null => Some(Json::Null),
        yaml::Sort::Bool => scalar.truth().map(Json::Bool),
        yaml::Sort::Text => Some(Json::Text(scalar.text.clone())),
        yaml::Sort::Integer | yaml::Sort::Float => {
            let number = scalar
                .json_number()
                .and_then(|text| text.parse::<f64>().ok());
            let number = number.filter(|number| number.is_finite());
            if number.is_none() {
                let what = format!("{} does not exist in JSON", scalar.description());
                let expected = "another number, or a text in quotes";
                reader.refuse(node.at, Refusal::new(what, &scalar.text, expected));
            }
            number.map(Json::Number)
        }
    }
}
