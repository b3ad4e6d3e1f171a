//! The published descriptions of the configuration file, made from its definitions.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::file::SiteText;
use crate::shape::catalog::{Key, Need, Section};
use crate::shape::{Catalog, Shape};

/// The JSON Schema (draft 2020-12) of the configuration file.
///
/// It follows from the definitions that the reader uses: a file that the reader takes is valid.
/// The reader is stricter where it compares several values (dangling names, for example).
#[must_use]
pub fn schema() -> Value {
    let mut catalog = Catalog::default();
    SiteText::sort(&mut catalog);
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!("Weir configuration"));
    let mut definitions = Map::new();
    for (index, section) in catalog.sections.iter().enumerate() {
        match section.schema() {
            Value::Object(root) if index == 0 => schema.extend(root),
            definition => {
                definitions.insert(section.name.replace(' ', "_"), definition);
            }
        }
    }
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

/// The reference of the configuration file in Markdown: a table for each section.
#[must_use]
pub fn reference() -> String {
    let mut catalog = Catalog::default();
    SiteText::sort(&mut catalog);
    let mut page = String::from(INTRODUCTION);
    for section in &catalog.sections {
        write_section(section, &mut page);
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the definitions in crates/control/src/file; do not edit. -->

A configuration is one YAML file (YAML 1.2, one document, anchors and aliases allowed). Unknown keys
are errors. Durations are a whole number and a unit: `250ms`, `5s`, `1m`, `1h`. Sizes are a number of
bytes, or a whole number and a unit: `64KiB`, `16MiB`, `1GiB`. `weir check` explains all that is
wrong with a file; `weir schema` prints its JSON Schema for editors.
";

fn write_section(section: &Section, page: &mut String) {
    let outline = section.outline;
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {}\n\n{}\n", section.name, section.doc);
    for group in outline.at_most_one {
        let _ = write!(
            page,
            "\nAt most one of {} may be there.\n",
            code_list(group)
        );
    }
    page.push_str("\n| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n");
    for key in &section.keys {
        write_key(key, outline.exactly_one, page);
    }
    if !outline.later.is_empty() {
        let later: Vec<&str> = outline.later.iter().map(|(key, _)| *key).collect();
        let _ = write!(
            page,
            "\nNot available in this version: {}.\n",
            code_list(&later)
        );
    }
}

fn write_key(key: &Key, exactly_one: &[&[&str]], page: &mut String) {
    let default = match &key.need {
        Need::Required => "required".to_owned(),
        Need::Optional(Value::Null) if exactly_one.iter().any(|keys| keys.contains(&key.name)) => {
            "one of them".to_owned()
        }
        Need::Optional(Value::Null) => "–".to_owned(),
        Need::Optional(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Need::Optional(Value::String(text)) => format!("`{text}`"),
        Need::Optional(value) => format!("`{value}`"),
    };
    let sort = match key.sort.section {
        Some(name) => {
            let link = format!("[{name}](#{})", name.replace(' ', "-"));
            // The section is named last in the texts that are made of it.
            match key.sort.text.rfind(name) {
                Some(start) => format!("{}{link}", &key.sort.text[..start]),
                None => link,
            }
        }
        None => key.sort.text.clone(),
    };
    let _ = writeln!(
        page,
        "| `{}` | {sort} | {default} | {} |",
        key.name, key.doc
    );
}

fn code_list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
