//! A checker for the part of JSON Schema that the published schema uses.

use serde_json::{Map, Value};

/// The keywords of the schema that the value breaks, with what is broken further down.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    Check { root: schema }.violations(schema, value)
}

struct Check<'a> {
    root: &'a Value,
}

/// A keyword of a schema, its argument and its siblings.
struct Keyword<'s> {
    name: &'s str,
    argument: &'s Value,
    siblings: &'s Map<String, Value>,
}

impl Check<'_> {
    fn violations(&self, schema: &Value, value: &Value) -> Vec<String> {
        let siblings = schema.as_object().expect("a schema is an object");
        let keywords = siblings.iter().map(|(name, argument)| Keyword {
            name,
            argument,
            siblings,
        });
        keywords
            .flat_map(|keyword| self.broken(&keyword, value))
            .collect()
    }

    fn is_valid(&self, schema: &Value, value: &Value) -> bool {
        self.violations(schema, value).is_empty()
    }

    fn broken(&self, keyword: &Keyword<'_>, value: &Value) -> Vec<String> {
        match keyword.name {
            "$ref" => {
                let pointer = keyword.argument.as_str().unwrap().trim_start_matches('#');
                self.violations(self.root.pointer(pointer).unwrap(), value)
            }
            "items" => {
                let items = value.as_array().into_iter().flatten();
                items
                    .flat_map(|item| self.violations(keyword.argument, item))
                    .collect()
            }
            "properties" => members(value)
                .filter_map(|(key, value)| Some((keyword.argument.get(key)?, value)))
                .flat_map(|(schema, value)| self.violations(schema, value))
                .collect(),
            "additionalProperties" => members(value)
                .filter(|(key, _)| !has_property(keyword.siblings, key))
                .flat_map(|(key, value)| match keyword.argument {
                    Value::Bool(false) => vec![format!("unknown key {key}")],
                    schema => self.violations(schema, value),
                })
                .collect(),
            _ if self.holds(keyword, value) => Vec::new(),
            _ => vec![format!(
                "{value} against {}: {}",
                keyword.name, keyword.argument
            )],
        }
    }

    fn holds(&self, keyword: &Keyword<'_>, value: &Value) -> bool {
        let argument = keyword.argument;
        let list = || argument.as_array().unwrap().iter();
        let valid = |schema: &&Value| self.is_valid(schema, value);
        match keyword.name {
            "$schema" | "$defs" | "title" | "description" | "default" => true,
            "allOf" => list().all(|schema| valid(&schema)),
            "anyOf" => list().any(|schema| valid(&schema)),
            "oneOf" => list().filter(valid).count() == 1,
            "not" => !self.is_valid(argument, value),
            "const" => value == argument,
            "enum" => list().any(|one| one == value),
            "type" => match argument {
                Value::Array(types) => types.iter().any(|one| is_type(one, value)),
                one => is_type(one, value),
            },
            "pattern" => value.as_str().is_none_or(|text| matches(argument, text)),
            "minimum" => value
                .as_f64()
                .is_none_or(|n| n >= argument.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|n| n <= argument.as_f64().unwrap()),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() >= length(argument)),
            "maxItems" => value
                .as_array()
                .is_none_or(|items| items.len() <= length(argument)),
            "required" => value
                .as_object()
                .is_none_or(|object| list().all(|key| object.contains_key(key.as_str().unwrap()))),
            "propertyNames" => {
                members(value).all(|(key, _)| self.is_valid(argument, &Value::from(key.as_str())))
            }
            unknown => panic!("unknown keyword {unknown}"),
        }
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn has_property(schema: &Map<String, Value>, key: &str) -> bool {
    schema
        .get("properties")
        .is_some_and(|properties| properties.get(key).is_some())
}

fn matches(pattern: &Value, text: &str) -> bool {
    regex_lite::Regex::new(pattern.as_str().unwrap())
        .unwrap()
        .is_match(text)
}

fn length(argument: &Value) -> usize {
    usize::try_from(argument.as_u64().unwrap()).unwrap()
}

fn is_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("unknown type {other}"),
    }
}
