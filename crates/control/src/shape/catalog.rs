//! What the shapes say of themselves, collected for the schema and the reference.

use serde_json::{Map, Value, json};

/// The sections of a configuration file, in reading order.
#[derive(Default)]
pub(crate) struct Catalog {
    pub(crate) sections: Vec<Section>,
}

/// What a shape takes: for people and as JSON Schema.
#[derive(Clone)]
pub(crate) struct Sort {
    /// Like `duration` or `list of route`.
    pub(crate) text: String,
    pub(crate) schema: Value,
    /// The section that `text` names, if it names one.
    pub(crate) section: Option<&'static str>,
}

/// A mapping with fixed keys.
#[derive(Clone)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) doc: String,
    pub(crate) keys: Vec<Key>,
    pub(crate) outline: &'static Outline,
}

/// A key of a section.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) doc: String,
    pub(crate) sort: Sort,
    pub(crate) need: Need,
}

/// Whether a key may be left out.
#[derive(Clone)]
pub(crate) enum Need {
    Required,
    /// With the value that it then has; null: none.
    Optional(Value),
}

/// What the reader needs to know of a section before it reads values.
pub(crate) struct Outline {
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [&'static str],
    /// Keys of later releases, each with what it will bring.
    pub(crate) later: &'static [(&'static str, &'static str)],
    /// The key that a value other than a mapping stands for.
    pub(crate) short: Option<&'static str>,
    /// Groups of which exactly one key must be there.
    pub(crate) exactly_one: &'static [&'static [&'static str]],
    /// Groups of which at most one key may be there.
    pub(crate) at_most_one: &'static [&'static [&'static str]],
}

impl Sort {
    /// A sort that names no section.
    pub(crate) fn new(text: impl Into<String>, schema: Value) -> Self {
        Self {
            text: text.into(),
            schema,
            section: None,
        }
    }

    /// A text that a regular expression describes.
    pub(crate) fn pattern(text: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self::new(text, json!({ "type": "string", "pattern": pattern.into() }))
    }

    /// A sort made of this one.
    pub(crate) fn wrapped(self, text: String, schema: Value) -> Self {
        Self {
            text,
            schema,
            section: self.section,
        }
    }
}

impl Catalog {
    /// Takes a section in, once, and gives the sort that refers to it.
    pub(crate) fn section(
        &mut self,
        outline: &'static Outline,
        describe: impl FnOnce(&mut Self) -> Section,
    ) -> Sort {
        if !self
            .sections
            .iter()
            .any(|section| section.name == outline.name)
        {
            // Its place is taken before its keys are described, so that sections read top-down.
            let index = self.sections.len();
            self.sections.push(Section {
                name: outline.name,
                doc: String::new(),
                keys: Vec::new(),
                outline,
            });
            let section = describe(self);
            self.sections[index] = section;
        }
        let mut schema = json!({ "$ref": reference_to(outline.name) });
        if let Some(short) = outline.short {
            let section = self
                .sections
                .iter()
                .find(|section| section.name == outline.name);
            let key = section.and_then(|section| section.keys.iter().find(|k| k.name == short));
            if let Some(key) = key {
                schema = json!({ "anyOf": [key.sort.schema, schema] });
            }
        }
        Sort {
            text: outline.name.to_owned(),
            schema,
            section: Some(outline.name),
        }
    }
}

impl Section {
    /// The section as JSON Schema.
    pub(crate) fn schema(&self) -> Value {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("description".to_owned(), json!(self.doc));
        let properties: Map<String, Value> = self
            .keys
            .iter()
            .map(|key| (key.name.to_owned(), key.schema()))
            .collect();
        schema.insert("properties".to_owned(), Value::Object(properties));
        let required: Vec<&str> = self
            .keys
            .iter()
            .filter(|key| matches!(key.need, Need::Required))
            .map(|key| key.name)
            .collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema.insert("additionalProperties".to_owned(), json!(false));
        let rules = self.rules();
        if !rules.is_empty() {
            schema.insert("allOf".to_owned(), Value::Array(rules));
        }
        Value::Object(schema)
    }

    fn rules(&self) -> Vec<Value> {
        let one = |keys: &[&str]| {
            keys.iter()
                .map(|key| json!({ "required": [key] }))
                .collect::<Vec<Value>>()
        };
        let exactly = self
            .outline
            .exactly_one
            .iter()
            .map(|keys| json!({ "oneOf": one(keys) }));
        let at_most = self.outline.at_most_one.iter().map(|keys| {
            let mut branches = one(keys);
            branches.push(json!({ "not": { "anyOf": one(keys) } }));
            json!({ "oneOf": branches })
        });
        exactly.chain(at_most).collect()
    }
}

impl Key {
    fn schema(&self) -> Value {
        let mut schema = match &self.sort.schema {
            Value::Object(map) => map.clone(),
            other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
        };
        schema.insert("description".to_owned(), json!(self.doc));
        if let Need::Optional(default) = &self.need
            && !default.is_null()
        {
            schema.insert("default".to_owned(), default.clone());
        }
        Value::Object(schema)
    }
}

fn reference_to(section: &str) -> String {
    format!("#/$defs/{}", section.replace(' ', "_"))
}
