//! The published descriptions against the reader.

use serde_json::Value;
use weir_control::{reference, schema};

use crate::noise::Noise;
use crate::schema_check::violations;
use crate::valid;

/// The file as JSON, by way of a filter's configuration, which is any YAML.
fn as_json(yaml: &str) -> Option<Value> {
    let indented = yaml.replace('\n', "\n      ");
    let text = format!(
        "background: [a]\nmodules: {{ m: {{ file: Cargo.toml }} }}\n\
         filters:\n  a:\n    module: m\n    configuration:\n      {indented}"
    );
    let loaded = weir_control::parse(&text, &valid::beside_manifest()).ok()?;
    serde_json::from_slice(&loaded.site.filters["a"].configuration).ok()
}

fn json(yaml: &str) -> Value {
    as_json(yaml).unwrap()
}

#[test]
fn the_schema_takes_what_the_reader_takes() {
    let schema = schema();
    for text in [valid::WHOLE, "listeners: [{ address: 127.0.0.1:80 }]"] {
        let violations = violations(&schema, &json(text));
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

#[test]
fn the_schema_refuses_unknown_keys_and_bad_values() {
    let schema = schema();
    let check = |text: &str| {
        assert!(
            !violations(&schema, &json(text)).is_empty(),
            "the schema takes: {text}"
        );
    };
    check("lisen: []");
    check("functions: { f: { kind: http } }");
    check("functions: { f: { module: m, kind: { exports: a } } }");
    check("functions: { f: { module: m, grants: { http: [\"http://a\"] } } }");
    check("listeners: [{ name: a }]");
    check("listeners: [{ address: localhost:80 }]");
    check("listeners: [{ address: 127.0.0.1:80, routes: [{ name: a }] }]");
    check("listeners: [{ address: 127.0.0.1:80, routes: [{ echo: true, forward: a }] }]");
    check("listeners: [{ address: 127.0.0.1:80, idle_timeout: 5 }]");
    check(
        "listeners: [{ address: 127.0.0.1:80, routes: [{ echo: true, match: { host: a, hosts: [b] } }] }]",
    );
    check("clusters: { a: { endpoints: [] } }");
    check("clusters: { a: { endpoints: [b], load_balancing: fair } }");
    check("filters: { a: { module: m, isolation: { process: { inside: module } } } }");
    check("workers: 0");
    check("drain_timeout: 5 s");
}

/// Damaged files find values that the reader takes and nobody thought of.
#[test]
fn the_schema_takes_every_damaged_file_that_the_reader_takes() {
    let schema = schema();
    let folder = valid::folder();
    let file = folder.path().join("weir.yaml");
    let mut noise = Noise::default();
    let mut taken = 0;
    for _ in 0..800 {
        let text = noise.damaged(valid::WHOLE);
        if weir_control::parse(&text, &file).is_err() {
            continue;
        }
        let Some(json) = as_json(&text) else { continue };
        let violations = violations(&schema, &json);
        assert!(violations.is_empty(), "{violations:#?}\n{text}");
        taken += 1;
    }
    assert!(taken > 20, "only {taken} files were taken");
}

#[test]
fn every_object_is_closed_and_explained() {
    let schema = schema();
    let definitions = schema["$defs"]
        .as_object()
        .unwrap()
        .values()
        .chain([&schema]);
    for definition in definitions {
        assert_eq!(definition["additionalProperties"], false);
        for (key, property) in definition["properties"].as_object().unwrap() {
            let description = property["description"].as_str().unwrap_or_default();
            assert!(description.ends_with('.'), "{key}: {description:?}");
        }
    }
}

#[test]
fn every_key_stands_in_the_reference() {
    let (schema, reference) = (schema(), reference());
    let definitions = schema["$defs"]
        .as_object()
        .unwrap()
        .values()
        .chain([&schema]);
    for definition in definitions {
        for key in definition["properties"].as_object().unwrap().keys() {
            assert!(reference.contains(&format!("\n| `{key}` | ")), "{key}");
        }
    }
    for name in schema["$defs"].as_object().unwrap().keys() {
        assert!(
            reference.contains(&format!("\n## {}\n", name.replace('_', " "))),
            "{name}"
        );
    }
}

#[test]
fn every_key_stands_in_the_whole_file() {
    let schema = schema();
    let definitions = schema["$defs"]
        .as_object()
        .unwrap()
        .values()
        .chain([&schema]);
    for definition in definitions {
        for key in definition["properties"].as_object().unwrap().keys() {
            assert!(valid::WHOLE.contains(&format!("{key}:")), "{key}");
        }
    }
}
