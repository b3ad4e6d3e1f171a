//! Mappings with keys of the operator's, and names that refer to them.

use std::marker::PhantomData;

use serde_json::{Value, json};
use weir_model::Name;

use crate::problem::Span;
use crate::shape::text::{Grammar, HeaderName, NameText, Text, VariableName, malformed};
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::{self, Node};

/// A mapping with keys of the operator's, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<K, V>(pub(crate) Vec<(K, V)>);

/// A key of [`Pairs`].
pub(crate) trait PairKey: Sized {
    /// The grammar behind it.
    type Grammar: Grammar;

    /// The key of a text that follows the grammar.
    fn made(value: Self::Grammar, at: Span, reader: &mut Reader<'_>) -> Self;
}

/// What a name is a name of.
pub(crate) trait Family {
    /// In the singular; the section's key is its plural.
    const NAME: &'static str;
}

/// Clusters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clusters;
/// Modules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modules;
/// Filters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filters;
/// Functions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Functions;
/// Maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maps;
/// Back ends of maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stores;

impl Family for Clusters {
    const NAME: &'static str = "cluster";
}
impl Family for Modules {
    const NAME: &'static str = "module";
}
impl Family for Filters {
    const NAME: &'static str = "filter";
}
impl Family for Functions {
    const NAME: &'static str = "function";
}
impl Family for Maps {
    const NAME: &'static str = "map";
}
impl Family for Stores {
    const NAME: &'static str = "store";
}

/// A name that is defined here.
#[derive(Clone, Debug)]
pub(crate) struct Defined<F> {
    pub(crate) name: Name,
    family: PhantomData<F>,
}

/// A name that is defined elsewhere in the file; checked once all is read.
#[derive(Clone, Debug)]
pub(crate) struct Referred<F> {
    pub(crate) name: Name,
    family: PhantomData<F>,
}

/// A header value, or several for headers that may repeat.
#[derive(Clone, Debug)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

/// A key with its place.
#[derive(Clone, Debug)]
pub(crate) struct HeaderKey {
    pub(crate) name: String,
    pub(crate) at: Span,
}

impl<F: Family> PairKey for Defined<F> {
    type Grammar = NameText;

    fn made(value: NameText, at: Span, reader: &mut Reader<'_>) -> Self {
        reader.define(F::NAME, value.0.clone(), at);
        Self {
            name: value.0,
            family: PhantomData,
        }
    }
}

impl<F: Family> PairKey for Referred<F> {
    type Grammar = NameText;

    fn made(value: NameText, at: Span, reader: &mut Reader<'_>) -> Self {
        reader.refer(F::NAME, value.0.clone(), at);
        Self {
            name: value.0,
            family: PhantomData,
        }
    }
}

impl PairKey for HeaderKey {
    type Grammar = HeaderName;

    fn made(value: HeaderName, at: Span, _: &mut Reader<'_>) -> Self {
        Self { name: value.0, at }
    }
}

impl PairKey for VariableName {
    type Grammar = Self;

    fn made(value: Self, _: Span, _: &mut Reader<'_>) -> Self {
        value
    }
}

impl<K: PairKey, V: Shape> Shape for Pairs<K, V> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let yaml::Value::Mapping(entries) = &node.value else {
            reader.refuse_kind(node, format!("a mapping of {}s", K::Grammar::TITLE));
            return None;
        };
        let mut pairs = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = match K::Grammar::parse(&entry.key) {
                Ok(value) => {
                    let at = entry.key_at;
                    Some(reader.under_key(&entry.key, |reader| K::made(value, at, reader)))
                }
                Err(suggestion) => {
                    let refusal = malformed::<K::Grammar>(&entry.key, suggestion);
                    reader.refuse(entry.key_at, refusal);
                    None
                }
            };
            let value = reader.under_key(&entry.key, |reader| V::read(&entry.value, reader));
            pairs.extend(key.zip(value));
        }
        Some(Self(pairs))
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let value = V::sort(catalog);
        let schema = json!({
            "type": "object",
            "propertyNames": { "pattern": K::Grammar::PATTERN },
            "additionalProperties": value.schema,
        });
        let text = format!("mapping of {} to {}", K::Grammar::TITLE, value.text);
        value.wrapped(text, schema)
    }
}

impl<F: Family> Shape for Referred<F> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let NameText(name) = NameText::read(node, reader)?;
        reader.refer(F::NAME, name.clone(), node.at);
        Some(Self {
            name,
            family: PhantomData,
        })
    }

    fn sort(_: &mut Catalog) -> Sort {
        Sort::pattern(format!("name of a {}", F::NAME), NameText::PATTERN)
    }

    fn show(&self) -> Value {
        json!(&*self.name)
    }
}

impl<T: Shape> Shape for OneOrMany<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Sequence(items) => {
                let values = items.iter().enumerate().filter_map(|(index, item)| {
                    reader.under_index(index, |reader| T::read(item, reader))
                });
                Some(Self(values.collect()))
            }
            yaml::Value::Scalar(_) | yaml::Value::Mapping(_) => {
                T::read(node, reader).map(|value| Self(vec![value]))
            }
        }
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let one = T::sort(catalog);
        let schema = json!({ "anyOf": [one.schema, { "type": "array", "items": one.schema }] });
        let text = format!("{} or list of them", one.text);
        one.wrapped(text, schema)
    }
}

impl PairKey for Text {
    type Grammar = Self;

    fn made(value: Self, _: Span, _: &mut Reader<'_>) -> Self {
        value
    }
}

impl Grammar for Text {
    const TITLE: &'static str = "text";
    const PATTERN: &'static str = "";
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        Ok(Self(text.to_owned()))
    }

    fn written(&self) -> String {
        self.0.clone()
    }
}
